// test_process.c: what /proc's files say, whole, cut and malformed; and our own CPU time.
// SPDX-License-Identifier: MIT
#include "tools/process.h"

#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "crypto/base.h"
#include "tests/vectors.h"

enum {
    UNTOUCHED = 7
};

START_TEST(schedstat_is_read_or_refused)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t cpu_ns;
        const char *why;
    } rows[] = {
        {"", false, 0, "empty"},
        {"\n", false, 0, "no number"},
        {"12", false, 0, "cut before the second number"},
        {"12 ", false, 0, "cut after the space"},
        {"-1 2 3\n", false, 0, "no sign is ever written"},
        {"x 2 3\n", false, 0, "a word"},
        {"99999999999999999999 2 3\n", false, 0, "over 64 bits"},
        {"0 0 0\n", true, 0, "a thread that never ran"},
        {"1234567890123 55 9\n", true, 1234567890123, "the first number is the time on the CPU"},
        {"18446744073709551615 2 3\n", true, UINT64_MAX, "the largest"},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        uint64_t cpu_ns = UNTOUCHED;
        bool good = process_parse_schedstat(rows[i].text, &cpu_ns);
        ck_assert_msg(good == rows[i].good, "%s", rows[i].why);
        ck_assert_msg(cpu_ns == (good ? rows[i].cpu_ns : UNTOUCHED), "%s", rows[i].why);
    }
}
END_TEST

#define STAT_TAIL " S 1 2 3 4 5 6 7 8 9 10 300 50 0 0\n"

START_TEST(stat_is_read_or_refused)
{
    static const struct {
        const char *text;
        uint64_t ticks_per_second;
        bool good;
        uint64_t cpu_ns;
        const char *why;
    } rows[] = {
        {"", 100, false, 0, "empty"},
        {"1 haild S 1 2 3 4 5 6 7 8 9 10 300 50\n", 100, false, 0, "no name in brackets"},
        {"1 (haild)", 100, false, 0, "cut behind the name"},
        {"1 (haild) S 1 2 3 4 5 6 7 8 9 10 300", 100, false, 0, "cut before the system time"},
        {"1 (haild)" STAT_TAIL, 0, false, 0, "no ticks"},
        {"1 (haild)" STAT_TAIL, 100, true, 3500000000, "350 ticks of 10 ms"},
        {"1 (a b)" STAT_TAIL, 100, true, 3500000000, "a space in the name"},
        {"1 (a) 9 (b)" STAT_TAIL, 100, true, 3500000000, "brackets in the name"},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        uint64_t cpu_ns = UNTOUCHED;
        bool good = process_parse_stat(rows[i].text, rows[i].ticks_per_second, &cpu_ns);
        ck_assert_msg(good == rows[i].good, "%s", rows[i].why);
        ck_assert_msg(cpu_ns == (good ? rows[i].cpu_ns : UNTOUCHED), "%s", rows[i].why);
    }
}
END_TEST

START_TEST(no_such_process_is_refused)
{
    uint64_t value = UNTOUCHED;

    // Above any pid that the kernel gives out.
    ck_assert(!process_cpu_ns(INT_MAX, &value));
    ck_assert(!process_resident_bytes(INT_MAX, &value));
    ck_assert_uint_eq(value, UNTOUCHED);
}
END_TEST

static uint64_t own_cpu_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

// Both count the same, but the one is brought up to date by the scheduler's ticks.
START_TEST(our_own_time_grows_with_work)
{
    enum {
        WORK_NS = 100000000,
        SLACK_NS = 50000000
    };
    uint64_t before_ns;
    uint64_t after_ns;
    uint64_t resident = 0;

    ck_assert(process_cpu_ns(getpid(), &before_ns));
    uint64_t began_ns = own_cpu_ns();
    while (own_cpu_ns() - began_ns < WORK_NS)
        continue;
    ck_assert(process_cpu_ns(getpid(), &after_ns));
    ck_assert_uint_ge(after_ns - before_ns, WORK_NS - SLACK_NS);
    ck_assert(process_resident_bytes(getpid(), &resident));
    ck_assert_uint_gt(resident, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, schedstat_is_read_or_refused);
    tcase_add_test(tcase, stat_is_read_or_refused);
    tcase_add_test(tcase, no_such_process_is_refused);
    tcase_add_test(tcase, our_own_time_grows_with_work);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
