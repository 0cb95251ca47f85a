// test_histogram.c: quantiles within their error of a sorted array's, over every order of
// magnitude.
// SPDX-License-Identifier: MIT
#include "tools/load/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/base.h"
#include "tests/vectors.h"

enum {
    ROUNDS = 200,
    VALUES_MAX = 3000
};

#define LARGEST ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

static const double quantiles[] = {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0};

// Too large for a stack.
static struct histogram whole;
static struct histogram part;

static void empty(void)
{
    memset(&whole, 0, sizeof whole);
    memset(&part, 0, sizeof part);
}

static int compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a;
    uint64_t other = *(const uint64_t *)b;

    return one < other ? -1 : one > other;
}

// The model: the value that `quantile` of all do not exceed, by counting.
static uint64_t quantile_of(const uint64_t *sorted, size_t count, double quantile)
{
    size_t rank = (size_t)ceil(quantile * (double)count);

    return sorted[rank > 0 ? rank - 1 : 0];
}

// All magnitudes alike: latencies are not spread evenly.
static uint64_t any_value(uint64_t *state)
{
    unsigned bits = (unsigned)(test_next(state) % (HISTOGRAM_VALUE_BITS + 1));

    return bits == 0 ? 0 : test_next(state) >> (64 - bits);
}

START_TEST(none_gives_zero)
{
    empty();
    for (size_t i = 0; i < HAIL_COUNTOF(quantiles); i++)
        ck_assert_uint_eq(histogram_quantile(&whole, quantiles[i]), 0);
    histogram_merge(&whole, &part);
    ck_assert_uint_eq(whole.count, 0);
}
END_TEST

START_TEST(one_value_is_every_quantile)
{
    static const struct {
        uint64_t value;
        uint64_t kept;
        const char *why;
    } rows[] = {
        {0, 0, "the least"},
        {127, 127, "the last with a bucket of its own from the start"},
        {128, 128, "the first of the first doubling"},
        {255, 255, "the last of it: still one value a bucket"},
        {256, 256, "two values a bucket: the largest seen bounds the middle"},
        {LARGEST, LARGEST, "the last that counts as itself"},
        {LARGEST + 1, LARGEST, "above: counts as the last"},
        {UINT64_MAX, LARGEST, "far above"},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        empty();
        histogram_add(&whole, rows[i].value);
        ck_assert_uint_eq(whole.max, rows[i].kept);
        for (size_t j = 0; j < HAIL_COUNTOF(quantiles); j++)
            ck_assert_msg(histogram_quantile(&whole, quantiles[j]) <= rows[i].kept, "%s",
                          rows[i].why);
        ck_assert_msg(histogram_quantile(&whole, 1) == rows[i].kept, "%s", rows[i].why);
    }
}
END_TEST

// A bucket at most 1 % wide holds each of its values to within 1 %: looked at from both sides of
// every power of two, where the width changes.
START_TEST(no_bucket_is_wider_than_one_percent)
{
    for (unsigned bit = 0; bit < HISTOGRAM_VALUE_BITS; bit++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)step;
            empty();
            histogram_add(&whole, value);
            histogram_add(&whole, LARGEST); // so that the largest does not bound the answer
            uint64_t got = histogram_quantile(&whole, 0.5);
            ck_assert_msg(fabs((double)got - (double)value) <= 0.01 * (double)value,
                          "%llu for %llu", (unsigned long long)got, (unsigned long long)value);
        }
    }
}
END_TEST

// Values in two histograms, merged, against the sorted array of all.
START_TEST(quantiles_are_those_of_the_sorted_values)
{
    static uint64_t values[VALUES_MAX];
    uint64_t state = test_seed();

    for (int round = 0; round < ROUNDS; round++) {
        size_t count = 1 + test_next(&state) % VALUES_MAX;
        empty();
        for (size_t i = 0; i < count; i++) {
            values[i] = any_value(&state);
            histogram_add(test_next(&state) % 2 ? &whole : &part, values[i]);
        }
        histogram_merge(&whole, &part);
        qsort(values, count, sizeof values[0], compare);
        ck_assert_uint_eq(whole.count, count);
        ck_assert_uint_eq(whole.max, values[count - 1]);
        for (size_t i = 0; i < HAIL_COUNTOF(quantiles); i++) {
            uint64_t want = quantile_of(values, count, quantiles[i]);
            uint64_t got = histogram_quantile(&whole, quantiles[i]);
            ck_assert_msg(fabs((double)got - (double)want) <= 0.01 * (double)want,
                          "round %d, %zu values, quantile %g: %llu for %llu", round, count,
                          quantiles[i], (unsigned long long)got, (unsigned long long)want);
        }
    }
}
END_TEST

// In which lane a value was counted must not show.
START_TEST(merging_is_adding)
{
    static struct histogram all;
    uint64_t state = test_seed();

    empty();
    memset(&all, 0, sizeof all);
    for (int i = 0; i < VALUES_MAX; i++) {
        uint64_t value = any_value(&state);
        histogram_add(&all, value);
        histogram_add(i % 3 ? &whole : &part, value);
    }
    histogram_merge(&whole, &part);
    ck_assert_mem_eq(&whole, &all, sizeof all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, none_gives_zero);
    tcase_add_test(tcase, one_value_is_every_quantile);
    tcase_add_test(tcase, no_bucket_is_wider_than_one_percent);
    tcase_add_test(tcase, quantiles_are_those_of_the_sorted_values);
    tcase_add_test(tcase, merging_is_adding);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
