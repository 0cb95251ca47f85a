// varint.c: see varint.h.
// SPDX-License-Identifier: MIT
#include "proto/varint.h"

#include "crypto/bytes.h"

// The two top bits of the first byte are the power of two that is the length.
static unsigned length_bits(uint64_t value)
{
    return value < 1u << 6 ? 0 : value < 1u << 14 ? 1 : value < 1u << 30 ? 2 : 3;
}

size_t hail_varint_len(uint64_t value)
{
    HAIL_ASSERT(value <= HAIL_VARINT_MAX);
    return (size_t)1 << length_bits(value);
}

size_t hail_varint_write(uint8_t *out, uint64_t value)
{
    size_t len = hail_varint_len(value);

    hail_put_be(out, value, len);
    out[0] |= (uint8_t)(length_bits(value) << 6);
    return len;
}

size_t hail_varint_read(uint64_t *value, const uint8_t *in, size_t len)
{
    if (len == 0)
        return 0;
    size_t own_len = (size_t)1 << (in[0] >> 6);
    uint64_t read = in[0] & 0x3f;

    if (own_len > len)
        return 0;
    for (size_t i = 1; i < own_len; i++)
        read = read << 8 | in[i];
    if (hail_varint_len(read) != own_len)
        return 0;
    *value = read;
    return own_len;
}
