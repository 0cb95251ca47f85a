// test_quota.c: who may have more of a memory that many share, and who has to go: row by row, and
// by greedy holders of any number, against what is promised to a newcomer.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "engine/delivery/quota.h"
#include "tests/vectors.h"

enum {
    HOLDERS = 8192,
    SIZE = 1 << 20, // of the tables' memory; its reserve is an eighth
    RESERVE = SIZE / HAIL_QUOTA_RESERVE_PART,
    ALONE = (SIZE - RESERVE) / 17, // what one alone may have: a 16th of what he leaves
    OTHERS = 4,
    BIG_SIZE = 64 << 20, // of the properties'
    PACKET = 2048,       // bytes that greedy ones ask for
    LONG = 52000         // a message of 50,000 bytes, with what holds it
};

static struct hail_arena arena;
static struct hail_quota quota;
static uint32_t used; // bytes
static uint64_t dice;

static void init(uint32_t size, uint64_t one_max)
{
    used = 0;
    dice = test_seed();
    arena = (struct hail_arena){0};
    hail_quota_init(&quota, &arena, HOLDERS, size, one_max);
    ck_assert(hail_arena_reserve(&arena));
    hail_quota_init(&quota, &arena, HOLDERS, size, one_max);
    hail_quota_watch(&quota, &used, size);
}

static void teardown(void)
{
    hail_arena_cleanup(&arena);
}

static void take(uint32_t holder, uint32_t bytes)
{
    used += bytes;
    hail_quota_add(&quota, holder, bytes);
}

static void give(uint32_t holder, uint32_t bytes)
{
    used -= bytes;
    hail_quota_sub(&quota, holder, bytes);
}

// ---- Who may have more

static const struct {
    const char *why;
    uint32_t others[OTHERS]; // what others hold
    uint32_t own;
    uint32_t asks;
    bool gets;
    uint32_t lent; // and so others are asked to go
} asks[] = {
    {"more than there is", {0}, 0, SIZE + 1, false, 0},
    {"more than the share of one who is alone", {0}, 0, ALONE + 1, false, 0},
    {"the share of one who is alone", {0}, 0, ALONE, true, 0},
    {"a byte more than it", {0}, ALONE, 1, false, 0},
    {"a byte more, and somebody holds as much", {ALONE}, ALONE, 1, false, 0},
    {"a share is a 16th of what is left", {300000, 400000}, 0, 12794, true, 0},
    {"above it, up to half of the largest", {300000, 400000}, 100000, 100000, true, 100000},
    {"above half of the largest", {300000, 400000}, 100000, 100001, false, 0},
    {"what is asked counts with what is held", {300000, 400000}, 199000, 1001, false, 0},
    {"the reserve is nobody's share", {500000, 420000}, 0, 9000, true, 9000},
    {"half of the reserve is for the least alone", {500000, 483040}, 0, 9000, false, 9000},
    {"the least, out of that half", {500000, 483040}, 0, HAIL_QUOTA_LEAST, true, HAIL_QUOTA_LEAST},
    {"the least, though nobody holds much more", {9000, 9000}, 8191, 1, true, 0},
    {"a byte above the least, with nothing but the reserve", {917504}, 8192, 1, true, 1},
    {"the very last bytes", {500000, 540384}, 0, HAIL_QUOTA_LEAST, true, HAIL_QUOTA_LEAST},
    {"when not even the least is there",
     {500000, 540385},
     0,
     HAIL_QUOTA_LEAST,
     false,
     HAIL_QUOTA_LEAST},
    {"nothing, of nothing", {SIZE}, 0, 0, true, 0},
};

