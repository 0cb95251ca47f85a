// test_recovery.c: what becomes of packets under way, without a shard: loss by RFC 9002,
// section 6.1 and its appendix A.10, row by row and against a slow model; probes by section 6.2;
// persistent congestion by section 7.6.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/recovery.h"
#include "engine/delivery/sender.h"
#include "tests/delivery_alone.h"

static struct alone alone;

static struct hail_sender *sender(void)
{
    return hail_sender_of(&alone.delivery, 0);
}

static void setup(void)
{
    const struct hail_delivery_limits limits = alone_limits();

    alone_begin(&alone, &limits);
}

static void teardown(void)
{
    alone_end(&alone);
}

// Sends a packet with one short message and has it leave.
static uint64_t send_packet(uint8_t channel)
{
    ck_assert_int_eq(alone_send(&alone, 0, channel, 10), HAIL_OK);
    ck_assert_uint_eq(alone_leave(&alone, 0), 1);
    return alone.next_number - 1;
}

// Whether a packet is under way still.
static bool is_under_way(uint64_t number)
{
    const struct hail_slab *records = &alone.delivery.sent_packets;

    for (uint32_t index = sender()->sent_first; index != HAIL_SLAB_NONE;) {
        const struct hail_sent_packet *sent = hail_slab_at(records, index);
        if (sent->number == number)
            return true;
        index = sent->next;
    }
    return false;
}

// The first packet is number 1. Round trips are as long as the acknowledgement takes, which begins
// with the first.
static const struct loss {
    const char *why;
    uint64_t
        sent_ms[6]; // after the first; a row's packets end where a time is below the one before
    size_t count;
    uint64_t acked_ms;
    struct hail_ack_range ranges[3];
    size_t range_count;
    uint64_t lost;     // bit by number
    uint64_t timer_ms; // when the next is taken for lost; 0: none is suspected
} losses[] = {
    {"all have arrived", {0, 0, 0}, 3, 100, {{1, 3}}, 1, 0, 0},
    {"the packet threshold is three (6.1.1)", {0, 0, 0, 0}, 4, 100, {{4, 4}}, 1, 1 << 1, 112},
    {"two behind is no loss yet", {0, 0, 0}, 3, 100, {{3, 3}}, 1, 0, 112},
    {"nothing that is newer than the largest is judged", {0, 0, 0, 0}, 4, 100, {{1, 1}}, 1, 0, 0},
    {"a hole in the middle, three behind", {0, 0, 0, 0, 0}, 5, 100, {{3, 5}, {1, 1}}, 2, 1 << 2, 0},
    {"of a long row only what is three behind",
     {0, 0, 0, 0, 0},
     5,
     100,
     {{5, 5}},
     1,
     1 << 1 | 1 << 2,
     112},
    {"the time threshold, of 9/8 of the round trip (6.1.2)",
     {0, 120},
     2,
     220,
     {{2, 2}},
     1,
     1 << 1,
     0},
    {"just below it", {0, 10}, 2, 110, {{2, 2}}, 1, 0, 112},
    {"the earliest of those that are suspected counts", {0, 5, 10}, 3, 110, {{3, 3}}, 1, 0, 112},
};

START_TEST(test_loss)
{
    const struct loss *row = &losses[_i];
    uint64_t begin_ns = alone.now_ns;

    for (size_t i = 0; i < row->count; i++) {
        alone.now_ns = begin_ns + row->sent_ms[i] * HAIL_NS_PER_MS;
        (void)send_packet(HAIL_RELIABLE_ORDERED);
    }
    alone.now_ns = begin_ns + row->acked_ms * HAIL_NS_PER_MS;
    ck_assert_int_eq(alone_acked(&alone, 0, row->ranges, row->range_count), HAIL_ACCEPT);
    ck_assert_msg(alone_counted(&alone, HAIL_STAT_PACKETS_LOST) ==
                      (unsigned)__builtin_popcountll(row->lost),
                  "%s: %llu are lost", row->why,
                  (unsigned long long)alone_counted(&alone, HAIL_STAT_PACKETS_LOST));
    for (uint64_t number = 1; number <= row->count; number++) {
        bool acked = false;
        for (size_t i = 0; i < row->range_count; i++)
            acked |= number >= row->ranges[i].first && number <= row->ranges[i].last;
        bool lost = row->lost >> number & 1;
        ck_assert_msg(is_under_way(number) == (!acked && !lost), "%s: packet %llu", row->why,
                      (unsigned long long)number);
    }
    uint64_t timer_ns = row->timer_ms == 0
                            ? UINT64_MAX
                            : begin_ns + row->timer_ms * HAIL_NS_PER_MS + HAIL_NS_PER_MS / 2;
    ck_assert_msg(sender()->loss_ns == timer_ns, "%s: the timer is at %.3f ms", row->why,
                  (double)(sender()->loss_ns - begin_ns) / 1e6);
}
END_TEST

