// keyring.h: what all shards of an endpoint share on the hail profile: static keys and what vouches
// for them, the cookies' secret, what a client believes, the key log.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_KEYRING_H
#define HAIL_ENGINE_CONTEXT_KEYRING_H

#include <stdatomic.h>

#include "engine/hail.h"
#include "proto/cookie.h"
#include "proto/handshake.h"
#include "proto/policy.h"
#include "proto/ticket.h"

enum {
    // The one in use, the one before, and room to make the next. A reader holds one for as long as
    // a handshake message takes, and it is written over two rotations later.
    HAIL_STATIC_KEYS = 3,
    HAIL_KEY_ROTATION_MAX_S = 14 * 86400 // a key is good for two, and its certificate for 31 days
};

struct hail_keys {
    uint8_t pattern; // enum hail_noise_pattern: that clients want, and servers take beside NK
    uint8_t policy_hash[HAIL_POLICY_HASH_LEN];
    struct hail_welcome_terms terms;     // server
    struct hail_client_setup client;     // client
    uint8_t server_key[HAIL_X25519_LEN]; // client, pinned

    // Server. Shard 0 rotates: it fills in the key after the current one, then moves `current` on.
    struct hail_static_key statics[HAIL_STATIC_KEYS];
    bool is_given;            // the application's key: never rotated
    _Atomic uint32_t current; // keys made so far, less one
    uint64_t vouched_ns;      // signed: when the current one's certificate was made, by both clocks
    uint64_t vouched_s;
    uint64_t look_ns;   // signed: when the date is next compared; shard 0's alone
    uint64_t rotate_ns; // when the next is due; shard 0's alone. UINT64_MAX: never

    // Server. Ticket keys come and go as static keys do.
    bool gives_tickets;
    bool tickets_given;     // the application's key: never rotated
    uint32_t ticket_life_s; // of those that are given
    uint8_t ticket_scope[HAIL_TICKET_SCOPE_LEN];
    struct hail_ticket_key tickets[HAIL_STATIC_KEYS];
    _Atomic uint32_t ticket_current;

    // Server. So do the cookies' keys, every two minutes.
    struct hail_cookie_key cookies[HAIL_STATIC_KEYS];
    _Atomic uint32_t cookie_current;
    uint64_t cookie_rotate_ns; // shard 0's alone; 0: it has not turned yet

    int log_fd; // -1: no key log
};

#endif
