// test_receiver.c: what a receiver makes of parts of messages, without a shard: what it offers and
// when, what it keeps and refuses, and whom it holds to be useless.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/reassembly.h"
#include "engine/delivery/receiver.h"
#include "tests/delivery_alone.h"

enum {
    ORDERED = HAIL_RELIABLE_ORDERED,
    UNORDERED = HAIL_RELIABLE_UNORDERED,
    LOOSE = HAIL_UNRELIABLE,
    STEPS_MAX = 5,
    BODY_MAX = 1024
};

static struct alone alone;
static uint8_t scratch[1 << 20];

static void setup(void)
{
    struct hail_delivery_limits limits = alone_limits();

    limits.message_max = 16384;
    limits.buffers_max = 64 << 20; // so that no share is below it
    alone_begin(&alone, &limits);
}

static void teardown(void)
{
    alone_end(&alone);
}

// Gives the receiver one part, as if in a packet of its own.
static enum hail_receipt give(uint8_t channel, uint32_t id, uint32_t total, uint32_t offset,
                              uint32_t len, struct hail_intake *intake)
{
    static const uint8_t body[BODY_MAX] = {HAIL_FRAME_MESSAGE};
    static uint64_t number;
    const struct hail_opened packet = {.flags = HAIL_FLAGS_BOTH, .number = ++number};
    const struct hail_native_frame frame = {
        .type = len == total ? HAIL_FRAME_RELIABLE : HAIL_FRAME_FRAGMENT,
        .part = {.channel = channel, .id = (uint16_t)id, .total = total, .offset = offset},
        .bytes = {body, len},
    };

    enum hail_receipt receipt = hail_receiver_part(&alone.delivery, 0, &frame, &packet, intake);
    if (receipt == HAIL_RECEIPT_WHOLE)
        return hail_receiver_take(&alone.delivery, 0, &frame, intake) ? HAIL_RECEIPT_MORE : receipt;
    return receipt;
}

// Takes what is whole now; returns how many, and the last one's id.
static uint32_t drain(uint8_t channel, uint32_t *id)
{
    struct hail_whole whole;
    uint32_t count = 0;

    while (hail_receiver_next(&alone.delivery, 0, channel, &whole)) {
        hail_receiver_deliver(&alone.delivery, 0, &whole, scratch);
        *id = whole.id;
        count++;
    }
    return count;
}

struct step {
    uint32_t id, total, offset, len;
    enum hail_receipt receipt;
    uint32_t drained; // messages of the channel that are whole then
};

static const struct row {
    const char *why;
    uint8_t channel;
    struct step steps[STEPS_MAX];
    size_t count;
    uint32_t next; // the channel's afterwards
} rows[] = {
    {"in order, each is taken from its frame",
     ORDERED,
     {{0, 9, 0, 9, HAIL_RECEIPT_WHOLE, 0}, {1, 9, 0, 9, HAIL_RECEIPT_WHOLE, 0}},
     2,
     2},
    {"before its turn it is kept, and follows",
     ORDERED,
     {{1, 9, 0, 9, HAIL_RECEIPT_MORE, 0}, {0, 9, 0, 9, HAIL_RECEIPT_MORE, 1}},
     2,
     2},
    {"a hole of two",
     ORDERED,
     {{2, 9, 0, 9, HAIL_RECEIPT_MORE, 0},
      {0, 9, 0, 9, HAIL_RECEIPT_MORE, 0},
      {1, 9, 0, 9, HAIL_RECEIPT_MORE, 1}},
     3,
     3},
    {"what has come is not taken again",
     ORDERED,
     {{0, 9, 0, 9, HAIL_RECEIPT_WHOLE, 0}, {0, 9, 0, 9, HAIL_RECEIPT_NOTHING, 0}},
     2,
     1},
    {"two halves, the second first",
     ORDERED,
     {{0, 20, 10, 10, HAIL_RECEIPT_NOTHING, 0}, {0, 20, 0, 10, HAIL_RECEIPT_MORE, 1}},
     2,
     1},
    {"a part that says another length",
     ORDERED,
     {{0, 20, 10, 10, HAIL_RECEIPT_NOTHING, 0},
      {0, 30, 0, 10, HAIL_RECEIPT_NOTHING, 0},
      {0, 20, 0, 10, HAIL_RECEIPT_MORE, 1}},
     3,
     1},
    {"as far ahead as may be", ORDERED, {{1023, 9, 0, 9, HAIL_RECEIPT_MORE, 0}}, 1, 0},
    {"further", ORDERED, {{1024, 9, 0, 9, HAIL_RECEIPT_NOTHING, 0}}, 1, 0},
    {"without an order each is taken as it comes",
     UNORDERED,
     {{3, 9, 0, 9, HAIL_RECEIPT_WHOLE, 0}, {0, 9, 0, 9, HAIL_RECEIPT_WHOLE, 0}},
     2,
     1},
    {"and once",
     UNORDERED,
     {{3, 9, 0, 9, HAIL_RECEIPT_WHOLE, 0}, {3, 9, 0, 9, HAIL_RECEIPT_NOTHING, 0}},
     2,
     0},
    {"and each in its parts",
     UNORDERED,
     {{1, 20, 0, 10, HAIL_RECEIPT_NOTHING, 0},
      {2, 20, 0, 10, HAIL_RECEIPT_NOTHING, 0},
      {2, 20, 10, 10, HAIL_RECEIPT_MORE, 1},
      {1, 20, 10, 10, HAIL_RECEIPT_MORE, 1}},
     4,
     0},
    {"an unreliable one in parts",
     LOOSE,
     {{0, 20, 0, 10, HAIL_RECEIPT_NOTHING, 0}, {0, 20, 10, 10, HAIL_RECEIPT_MORE, 1}},
     2,
     1},
    {"is not put together twice",
     LOOSE,
     {{0, 20, 0, 10, HAIL_RECEIPT_NOTHING, 0},
      {0, 20, 10, 10, HAIL_RECEIPT_MORE, 1},
      {0, 20, 0, 10, HAIL_RECEIPT_NOTHING, 0},
      {0, 20, 10, 10, HAIL_RECEIPT_NOTHING, 0}},
     4,
     1},
    {"a newer one takes its place",
     LOOSE,
     {{0, 20, 0, 10, HAIL_RECEIPT_NOTHING, 0},
      {1, 20, 0, 10, HAIL_RECEIPT_NOTHING, 0},
      {0, 20, 10, 10, HAIL_RECEIPT_NOTHING, 0},
      {1, 20, 10, 10, HAIL_RECEIPT_MORE, 1}},
     4,
     2},
    {"longer than any form of message_max: reliable, the connection ends",
     ORDERED,
     {{0, 16384 + HAIL_FRAME_INNER_MAX + 1, 0, 10, HAIL_RECEIPT_TOO_LONG, 0}},
     1,
     0},
    {"unreliable, it is dropped",
     LOOSE,
     {{0, 16384 + HAIL_FRAME_INNER_MAX + 1, 0, 10, HAIL_RECEIPT_NOTHING, 0}},
     1,
     0},
};

