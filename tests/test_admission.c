// test_admission.c: floods of every size are brought down to what a shard has time for, those with
// a made-up cookie first, and nothing is thrown away without one.
// SPDX-License-Identifier: MIT
#include "engine/handshake/admission.h"

#include <string.h>

#include "crypto/base.h"
#include "crypto/time.h"
#include "tests/vectors.h"

static const uint64_t window_ns = HAIL_ADMISSION_WINDOW_MS * HAIL_NS_PER_MS;
static const uint32_t words[HAIL_COOKIE_WORDS] = {1, 0xffffffff, 0x80000000, 7};

// A shard that is watched from one window to the next.
struct watched {
    struct hail_admission admission;
    struct hail_admission_spent spent;
    uint64_t dice;
    uint64_t now_ns;
    uint32_t came[HAIL_ADMISSION_CLASSES]; // through, in the last window
    unsigned changes;
};

static void begin(struct watched *shard)
{
    *shard = (struct watched){.dice = test_seed(), .now_ns = window_ns};
    hail_admission_init(&shard->admission);
    ck_assert(!hail_admission_turn(&shard->admission, words, &shard->spent, shard->now_ns));
}

static void count(struct hail_admission *admission, enum hail_admission_class class, uint32_t word)
{
    uint8_t cookie[HAIL_COOKIE_LEN] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16),
                                       (uint8_t)(word >> 8), (uint8_t)word};

    hail_admission_count(admission, class == HAIL_ADMISSION_UNPROVEN ? NULL : cookie);
}

// By lot, as the kernel does it.
static uint32_t come_through(struct watched *shard, enum hail_admission_class class,
                             uint32_t offered)
{
    uint32_t through = 0;

    for (uint32_t i = 0; i < offered; i++)
        through += (uint32_t)(test_next(&shard->dice) >> 32) <= shard->admission.filter.lots[class];
    for (uint32_t i = 0; i < through; i++)
        count(&shard->admission, class,
              class == HAIL_ADMISSION_PROVEN ? words[i % HAIL_COOKIE_WORDS] : 5);
    return through;
}

// A window in which so many were offered of each class, and each cost so long; and players did.
static void window(struct watched *shard, const uint32_t offered[HAIL_ADMISSION_CLASSES],
                   uint64_t each_ns, uint32_t players)
{
    for (unsigned i = 0; i < HAIL_ADMISSION_CLASSES; i++) {
        shard->came[i] = come_through(shard, (enum hail_admission_class)i, offered[i]);
        shard->spent.datagrams += shard->came[i];
        shard->spent.cpu_ns += shard->came[i] * each_ns;
    }
    shard->spent.datagrams += players;
    shard->spent.cpu_ns += players * each_ns;
    shard->now_ns += window_ns;
    shard->changes += hail_admission_turn(&shard->admission, words, &shard->spent, shard->now_ns);
}

#define ALL UINT32_MAX

// At 5 us each 20,000 are a window, 7,500 are strangers' share, and 2,000 what they get always.
static const struct {
    const char *why;
    uint32_t offered[HAIL_ADMISSION_CLASSES]; // in a window: no cookie, a word of ours, made up
    uint64_t each_ns;
    uint32_t players;
    uint32_t admitted[HAIL_ADMISSION_CLASSES]; // more or less; ALL: nothing is thrown away
} floods[] = {
    {"nothing", {0}, 5000, 0, {ALL, ALL, ALL}},
    {"a few", {10, 10, 10}, 5000, 10, {ALL, ALL, ALL}},
    {"50,000 a second of an idle shard", {5000}, 5000, 100, {ALL, ALL, ALL}},
    {"50,000 a second, and as many made up", {5000, 0, 5000}, 5000, 100, {ALL, ALL, 100}},
    {"just what there is time for", {7500}, 5000, 0, {ALL, ALL, ALL}},
    {"more than that", {15000}, 5000, 0, {7500, ALL, ALL}},
    {"a million a second", {100000}, 5000, 0, {7500, ALL, ALL}},
    {"who knows a word has a share of his own", {1000, 100000}, 5000, 0, {ALL, 6500, ALL}},
    {"and so has who knows none", {100000, 1000}, 5000, 0, {6500, ALL, ALL}},
    {"each half", {50000, 100000}, 5000, 0, {3750, 3750, ALL}},
    {"made-up cookies take nothing from the rest", {2000, 2000, 100000}, 5000, 0, {ALL, ALL, 100}},
    {"cheaper ones", {50000}, 2500, 0, {15000, ALL, ALL}},
    {"of a busy shard", {15000}, 5000, 12000, {5500, ALL, ALL}},
    {"of one that has no time", {15000}, 5000, 20000, {2000, ALL, ALL}},
    {"a crowd of clients, each of which costs much", {1500, 1500}, 60000, 0, {ALL, ALL, ALL}},
    {"and a flood with them", {30000, 1500}, 60000, 0, {2000, ALL, ALL}},
    {"where nobody knows what it costs", {100000, 100000}, 0, 0, {ALL, ALL, ALL}},
};

