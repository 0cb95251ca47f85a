// test_queue.c: the queue of slots against a plain list.
// SPDX-License-Identifier: MIT
#include "engine/memory/queue.h"
#include "tests/vectors.h"

enum {
    SLOTS = 13,
    STEPS = 20000
};

START_TEST(test_against_list)
{
    struct hail_arena arena = {0};
    struct hail_queue queue;
    uint32_t list[SLOTS];
    size_t list_len = 0;
    uint64_t seed = test_seed();

    hail_queue_init(&queue, &arena, SLOTS);
    ck_assert(hail_arena_reserve(&arena));
    hail_queue_init(&queue, &arena, SLOTS);
    for (int step = 0; step < STEPS; step++) {
        uint32_t slot = (uint32_t)(test_next(&seed) % SLOTS);
        if (test_next(&seed) % 5 < 3) {
            bool there = false;
            for (size_t i = 0; i < list_len; i++)
                there |= list[i] == slot;
            if (!there)
                list[list_len++] = slot;
            hail_queue_push(&queue, slot);
        } else {
            ck_assert_int_eq(hail_queue_pop(&queue, &slot), list_len > 0);
            if (list_len > 0) {
                ck_assert_uint_eq(slot, list[0]);
                for (size_t i = 1; i < list_len; i++)
                    list[i - 1] = list[i];
                list_len--;
            }
        }
        ck_assert_uint_eq(queue.count, list_len);
    }
    hail_arena_cleanup(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tests = tcase_create("queue");

    tcase_add_test(tests, test_against_list);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
