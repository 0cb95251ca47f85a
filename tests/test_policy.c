// test_policy.c: which names are known, and what they take.
// SPDX-License-Identifier: MIT
#include "proto/policy.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

static struct hail_policy policy; // too large for a stack

// A rule's floor against the flags of a message: bit 0 encrypted, bit 1 authenticated.
static const struct {
    const char *why;
    uint8_t floor;
    uint32_t flags;
    enum hail_verdict want;
} floors[] = {
    {"nothing asked, nothing given", 0, 0, HAIL_ACCEPT},
    {"nothing asked, both given", 0, 3, HAIL_ACCEPT},
    {"encrypted asked, nothing given", 1, 0, HAIL_DROP_FLOOR},
    {"encrypted asked, authenticated given", 1, 2, HAIL_DROP_FLOOR},
    {"encrypted asked and given", 1, 1, HAIL_ACCEPT},
    {"authenticated asked, encrypted given", 2, 1, HAIL_DROP_FLOOR},
    {"authenticated asked and given", 2, 2, HAIL_ACCEPT},
    {"both asked, encrypted given", 3, 1, HAIL_DROP_FLOOR},
    {"both asked, authenticated given", 3, 2, HAIL_DROP_FLOOR},
    {"both asked and given", 3, 3, HAIL_ACCEPT},
};

START_TEST(test_floor)
{
    const struct hail_policy_rule rule = {
        .hash = 5, .floor = floors[_i].floor, .handler = 7, .is_rpc = true};
    struct hail_message_view message = {
        .kind = HAIL_MESSAGE_CALL, .name_hash = 5, .flags = floors[_i].flags};
    uint16_t handler;
    uint16_t clash;

    policy = (struct hail_policy){.default_floor = floors[_i].floor, .takes_unknown = true};
    ck_assert(hail_policy_add(&policy, &rule, &clash));
    ck_assert_msg(hail_policy_check(&policy, &handler, &message) == floors[_i].want, "%s",
                  floors[_i].why);
    ck_assert_uint_eq(handler, 7);
    message.kind = HAIL_MESSAGE_NAMED; // the same hash, and no rule: the default floor
    ck_assert_int_eq(hail_policy_check(&policy, &handler, &message), floors[_i].want);
    ck_assert_uint_eq(handler, HAIL_POLICY_NO_HANDLER);
    message.kind = HAIL_MESSAGE_UNNAMED;
    ck_assert_int_eq(hail_policy_check(&policy, &handler, &message), floors[_i].want);
    ck_assert_uint_eq(handler, HAIL_POLICY_NO_HANDLER);
}
END_TEST

START_TEST(test_clash)
{
    struct hail_policy_rule rule = {.hash = UINT64_MAX, .handler = 3};
    uint16_t clash = 0;

    policy = (struct hail_policy){0};
    ck_assert(hail_policy_add(&policy, &rule, &clash));
    rule.handler = 4;
    ck_assert(!hail_policy_add(&policy, &rule, &clash));
    ck_assert_uint_eq(clash, 3);
    rule.is_rpc = true; // an RPC of that name is another name
    ck_assert(hail_policy_add(&policy, &rule, &clash));
    for (uint64_t i = 0; policy.rule_count < HAIL_POLICY_NAMES_MAX; i++) {
        rule.hash = i;
        ck_assert(hail_policy_add(&policy, &rule, &clash));
    }
    rule.hash = 1u << 20;
    ck_assert(!hail_policy_add(&policy, &rule, &clash));
    ck_assert_uint_eq(clash, HAIL_POLICY_NO_HANDLER);
    rule.hash = 0; // full, and there
    ck_assert(!hail_policy_add(&policy, &rule, &clash));
    ck_assert_uint_eq(clash, 4);
}
END_TEST

static const struct hail_policy_rule *model_find(const struct hail_policy_rule *rules, size_t count,
                                                 bool is_rpc, uint64_t hash)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].is_rpc == is_rpc && rules[i].hash == hash)
            return &rules[i];
    }
    return NULL;
}

