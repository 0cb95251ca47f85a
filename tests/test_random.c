// test_random.c: the system's dice differ, a seed's repeat, however they are asked for.
// SPDX-License-Identifier: MIT
#include "crypto/random.h"

#include <string.h>

#include "tests/vectors.h"

enum {
    STREAM_LEN = 5 * HAIL_RANDOM_BATCH + 17
};

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

// Any split into requests gives the same stream.
START_TEST(test_seeded_splits)
{
    uint64_t dice = test_seed();
    uint64_t seed = test_next(&dice);
    static uint8_t whole[STREAM_LEN];
    static uint8_t parts[STREAM_LEN];
    struct hail_random random;

    hail_random_init_seeded(&random, seed);
    hail_random_bytes(&random, whole, sizeof whole);
    hail_random_cleanup(&random);
    for (int round = 0; round < 50; round++) {
        size_t done = 0;
        hail_random_init_seeded(&random, seed);
        while (done < sizeof parts) {
            size_t len = test_next(&dice) % (test_next(&dice) % 8 ? 40 : 2500);
            len = len < sizeof parts - done ? len : sizeof parts - done;
            hail_random_bytes(&random, parts + done, len);
            done += len;
        }
        ck_assert_mem_eq(parts, whole, sizeof parts);
        hail_random_cleanup(&random);
    }
}
END_TEST

START_TEST(test_seeds_differ)
{
    static const uint64_t seeds[] = {0, 1, 2, 256, 1ull << 32, 1ull << 63, UINT64_MAX};
    uint8_t bytes[HAIL_COUNTOF(seeds)][32];

    for (size_t i = 0; i < HAIL_COUNTOF(seeds); i++) {
        struct hail_random random;
        hail_random_init_seeded(&random, seeds[i]);
        hail_random_bytes(&random, bytes[i], sizeof bytes[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_mem_ne(bytes[i], bytes[j], sizeof bytes[i]);
    }
}
END_TEST

// No 16 bytes come twice: neither within a batch nor from one batch to the next.
START_TEST(test_no_repeats)
{
    static uint8_t bytes[4 * HAIL_RANDOM_BATCH];

    for (int seeded = 0; seeded < 2; seeded++) {
        struct hail_random random;
        if (seeded)
            hail_random_init_seeded(&random, 7);
        else
            hail_random_init_system(&random);
        hail_random_bytes(&random, bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i += 16) {
            for (size_t j = 0; j < i; j += 16)
                ck_assert_mem_ne(bytes + i, bytes + j, 16);
        }
        hail_random_cleanup(&random);
    }
}
END_TEST

START_TEST(test_system_sources_differ)
{
    struct hail_random one;
    struct hail_random other;
    uint8_t a[32];
    uint8_t b[32];

    hail_random_init_system(&one);
    hail_random_init_system(&other);
    hail_random_bytes(&one, a, sizeof a);
    hail_random_bytes(&other, b, sizeof b);
    ck_assert_mem_ne(a, b, sizeof a);
    hail_random_cleanup(&one);
    hail_random_cleanup(&other);
}
END_TEST

// What was handed out is not kept, and cleanup leaves nothing.
START_TEST(test_wiped)
{
    struct hail_random random;
    uint8_t bytes[100];

    hail_random_init_system(&random);
    hail_random_bytes(&random, bytes, sizeof bytes);
    ck_assert(!all_zero(bytes, sizeof bytes));
    ck_assert(all_zero(random.batch, sizeof bytes));
    ck_assert(!all_zero(random.batch + sizeof bytes, sizeof bytes));
    hail_random_cleanup(&random);
    ck_assert(all_zero(random.batch, sizeof random.batch));
    hail_random_init_seeded(&random, UINT64_MAX);
    hail_random_cleanup(&random);
    ck_assert(all_zero(random.seed_key, sizeof random.seed_key));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *tests = tcase_create("random");

    tcase_add_test(tests, test_seeded_splits);
    tcase_add_test(tests, test_seeds_differ);
    tcase_add_test(tests, test_no_repeats);
    tcase_add_test(tests, test_system_sources_differ);
    tcase_add_test(tests, test_wiped);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