// What was suspected is lost when its time has come, and goes again.
START_TEST(test_loss_timer)
{
    const struct hail_ack_range last = {2, 2};
    (void)send_packet(HAIL_RELIABLE_ORDERED);
    (void)send_packet(HAIL_RELIABLE_ORDERED);
    alone.now_ns += 80 * HAIL_NS_PER_MS;
    ck_assert_int_eq(alone_acked(&alone, 0, &last, 1), HAIL_ACCEPT);
    uint64_t due_ns = hail_recovery_next_ns(&alone.delivery, 0);
    ck_assert_uint_eq(due_ns, alone.now_ns + 10 * HAIL_NS_PER_MS); // 9/8 of 80
    alone.now_ns = due_ns - 1;
    ck_assert(hail_recovery_due(&alone.delivery, 0));
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_PACKETS_LOST), 0);
    alone.now_ns = due_ns;
    ck_assert(hail_recovery_due(&alone.delivery, 0));
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_PACKETS_LOST), 1);
    ck_assert_uint_eq(alone_leave(&alone, 0), 1);
    const struct alone_packet *again = alone_packet(&alone, 3);
    ck_assert_uint_eq(again->part_count, 1);
    ck_assert_uint_eq(again->parts[0].id, 0);
}
END_TEST

// The probe timeout (6.2.1): smoothed round trip, four variations and how long the other end may
// wait; twice as long each time (6.2.2), up to a second. Once a probe has taken what is reliable,
// the oldest packet has nothing that is answered soon.
START_TEST(test_probes)
{
    bool is_lazy = _i;
    (void)send_packet(is_lazy ? HAIL_UNRELIABLE : HAIL_RELIABLE_ORDERED);
    for (unsigned probe = 0; probe < 5; probe++) {
        bool soon = !is_lazy && probe == 0;
        uint64_t wait_ms = 100 + 4 * 50 + (soon ? HAIL_ACK_DELAY_MS : HAIL_ACK_DELAY_LAZY_MS);
        uint64_t expect_ms = wait_ms << probe < 1000 ? wait_ms << probe : 1000;
        uint64_t at_ns = hail_recovery_next_ns(&alone.delivery, 0);
        ck_assert_uint_eq(at_ns - alone.now_ns, expect_ms * HAIL_NS_PER_MS);
        alone.now_ns = at_ns - 1;
        ck_assert(hail_recovery_due(&alone.delivery, 0));
        ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_PROBES), probe);
        alone.now_ns = at_ns;
        ck_assert(hail_recovery_due(&alone.delivery, 0));
        ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_PROBES), probe + 1);
        ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_PACKETS_LOST), 0); // a probe is no loss
        ck_assert_uint_eq(alone_leave(&alone, 0), 1);
        const struct alone_packet *packet = alone_packet(&alone, alone.next_number - 1);
        ck_assert(packet->asks);
        ck_assert_uint_eq(packet->part_count, !is_lazy); // what is reliable goes once more
        alone.now_ns = sender()->left_ns;
    }
}
END_TEST

// A probe goes out though the window is full; an acknowledgement ends the row.
START_TEST(test_probe_passes_the_window)
{
    sender()->congestion.window = 1;
    sender()->congestion.credit = 1 << 20;
    ck_assert_int_eq(alone_send(&alone, 0, HAIL_RELIABLE_ORDERED, 5000), HAIL_OK);
    ck_assert_uint_eq(alone_leave(&alone, 0), 1);
    alone.now_ns = hail_recovery_next_ns(&alone.delivery, 0);
    ck_assert(hail_recovery_due(&alone.delivery, 0));
    ck_assert_uint_ge(alone_leave(&alone, 0), 1);
    ck_assert_uint_eq(sender()->probes, 1);
    const struct hail_ack_range newest = {alone.next_number - 1, alone.next_number - 1};
    ck_assert_int_eq(alone_acked(&alone, 0, &newest, 1), HAIL_ACCEPT);
    ck_assert_uint_eq(sender()->probes, 0);
}
END_TEST