START_TEST(test_ask)
{
    init(SIZE, 50000);
    for (uint32_t i = 0; i < OTHERS; i++)
        take(1 + i, asks[_i].others[i]);
    take(0, asks[_i].own);
    bool gets = hail_quota_allows(&quota, 0, asks[_i].asks);
    ck_assert_msg(gets == asks[_i].gets, "%s: %s", asks[_i].why, gets ? "got it" : "refused");
    ck_assert_msg(quota.lent == asks[_i].lent, "%s: %llu lent", asks[_i].why,
                  (unsigned long long)quota.lent);
    ck_assert_uint_eq(quota.holders[0].held, asks[_i].own); // it was but a question
}
END_TEST

// The longest that one must be able to hold decides how large a part of the free a share is.
static const struct {
    const char *why;
    uint64_t one_max;
    uint32_t alone; // may have
} parts[] = {
    {"little: a 16th", 1, (SIZE - RESERVE) / 17},
    {"a 17th of all: still", (SIZE - RESERVE) / 17, (SIZE - RESERVE) / 17},
    {"a byte more: an eighth", (SIZE - RESERVE) / 17 + 1, (SIZE - RESERVE) / 9},
    {"a fifth: a quarter", (SIZE - RESERVE) / 5, (SIZE - RESERVE) / 5},
    {"half: as much as is left", (SIZE - RESERVE) / 2, (SIZE - RESERVE) / 2},
    {"more than half cannot be had", SIZE, (SIZE - RESERVE) / 2},
};

START_TEST(test_part)
{
    init(SIZE, parts[_i].one_max);
    ck_assert_msg(hail_quota_allows(&quota, 0, parts[_i].alone), "%s", parts[_i].why);
    ck_assert_msg(!hail_quota_allows(&quota, 0, parts[_i].alone + 2), "%s", parts[_i].why);
}
END_TEST

// Of several stores the one that is shortest counts, each for as much of the memory as it is of it.
START_TEST(test_stores)
{
    uint32_t records = 0;

    init(SIZE, 50000);
    hail_quota_watch(&quota, &records, 1024);
    ck_assert_uint_eq(hail_quota_free(&quota), SIZE);
    records = 512;
    ck_assert_uint_eq(hail_quota_free(&quota), SIZE / 2);
    used = SIZE / 4 * 3;
    ck_assert_uint_eq(hail_quota_free(&quota), SIZE / 4);
    records = 1023;
    ck_assert_uint_eq(hail_quota_free(&quota), 1024);
    records = 1024; // whoever has taken them all
    ck_assert(!hail_quota_allows(&quota, 0, 1));
}
END_TEST

// While half is free, a quarter of a share is allowed without a look at what is free.
START_TEST(test_unseen)
{
    uint32_t quarter = (SIZE / 2 - RESERVE) / 16 / 4;

    init(SIZE, 50000);
    take(1, SIZE / 2);
    hail_quota_look(&quota);
    take(2, SIZE / 2);
    ck_assert(hail_quota_allows(&quota, 0, quarter));
    ck_assert(!hail_quota_allows(&quota, 0, quarter + 1));
    hail_quota_look(&quota);
    ck_assert(!hail_quota_allows(&quota, 0, 1));
    give(2, SIZE / 2 - 1); // a byte less than half is free
    hail_quota_look(&quota);
    ck_assert_uint_eq(quota.unseen, 0);
}
END_TEST

// ---- Who has to go

START_TEST(test_nobody_was_asked)
{
    init(SIZE, 50000);
    take(1, SIZE);
    ck_assert_uint_eq(hail_quota_victim(&quota), HAIL_QUOTA_NONE);
}
END_TEST

START_TEST(test_enough_again)
{
    init(SIZE, 50000);
    take(1, SIZE - RESERVE);
    take(2, 1);
    ck_assert(hail_quota_allows(&quota, 0, 20000));
    give(2, 1); // the reserve is whole: nobody need go
    ck_assert_uint_eq(hail_quota_victim(&quota), HAIL_QUOTA_NONE);
    take(2, 1);
    ck_assert_uint_eq(hail_quota_victim(&quota), HAIL_QUOTA_NONE); // and it was forgotten
}
END_TEST

