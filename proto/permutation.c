// permutation.c: see permutation.h. A Feistel network of two halves (Luby and Rackoff, 1988), whose
// functions are multiplications by secret numbers: a few nanoseconds for each datagram.
// SPDX-License-Identifier: MIT
#include "proto/permutation.h"

enum {
    HALF_BITS = HAIL_PERMUTATION_BITS / 2,
    HALF_MASK = (1 << HALF_BITS) - 1
};

static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);

void hail_permutation_init(struct hail_permutation *permutation, struct hail_random *random)
{
    hail_random_bytes(random, permutation->keys, sizeof permutation->keys);
}

// What one half is changed by, for a key and the other half.
static uint32_t mix(uint64_t key, uint32_t half)
{
    uint64_t mixed = (half ^ key) * golden;

    mixed ^= mixed >> 32;
    mixed *= key | 1;
    return (uint32_t)(mixed >> (64 - HALF_BITS));
}

uint32_t hail_permutation_of(const struct hail_permutation *permutation, uint32_t number)
{
    uint32_t left = number >> HALF_BITS;
    uint32_t right = number & HALF_MASK;

    HAIL_ASSERT(left <= HALF_MASK);
    for (int i = 0; i < HAIL_PERMUTATION_ROUNDS; i += 2) {
        left ^= mix(permutation->keys[i], right);
        right ^= mix(permutation->keys[i + 1], left);
    }
    return left << HALF_BITS | right;
}

uint32_t hail_permutation_back(const struct hail_permutation *permutation, uint32_t number)
{
    uint32_t left = number >> HALF_BITS;
    uint32_t right = number & HALF_MASK;

    HAIL_ASSERT(left <= HALF_MASK);
    for (int i = HAIL_PERMUTATION_ROUNDS; i > 0; i -= 2) {
        right ^= mix(permutation->keys[i - 1], left);
        left ^= mix(permutation->keys[i - 2], right);
    }
    return left << HALF_BITS | right;
}
