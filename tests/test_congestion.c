// test_congestion.c: the round trip's estimate, the window and the pace, as RFC 9002 has them, and
// what a loss means for the window.
// SPDX-License-Identifier: MIT
#include "crypto/time.h"
#include "proto/congestion.h"
#include "tests/vectors.h"

// ---- The round trip (section 5)

START_TEST(test_first_sample)
{
    struct hail_rtt rtt;

    hail_rtt_init(&rtt);
    hail_rtt_sample(&rtt, 40 * HAIL_NS_PER_MS, 10 * HAIL_NS_PER_MS);
    ck_assert_uint_eq(rtt.smoothed, 40 * HAIL_NS_PER_MS); // the first is taken as it is
    ck_assert_uint_eq(rtt.variation, 20 * HAIL_NS_PER_MS);
    ck_assert_uint_eq(rtt.least, 40 * HAIL_NS_PER_MS);
    ck_assert_uint_eq(hail_rtt_probe_ns(&rtt, 25 * HAIL_NS_PER_MS),
                      (40 + 80 + 25) * HAIL_NS_PER_MS);
    ck_assert_uint_eq(hail_rtt_loss_ns(&rtt), 45 * HAIL_NS_PER_MS);
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
    hail_rtt_sample(&rtt, 80 * HAIL_NS_PER_MS, 0);
    hail_rtt_sample(&rtt, samples[_i].taken_ms * HAIL_NS_PER_MS,
                    samples[_i].delay_ms * HAIL_NS_PER_MS);
    ck_assert_msg(rtt.smoothed / HAIL_NS_PER_MS == samples[_i].want_ms, "%s: %llu", samples[_i].why,
                  (unsigned long long)(rtt.smoothed / HAIL_NS_PER_MS));
}
END_TEST

// ---- The window (section 7)

static void begin(struct hail_congestion *congestion, struct hail_rtt *rtt)
{
    hail_rtt_init(rtt);
    hail_rtt_sample(rtt, 50 * HAIL_NS_PER_MS, 0);
    hail_congestion_init(congestion, HAIL_NS_PER_MS);
}

// Windows arrive, each whole and in a round trip of so many ms.
static void arrive(struct hail_congestion *congestion, uint64_t *now_ns, uint64_t took_ms,
                   size_t windows)
{
    for (size_t i = 0; i < windows; i++) {
        uint64_t window = congestion->window;
        hail_congestion_sent(congestion, window);
        *now_ns += took_ms * HAIL_NS_PER_MS;
        hail_congestion_acked(congestion, window, *now_ns - took_ms * HAIL_NS_PER_MS, *now_ns,
                              true);
    }
}

// As many arrive as it takes to see whether there is a queue.
static void arrive_long(struct hail_congestion *congestion, uint64_t *now_ns, uint64_t took_ms)
{
    arrive(congestion, now_ns, took_ms, HAIL_CONGESTION_RECENT);
}

START_TEST(test_slow_start)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t window = HAIL_CONGESTION_INITIAL;
    uint64_t now_ns = 52 * HAIL_NS_PER_MS;

    begin(&congestion, &rtt);
    hail_congestion_sent(&congestion, window);
    hail_congestion_acked(&congestion, 1200, 2 * HAIL_NS_PER_MS, now_ns, true);
    ck_assert_uint_eq(congestion.window, window + 1200); // what arrives is added
    hail_congestion_acked(&congestion, 1200, 2 * HAIL_NS_PER_MS, now_ns, false);
    ck_assert_uint_eq(congestion.window, window + 1200); // unless nothing was held up by it

    // Until round trips become longer: from then on a datagram for each window.
    arrive_long(&congestion, &now_ns, 100);
    ck_assert_uint_eq(congestion.threshold, congestion.window);
    window = congestion.window;
    arrive(&congestion, &now_ns, 100, 1);
    ck_assert_uint_eq(congestion.window, window + 1200);
}
END_TEST

START_TEST(test_loss_in_a_queue)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t now_ns = HAIL_NS_PER_MS;

    begin(&congestion, &rtt);
    arrive(&congestion, &now_ns, 50, 2);
    arrive_long(&congestion, &now_ns, 70);
    uint64_t window = congestion.window;
    hail_congestion_sent(&congestion, window);
    hail_congestion_lost(&congestion, 1200, now_ns, now_ns + 70 * HAIL_NS_PER_MS);
    uint64_t cut = congestion.window;
    ck_assert_uint_ge(cut, window / 2);
    ck_assert_uint_le(cut, window - window / 8);
    hail_congestion_lost(&congestion, 1200, now_ns, now_ns + 71 * HAIL_NS_PER_MS);
    ck_assert_uint_eq(congestion.window, cut); // the same trouble
    now_ns += 70 * HAIL_NS_PER_MS;
    hail_congestion_acked(&congestion, 1200, now_ns - 1, now_ns, true);
    ck_assert_uint_eq(congestion.window, cut); // sent before it

    hail_congestion_acked(&congestion, cut, now_ns + 1, now_ns + 70 * HAIL_NS_PER_MS, true);
    ck_assert_uint_eq(congestion.window, cut + 1200);
    hail_congestion_collapse(&congestion);
    ck_assert_uint_eq(congestion.window, HAIL_CONGESTION_LEAST);
    hail_congestion_lost(&congestion, 1200, now_ns + 2, now_ns + 140 * HAIL_NS_PER_MS);
    ck_assert_uint_eq(congestion.window, HAIL_CONGESTION_LEAST);
}
END_TEST

