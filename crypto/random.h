// random.h: a source of random bytes as an object, so that whoever runs a protocol decides where
// its dice come from: the system in production, a seed in tests and simulation.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_RANDOM_H
#define HAIL_CRYPTO_RANDOM_H

#include "crypto/base.h"

enum {
    HAIL_RANDOM_BATCH = 1024 // bytes fetched from the source at a time
};

// A source in use by one thread. Bytes are fetched in batches, since small requests to the system's
// generator cost more than the bytes; each is wiped from the batch as it is handed out.
struct hail_random {
    uint8_t batch[HAIL_RANDOM_BATCH];
    size_t used;          // bytes of the batch already handed out
    bool seeded;          // false: the system's generator
    uint8_t seed_key[32]; // of the seeded stream
    uint32_t seed_block;  // next block of the seeded stream
};

// hail_random_init_system makes a source that draws from BoringSSL's generator.
void hail_random_init_system(struct hail_random *random);

// hail_random_init_seeded makes a source whose bytes are a function of `seed` alone. Never for keys
// that protect anything.
void hail_random_init_seeded(struct hail_random *random, uint64_t seed);

// hail_random_enter has BoringSSL allocate what its generator keeps for this thread, so that a
// source that is used on it later allocates nothing.
void hail_random_enter(void);

// hail_random_bytes writes the next `len` bytes.
void hail_random_bytes(struct hail_random *random, void *out, size_t len);

// hail_random_cleanup wipes what was fetched and not handed out.
void hail_random_cleanup(struct hail_random *random);

#endif
