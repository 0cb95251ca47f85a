// cookie.h: proof that a client receives what is sent to its address, without a byte kept for it
// (WIRE.md, sections 2.1 and 2.2).
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_COOKIE_H
#define HAIL_PROTO_COOKIE_H

#include "crypto/mac.h"
#include "crypto/random.h"
#include "proto/address.h"
#include "proto/datagram.h"

enum {
    HAIL_COOKIE_LIFE_MS = 10000
};

// The secret that cookies are made with; constant once made, so any thread may use it.
struct hail_cookie_key {
    struct hail_mac_key mac;
};

void hail_cookie_key_init(struct hail_cookie_key *key, struct hail_random *random);

// hail_cookie_make writes a cookie for a sender and its token.
void hail_cookie_make(uint8_t cookie[HAIL_COOKIE_LEN], const struct hail_cookie_key *key,
                      const struct hail_address *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                      uint64_t now_ns);

// hail_cookie_check says whether a cookie was made for this sender and token, less than
// HAIL_COOKIE_LIFE_MS ago.
HAIL_MUST_USE bool hail_cookie_check(const uint8_t cookie[HAIL_COOKIE_LEN],
                                     const struct hail_cookie_key *key,
                                     const struct hail_address *from,
                                     const uint8_t token[HAIL_CLIENT_TOKEN_LEN], uint64_t now_ns);

#endif
