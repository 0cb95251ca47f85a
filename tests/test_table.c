// test_table.c: names that go stale, and readers in other threads that never see half of a key or
// another connection's.
// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include "engine/shard/table.h"
#include "tests/vectors.h"

enum {
    SLOTS = 4,
    ROUNDS = 100000,
    READERS = 2
};

static struct hail_arena arena;
static struct hail_table table;

static void setup(void)
{
    arena = (struct hail_arena){0};
    hail_table_init(&table, &arena, SLOTS, 7);
    ck_assert(hail_arena_reserve(&arena));
    hail_table_init(&table, &arena, SLOTS, 7);
}

static void teardown(void)
{
    hail_arena_cleanup(&arena);
}

static const struct hail_name names[] = {
    {0, 1, 0},
    {255, 1, 0},
    {0, UINT32_MAX, 0},
    {0, 1, HAIL_SLOTS_MAX - 1},
    {254, UINT32_MAX, (1u << HAIL_SLOT_BITS) - 1},
};

START_TEST(test_name_round_trip)
{
    struct hail_name again = hail_name_unpack(hail_name_pack(names[_i]));

    ck_assert_uint_eq(again.shard, names[_i].shard);
    ck_assert_uint_eq(again.generation, names[_i].generation);
    ck_assert_uint_eq(again.slot, names[_i].slot);
}
END_TEST

START_TEST(test_names_go_stale)
{
    struct hail_slot_view view;
    uint32_t slot = hail_table_take(&table);
    struct hail_conn conn = hail_table_name(&table, slot);

    ck_assert_uint_ne(conn.id, 0);
    ck_assert_uint_eq(hail_table_find(&table, conn), slot);
    ck_assert(hail_table_read(&table, conn, &view));
    hail_table_free(&table, slot);
    ck_assert_msg(hail_table_find(&table, conn) == HAIL_SLOT_NONE, "ended");
    ck_assert_uint_eq(hail_table_take(&table), slot);
    ck_assert_msg(hail_table_find(&table, conn) == HAIL_SLOT_NONE, "and another has its slot");
    ck_assert(!hail_table_read(&table, conn, &view));
}
END_TEST

START_TEST(test_names_of_nobody)
{
    struct hail_slot_view view;
    const struct hail_conn nobody[] = {
        {0},
        {UINT64_MAX},
        hail_name_pack((struct hail_name){7, 1, 0}),     // never taken
        hail_name_pack((struct hail_name){7, 0, 0}),     // a free slot's generation
        hail_name_pack((struct hail_name){7, 1, SLOTS}), // no such slot
        hail_name_pack((struct hail_name){8, 1, 0}),     // another shard's
    };

    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        ck_assert_msg(hail_table_find(&table, nobody[i]) == HAIL_SLOT_NONE, "row %zu", i);
        ck_assert_msg(!hail_table_read(&table, nobody[i], &view), "row %zu", i);
    }
}
END_TEST

START_TEST(test_full)
{
    for (int i = 0; i < SLOTS; i++)
        ck_assert_uint_ne(hail_table_take(&table), HAIL_SLOT_NONE);
    ck_assert_uint_eq(hail_table_take(&table), HAIL_SLOT_NONE);
    hail_table_free(&table, 2);
    ck_assert_uint_eq(hail_table_take(&table), 2);
}
END_TEST

START_TEST(test_published_is_wiped)
{
    uint8_t key[HAIL_KEY_LEN];
    struct hail_slot_view view;
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = 4711};
    uint32_t slot = hail_table_take(&table);

    memset(key, 0x5a, sizeof key);
    hail_table_publish_peer(&table, slot, (struct sockaddr *)&peer, sizeof peer);
    hail_table_publish_key(&table, slot, key);
    hail_table_publish_connected(&table, slot);
    hail_table_count(&table, slot, HAIL_CONN_FIGURE_BYTES_IN, 3);
    ck_assert(hail_table_read(&table, hail_table_name(&table, slot), &view));
    ck_assert_uint_eq(view.facts, HAIL_FACT_KEY | HAIL_FACT_CONNECTED);
    ck_assert_mem_eq(view.key, key, sizeof key);
    ck_assert_mem_eq(&view.peer, &peer, sizeof peer);
    ck_assert_uint_eq(view.traffic[HAIL_CONN_FIGURE_BYTES_IN], 3);

    hail_table_free(&table, slot);
    ck_assert_uint_eq(hail_table_take(&table), slot);
    ck_assert(hail_table_read(&table, hail_table_name(&table, slot), &view));
    ck_assert_uint_eq(view.facts, 0);
    for (size_t i = 0; i < sizeof key; i++)
        ck_assert_uint_eq(view.key[i], 0);
    ck_assert_uint_eq(view.traffic[HAIL_CONN_FIGURE_BYTES_IN], 0);
}
END_TEST

// The writer's newest name, for readers to chase; and that it is over.
static _Atomic uint64_t newest;
static _Atomic bool done;

// A key that says whose it is in every byte.
static void key_of(struct hail_conn conn, uint8_t key[HAIL_KEY_LEN])
{
    for (size_t i = 0; i < HAIL_KEY_LEN; i += 8)
        memcpy(key + i, &conn.id, 8);
}

static void *read_keys(void *argument)
{
    uint64_t *found = argument;
    uint8_t want[HAIL_KEY_LEN];
    struct hail_slot_view view;

    while (!atomic_load(&done)) {
        struct hail_conn conn = {atomic_load(&newest)};
        if (!hail_table_read(&table, conn, &view) || !(view.facts & HAIL_FACT_KEY))
            continue;
        key_of(conn, want);
        if (memcmp(view.key, want, sizeof want) != 0)
            return (void *)"a key was torn or another's";
        (*found)++;
    }
    return NULL;
}

START_TEST(test_readers_against_a_storm)
{
    pthread_t readers[READERS];
    uint64_t found[READERS] = {0};
    uint8_t key[HAIL_KEY_LEN];

    atomic_store(&done, false);
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_keys, &found[i]), 0);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t slot = hail_table_take(&table);
        struct hail_conn conn = hail_table_name(&table, slot);
        key_of(conn, key);
        hail_table_publish_key(&table, slot, key);
        atomic_store(&newest, conn.id);
        hail_table_publish_connected(&table, slot);
        hail_table_free(&table, slot);
    }
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++) {
        void *fault;
        pthread_join(readers[i], &fault);
        ck_assert_msg(!fault, "%s", (const char *)fault);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("table");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_name_round_trip, 0, sizeof names / sizeof *names);
    tcase_add_test(tests, test_names_go_stale);
    tcase_add_test(tests, test_names_of_nobody);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_published_is_wiped);
    tcase_add_test(tests, test_readers_against_a_storm);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
