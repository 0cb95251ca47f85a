// test_sender.c: what leaves when, without a shard: channels by priority and weight, what holds
// packets back, what they may carry, and which numbers are left out.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/recovery.h"
#include "engine/delivery/send_messages.h"
#include "engine/delivery/sender.h"
#include "tests/delivery_alone.h"

enum {
    PLENTY = 1 << 28,
    CHANNELS = 3
};

static struct alone alone;

static struct hail_sender *sender(void)
{
    return hail_sender_of(&alone.delivery, 0);
}

static void begin(const struct hail_delivery_limits *limits)
{
    alone_begin(&alone, limits);
    sender()->congestion.window = PLENTY;
    sender()->congestion.credit = PLENTY;
}

// The default limits, and reliable channels of these priorities and weights, if there are any.
static void begin_with(const uint8_t priorities[CHANNELS], const uint8_t weights[CHANNELS])
{
    const struct hail_delivery_limits limits = alone_limits();

    alone.policy.channel_count = priorities ? CHANNELS : 0;
    for (int i = 0; priorities && i < CHANNELS; i++)
        alone.policy.channels[i] =
            (struct hail_policy_channel){.guarantee = HAIL_GUARANTEE_RELIABLE_ORDERED,
                                         .priority = priorities[i],
                                         .weight = weights[i]};
    begin(&limits);
}

// Lets so much leave, and counts the bytes of each channel that did.
static void let_leave(uint32_t window, uint32_t bytes[CHANNELS])
{
    sender()->congestion.window = sender()->congestion.in_flight + window;
    sender()->congestion.credit = PLENTY;
    hail_sender_pump(&alone.delivery, 0);
    uint64_t first = alone.next_number;
    alone_leave(&alone, 0);
    memset(bytes, 0, CHANNELS * sizeof *bytes);
    for (uint64_t number = first; number < alone.next_number; number++) {
        const struct alone_packet *packet = alone_packet(&alone, number);
        for (uint16_t i = 0; i < packet->part_count; i++)
            bytes[packet->parts[i].channel] += packet->parts[i].len;
    }
}

static const struct schedule {
    const char *why;
    uint8_t priorities[CHANNELS];
    uint8_t weights[CHANNELS];
    uint32_t shares[CHANNELS]; // of 100
} schedules[] = {
    {"alike, each has a third", {1, 1, 1}, {1, 1, 1}, {33, 33, 33}},
    {"by weight among those of one priority", {1, 1, 1}, {1, 2, 1}, {25, 50, 25}},
    {"more by weight", {0, 0, 0}, {1, 3, 6}, {10, 30, 60}},
    {"the highest priority alone", {1, 2, 1}, {9, 1, 9}, {0, 100, 0}},
    {"two of the highest share by weight", {0, 5, 5}, {9, 1, 3}, {0, 25, 75}},
};

START_TEST(test_schedule)
{
    const struct schedule *row = &schedules[_i];
    uint32_t bytes[CHANNELS];

    begin_with(row->priorities, row->weights);
    sender()->congestion.window = 0;
    for (int i = 0; i < 200; i++) {
        for (uint8_t channel = 0; channel < CHANNELS; channel++)
            ck_assert_int_eq(alone_send(&alone, 0, channel, 1000), HAIL_OK);
    }
    ck_assert_uint_eq(alone_leave(&alone, 0), 0);
    let_leave(100000, bytes);
    uint32_t all = bytes[0] + bytes[1] + bytes[2];
    ck_assert_uint_ge(all, 90000);
    for (int i = 0; i < CHANNELS; i++) {
        int64_t off = (int64_t)bytes[i] - (int64_t)all * row->shares[i] / 100;
        ck_assert_msg(llabs(off) < 3000, "%s: channel %d has %u of %u bytes", row->why, i, bytes[i],
                      all);
    }
    alone_end(&alone);
}
END_TEST

