// aead.c: see aead.h. A key is gcm.h's where that is to be had, and BoringSSL's elsewhere.
// SPDX-License-Identifier: MIT
#include "crypto/aead.h"

#include <openssl/aead.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <string.h>

#include "crypto/gcm.h"
#include "crypto/meter.h"
#include "crypto/secret.h"

// BoringSSL keeps an AES-GCM key in the context itself, without pointers into it, so it can be
// moved.
_Static_assert((int)HAIL_AEAD_TAG_LEN == (int)HAIL_GCM_TAG_LEN, "and its tag");
_Static_assert(sizeof(EVP_AEAD_CTX) <= HAIL_AEAD_STATE_LEN, "a key has room");
_Static_assert(_Alignof(EVP_AEAD_CTX) <= _Alignof(struct hail_aead), "and lies right");

static _Atomic bool forbidden;

void hail_aead_prepare(void)
{
    (void)hail_gcm_usable();
}

void hail_aead_allow(bool gcm)
{
    atomic_store_explicit(&forbidden, !gcm, memory_order_relaxed);
}

static EVP_AEAD_CTX *ctx_of(struct hail_aead *aead)
{
    return (EVP_AEAD_CTX *)(void *)aead->state;
}

bool hail_aead_init(struct hail_aead *aead, const uint8_t key[HAIL_AEAD_KEY_LEN])
{
    memset(aead, 0, sizeof *aead);
    if (hail_gcm_usable() && !atomic_load_explicit(&forbidden, memory_order_relaxed)) {
        hail_gcm_init(aead->state, key);
        aead->is_gcm = true;
        return true;
    }
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

static void seal(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                 const uint8_t *ad, size_t ad_len, uint8_t *text, size_t text_len)
{
    const EVP_AEAD_CTX *ctx = (const EVP_AEAD_CTX *)(const void *)aead->state;
    size_t len = 0;

    if (aead->is_gcm) {
        hail_gcm_seal(aead->state, nonce, ad, ad_len, text, text_len, text + text_len);
        return;
    }
    int sealed = EVP_AEAD_CTX_seal(ctx, text, &len, text_len + HAIL_AEAD_TAG_LEN, nonce,
                                   HAIL_AEAD_NONCE_LEN, text, text_len, ad, ad_len);
    HAIL_ASSERT(sealed);
    HAIL_ASSERT(len == text_len + HAIL_AEAD_TAG_LEN);
}

void hail_aead_seal(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                    const uint8_t *ad, size_t ad_len, uint8_t *text, size_t text_len)
{
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);

    seal(aead, nonce, ad, ad_len, text, text_len);
    hail_meter_leave(before);
}

// What does not open leaves no plaintext behind that nobody has vouched for.
static bool open_gcm(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                     const uint8_t *ad, size_t ad_len, uint8_t *text, size_t text_len)
{
    uint8_t tag[HAIL_AEAD_TAG_LEN];

    hail_gcm_open(aead->state, nonce, ad, ad_len, text, text_len, tag);
    bool genuine = hail_equal(tag, text + text_len, sizeof tag);
    if (!genuine) {
        hail_wipe(tag, sizeof tag); // it is what a forger lacks
        hail_wipe(text, text_len);
    }
    return genuine;
}

static bool open(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                 const uint8_t *ad, size_t ad_len, uint8_t *sealed, size_t sealed_len)
{
    const EVP_AEAD_CTX *ctx = (const EVP_AEAD_CTX *)(const void *)aead->state;
    size_t len = 0;

    if (aead->is_gcm)
        return open_gcm(aead, nonce, ad, ad_len, sealed, sealed_len - HAIL_AEAD_TAG_LEN);
    if (!EVP_AEAD_CTX_open(ctx, sealed, &len, sealed_len, nonce, HAIL_AEAD_NONCE_LEN, sealed,
                           sealed_len, ad, ad_len)) {
        // A forged packet is no error of ours: leave nothing for the next caller to find.
        ERR_clear_error();
        return false;
    }
    HAIL_ASSERT(len == sealed_len - HAIL_AEAD_TAG_LEN);
    return true;
}

bool hail_aead_open(const struct hail_aead *aead, const uint8_t nonce[HAIL_AEAD_NONCE_LEN],
                    const uint8_t *ad, size_t ad_len, uint8_t *sealed, size_t sealed_len)
{
    if (sealed_len < HAIL_AEAD_TAG_LEN)
        return false;
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    bool opened = open(aead, nonce, ad, ad_len, sealed, sealed_len);
    hail_meter_leave(before);
    return opened;
}