START_TEST(test_flood)
{
    struct watched shard;

    begin(&shard);
    for (int i = 0; i < 30; i++) {
        window(&shard, floods[_i].offered, floods[_i].each_ns, floods[_i].players);
        for (unsigned class = 0; class < HAIL_ADMISSION_CLASSES; class ++) {
            uint32_t want = floods[_i].admitted[class];
            uint32_t came = shard.came[class];
            if (want == ALL)
                ck_assert_msg(came == floods[_i].offered[class], "%s: window %d: %u of %u",
                              floods[_i].why, i, class, came);
            else if (i > 0) // the first window is not expected by anybody
                ck_assert_msg(came > want / 2 && came < want * 2, "%s: window %d: %u of %u",
                              floods[_i].why, i, came, class);
        }
    }
    bool sheds = !hail_admission_passes_all(&shard.admission.filter);
    ck_assert_msg(shard.changes <= 5u && (shard.changes > 0) == sheds, "%s: %u filters",
                  floods[_i].why, shard.changes);
    // It is over, and the shard is woken to see it, though nothing comes.
    for (int i = 0; i < 11; i++) {
        uint64_t next_ns = hail_admission_next_ns(&shard.admission);
        ck_assert(next_ns == UINT64_MAX || next_ns == shard.now_ns + window_ns);
        window(&shard, (const uint32_t[HAIL_ADMISSION_CLASSES]){0}, 5000, 1);
    }
    ck_assert_msg(hail_admission_passes_all(&shard.admission.filter), "%s", floods[_i].why);
    ck_assert_uint_eq(hail_admission_next_ns(&shard.admission), UINT64_MAX);
}
END_TEST

START_TEST(test_within_a_window_nothing_changes)
{
    struct watched shard;

    begin(&shard);
    for (int i = 0; i < 100000; i++)
        count(&shard.admission, HAIL_ADMISSION_MADE_UP, 5);
    ck_assert(!hail_admission_turn(&shard.admission, words, &shard.spent, 2 * window_ns - 1));
    ck_assert(hail_admission_passes_all(&shard.admission.filter));
    ck_assert(hail_admission_turn(&shard.admission, words, &shard.spent, 2 * window_ns));
    ck_assert(!hail_admission_passes_all(&shard.admission.filter));
}
END_TEST

// A window in which the machine was elsewhere, so that all seems to have cost four times as much:
// nobody is sent away for that. What has become dearer for good is believed.
START_TEST(test_hiccup)
{
    static const uint32_t flood[HAIL_ADMISSION_CLASSES] = {5000};
    struct watched shard;

    begin(&shard);
    for (int i = 0; i < 100; i++)
        window(&shard, flood, i % 10 == 9 ? 16000 : 4000, 100);
    ck_assert(hail_admission_passes_all(&shard.admission.filter));
    ck_assert_uint_eq(shard.changes, 0);
    for (int i = 0; i < 10; i++)
        window(&shard, flood, 16000, 100);
    ck_assert(!hail_admission_passes_all(&shard.admission.filter));
}
END_TEST

// On and off, ten times a second: more is let through again only after a while.
START_TEST(test_flickering)
{
    static const uint32_t flood[HAIL_ADMISSION_CLASSES] = {50000, 0, 50000};
    static const uint32_t calm[HAIL_ADMISSION_CLASSES] = {10};
    struct watched shard;

    begin(&shard);
    for (int i = 0; i < 100; i++)
        window(&shard, i % 2 ? calm : flood, 5000, 100);
    ck_assert_msg(shard.changes <= 2u * 10 + 2, "%u filters in 10 seconds", shard.changes);
}
END_TEST

// The kernel is told of other words while it looks for them, and not otherwise.
START_TEST(test_words)
{
    static const uint32_t others[HAIL_COOKIE_WORDS] = {2, 1, 0xffffffff, 0x80000000};
    struct hail_admission_spent spent = {0};
    struct hail_admission admission;
    uint64_t now_ns = window_ns;

    hail_admission_init(&admission);
    ck_assert(!hail_admission_turn(&admission, words, &spent, now_ns));
    ck_assert(!hail_admission_turn(&admission, others, &spent, now_ns += window_ns));
    for (int i = 0; i < 10000; i++)
        count(&admission, HAIL_ADMISSION_MADE_UP, 5);
    ck_assert(hail_admission_turn(&admission, others, &spent, now_ns += window_ns));
    ck_assert_mem_eq(admission.filter.words, others, sizeof others);
    ck_assert(!hail_admission_turn(&admission, others, &spent, now_ns += window_ns));
    ck_assert(hail_admission_turn(&admission, words, &spent, now_ns += window_ns));
    ck_assert_mem_eq(admission.filter.words, words, sizeof words);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admission");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_flood, 0, HAIL_COUNTOF(floods));
    tcase_add_test(tests, test_within_a_window_nothing_changes);
    tcase_add_test(tests, test_hiccup);
    tcase_add_test(tests, test_flickering);
    tcase_add_test(tests, test_words);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
