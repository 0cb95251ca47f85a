// test_receiving.c: what a peer may do to a receiver with parts of messages: how much it can make
// it keep, and for how long. A client's shard writes the frames by hand; two shards in one thread,
// in time that the test makes.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/reassembly.h"
#include "engine/delivery/receiver.h"
#include "engine/native/state.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "tests/turn.h"
#include "tests/vectors.h"
#include "tests/wired.h"

enum {
    WAYS_MAX = 64, // datagrams under way in one direction
    STALL_MS = 5000,
    MESSAGE_MAX = 1 << 19,
    ORDERED = HAIL_RELIABLE_ORDERED,
    UNORDERED = HAIL_RELIABLE_UNORDERED,
    UNRELIABLE = HAIL_UNRELIABLE
};

static struct wired wired;
static size_t last_len; // of the server's last message
static uint8_t last[256];

// Carried out when the server or the client is connected: what it is told first. NULL: nothing.
static struct hail_command *greets[2];

static void greet(struct wired_end *end, struct hail_conn conn)
{
    struct hail_command *command = greets[end == &wired.client];
    size_t done;

    if (!command)
        return;
    command->conn = conn;
    ck_assert_int_eq(hail_command_run(&end->shard, command, &done), HAIL_OK);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    wired_note(endpoint, event, user);
    if (event->type == HAIL_EVENT_CONNECTED)
        greet(user, event->conn);
    if (event->type != HAIL_EVENT_MESSAGE)
        return;
    last_len = event->len;
    memcpy(last, event->data, event->len < sizeof last ? event->len : sizeof last);
}

// A server that polls gets its events from its queue, one at a time.
static bool poll_one(void)
{
    size_t len;
    const struct hail_event *event = hail_mailbox_next(&wired.server.context.events, &len);

    if (event && len > 0)
        on_event(NULL, event, &wired.server);
    hail_mailbox_release(&wired.server.context.events);
    return event != NULL;
}

static void settle(void)
{
    wired_settle(&wired);
}

static void run_for_ms(uint64_t ms)
{
    uint64_t until_ns = wired.now_ns + ms * HAIL_NS_PER_MS;

    while (wired.now_ns < until_ns) {
        uint64_t next = wired_next_ns(&wired);
        next = next > wired.now_ns ? next : wired.now_ns + HAIL_NS_PER_MS;
        wired.now_ns = next < until_ns ? next : until_ns;
        settle();
    }
}

static struct hail_config base_config(void)
{
    struct hail_config config = wired_config();

    config.message_max = MESSAGE_MAX;
    config.unsent_max = 2 * MESSAGE_MAX;
    config.stall_timeout_ms = STALL_MS;
    config.event_queue_bytes = 4 * (MESSAGE_MAX + HAIL_WIRE_EXTRA);
    config.on_event = on_event;
    return config;
}

// Both ends, and a client about to say hello.
static void begin_unjoined(struct hail_config config, bool polls)
{
    wired_init(&wired, WAYS_MAX);
    wired.exact = true;
    last_len = 0;
    wired_begin(&wired.client, &config, 0);
    config.on_event = polls ? NULL : on_event;
    wired_begin(&wired.server, &config, 1);
    wired_connect(&wired);
}

// Both ends, joined.
static void begin_as(struct hail_config config, bool polls)
{
    begin_unjoined(config, polls);
    settle();
    while (polls && poll_one())
        ;
    ck_assert(wired.client.shard.conns[wired.client.slot].joined);
}

static void begin(bool polls)
{
    begin_as(base_config(), polls);
}

static void finish(void)
{
    wired_finish(&wired);
}

static const struct hail_delivery_conn *receiver(void)
{
    return &wired.server.shard.delivery.conns[wired.server.slot];
}

static uint64_t counted(unsigned stat)
{
    return hail_stat_get(&wired.server.shard.stats, stat);
}

// ---- Frames by hand

static uint32_t packet; // that is being filled

static void open_packet(void)
{
    wired.client.shard.now_ns = wired.now_ns;
    packet = hail_packets_begin(&wired.client.shard.delivery, wired.client.slot,
                                HAIL_PROTECTION_ENCRYPTED);
    ck_assert_uint_ne(packet, HAIL_OUTGOING_NONE);
}

