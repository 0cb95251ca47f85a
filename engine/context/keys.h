// keys.h: what all shards of an endpoint share on the hail profile: static keys and what vouches
// for them, the cookies' secret, what a client believes, the key log.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_KEYS_H
#define HAIL_ENGINE_CONTEXT_KEYS_H

#include <stdatomic.h>

#include "engine/context/log.h"
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
    uint64_t rotate_ns;       // when the next is due; shard 0's alone. UINT64_MAX: never

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

struct hail_context;

// hail_keys_init makes a config's keys. A line in the log says what is wrong.
HAIL_MUST_USE enum hail_status hail_keys_init(struct hail_context *context);
void hail_keys_cleanup(struct hail_keys *keys);

// hail_keys_current returns the static key for a hello of `pattern`: NULL for NN, and for NK with
// an id that is neither of the present key nor of the one before. Threads  Any shard's.
const struct hail_static_key *hail_keys_current(const struct hail_keys *keys, uint8_t pattern,
                                                const uint8_t id[HAIL_STATIC_ID_LEN]);

// hail_keys_cookies returns the keys that cookies are made and checked with. Threads  Any shard's.
struct hail_cookie_keys hail_keys_cookies(const struct hail_keys *keys);

// hail_keys_rotate makes a fresh static key and a fresh ticket key, or a fresh key for cookies, if
// it is time; hail_keys_next_ns says when it next is, UINT64_MAX: never. A server's.
// Threads  Shard 0's.
void hail_keys_rotate(struct hail_context *context, struct hail_random *random, uint64_t now_ns);
uint64_t hail_keys_next_ns(const struct hail_keys *keys);

// hail_keys_ticket_seal writes a ticket for a connection with this stretched key.
// Threads  Any shard's, here and below.
void hail_keys_ticket_seal(const struct hail_keys *keys, uint8_t ticket[HAIL_TICKET_LEN],
                           const uint8_t stretched[HAIL_STRETCHED_LEN], uint64_t unix_s,
                           struct hail_random *random);

// hail_keys_ticket_open reads one that the present ticket key made or the one before. Returns as
// hail_ticket_open.
enum hail_verdict hail_keys_ticket_open(const struct hail_keys *keys,
                                        uint8_t psk[HAIL_NOISE_PSK_LEN], struct hail_bytes ticket,
                                        uint64_t unix_s);

// hail_keys_log appends a session's key to the key log, if there is one.
void hail_keys_log(const struct hail_keys *keys, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                   const uint8_t stretched[HAIL_STRETCHED_LEN]);

#endif
