// test_meter.c: what a thread spends its time on is told kind by kind, and adds up to its CPU time.
// SPDX-License-Identifier: MIT
#include "crypto/meter.h"

#include <time.h>
#include <unistd.h>

#include "crypto/base.h"
#include "crypto/time.h"
#include "tests/vectors.h"

enum {
    MS = 1000000,
    WORK_NS = 20 * MS
};

static struct hail_meter meter;

static uint64_t cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return hail_time_ns(&now);
}

// Uses CPU time for this long.
static void work(uint64_t ns)
{
    for (uint64_t until = cpu_now() + ns; cpu_now() < until;)
        continue;
}

// Entering and leaving a call is what shares out the time before it.
static void call(void)
{
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);

    hail_meter_leave(before);
}

static uint64_t sum(void)
{
    uint64_t ns = 0;

    for (unsigned kind = 0; kind < HAIL_SPENT_KINDS; kind++)
        ns += meter.spent_ns[kind];
    return ns;
}

START_TEST(without_a_meter_nothing_happens)
{
    char text[4];

    hail_meter_mine = NULL;
    ck_assert_int_eq(hail_meter_enter(HAIL_SPENT_CRYPTO), HAIL_SPENT_CRYPTO);
    hail_meter_leave(HAIL_SPENT_PROTOCOL);
    hail_meter_copy(text, "abc", sizeof text);
    ck_assert_str_eq(text, "abc");
}
END_TEST

START_TEST(each_kind_gets_its_own)
{
    uint64_t from = cpu_now();

    hail_meter_start(&meter);
    work(WORK_NS);
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    ck_assert_int_eq(before, HAIL_SPENT_PROTOCOL);
    work(2 * WORK_NS);
    ck_assert_int_eq(hail_meter_enter(HAIL_SPENT_COPY), HAIL_SPENT_CRYPTO);
    work(WORK_NS);
    hail_meter_leave(HAIL_SPENT_CRYPTO); // back to what it was in
    hail_meter_leave(before);
    before = hail_meter_enter(HAIL_SPENT_SYSTEM);
    work(WORK_NS);
    hail_meter_leave(before);
    uint64_t cpu_ns = cpu_now() - from;
    hail_meter_mine = NULL;

    ck_assert_msg(sum() >= cpu_ns - cpu_ns / 10 && sum() <= cpu_ns + MS, "%llu of %llu ns",
                  (unsigned long long)sum(), (unsigned long long)cpu_ns);
    // Ticks go on while others have the core, so shares are rough; calls are by the CPU clock.
    ck_assert_uint_gt(meter.spent_ns[HAIL_SPENT_CRYPTO], 0);
    ck_assert_uint_gt(meter.spent_ns[HAIL_SPENT_COPY], 0);
    ck_assert_uint_gt(meter.spent_ns[HAIL_SPENT_PROTOCOL], 0);
    ck_assert_uint_ge(meter.spent_ns[HAIL_SPENT_SYSTEM], WORK_NS - MS);
}
END_TEST

START_TEST(waiting_in_a_call_costs_nothing)
{
    hail_meter_start(&meter);
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);
    usleep(50000);
    hail_meter_leave(before);
    call();
    hail_meter_mine = NULL;
    ck_assert_msg(sum() < 25 * MS, "%llu ns", (unsigned long long)sum());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("meter");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, without_a_meter_nothing_happens);
    tcase_add_test(tcase, each_kind_gets_its_own);
    tcase_add_test(tcase, waiting_in_a_call_costs_nothing);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
