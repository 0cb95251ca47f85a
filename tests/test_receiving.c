// test_receiving.c: what a peer may do to a receiver with parts of messages: how much it can make
// it keep, and for how long. A client's shard writes the frames by hand; two shards in one thread,
// in time that the test makes.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/reassembly.h"
#include "engine/delivery/receiver.h"
#include "engine/native/state.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"
#include "tests/vectors.h"

enum {
    WAYS_MAX = 64, // datagrams under way in one direction
    STALL_MS = 5000,
    MESSAGE_MAX = 1 << 19,
    ORDERED = HAIL_RELIABLE_ORDERED,
    UNORDERED = HAIL_RELIABLE_UNORDERED,
    UNRELIABLE = HAIL_UNRELIABLE
};

struct flying {
    uint16_t len;
    uint8_t bytes[HAIL_OUTBOX_ROOM];
};

struct end {
    struct hail_context context;
    struct hail_shard shard;
    uint32_t slot;
    struct flying out[WAYS_MAX];
    size_t out_count;
    bool closed;
    enum hail_close_reason reason;
    size_t messages;
    size_t last_len; // of the last message
    uint8_t last[256];
};

static struct end server;
static struct end client;
static uint64_t now_ns;

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct end *end = user;

    (void)endpoint;
    if (event->type == HAIL_EVENT_CONNECTED)
        end->slot = hail_name_unpack(event->conn).slot;
    if (event->type == HAIL_EVENT_CLOSED) {
        end->closed = true;
        end->reason = event->reason;
    }
    if (event->type != HAIL_EVENT_MESSAGE)
        return;
    end->messages++;
    end->last_len = event->len;
    memcpy(end->last, event->data, event->len < sizeof end->last ? event->len : sizeof end->last);
}

// A server that polls gets its events from its queue, one at a time.
static bool poll_one(void)
{
    size_t len;
    const struct hail_event *event = hail_mailbox_next(&server.context.events, &len);

    if (event && len > 0)
        on_event(NULL, event, &server);
    hail_mailbox_release(&server.context.events);
    return event != NULL;
}

static void carry_out(struct end *end)
{
    struct hail_task task;

    while (hail_shard_output(&end->shard, &task)) {
        if (task.op == HAIL_TASK_CONNECT)
            hail_shard_connected(&end->shard, task.slot, 0);
        else if (task.op == HAIL_TASK_CLOSE)
            hail_shard_closed(&end->shard, task.slot);
        for (size_t i = 0; task.op == HAIL_TASK_DATAGRAMS && i < task.view_count; i++) {
            ck_assert_uint_lt(end->out_count, WAYS_MAX);
            struct flying *one = &end->out[end->out_count++];
            one->len = (uint16_t)task.views[i].iov_len;
            memcpy(one->bytes, task.views[i].iov_base, one->len);
        }
    }
    hail_shard_handed_over(&end->shard);
}

static void deliver(struct end *from, struct end *to)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1000), .sin_addr = {htonl(0xc0000201u)}};

    to->shard.now_ns = now_ns;
    for (size_t i = 0; i < from->out_count; i++)
        hail_shard_datagram(&to->shard, to == &server ? HAIL_SLOT_NONE : client.slot,
                            (const struct sockaddr *)&address, from->out[i].bytes,
                            from->out[i].len);
    from->out_count = 0;
}

// All that is under way arrives, and what follows from it.
static void settle(void)
{
    do {
        carry_out(&client);
        deliver(&client, &server);
        hail_shard_turn(&server.shard, now_ns);
        carry_out(&server);
        deliver(&server, &client);
        hail_shard_turn(&client.shard, now_ns);
        carry_out(&client);
    } while (client.out_count > 0);
}

static void run_for_ms(uint64_t ms)
{
    uint64_t until_ns = now_ns + ms * HAIL_NS_PER_MS;

    while (now_ns < until_ns) {
        uint64_t next = hail_shard_next_ns(&server.shard);
        uint64_t other = hail_shard_next_ns(&client.shard);
        next = other < next ? other : next;
        next = next > now_ns ? next : now_ns + HAIL_NS_PER_MS;
        now_ns = next < until_ns ? next : until_ns;
        settle();
    }
}

