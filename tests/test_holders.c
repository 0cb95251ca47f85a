// test_holders.c: a crowd of clients that each hold as much of the server's memory as they are let,
// and those who come after them: they join, and their messages go on. Two shards in one thread; the
// crowd writes its frames by hand, and time is the test's.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/packets.h"
#include "engine/handshake/server.h"
#include "engine/native/state.h"
#include "engine/shard/conn.h"
#include "tests/turn.h"
#include "tests/vectors.h"
#include "tests/wired.h"

enum {
    CROWD = 100,
    CONNS = CROWD + 64,
    WAYS_MAX = 8192, // datagrams under way in one direction
    FEW = 20,
    HALF_OPEN = 16,
    PART = 1100, // bytes of a message in one packet of the crowd's
    LONG = 500000,
    TRIES = 5,
    PATIENCE_MS = 3000
};

// What an end has been told.
struct told {
    uint32_t slots[CONNS]; // server: by the client's slot
    uint32_t last;         // the client's slot that connected last
    uint32_t closed[HAIL_CLOSE_REASON_COUNT];
    uint32_t messages[CONNS]; // by the client's slot
};

static struct wired wired;
static struct told server;
static struct told client;
static bool in_crowd[CONNS];
static bool is_silent[CONNS]; // what is sent to this client is lost
static uint32_t progress[CONNS];

// The client's slot of a connection.
static uint32_t client_of(const struct wired_end *end, uint32_t slot)
{
    if (end == &wired.client)
        return slot;
    return (uint32_t)ntohs(end->shard.native->conns[slot].from.v4.sin_port) - WIRED_PORT;
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct told *end = user == &wired.server ? &server : &client;
    uint32_t slot = hail_name_unpack(event->conn).slot;
    uint32_t own = client_of(user, slot);

    wired_note(endpoint, event, user);
    if (event->type == HAIL_EVENT_CONNECTED) {
        end->slots[own] = slot;
        end->last = own;
    }
    if (event->type == HAIL_EVENT_CLOSED)
        end->closed[event->reason]++;
    if (event->type == HAIL_EVENT_CLOSED && end == &client)
        in_crowd[own] = false; // another may get its slot
    end->messages[own] += event->type == HAIL_EVENT_MESSAGE;
}

static void post(struct wired_end *from, uint32_t to, const struct iovec *view)
{
    if (from != &wired.server || !is_silent[to])
        wired_put(from, to, view, wired.now_ns);
}

static void settle(void)
{
    wired_settle(&wired);
}

static void pass(void)
{
    uint64_t next = wired_next_ns(&wired);

    wired.now_ns = next > wired.now_ns + HAIL_NS_PER_MS ? next : wired.now_ns + HAIL_NS_PER_MS;
    settle();
}

static void begin(uint32_t handshakes_max)
{
    struct hail_config config = wired_config();

    memset(in_crowd, 0, sizeof in_crowd);
    memset(is_silent, 0, sizeof is_silent);
    memset(progress, 0, sizeof progress);
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    wired_init(&wired, WAYS_MAX);
    wired.post = post;
    config.native.source_per_s = 1000000;
    config.conns_max = CONNS;
    config.native.cookies = HAIL_COOKIE_NEVER;
    config.handshakes_max = handshakes_max;
    config.handshakes_per_prefix = handshakes_max; // all are of one
    config.idle_timeout_ms = 3600000;
    config.stall_timeout_ms = 3600000; // nothing but what holds too much is to end
    config.on_event = on_event;
    wired_begin(&wired.server, &config, 1);
    config.unsent_max = 8 << 20; // the newcomer's own
    wired_begin(&wired.client, &config, 0);
}

static void finish(void)
{
    wired_finish(&wired);
}

// One more client joins. Returns its slot.
static uint32_t join(void)
{
    uint64_t until_ns = wired.now_ns + PATIENCE_MS * HAIL_NS_PER_MS;
    uint32_t before = wired.client.connected;

    wired_connect(&wired);
    settle();
    while (wired.client.connected == before && wired.now_ns < until_ns)
        pass();
    ck_assert_msg(wired.client.connected > before, "client %u could not join", before);
    progress[client.last] = 0;
    return client.last;
}

static uint64_t counted(unsigned stat)
{
    return hail_stat_get(&wired.server.shard.stats, stat);
}

static uint32_t held_by(uint32_t slot)
{
    return wired.server.shard.quota.holders[server.slots[slot]].held;
}

// ---- The crowd

// What one of the crowd does for its packet number `step`. False: it has done all it can.
struct hoard {
    const char *why;
    bool (*step)(uint32_t slot, uint32_t step);
};