START_TEST(test_receipts)
{
    const struct row *row = &rows[_i];
    uint32_t last;

    for (size_t i = 0; i < row->count; i++) {
        const struct step *step = &row->steps[i];
        struct hail_intake intake = {0};
        enum hail_receipt receipt =
            give(row->channel, step->id, step->total, step->offset, step->len, &intake);
        ck_assert_msg(receipt == step->receipt, "%s: step %zu: %d", row->why, i, receipt);
        uint32_t drained = drain(row->channel, &last);
        ck_assert_msg(drained == step->drained, "%s: step %zu: %u", row->why, i, drained);
    }
    ck_assert_msg(hail_reassembly_channels(&alone.delivery, 0)[row->channel].next == row->next,
                  "%s", row->why);
}
END_TEST

// What is kept for want of room among the events is offered again, and held.
START_TEST(test_keep)
{
    static const uint8_t body[20] = {HAIL_FRAME_MESSAGE};
    const struct hail_opened packet = {.flags = HAIL_FLAGS_BOTH, .number = 7};
    struct hail_native_frame frame = {
        .type = HAIL_FRAME_RELIABLE, .part = {.total = sizeof body}, .bytes = {body, sizeof body}};
    struct hail_intake intake = {0};
    struct hail_whole whole;

    ck_assert_int_eq(hail_receiver_part(&alone.delivery, 0, &frame, &packet, &intake),
                     HAIL_RECEIPT_WHOLE);
    ck_assert(hail_receiver_keep(&alone.delivery, 0, &frame, &packet, &intake));
    ck_assert(intake.brought && intake.waits && !intake.refused);
    for (int i = 0; i < 2; i++) {
        ck_assert(hail_receiver_next(&alone.delivery, 0, ORDERED, &whole));
        hail_receiver_hold(&alone.delivery, 0);
    }
    ck_assert_uint_eq(whole.len, sizeof body);
    ck_assert_uint_eq(whole.number, 7);
    alone.now_ns += 100000 * HAIL_NS_PER_MS;
    ck_assert(hail_receiver_due(&alone.delivery, 0, true)); // the wait is not the peer's fault
    hail_receiver_deliver(&alone.delivery, 0, &whole, scratch);
    ck_assert_mem_eq(scratch, body, sizeof body);
    ck_assert(!hail_receiver_next(&alone.delivery, 0, ORDERED, &whole));
    frame.part.channel = LOOSE; // lost, as a datagram may be
    ck_assert_int_eq(hail_receiver_part(&alone.delivery, 0, &frame, &packet, &intake),
                     HAIL_RECEIPT_WHOLE);
    ck_assert(!hail_receiver_keep(&alone.delivery, 0, &frame, &packet, &intake));
    ck_assert_uint_eq(alone.delivery.reassemblies.records.used_count, 0);
}
END_TEST

