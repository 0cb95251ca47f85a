// stretch.h: the loop inside PBKDF2 (RFC 8018, 5.2): each block of output is a chain of HMACs, each
// of the one before, all added up. Chains do not depend on each other, so several can run side by
// side, and with the CPU's SHA instructions two take little longer than one.
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

// hail_stretch_usable says whether this CPU has the instructions that the functions below need.
bool hail_stretch_usable(void);

// hail_stretch_allow is for tests and measurements: whether to use what is usable, from now on and
// for the whole process. Allowed at start.
void hail_stretch_allow(bool allowed);

// hail_stretch_sha1 and hail_stretch_sha256 make `count` chains `steps` HMACs longer.
void hail_stretch_sha1(struct hail_stretch *chains, size_t count, uint32_t steps);
void hail_stretch_sha256(struct hail_stretch *chains, size_t count, uint32_t steps);

#endif
