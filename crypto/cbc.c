// cbc.c: see cbc.h.
// SPDX-License-Identifier: MIT
#include "crypto/cbc.h"

#include <openssl/aes.h>
#include <string.h>

#include "crypto/meter.h"
#include "crypto/secret.h"

_Static_assert(sizeof(AES_KEY) == sizeof((struct hail_cbc_key){0}.encrypt), "BoringSSL's schedule");
_Static_assert(_Alignof(AES_KEY) <= 16, "BoringSSL's schedule");

static const AES_KEY *schedule(const uint32_t *words)
{
    return (const AES_KEY *)(const void *)words;
}

void hail_cbc_key_init(struct hail_cbc_key *key, const uint8_t secret[HAIL_CBC_KEY_LEN])
{
    AES_set_encrypt_key(secret, 8 * HAIL_CBC_KEY_LEN, (AES_KEY *)(void *)key->encrypt);
    AES_set_decrypt_key(secret, 8 * HAIL_CBC_KEY_LEN, (AES_KEY *)(void *)key->decrypt);
}

void hail_cbc_encrypt(const struct hail_cbc_key *key, const uint8_t iv[HAIL_CBC_BLOCK],
                      uint8_t *text, size_t len)
{
    size_t padded_len = hail_cbc_padded_len(len);
    uint8_t chain[HAIL_CBC_BLOCK];

    memset(text + len, (int)(padded_len - len), padded_len - len);
    memcpy(chain, iv, sizeof chain); // it is written to
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    AES_cbc_encrypt(text, text, padded_len, schedule(key->encrypt), chain, AES_ENCRYPT);
    hail_meter_leave(before);
}

// All ones if a < b, else zero, for values below 256.
static uint32_t less_mask(uint32_t a, uint32_t b)
{
    return 0u - ((a - b) >> 31);
}

// Whether the last block ends in right padding, by touching every byte of it the same way.
static bool padding_ok(const uint8_t last[HAIL_CBC_BLOCK])
{
    uint32_t count = last[HAIL_CBC_BLOCK - 1];
    uint32_t wrong = less_mask(count, 1) | less_mask(HAIL_CBC_BLOCK, count);

    for (uint32_t i = 0; i < HAIL_CBC_BLOCK; i++) {
        uint32_t in_padding = less_mask(i, count); // counted from the end
        wrong |= in_padding & (last[HAIL_CBC_BLOCK - 1 - i] ^ count);
    }
    return wrong == 0;
}

bool hail_cbc_decrypt(const struct hail_cbc_key *key, const uint8_t iv[HAIL_CBC_BLOCK],
                      uint8_t *text, size_t len, size_t *text_len)
{
    uint8_t chain[HAIL_CBC_BLOCK];

    if (len == 0 || len % HAIL_CBC_BLOCK != 0)
        return false;
    memcpy(chain, iv, sizeof chain); // it is written to
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    AES_cbc_encrypt(text, text, len, schedule(key->decrypt), chain, AES_DECRYPT);
    hail_meter_leave(before);
    if (!padding_ok(text + len - HAIL_CBC_BLOCK))
        return false;
    *text_len = len - text[len - 1];
    return true;
}
