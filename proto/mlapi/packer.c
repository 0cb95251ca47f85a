// packer.c: see packer.h.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/packer.h"

#include <string.h>

#include "crypto/secret.h"

enum {
    TYPE_INVALID = 32
};

void hail_mlapi_keys_init(struct hail_mlapi_keys *keys, const uint8_t key[32])
{
    hail_mac_key_init(&keys->mac, key, 32);
    hail_cbc_key_init(&keys->cbc, key);
}

// Where what is encrypted, or the type when nothing is, begins; not for messages in the clear.
static size_t inner_offset(uint32_t flags)
{
    return 1u + (flags & HAIL_FLAG_AUTHENTICATED ? HAIL_MAC_LEN : 0u) +
           (flags & HAIL_FLAG_ENCRYPTED ? HAIL_CBC_BLOCK : 0u);
}

size_t hail_mlapi_body_offset(uint32_t flags)
{
    return flags == 0 ? 1 : inner_offset(flags) + 1; // the type lies in front of the body
}

size_t hail_mlapi_wrapped_len(uint32_t flags, size_t body_len)
{
    if (flags == 0)
        return 1 + body_len;
    if (flags & HAIL_FLAG_ENCRYPTED)
        return inner_offset(flags) + hail_cbc_padded_len(1 + body_len);
    return inner_offset(flags) + 1 + body_len;
}

size_t hail_mlapi_wrap(uint8_t *buffer, size_t body_len, uint8_t type, uint32_t flags,
                       const struct hail_mlapi_keys *keys, const uint8_t *iv)
{
    size_t len = hail_mlapi_wrapped_len(flags, body_len);
    size_t inner = inner_offset(flags);

    HAIL_ASSERT(flags <= HAIL_FLAGS_BOTH);
    if (flags == 0) {
        HAIL_ASSERT(type <= HAIL_MLAPI_TYPE_CLEAR_MAX);
        buffer[0] = (uint8_t)(type << 2);
        return len;
    }
    HAIL_ASSERT(keys);
    buffer[0] = (uint8_t)flags;
    buffer[inner] = type;
    if (flags & HAIL_FLAG_ENCRYPTED) {
        memcpy(buffer + inner - HAIL_CBC_BLOCK, iv, HAIL_CBC_BLOCK);
        hail_cbc_encrypt(&keys->cbc, iv, buffer + inner, 1 + body_len);
    }
    if (flags & HAIL_FLAG_AUTHENTICATED) {
        memset(buffer + 1, 0, HAIL_MAC_LEN); // the HMAC is over itself as zeroes
        hail_mac_sha256(&keys->mac, buffer + 1, buffer, len);
    }
    return len;
}

static bool mac_ok(uint8_t *buffer, size_t len, const struct hail_mlapi_keys *keys)
{
    uint8_t claimed[HAIL_MAC_LEN];
    uint8_t actual[HAIL_MAC_LEN];

    memcpy(claimed, buffer + 1, sizeof claimed);
    memset(buffer + 1, 0, sizeof claimed);
    hail_mac_sha256(&keys->mac, actual, buffer, len);
    return hail_equal(claimed, actual, sizeof actual);
}

enum hail_verdict hail_mlapi_unwrap(struct hail_mlapi_packet *out, uint8_t *buffer, size_t len,
                                    const struct hail_mlapi_keys *keys)
{
    if (len == 0)
        return HAIL_DROP_SHORT;
    uint32_t flags = buffer[0] & HAIL_FLAGS_BOTH;
    size_t body = hail_mlapi_body_offset(flags);
    size_t inner_len = len - (body - 1);
    uint8_t type = buffer[0] >> 2;

    if (flags != 0) {
        if (len < body)
            return HAIL_DROP_SHORT;
        if (!keys)
            return HAIL_DROP_NO_KEY;
        if ((flags & HAIL_FLAG_AUTHENTICATED) && !mac_ok(buffer, len, keys))
            return HAIL_DROP_FORGED;
        if ((flags & HAIL_FLAG_ENCRYPTED) &&
            (!hail_cbc_decrypt(&keys->cbc, buffer + body - 1 - HAIL_CBC_BLOCK, buffer + body - 1,
                               inner_len, &inner_len) ||
             inner_len == 0))
            return HAIL_DROP_PADDING;
        type = buffer[body - 1];
    }
    if (type == TYPE_INVALID)
        return HAIL_DROP_TYPE;
    *out = (struct hail_mlapi_packet){
        .type = type,
        .flags = flags,
        .body = buffer + body,
        .body_len = flags == 0 ? len - 1 : inner_len - 1,
    };
    return HAIL_ACCEPT;
}