static void send_part(uint32_t slot, uint8_t channel, uint16_t id, uint32_t total, uint32_t offset,
                      uint32_t len)
{
    static uint8_t data[PART] = {HAIL_FRAME_MESSAGE};
    const struct hail_native_frame frame = {
        .type = HAIL_FRAME_FRAGMENT,
        .part = {.channel = channel, .id = id, .total = total, .offset = offset},
        .bytes = {data, len},
    };
    uint32_t packet =
        hail_packets_begin(&wired.client.shard.delivery, slot, HAIL_PROTECTION_ENCRYPTED);

    ck_assert_uint_ne(packet, HAIL_OUTGOING_NONE);
    hail_packets_add(&wired.client.shard.delivery, packet, &frame);
}

// Whole messages, and the one before them never comes.
static bool wait_behind_hole(uint32_t slot, uint32_t step)
{
    if (step >= HAIL_AHEAD_MAX - 1)
        return false;
    send_part(slot, HAIL_RELIABLE_ORDERED, (uint16_t)(1 + step), PART, 0, PART);
    return true;
}

// Long messages without their first byte, one on each channel and then more.
static bool leave_unfinished(uint32_t slot, uint32_t step)
{
    uint32_t parts = (LONG - 1) / PART;
    uint32_t message = step / parts;

    if (message >= 8)
        return false;
    send_part(slot, (uint8_t)(message % 4), (uint16_t)(message / 4), LONG, 1 + step % parts * PART,
              PART);
    return true;
}

// The application sends to it, and it acknowledges nothing.
static bool take_nothing(uint32_t slot, uint32_t step)
{
    static uint8_t body[PART];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = HAIL_FLAGS_BOTH,
                                           .channel = (uint8_t)(step % 2),
                                           .body = body,
                                           .body_len = step % 3 == 0 ? PART : 100};

    is_silent[slot] = true;
    return hail_conn_send(&wired.server.shard, server.slots[slot], &view) == HAIL_OK;
}

static const struct hoard hoards[] = {
    {"messages behind a hole", wait_behind_hole},
    {"messages without their first byte", leave_unfinished},
    {"messages that are not acknowledged", take_nothing},
};

// One of the crowd goes on until the server keeps no more of it, or `most` packets are sent.
static bool hoard(uint32_t slot, const struct hoard *how, uint32_t most)
{
    uint32_t got = 0;

    while (got < most && in_crowd[slot] &&
           wired.server.shard.conns[server.slots[slot]].state == HAIL_CONN_OPEN) {
        uint32_t before = held_by(slot);
        if (!how->step(slot, progress[slot]))
            break;
        settle();
        if (held_by(slot) <= before)
            break;
        progress[slot]++;
        got++;
    }
    return got > 0;
}

// They come one after the other, each until it gets no more, and then go on together.
static void gather(const struct hoard *how)
{
    bool any = true;

    for (uint32_t i = 0; i < CROWD; i++) {
        uint32_t slot = join();
        in_crowd[slot] = true;
        while (hoard(slot, how, UINT32_MAX))
            ;
    }
    for (int round = 0; any && round < 20; round++) {
        any = false;
        for (uint32_t slot = 0; slot < CONNS; slot++)
            any |= hoard(slot, how, 100);
    }
}

// ---- Those who come after them

static const uint32_t sizes[] = {128, 1000, 2000, 50000};

// One message there, and one back. Returns whether both arrived.
static bool exchange(uint32_t slot, uint8_t channel, uint32_t size)
{
    static uint8_t body[50000];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = HAIL_FLAGS_BOTH,
                                           .channel = channel,
                                           .body = body,
                                           .body_len = size};
    uint64_t until_ns = wired.now_ns + PATIENCE_MS * HAIL_NS_PER_MS;
    uint32_t there = server.messages[slot];
    uint32_t back = client.messages[slot];

    wired.client.shard.now_ns = wired.now_ns;
    wired.server.shard.now_ns = wired.now_ns;
    if (hail_conn_send(&wired.client.shard, slot, &view) != HAIL_OK ||
        hail_conn_send(&wired.server.shard, server.slots[slot], &view) != HAIL_OK)
        return false;
    settle();
    while ((server.messages[slot] == there || client.messages[slot] == back) &&
           wired.now_ns < until_ns)
        pass();
    return server.messages[slot] > there && client.messages[slot] > back;
}

