// test_outbox.c: where datagrams lie, in which order they are given away, and when it is empty.
// SPDX-License-Identifier: MIT
#include "engine/delivery/outbox.h"
#include "tests/vectors.h"

START_TEST(test_outbox)
{
    struct hail_arena arena = {0};
    struct hail_outbox outbox;

    hail_outbox_init(&outbox, &arena, 3);
    ck_assert(hail_arena_reserve(&arena));
    hail_outbox_init(&outbox, &arena, 3);
    ck_assert_uint_eq(outbox.max, 3 + HAIL_OUTBOX_EXTRA);
    ck_assert_uint_eq(hail_outbox_next(&outbox), HAIL_OUTGOING_NONE);
    for (uint32_t i = 0; i < outbox.max; i++)
        ck_assert_uint_eq(hail_outbox_add(&outbox, i, 1), i);
    ck_assert_uint_eq(hail_outbox_add(&outbox, 0, 1), HAIL_OUTGOING_NONE);
    ck_assert_ptr_eq(hail_outbox_bytes(&outbox, 1),
                     hail_outbox_bytes(&outbox, 0) + HAIL_OUTBOX_ROOM);
    outbox.list[1].given = true; // with another's, before its turn
    ck_assert_uint_eq(hail_outbox_next(&outbox), 0);
    outbox.list[0].given = true;
    ck_assert_uint_eq(hail_outbox_next(&outbox), 2);
    hail_outbox_clear(&outbox); // there are some left
    ck_assert_uint_eq(outbox.count, outbox.max);
    for (uint32_t i = 2; i < outbox.max; i++)
        outbox.list[i].given = true;
    hail_outbox_clear(&outbox);
    ck_assert_uint_eq(outbox.count, 0);
    ck_assert_uint_eq(hail_outbox_add(&outbox, 7, 2), 0);
    ck_assert_uint_eq(outbox.list[0].slot, 7);
    ck_assert(!outbox.list[0].given && outbox.list[0].sent == HAIL_SLAB_NONE);
    hail_arena_cleanup(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tcase = tcase_create("outbox");

    tcase_add_test(tcase, test_outbox);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
