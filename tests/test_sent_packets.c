// test_sent_packets.c: the records of packets under way, without a shard: who may have how many,
// and in which order what they carried goes again.
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "engine/delivery/sender.h"
#include "engine/delivery/sent_packets.h"
#include "tests/delivery_alone.h"

static struct alone alone;

static void setup(void)
{
    const struct hail_delivery_limits limits = alone_limits();

    alone_begin(&alone, &limits);
}

static void teardown(void)
{
    alone_end(&alone);
}

// One connection has an eighth of what is left; four are every other's, whatever it does.
START_TEST(test_shares)
{
    static uint32_t taken[1 << 17];
    uint32_t kept = ALONE_SLOTS * HAIL_SENT_PACKETS_PER_SLOT;
    uint32_t all = alone.delivery.sent_packets.count;
    uint32_t count = 0;

    while (hail_sent_packets_allowed(&alone.delivery, 0))
        taken[count++] = hail_sent_packets_take(&alone.delivery, 0);
    ck_assert_uint_eq(hail_sent_packets_take(&alone.delivery, 0), HAIL_SLAB_NONE);
    ck_assert_uint_ge(count, (all - kept) / 9);
    ck_assert_uint_le(count, (all - kept) / 9 + HAIL_SENT_PACKETS_PER_SLOT + 1);
    for (uint32_t slot = 1; slot < ALONE_SLOTS; slot++) {
        for (int i = 0; i < HAIL_SENT_PACKETS_PER_SLOT; i++)
            ck_assert(hail_sent_packets_allowed(&alone.delivery, slot));
    }
    while (count > 0)
        hail_sent_packets_free(&alone.delivery, 0, taken[--count]);
    ck_assert_uint_eq(hail_sender_of(&alone.delivery, 0)->sent_packets, 0);
}
END_TEST

// Whatever order packets are lost in, what is oldest goes first: by id on a channel, by when they
// began to wait between channels, by offset in one message.
START_TEST(test_order)
{
    uint64_t seed = test_seed();
    struct hail_sender *sender = hail_sender_of(&alone.delivery, 0);
    const struct hail_slab *records = &alone.delivery.sent_packets;
    uint32_t order[32];
    uint32_t count = 0;

    sender->congestion.window = 1 << 28;
    for (int i = 0; i < 20; i++) {
        sender->congestion.credit = 1 << 28;
        ck_assert_int_eq(alone_send(&alone, 0, (uint8_t)(i % 2), i == 10 ? 4000 : 100), HAIL_OK);
        alone_leave(&alone, 0);
        alone.now_ns++;
    }
    for (uint32_t at = sender->sent_first; at != HAIL_SLAB_NONE && count < HAIL_COUNTOF(order);
         at = ((struct hail_sent_packet *)hail_slab_at(records, at))->next)
        order[count++] = at;
    ck_assert_uint_gt(count, 20);
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)(test_next(&seed) % i);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[other];
        order[other] = swap;
    }
    for (uint32_t i = 0; i < count; i++)
        hail_sent_packets_lose(&alone.delivery, sender, hail_slab_at(records, order[i]));
    uint32_t listed = 0;
    uint32_t last = HAIL_SLAB_NONE;
    for (uint32_t range = sender->lost_first; range != HAIL_SLAB_NONE; listed++) {
        uint32_t next = hail_send_range_at(&alone.delivery, range)->next;
        if (next != HAIL_SLAB_NONE)
            ck_assert(hail_sent_packets_is_older(&alone.delivery, range, next));
        last = range;
        range = next;
    }
    ck_assert_uint_eq(listed, alone.delivery.ranges.used_count);
    ck_assert_uint_eq(sender->lost_last, last);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sent_packets");
    TCase *tcase = tcase_create("sent_packets");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_shares);
    tcase_add_test(tcase, test_order);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