// Bytes of a message of `total` bytes, of the kind without a name; its bytes are `fill` each.
static void put(uint8_t channel, uint16_t id, uint32_t total, uint32_t offset, uint32_t len,
                uint8_t fill)
{
    static uint8_t data[1200];
    const struct hail_native_frame frame = {
        .type = HAIL_FRAME_FRAGMENT,
        .part = {.channel = channel, .id = id, .total = total, .offset = offset},
        .bytes = {data, len},
    };

    memset(data, fill, len);
    if (offset == 0)
        data[0] = HAIL_FRAME_MESSAGE;
    hail_packets_add(&wired.client.shard.delivery, packet, &frame);
}

// A packet with one part.
static void send_part(uint8_t channel, uint16_t id, uint32_t total, uint32_t offset, uint32_t len)
{
    open_packet();
    put(channel, id, total, offset, len, 1);
    settle();
}

// Whether the server has acknowledged the client's last packet.
static bool is_acknowledged(void)
{
    uint64_t number = wired.client.shard.native->conns[wired.client.slot].peer.next_number - 1;
    const struct hail_acks *acks = &receiver()->acks;

    return number < acks->next &&
           (acks->seen[number % HAIL_ACKS_WINDOW / 64] >> number % 64 & 1) == 1;
}

// ---- What is kept

START_TEST(test_order)
{
    begin(false);
    open_packet();
    put(ORDERED, 0, 10, 8, 2, 1);
    put(ORDERED, 1, 1, 0, 1, 1);
    put(ORDERED, 0, 10, 0, 4, 1);
    put(ORDERED, 0, 10, 2, 6, 2); // two of them are there: the first stay
    settle();
    ck_assert_uint_eq(wired.server.messages, 2);
    ck_assert_uint_eq(receiver()->stored, 0);
    open_packet();
    put(UNORDERED, 3, 6, 0, 3, 7);
    put(UNORDERED, 1, 3, 0, 3, 8);
    put(UNORDERED, 3, 6, 3, 3, 9);
    settle();
    ck_assert_uint_eq(wired.server.messages, 4);
    ck_assert_uint_eq(last_len, 5);
    ck_assert_mem_eq(last, "\7\7\11\11\11", 5);
    finish();
}
END_TEST

static const struct {
    const char *why;
    uint8_t channel;
    uint16_t id;
    uint32_t total;
    uint32_t offset;
    uint64_t blocks;
    uint64_t records;
} charges[] = {
    {"one byte of a short message", ORDERED, 1, 2, 1, 1, 1},
    {"one byte of a long one: what leads to it, too", ORDERED, 1, MESSAGE_MAX, 5, 3, 1},
    {"the same on a channel without an order", UNORDERED, 0, MESSAGE_MAX, 5, 3, 1},
    {"the same on an unreliable one", UNRELIABLE, 0, MESSAGE_MAX, 5, 3, 1},
};

// A byte is charged as the blocks and the record that it occupies.
START_TEST(test_charge)
{
    begin(false);
    send_part(charges[_i].channel, charges[_i].id, charges[_i].total, charges[_i].offset, 1);
    ck_assert_msg(receiver()->stored ==
                      hail_reassembly_charge(charges[_i].blocks, charges[_i].records),
                  "%s: %llu", charges[_i].why, (unsigned long long)receiver()->stored);
    ck_assert_uint_eq(wired.server.shard.pool.used_count, charges[_i].blocks);
    finish();
}
END_TEST

// What a receiver promises to keep: one of the longest and 1 MiB, and what goes with them.
static uint64_t most_kept(void)
{
    return hail_reassembly_charge(hail_segments_blocks_max(MESSAGE_MAX + HAIL_STORE_LEAST) +
                                      2 * HAIL_AHEAD_MAX,
                                  HAIL_AHEAD_MAX);
}