// Losses over three probe times with nothing acknowledged in between: the least window (7.6).
static const struct persistent {
    const char *why;
    uint64_t apart_ms; // of the two that are lost
    bool collapses;
} persistents[] = {
    {"as long as three probe times", 975, false},
    {"longer", 976, true},
    {"much longer", 3000, true},
    {"in one burst", 1, false},
};

START_TEST(test_persistent)
{
    const struct persistent *row = &persistents[_i];

    // One round trip of 100 ms: three probe times are 3 * (100 + 4 * 50 + 25) before it, and of
    // the same once it is known.
    (void)send_packet(HAIL_RELIABLE_ORDERED);
    alone.now_ns += row->apart_ms * HAIL_NS_PER_MS;
    (void)send_packet(HAIL_RELIABLE_ORDERED);
    alone.now_ns += 200 * HAIL_NS_PER_MS;
    for (int i = 0; i < 3; i++)
        (void)send_packet(HAIL_RELIABLE_ORDERED);
    alone.now_ns += 100 * HAIL_NS_PER_MS;
    uint32_t window = sender()->congestion.window;
    const struct hail_ack_range newest = {3, 5};
    ck_assert_int_eq(alone_acked(&alone, 0, &newest, 1), HAIL_ACCEPT);
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_PACKETS_LOST), 2);
    struct hail_congestion least;
    hail_congestion_init(&least, 0);
    hail_congestion_collapse(&least);
    ck_assert_msg((sender()->congestion.window == least.window) == row->collapses,
                  "%s: %u bytes of %u", row->why, sender()->congestion.window, window);
}
END_TEST

// Who acknowledges what was never sent is lying; nothing of it is believed.
START_TEST(test_false)
{
    static const struct hail_ack_range rows[] = {{1, 2}, {2, 2}, {1, 1000}};

    (void)send_packet(HAIL_RELIABLE_ORDERED);
    ck_assert_int_eq(alone_acked(&alone, 0, &rows[_i], 1), HAIL_DROP_FALSE_ACK);
    ck_assert(is_under_way(1));
}
END_TEST

START_TEST(test_skipped)
{
    const struct hail_ack_range all = {1, 3};

    (void)send_packet(HAIL_RELIABLE_ORDERED);
    sender()->skip_in = 1;
    ck_assert_uint_eq(send_packet(HAIL_RELIABLE_ORDERED), 3);
    ck_assert_uint_eq(sender()->skipped, 2);
    ck_assert_int_eq(alone_acked(&alone, 0, &all, 1), HAIL_DROP_FALSE_ACK);
    ck_assert(is_under_way(1) && is_under_way(3));
}
END_TEST

// Another path: the oldest goes again at once, whatever was waited for.
START_TEST(test_moved)
{
    hail_recovery_moved(&alone.delivery, 0);
    ck_assert_uint_eq(alone_leave(&alone, 0), 0); // nothing is under way
    (void)send_packet(HAIL_RELIABLE_ORDERED);
    hail_recovery_moved(&alone.delivery, 0);
    ck_assert_uint_eq(alone_leave(&alone, 0), 1);
    ck_assert_uint_eq(alone_packet(&alone, 2)->part_count, 1);
}
END_TEST

START_TEST(test_stall)
{
    uint64_t begin_ns = alone.now_ns;

    (void)send_packet(HAIL_RELIABLE_ORDERED);
    uint64_t end_ns = begin_ns + alone.delivery.limits.stall_timeout_ms * HAIL_NS_PER_MS;
    while ((alone.now_ns = hail_recovery_next_ns(&alone.delivery, 0)) < end_ns) {
        ck_assert(hail_recovery_due(&alone.delivery, 0));
        alone_leave(&alone, 0);
    }
    ck_assert_uint_eq(alone.now_ns, end_ns);
    ck_assert(!hail_recovery_due(&alone.delivery, 0));
}
END_TEST

// ---- Against a slow model: sets of packet numbers

enum {
    PACKETS = 500
};

static struct {
    enum {
        UNSENT,
        UNDER_WAY,
        ARRIVED,
        LOST
    } fate[2 * PACKETS];
    uint64_t sent_ns[2 * PACKETS];
    uint64_t largest; // that was acknowledged; 0: none
    struct hail_rtt rtt;
} model;