// A channel that was silent has saved nothing up.
START_TEST(test_silence)
{
    static const uint8_t alike[CHANNELS] = {1, 1, 1};
    uint32_t bytes[CHANNELS];

    begin_with(alike, alike);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(alone_send(&alone, 0, 0, 1000), HAIL_OK);
    alone_leave(&alone, 0);
    sender()->congestion.window = 0;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(alone_send(&alone, 0, 0, 1000), HAIL_OK);
        ck_assert_int_eq(alone_send(&alone, 0, 1, 1000), HAIL_OK);
    }
    let_leave(40000, bytes);
    ck_assert_uint_ge(bytes[0], 15000);
    ck_assert_uint_ge(bytes[1], 15000);
    alone_end(&alone);
}
END_TEST

// What has begun goes on after a second, whatever is more urgent.
START_TEST(test_overdue)
{
    static const uint8_t priorities[CHANNELS] = {1, 2, 1};
    static const uint8_t alike[CHANNELS] = {1, 1, 1};
    uint32_t bytes[CHANNELS];

    begin_with(priorities, alike);
    sender()->congestion.window = 0;
    ck_assert_int_eq(alone_send(&alone, 0, 0, 50000), HAIL_OK);
    let_leave(2400, bytes); // it begins
    ck_assert_uint_gt(bytes[0], 0);
    sender()->congestion.window = 0;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(alone_send(&alone, 0, 1, 1000), HAIL_OK);
    let_leave(2400, bytes);
    ck_assert_uint_eq(bytes[0], 0);
    alone.now_ns += 1000 * HAIL_NS_PER_MS;
    let_leave(2400, bytes);
    ck_assert_uint_gt(bytes[0], 0);
    alone_end(&alone);
}
END_TEST

// Nothing of a channel goes that lies HAIL_AHEAD_MAX messages beyond its oldest, nor, when that has
// lost something, HAIL_STORE_LEAST bytes: the other end may have no room for it.
START_TEST(test_ahead)
{
    bool lost = _i;
    struct hail_delivery_limits limits = alone_limits();
    uint32_t len = lost ? 20000 : 100;
    uint32_t most = lost ? HAIL_STORE_LEAST / 20000 + 2 : HAIL_AHEAD_MAX;
    uint64_t parts = 0;

    limits.unsent_max = 64 << 20;
    limits.buffers_max = 256 << 20;
    alone.policy.channel_count = 0;
    begin(&limits);
    ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, len), HAIL_OK);
    alone_leave(&alone, 0);
    if (lost)
        hail_send_message_at(&alone.delivery, hail_send_channels(&alone.delivery, 0)->first)->lost =
            true;
    for (int i = 0; i < (lost ? 100 : 1200); i++) {
        sender()->congestion.credit = PLENTY;
        ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, len), HAIL_OK);
        parts += alone_leave(&alone, 0) > 0;
    }
    ck_assert_uint_le(parts, most);
    ck_assert_uint_ge(parts, most - 3);
    alone_end(&alone);
}
END_TEST

// A packet has no more messages than the other end looks at, and of long ones' parts eight.
START_TEST(test_parts)
{
    begin_with(NULL, NULL);
    sender()->congestion.window = 0;
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, 1), HAIL_OK);
    sender()->congestion.window = PLENTY;
    hail_sender_pump(&alone.delivery, 0);
    uint32_t packets = alone_leave(&alone, 0);
    ck_assert_uint_eq(packets, (300 + HAIL_PARTS_MAX - 1) / HAIL_PARTS_MAX);
    for (uint64_t number = 1; number <= packets; number++)
        ck_assert_uint_le(alone_packet(&alone, number)->part_count, HAIL_PARTS_MAX);
    alone_end(&alone);
}
END_TEST

// No byte leaves beyond the window but with the packet that fills it; what is acknowledged makes
// room for as much.
START_TEST(test_window)
{
    uint32_t bytes[CHANNELS + 1];

    begin_with(NULL, NULL);
    sender()->congestion.window = 0;
    ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, 100000), HAIL_OK);
    let_leave(12000, bytes);
    ck_assert_uint_ge(sender()->congestion.in_flight, 12000);
    ck_assert_uint_lt(sender()->congestion.in_flight, 12000 + HAIL_PACKET_MAX);
    ck_assert(sender()->limited);
    alone_end(&alone);
}
END_TEST

