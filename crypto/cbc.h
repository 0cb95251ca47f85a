// cbc.h: AES-256-CBC with PKCS#7 padding (NIST SP 800-38A, RFC 5652 section 6.3), in place. For the
// mlapi profile only: it hides, and does not protect. Whoever uses it without a MAC says so.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_CBC_H
#define HAIL_CRYPTO_CBC_H

#include "crypto/base.h"

enum {
    HAIL_CBC_KEY_LEN = 32,
    HAIL_CBC_BLOCK = 16
};

// Both key schedules of one key, as BoringSSL lays them out. A secret: wipe it.
struct hail_cbc_key {
    _Alignas(16) uint32_t encrypt[61];
    _Alignas(16) uint32_t decrypt[61];
};

void hail_cbc_key_init(struct hail_cbc_key *key, const uint8_t secret[HAIL_CBC_KEY_LEN]);

// hail_cbc_padded_len is the length of `len` bytes once padded: the next whole block, always
// longer.
static inline size_t hail_cbc_padded_len(size_t len)
{
    return (len / HAIL_CBC_BLOCK + 1) * HAIL_CBC_BLOCK;
}

// hail_cbc_encrypt pads and encrypts `len` bytes in place; `text` has room for the padded length.
// Threads  Any number at once on one key.
// Cost     No allocation.
void hail_cbc_encrypt(const struct hail_cbc_key *key, const uint8_t iv[HAIL_CBC_BLOCK],
                      uint8_t *text, size_t len);

// hail_cbc_decrypt decrypts in place and checks every byte of the padding, in time that does not
// depend on it.
//
// Returns  true, and `*text_len` is the length without padding; or false, and `text` is of no
//          further use. Why it failed is not told.
// Threads  Any number at once on one key.
// Cost     No allocation.
HAIL_MUST_USE bool hail_cbc_decrypt(const struct hail_cbc_key *key,
                                    const uint8_t iv[HAIL_CBC_BLOCK], uint8_t *text, size_t len,
                                    size_t *text_len);

#endif
