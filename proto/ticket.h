// ticket.h: what a client needs to come back without proof of who the server is (WIRE.md, section
// 2.8): the server's side, which seals a key into bytes that only it can read and keeps nothing,
// and the client's, which keeps them and what they are good for.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_TICKET_H
#define HAIL_PROTO_TICKET_H

#include "crypto/mac.h"
#include "crypto/random.h"
#include "proto/datagram.h"
#include "proto/noise.h"

enum {
    HAIL_TICKET_SECRET_LEN = 32,
    HAIL_TICKET_KEY_ID_LEN = 8,
    HAIL_TICKET_SALT_LEN = 32,
    // Key id, salt, end of life, key and tag.
    HAIL_TICKET_LEN = HAIL_TICKET_KEY_ID_LEN + HAIL_TICKET_SALT_LEN + 8 + HAIL_NOISE_PSK_LEN + 16,
    HAIL_TICKET_SCOPE_LEN = 32,
    HAIL_TICKET_LIFE_MAX_S = 7 * 86400, // and of belief in a server that has not proven itself anew
    HAIL_RESUMPTION_LEN_MAX =
        1 + 8 + 8 + HAIL_TICKET_SCOPE_LEN + HAIL_NOISE_PSK_LEN + 1 + HAIL_TICKET_LEN_MAX
};
_Static_assert((int)HAIL_TICKET_LEN <= (int)HAIL_TICKET_LEN_MAX, "WIRE.md, section 2.1");

// hail_ticket_psk derives the key that a connection's tickets stand for.
void hail_ticket_psk(uint8_t psk[HAIL_NOISE_PSK_LEN], const uint8_t stretched[HAIL_STRETCHED_LEN]);

// hail_ticket_server_scope and hail_ticket_client_scope hash what must be the same when a ticket is
// used as when it was given: of a server, its key exchange, policy and the name it vouches for; of
// a client, its key exchange, policy, the server's key if it knows it, and the host, whose case
// does not count. An end's scope is its own affair.
//
// name, host  At most HAIL_KEYCERT_NAME_MAX bytes.
// server_key  HAIL_X25519_LEN bytes, or NULL.
void hail_ticket_server_scope(uint8_t scope[HAIL_TICKET_SCOPE_LEN], enum hail_noise_pattern pattern,
                              const uint8_t policy_hash[HAIL_POLICY_HASH_LEN], const char *name);
void hail_ticket_client_scope(uint8_t scope[HAIL_TICKET_SCOPE_LEN], enum hail_noise_pattern pattern,
                              const uint8_t policy_hash[HAIL_POLICY_HASH_LEN],
                              const uint8_t *server_key, const char *host);

// ---- Server

// What tickets are sealed with; constant once made, so any thread may use it. Secret: hail_wipe.
struct hail_ticket_key {
    uint8_t id[HAIL_TICKET_KEY_ID_LEN];
    struct hail_mac_key mac;
};
void hail_ticket_key_init(struct hail_ticket_key *key,
                          const uint8_t secret[HAIL_TICKET_SECRET_LEN]);

// hail_ticket_seal writes a ticket for a connection's key, good until `until_s` (seconds since
// 1970). Each has an AES key of its own, made with a salt of 32 random bytes, so no two share key
// and nonce, whoever makes them and however often he is started.
void hail_ticket_seal(uint8_t ticket[HAIL_TICKET_LEN], const struct hail_ticket_key *key,
                      const uint8_t scope[HAIL_TICKET_SCOPE_LEN],
                      const uint8_t psk[HAIL_NOISE_PSK_LEN], uint64_t until_s,
                      struct hail_random *random);

// hail_ticket_is_by says whether a ticket may have been sealed with `key`: it has its id.
bool hail_ticket_is_by(struct hail_bytes ticket, const struct hail_ticket_key *key);

// hail_ticket_open reads one back. HAIL_ACCEPT, HAIL_DROP_TICKET_KEY, HAIL_DROP_TICKET_FORGED
// (changed, or of another scope) or HAIL_DROP_TICKET_OLD.
enum hail_verdict hail_ticket_open(uint8_t psk[HAIL_NOISE_PSK_LEN], struct hail_bytes ticket,
                                   const struct hail_ticket_key *key,
                                   const uint8_t scope[HAIL_TICKET_SCOPE_LEN], uint64_t now_s);

// ---- Client

// A ticket and what the client knows of it. Secret: hail_wipe.
struct hail_resumption {
    uint64_t until_s;  // of its life
    uint64_t proven_s; // when the server last proved who it is otherwise than by a ticket
    uint8_t scope[HAIL_TICKET_SCOPE_LEN];
    uint8_t psk[HAIL_NOISE_PSK_LEN];
    uint8_t ticket_len;
    uint8_t ticket[HAIL_TICKET_LEN_MAX];
};

// hail_resumption_write writes it down, and returns the length; hail_resumption_read reads it back,
// whole and without anything behind it. False: it is none.
size_t hail_resumption_write(uint8_t out[HAIL_RESUMPTION_LEN_MAX],
                             const struct hail_resumption *resumption);
HAIL_MUST_USE bool hail_resumption_read(struct hail_resumption *resumption,
                                        struct hail_bytes bytes);

// hail_resumption_good says whether to use it at `now_s` for this scope.
bool hail_resumption_good(const struct hail_resumption *resumption,
                          const uint8_t scope[HAIL_TICKET_SCOPE_LEN], uint64_t now_s);

#endif
