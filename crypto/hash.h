// hash.h: SHA-256 (FIPS 180-4).
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_HASH_H
#define HAIL_CRYPTO_HASH_H

#include "crypto/base.h"

enum {
    HAIL_SHA256_LEN = 32
};

// hail_sha256 hashes bytes; hail_sha256_two hashes two strings of them, one behind the other. `out`
// may lie inside what is hashed.
void hail_sha256(uint8_t out[HAIL_SHA256_LEN], const uint8_t *data, size_t len);
void hail_sha256_two(uint8_t out[HAIL_SHA256_LEN], const uint8_t *first, size_t first_len,
                     const uint8_t *second, size_t second_len);

#endif
