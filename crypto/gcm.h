// gcm.h: AES-256-GCM by intel-ipsec-mb, which takes a third of BoringSSL's time for a short message
// and less for a long one. What aead.h chooses where the CPU has AES instructions.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_GCM_H
#define HAIL_CRYPTO_GCM_H

#include "crypto/base.h"

enum {
    HAIL_GCM_TAG_LEN = 16
};

// hail_gcm_usable says whether this build, CPU and system have it. The functions below need it.
// Threads  Any.
bool hail_gcm_usable(void);

// hail_gcm_init expands a key of 32 bytes into `state`: HAIL_AEAD_STATE_LEN bytes, 16 aligned.
void hail_gcm_init(uint8_t *state, const uint8_t *key);

// hail_gcm_seal encrypts in place and writes the tag of ciphertext and `ad`. hail_gcm_open decrypts
// in place and writes the tag that there should be: whether it is there is the caller's to check.
// The nonce has 12 bytes.
void hail_gcm_seal(const uint8_t *state, const uint8_t *nonce, const uint8_t *ad, size_t ad_len,
                   uint8_t *text, size_t text_len, uint8_t tag[HAIL_GCM_TAG_LEN]);
void hail_gcm_open(const uint8_t *state, const uint8_t *nonce, const uint8_t *ad, size_t ad_len,
                   uint8_t *text, size_t text_len, uint8_t tag[HAIL_GCM_TAG_LEN]);

#endif
