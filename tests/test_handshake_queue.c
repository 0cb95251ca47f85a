// test_handshake_queue.c: who waits is served in turn, and no more wait than there is room for.
// SPDX-License-Identifier: MIT
#include "engine/handshake/handshake_queue.h"

#include <string.h>

#include "tests/vectors.h"

static struct hail_arena arena;
static struct hail_handshake_queue queue;

static void set_up(void)
{
    memset(&arena, 0, sizeof arena);
    hail_handshake_queue_init(&queue, &arena, true);
    ck_assert(hail_arena_reserve(&arena));
    hail_handshake_queue_init(&queue, &arena, true);
}

static void tear_down(void)
{
    hail_arena_cleanup(&arena);
}

static bool add(uint32_t number)
{
    const struct hail_path from = {.v4 = {.sin_family = AF_INET, .sin_addr = {number}}};

    return hail_handshake_queue_add(&queue, &from, (const uint8_t *)&number, sizeof number);
}

static void expect(uint32_t number)
{
    const struct hail_queued_handshake *queued = hail_handshake_queue_next(&queue);

    ck_assert_ptr_nonnull(queued);
    ck_assert_uint_eq(queued->len, sizeof number);
    ck_assert_mem_eq(queued->data, &number, sizeof number);
    ck_assert_uint_eq(queued->from.v4.sin_addr.s_addr, number);
}

START_TEST(first_come_first_served_round_and_round)
{
    uint32_t in = 0;
    uint32_t out = 0;

    while (out < 5 * HAIL_HANDSHAKE_QUEUE_MAX) {
        for (int i = 0; i < 7; i++) {
            if (in - out < HAIL_HANDSHAKE_QUEUE_MAX)
                ck_assert(add(in++));
        }
        for (int i = 0; i < 5; i++)
            expect(out++);
    }
}
END_TEST

START_TEST(a_full_one_takes_nobody_and_loses_nobody)
{
    for (uint32_t i = 0; i < HAIL_HANDSHAKE_QUEUE_MAX; i++)
        ck_assert(add(i));
    ck_assert(!add(HAIL_HANDSHAKE_QUEUE_MAX));
    for (uint32_t i = 0; i < HAIL_HANDSHAKE_QUEUE_MAX; i++)
        expect(i);
    ck_assert_ptr_null(hail_handshake_queue_next(&queue));
}
END_TEST

START_TEST(who_waits_when_it_is_cleared_leaves_nothing)
{
    static const uint8_t nothing[sizeof(uint32_t)];

    for (uint32_t i = 0; i < 3; i++)
        ck_assert(add(0x5a5a5a5a));
    hail_handshake_queue_cleanup(&queue);
    ck_assert_ptr_null(hail_handshake_queue_next(&queue));
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_mem_eq(queue.list[i].data, nothing, sizeof nothing);
    hail_handshake_queue_cleanup(&(struct hail_handshake_queue){0});
}
END_TEST

START_TEST(one_that_greets_nobody_costs_nothing)
{
    struct hail_arena none = {0};
    struct hail_handshake_queue empty;

    hail_handshake_queue_init(&empty, &none, false);
    ck_assert_uint_eq(none.used, 0);
    ck_assert_ptr_null(hail_handshake_queue_next(&empty));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handshake_queue");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, first_come_first_served_round_and_round);
    tcase_add_test(tcase, a_full_one_takes_nobody_and_loses_nobody);
    tcase_add_test(tcase, who_waits_when_it_is_cleared_leaves_nothing);
    tcase_add_test(tcase, one_that_greets_nobody_costs_nothing);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