// Random rules and messages, among few hashes so that they meet, against a list.
START_TEST(test_against_list)
{
    static const enum hail_message_kind kinds[] = {HAIL_MESSAGE_NAMED, HAIL_MESSAGE_CALL,
                                                   HAIL_MESSAGE_REQUEST};
    static struct hail_policy_rule rules[HAIL_POLICY_NAMES_MAX];
    uint64_t dice = test_seed();

    for (int round = 0; round < 40; round++) {
        size_t count = 0;
        uint64_t range = 1 + test_next(&dice) % 2000;
        policy = (struct hail_policy){.default_floor = test_next(&dice) % 4,
                                      .takes_unknown = test_next(&dice) % 2};
        for (int i = 0; i < 500; i++) {
            const struct hail_policy_rule rule = {
                .hash = test_next(&dice) % range * 0x123456789abcdef1u,
                .is_rpc = test_next(&dice) % 2,
                .floor = test_next(&dice) % 4,
                .handler = (uint16_t)i,
            };
            uint16_t clash;
            const struct hail_policy_rule *same = model_find(rules, count, rule.is_rpc, rule.hash);
            ck_assert_int_eq(hail_policy_add(&policy, &rule, &clash), same == NULL);
            if (same)
                ck_assert_uint_eq(clash, same->handler);
            else
                rules[count++] = rule;
        }
        for (int i = 0; i < 2000; i++) {
            const struct hail_message_view message = {
                .kind = kinds[test_next(&dice) % HAIL_COUNTOF(kinds)],
                .name_hash = test_next(&dice) % range * 0x123456789abcdef1u,
                .flags = test_next(&dice) % 4,
            };
            const struct hail_policy_rule *rule =
                model_find(rules, count, message.kind != HAIL_MESSAGE_NAMED, message.name_hash);
            uint32_t floor = rule ? rule->floor : policy.default_floor;
            enum hail_verdict want = !rule && !policy.takes_unknown  ? HAIL_DROP_NAME
                                     : (~message.flags & floor) == 0 ? HAIL_ACCEPT
                                                                     : HAIL_DROP_FLOOR;
            uint16_t handler;
            ck_assert_int_eq(hail_policy_check(&policy, &handler, &message), want);
            if (want == HAIL_ACCEPT)
                ck_assert_uint_eq(handler, rule ? rule->handler : HAIL_POLICY_NO_HANDLER);
        }
    }
}
END_TEST

// Numbers go through the rules of both kinds in the table's order, and lead back.
START_TEST(test_numbers)
{
    uint64_t dice = test_seed();
    uint16_t clash;

    policy = (struct hail_policy){0};
    ck_assert_uint_eq(hail_policy_number(&policy, false, 0), 0);
    ck_assert_ptr_null(hail_policy_rule_at(&policy, 1));
    for (int i = 0; i < 600; i++) {
        const struct hail_policy_rule rule = {.hash = test_next(&dice) >> test_next(&dice) % 60,
                                              .is_rpc = test_next(&dice) % 2};
        (void)!hail_policy_add(&policy, &rule, &clash);
    }
    for (size_t number = 1; number <= policy.rule_count; number++) {
        const struct hail_policy_rule *rule = hail_policy_rule_at(&policy, number);
        ck_assert_uint_eq(hail_policy_number(&policy, rule->is_rpc, rule->hash), number);
        if (number == 1)
            continue;
        const struct hail_policy_rule *before = hail_policy_rule_at(&policy, number - 1);
        ck_assert(before->is_rpc < rule->is_rpc ||
                  (before->is_rpc == rule->is_rpc && before->hash < rule->hash));
    }
    ck_assert_ptr_null(hail_policy_rule_at(&policy, 0));
    ck_assert_ptr_null(hail_policy_rule_at(&policy, policy.rule_count + 1));
    ck_assert_ptr_null(hail_policy_rule_at(&policy, UINT64_MAX));
}
END_TEST

