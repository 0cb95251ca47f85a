// test_holders.c: a crowd of clients that each hold as much of the server's memory as they are let,
// and those who come after them: they join, and their messages go on. Two shards in one thread; the
// crowd writes its frames by hand, and time is the test's.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/delivery/packets.h"
#include "engine/handshake/server.h"
#include "engine/native/state.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"
#include "tests/vectors.h"

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

struct flying {
    uint32_t conn; // the client's slot
    uint16_t len;
    uint8_t bytes[HAIL_OUTBOX_ROOM];
};

struct end {
    struct hail_context context;
    struct hail_shard shard;
    struct flying *out;
    size_t out_count;
    uint32_t slots[CONNS]; // server: by the client's slot
    uint32_t connected;
    uint32_t last; // the client's slot that connected last
    uint32_t closed[HAIL_CLOSE_REASON_COUNT];
    uint32_t messages[CONNS]; // by the client's slot
    uint64_t bytes;
};

static struct end server;
static struct end client;
static uint64_t now_ns;
static bool in_crowd[CONNS];
static bool is_silent[CONNS]; // what is sent to this client is lost
static uint32_t progress[CONNS];

static uint32_t port_of(const struct sockaddr *address)
{
    return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
}

// The client's slot of a connection.
static uint32_t client_of(const struct end *end, uint32_t slot)
{
    return end == &client ? slot : port_of(&end->shard.native->conns[slot].from.any) - 1;
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct end *end = user;
    uint32_t slot = hail_name_unpack(event->conn).slot;
    uint32_t own = client_of(end, slot);

    (void)endpoint;
    if (event->type == HAIL_EVENT_CONNECTED) {
        end->slots[own] = slot;
        end->last = own;
        end->connected++;
    }
    if (event->type == HAIL_EVENT_CLOSED)
        end->closed[event->reason]++;
    if (event->type == HAIL_EVENT_CLOSED && end == &client)
        in_crowd[own] = false; // another may get its slot
    if (event->type == HAIL_EVENT_MESSAGE) {
        end->messages[own]++;
        end->bytes += event->len;
    }
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
            uint32_t conn = end == &server ? port_of(task.address) - 1 : task.slot;
            if (end == &server && is_silent[conn])
                continue;
            ck_assert_uint_lt(end->out_count, WAYS_MAX);
            struct flying *one = &end->out[end->out_count++];
            one->conn = conn;
            one->len = (uint16_t)task.views[i].iov_len;
            memcpy(one->bytes, task.views[i].iov_base, one->len);
        }
    }
    hail_shard_handed_over(&end->shard);
}

static void deliver(struct end *from, struct end *to)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000201u)}};

    to->shard.now_ns = now_ns;
    for (size_t i = 0; i < from->out_count; i++) {
        struct flying *one = &from->out[i];
        address.sin_port = htons((uint16_t)(one->conn + 1));
        hail_shard_datagram(&to->shard, to == &server ? HAIL_SLOT_NONE : one->conn,
                            (const struct sockaddr *)&address, one->bytes, one->len);
    }
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

static void pass(void)
{
    uint64_t next = hail_shard_next_ns(&server.shard);
    uint64_t other = hail_shard_next_ns(&client.shard);

    next = other < next ? other : next;
    now_ns = next > now_ns + HAIL_NS_PER_MS ? next : now_ns + HAIL_NS_PER_MS;
    settle();
}

static void end_init(struct end *end, const struct hail_config *given, bool is_server)
{
    struct hail_config config = *given;
    struct hail_random random;

    memset(end, 0, sizeof *end);
    config.user = end;
    ck_assert_int_eq(hail_context_init(&end->context, &config, is_server), HAIL_OK);
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, is_server);
    ck_assert(hail_shard_init(&end->shard, &end->context,
                              hail_profile_of(end->context.config.profile), 0, &random));
    end->out = malloc(WAYS_MAX * sizeof *end->out);
    ck_assert_ptr_nonnull(end->out);
}

static void begin(uint32_t handshakes_max)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    memset(in_crowd, 0, sizeof in_crowd);
    memset(is_silent, 0, sizeof is_silent);
    memset(progress, 0, sizeof progress);
    now_ns = HAIL_NS_PER_S;
    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.source_per_s = 1000000;
    config.conns_max = CONNS;
    config.native.cookies = HAIL_COOKIE_NEVER;
    config.handshakes_max = handshakes_max;
    config.handshakes_per_prefix = handshakes_max; // all are of one
    config.approves_all = true;
    config.idle_timeout_ms = 3600000;
    config.stall_timeout_ms = 3600000; // nothing but what holds too much is to end
    config.on_event = on_event;
    end_init(&server, &config, true);
    config.unsent_max = 8 << 20; // the newcomer's own
    end_init(&client, &config, false);
}

