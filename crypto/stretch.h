// stretch.h: the loop inside PBKDF2 (RFC 8018, 5.2): each block of output is a chain of HMACs, each
// of the one before, all added up. Chains do not depend on each other, so several can run side by
// side: with the CPU's SHA instructions two take little longer than one, and vector registers have
// room for sixteen (lanes.h).
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_STRETCH_H
#define HAIL_CRYPTO_STRETCH_H

#include "crypto/base.h"

enum {
    HAIL_STRETCH_WORDS = 8 // of a SHA-256 state; SHA-1 uses the first 5
};

// One block of output. Words are in the machine's order.
struct hail_stretch {
    uint32_t inner[HAIL_STRETCH_WORDS]; // the hash's state after the password and ipad
    uint32_t outer[HAIL_STRETCH_WORDS]; // and after the password and opad
    uint32_t value[HAIL_STRETCH_WORDS]; // the last HMAC; at first, that of salt and block number
    uint32_t sum[HAIL_STRETCH_WORDS];   // of all of them
};

// hail_sha256_constants are K of FIPS 180-4, section 4.2.2.
extern const uint32_t hail_sha256_constants[64];

// Ways to make chains longer; which of them are taken depends on the CPU and on how many there are.
enum {
    HAIL_STRETCH_SHA = 1u << 0,    // SHA instructions: two chains side by side
    HAIL_STRETCH_AVX512 = 1u << 1, // sixteen in the lanes of a register
    HAIL_STRETCH_AVX2 = 1u << 2    // in those of two
};

// hail_stretch_usable says whether `count` chains are better made longer by the functions below
// than one by one by somebody else, and may be.
bool hail_stretch_usable(size_t count);

// hail_stretch_ways returns the ways that this CPU has. hail_stretch_allow is for tests and
// measurements: which of them to use, from now on and for the whole process. All are allowed at
// start.
unsigned hail_stretch_ways(void);
void hail_stretch_allow(unsigned ways);

// hail_stretch_sha1 and hail_stretch_sha256 make `count` chains `steps` HMACs longer. It is usable
// for so many.
void hail_stretch_sha1(struct hail_stretch *chains, size_t count, uint32_t steps);
void hail_stretch_sha256(struct hail_stretch *chains, size_t count, uint32_t steps);

#endif
