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

size_t hail_mlapi_prepare(const struct hail_mlapi_bare *message, uint8_t type, const uint8_t *iv)
{
    uint8_t *buffer = message->buffer;
    size_t inner = inner_offset(message->flags);

    HAIL_ASSERT(message->flags <= HAIL_FLAGS_BOTH);
    HAIL_ASSERT(message->flags == 0 || message->keys);
    if (message->flags == 0) {
        HAIL_ASSERT(type <= HAIL_MLAPI_TYPE_CLEAR_MAX);
        buffer[0] = (uint8_t)(type << 2);
    } else {
        buffer[0] = (uint8_t)message->flags;
        buffer[inner] = type;
        if (message->flags & HAIL_FLAG_ENCRYPTED)
            memcpy(buffer + inner - HAIL_CBC_BLOCK, iv, HAIL_CBC_BLOCK);
        if (message->flags & HAIL_FLAG_AUTHENTICATED)
            memset(buffer + 1, 0, HAIL_MAC_LEN); // the HMAC is over itself as zeroes
    }
    return hail_mlapi_wrapped_len(message->flags, message->body_len);
}

void hail_mlapi_protect(struct hail_batch *batch, const struct hail_mlapi_bare *messages,
                        size_t count)
{
    struct hail_cbc_job cbcs[HAIL_BATCH_MAX];
    struct hail_mac_job macs[HAIL_BATCH_MAX];
    size_t cbc_count = 0;
    size_t mac_count = 0;

    HAIL_ASSERT(count <= HAIL_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct hail_mlapi_bare *message = &messages[i];
        uint8_t *buffer = message->buffer;
        uint8_t *inner = buffer + inner_offset(message->flags);
        if (message->flags & HAIL_FLAG_ENCRYPTED)
            cbcs[cbc_count++] = (struct hail_cbc_job){&message->keys->cbc, inner - HAIL_CBC_BLOCK,
                                                      inner, 1 + message->body_len};
        if (message->flags & HAIL_FLAG_AUTHENTICATED)
            macs[mac_count++] =
                (struct hail_mac_job){&message->keys->mac, buffer + 1, buffer,
                                      hail_mlapi_wrapped_len(message->flags, message->body_len)};
    }
    hail_cbc_encrypt_batch(batch, cbcs, cbc_count);
    hail_mac_batch(batch, macs, mac_count); // of what is encrypted by now
}

size_t hail_mlapi_wrap(uint8_t *buffer, size_t body_len, uint8_t type, uint32_t flags,
                       const struct hail_mlapi_keys *keys, const uint8_t *iv)
{
    const struct hail_mlapi_bare message = {buffer, body_len, flags, keys};
    size_t len = hail_mlapi_prepare(&message, type, iv);

    hail_mlapi_protect(NULL, &message, 1);
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