// One-byte parts as far apart as can be, of messages whose turn it is not: the limit is on what
// they occupy. Then the message whose turn it is comes, and is kept nevertheless.
START_TEST(test_tiny_parts)
{
    uint32_t step = HAIL_SEGMENTS_BYTES;
    uint64_t refused = 0;

    begin(false);
    for (uint32_t i = 0; i < 40000; i++) {
        uint32_t place = i % (MESSAGE_MAX / step) * step;
        if (i % 32 == 0)
            open_packet();
        put(ORDERED, (uint16_t)(1 + i / (MESSAGE_MAX / step)), MESSAGE_MAX, place, 1, 1);
        if (i % 32 != 31)
            continue;
        settle();
        refused += !is_acknowledged();
        ck_assert_uint_le(receiver()->stored, most_kept());
        ck_assert_uint_eq(
            receiver()->stored,
            hail_reassembly_charge(wired.server.shard.pool.used_count,
                                   wired.server.shard.delivery.reassemblies.records.used_count));
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_gt(receiver()->stored, most_kept() - 1024);
    for (uint32_t offset = 0; offset < MESSAGE_MAX; offset += 1024) {
        send_part(ORDERED, 0, MESSAGE_MAX, offset, 1024);
        ck_assert(is_acknowledged());
    }
    ck_assert_uint_eq(wired.server.messages, 1);
    ck_assert(!wired.server.closed);
    finish();
}
END_TEST

// Whoever keeps to the rule, nothing 1 MiB or more behind what is missing, is never refused: by as
// many messages as may be, of one length, behind the last byte of a long one.
START_TEST(test_honest_is_kept)
{
    static const uint32_t lengths[] = {1, 25, 225, 1000, 1025, 14337, 60000, MESSAGE_MAX};
    uint32_t len = lengths[_i];
    uint32_t sent = 0;

    begin(false);
    for (uint32_t offset = 0; offset < MESSAGE_MAX - 1; offset += 1024)
        send_part(ORDERED, 0, MESSAGE_MAX, offset, offset + 1024 < MESSAGE_MAX ? 1024 : 1023);
    for (uint16_t id = 1; id < HAIL_AHEAD_MAX && sent + len < HAIL_STORE_LEAST; id++, sent += len) {
        for (uint32_t offset = 0; offset < len; offset += 1100) {
            send_part(ORDERED, id, len, offset, len - offset < 1100 ? len - offset : 1100);
            ck_assert(is_acknowledged());
        }
    }
    ck_assert_uint_eq(wired.server.messages, 0);
    send_part(ORDERED, 0, MESSAGE_MAX, MESSAGE_MAX - 1, 1);
    ck_assert_uint_eq(receiver()->stored, 0);
    ck_assert_uint_eq(wired.server.messages, 1 + sent / len);
    finish();
}
END_TEST

START_TEST(test_other_total)
{
    begin(false);
    send_part(ORDERED, 0, 100, 0, 1);
    uint64_t stored = receiver()->stored;
    send_part(ORDERED, 0, 99, 1, 1);
    ck_assert(!is_acknowledged());
    ck_assert_uint_eq(counted(HAIL_STAT_DROPPED_FIRST + HAIL_DROP_MALFORMED), 1);
    ck_assert_uint_eq(receiver()->stored, stored);
    send_part(ORDERED, HAIL_AHEAD_MAX, 1, 0, 1);
    ck_assert(!is_acknowledged());
    ck_assert_uint_eq(counted(HAIL_STAT_DROPPED_FIRST + HAIL_DROP_MALFORMED), 2);
    finish();
}
END_TEST

// ---- Whole or not at all

static void put_hex(const char *hex)
{
    struct vector_bytes bytes = test_unhex(hex);

    memcpy(hail_packets_extend(&wired.client.shard.delivery, packet, bytes.len), bytes.data,
           bytes.len);
    free(bytes.data);
}

static const struct {
    const char *why;
    const char *hex; // of a frame
    enum hail_verdict want;
} bad_frames[] = {
    {"a type that there is not", "9c00", HAIL_DROP_TYPE},
    {"a ping that is too short", "900101", HAIL_DROP_MALFORMED},
    {"an acknowledgement without ranges", "9803000000", HAIL_DROP_MALFORMED},
    {"a reliable message without an id", "890100", HAIL_DROP_MALFORMED},
};

// Of a packet with a bad frame nothing is taken, whatever is before and behind it, and it is not
// acknowledged.
START_TEST(test_bad_frame)
{
    unsigned counter = HAIL_STAT_DROPPED_FIRST + bad_frames[_i].want;

    begin(false);
    for (int is_good = 0; is_good <= 1; is_good++) {
        open_packet();
        put_hex("81026869");
        put_hex("8906000000016869"); // a reliable one
        if (!is_good)
            put_hex(bad_frames[_i].hex);
        put_hex("81026869");
        settle();
        ck_assert_msg(wired.server.messages == (is_good ? 3 : 0), "%s", bad_frames[_i].why);
        ck_assert_msg(is_acknowledged() == is_good, "%s", bad_frames[_i].why);
        ck_assert_uint_eq(counted(counter), 1);
    }
    ck_assert(!wired.server.closed);
    finish();
}
END_TEST

static const struct {
    const char *why;
    const char *hex; // of a frame whose message cannot be read
    bool closes;
} unreadable[] = {
    {"a reliable message", "890400000007", true},
    {"one that comes as a fragment", "8a06000000010007", true},
    {"an unreliable one", "8a06030000010007", false},
};

// What is reliable is not lost without a word.
START_TEST(test_unreadable)
{
    begin(false);
    open_packet();
    put_hex(unreadable[_i].hex);
    settle();
    ck_assert_uint_eq(counted(HAIL_STAT_DROPPED_FIRST + HAIL_DROP_MALFORMED), 1);
    ck_assert_msg(wired.server.closed == unreadable[_i].closes, "%s", unreadable[_i].why);
    if (unreadable[_i].closes)
        ck_assert(wired.server.reason == HAIL_CLOSED_PROTOCOL &&
                  wired.client.reason == HAIL_CLOSED_PROTOCOL);
    else
        ck_assert(is_acknowledged());
    finish();
}
END_TEST

// An end that takes nothing hears why it is left.
START_TEST(test_slow_reader)
{
    const struct hail_message_view view = {
        .flags = HAIL_FLAGS_BOTH, .channel = ORDERED, .body = (const uint8_t *)"hi", .body_len = 2};

    begin(false);
    wired.client.shard.now_ns = wired.now_ns;
    ck_assert_int_eq(hail_conn_send(&wired.client.shard, wired.client.slot, &view), HAIL_OK);
    for (uint64_t until_ns = wired.now_ns + 2 * STALL_MS * HAIL_NS_PER_MS; wired.now_ns < until_ns;
         wired.now_ns += 10 * HAIL_NS_PER_MS) {
        test_turn(&wired.client.shard, wired.now_ns);
        wired_carry_out(&wired.client);
        wired_deliver(&wired.server);
        test_turn(&wired.server.shard, wired.now_ns);
        wired_carry_out(&wired.server);
        // It is heard of, but what it says of messages is lost.
        wired_lose(&wired.server);
        wired.client.shard.conns[wired.client.slot].heard_ns = wired.now_ns;
    }
    ck_assert(wired.client.closed && wired.server.closed);
    ck_assert_int_eq(wired.client.reason, HAIL_CLOSED_SLOW_READER);
    ck_assert_int_eq(wired.server.reason, HAIL_CLOSED_SLOW_READER);
    finish();
}
END_TEST

// ---- Work

static const struct {
    const char *why;
    uint8_t channel;
    uint32_t count; // of parts that a packet may have
    uint16_t id;    // of the first
    uint16_t ids;   // between one and the next
    uint32_t total;
    uint32_t step; // between their offsets
} crowds[] = {
    {"messages before their turn", ORDERED, HAIL_PARTS_MAX, 1, 1, 1, 0},
    {"parts of messages each", UNORDERED, HAIL_PARTS_MAX / HAIL_PART_APART, 0, 1, 2, 0},
    {"parts that lie apart", ORDERED, HAIL_PARTS_MAX / HAIL_PART_APART, 0, 0, 100000, 1000},
    {"parts that go on", ORDERED, HAIL_PARTS_MAX - HAIL_PART_APART + 1, 0, 0, 1000, 1},
    {"messages in their turn, of which nothing is kept", ORDERED, 150, 0, 1, 1, 0},
};

static void put_crowd(size_t row, uint32_t count)
{
    open_packet();
    for (uint32_t i = 0; i < count; i++)
        put(crowds[row].channel, (uint16_t)(crowds[row].id + i * crowds[row].ids),
            crowds[row].total, i * crowds[row].step, 1, 1);
    settle();
}

// A packet's parts are looked at up to a number; the rest of them is refused, and comes again.
START_TEST(test_crowded_packet)
{
    unsigned crowded = HAIL_STAT_DROPPED_FIRST + HAIL_DROP_CROWDED;
    bool has_limit = crowds[_i].count != 150;

    begin(false);
    put_crowd((size_t)_i, crowds[_i].count);
    ck_assert_msg(is_acknowledged(), "%s", crowds[_i].why);
    ck_assert_uint_eq(counted(crowded), 0);
    finish();
    begin(false);
    put_crowd((size_t)_i, crowds[_i].count + 1);
    ck_assert_msg(is_acknowledged() != has_limit, "%s", crowds[_i].why);
    ck_assert_uint_eq(counted(crowded), has_limit);
    ck_assert(!wired.server.closed);
    finish();
}
END_TEST

// Hail's own sender keeps to the number: short messages, and parts of long ones that are sent again
// because others came, then go in more packets.
START_TEST(test_own_packets_are_not_crowded)
{
    static uint8_t body[600];
    struct hail_message_view view = {
        .kind = HAIL_MESSAGE_UNNAMED, .flags = HAIL_FLAGS_BOTH, .channel = ORDERED, .body = body};

    begin(false);
    send_part(UNORDERED, 500, 2, 0, 1); // so that each is looked up
    for (uint32_t i = 0; i < 300; i++) {
        view.channel = (uint8_t)(i % 2 == 0 ? ORDERED : UNORDERED);
        view.body_len = i < 200 ? 0 : sizeof body;
        ck_assert_int_eq(hail_conn_send(&wired.client.shard, wired.client.slot, &view), HAIL_OK);
    }
    for (int i = 0; i < 10; i++)
        run_for_ms(10);
    ck_assert_uint_eq(wired.server.messages, 300);
    ck_assert_uint_eq(counted(HAIL_STAT_DROPPED_FIRST + HAIL_DROP_CROWDED), 0);
    finish();
}
END_TEST

// Packets that bring nothing new: some are any network's, and redeemed by others.
START_TEST(test_useless_packets)
{
    size_t most = HAIL_USELESS_MAX / HAIL_USELESS_REPEATED;

    begin(false);
    for (uint32_t i = 0; i < 10000; i++) {
        send_part(ORDERED, 0, 20000, i, 1);
        send_part(ORDERED, 0, 20000, i, 1);
    }
    ck_assert_uint_eq(counted(HAIL_STAT_PACKETS_USELESS), 10000);
    ck_assert(!wired.server.closed);
    for (size_t i = 0; i < most + 2 && !wired.server.closed; i++) {
        if (i == most)
            ck_assert(!wired.server.closed);
        send_part(ORDERED, 0, 20000, 0, 500);
    }
    ck_assert(wired.server.closed);
    ck_assert_int_eq(wired.server.reason, HAIL_CLOSED_PROTOCOL);
    ck_assert_int_eq(wired.client.reason, HAIL_CLOSED_PROTOCOL);
    ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_PROTOCOL), 1);
    finish();
}
END_TEST