// A connection may occupy what two of the longest messages do, or one and HAIL_STORE_LEAST, for the
// short ends of each of HAIL_AHEAD_MAX messages two blocks, and their records (DESIGN.md).
START_TEST(test_bound)
{
    uint64_t most = hail_reassembly_charge(
        hail_segments_blocks_max(16384 + HAIL_STORE_LEAST) + 2 * HAIL_AHEAD_MAX, HAIL_AHEAD_MAX);
    uint64_t refused = 0;

    for (uint32_t id = 1; id < HAIL_AHEAD_MAX; id++) {
        for (uint32_t offset = 0; offset < 16384; offset += BODY_MAX) {
            struct hail_intake intake = {0};
            (void)give(ORDERED, id, 16384, offset, BODY_MAX, &intake);
            refused += intake.refused;
        }
        ck_assert_uint_le(alone.delivery.conns[0].stored, most);
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_gt(alone.delivery.conns[0].stored, most / 2);
    struct hail_intake intake = {0};
    (void)give(ORDERED, 0, 16384, 0, BODY_MAX, &intake); // its turn: it may pass the limit
    ck_assert(!intake.refused);
}
END_TEST

// A packet may have HAIL_PARTS_MAX, of which those that lie apart count as HAIL_PART_APART.
START_TEST(test_crowded)
{
    bool is_apart = _i;
    uint32_t most = is_apart ? HAIL_PARTS_MAX / HAIL_PART_APART : HAIL_PARTS_MAX;
    struct hail_intake intake = {0};

    for (uint32_t i = 1; i <= most; i++)
        (void)give(ORDERED, i, is_apart ? 20 : 9, 0, 9, &intake);
    ck_assert(!intake.refused);
    (void)give(ORDERED, most + 1, is_apart ? 20 : 9, 0, 9, &intake);
    ck_assert(intake.refused);
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_CROWDED), 1);
}
END_TEST

// Packets that bring nothing end the connection, unless others redeem them.
START_TEST(test_useless)
{
    const struct hail_intake repeated = {.cost = HAIL_USELESS_REPEATED};
    const struct hail_intake useful = {.brought = true, .cost = HAIL_USELESS_REPEATED};
    bool redeems = _i;
    uint32_t count = 0;

    while (count < 10000 && hail_receiver_judge(&alone.delivery, 0, &repeated)) {
        if (redeems && count % 2)
            ck_assert(hail_receiver_judge(&alone.delivery, 0, &useful));
        count++;
    }
    ck_assert_uint_eq(count, redeems ? 10000 : HAIL_USELESS_MAX / HAIL_USELESS_REPEATED);
}
END_TEST

// What was begun and gets nowhere: reliable, the connection ends; unreliable, it is dropped.
static const struct stall {
    const char *why;
    uint8_t channel;
    uint32_t id;
    bool ends;
    uint32_t torn;
} stalls[] = {
    {"a message is begun", ORDERED, 0, true, 0},
    {"one is behind a hole", ORDERED, 1, true, 0},
    {"one is begun where there is no order", UNORDERED, 4, true, 0},
    {"an unreliable one is begun", LOOSE, 0, false, 1},
};

START_TEST(test_stall)
{
    const struct stall *row = &stalls[_i];
    uint64_t stall_ns = alone.delivery.limits.stall_timeout_ms * HAIL_NS_PER_MS;
    struct hail_intake intake = {0};
    uint64_t begin_ns = alone.now_ns;

    ck_assert_uint_eq(hail_receiver_next_ns(&alone.delivery, 0), UINT64_MAX);
    (void)give(row->channel, row->id, 20, 0, 10, &intake);
    ck_assert(intake.waits);
    ck_assert_uint_eq(hail_receiver_next_ns(&alone.delivery, 0), begin_ns + stall_ns);
    alone.now_ns = begin_ns + stall_ns / 2;
    (void)give(row->channel, row->id, 20, 10, 5, &intake); // it goes on
    alone.now_ns = begin_ns + stall_ns;
    bool behind = row->channel == ORDERED && row->id > 0;
    ck_assert_msg(hail_receiver_due(&alone.delivery, 0, true) == !behind, "%s", row->why);
    if (behind)
        return;
    ck_assert_uint_eq(hail_receiver_next_ns(&alone.delivery, 0),
                      begin_ns + stall_ns + stall_ns / 2);
    alone.now_ns = begin_ns + stall_ns + stall_ns / 2;
    ck_assert_msg(hail_receiver_due(&alone.delivery, 0, true) == !row->ends, "%s", row->why);
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_MESSAGES_TORN), row->torn);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("receiver");
    TCase *tcase = tcase_create("receiver");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_receipts, 0, HAIL_COUNTOF(rows));
    tcase_add_test(tcase, test_keep);
    tcase_add_test(tcase, test_bound);
    tcase_add_loop_test(tcase, test_crowded, 0, 2);
    tcase_add_loop_test(tcase, test_useless, 0, 2);
    tcase_add_loop_test(tcase, test_stall, 0, HAIL_COUNTOF(stalls));
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
