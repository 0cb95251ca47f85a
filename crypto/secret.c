// secret.c: see secret.h.
// SPDX-License-Identifier: MIT
#include "crypto/secret.h"

#include <openssl/mem.h>

void hail_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}

bool hail_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
