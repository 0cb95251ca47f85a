// test_policy.c: which names are known, and what they take. SPDX-License-Identifier: MIT
#include "proto/policy.h"

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

    tcase_add_loop_test(tests, test_floor, 0, HAIL_COUNTOF(floors));
    tcase_add_test(tests, test_clash);
    tcase_add_test(tests, test_against_list);
    tcase_add_test(tests, test_verdict_names);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