static void end_init(struct end *end, const struct hail_config *config, bool is_server)
{
    struct hail_random random;

    ck_assert_int_eq(hail_context_init(&end->context, config, is_server), HAIL_OK);
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, is_server);
    ck_assert(hail_shard_init(&end->shard, &end->context,
                              hail_profile_of(end->context.config.profile), 0, &random));
}

static struct hail_config base_config(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.conns_max = 2;
    config.handshakes_max = 2;
    config.approves_all = true;
    config.message_max = MESSAGE_MAX;
    config.unsent_max = 2 * MESSAGE_MAX;
    config.stall_timeout_ms = STALL_MS;
    config.event_queue_bytes = 4 * (MESSAGE_MAX + HAIL_WIRE_EXTRA);
    config.on_event = on_event;
    return config;
}

// Both ends, joined.
static void begin_as(struct hail_config config, bool polls)
{
    struct hail_addresses addresses = {.host = "play.test", .count = 1};
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr = {htonl(0xc0000202u)}};
    const struct hail_command command = {.op = HAIL_COMMAND_CONNECT, .addresses = &addresses};
    size_t done;

    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    now_ns = HAIL_NS_PER_S;
    config.user = &client;
    end_init(&client, &config, false);
    config.user = &server;
    config.on_event = polls ? NULL : on_event;
    end_init(&server, &config, true);
    memcpy(&addresses.list[0], &v4, sizeof v4);
    ck_assert_int_eq(hail_command_run(&client.shard, &command, &done), HAIL_OK);
    settle();
    while (polls && poll_one())
        ;
    ck_assert(client.shard.conns[client.slot].joined);
}

static void begin(bool polls)
{
    begin_as(base_config(), polls);
}

static void end_cleanup(struct end *end)
{
    hail_shard_stop(&end->shard, 0);
    carry_out(end);
    ck_assert(hail_shard_stopped(&end->shard));
    ck_assert_uint_eq(end->shard.pool.used_count, 0);
    ck_assert_uint_eq(end->shard.delivery.reassemblies.records.used_count, 0);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
}

static void finish(void)
{
    end_cleanup(&client);
    end_cleanup(&server);
}

static const struct hail_delivery_conn *receiver(void)
{
    return &server.shard.delivery.conns[server.slot];
}

static uint64_t counted(unsigned stat)
{
    return hail_stat_get(&server.shard.stats, stat);
}

// ---- Frames by hand

static uint32_t packet; // that is being filled

