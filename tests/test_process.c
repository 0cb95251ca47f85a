// test_process.c: what /proc's files say, whole, cut and malformed; and our own CPU time.
// SPDX-License-Identifier: MIT
#include "tools/process.h"

#include <limits.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "crypto/base.h"
#include "crypto/time.h"
#include "tests/vectors.h"

enum {
    UNTOUCHED = 7
};

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
    struct process_cpu cpu = {UNTOUCHED, UNTOUCHED};
    uint64_t value = UNTOUCHED;

    // Above any pid that the kernel gives out.
    ck_assert(!process_cpu_read(INT_MAX, &cpu));
    ck_assert(!process_cpu_read_clock(INT_MAX, &cpu));
    ck_assert(!process_cpu_read_stat(INT_MAX, &cpu));
    ck_assert(!process_resident_bytes(INT_MAX, &value));
    ck_assert_uint_eq(value, UNTOUCHED);
    ck_assert_uint_eq(cpu.ns, UNTOUCHED);
    ck_assert_uint_eq(cpu.step_ns, UNTOUCHED);
}
END_TEST

START_TEST(readings_compare_or_not)
{
    static const struct {
        struct process_cpu before;
        struct process_cpu after;
        bool good;
        uint64_t used_ns;
        const char *why;
    } rows[] = {
        {{9, 1}, {8, 1}, false, 0, "less than before: another process with the same number"},
        {{5, 1}, {10000000, 10000000}, false, 0, "read in two ways, which start apart"},
        {{5, 1}, {5, 1}, true, 0, "it slept"},
        {{5, 1}, {12, 1}, true, 7, "it ran"},
        {{0, 10}, {UINT64_MAX, 10}, true, UINT64_MAX, "the largest"},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        uint64_t used_ns = UNTOUCHED;
        bool good = process_cpu_used(&rows[i].before, &rows[i].after, &used_ns);
        ck_assert_msg(good == rows[i].good, "%s", rows[i].why);
        ck_assert_msg(used_ns == (good ? rows[i].used_ns : UNTOUCHED), "%s", rows[i].why);
    }
}
END_TEST

static uint64_t own_cpu_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return hail_time_ns(&used);
}

enum {
    WORK_NS = 100000000,
    SLACK_NS = 50000000
};

// In a thread that then ends: its time must not end with it.
static void *work(void *unused)
{
    uint64_t began_ns = own_cpu_ns();

    while (own_cpu_ns() - began_ns < WORK_NS)
        continue;
    return unused;
}

static bool (*const ways[])(pid_t, struct process_cpu *) = {
    process_cpu_read_clock,
    process_cpu_read_stat,
    process_cpu_read,
};

// All count the same, but some are brought up to date by the scheduler's ticks.
START_TEST(our_own_time_grows_with_work)
{
    struct process_cpu before;
    struct process_cpu after;
    uint64_t used_ns;
    pthread_t thread;

    ck_assert(ways[_i](getpid(), &before));
    ck_assert_uint_gt(before.step_ns, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, work, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(ways[_i](getpid(), &after));
    ck_assert(process_cpu_used(&before, &after, &used_ns));
    ck_assert_uint_ge(used_ns, WORK_NS - SLACK_NS);
}
END_TEST

START_TEST(memory_is_in_use)
{
    uint64_t resident = 0;

    ck_assert(process_resident_bytes(getpid(), &resident));
    ck_assert_uint_gt(resident, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, stat_is_read_or_refused);
    tcase_add_test(tcase, no_such_process_is_refused);
    tcase_add_test(tcase, readings_compare_or_not);
    tcase_add_loop_test(tcase, our_own_time_grows_with_work, 0, HAIL_COUNTOF(ways));
    tcase_add_test(tcase, memory_is_in_use);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