static void end_cleanup(struct end *end)
{
    hail_shard_stop(&end->shard, 0);
    carry_out(end);
    ck_assert(hail_shard_stopped(&end->shard));
    ck_assert_uint_eq(end->shard.pool.used_count, 0);
    ck_assert_uint_eq(end->shard.delivery.messages.used_count, 0);
    ck_assert_uint_eq(end->shard.delivery.sent_packets.used_count, 0);
    ck_assert_uint_eq(end->shard.quota.listed, 0);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
    free(end->out);
}

static void finish(void)
{
    end_cleanup(&client);
    end_cleanup(&server);
}

static void start_joining(void)
{
    struct hail_addresses addresses = {.host = "play.test", .count = 1};
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr = {htonl(0xc0000202u)}};
    const struct hail_command command = {.op = HAIL_COMMAND_CONNECT, .addresses = &addresses};
    size_t done;

    memcpy(&addresses.list[0], &v4, sizeof v4);
    ck_assert_int_eq(hail_command_run(&client.shard, &command, &done), HAIL_OK);
}

// One more client joins. Returns its slot.
static uint32_t join(void)
{
    uint64_t until_ns = now_ns + PATIENCE_MS * HAIL_NS_PER_MS;
    uint32_t before = client.connected;

    start_joining();
    settle();
    while (client.connected == before && now_ns < until_ns)
        pass();
    ck_assert_msg(client.connected > before, "client %u could not join", before);
    progress[client.last] = 0;
    return client.last;
}

static uint64_t counted(unsigned stat)
{
    return hail_stat_get(&server.shard.stats, stat);
}

static uint32_t held_by(uint32_t slot)
{
    return server.shard.quota.holders[server.slots[slot]].held;
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
    uint32_t packet = hail_packets_begin(&client.shard.delivery, slot, HAIL_PROTECTION_ENCRYPTED);

    ck_assert_uint_ne(packet, HAIL_OUTGOING_NONE);
    hail_packets_add(&client.shard.delivery, packet, &frame);
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
    return hail_conn_send(&server.shard, server.slots[slot], &view) == HAIL_OK;
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
           server.shard.conns[server.slots[slot]].state == HAIL_CONN_OPEN) {
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
    uint64_t until_ns = now_ns + PATIENCE_MS * HAIL_NS_PER_MS;
    uint32_t there = server.messages[slot];
    uint32_t back = client.messages[slot];

    client.shard.now_ns = now_ns;
    server.shard.now_ns = now_ns;
    if (hail_conn_send(&client.shard, slot, &view) != HAIL_OK ||
        hail_conn_send(&server.shard, server.slots[slot], &view) != HAIL_OK)
        return false;
    settle();
    while ((server.messages[slot] == there || client.messages[slot] == back) && now_ns < until_ns)
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
        ck_assert_int_eq(server.shard.conns[server.slots[slot]].state, HAIL_CONN_OPEN);
    }
    // Few had to go for it, and nobody was ended for any other reason.
    uint32_t gone = server.closed[HAIL_CLOSED_HOLDS_TOO_MUCH];
    ck_assert_uint_le(gone, CROWD / 2);
    if (!is_silent[0]) // they were told why
        ck_assert_uint_eq(client.closed[HAIL_CLOSED_HOLDS_TOO_MUCH], gone);
    ck_assert_uint_eq(client.connected, CROWD + TRIES);
    ck_assert_uint_eq(counted(HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_HOLDS_TOO_MUCH), gone);
    ck_assert_uint_eq(counted(HAIL_STAT_CONNS_OPEN), CROWD + TRIES - gone);
    ck_assert_uint_gt(counted(HAIL_STAT_BUFFERS_FULL), 0);
    printf("%s: %u of %d evicted, %llu of %llu bytes free\n", how->why, gone, CROWD,
           (unsigned long long)hail_quota_free(&server.shard.quota),
           (unsigned long long)server.shard.quota.size);
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
    const struct hail_slab *sent_packets = &server.shard.delivery.sent_packets;
    for (uint32_t i = 0; i < FEW; i++) {
        uint32_t slot = join();
        uint32_t before;
        struct hail_sender *sender = &server.shard.delivery.conns[server.slots[slot]].sender;
        is_silent[slot] = true;
        sender->congestion.window = 1 << 30;
        do {
            before = sender->sent_packets;
            ck_assert_int_eq(hail_conn_send(&server.shard, server.slots[slot], &view), HAIL_OK);
            carry_out(&server);
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
    const struct hail_pool *welcomes = &server.shard.native->server->welcomes;
    for (uint32_t i = 0; i < 3 * HALF_OPEN; i++) {
        start_joining();
        carry_out(&client);
        deliver(&client, &server); // the hello
        hail_shard_turn(&server.shard, now_ns);
        carry_out(&server);
        server.out_count = 0; // and nobody finishes
        uint32_t want = i < HALF_OPEN ? i + 1 : HALF_OPEN;
        ck_assert_uint_eq(server.shard.handshake_count, want);
        ck_assert_uint_eq(welcomes->used_count, want);
        ck_assert_uint_eq(server.shard.pool.used_count, 0);
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