static void open_packet(void)
{
    client.shard.now_ns = now_ns;
    packet = hail_packets_begin(&client.shard.delivery, client.slot, HAIL_PROTECTION_ENCRYPTED);
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
    hail_packets_add(&client.shard.delivery, packet, &frame);
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
    uint64_t number = client.shard.native->conns[client.slot].peer.next_number - 1;
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
    ck_assert_uint_eq(server.messages, 2);
    ck_assert_uint_eq(receiver()->stored, 0);
    open_packet();
    put(UNORDERED, 3, 6, 0, 3, 7);
    put(UNORDERED, 1, 3, 0, 3, 8);
    put(UNORDERED, 3, 6, 3, 3, 9);
    settle();
    ck_assert_uint_eq(server.messages, 4);
    ck_assert_uint_eq(server.last_len, 5);
    ck_assert_mem_eq(server.last, "\7\7\11\11\11", 5);
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
    ck_assert_uint_eq(server.shard.pool.used_count, charges[_i].blocks);
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
            hail_reassembly_charge(server.shard.pool.used_count,
                                   server.shard.delivery.reassemblies.records.used_count));
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_gt(receiver()->stored, most_kept() - 1024);
    for (uint32_t offset = 0; offset < MESSAGE_MAX; offset += 1024) {
        send_part(ORDERED, 0, MESSAGE_MAX, offset, 1024);
        ck_assert(is_acknowledged());
    }
    ck_assert_uint_eq(server.messages, 1);
    ck_assert(!server.closed);
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
    ck_assert_uint_eq(server.messages, 0);
    send_part(ORDERED, 0, MESSAGE_MAX, MESSAGE_MAX - 1, 1);
    ck_assert_uint_eq(receiver()->stored, 0);
    ck_assert_uint_eq(server.messages, 1 + sent / len);
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

    memcpy(hail_packets_extend(&client.shard.delivery, packet, bytes.len), bytes.data, bytes.len);
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
        ck_assert_msg(server.messages == (is_good ? 3 : 0), "%s", bad_frames[_i].why);
        ck_assert_msg(is_acknowledged() == is_good, "%s", bad_frames[_i].why);
        ck_assert_uint_eq(counted(counter), 1);
    }
    ck_assert(!server.closed);
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
    ck_assert_msg(server.closed == unreadable[_i].closes, "%s", unreadable[_i].why);
    if (unreadable[_i].closes)
        ck_assert(server.reason == HAIL_CLOSED_PROTOCOL && client.reason == HAIL_CLOSED_PROTOCOL);
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
    client.shard.now_ns = now_ns;
    ck_assert_int_eq(hail_conn_send(&client.shard, client.slot, &view), HAIL_OK);
    for (uint64_t until_ns = now_ns + 2 * STALL_MS * HAIL_NS_PER_MS; now_ns < until_ns;
         now_ns += 10 * HAIL_NS_PER_MS) {
        hail_shard_turn(&client.shard, now_ns);
        carry_out(&client);
        deliver(&client, &server);
        hail_shard_turn(&server.shard, now_ns);
        carry_out(&server);
        server.out_count = 0; // what it says is lost
    }
    ck_assert(client.closed && server.closed);
    ck_assert_int_eq(client.reason, HAIL_CLOSED_SLOW_READER);
    ck_assert_int_eq(server.reason, HAIL_CLOSED_SLOW_READER);
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
    ck_assert(!server.closed);
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
        ck_assert_int_eq(hail_conn_send(&client.shard, client.slot, &view), HAIL_OK);
    }
    for (int i = 0; i < 10; i++)
        run_for_ms(10);
    ck_assert_uint_eq(server.messages, 300);
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
    ck_assert(!server.closed);
    for (size_t i = 0; i < most + 2 && !server.closed; i++) {
        if (i == most)
            ck_assert(!server.closed);
        send_part(ORDERED, 0, 20000, 0, 500);
    }
    ck_assert(server.closed);
    ck_assert_int_eq(server.reason, HAIL_CLOSED_PROTOCOL);
    ck_assert_int_eq(client.reason, HAIL_CLOSED_PROTOCOL);
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
    for (uint32_t i = 0; i < 20 && !server.closed; i++) {
        if (i < stalls[_i].bytes) {
            send_part(stalls[_i].channel, stalls[_i].id, stalls[_i].total, i, 1);
            done++;
        }
        if (stalls[_i].other_id > 0)
            send_part(stalls[_i].channel, stalls[_i].other_id, 100, i, 1);
        if (done <= stalls[_i].after && i < stalls[_i].after)
            last_ns = now_ns;
        run_for_ms(1000);
    }
    if (!server.closed)
        run_for_ms(STALL_MS - 1000 + 1);
    ck_assert_msg(server.closed == stalls[_i].closes, "%s", stalls[_i].why);
    if (stalls[_i].closes) {
        ck_assert_int_eq(server.reason, HAIL_CLOSED_SLOW_WRITER);
        ck_assert_int_eq(client.reason, HAIL_CLOSED_SLOW_WRITER);
        ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_WRITER), 1);
        ck_assert_uint_ge(now_ns, last_ns + STALL_MS * HAIL_NS_PER_MS);
        ck_assert_uint_le(now_ns, last_ns + (STALL_MS + 1001) * HAIL_NS_PER_MS);
    } else {
        run_for_ms(3 * STALL_MS);
        ck_assert(!server.closed);
    }
    ck_assert_uint_eq(counted(HAIL_STAT_MESSAGES_TORN), stalls[_i].channel == UNRELIABLE);
    ck_assert_uint_eq(server.shard.pool.used_count, 0);
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
    ck_assert_uint_eq(server.messages, 1);
    ck_assert(!server.closed);
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
    ck_assert_int_eq(hail_conn_send(&client.shard, client.slot, &view), HAIL_OK);
    run_for_ms(100); // it is begun
    ck_assert_uint_gt(receiver()->stored, 0);
    view.channel = 1;
    for (uint32_t i = 0; i < 60; i++) {
        while (hail_conn_send(&client.shard, client.slot, &view) == HAIL_OK)
            ;
        run_for_ms(1000);
        ck_assert(!server.closed);
    }
    ck_assert_uint_gt(server.messages, 20);
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
    for (size_t i = 0; i < 10 * SENT && server.messages < SENT; i++) {
        (void)poll_one();
        settle();
    }
    ck_assert_uint_eq(server.messages, SENT);
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
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
