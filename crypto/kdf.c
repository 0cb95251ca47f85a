// kdf.c: see kdf.h.
// SPDX-License-Identifier: MIT
#include "crypto/kdf.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hkdf.h>

static bool pbkdf2(const EVP_MD *hash, uint8_t *out, size_t out_len, struct hail_bytes password,
                   struct hail_bytes salt, uint32_t iterations)
{
    HAIL_ASSERT(iterations > 0);
    if (PKCS5_PBKDF2_HMAC((const char *)password.data, password.len, salt.data, salt.len,
                          iterations, hash, out_len, out))
        return true;
    ERR_clear_error();
    return false;
}

bool hail_pbkdf2_sha1(uint8_t *out, size_t out_len, struct hail_bytes password,
                      struct hail_bytes salt, uint32_t iterations)
{
    return pbkdf2(EVP_sha1(), out, out_len, password, salt, iterations);
}

bool hail_pbkdf2_sha256(uint8_t *out, size_t out_len, struct hail_bytes password,
                        struct hail_bytes salt, uint32_t iterations)
{
    return pbkdf2(EVP_sha256(), out, out_len, password, salt, iterations);
}

bool hail_hkdf_sha256(uint8_t *out, size_t out_len, struct hail_bytes secret,
                      struct hail_bytes salt, struct hail_bytes info)
{
    if (HKDF(out, out_len, EVP_sha256(), secret.data, secret.len, salt.data, salt.len, info.data,
             info.len))
        return true;
    ERR_clear_error(); // too much was asked for
    return false;
}
