// test_delivery.c: what a struct hail_delivery takes of an arena, and what a connection begins as.
// SPDX-License-Identifier: MIT
#include "engine/delivery/sender.h"
#include "tests/delivery_alone.h"

enum {
    FEW = 4,
    MANY = 104
};

static struct alone alone;

// Bytes that each connection more takes of what is reserved by connection.
static size_t each(size_t channel_count)
{
    static const struct hail_policy_channel ordered = {.guarantee = HAIL_GUARANTEE_RELIABLE_ORDERED,
                                                       .weight = 1};
    static struct hail_policy policy;
    size_t used[2];

    policy.channel_count = channel_count;
    for (size_t i = 0; i < channel_count; i++)
        policy.channels[i] = ordered;
    for (int i = 0; i < 2; i++) {
        struct hail_delivery delivery = {.policy = &policy, .limits = alone_limits()};
        struct hail_arena arena = {0};
        delivery.limits.slots = i ? MANY : FEW;
        hail_delivery_reserve_conns(&delivery, &arena);
        used[i] = arena.used;
    }
    return (used[1] - used[0]) / (MANY - FEW);
}

// A channel costs a connection a number, a line out and a line in; a connection, what it has
// itself.
START_TEST(test_sums)
{
    size_t channel =
        sizeof(uint64_t) + sizeof(struct hail_send_channel) + sizeof(struct hail_receive_channel);
    size_t one = each(1);

    ck_assert_uint_le(one, sizeof(struct hail_delivery_conn) + channel + 16);
    ck_assert_uint_le(each(8) - one, 7 * channel + 8);
    ck_assert_uint_ge(each(8) - one, 7 * channel - 8);
    ck_assert_uint_le(sizeof(struct hail_reassembly), HAIL_CACHE_LINE);
    ck_assert_uint_le(sizeof(struct hail_sent_packet), HAIL_CACHE_LINE);
}
END_TEST

// A connection begins with nothing of the one that had its slot before.
START_TEST(test_begin)
{
    const struct hail_delivery_limits limits = alone_limits();

    alone_begin(&alone, &limits);
    struct hail_delivery_conn *own = &alone.delivery.conns[1];
    own->useless = 7;
    own->holds = true;
    ck_assert_int_eq(alone_send(&alone, 1, HAIL_RELIABLE_ORDERED, 10), HAIL_OK);
    alone_leave(&alone, 1);
    hail_sender_clear(&alone.delivery, 1);
    hail_delivery_begin(&alone.delivery, 1);
    ck_assert_uint_eq(own->useless, 0);
    ck_assert(!own->holds && !own->joined);
    ck_assert_uint_eq(own->out_first, HAIL_OUTGOING_NONE);
    ck_assert_uint_eq(own->acks.due_ns, UINT64_MAX);
    hail_sender_begin(&alone.delivery, 1);
    alone_end(&alone);
}
END_TEST

START_TEST(test_drop)
{
    const struct hail_delivery_limits limits = alone_limits();

    alone_begin(&alone, &limits);
    hail_delivery_drop(&alone.delivery, 2, HAIL_DROP_OLD);
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_OLD), 1);
    ck_assert_uint_eq(atomic_load(&alone.published[2].traffic[HAIL_CONN_FIGURE_DROPPED]), 1);
    ck_assert_uint_eq(atomic_load(&alone.published[1].traffic[HAIL_CONN_FIGURE_DROPPED]), 0);
    alone_end(&alone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delivery");
    TCase *tcase = tcase_create("delivery");

    tcase_add_test(tcase, test_sums);
    tcase_add_test(tcase, test_begin);
    tcase_add_test(tcase, test_drop);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
