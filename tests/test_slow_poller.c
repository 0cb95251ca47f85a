// test_slow_poller.c: an application that polls too slowly: everything waits, and nothing is lost.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "engine/shard/command.h"
#include "engine/shard/shard.h"
#include "tests/turn.h"
#include "tests/world.h"

static struct hail_config config(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.approves_all = true;
    config.takes_unknown_names = true;
    return config;
}

// An application that polls slowly, through a queue too small for what comes: everything waits,
// nothing is lost, and the stream is paused meanwhile; its silence is not the peer's.
START_TEST(test_polling_behind)
{
    struct hail_config server = config();
    const struct hail_config client = config();
    struct hail_event *event;
    uint64_t want = 0;
    size_t len;
    bool paused = false;

    server.message_max = 800;
    server.event_queue_bytes = 8192;
    server.command_queue_bytes = 8192;
    server.idle_timeout_ms = 500;
    struct world *world = world_joined(&server, &client, true);
    for (uint64_t i = 0; i < 300; i++) {
        uint8_t body[700] = {0};
        memcpy(body, &i, 8);
        ck_assert_int_eq(world_send(&world->client, world_first_conn(&world->client), i % 4, body,
                                    8 + test_next(&world->dice) % 600),
                         HAIL_OK);
    }
    const struct hail_command close = {.op = HAIL_COMMAND_CLOSE,
                                       .conn = world_first_conn(&world->client)};
    ck_assert_int_eq(world_command(&world->client, &close), HAIL_OK);
    bool connected = false;
    bool closed = false;
    for (int round = 0; round < 10000 && !closed; round++) {
        world_run(world);
        if (world->server.paused[0] && !paused)
            world_sleep(world, 600);
        paused |= world->server.paused[0];
        event = hail_mailbox_next(&world->server.context.events, &len);
        ck_assert_ptr_nonnull(event);
        if (event->type == HAIL_EVENT_MESSAGE) {
            ck_assert(connected);
            ck_assert_mem_eq(event->data, &want, 8);
            want++;
        }
        connected |= event->type == HAIL_EVENT_CONNECTED;
        closed |= event->type == HAIL_EVENT_CLOSED;
        hail_mailbox_release(&world->server.context.events);
    }
    ck_assert(closed);
    ck_assert_uint_eq(want, 300);
    ck_assert(paused);
    world_cleanup(world);
}
END_TEST

// A client that joins while the application is behind. Whoever is not told yet waits for room, and
// the shard says so: else nobody would wake it when there is some.
START_TEST(test_joining_behind)
{
    struct hail_config server = config();
    const struct hail_config client = config();
    const struct hail_event *event;
    size_t connected = 0;
    size_t len;

    server.message_max = 16;
    server.event_queue_bytes = 4096;
    server.approves_all = true;
    struct world *world = world_joined(&server, &client, true);
    struct hail_mailbox *events = &world->server.context.events;
    for (int i = 0; i < 60; i++)
        ck_assert_int_eq(world_send(&world->client, world_first_conn(&world->client), 0, "fill", 4),
                         HAIL_OK);
    world_run(world);
    world_connect(world, 2, NULL);
    for (int round = 0; round < 200 && connected < 2; round++) {
        event = hail_mailbox_next(events, &len);
        connected += event && event->type == HAIL_EVENT_CONNECTED;
        hail_mailbox_release(events);
        if (!atomic_exchange(&world->server.shard.wants_room, false))
            continue; // hail_poll would not wake the shard
        test_turn(&world->server.shard, world->now_ns);
        for (uint32_t slot = 0; slot < world->server.shard.table.fresh; slot++) {
            if (world->server.shard.conns[slot].connected_pending)
                ck_assert(atomic_load(&world->server.shard.wants_room));
        }
        world_run(world);
    }
    ck_assert_uint_eq(connected, 2);
    world_cleanup(world);
}
END_TEST

