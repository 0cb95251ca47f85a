// test_rate.c: what a rate lets pass, against the bytes that time has paid for.
// SPDX-License-Identifier: MIT
#include "proto/rate.h"

#include "crypto/time.h"
#include "tests/vectors.h"

// Offered more than it takes, in pieces of any length at any time: never more than the burst and
// one piece ahead, and never less than the time has paid for.
START_TEST(test_offered_more)
{
    enum {
        PIECE_MAX = 1500,
        STEPS = 20000
    };
    uint64_t dice = test_seed();
    uint32_t per_s = 1000 + (uint32_t)(test_next(&dice) % 10000000);
    uint64_t burst_ns = test_next(&dice) % HAIL_NS_PER_S;
    struct hail_rate rate = {0};
    uint64_t began_ns = 1000 * HAIL_NS_PER_S;
    uint64_t now_ns = began_ns;
    double passed = 0;
    double pieces = 0;

    for (int i = 0; i < STEPS; i++) {
        while (hail_rate_open_ns(&rate, burst_ns) <= now_ns) {
            size_t len = 1 + test_next(&dice) % PIECE_MAX;
            hail_rate_passed(&rate, len, per_s, now_ns);
            passed += (double)len;
            pieces++;
        }
        double paid = (double)(now_ns - began_ns + burst_ns) / 1e9 * per_s;
        ck_assert_double_le(passed,
                            paid + (double)PIECE_MAX +
                                pieces);       // each ends early, by less than a ns
        ck_assert_double_ge(passed, paid - 1); // a double's rounding
        now_ns = hail_rate_open_ns(&rate, burst_ns);
    }
}
END_TEST

START_TEST(test_pause_saves_no_more_than_a_burst)
{
    struct hail_rate rate = {0};
    uint64_t now_ns = 50 * HAIL_NS_PER_S;
    uint32_t count = 0;

    hail_rate_passed(&rate, 5000, 1000, now_ns);
    ck_assert_uint_eq(hail_rate_open_ns(&rate, HAIL_NS_PER_S), now_ns + 4 * HAIL_NS_PER_S);
    now_ns += 3600 * HAIL_NS_PER_S;
    for (; hail_rate_open_ns(&rate, HAIL_NS_PER_S) <= now_ns; count++)
        hail_rate_passed(&rate, 100, 1000, now_ns);
    ck_assert_uint_eq(count, 11); // a second's ten, and the one that the last of it lets through
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rate");
    TCase *tests = tcase_create("rate");

    tcase_add_test(tests, test_offered_more);
    tcase_add_test(tests, test_pause_saves_no_more_than_a_burst);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