// ---- Time

static const struct {
    const char *why;
    uint8_t channel;
    uint16_t id; // of what comes, byte by byte
    uint32_t total;
    uint32_t bytes;    // that come, one each 1,000 ms
    uint16_t other_id; // a byte of which comes as well, each time; 0: none does
    bool closes;       // within STALL_MS of the last one that is waited for
    uint32_t after;    // so many of them it is
} stalls[] = {
    {"a part is missing", ORDERED, 0, 3, 1, 0, true, 1},
    {"the message before is missing", ORDERED, 1, 1, 1, 0, true, 1},
    {"a part of what has no order is missing", UNORDERED, 5, 3, 1, 0, true, 1},
    {"each part is progress", ORDERED, 0, 100, 20, 0, true, 20},
    {"of a later message it is none", ORDERED, 0, 100, 1, 3, true, 1},
    {"nor is what lies behind a hole", ORDERED, 1, 100, 20, 0, true, 1},
    {"each message without an order has a time of its own", UNORDERED, 7, 100, 1, 3, true, 1},
    {"what is whole is done", ORDERED, 0, 2, 2, 0, false, 0},
    {"an unreliable one is given up", UNRELIABLE, 0, 3, 1, 0, false, 0},
};

START_TEST(test_stall)
{
    uint32_t done = 0;
    uint64_t last_ns = 0;

    begin(false);
    for (uint32_t i = 0; i < 20 && !wired.server.closed; i++) {
        if (i < stalls[_i].bytes) {
            send_part(stalls[_i].channel, stalls[_i].id, stalls[_i].total, i, 1);
            done++;
        }
        if (stalls[_i].other_id > 0)
            send_part(stalls[_i].channel, stalls[_i].other_id, 100, i, 1);
        if (done <= stalls[_i].after && i < stalls[_i].after)
            last_ns = wired.now_ns;
        run_for_ms(1000);
    }
    if (!wired.server.closed)
        run_for_ms(STALL_MS - 1000 + 1);
    ck_assert_msg(wired.server.closed == stalls[_i].closes, "%s", stalls[_i].why);
    if (stalls[_i].closes) {
        ck_assert_int_eq(wired.server.reason, HAIL_CLOSED_SLOW_WRITER);
        ck_assert_int_eq(wired.client.reason, HAIL_CLOSED_SLOW_WRITER);
        ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_WRITER), 1);
        ck_assert_uint_ge(wired.now_ns, last_ns + STALL_MS * HAIL_NS_PER_MS);
        ck_assert_uint_le(wired.now_ns, last_ns + (STALL_MS + 1001) * HAIL_NS_PER_MS);
    } else {
        run_for_ms(3 * STALL_MS);
        ck_assert(!wired.server.closed);
    }
    ck_assert_uint_eq(counted(HAIL_STAT_MESSAGES_TORN), stalls[_i].channel == UNRELIABLE);
    ck_assert_uint_eq(wired.server.shard.pool.used_count, 0);
    finish();
}
END_TEST

