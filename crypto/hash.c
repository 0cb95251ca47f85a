// hash.c: see hash.h.
// SPDX-License-Identifier: MIT
#include "crypto/hash.h"

#include <openssl/sha.h>

_Static_assert(HAIL_SHA256_LEN == SHA256_DIGEST_LENGTH, "FIPS 180-4");

void hail_sha256(uint8_t out[HAIL_SHA256_LEN], const uint8_t *data, size_t len)
{
    SHA256(data, len, out);
}

void hail_sha256_two(uint8_t out[HAIL_SHA256_LEN], const uint8_t *first, size_t first_len,
                     const uint8_t *second, size_t second_len)
{
    SHA256_CTX hash;

    SHA256_Init(&hash);
    SHA256_Update(&hash, first, first_len);
    SHA256_Update(&hash, second, second_len);
    SHA256_Final(out, &hash);
}
