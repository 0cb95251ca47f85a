// random.c: see random.h.
// SPDX-License-Identifier: MIT
#include "crypto/random.h"

#include <openssl/chacha.h>
#include <openssl/rand.h>
#include <string.h>

#include "crypto/secret.h"

enum {
    CHACHA_BLOCK = 64
};
_Static_assert(HAIL_RANDOM_BATCH % CHACHA_BLOCK == 0, "a batch is whole blocks of the stream");

void hail_random_init_system(struct hail_random *random)
{
    *random = (struct hail_random){.used = HAIL_RANDOM_BATCH};
}

void hail_random_init_seeded(struct hail_random *random, uint64_t seed)
{
    *random = (struct hail_random){.used = HAIL_RANDOM_BATCH, .seeded = true};
    for (size_t i = 0; i < sizeof seed; i++)
        random->seed_key[i] = (uint8_t)(seed >> 8 * i);
}

static void fetch_seeded(struct hail_random *random)
{
    static const uint8_t nonce[12] = {0};

    memset(random->batch, 0, sizeof random->batch);
    CRYPTO_chacha_20(random->batch, random->batch, sizeof random->batch, random->seed_key, nonce,
                     random->seed_block);
    random->seed_block += HAIL_RANDOM_BATCH / CHACHA_BLOCK;
}

void hail_random_enter(void)
{
    uint8_t first;

    RAND_bytes(&first, sizeof first);
    hail_wipe(&first, sizeof first);
}

void hail_random_bytes(struct hail_random *random, void *out, size_t len)
{
    uint8_t *bytes = out;

    while (len > 0) {
        if (random->used == HAIL_RANDOM_BATCH) {
            if (random->seeded)
                fetch_seeded(random);
            else
                RAND_bytes(random->batch, sizeof random->batch); // aborts rather than fails
            random->used = 0;
        }
        size_t left = HAIL_RANDOM_BATCH - random->used;
        size_t part = len < left ? len : left;
        memcpy(bytes, random->batch + random->used, part);
        hail_wipe(random->batch + random->used, part);
        random->used += part;
        bytes += part;
        len -= part;
    }
}

void hail_random_cleanup(struct hail_random *random)
{
    hail_wipe(random, sizeof *random);
    random->used = HAIL_RANDOM_BATCH;
}