// Another thread sends maps until the shard's queue is full: that is counted, what is short goes
// on, whoever was refused is told when he can send again, once, and all that was taken arrives.
START_TEST(test_commands_full)
{
    static uint8_t map[3000];
    struct hail_config server = config();
    struct hail_config client = config();
    size_t taken[2] = {0};

    client.message_max = 4096;
    server.message_max = 4096;
    client.command_queue_bytes = 1 << 15;
    struct world *world = world_joined(&server, &client, false);
    world_connect(world, 2, NULL);
    const struct world_event *other = world_find(&world->client, HAIL_EVENT_CONNECTED, 1);
    struct hail_command command = {.op = HAIL_COMMAND_SEND,
                                   .conn = world_first_conn(&world->client)};
    for (size_t kind = 0; kind < 2; kind++) { // maps, then short ones
        command.view = (struct hail_message_view){
            .kind = HAIL_MESSAGE_UNNAMED, .body = map, .body_len = kind == 0 ? sizeof map : 256};
        while (hail_command_post(&world->client.shard, &command) == HAIL_OK)
            taken[kind]++;
        ck_assert_uint_ge(taken[kind], 5);
        ck_assert_uint_le(taken[kind], 40);
    }
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_WRITABLE), 0);
    world_run(world);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_WRITABLE), 1);
    ck_assert_uint_eq(world_find(&world->client, HAIL_EVENT_WRITABLE, 0)->event.conn.id,
                      command.conn.id);
    ck_assert_uint_ne(other->event.conn.id, command.conn.id);
    ck_assert_uint_eq(world_stat(&world->client, HAIL_STAT_COMMANDS_REFUSED), 2);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_MESSAGE), taken[0] + taken[1]);
    ck_assert_int_eq(hail_command_post(&world->client.shard, &command), HAIL_OK);
    world_cleanup(world);
}
END_TEST

enum {
    DEAF = 30,
    TRIES = 5
};

// A crowd that takes nothing of what is sent to it: who comes after it joins, and is sent to.
START_TEST(test_deaf_crowd)
{
    static const size_t sizes[] = {128, 1000, 2000, 50000};
    static uint8_t body[50000];
    struct hail_config server = config();
    const struct hail_config client = config();

    server.buffers_max = 8 << 20;
    struct world *world = world_init(&server, &client, test_seed(), false);
    for (size_t i = 0; i < DEAF; i++) {
        world_connect(world, i, NULL);
        const struct world_event *connected = world_find(&world->server, HAIL_EVENT_CONNECTED, i);
        struct hail_conn conn = connected->event.conn;
        world->server.deaf[hail_name_unpack(conn).slot] = true;
        for (size_t sent = 0; // as much as it is let, and less than is one connection's own limit
             sent < 900000 && world_send(&world->server, conn, 0, body, sizes[i % 4]) == HAIL_OK;
             sent += sizes[i % 4])
            world_run(world);
    }
    size_t gone_before = world_count(&world->server, HAIL_EVENT_CLOSED);
    for (size_t i = DEAF; i < DEAF + TRIES; i++) {
        world_connect(world, i, NULL);
        const struct world_event *connected = world_find(&world->server, HAIL_EVENT_CONNECTED, i);
        ck_assert_ptr_nonnull(connected);
        for (size_t j = 0; j < 4; j++) {
            size_t before = world_count(&world->client, HAIL_EVENT_MESSAGE);
            ck_assert_int_eq(world_send(&world->server, connected->event.conn, 0, body, sizes[j]),
                             HAIL_OK);
            world_run(world);
            ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_MESSAGE), before + 1);
        }
    }
    size_t gone = world_count(&world->server, HAIL_EVENT_CLOSED);
    for (size_t i = 0; i < gone; i++) {
        const struct world_event *closed = world_find(&world->server, HAIL_EVENT_CLOSED, i);
        ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_HOLDS_TOO_MUCH);
        ck_assert_uint_lt(closed->event.client_id, DEAF + 1);
    }
    ck_assert_uint_le(gone, DEAF / 2);
    ck_assert_uint_le(gone - gone_before, TRIES);
    ck_assert_uint_gt(gone, 0);
    world_cleanup(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slow_poller");
    TCase *tests = tcase_create("behind");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_polling_behind);
    tcase_add_test(tests, test_joining_behind);
    tcase_add_test(tests, test_commands_full);
    tcase_add_test(tests, test_deaf_crowd);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
