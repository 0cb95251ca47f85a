// mac.h: HMAC-SHA256 (RFC 2104, FIPS 198-1) under a key that is used often: the two hash states
// that depend on the key alone are computed once and kept.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_MAC_H
#define HAIL_CRYPTO_MAC_H

#include "crypto/base.h"

enum {
    HAIL_MAC_LEN = 32
};

// The midstates of one key. A secret: wipe it.
struct hail_mac_key {
    uint32_t inner[8];
    uint32_t outer[8];
};

// hail_mac_key_init computes the midstates of a key of any length.
void hail_mac_key_init(struct hail_mac_key *key, const uint8_t *secret, size_t secret_len);

// hail_mac_sha256 writes the HMAC of `len` bytes at `data`. `out` may lie inside `data`.
// Threads  Any number at once on one key.
// Cost     No allocation.
void hail_mac_sha256(const struct hail_mac_key *key, uint8_t out[HAIL_MAC_LEN], const uint8_t *data,
                     size_t len);

// hail_mac_sha256_parts writes the HMAC of several pieces as if they were one, and leaves nothing
// of them on the stack: they may be secrets. `out` may lie inside any of them.
// Cost     No allocation.
void hail_mac_sha256_parts(const struct hail_mac_key *key, uint8_t out[HAIL_MAC_LEN],
                           const struct hail_bytes *parts, size_t count);

#endif