// A message that comes as slowly as it may is delivered.
START_TEST(test_slow_is_not_stalled)
{
    begin(false);
    for (uint32_t i = 0; i < 10; i++) {
        send_part(ORDERED, 0, 10, i, 1);
        run_for_ms(STALL_MS - 1);
    }
    ck_assert_uint_eq(wired.server.messages, 1);
    ck_assert(!wired.server.closed);
    finish();
}
END_TEST

// A sender with something more urgent to send all the time goes on with what it has begun.
START_TEST(test_urgent_messages)
{
    static const struct hail_channel channels[] = {
        {.name = "slow", .kind = HAIL_RELIABLE_ORDERED},
        {.name = "urgent", .kind = HAIL_RELIABLE_ORDERED, .priority = 1},
        {.name = "bare", .kind = HAIL_UNRELIABLE},
    };
    static uint8_t body[30000];
    struct hail_config config = base_config();
    struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                     .flags = HAIL_FLAGS_BOTH,
                                     .body = body,
                                     .body_len = sizeof body};

    config.channels = channels;
    config.channel_count = HAIL_COUNTOF(channels);
    config.native.send_rate = 20000;
    begin_as(config, false);
    ck_assert_int_eq(hail_conn_send(&wired.client.shard, wired.client.slot, &view), HAIL_OK);
    run_for_ms(100); // it is begun
    ck_assert_uint_gt(receiver()->stored, 0);
    view.channel = 1;
    for (uint32_t i = 0; i < 60; i++) {
        while (hail_conn_send(&wired.client.shard, wired.client.slot, &view) == HAIL_OK)
            ;
        run_for_ms(1000);
        ck_assert(!wired.server.closed);
    }
    ck_assert_uint_gt(wired.server.messages, 20);
    finish();
}
END_TEST

