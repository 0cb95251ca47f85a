// keys.h: an endpoint's keys on the hail profile (keyring.h): made, rotated and used.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_KEYS_H
#define HAIL_ENGINE_CONTEXT_KEYS_H

#include "crypto/random.h"
#include "engine/context/keyring.h"

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
void hail_keys_rotate(struct hail_context *context, struct hail_random *random, uint64_t now_ns,
                      uint64_t unix_s);
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
