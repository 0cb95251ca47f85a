// permutation.h: a secret permutation of 24-bit numbers: who sees some of what it makes cannot
// count on from there. It hides an order from those who guess; it is no cipher.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_PERMUTATION_H
#define HAIL_PROTO_PERMUTATION_H

#include "crypto/random.h"

enum {
    HAIL_PERMUTATION_BITS = 24,
    HAIL_PERMUTATION_ROUNDS = 4
};

struct hail_permutation {
    uint64_t keys[HAIL_PERMUTATION_ROUNDS];
};

void hail_permutation_init(struct hail_permutation *permutation, struct hail_random *random);

// hail_permutation_of returns what stands for a number of HAIL_PERMUTATION_BITS bits;
// hail_permutation_back what it stands for.
uint32_t hail_permutation_of(const struct hail_permutation *permutation, uint32_t number);
uint32_t hail_permutation_back(const struct hail_permutation *permutation, uint32_t number);

#endif