// An application that does not poll is not its peer's fault: what waits for it waits as long as it
// likes, and what the peer could not send meanwhile as well. Afterwards its time begins.
START_TEST(test_slow_poller)
{
    enum {
        SENT = 10
    };

    begin(true);
    for (uint16_t id = 0; id < SENT; id++) { // more than the queue takes
        for (uint32_t offset = 0; offset < MESSAGE_MAX; offset += 1024)
            send_part(ORDERED, id, MESSAGE_MAX, offset, 1024);
    }
    send_part(UNORDERED, 0, 10, 0, 1); // begun, and perhaps there was no room for more
    run_for_ms(4 * STALL_MS);
    ck_assert(receiver()->holds);
    ck_assert_uint_gt(receiver()->stored, MESSAGE_MAX);
    ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_WRITER), 0);
    for (size_t i = 0; i < 10 * SENT && wired.server.messages < SENT; i++) {
        (void)poll_one();
        settle();
    }
    ck_assert_uint_eq(wired.server.messages, SENT);
    ck_assert(!receiver()->holds);
    run_for_ms(STALL_MS - 1);
    ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_WRITER), 0);
    run_for_ms(2);
    ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_WRITER), 1);
    while (poll_one())
        ;
    finish();
}
END_TEST

static const uint8_t kinds[] = {ORDERED, UNORDERED, UNRELIABLE};

