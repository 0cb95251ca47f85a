// traffic.c: see traffic.h.
// SPDX-License-Identifier: MIT
#include "proto/traffic.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/kdf.h"
#include "crypto/secret.h"

enum {
    MAC_KEY_LEN = 32,
    PURPOSE_LEN_MAX = 5, // "token"
    // "hail 1 ", direction, " ", purpose, epoch
    INFO_LEN_MAX = 7 + 3 + 1 + PURPOSE_LEN_MAX + 4
};

static bool derive(uint8_t *out, size_t out_len, const uint8_t stretched[HAIL_STRETCHED_LEN],
                   enum hail_direction direction, const char *purpose, uint32_t epoch)
{
    const struct hail_bytes prk = {stretched, HAIL_STRETCHED_LEN};
    size_t purpose_len = strlen(purpose);
    uint8_t info[INFO_LEN_MAX];
    uint8_t *at = info;

    HAIL_ASSERT(purpose_len <= PURPOSE_LEN_MAX);
    memcpy(at, direction == HAIL_TO_SERVER ? "hail 1 c2s " : "hail 1 s2c ", 11);
    at += 11;
    memcpy(at, purpose, purpose_len);
    at += purpose_len;
    hail_put_be(at, epoch, 4);
    at += 4;
    return hail_hkdf_expand_sha256(out, out_len, prk,
                                   (struct hail_bytes){info, (size_t)(at - info)});
}

bool hail_traffic_derive(struct hail_traffic_keys *keys,
                         const uint8_t stretched[HAIL_STRETCHED_LEN], enum hail_direction direction,
                         uint32_t epoch)
{
    uint8_t key[HAIL_AEAD_KEY_LEN];
    uint8_t mac[MAC_KEY_LEN];

    memset(keys, 0, sizeof *keys);
    keys->epoch = epoch;
    bool good = derive(key, sizeof key, stretched, direction, "key", epoch) &&
                derive(mac, sizeof mac, stretched, direction, "mac", epoch) &&
                derive(keys->iv, sizeof keys->iv, stretched, direction, "iv", epoch) &&
                derive(keys->token, sizeof keys->token, stretched, direction, "token", 0) &&
                hail_aead_init(&keys->aead, key);
    if (good)
        hail_mac_key_init(&keys->mac, mac, sizeof mac);
    else
        hail_traffic_cleanup(keys);
    hail_wipe(key, sizeof key);
    hail_wipe(mac, sizeof mac);
    return good;
}

void hail_traffic_cleanup(struct hail_traffic_keys *keys)
{
    hail_aead_cleanup(&keys->aead);
    hail_wipe(keys, sizeof *keys);
}
