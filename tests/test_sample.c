// test_sample.c: medians, intervals and the rank test against counting every case there is.
// SPDX-License-Identifier: MIT
#include "tools/load/sample.h"

#include <math.h>
#include <stdlib.h>

#include "crypto/base.h"
#include "tests/vectors.h"

enum {
    ROUNDS = 300,
    FEW = 7 // of each sample, so that all ways to split both can be tried
};

static struct sample sample_of(const double *values, size_t count)
{
    struct sample sample = {0};

    for (size_t i = 0; i < count; i++)
        sample_add(&sample, values[i]);
    return sample;
}

static bool near(double got, double want)
{
    return fabs(got - want) < 1e-9;
}

START_TEST(nothing_says_nothing)
{
    const struct sample none = {0};
    const struct sample one = {.count = 1, .values = {7}};
    struct sample_interval interval = sample_interval(&none, 0.95);

    ck_assert(near(sample_median(&none), 0));
    ck_assert(near(interval.low, 0) && near(interval.high, 0) && near(interval.confidence, 0));
    ck_assert(near(sample_p(&none, &one), 1));
    ck_assert(near(sample_p(&one, &none), 1));
    interval = sample_interval(&one, 0.95);
    ck_assert(near(interval.low, 7) && near(interval.high, 7) && near(interval.confidence, 0));
}
END_TEST

START_TEST(no_more_than_fit_are_kept)
{
    struct sample sample = {0};

    for (int i = 0; i < SAMPLE_MAX + 5; i++)
        sample_add(&sample, i);
    ck_assert_uint_eq(sample.count, SAMPLE_MAX);
    ck_assert(near(sample.values[SAMPLE_MAX - 1], SAMPLE_MAX - 1));
}
END_TEST

START_TEST(known_samples)
{
    static const struct {
        const char *why;
        double values[8];
        size_t count;
        double median;
        double low;
        double high;
        double confidence;
    } rows[] = {
        {"an odd number, in no order", {3, 1, 2}, 3, 2, 1, 3, 0.75},
        {"an even number", {4, 1, 3, 2}, 4, 2.5, 1, 4, 0.875},
        {"five: below the confidence asked for, and said so", {5, 1, 4, 2, 3}, 5, 3, 1, 5, 0.9375},
        {"six: the first that reach it", {6, 1, 5, 2, 4, 3}, 6, 3.5, 1, 6, 0.96875},
        {"eight: one at each end is not left out yet",
         {8, 7, 6, 5, 4, 3, 2, 1},
         8,
         4.5,
         1,
         8,
         0.9921875},
        {"all alike", {2, 2, 2, 2}, 4, 2, 2, 2, 0.875},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        struct sample sample = sample_of(rows[i].values, rows[i].count);
        struct sample_interval got = sample_interval(&sample, 0.95);
        ck_assert_msg(near(sample_median(&sample), rows[i].median), "%s: median", rows[i].why);
        ck_assert_msg(near(got.low, rows[i].low) && near(got.high, rows[i].high), "%s: %g to %g",
                      rows[i].why, got.low, got.high);
        ck_assert_msg(near(got.confidence, rows[i].confidence), "%s: confidence %g", rows[i].why,
                      got.confidence);
    }
}
END_TEST

// The model: each value is above or below the true median with even odds. Of all such outcomes,
// those with at least cut + 1 on either side leave it between the interval's ends.
static double confidence_of(size_t count, size_t cut)
{
    size_t inside = 0;

    for (size_t outcome = 0; outcome < (size_t)1 << count; outcome++) {
        size_t below = (size_t)__builtin_popcountll(outcome);
        inside += below > cut && count - below > cut;
    }
    return (double)inside / (double)((size_t)1 << count);
}

START_TEST(intervals_are_the_narrowest_that_are_good_enough)
{
    static const double wanted[] = {0.5, 0.8, 0.9, 0.95, 0.99};

    for (size_t count = 2; count <= 16; count++) {
        struct sample sample = {0};
        for (size_t i = 0; i < count; i++)
            sample_add(&sample, (double)i);
        for (size_t i = 0; i < HAIL_COUNTOF(wanted); i++) {
            struct sample_interval got = sample_interval(&sample, wanted[i]);
            size_t cut = (size_t)got.low;
            ck_assert(near(got.high, (double)(count - 1 - cut)));
            ck_assert_msg(near(got.confidence, confidence_of(count, cut)), "%zu values, %g: %g",
                          count, wanted[i], got.confidence);
            ck_assert(cut == 0 || got.confidence >= wanted[i]);
            ck_assert_msg(2 * (cut + 1) >= count || confidence_of(count, cut + 1) < wanted[i],
                          "%zu values, %g: a narrower one would do", count, wanted[i]);
        }
    }
}
END_TEST

// The model's statistic: how often a value of the chosen beats one of the others, ties by half.
static double wins(const double *values, size_t count, size_t chosen)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if ((chosen >> i & 1) && !(chosen >> j & 1))
                sum += values[i] > values[j] ? 1 : values[i] < values[j] ? 0 : 0.5;
        }
    }
    return sum;
}

// The model: every way to choose as many of all values as the first sample has.
static double p_by_trying(const double *values, size_t first, size_t count)
{
    double even = (double)(first * (count - first)) / 2;
    double distance = fabs(wins(values, count, ((size_t)1 << first) - 1) - even);
    size_t ways = 0;
    size_t as_far = 0;

    for (size_t chosen = 0; chosen < (size_t)1 << count; chosen++) {
        if ((size_t)__builtin_popcountll(chosen) != first)
            continue;
        ways++;
        as_far += fabs(wins(values, count, chosen) - even) >= distance - 1e-9;
    }
    return (double)as_far / (double)ways;
}

START_TEST(the_rank_test_is_exact)
{
    uint64_t state = test_seed();

    for (int round = 0; round < ROUNDS; round++) {
        size_t first = 1 + test_next(&state) % FEW;
        size_t second = 1 + test_next(&state) % FEW;
        uint64_t range = round % 3 == 0 ? 3 : 1000; // every third with many ties
        double values[2 * FEW];
        for (size_t i = 0; i < first + second; i++)
            values[i] = (double)(test_next(&state) % range) + (i < first && round % 2 ? 300 : 0);
        struct sample a = sample_of(values, first);
        struct sample b = sample_of(values + first, second);
        double want = p_by_trying(values, first, first + second);
        ck_assert_msg(near(sample_p(&a, &b), want), "round %d: %g for %g", round, sample_p(&a, &b),
                      want);
        ck_assert_msg(near(sample_p(&b, &a), want), "round %d: the other way round", round);
    }
}
END_TEST

START_TEST(large_samples)
{
    struct sample low = {0};
    struct sample high = {0};

    for (int i = 0; i < SAMPLE_MAX; i++) {
        sample_add(&low, i);
        sample_add(&high, 1000 + i);
    }
    ck_assert(sample_p(&low, &high) > 0);
    ck_assert(sample_p(&low, &high) < 1e-12);
    ck_assert(near(sample_p(&low, &low), 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sample");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, nothing_says_nothing);
    tcase_add_test(tcase, no_more_than_fit_are_kept);
    tcase_add_test(tcase, known_samples);
    tcase_add_test(tcase, intervals_are_the_narrowest_that_are_good_enough);
    tcase_add_test(tcase, the_rank_test_is_exact);
    tcase_add_test(tcase, large_samples);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
