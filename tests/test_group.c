// test_group.c: a shard's groups against arrays that say who is in which, and counts that other
// threads read meanwhile.
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <string.h>

#include "engine/shard/group.h"
#include "tests/vectors.h"

enum {
    SLOTS = 40,
    NAMES = 24,
    GROUPS = 16,       // fewer than names, and
    MEMBERSHIPS = 120, // fewer than slots in them: both limits are met
    STEPS = 200000
};

static struct hail_arena arena;
static struct hail_groups groups;
static bool model[NAMES][SLOTS];

static void setup(void)
{
    arena = (struct hail_arena){0};
    memset(model, 0, sizeof model);
    memset(&groups, 0, sizeof groups);
    hail_groups_init(&groups, &arena, GROUPS, MEMBERSHIPS, SLOTS);
    ck_assert(hail_arena_reserve(&arena));
    hail_groups_init(&groups, &arena, GROUPS, MEMBERSHIPS, SLOTS);
}

static void teardown(void)
{
    hail_arena_cleanup(&arena);
}

static struct hail_group group_of(size_t name)
{
    return (struct hail_group){(uint64_t)(name / 5) << 32 | name % 5}; // cells, 0 among them
}

static uint32_t members_of(size_t name)
{
    uint32_t count = 0;

    for (size_t slot = 0; slot < SLOTS; slot++)
        count += model[name][slot];
    return count;
}

static enum hail_status model_join(size_t name, uint32_t slot)
{
    uint32_t used = 0;
    uint32_t memberships = 0;

    if (model[name][slot])
        return HAIL_OK;
    for (size_t i = 0; i < NAMES; i++) {
        used += members_of(i) > 0;
        memberships += members_of(i);
    }
    if (memberships == MEMBERSHIPS || (used == GROUPS && members_of(name) == 0))
        return HAIL_EFULL;
    model[name][slot] = true;
    return HAIL_OK;
}

// Each member once, and nobody else; every now and then the one just given leaves.
static void check_walk(size_t name, bool leaves)
{
    struct hail_group_walk walk = hail_groups_walk(&groups, group_of(name));
    bool seen[SLOTS] = {false};
    uint32_t count = members_of(name);
    uint32_t slot;

    ck_assert_uint_eq(hail_groups_count(&groups, group_of(name)), count);
    while (hail_groups_next(&groups, &walk, &slot)) {
        ck_assert(model[name][slot]);
        ck_assert(!seen[slot]);
        seen[slot] = true;
        count--;
        if (leaves && slot % 3 == 0) {
            hail_groups_leave_all(&groups, slot);
            for (size_t i = 0; i < NAMES; i++)
                model[i][slot] = false;
        }
    }
    ck_assert_uint_eq(count, 0);
}

static void step(uint64_t *dice)
{
    size_t name = test_next(dice) % NAMES;
    uint32_t slot = (uint32_t)(test_next(dice) % SLOTS);

    switch (test_next(dice) % 64) {
    case 0:
        hail_groups_leave_all(&groups, slot);
        for (size_t i = 0; i < NAMES; i++)
            model[i][slot] = false;
        break;
    case 1:
        check_walk(name, true);
        break;
    default:
        if (test_next(dice) % 5 < 2) {
            hail_groups_leave(&groups, group_of(name), slot);
            model[name][slot] = false;
        } else {
            enum hail_status want = model_join(name, slot);
            ck_assert_int_eq(hail_groups_join(&groups, group_of(name), slot), want);
        }
    }
}

START_TEST(test_against_arrays)
{
    uint64_t dice = test_seed();

    for (int i = 0; i < STEPS; i++) {
        step(&dice);
        check_walk(test_next(&dice) % NAMES, false);
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        hail_groups_leave_all(&groups, slot);
    ck_assert_uint_eq(groups.groups.used_count, 0);
    ck_assert_uint_eq(groups.memberships.used_count, 0);
}
END_TEST

static _Atomic bool done;

// One group has one member all the time; others come and go in its bucket.
static void *count_one(void *argument)
{
    (void)argument;
    while (!atomic_load(&done)) {
        if (hail_groups_count(&groups, group_of(0)) != 1)
            return (void *)"a count was not that of its group";
    }
    return NULL;
}

START_TEST(test_counts_from_another_thread)
{
    pthread_t reader;
    void *fault;

    atomic_store(&done, false);
    ck_assert_int_eq(hail_groups_join(&groups, group_of(0), 0), HAIL_OK);
    ck_assert_int_eq(pthread_create(&reader, NULL, count_one, NULL), 0);
    for (int i = 0; i < STEPS; i++) {
        struct hail_group group = group_of(1 + (size_t)i % (NAMES - 1));
        ck_assert_int_eq(hail_groups_join(&groups, group, 1), HAIL_OK);
        ck_assert_int_eq(hail_groups_join(&groups, group, 2), HAIL_OK);
        hail_groups_leave_all(&groups, 1 + (uint32_t)(i % 2));
        hail_groups_leave_all(&groups, 2 - (uint32_t)(i % 2));
    }
    atomic_store(&done, true);
    pthread_join(reader, &fault);
    ck_assert_msg(!fault, "%s", (const char *)fault);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("group");
    TCase *tests = tcase_create("group");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_against_arrays);
    tcase_add_test(tests, test_counts_from_another_thread);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
