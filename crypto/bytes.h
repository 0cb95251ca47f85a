// bytes.h: whole numbers in the order of the network, the highest byte first.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_BYTES_H
#define HAIL_CRYPTO_BYTES_H

#include <stddef.h>
#include <stdint.h>

// hail_put_be writes the `len` low bytes of a number.
static inline void hail_put_be(uint8_t *out, uint64_t value, size_t len)
{
    for (size_t i = len; i > 0; i--, value >>= 8)
        out[i - 1] = (uint8_t)value;
}

// hail_get_be reads a number of `len` bytes, eight at the most.
static inline uint64_t hail_get_be(const uint8_t *in, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | in[i];
    return value;
}

#endif
