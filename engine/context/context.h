// context.h: what all shards of an endpoint share. Made at start, constant while they run, but for
// what is atomic.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_CONTEXT_H
#define HAIL_ENGINE_CONTEXT_CONTEXT_H

#include <stdatomic.h>

#include "crypto/identity.h"
#include "engine/context/keyring.h"
#include "engine/context/limits.h"
#include "engine/context/log.h"
#include "engine/hail.h"
#include "engine/memory/mailbox.h"
#include "proto/mlapi/session.h"
#include "proto/policy.h"
#include "proto/prefixes.h"

struct hail_shard;

struct hail_context {
    struct hail_config config; // own copy: every default filled in, every string ours
    bool is_server;
    uint32_t slots; // of a shard: conns_max, and for servers as many more as may be in handshakes
    struct hail_log log;
    struct hail_heap heap;
    struct hail_handler *handlers; // own copy, config.handler_count of them
    struct hail_policy policy;
    struct hail_prefixes trusted; // server: whose addresses have no limits of their own
    struct hail_mlapi_setup setup;
    struct hail_identity *identity;        // server that signs; else NULL
    struct hail_trust *trust;              // client that checks; else NULL
    char trust_fault[HAIL_FAULT_TEXT_MAX]; // why there is no trust store, if there is none
    struct hail_keys keys;                 // profile hail
    struct hail_simulation simulation;     // what config.native.simulation points to
    struct hail_shard **shards;            // of the endpoint, by index; NULL: there is one
    struct hail_endpoint *endpoint;        // for callbacks
    uint64_t start_ns;                     // CLOCK_BOOTTIME when the endpoint was started
    int64_t start_unix_ns;                 // CLOCK_REALTIME then; it may be set since
    struct hail_mailbox events;            // for hail_poll; no ring with callbacks
    struct hail_arena events_arena;
    int events_fd;               // eventfd that hail_fd shows; -1 with callbacks
    _Atomic uint64_t client_ids; // numbers given to clients so far
    _Atomic uint32_t scene;      // index of the one that clients are approved into
};

#endif
