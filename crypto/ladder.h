// ladder.h: eight X25519 (RFC 7748) at once, one in each lane of vector registers with AVX-512
// IFMA: they take little longer than one and a half in BoringSSL. As there, what is done depends on
// no secret.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_LADDER_H
#define HAIL_CRYPTO_LADDER_H

#include "crypto/base.h"

enum {
    HAIL_LADDERS = 8,
    HAIL_LADDER_LEN = 32
};

// hail_ladder_usable says whether this CPU and system have the instructions.
bool hail_ladder_usable(void);

// hail_ladder_run multiplies each point, by its u-coordinate, with its scalar, which is clamped
// here. `out` may be any value for points of low order, 0 among them: RFC 7748, section 6.1. It is
// usable.
void hail_ladder_run(uint8_t out[HAIL_LADDERS][HAIL_LADDER_LEN],
                     uint8_t scalars[HAIL_LADDERS][HAIL_LADDER_LEN],
                     uint8_t points[HAIL_LADDERS][HAIL_LADDER_LEN]);

#endif