START_TEST(test_newcomer)
{
    const struct hoard *how = &hoards[_i];

    begin(CONNS);
    gather(how);
    for (int try = 0; try < TRIES; try++) {
        uint32_t slot = join();
        for (uint8_t channel = 0; channel < 4; channel++) {
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                ck_assert_msg(exchange(slot, channel, sizes[i]),
                              "%s: try %d, %u bytes on channel %u: %u evicted", how->why, try,
                              sizes[i], channel, server.closed[HAIL_CLOSED_HOLDS_TOO_MUCH]);
                for (uint32_t one = 0; one < CONNS; one++) // who goes on being greedy
                    (void)hoard(one, how, 1);
            }
        }
        ck_assert_int_eq(wired.server.shard.conns[server.slots[slot]].state, HAIL_CONN_OPEN);
    }
    // Few had to go for it, and nobody was ended for any other reason.
    uint32_t gone = server.closed[HAIL_CLOSED_HOLDS_TOO_MUCH];
    ck_assert_uint_le(gone, CROWD / 2);
    if (!is_silent[0]) // they were told why
        ck_assert_uint_eq(client.closed[HAIL_CLOSED_HOLDS_TOO_MUCH], gone);
    ck_assert_uint_eq(wired.client.connected, CROWD + TRIES);
    ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_HOLDS_TOO_MUCH), gone);
    ck_assert_uint_eq(counted(HAIL_STAT_CONNS_OPEN), CROWD + TRIES - gone);
    ck_assert_uint_gt(counted(HAIL_STAT_BUFFERS_FULL), 0);
    printf("%s: %u of %d evicted, %llu of %llu bytes free\n", how->why, gone, CROWD,
           (unsigned long long)hail_quota_free(&wired.server.shard.quota),
           (unsigned long long)wired.server.shard.quota.size);
    finish();
}
END_TEST

// Records of packets are short before memory is, where packets are small: whoever acknowledges
// nothing, after its window was let grow, takes no more than his share of them.
START_TEST(test_records_of_packets)
{
    static const uint8_t body[1];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = HAIL_FLAGS_BOTH,
                                           .channel = HAIL_UNRELIABLE,
                                           .body = body,
                                           .body_len = sizeof body};

    begin(CONNS);
    const struct hail_slab *sent_packets = &wired.server.shard.delivery.sent_packets;
    for (uint32_t i = 0; i < FEW; i++) {
        uint32_t slot = join();
        uint32_t before;
        struct hail_sender *sender = &wired.server.shard.delivery.conns[server.slots[slot]].sender;
        is_silent[slot] = true;
        sender->congestion.window = 1 << 30;
        do {
            before = sender->sent_packets;
            ck_assert_int_eq(hail_conn_send(&wired.server.shard, server.slots[slot], &view),
                             HAIL_OK);
            wired_carry_out(&wired.server);
        } while (sender->sent_packets > before);
        ck_assert_uint_gt(sender->sent_packets, 100);
    }
    ck_assert_uint_ge(hail_slab_left(sent_packets), sent_packets->count / 20);
    uint32_t slot = join();
    for (uint8_t channel = 0; channel < 4; channel++)
        ck_assert_msg(exchange(slot, channel, 50000), "channel %u", channel);
    finish();
}
END_TEST

// Handshakes that are not finished take nothing of what messages wait in, and no more of their own
// than handshakes_max welcomes.
START_TEST(test_welcomes)
{
    begin(HALF_OPEN);
    const struct hail_pool *welcomes = &wired.server.shard.native->server->welcomes;
    for (uint32_t i = 0; i < 3 * HALF_OPEN; i++) {
        wired_connect(&wired);
        wired_carry_out(&wired.client);
        wired_deliver(&wired.server); // the hello
        test_turn(&wired.server.shard, wired.now_ns);
        wired_carry_out(&wired.server);
        wired_lose(&wired.server); // and nobody finishes
        uint32_t want = i < HALF_OPEN ? i + 1 : HALF_OPEN;
        ck_assert_uint_eq(wired.server.shard.handshake_count, want);
        ck_assert_uint_eq(welcomes->used_count, want);
        ck_assert_uint_eq(wired.server.shard.pool.used_count, 0);
    }
    ck_assert_uint_eq(welcomes->block_count, HALF_OPEN);
    uint32_t slot = join(); // the oldest gives way
    ck_assert(exchange(slot, HAIL_RELIABLE_ORDERED, 50000));
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("holders");
    TCase *tests = tcase_create("holders");

    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, test_newcomer, 0, sizeof hoards / sizeof hoards[0]);
    tcase_add_test(tests, test_records_of_packets);
    tcase_add_test(tests, test_welcomes);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
