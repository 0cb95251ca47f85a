// lanes.h: sixteen chains of stretch.h at once, one in each lane of vector registers: what many
// chains take the least time with where the CPU has AVX-512.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_LANES_H
#define HAIL_CRYPTO_LANES_H

#include "crypto/stretch.h"

enum {
    HAIL_LANES = 16
};

// What the CPU has; each is enough for the functions below.
enum hail_lanes_kind {
    HAIL_LANES_NONE,
    HAIL_LANES_AVX2,  // two registers for the sixteen
    HAIL_LANES_AVX512 // one
};

// hail_lanes_kind_of_cpu returns the best that this CPU and system have.
enum hail_lanes_kind hail_lanes_kind_of_cpu(void);

// hail_lanes_sha1 and hail_lanes_sha256 make HAIL_LANES chains `steps` HMACs longer. `kind` is not
// HAIL_LANES_NONE, and no more than the CPU has.
void hail_lanes_sha1(struct hail_stretch chains[HAIL_LANES], uint32_t steps,
                     enum hail_lanes_kind kind);
void hail_lanes_sha256(struct hail_stretch chains[HAIL_LANES], uint32_t steps,
                       enum hail_lanes_kind kind);

#endif
