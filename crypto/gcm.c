// gcm.c: see gcm.h. The library's functions for one message need its manager only to be found by.
// SPDX-License-Identifier: MIT
#include "crypto/gcm.h"

#ifdef HAIL_HAS_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <pthread.h>

#include "crypto/aead.h"
#include "crypto/secret.h"

_Static_assert(sizeof(struct gcm_key_data) <= HAIL_AEAD_STATE_LEN, "a key has room");
_Static_assert(_Alignof(struct gcm_key_data) <= 16, "and lies right");

// The functions for this CPU, constant once they have been looked up.
static struct {
    bool usable;
    aes_gcm_pre_t init;
    aes_gcm_enc_dec_t seal;
    aes_gcm_enc_dec_t open;
} gcm;
static pthread_once_t looked_up = PTHREAD_ONCE_INIT;

static void look_up(void)
{
    IMB_MGR *manager = alloc_mb_mgr(0);
    IMB_ARCH arch;

    if (!manager)
        return;
    if ((manager->features & IMB_CPUFLAGS_SSE) == IMB_CPUFLAGS_SSE) {
        init_mb_mgr_auto(manager, &arch);
        gcm.usable = imb_get_errno(manager) == 0 && arch != IMB_ARCH_NONE;
        gcm.init = manager->gcm256_pre;
        gcm.seal = manager->gcm256_enc;
        gcm.open = manager->gcm256_dec;
    }
    free_mb_mgr(manager);
}

bool hail_gcm_usable(void)
{
    pthread_once(&looked_up, look_up);
    return gcm.usable;
}

static const struct gcm_key_data *key_of(const uint8_t *state)
{
    return (const struct gcm_key_data *)(const void *)state;
}

void hail_gcm_init(uint8_t *state, const uint8_t *key)
{
    gcm.init(key, (struct gcm_key_data *)(void *)state);
}

void hail_gcm_seal(const uint8_t *state, const uint8_t *nonce, const uint8_t *ad, size_t ad_len,
                   uint8_t *text, size_t text_len, uint8_t tag[HAIL_GCM_TAG_LEN])
{
    struct gcm_context_data context;

    gcm.seal(key_of(state), &context, text, text, text_len, nonce, ad, ad_len, tag,
             HAIL_GCM_TAG_LEN);
    hail_wipe(&context, sizeof context);
}

void hail_gcm_open(const uint8_t *state, const uint8_t *nonce, const uint8_t *ad, size_t ad_len,
                   uint8_t *text, size_t text_len, uint8_t tag[HAIL_GCM_TAG_LEN])
{
    struct gcm_context_data context;

    gcm.open(key_of(state), &context, text, text, text_len, nonce, ad, ad_len, tag,
             HAIL_GCM_TAG_LEN);
    hail_wipe(&context, sizeof context);
}

#else

bool hail_gcm_usable(void)
{
    return false;
}

void hail_gcm_init(uint8_t *state, const uint8_t *key)
{
    (void)state, (void)key;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

void hail_gcm_seal(const uint8_t *state, const uint8_t *nonce, const uint8_t *ad, size_t ad_len,
                   uint8_t *text, size_t text_len, uint8_t tag[HAIL_GCM_TAG_LEN])
{
    (void)state, (void)nonce, (void)ad, (void)ad_len, (void)text, (void)text_len, (void)tag;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

void hail_gcm_open(const uint8_t *state, const uint8_t *nonce, const uint8_t *ad, size_t ad_len,
                   uint8_t *text, size_t text_len, uint8_t tag[HAIL_GCM_TAG_LEN])
{
    (void)state, (void)nonce, (void)ad, (void)ad_len, (void)text, (void)text_len, (void)tag;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

#endif
