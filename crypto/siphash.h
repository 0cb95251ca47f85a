// siphash.h: SipHash-2-4, for tables whose keys strangers choose.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_SIPHASH_H
#define HAIL_CRYPTO_SIPHASH_H

#include "crypto/base.h"

// hail_siphash hashes `len` bytes under a secret key.
uint64_t hail_siphash(const uint64_t key[2], const uint8_t *data, size_t len);

#endif
