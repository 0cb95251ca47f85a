// test_mailbox.c: records through a mailbox, whole, once and in order, from one thread and from
// many.
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "engine/memory/mailbox.h"
#include "tests/vectors.h"

enum {
    CAPACITY = 4096,
    STEPS = 20000,
    PRODUCERS = 3,
    RECORDS = 20000,
    RECORD_LEN_MAX = 400
};

static struct hail_arena arena;
static struct hail_mailbox box;

static void setup(void)
{
    arena = (struct hail_arena){0};
    hail_mailbox_init(&box, &arena, CAPACITY);
    ck_assert(hail_arena_reserve(&arena));
    hail_mailbox_init(&box, &arena, CAPACITY);
}

static void teardown(void)
{
    hail_arena_cleanup(&arena);
}

START_TEST(test_bounds)
{
    size_t len;

    ck_assert_ptr_null(hail_mailbox_next(&box, &len));
    ck_assert_ptr_null(hail_mailbox_reserve(&box, hail_mailbox_record_max(&box) + 1));
    void *longest = hail_mailbox_reserve(&box, hail_mailbox_record_max(&box));
    ck_assert_ptr_nonnull(longest);
    ck_assert_msg(!hail_mailbox_next(&box, &len), "what is not committed is not seen");
    hail_mailbox_commit(longest);
    ck_assert_ptr_eq(hail_mailbox_next(&box, &len), longest);
    ck_assert_uint_eq(len, hail_mailbox_record_max(&box));
}
END_TEST

START_TEST(test_full_is_an_answer)
{
    size_t count = 0;
    size_t len;
    void *record;

    while ((record = hail_mailbox_reserve(&box, 56)) != NULL) { // 64 with its header
        hail_mailbox_commit(record);
        count++;
    }
    ck_assert_uint_eq(count, CAPACITY / 64);
    for (size_t i = 0; i < count; i++)
        ck_assert_ptr_nonnull(hail_mailbox_next(&box, &len));
    ck_assert_msg(!hail_mailbox_next(&box, &len), "a full ring ends where it began");
    ck_assert_msg(!hail_mailbox_reserve(&box, 8), "read is not yet released");
    hail_mailbox_release(&box);
    ck_assert_ptr_nonnull(hail_mailbox_reserve(&box, 8));
}
END_TEST

START_TEST(test_abandoned_is_skipped)
{
    size_t len;
    void *first = hail_mailbox_reserve(&box, 10);
    void *second = hail_mailbox_reserve(&box, 20);

    hail_mailbox_commit(second);
    ck_assert_msg(!hail_mailbox_next(&box, &len), "the first is still being filled");
    hail_mailbox_abandon(first);
    ck_assert_ptr_eq(hail_mailbox_next(&box, &len), second);
    ck_assert_uint_eq(len, 20);
}
END_TEST

START_TEST(test_sleep)
{
    void *record = hail_mailbox_reserve(&box, 8);

    ck_assert_msg(!hail_mailbox_wake(&box), "nobody sleeps yet");
    ck_assert_msg(!hail_mailbox_sleep(&box), "the wake-up before the sleep is kept");
    ck_assert_msg(hail_mailbox_sleep(&box), "nothing is committed");
    ck_assert_msg(hail_mailbox_sleep(&box), "woken by its timer, it sleeps again");
    hail_mailbox_commit(record);
    ck_assert_msg(hail_mailbox_wake(&box), "the first to post wakes");
    ck_assert_msg(!hail_mailbox_wake(&box), "the second need not");
    ck_assert_msg(!hail_mailbox_sleep(&box), "it has been woken");
    ck_assert_msg(!hail_mailbox_sleep(&box), "a record waits");
    ck_assert_msg(hail_mailbox_rest(&box), "a record waits, and there is no taking it");
    ck_assert_msg(hail_mailbox_wake(&box), "it rests");
    ck_assert_msg(!hail_mailbox_rest(&box), "it has been woken from its rest");
}
END_TEST

// Any mix of lengths and of how far the reader is behind, around the ring many times.
START_TEST(test_against_counter)
{
    uint64_t seed = test_seed();
    uint64_t written = 0;
    uint64_t read = 0;

    for (int step = 0; step < STEPS; step++) {
        size_t len = 8 + test_next(&seed) % RECORD_LEN_MAX;
        uint8_t *record = test_next(&seed) % 2 ? hail_mailbox_reserve(&box, len) : NULL;
        if (record) {
            memcpy(record, &written, 8);
            memset(record + 8, (int)(written & 0xff), len - 8);
            written++;
            hail_mailbox_commit(record);
        }
        while (test_next(&seed) % 2 && (record = hail_mailbox_next(&box, &len)) != NULL) {
            ck_assert_mem_eq(record, &read, 8);
            for (size_t i = 8; i < len; i++)
                ck_assert_uint_eq(record[i], read & 0xff);
            read++;
        }
        if (test_next(&seed) % 3 == 0)
            hail_mailbox_release(&box);
    }
    ck_assert_uint_gt(read, STEPS / 8);
    ck_assert_uint_le(read, written);
}
END_TEST

struct record {
    uint64_t producer;
    uint64_t number;
};

static void *produce(void *argument)
{
    uint64_t producer = (uint64_t)(uintptr_t)argument;
    uint64_t seed = producer;

    for (uint64_t number = 0; number < RECORDS;) {
        size_t len = sizeof(struct record) + test_next(&seed) % 200;
        struct record *record = hail_mailbox_reserve(&box, len);
        if (!record) {
            sched_yield();
            continue;
        }
        memset(record, (int)producer, len);
        *record = (struct record){producer, number++};
        hail_mailbox_commit(record);
    }
    return NULL;
}

START_TEST(test_many_producers)
{
    pthread_t threads[PRODUCERS];
    uint64_t next[PRODUCERS] = {0};
    size_t len;

    for (uintptr_t i = 0; i < PRODUCERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
    for (size_t taken = 0; taken < (size_t)PRODUCERS * RECORDS;) {
        const struct record *record = hail_mailbox_next(&box, &len);
        if (!record) {
            hail_mailbox_release(&box);
            sched_yield();
            continue;
        }
        ck_assert_uint_lt(record->producer, PRODUCERS);
        ck_assert_uint_eq(record->number, next[record->producer]);
        next[record->producer]++;
        for (size_t i = sizeof *record; i < len; i++)
            ck_assert_uint_eq(((const uint8_t *)record)[i], record->producer);
        taken++;
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *tests = tcase_create("mailbox");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_bounds);
    tcase_add_test(tests, test_full_is_an_answer);
    tcase_add_test(tests, test_abandoned_is_skipped);
    tcase_add_test(tests, test_sleep);
    tcase_add_test(tests, test_against_counter);
    tcase_add_test(tests, test_many_producers);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