// coalesce_us holds a message for company, until the time is up or a packet is full.
START_TEST(test_coalesce)
{
    struct hail_delivery_limits limits = alone_limits();

    limits.coalesce_us = 500;
    alone.policy.channel_count = 0;
    begin(&limits);
    ck_assert_int_eq(alone_send(&alone, 0, HAIL_UNRELIABLE, 100), HAIL_OK);
    ck_assert_uint_eq(alone_leave(&alone, 0), 0);
    ck_assert(hail_sender_waits(&alone.delivery, 0));
    ck_assert_uint_eq(hail_recovery_next_ns(&alone.delivery, 0),
                      alone.now_ns + 500 * HAIL_NS_PER_US);
    alone.now_ns += 500 * HAIL_NS_PER_US;
    ck_assert(hail_recovery_due(&alone.delivery, 0));
    ck_assert_uint_eq(alone_leave(&alone, 0), 1);
    ck_assert(!hail_sender_waits(&alone.delivery, 0));
    for (int i = 0; i < 20; i++) // more than a packet takes
        ck_assert_int_eq(alone_send(&alone, 0, HAIL_UNRELIABLE, 100), HAIL_OK);
    ck_assert_uint_ge(alone_leave(&alone, 0), 1);
    ck_assert_int_eq(alone_send(&alone, 0, HAIL_UNRELIABLE, 100), HAIL_OK);
    hail_sender_flush(&alone.delivery, 0);
    ck_assert_uint_ge(alone_leave(&alone, 0), 1);
    alone_end(&alone);
}
END_TEST

// send_rate is kept over time, but for what a pause lets go at once: 100 ms of it.
START_TEST(test_rate)
{
    struct hail_delivery_limits limits = alone_limits();
    uint64_t bytes = 0;

    limits.send_rate = 100000;
    alone.policy.channel_count = 0;
    begin(&limits);
    ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, 400000), HAIL_OK);
    for (uint64_t end_ns = alone.now_ns + 2000 * HAIL_NS_PER_MS; alone.now_ns < end_ns;) {
        sender()->congestion.window = PLENTY;
        sender()->congestion.credit = PLENTY;
        sender()->left_ns = alone.now_ns; // no probes
        hail_sender_pump(&alone.delivery, 0);
        for (uint32_t left = alone_leave(&alone, 0); left > 0; left--)
            bytes += alone_packet(&alone, alone.next_number - left)->len;
        ck_assert(hail_sender_waits(&alone.delivery, 0));
        alone.now_ns = sender()->again_ns;
    }
    ck_assert_uint_ge(bytes, 200000 - 2000);
    ck_assert_uint_le(bytes, 210000 + 4000);
    alone_end(&alone);
}
END_TEST

// One number at a time is left out: 4 to 19 packets after the last was passed at first.
START_TEST(test_skips)
{
    uint64_t skipped = 0;

    begin_with(NULL, NULL);
    sender()->skip_in = 0;
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, 10), HAIL_OK);
        alone_leave(&alone, 0);
        if (sender()->skipped == skipped)
            continue;
        ck_assert_uint_eq(skipped, 0); // nothing has been acknowledged since
        skipped = sender()->skipped;
        ck_assert_uint_ge(skipped, 4);
        ck_assert_uint_le(skipped, 20);
    }
    ck_assert_uint_ne(skipped, 0);
    const struct hail_ack_range passed[] = {{skipped + 1, alone.next_number - 1}, {1, skipped - 1}};
    ck_assert_int_eq(alone_acked(&alone, 0, passed, 2), HAIL_ACCEPT);
    for (int i = 0; i < 132 && sender()->skipped == skipped; i++) {
        ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, 10), HAIL_OK);
        alone_leave(&alone, 0);
    }
    ck_assert_uint_gt(sender()->skipped, skipped);
    alone_end(&alone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sender");
    TCase *tcase = tcase_create("sender");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_schedule, 0, HAIL_COUNTOF(schedules));
    tcase_add_test(tcase, test_silence);
    tcase_add_test(tcase, test_overdue);
    tcase_add_loop_test(tcase, test_ahead, 0, 2);
    tcase_add_test(tcase, test_parts);
    tcase_add_test(tcase, test_window);
    tcase_add_test(tcase, test_coalesce);
    tcase_add_test(tcase, test_rate);
    tcase_add_test(tcase, test_skips);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
