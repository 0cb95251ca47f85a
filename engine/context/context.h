// context.h: what all shards of an endpoint share. Made at start, constant while they run, but for
// what is atomic.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_CONTEXT_H
#define HAIL_ENGINE_CONTEXT_CONTEXT_H

#include <stdatomic.h>

#include "crypto/identity.h"
#include "engine/context/keys.h"
#include "engine/context/log.h"
#include "engine/hail.h"
#include "engine/memory/mailbox.h"
#include "proto/mlapi/session.h"
#include "proto/policy.h"

struct hail_context {
    struct hail_config config; // own copy: every default filled in, every string ours
    bool is_server;
    uint32_t slots; // of a shard: conns_max, and for servers as many more as may be in handshakes
    struct hail_log log;
    struct hail_heap heap;
    struct hail_handler *handlers; // own copy, config.handler_count of them
    struct hail_policy policy;
    struct hail_mlapi_setup setup;
    struct hail_identity *identity;        // server that signs; else NULL
    struct hail_trust *trust;              // client that checks; else NULL
    char trust_fault[HAIL_FAULT_TEXT_MAX]; // why there is no trust store, if there is none
    struct hail_keys keys;                 // profile hail
    struct hail_simulation simulation;     // what config.native.simulation points to
    struct hail_shard **shards;            // of the endpoint, by index; NULL: there is one
    struct hail_endpoint *endpoint;        // for callbacks
    uint64_t start_ns;                     // CLOCK_MONOTONIC when the endpoint was started
    int64_t start_unix_ns;                 // CLOCK_REALTIME at the same moment
    struct hail_mailbox events;            // for hail_poll; no ring with callbacks
    struct hail_arena events_arena;
    int events_fd;               // eventfd that hail_fd shows; -1 with callbacks
    _Atomic uint64_t client_ids; // numbers given to clients so far
};

// hail_context_heap tells where a config has an endpoint's memory from. HAIL_EINVAL: one of its two
// functions is missing, and the log says so; or as hail_context_init.
HAIL_MUST_USE enum hail_status hail_context_heap(struct hail_heap *heap,
                                                 const struct hail_config *given);

// hail_context_init copies, completes and checks a config, and reads the files it names. A line in
// the log says which field or file is wrong, and what to do. On failure nothing is left.
HAIL_MUST_USE enum hail_status hail_context_init(struct hail_context *context,
                                                 const struct hail_config *given, bool is_server);

// hail_context_name_hash hashes a name as the profile's wire has it; false: it is not UTF-8.
HAIL_MUST_USE bool hail_context_name_hash(const struct hail_context *context, uint64_t *hash,
                                          const char *name);

// hail_context_believe_keycert is what a client of the hail profile believes: the default check, or
// the application's word over it. For struct hail_keycert_verifier.
bool hail_context_believe_keycert(void *user, const struct hail_keycert *keycert,
                                  const struct hail_certificate *leaf, const char *host,
                                  int64_t unix_s, struct hail_fault_report *report);

// hail_context_unix_s returns what CLOCK_REALTIME would say at `now_ns`, in seconds, had nobody set
// it since the start.
uint64_t hail_context_unix_s(const struct hail_context *context, uint64_t now_ns);

// hail_context_cleanup frees and wipes; the zero state is allowed.
void hail_context_cleanup(struct hail_context *context);

#endif
