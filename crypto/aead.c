// aead.c: see aead.h.
// SPDX-License-Identifier: MIT
#include "crypto/aead.h"

#include <openssl/aead.h>
#include <openssl/err.h>
#include <string.h>

#include "crypto/meter.h"
#include "crypto/secret.h"

// BoringSSL keeps an AES-GCM key in the context itself, without pointers into it, so it can be
// moved.
_Static_assert(sizeof(EVP_AEAD_CTX) <= HAIL_AEAD_STATE_LEN, "a key has room");
_Static_assert(_Alignof(EVP_AEAD_CTX) <= _Alignof(struct hail_aead), "and lies right");

static EVP_AEAD_CTX *ctx_of(struct hail_aead *aead)
{
    return (EVP_AEAD_CTX *)(void *)aead->state;
}

bool hail_aead_init(struct hail_aead *aead, const uint8_t key[HAIL_AEAD_KEY_LEN])
{
    memset(aead, 0, sizeof *aead);
    if (EVP_AEAD_CTX_init(ctx_of(aead), EVP_aead_aes_256_gcm(), key, HAIL_AEAD_KEY_LEN,
                          HAIL_AEAD_TAG_LEN, NULL))
        return true;
    ERR_clear_error();
    return false;
}

void hail_aead_cleanup(struct hail_aead *aead)
{
    hail_wipe(aead, sizeof *aead);
}

void hail_aead_seal(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                    const uint8_t *ad, size_t ad_len, uint8_t *text, size_t text_len)
{
    const EVP_AEAD_CTX *ctx = (const EVP_AEAD_CTX *)(const void *)aead->state;
    size_t len = 0;
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    int sealed = EVP_AEAD_CTX_seal(ctx, text, &len, text_len + HAIL_AEAD_TAG_LEN, nonce,
                                   HAIL_AEAD_NONCE_LEN, text, text_len, ad, ad_len);

    hail_meter_leave(before);
    HAIL_ASSERT(sealed);
    HAIL_ASSERT(len == text_len + HAIL_AEAD_TAG_LEN);
}

bool hail_aead_open(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                    const uint8_t *ad, size_t ad_len, uint8_t *sealed, size_t sealed_len)
{
    const EVP_AEAD_CTX *ctx = (const EVP_AEAD_CTX *)(const void *)aead->state;
    size_t len = 0;

    if (sealed_len < HAIL_AEAD_TAG_LEN)
        return false;
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    int opened = EVP_AEAD_CTX_open(ctx, sealed, &len, sealed_len, nonce, HAIL_AEAD_NONCE_LEN,
                                   sealed, sealed_len, ad, ad_len);
    hail_meter_leave(before);
    if (!opened) {
        // A forged packet is no error of ours: leave nothing for the next caller to find.
        ERR_clear_error();
        return false;
    }
    HAIL_ASSERT(len == sealed_len - HAIL_AEAD_TAG_LEN);
    return true;
}