// DetectAndRemoveLostPackets of A.10.
static void model_detect(void)
{
    for (uint64_t number = 1; number < model.largest; number++) {
        if (model.fate[number] == UNDER_WAY &&
            (number + 3 <= model.largest ||
             model.sent_ns[number] + hail_rtt_loss_ns(&model.rtt) <= alone.now_ns))
            model.fate[number] = LOST;
    }
}

// OnAckReceived of A.7. The delay is none.
static void model_ack(const struct hail_ack_range *ranges, size_t count)
{
    uint64_t largest = ranges[0].last;

    if (model.fate[largest] == UNDER_WAY)
        hail_rtt_sample(&model.rtt, alone.now_ns - model.sent_ns[largest], 0);
    if (largest > model.largest)
        model.largest = largest;
    for (size_t i = 0; i < count; i++) {
        for (uint64_t number = ranges[i].first; number <= ranges[i].last; number++) {
            if (model.fate[number] == UNDER_WAY)
                model.fate[number] = ARRIVED;
        }
    }
    model_detect();
}

static void model_sent(void)
{
    for (uint32_t left = alone_leave(&alone, 0); left > 0; left--) {
        uint64_t number = alone.next_number - left;
        model.fate[number] = UNDER_WAY;
        model.sent_ns[number] = alone.now_ns;
    }
}

static void compare(uint64_t seed)
{
    uint64_t lost = 0;

    for (uint64_t number = 1; number < alone.next_number; number++) {
        lost += model.fate[number] == LOST;
        ck_assert_msg(is_under_way(number) == (model.fate[number] == UNDER_WAY),
                      "seed %llu: packet %llu, whose fate is %d", (unsigned long long)seed,
                      (unsigned long long)number, model.fate[number]);
    }
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_PACKETS_LOST), lost);
}

// Random ranges that end with a number that was sent, and have gaps between them.
static size_t draw_ranges(uint64_t *seed, struct hail_ack_range ranges[8])
{
    uint64_t last = alone.next_number - 1 - test_next(seed) % 6;
    size_t count = 0;

    while (count < 8 && last >= 1 && last < alone.next_number) {
        uint64_t first = last - test_next(seed) % 4;
        if (first < 1 || first > last)
            first = 1;
        ranges[count++] = (struct hail_ack_range){first, last};
        last = first - 2 - test_next(seed) % 3;
    }
    return count;
}

START_TEST(test_model)
{
    uint64_t seed = test_seed();
    const uint64_t begun = seed;
    struct hail_ack_range ranges[8];

    memset(&model, 0, sizeof model);
    hail_rtt_init(&model.rtt);
    while (alone.next_number < PACKETS) {
        alone.now_ns += test_next(&seed) % 20 * HAIL_NS_PER_MS;
        sender()->congestion.window = 1 << 28; // losses alone are looked at
        sender()->congestion.credit = 1 << 28;
        if (test_next(&seed) % 3 > 0) {
            ck_assert_int_eq(alone_send(&alone, 0, HAIL_UNRELIABLE, 1 + test_next(&seed) % 500),
                             HAIL_OK);
            model_sent();
        } else if (alone.next_number > 8) {
            size_t count = draw_ranges(&seed, ranges);
            if (count == 0)
                continue;
            model_ack(ranges, count);
            ck_assert_int_eq(alone_acked(&alone, 0, ranges, count), HAIL_ACCEPT);
            model_sent();
        }
        if (sender()->loss_ns <= alone.now_ns) {
            sender()->left_ns = alone.now_ns; // no probe: those are test_probes's
            model_detect();
            ck_assert(hail_recovery_due(&alone.delivery, 0));
            model_sent();
        }
        compare(begun);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recovery");
    TCase *tcase = tcase_create("recovery");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_loss, 0, HAIL_COUNTOF(losses));
    tcase_add_test(tcase, test_loss_timer);
    tcase_add_loop_test(tcase, test_probes, 0, 2);
    tcase_add_test(tcase, test_probe_passes_the_window);
    tcase_add_loop_test(tcase, test_persistent, 0, HAIL_COUNTOF(persistents));
    tcase_add_loop_test(tcase, test_false, 0, 3);
    tcase_add_test(tcase, test_skipped);
    tcase_add_test(tcase, test_moved);
    tcase_add_test(tcase, test_stall);
    tcase_add_test(tcase, test_model);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