START_TEST(test_one_for_one)
{
    init(SIZE, 50000);
    take(1, 300000);
    take(2, 200000);
    take(3, 460000);
    ck_assert(hail_quota_allows(&quota, 0, 20000));
    take(0, 20000);
    uint32_t victim = hail_quota_victim(&quota);
    ck_assert_msg(victim == 1 || victim == 3, "%u", victim); // of a like size
    give(victim, quota.holders[victim].held);
    take(4, 500000); // short again, but nobody has asked since
    ck_assert_uint_eq(hail_quota_victim(&quota), HAIL_QUOTA_NONE);
}
END_TEST

START_TEST(test_as_many_as_it_takes)
{
    size_t gone = 0;
    uint32_t victim;

    init(SIZE, 50000);
    for (uint32_t i = 1; i <= 60; i++)
        take(i, 16384);
    for (uint32_t i = 100; i < 105; i++) { // five in a turn, of whom each is below half of them
        ck_assert(hail_quota_allows(&quota, i, 8192));
        take(i, 8192);
    }
    while ((victim = hail_quota_victim(&quota)) != HAIL_QUOTA_NONE) {
        ck_assert_uint_le(victim, 60);
        give(victim, quota.holders[victim].held);
        gone++;
    }
    ck_assert_uint_eq(gone, 3); // 5 times 8192, by 16384
}
END_TEST

// ---- The lists

static void check_lists(void)
{
    size_t listed = 0;
    size_t want = 0;
    uint32_t most = 0;

    for (int list = 0; list <= HAIL_QUOTA_MOST_BITS; list++) {
        uint32_t prev = HAIL_QUOTA_NONE;
        ck_assert_int_eq(quota.first[list] != HAIL_QUOTA_NONE, quota.listed >> list & 1);
        for (uint32_t i = quota.first[list]; i != HAIL_QUOTA_NONE; i = quota.holders[i].next) {
            ck_assert_uint_eq(quota.holders[i].held >> list, 1);
            ck_assert_uint_eq(quota.holders[i].prev, prev);
            prev = i;
            listed++;
        }
    }
    for (uint32_t i = 0; i < HOLDERS; i++) {
        want += quota.holders[i].held >= HAIL_QUOTA_LEAST;
        most = quota.holders[i].held > most ? quota.holders[i].held : most;
    }
    ck_assert_uint_eq(listed, want);
    uint32_t largest = hail_quota_largest(&quota);
    ck_assert_int_eq(largest == HAIL_QUOTA_NONE, most < HAIL_QUOTA_LEAST);
    if (largest != HAIL_QUOTA_NONE)
        ck_assert_uint_ge(quota.holders[largest].held, most / 2);
}

START_TEST(test_lists)
{
    init(BIG_SIZE, 1 << 20);
    for (int i = 0; i < 20000; i++) {
        uint32_t holder = (uint32_t)(test_next(&dice) % 64);
        uint32_t held = quota.holders[holder].held;
        uint32_t bytes = (uint32_t)(test_next(&dice) % (UINT32_C(1) << test_next(&dice) % 21));
        if (test_next(&dice) % 2)
            take(holder, bytes);
        else
            give(holder, bytes < held && test_next(&dice) % 4 ? bytes : held);
        if (i % 16 == 0)
            check_lists();
    }
}
END_TEST

// ---- Greedy ones

// How they come: one after the other, each until he gets no more; in turn; by lot.
enum order {
    ONE_BY_ONE,
    IN_TURN,
    BY_LOT,
    ORDERS
};

// One asks for a packet's worth. False: he did not get it.
static bool grab(uint32_t holder, bool evicts)
{
    if (quota.holders[holder].held >= 1 << 20 || !hail_quota_allows(&quota, holder, PACKET))
        return false;
    take(holder, PACKET);
    for (int i = 0; evicts && i < 8; i++) {
        uint32_t victim = hail_quota_victim(&quota);
        if (victim == HAIL_QUOTA_NONE)
            break;
        give(victim, quota.holders[victim].held); // and he comes again, as greedy as ever
    }
    return true;
}

