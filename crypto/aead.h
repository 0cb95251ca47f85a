// aead.h: AES-256-GCM (NIST SP 800-38D), one message at a time, in place.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_AEAD_H
#define HAIL_CRYPTO_AEAD_H

#include "crypto/base.h"

enum {
    HAIL_AEAD_KEY_LEN = 32,
    HAIL_AEAD_NONCE_LEN = 12,
    HAIL_AEAD_TAG_LEN = 16,
#ifdef HAIL_GCM_KEY_LEN // intel-ipsec-mb's, which is the larger of two
    HAIL_AEAD_STATE_LEN = HAIL_GCM_KEY_LEN
#else
    HAIL_AEAD_STATE_LEN = 640 // BoringSSL's; asserted in aead.c
#endif
};

// One key, ready to use. A secret: hail_aead_cleanup. It may be copied.
struct hail_aead {
    _Alignas(16) uint8_t state[HAIL_AEAD_STATE_LEN];
    bool is_gcm; // it is gcm.h's, not BoringSSL's
};

// hail_aead_prepare finds out what the CPU has, which takes half a millisecond and the memory of a
// library's self-test: at start rather than with the first key. It may be left out.
void hail_aead_prepare(void);

// hail_aead_allow is for tests and measurements: whether keys that are made from now on, in the
// whole process, may be gcm.h's. Allowed at start.
void hail_aead_allow(bool gcm);

// hail_aead_init expands a key. Fails only when BoringSSL has no memory.
HAIL_MUST_USE bool hail_aead_init(struct hail_aead *aead, const uint8_t key[HAIL_AEAD_KEY_LEN]);

// hail_aead_cleanup wipes; the zero state is allowed.
void hail_aead_cleanup(struct hail_aead *aead);

// hail_aead_seal encrypts `text_len` bytes at `text` in place and writes the tag behind them: the
// buffer has HAIL_AEAD_TAG_LEN bytes more. A nonce is used once under a key, ever.
// Threads  Any number at once on one key.
// Cost     No allocation.
void hail_aead_seal(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                    const uint8_t *ad, size_t ad_len, uint8_t *text, size_t text_len);

// hail_aead_open checks and decrypts `sealed_len` bytes of ciphertext and tag in place.
//
// Returns  true, and the first `sealed_len - HAIL_AEAD_TAG_LEN` bytes are plaintext; or false, and
//          the buffer is of no further use. Why it failed is not told, so no caller can leak it.
HAIL_MUST_USE bool hail_aead_open(const struct hail_aead *aead,
                                  const uint8_t nonce[HAIL_AEAD_NONCE_LEN], const uint8_t *ad,
                                  size_t ad_len, uint8_t *sealed, size_t sealed_len);

#endif