// An application closes when it is told that it is connected: the message that it was told for is
// gone with the connection. In one packet, or in several.
START_TEST(test_closes_when_connected)
{
    static uint8_t body[3000];
    struct hail_command close_it = {.op = HAIL_COMMAND_CLOSE};
    struct hail_command first = {.op = HAIL_COMMAND_SEND};

    first.view = (struct hail_message_view){
        .channel = kinds[_i / 2], .flags = 1, .body = body, .body_len = _i % 2 ? 3000 : 30};
    greets[0] = &first;
    greets[1] = &close_it;
    begin_unjoined(base_config(), false);
    settle();
    greets[0] = NULL;
    greets[1] = NULL;
    ck_assert_int_eq(wired.client.reason, HAIL_CLOSED_BY_APPLICATION);
    ck_assert_uint_eq(wired.client.messages, 0);
    // Nothing is taken on the slot's next connection.
    ck_assert_uint_eq(wired.client.shard.delivery.taken[0], 0);
    finish();
}
END_TEST

// A server that closes at once: its client hears that it was connected, and then that it is not,
// though both came in one turn.
START_TEST(test_closed_when_connected)
{
    struct hail_command close_it = {.op = HAIL_COMMAND_CLOSE};

    greets[0] = &close_it;
    begin_unjoined(base_config(), false);
    settle();
    greets[0] = NULL;
    ck_assert_uint_eq(wired.client.connected, 1);
    ck_assert_uint_eq(wired.client.closed, 1);
    ck_assert_int_eq(wired.client.reason, HAIL_CLOSED_BY_PEER);
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("receiver");
    TCase *tests = tcase_create("receiver");

    tcase_add_test(tests, test_order);
    tcase_add_loop_test(tests, test_charge, 0, HAIL_COUNTOF(charges));
    tcase_add_test(tests, test_tiny_parts);
    tcase_add_loop_test(tests, test_honest_is_kept, 0, 8);
    tcase_add_test(tests, test_other_total);
    tcase_add_loop_test(tests, test_bad_frame, 0, HAIL_COUNTOF(bad_frames));
    tcase_add_loop_test(tests, test_unreadable, 0, HAIL_COUNTOF(unreadable));
    tcase_add_test(tests, test_slow_reader);
    tcase_add_loop_test(tests, test_crowded_packet, 0, HAIL_COUNTOF(crowds));
    tcase_add_test(tests, test_own_packets_are_not_crowded);
    tcase_add_test(tests, test_useless_packets);
    tcase_add_loop_test(tests, test_stall, 0, HAIL_COUNTOF(stalls));
    tcase_add_test(tests, test_slow_is_not_stalled);
    tcase_add_test(tests, test_urgent_messages);
    tcase_add_test(tests, test_slow_poller);
    tcase_add_test(tests, test_closed_when_connected);
    tcase_add_loop_test(tests, test_closes_when_connected, 0, 2 * HAIL_COUNTOF(kinds));
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
