// test_shed.c: floods of every size are brought down to what a shard wants to see, and nothing is
// thrown away without one.
// SPDX-License-Identifier: MIT
#include "engine/shed.h"

#include "tests/vectors.h"

static const uint64_t window_ns = HAIL_SHED_WINDOW_MS * UINT64_C(1000000);

static const struct {
    const char *why;
    uint32_t offered; // in a window
    bool sheds;
} floods[] = {
    {"nothing", 0, false},
    {"a few", 10, false},
    {"just what it wants", HAIL_SHED_PER_WINDOW, false},
    {"a little more", HAIL_SHED_PER_WINDOW * 5 / 4, true},
    {"a flood", 10000, true},
    {"a large one", 1000000, true},
};

// By lot, as the kernel does it.
static uint32_t come_through(struct hail_shed *shed, uint32_t offered, uint64_t *dice)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < offered; i++)
        count += (uint32_t)(test_next(dice) >> 32) <= shed->admits;
    for (uint32_t i = 0; i < count; i++)
        hail_shed_count(shed);
    return count;
}

START_TEST(test_flood)
{
    struct hail_shed shed = {.admits = HAIL_SHED_NONE};
    uint64_t dice = test_seed();
    uint64_t now_ns = window_ns;

    hail_shed_turn(&shed, now_ns);
    for (int window = 0; window < 20; window++) {
        uint32_t count = come_through(&shed, floods[_i].offered, &dice);
        if (!floods[_i].sheds)
            ck_assert_msg(count == floods[_i].offered, "%s: shed", floods[_i].why);
        else if (window > 0) // the first window is not expected by anybody
            ck_assert_msg(count > HAIL_SHED_PER_WINDOW * 3 / 4 &&
                              count < HAIL_SHED_PER_WINDOW * 4 / 3,
                          "%s: window %d: %u come through", floods[_i].why, window, count);
        now_ns += window_ns;
        hail_shed_turn(&shed, now_ns);
        ck_assert_msg((shed.admits != HAIL_SHED_NONE) == floods[_i].sheds, "%s", floods[_i].why);
    }
    // It is over, and the shard is woken to see it.
    if (floods[_i].sheds)
        ck_assert_uint_eq(hail_shed_next_ns(&shed), now_ns + window_ns);
    hail_shed_turn(&shed, now_ns + window_ns);
    ck_assert_uint_eq(shed.admits, HAIL_SHED_NONE);
    ck_assert_uint_eq(hail_shed_next_ns(&shed), UINT64_MAX);
}
END_TEST

START_TEST(test_within_a_window_nothing_changes)
{
    struct hail_shed shed = {.admits = HAIL_SHED_NONE};

    hail_shed_turn(&shed, window_ns);
    for (int i = 0; i < 100000; i++)
        hail_shed_count(&shed);
    hail_shed_turn(&shed, 2 * window_ns - 1);
    ck_assert_uint_eq(shed.admits, HAIL_SHED_NONE);
    hail_shed_turn(&shed, 2 * window_ns);
    ck_assert_uint_ne(shed.admits, HAIL_SHED_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shed");
    TCase *tests = tcase_create("all");

    tcase_add_loop_test(tests, test_flood, 0, sizeof floods / sizeof floods[0]);
    tcase_add_test(tests, test_within_a_window_nothing_changes);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
