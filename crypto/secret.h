// secret.h: what is done to every secret: wiped when it is over, compared without telling how far.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_SECRET_H
#define HAIL_CRYPTO_SECRET_H

#include "crypto/base.h"

// hail_wipe overwrites `len` bytes in a way the compiler may not leave out.
void hail_wipe(void *secret, size_t len);

// hail_equal says whether two strings of `len` bytes are the same, in time that depends on `len`
// alone.
HAIL_MUST_USE bool hail_equal(const void *a, const void *b, size_t len);

#endif
