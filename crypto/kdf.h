// kdf.h: keys from secrets: PBKDF2 (RFC 8018) and HKDF (RFC 5869).
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_KDF_H
#define HAIL_CRYPTO_KDF_H

#include "crypto/base.h"

// hail_pbkdf2_sha1 and hail_pbkdf2_sha256 stretch `password` into `out_len` bytes with HMAC-SHA1 or
// HMAC-SHA256. `iterations` is at least 1. They fail only when memory for the hash is not to be
// had.
HAIL_MUST_USE bool hail_pbkdf2_sha1(uint8_t *out, size_t out_len, struct hail_bytes password,
                                    struct hail_bytes salt, uint32_t iterations);
HAIL_MUST_USE bool hail_pbkdf2_sha256(uint8_t *out, size_t out_len, struct hail_bytes password,
                                      struct hail_bytes salt, uint32_t iterations);

enum {
    HAIL_PBKDF2_BATCH_MAX = 16,
    HAIL_PBKDF2_BLOCK = 32 // bytes of output: one block of SHA-256, or two of SHA-1
};

// One of several secrets that are stretched side by side.
struct hail_pbkdf2_job {
    struct hail_bytes password;
    struct hail_bytes salt;
    uint8_t out[HAIL_PBKDF2_BLOCK];
};

// hail_pbkdf2_sha1_batch and hail_pbkdf2_sha256_batch do what hail_pbkdf2_sha1 and
// hail_pbkdf2_sha256 do for each of up to HAIL_PBKDF2_BATCH_MAX jobs, in less time for two than for
// one and another. They fail as those do, and then for all.
HAIL_MUST_USE bool hail_pbkdf2_sha1_batch(struct hail_pbkdf2_job *jobs, size_t count,
                                          uint32_t iterations);
HAIL_MUST_USE bool hail_pbkdf2_sha256_batch(struct hail_pbkdf2_job *jobs, size_t count,
                                            uint32_t iterations);

// hail_hkdf_sha256 extracts and expands (RFC 5869). Fails when `out_len` is above 255 * 32.
// Cost     No allocation: peers change their keys on the packet path.
HAIL_MUST_USE bool hail_hkdf_sha256(uint8_t *out, size_t out_len, struct hail_bytes secret,
                                    struct hail_bytes salt, struct hail_bytes info);

// hail_hkdf_expand_sha256 is the second half alone (RFC 5869, section 2.3): `prk` is a key already.
HAIL_MUST_USE bool hail_hkdf_expand_sha256(uint8_t *out, size_t out_len, struct hail_bytes prk,
                                           struct hail_bytes info);

#endif
