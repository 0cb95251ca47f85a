// test_timer.c: the heap of deadlines against a table that is searched.
// SPDX-License-Identifier: MIT
#include "engine/shard/timer.h"
#include "tests/vectors.h"

enum {
    SLOTS = 40,
    STEPS = 30000
};

static uint64_t earliest(const uint64_t *deadlines)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < SLOTS; i++) {
        if (deadlines[i] < least)
            least = deadlines[i];
    }
    return least;
}

START_TEST(test_against_table)
{
    struct hail_arena arena = {0};
    struct hail_timers timers;
    uint64_t deadlines[SLOTS];
    uint64_t seed = test_seed();
    uint64_t now = 0;

    hail_timers_init(&timers, &arena, SLOTS);
    ck_assert(hail_arena_reserve(&arena));
    hail_timers_init(&timers, &arena, SLOTS);
    for (int i = 0; i < SLOTS; i++)
        deadlines[i] = UINT64_MAX;
    for (int step = 0; step < STEPS; step++) {
        uint32_t slot = (uint32_t)(test_next(&seed) % SLOTS);
        if (test_next(&seed) % 4) {
            // Many equal deadlines, some taken away.
            deadlines[slot] = test_next(&seed) % 5 ? now + test_next(&seed) % 50 : UINT64_MAX;
            hail_timers_set(&timers, slot, deadlines[slot]);
            ck_assert_uint_eq(hail_timers_deadline(&timers, slot), deadlines[slot]);
        } else {
            now += test_next(&seed) % 20;
            while (hail_timers_due(&timers, now, &slot)) {
                ck_assert_uint_eq(deadlines[slot], earliest(deadlines));
                ck_assert_uint_le(deadlines[slot], now);
                deadlines[slot] = UINT64_MAX;
            }
            ck_assert_uint_gt(earliest(deadlines), now);
        }
        ck_assert_uint_eq(hail_timers_next(&timers), earliest(deadlines));
    }
    hail_arena_cleanup(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tests = tcase_create("timer");

    tcase_add_test(tests, test_against_table);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