// All take what they can, for as long as anybody can or `rounds` are over.
static void be_greedy(uint32_t count, enum order order, int rounds, bool evicts)
{
    bool any = true;

    for (int round = 0; any && round < rounds; round++) {
        any = false;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t holder = order == BY_LOT ? (uint32_t)(test_next(&dice) % count) : i;
            bool got = grab(holder, evicts);
            any |= got;
            while (got && order == ONE_BY_ONE)
                got = grab(holder, evicts);
        }
    }
}

static const uint32_t crowds[] = {1, 2, 3, 10, 40, 64, 100, 200, 500};

// Without anybody being ended: a newcomer has the least.
START_TEST(test_newcomer)
{
    uint32_t count = crowds[_i / ORDERS];
    enum order order = (enum order)(_i % ORDERS);

    init(BIG_SIZE, (1 << 20) + (1 << 17));
    be_greedy(count, order, 2000, false);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_msg(hail_quota_allows(&quota, count, PACKET), "packet %u, with %u before him", i,
                      count);
        take(count, PACKET);
    }
    ck_assert_uint_ge(hail_quota_free(&quota), quota.reserve / 2 - count * HAIL_QUOTA_LEAST);
}
END_TEST

// With those ended that hold most: a newcomer has half of what all would have if they had alike.
START_TEST(test_half_of_a_fair_share)
{
    uint32_t count = crowds[_i / ORDERS];
    enum order order = (enum order)(_i % ORDERS);

    init(BIG_SIZE, (1 << 20) + (1 << 17));
    be_greedy(count, order, 600, true);
    for (int tries = 0; tries < 5; tries++) {
        for (uint32_t got = 0; got < LONG; got += PACKET)
            ck_assert_msg(grab(count, true), "%u bytes of try %d, with %u before him", got, tries,
                          count);
        be_greedy(count, order, 2, true);
        if (quota.holders[count].held > 0)
            give(count, quota.holders[count].held);
    }
}
END_TEST

// As many as there are pieces of the least, but one: somebody always gives way.
START_TEST(test_documented_number)
{
    uint32_t count = BIG_SIZE / HAIL_QUOTA_LEAST - 1;

    init(BIG_SIZE, 1 << 20);
    be_greedy(count, (enum order)_i, 12, true);
    int asked = 0;
    while (!hail_quota_allows(&quota, count, PACKET)) {
        ck_assert_int_lt(asked++, 2);
        uint32_t victim = hail_quota_victim(&quota);
        ck_assert_uint_ne(victim, HAIL_QUOTA_NONE);
        give(victim, quota.holders[victim].held);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quota");
    TCase *tcase = tcase_create("quota");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_loop_test(tcase, test_ask, 0, sizeof asks / sizeof asks[0]);
    tcase_add_loop_test(tcase, test_part, 0, sizeof parts / sizeof parts[0]);
    tcase_add_test(tcase, test_stores);
    tcase_add_test(tcase, test_unseen);
    tcase_add_test(tcase, test_nobody_was_asked);
    tcase_add_test(tcase, test_enough_again);
    tcase_add_test(tcase, test_one_for_one);
    tcase_add_test(tcase, test_as_many_as_it_takes);
    tcase_add_test(tcase, test_lists);
    tcase_add_loop_test(tcase, test_newcomer, 0, sizeof crowds / sizeof crowds[0] * ORDERS);
    tcase_add_loop_test(tcase, test_half_of_a_fair_share, 0,
                        sizeof crowds / sizeof crowds[0] * ORDERS);
    tcase_add_loop_test(tcase, test_documented_number, 0, ORDERS);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
