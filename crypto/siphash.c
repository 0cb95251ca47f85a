// siphash.c: see siphash.h.
// SPDX-License-Identifier: MIT
#include "crypto/siphash.h"

#include <openssl/siphash.h>

uint64_t hail_siphash(const uint64_t key[2], const uint8_t *data, size_t len)
{
    return SIPHASH_24(key, data, len);
}
