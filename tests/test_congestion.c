// test_congestion.c: the round trip's estimate, the window and the pace, each as RFC 9002 has it.
// SPDX-License-Identifier: MIT
#include "proto/congestion.h"
#include "tests/vectors.h"

static const uint64_t ns_per_ms = 1000000;

// ---- The round trip (section 5)

START_TEST(test_first_sample)
{
    struct hail_rtt rtt;

    hail_rtt_init(&rtt);
    hail_rtt_sample(&rtt, 40 * ns_per_ms, 10 * ns_per_ms);
    ck_assert_uint_eq(rtt.smoothed, 40 * ns_per_ms); // the first is taken as it is
    ck_assert_uint_eq(rtt.variation, 20 * ns_per_ms);
    ck_assert_uint_eq(rtt.least, 40 * ns_per_ms);
    ck_assert_uint_eq(hail_rtt_probe_ns(&rtt, 25 * ns_per_ms), (40 + 80 + 25) * ns_per_ms);
    ck_assert_uint_eq(hail_rtt_loss_ns(&rtt), 45 * ns_per_ms);
}
END_TEST

static const struct {
    const char *why;
    uint64_t taken_ms;
    uint64_t delay_ms;
    uint64_t want_ms; // smoothed, after 80 ms
} samples[] = {
    {"a shorter one is the least", 40, 0, 75},
    {"a wait that the other end says is taken off", 100, 20, 80},
    {"more than there is cannot be taken off", 82, 20, 80},
    {"a longer one", 160, 0, 90},
};

START_TEST(test_sample)
{
    struct hail_rtt rtt;

    hail_rtt_init(&rtt);
    hail_rtt_sample(&rtt, 80 * ns_per_ms, 0);
    hail_rtt_sample(&rtt, samples[_i].taken_ms * ns_per_ms, samples[_i].delay_ms * ns_per_ms);
    ck_assert_msg(rtt.smoothed / ns_per_ms == samples[_i].want_ms, "%s: %llu", samples[_i].why,
                  (unsigned long long)(rtt.smoothed / ns_per_ms));
}
END_TEST

// ---- The window (section 7)

static void begin(struct hail_congestion *congestion, struct hail_rtt *rtt)
{
    hail_rtt_init(rtt);
    hail_rtt_sample(rtt, 50 * ns_per_ms, 0);
    hail_congestion_init(congestion, ns_per_ms);
}

START_TEST(test_slow_start_and_loss)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t window = HAIL_CONGESTION_INITIAL;

    begin(&congestion, &rtt);
    hail_congestion_sent(&congestion, window);
    hail_congestion_acked(&congestion, 1200, 2 * ns_per_ms, true);
    ck_assert_uint_eq(congestion.window, window + 1200); // what arrives is added
    hail_congestion_acked(&congestion, 1200, 2 * ns_per_ms, false);
    ck_assert_uint_eq(congestion.window, window + 1200); // unless nothing was held up by it

    hail_congestion_lost(&congestion, 1200, 3 * ns_per_ms, 60 * ns_per_ms);
    uint64_t half = (window + 1200) / 2;
    ck_assert_uint_eq(congestion.window, half);
    hail_congestion_lost(&congestion, 1200, 4 * ns_per_ms, 61 * ns_per_ms);
    ck_assert_uint_eq(congestion.window, half); // the same trouble
    hail_congestion_acked(&congestion, 1200, 5 * ns_per_ms, true);
    ck_assert_uint_eq(congestion.window, half); // sent before it

    // From now on a datagram more for each window that arrives.
    hail_congestion_sent(&congestion, 4 * half);
    hail_congestion_acked(&congestion, half, 70 * ns_per_ms, true);
    ck_assert_uint_eq(congestion.window, half + 1200);
    hail_congestion_lost(&congestion, 1200, 80 * ns_per_ms, 120 * ns_per_ms);
    ck_assert_uint_eq(congestion.window, (half + 1200) / 2);
    hail_congestion_collapse(&congestion);
    ck_assert_uint_eq(congestion.window, HAIL_CONGESTION_LEAST);
    hail_congestion_lost(&congestion, 1200, 130 * ns_per_ms, 140 * ns_per_ms);
    ck_assert_uint_eq(congestion.window, HAIL_CONGESTION_LEAST);
}
END_TEST

START_TEST(test_full_window)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t at_ns;

    begin(&congestion, &rtt);
    hail_congestion_sent(&congestion, HAIL_CONGESTION_INITIAL);
    ck_assert(!hail_congestion_open(&congestion, &rtt, 500 * ns_per_ms, &at_ns));
    ck_assert_uint_eq(at_ns, UINT64_MAX); // no time opens it, an acknowledgement does
    hail_congestion_acked(&congestion, 1200, 2 * ns_per_ms, false);
    ck_assert(hail_congestion_open(&congestion, &rtt, 500 * ns_per_ms, &at_ns));
}
END_TEST

// A window is spread over a round trip, a quarter faster than that.
START_TEST(test_pace)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t now_ns = ns_per_ms;
    uint64_t at_ns;
    uint64_t sent = 0;

    begin(&congestion, &rtt);
    congestion.window = 1000000;
    while (sent < 1000000) {
        if (hail_congestion_open(&congestion, &rtt, now_ns, &at_ns)) {
            hail_congestion_sent(&congestion, 1200);
            sent += 1200;
            continue;
        }
        ck_assert_uint_gt(at_ns, now_ns);
        ck_assert_uint_lt(at_ns, now_ns + ns_per_ms);
        now_ns = at_ns;
    }
    uint64_t took_ms = (now_ns - ns_per_ms) / ns_per_ms;
    ck_assert_uint_ge(took_ms, 37);
    ck_assert_uint_le(took_ms, 41); // 40 less what may leave at once
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("congestion");
    TCase *tests = tcase_create("congestion");

    tcase_add_test(tests, test_first_sample);
    tcase_add_loop_test(tests, test_sample, 0, HAIL_COUNTOF(samples));
    tcase_add_test(tests, test_slow_start_and_loss);
    tcase_add_test(tests, test_full_window);
    tcase_add_test(tests, test_pace);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