// A table of two rules, and one change to it.
static const struct {
    const char *why;
    bool reversed; // in the order of adding them
    bool takes_unknown;
    uint8_t default_floor;
    struct hail_policy_rule rules[2];
    bool same;
} tables[] = {
    {"as it is", false, true, 1, {{5, false, 2, 1}, {6, true, 3, 2}}, true},
    {"added the other way round", true, true, 1, {{5, false, 2, 1}, {6, true, 3, 2}}, true},
    {"other handlers", false, true, 1, {{5, false, 2, 8}, {6, true, 3, 9}}, true},
    {"unknown names refused, which hurts nobody else",
     false,
     false,
     1,
     {{5, false, 2, 1}, {6, true, 3, 2}},
     true},
    {"another default floor", false, true, 0, {{5, false, 2, 1}, {6, true, 3, 2}}, false},
    {"a lower floor", false, true, 1, {{5, false, 0, 1}, {6, true, 3, 2}}, false},
    {"another name", false, true, 1, {{5, false, 2, 1}, {7, true, 3, 2}}, false},
    {"another in its top byte",
     false,
     true,
     1,
     {{5, false, 2, 1}, {6 | 1ull << 63, true, 3, 2}},
     false},
    {"the first an RPC", false, true, 1, {{5, true, 2, 1}, {6, true, 3, 2}}, false},
    {"kinds swapped", false, true, 1, {{5, true, 2, 1}, {6, false, 3, 2}}, false},
    {"floors swapped", false, true, 1, {{5, false, 3, 1}, {6, true, 2, 2}}, false},
};

static void hash_table(size_t row, uint8_t hash[32])
{
    uint16_t clash;

    policy = (struct hail_policy){.default_floor = tables[row].default_floor,
                                  .takes_unknown = tables[row].takes_unknown};
    ck_assert(hail_policy_add(&policy, &tables[row].rules[tables[row].reversed], &clash));
    ck_assert(hail_policy_add(&policy, &tables[row].rules[!tables[row].reversed], &clash));
    hail_policy_hash(&policy, hash);
}

START_TEST(test_hash)
{
    uint8_t first[32];
    uint8_t changed[32];

    hash_table(0, first);
    hash_table((size_t)_i, changed);
    ck_assert_msg((memcmp(first, changed, sizeof first) == 0) == tables[_i].same, "%s",
                  tables[_i].why);
    policy.rule_count = 1; // one rule less, whatever it is
    hail_policy_hash(&policy, changed);
    ck_assert_mem_ne(first, changed, sizeof first);
}
END_TEST

// What a channel lets through, whatever the name.
static const struct {
    const char *why;
    enum hail_guarantee guarantee;
    uint8_t floor;
    uint32_t flags;
    enum hail_verdict want;
} on_channels[] = {
    {"forged for a sequenced one", HAIL_GUARANTEE_SEQUENCED, 0, 0, HAIL_DROP_UNPROTECTED},
    {"forged for an ordered one", HAIL_GUARANTEE_RELIABLE_ORDERED, 0, 0, HAIL_DROP_UNPROTECTED},
    {"forged for a reliable one", HAIL_GUARANTEE_RELIABLE_UNORDERED, 0, 0, HAIL_DROP_UNPROTECTED},
    {"below the floor", HAIL_GUARANTEE_NONE, 1, 2, HAIL_DROP_FLOOR},
    {"half of the floor", HAIL_GUARANTEE_SEQUENCED, 3, 2, HAIL_DROP_FLOOR},
    {"at the floor", HAIL_GUARANTEE_SEQUENCED, 2, 2, HAIL_ACCEPT},
    {"above the floor", HAIL_GUARANTEE_NONE, 1, 3, HAIL_ACCEPT},
    {"no floor", HAIL_GUARANTEE_NONE, 0, 0, HAIL_ACCEPT},
};

START_TEST(test_channel)
{
    policy = (struct hail_policy){.channel_count = 2};
    policy.channels[1].guarantee = on_channels[_i].guarantee;
    policy.channels[1].floor = on_channels[_i].floor;
    ck_assert_msg(hail_policy_check_channel(&policy.channels[1], on_channels[_i].flags) ==
                      on_channels[_i].want,
                  "%s", on_channels[_i].why);
}
END_TEST