static const struct {
    const char *why;
    uint64_t took_ms; // the window that is cut; the shortest round trip is 50 ms
    uint64_t percent; // of it that is left, about
} cuts[] = {
    {"what arrives in 50 ms and an eighth", 75, 75},
    {"never less than half", 200, 50},
    {"never more than seven eighths", 60, 87},
};

// The rate is that of a window each `took_ms`.
START_TEST(test_cut)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t now_ns = HAIL_NS_PER_MS;

    begin(&congestion, &rtt);
    arrive(&congestion, &now_ns, 50, 1);
    congestion.window = 1200000; // of which a datagram more makes no difference
    congestion.threshold = 1200000;
    arrive_long(&congestion, &now_ns, cuts[_i].took_ms);
    uint64_t window = congestion.window;
    hail_congestion_sent(&congestion, window);
    hail_congestion_lost(&congestion, 1200, now_ns, now_ns + HAIL_NS_PER_MS);
    uint64_t percent = congestion.window * 100 / window;
    ck_assert_msg(percent + 1 >= cuts[_i].percent && percent <= cuts[_i].percent + 1, "%s: %llu",
                  cuts[_i].why, (unsigned long long)percent);
}
END_TEST

static const struct {
    const char *why;
    size_t lost; // of each hundred, while round trips are the shortest
    bool cuts;
} shares[] = {
    {"one of a hundred", 1, false},
    {"a tenth", 10, false},
    {"a third", 33, true},
};

START_TEST(test_loss_without_a_queue)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t now_ns = HAIL_NS_PER_MS;
    bool cut = false;

    begin(&congestion, &rtt);
    congestion.threshold = congestion.window; // no slow start, which would make up for it
    for (size_t i = 0; i < 1000; i++) {
        uint64_t window = congestion.window;
        uint64_t sent_ns = now_ns;
        hail_congestion_sent(&congestion, 1200);
        now_ns += 50 * HAIL_NS_PER_MS;
        if (i % 100 * shares[_i].lost / 100 != (i % 100 + 1) * shares[_i].lost / 100)
            hail_congestion_lost(&congestion, 1200, sent_ns, now_ns);
        else
            hail_congestion_acked(&congestion, 1200, sent_ns, now_ns, true);
        cut |= congestion.window < window;
    }
    ck_assert_msg(cut == shares[_i].cuts, "%s", shares[_i].why);
}
END_TEST

// What the old path was like says nothing of a longer one.
START_TEST(test_moved)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t now_ns = HAIL_NS_PER_MS;

    begin(&congestion, &rtt);
    arrive(&congestion, &now_ns, 10, 1);
    hail_congestion_moved(&congestion);
    arrive_long(&congestion, &now_ns, 50);
    uint64_t window = congestion.window;
    hail_congestion_sent(&congestion, 1200);
    hail_congestion_lost(&congestion, 1200, now_ns, now_ns + HAIL_NS_PER_MS);
    ck_assert_uint_eq(congestion.window, window);
}
END_TEST

START_TEST(test_full_window)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t at_ns;

    begin(&congestion, &rtt);
    hail_congestion_sent(&congestion, HAIL_CONGESTION_INITIAL);
    ck_assert(!hail_congestion_open(&congestion, &rtt, 500 * HAIL_NS_PER_MS, &at_ns));
    ck_assert_uint_eq(at_ns, UINT64_MAX); // no time opens it, an acknowledgement does
    hail_congestion_acked(&congestion, 1200, 2 * HAIL_NS_PER_MS, 52 * HAIL_NS_PER_MS, false);
    ck_assert(hail_congestion_open(&congestion, &rtt, 500 * HAIL_NS_PER_MS, &at_ns));
}
END_TEST

// A window is spread over a round trip, a quarter faster than that.
START_TEST(test_pace)
{
    struct hail_congestion congestion;
    struct hail_rtt rtt;
    uint64_t now_ns = HAIL_NS_PER_MS;
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
        ck_assert_uint_lt(at_ns, now_ns + HAIL_NS_PER_MS);
        now_ns = at_ns;
    }
    uint64_t took_ms = (now_ns - HAIL_NS_PER_MS) / HAIL_NS_PER_MS;
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
    tcase_add_test(tests, test_slow_start);
    tcase_add_test(tests, test_loss_in_a_queue);
    tcase_add_loop_test(tests, test_cut, 0, HAIL_COUNTOF(cuts));
    tcase_add_loop_test(tests, test_loss_without_a_queue, 0, HAIL_COUNTOF(shares));
    tcase_add_test(tests, test_moved);
    tcase_add_test(tests, test_full_window);
    tcase_add_test(tests, test_pace);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
