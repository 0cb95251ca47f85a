// bench_packer.c: what each protection of a message costs, wrapping and unwrapping, by size.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "crypto/random.h"
#include "proto/mlapi/packer.h"

static const size_t sizes[] = {16, 64, 128, 256, 1200, 16384, 60000};
static const char *const flag_names[] = {"plain", "encrypted", "authenticated", "both"};

struct job {
    struct hail_mlapi_keys keys;
    struct hail_random random;
    uint32_t flags;
    size_t len;
    size_t wrapped_len;
    uint8_t wrapped[65536];
    uint8_t buffer[65536];
};

// The buffer is as the last round left it: what lies in it does not matter.
static void wrap(void *user)
{
    struct job *job = user;
    uint8_t iv[HAIL_CBC_BLOCK];

    if (job->flags & HAIL_FLAG_ENCRYPTED)
        hail_random_bytes(&job->random, iv, sizeof iv);
    hail_mlapi_wrap(job->buffer, job->len, HAIL_MLAPI_UNNAMED, job->flags, &job->keys, iv);
}

// With a copy of what was wrapped, since it is opened in place; the copy is what a receive is.
static void unwrap(void *user)
{
    struct job *job = user;
    struct hail_mlapi_packet packet;

    memcpy(job->buffer, job->wrapped, job->wrapped_len);
    HAIL_ASSERT(hail_mlapi_unwrap(&packet, job->buffer, job->wrapped_len, &job->keys) ==
                HAIL_ACCEPT);
}

static void bench(struct job *job, uint32_t flags, size_t len)
{
    char what[64];
    uint8_t iv[HAIL_CBC_BLOCK] = {0};

    job->flags = flags;
    job->len = len;
    struct measure wrapping = measure_run(wrap, job, 30);
    memset(job->buffer, 0x5a, sizeof job->buffer);
    job->wrapped_len = hail_mlapi_wrap(job->buffer, len, HAIL_MLAPI_UNNAMED, flags, &job->keys, iv);
    memcpy(job->wrapped, job->buffer, job->wrapped_len);
    struct measure unwrapping = measure_run(unwrap, job, 30);
    const struct measure sum = {
        wrapping.median_ns + unwrapping.median_ns,
        wrapping.least_ns + unwrapping.least_ns,
        wrapping.most_ns + unwrapping.most_ns,
    };
    snprintf(what, sizeof what, "%-13s %6zu bytes, wrap", flag_names[flags], len);
    measure_print(what, &wrapping);
    snprintf(what, sizeof what, "%-13s %6s        unwrap", "", "");
    measure_print(what, &unwrapping);
    snprintf(what, sizeof what, "%-13s %6s        sum", "", "");
    measure_print(what, &sum);
}

int main(int argc, char **argv)
{
    static struct job job;
    uint8_t key[32];

    measure_machine(argc, argv);
    hail_random_init_system(&job.random);
    hail_random_bytes(&job.random, key, sizeof key);
    hail_mlapi_keys_init(&job.keys, key);
    for (size_t i = 0; i < HAIL_COUNTOF(sizes); i++) {
        for (uint32_t flags = 0; flags <= HAIL_FLAGS_BOTH; flags++)
            bench(&job, flags, sizes[i]);
    }
    return 0;
}