START_TEST(test_reliable)
{
    policy = (struct hail_policy){0}; // the four channels that there are when none is declared
    ck_assert(hail_policy_is_reliable(&policy, HAIL_GUARANTEE_RELIABLE_ORDERED));
    ck_assert(hail_policy_is_reliable(&policy, HAIL_GUARANTEE_RELIABLE_UNORDERED));
    ck_assert(!hail_policy_is_reliable(&policy, HAIL_GUARANTEE_SEQUENCED));
    ck_assert(!hail_policy_is_reliable(&policy, HAIL_GUARANTEE_NONE));
    policy.channel_count = 2;
    policy.channels[1].guarantee = HAIL_GUARANTEE_NONE;
    ck_assert(!hail_policy_is_reliable(&policy, 1));
}
END_TEST

// Where a message need not name its channel, and which numbers there are.
START_TEST(test_channel_numbers)
{
    policy = (struct hail_policy){0};
    ck_assert_uint_eq(hail_policy_channel_count(&policy), 4);
    ck_assert_uint_eq(hail_policy_channel_number(&policy, hail_policy_bare(&policy)),
                      HAIL_GUARANTEE_NONE);
    ck_assert_ptr_null(hail_policy_channel_at(&policy, 4));
    policy.channel_count = HAIL_POLICY_CHANNELS_MAX;
    ck_assert_ptr_null(hail_policy_bare(&policy));
    policy.channels[HAIL_POLICY_CHANNELS_MAX - 1].guarantee = HAIL_GUARANTEE_NONE;
    ck_assert_uint_eq(hail_policy_channel_number(&policy, hail_policy_bare(&policy)),
                      HAIL_POLICY_CHANNELS_MAX - 1);
    ck_assert_ptr_nonnull(hail_policy_channel_at(&policy, HAIL_POLICY_CHANNELS_MAX - 1));
    ck_assert_ptr_null(hail_policy_channel_at(&policy, HAIL_POLICY_CHANNELS_MAX));
    ck_assert_ptr_null(hail_policy_channel_at(&policy, UINT64_MAX));
}
END_TEST

// The largest table of all, in any order. What it should be was computed by another program.
START_TEST(test_hash_order)
{
    uint64_t dice = test_seed();
    struct vector_bytes want =
        test_unhex("5077d040ead93ee37f04534934f6740ec7a1a6338ffbe41f1964a0b9dbbe1dd5");
    uint8_t hash[32];
    uint16_t clash;

    for (int turn = 0; turn < 2; turn++) {
        uint64_t step = 1 + 2 * (test_next(&dice) % 512); // odd: meets each of 1024 once
        policy = (struct hail_policy){0};
        for (uint64_t i = 0; i < HAIL_POLICY_NAMES_MAX; i++) {
            uint64_t name = i * step % HAIL_POLICY_NAMES_MAX;
            const struct hail_policy_rule rule = {
                .hash = name * 0x123456789abcdef1u, .is_rpc = name % 3, .floor = name % 4};
            ck_assert(hail_policy_add(&policy, &rule, &clash));
        }
        hail_policy_hash(&policy, hash);
        ck_assert_mem_eq(hash, want.data, sizeof hash);
    }
    free(want.data);
}
END_TEST

// Each verdict has a name of its own: they become the names of counters.
START_TEST(test_verdict_names)
{
    for (unsigned i = 0; i < HAIL_VERDICT_COUNT; i++) {
        ck_assert_uint_gt(strlen(hail_verdict_name((enum hail_verdict)i)), 0);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(hail_verdict_name((enum hail_verdict)i),
                             hail_verdict_name((enum hail_verdict)j));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("policy");

    tcase_add_loop_test(tests, test_channel, 0, HAIL_COUNTOF(on_channels));
    tcase_add_test(tests, test_reliable);
    tcase_add_test(tests, test_channel_numbers);
    tcase_add_loop_test(tests, test_floor, 0, HAIL_COUNTOF(floors));
    tcase_add_test(tests, test_clash);
    tcase_add_test(tests, test_against_list);
    tcase_add_test(tests, test_numbers);
    tcase_add_loop_test(tests, test_hash, 0, HAIL_COUNTOF(tables));
    tcase_add_test(tests, test_hash_order);
    tcase_add_test(tests, test_verdict_names);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
