// test_simulation.c: a bad network as people write it: what each right one means, and what each
// wrong one is told.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/vectors.h"
#include "tools/simulation.h"

static const struct {
    const char *text;
    struct hail_simulation want; // but for its size
} good[] = {
    {"delay=25ms", {.delay_us = 25000}},
    {"delay=1s", {.delay_us = 1000000}},
    {"delay=60s", {.delay_us = 60000000}},
    {"delay=60000000us", {.delay_us = 60000000}},
    {"delay=0ms", {.delay_us = 0}},
    {"delay=0.5ms", {.delay_us = 500}},
    {"delay=1.000001s", {.delay_us = 1000001}},
    {"jitter=7us", {.jitter_us = 7}},
    {"loss=0%", {.loss = 0}},
    {"loss=1%", {.loss = 10000}},
    {"loss=0.0001%", {.loss = 1}},
    {"loss=100%", {.loss = 1000000}},
    {"duplicate=0.5%", {.duplication = 5000}},
    {"reorder=1%:2ms", {.reordering = 10000, .reorder_us = 2000}},
    {"rate=1", {.rate = 1}},
    {"rate=4294967295", {.rate = UINT32_MAX}},
    {"queue=50ms,rate=1000", {.rate = 1000, .queue_us = 50000}},
    {"rebind=500ms", {.rebind_ms = 500}},
    {"rebind=1.5s", {.rebind_ms = 1500}},
    {"rebind=51ms,delay=20ms,jitter=5ms", {.rebind_ms = 51, .delay_us = 20000, .jitter_us = 5000}},
    {"seed=18446744073709551615", {.seed = UINT64_MAX}},
    {"delay=25ms,jitter=5ms,loss=1%,duplicate=0.5%,reorder=1%:2ms,rate=1000000,rebind=500ms",
     {.delay_us = 25000,
      .jitter_us = 5000,
      .loss = 10000,
      .duplication = 5000,
      .reordering = 10000,
      .reorder_us = 2000,
      .rate = 1000000,
      .rebind_ms = 500}},
};

#define TIME  "must be a time up to 60s, with its unit"
#define SHARE "must be a share from 0% to 100%"
#define RATE  "must be bytes a second, from 1 to 4294967295"

static const struct {
    const char *why;
    const char *text;
    const char *want; // part of what is told
} faults[] = {
    {"nothing", "", "must be KEY=VALUE"},
    {"a word", "bad", "bad: must be KEY=VALUE, such as delay=25ms"},
    {"an empty part", "delay=1ms,,loss=1%", "must be KEY=VALUE"},
    {"a comma at the end", "delay=1ms,", "must be KEY=VALUE"},
    {"no such key", "lag=1ms", "lag=1ms: no such key; there are delay, jitter, loss, duplicate"},
    {"the beginning of a key", "del=1ms", "no such key"},
    {"no key", "=1ms", "no such key"},
    {"more than a key", "delays=1ms", "no such key"},
    {"a space", "delay=1ms, loss=1%", " loss=1%: no such key"},
    {"twice", "loss=1%,delay=1ms,loss=2%", "loss=2%: is given twice; leave one out"},
    {"no unit", "delay=25", "delay=25: " TIME ", such as 25ms"},
    {"no such unit", "delay=25min", TIME},
    {"a unit alone", "delay=ms", TIME},
    {"nothing behind a key", "delay=", TIME},
    {"negative", "delay=-1ms", TIME},
    {"a sign", "delay=+1ms", TIME},
    {"no digit before the point", "delay=.5ms", TIME},
    {"no digit behind the point", "delay=5.ms", TIME},
    {"an exponent", "delay=1e3us", TIME},
    {"a tail", "delay=1msx", TIME},
    {"finer than a microsecond", "delay=0.5us", TIME},
    {"too long", "delay=60.000001s", TIME},
    {"longer than fits", "delay=99999999s", TIME},
    {"longer than any", "delay=18446744073709551616us", TIME},
    {"no share", "loss=1", "loss=1: " SHARE ", in steps of 0.0001%, such as 1%"},
    {"more than all", "loss=100.0001%", SHARE},
    {"finer than one in a million", "loss=0.00001%", SHARE},
    {"a share with a tail", "duplicate=1%:1ms", SHARE},
    {"no time", "reorder=1%", "must be a share and by how long"},
    {"no share of what is out of turn", "reorder=2ms", "must be a share and by how long"},
    {"out of turn by nothing", "reorder=1%:0ms", "must be a share and by how long"},
    {"no rate", "rate=0", RATE},
    {"a rate with a unit", "rate=1MB", RATE},
    {"too high a rate", "rate=4294967296", RATE},
    {"a queue for nothing", "queue=1ms", "queue: nothing waits without a rate"},
    {"never", "rebind=0ms", "rebind=0ms: must be a time from 1ms to 60s"},
    {"half a millisecond", "rebind=1.5ms", "in whole ms"},
    {"a port that no answer reaches", "delay=20ms,jitter=5ms,rebind=50ms",
     "rebind: the port would change before any answer comes; must be longer than twice delay"},
    {"no seed", "seed=0", "must be a whole number"},
    {"a key as long as a line",
     "delay=00000000000000000000000000000000000000000000000000000000000000001ms",
     "is longer than any"},
};

START_TEST(test_good)
{
    struct hail_simulation want = good[_i].want;
    struct hail_simulation got;
    char fault[SIMULATION_FAULT_LEN] = "";

    want.size = sizeof want;
    ck_assert_msg(simulation_read(&got, good[_i].text, fault), "%s: %s", good[_i].text, fault);
    size_t len = offsetof(struct hail_simulation, rebind_ms) + sizeof got.rebind_ms; // no padding
    ck_assert_msg(memcmp(&got, &want, len) == 0, "%s", good[_i].text);
}
END_TEST

START_TEST(test_fault)
{
    struct hail_simulation got = {.delay_us = 42};
    char fault[SIMULATION_FAULT_LEN] = "";

    ck_assert_msg(!simulation_read(&got, faults[_i].text, fault), "%s: taken", faults[_i].why);
    ck_assert_msg(strstr(fault, faults[_i].want) != NULL, "%s: %s", faults[_i].why, fault);
    ck_assert_msg(strchr(fault, '\n') == NULL, "%s: one line", faults[_i].why);
    ck_assert_uint_eq(got.delay_us, 42);
}
END_TEST

START_TEST(test_longest_way)
{
    struct hail_simulation simulation;
    char fault[SIMULATION_FAULT_LEN];

    ck_assert(simulation_read(&simulation, "delay=1ms,jitter=2ms,reorder=1%:4ms", fault));
    ck_assert_uint_eq(simulation_way_us(&simulation), 7000);
    ck_assert(simulation_read(&simulation, "delay=1ms,rate=9", fault));
    ck_assert_uint_eq(simulation_way_us(&simulation), 101000); // hail.h: the default of queue_us
    ck_assert(simulation_read(&simulation, "delay=1ms,rate=9,queue=3ms", fault));
    ck_assert_uint_eq(simulation_way_us(&simulation), 4000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulation");
    TCase *tests = tcase_create("simulation");

    tcase_add_loop_test(tests, test_good, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tests, test_fault, 0, sizeof faults / sizeof *faults);
    tcase_add_test(tests, test_longest_way);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
