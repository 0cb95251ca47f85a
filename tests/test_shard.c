// test_shard.c: a server's shard and a client's, wired in memory: joins, messages, floors, calls
// and every limit, with streams torn into pieces.
// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mlapi/body.h"
#include "proto/mlapi/frame.h"
#include "tests/world.h"

enum {
    STRETCH_WAIT_MS = 2 // the default
};

static struct hail_config config(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.approves_all = true;
    config.takes_unknown_names = true;
    return config;
}

static enum hail_close_reason closed_as(const struct world_end *end)
{
    const struct world_event *closed = world_find(end, HAIL_EVENT_CLOSED, 0);

    ck_assert_ptr_nonnull(closed);
    return closed->event.reason;
}

static const struct {
    const char *why;
    bool encryption;
    bool scene_management;
    const char *conn_data;
    size_t piece_max;
} joins[] = {
    {"as configured by default", true, true, NULL, 0},
    {"a byte at a time", true, true, NULL, 1},
    {"without scene management", true, false, NULL, 3},
    {"with connection data", true, true, "token-123", 5},
    {"with empty connection data", true, true, "", 0},
    {"without encryption", false, true, "x", 1},
    {"with nothing at all", false, false, NULL, 0},
};

START_TEST(test_join)
{
    struct hail_config both = config();

    both.approves_all = false;
    both.mlapi.enable_encryption = joins[_i].encryption;
    both.mlapi.enable_scene_management = joins[_i].scene_management;
    both.mlapi.connection_approval = joins[_i].conn_data != NULL;
    struct world *world = world_init(&both, &both, test_seed(), false);
    world->piece_max = joins[_i].piece_max;
    world_connect(world, 42, joins[_i].conn_data);

    const struct world_event *request = world_find(&world->server, HAIL_EVENT_REQUEST, 0);
    ck_assert_msg(request != NULL, "%s: no request", joins[_i].why);
    ck_assert_uint_eq(request->event.len, joins[_i].conn_data ? strlen(joins[_i].conn_data) : 0);
    ck_assert_mem_eq(request->data, joins[_i].conn_data ? joins[_i].conn_data : "",
                     request->event.len);
    ck_assert_uint_eq(request->event.flags, joins[_i].encryption ? 3 : 0);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CONNECTED), 0);

    const struct hail_command approve = {
        .op = HAIL_COMMAND_APPROVE, .conn = request->event.conn, .tag = 99};
    ck_assert_int_eq(world_command(&world->server, &approve), HAIL_OK);
    ck_assert_int_eq(world_command(&world->server, &approve), HAIL_ESTATE);
    world_run(world);
    ck_assert_uint_eq(world_find(&world->server, HAIL_EVENT_CONNECTED, 0)->event.tag, 99);
    const struct world_event *connected = world_find(&world->client, HAIL_EVENT_CONNECTED, 0);
    ck_assert_msg(connected != NULL, "%s: not connected", joins[_i].why);
    ck_assert_uint_eq(connected->event.tag, 42);
    ck_assert_uint_eq(connected->event.client_id, 1);

    struct hail_slot_view server_view;
    struct hail_slot_view client_view;
    ck_assert(hail_table_read(&world->server.shard.table, request->event.conn, &server_view));
    ck_assert(hail_table_read(&world->client.shard.table, connected->event.conn, &client_view));
    ck_assert_int_eq((server_view.facts & HAIL_FACT_KEY) != 0, joins[_i].encryption);
    ck_assert_mem_eq(server_view.key, client_view.key, sizeof server_view.key);
    world_cleanup(world);
}
END_TEST

START_TEST(test_deny)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.approves_all = false;
    struct world *world = world_init(&server, &client, test_seed(), false);
    world_connect(world, 1, NULL);
    const struct hail_command deny = {
        .op = HAIL_COMMAND_DENY,
        .conn = world_find(&world->server, HAIL_EVENT_REQUEST, 0)->event.conn,
        .view = {.body = (const uint8_t *)"full", .body_len = 4},
    };
    ck_assert_int_eq(world_command(&world->server, &deny), HAIL_OK);
    world_run(world);
    ck_assert_int_eq(closed_as(&world->server), HAIL_CLOSED_DENIED);
    ck_assert_str_eq(world_find(&world->server, HAIL_EVENT_CLOSED, 0)->text, "full");
    ck_assert_int_eq(closed_as(&world->client), HAIL_CLOSED_BY_PEER);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 0);
    ck_assert_int_eq(world_command(&world->server, &deny), HAIL_EGONE);
    world_cleanup(world);
}
END_TEST

START_TEST(test_other_config)
{
    const struct hail_config server = config();
    struct hail_config client = config();

    client.mlapi.protocol_version = 1;
    struct world *world = world_init(&server, &client, test_seed(), false);
    world_connect(world, 1, NULL);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_CONFIG), 1);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_CONFIG), 1);
    ck_assert_uint_eq(world->server.event_count, 0); // the application never heard of it
    ck_assert_int_eq(closed_as(&world->client), HAIL_CLOSED_BY_PEER);
    world_cleanup(world);
}
END_TEST

// Random messages both ways under all flags, over torn streams: each arrives once, whole, in order
// and as it was sent.
START_TEST(test_messages_against_list)
{
    const struct hail_config both = config();
    struct world *world = world_joined(&both, &both, false);
    struct world_end *ends[2] = {&world->server, &world->client};
    static uint8_t body[70000];
    size_t sent[2] = {0};
    size_t lens[2][600];
    uint32_t flags[2][600];

    for (int step = 0; step < 1000; step++) {
        int from = (int)(test_next(&world->dice) % 2);
        size_t len = test_next(&world->dice) % (test_next(&world->dice) % 20 ? 400 : 65537);
        if (sent[from] == 600)
            continue;
        lens[from][sent[from]] = len;
        flags[from][sent[from]] = (uint32_t)(test_next(&world->dice) % 4);
        memset(body, (int)sent[from], len);
        ck_assert_int_eq(world_send(ends[from], world_first_conn(ends[from]),
                                    flags[from][sent[from]], body, len),
                         HAIL_OK);
        sent[from]++;
        if (test_next(&world->dice) % 4 == 0)
            world_run(world);
    }
    world_run(world);
    for (int from = 0; from < 2; from++) {
        ck_assert_uint_eq(world_count(ends[!from], HAIL_EVENT_MESSAGE), sent[from]);
        for (size_t i = 0; i < sent[from]; i++) {
            const struct world_event *got = world_find(ends[!from], HAIL_EVENT_MESSAGE, i);
            ck_assert_uint_eq(got->event.len, lens[from][i]);
            ck_assert_uint_eq(got->event.flags, flags[from][i]);
            for (size_t j = 0; j < got->event.len; j++)
                ck_assert_uint_eq(got->data[j], (uint8_t)i);
        }
    }
    world_cleanup(world);
}
END_TEST

// A frame of the longest length that is taken can carry a payload that is longer than an
// application has to expect.
static const struct {
    const char *why;
    uint32_t flags;
    size_t len;
    bool arrives;
} payloads[] = {
    {"the longest, plain", 0, 1000, true},
    {"the longest, encrypted", HAIL_ENCRYPTED, 1000, true},
    {"the longest, with both flags", HAIL_ENCRYPTED | HAIL_AUTHENTICATED, 1000, true},
    {"a byte more, plain", 0, 1001, false},
    {"a byte more, authenticated", HAIL_AUTHENTICATED, 1001, false},
    {"a byte more, with both flags", HAIL_ENCRYPTED | HAIL_AUTHENTICATED, 1001, false},
    {"as much as a frame takes", 0, 1000 + HAIL_WIRE_EXTRA - 1, false},
};

START_TEST(test_payload_max)
{
    struct hail_config server = config();
    const struct hail_config client = config();
    static const uint8_t body[2000];

    server.message_max = 1000;
    struct world *world = world_joined(&server, &client, false);
    ck_assert_int_eq(world_send(&world->client, world_first_conn(&world->client),
                                payloads[_i].flags, body, payloads[_i].len),
                     HAIL_OK);
    world_run(world);
    ck_assert_msg(world_count(&world->server, HAIL_EVENT_MESSAGE) == payloads[_i].arrives, "%s",
                  payloads[_i].why);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_TOO_LARGE),
                      !payloads[_i].arrives);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CLOSED), 0);
    world_cleanup(world);
}
END_TEST

static const struct hail_handler floor_handlers[] = {
    {.kind = HAIL_HANDLER_MESSAGE, .name = "open", .floor = 0},
    {.kind = HAIL_HANDLER_MESSAGE, .name = "signed", .floor = HAIL_AUTHENTICATED},
    {.kind = HAIL_HANDLER_MESSAGE, .name = "hidden", .floor = HAIL_ENCRYPTED},
    {.kind = HAIL_HANDLER_RPC, .name = "Buy", .signature = "BuyInt32", .floor = 3},
};

// Row by row: what is sent, and whether it may reach the handler.
static const struct {
    const char *why;
    const char *name; // NULL: unnamed
    enum hail_message_kind kind;
    uint32_t flags;
    bool arrives;
    int handler; // -1: none
} floors[] = {
    {"no floor takes plain", "open", HAIL_MESSAGE_NAMED, 0, true, 0},
    {"no floor takes more", "open", HAIL_MESSAGE_NAMED, 3, true, 0},
    {"plain is below authenticated", "signed", HAIL_MESSAGE_NAMED, 0, false, 1},
    {"encrypted alone is not authenticated", "signed", HAIL_MESSAGE_NAMED, 1, false, 1},
    {"authenticated meets its floor", "signed", HAIL_MESSAGE_NAMED, 2, true, 1},
    {"both are more than authenticated", "signed", HAIL_MESSAGE_NAMED, 3, true, 1},
    {"authenticated alone is not encrypted", "hidden", HAIL_MESSAGE_NAMED, 2, false, 2},
    {"encrypted meets its floor", "hidden", HAIL_MESSAGE_NAMED, 1, true, 2},
    {"an RPC below both", "Buy", HAIL_MESSAGE_CALL, 2, false, 3},
    {"an RPC with both", "Buy", HAIL_MESSAGE_CALL, 3, true, 3},
    {"the same RPC under its signature, below", "BuyInt32", HAIL_MESSAGE_REQUEST, 1, false, 3},
    {"the same RPC under its signature", "BuyInt32", HAIL_MESSAGE_REQUEST, 3, true, 3},
    {"unnamed below the default floor", NULL, HAIL_MESSAGE_UNNAMED, 0, false, -1},
    {"unnamed at the default floor", NULL, HAIL_MESSAGE_UNNAMED, 2, true, -1},
    {"an unknown name below the default floor", "other", HAIL_MESSAGE_NAMED, 1, false, -1},
    {"an unknown name at the default floor", "other", HAIL_MESSAGE_NAMED, 2, true, -1},
    {"a message named as an RPC is not the RPC", "Buy", HAIL_MESSAGE_NAMED, 2, true, -1},
};

START_TEST(test_floor)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.handlers = floor_handlers;
    server.handler_count = HAIL_COUNTOF(floor_handlers);
    server.default_floor = HAIL_AUTHENTICATED;
    struct world *world = world_joined(&server, &client, false);
    struct hail_command send = {
        .op = HAIL_COMMAND_SEND,
        .conn = world_first_conn(&world->client),
        .view = {.kind = floors[_i].kind, .flags = floors[_i].flags, .call_id = 5},
    };
    if (floors[_i].name)
        ck_assert(hail_mlapi_name_hash(&send.view.name_hash, floors[_i].name, HAIL_MLAPI_HASH_16));
    ck_assert_int_eq(world_command(&world->client, &send), HAIL_OK);
    world_run(world);

    size_t arrived = world_count(&world->server, HAIL_EVENT_MESSAGE) +
                     world_count(&world->server, HAIL_EVENT_CALL);
    ck_assert_msg(arrived == floors[_i].arrives, "%s", floors[_i].why);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_FLOOR),
                      !floors[_i].arrives);
    if (floors[_i].handler >= 0)
        ck_assert_uint_eq(world->server.shard.handler_drops[floors[_i].handler],
                          !floors[_i].arrives);
    if (arrived) {
        const struct hail_event *event = &world->server.events[world->server.event_count - 1].event;
        ck_assert_uint_eq(event->flags, floors[_i].flags);
        ck_assert_ptr_eq(event->handler, floors[_i].handler < 0
                                             ? NULL
                                             : &world->server.context.handlers[floors[_i].handler]);
    }
    world_cleanup(world);
}
END_TEST

START_TEST(test_unknown_names)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.takes_unknown_names = false;
    struct world *world = world_joined(&server, &client, false);
    const struct hail_command send = {
        .op = HAIL_COMMAND_SEND,
        .conn = world_first_conn(&world->client),
        .view = {.kind = HAIL_MESSAGE_NAMED, .name_hash = 17},
    };
    ck_assert_int_eq(world_command(&world->client, &send), HAIL_OK);
    world_run(world);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_MESSAGE), 0);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_NAME), 1);
    world_cleanup(world);
}
END_TEST

static enum hail_status call(struct world_end *end, enum hail_message_kind kind, uint32_t flags,
                             uint64_t id)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_SEND,
        .conn = world_first_conn(end),
        .view = {.kind = kind,
                 .flags = flags,
                 .call_id = id,
                 .body = (const uint8_t *)"args",
                 .body_len = 4},
    };

    return world_command(end, &command);
}

START_TEST(test_calls)
{
    struct hail_config both = config();

    both.calls_max = 2;
    struct world *world = world_joined(&both, &both, false);
    struct world_end *server = &world->server;
    struct world_end *client = &world->client;

    ck_assert_int_eq(call(client, HAIL_MESSAGE_REQUEST, 3, 10), HAIL_OK);
    ck_assert_int_eq(call(client, HAIL_MESSAGE_REQUEST, 0, 10), HAIL_EINVAL); // under way already
    ck_assert_int_eq(call(client, HAIL_MESSAGE_REQUEST, 2, 11), HAIL_OK);
    ck_assert_int_eq(call(client, HAIL_MESSAGE_REQUEST, 0, 12), HAIL_EFULL);
    ck_assert_int_eq(call(client, HAIL_MESSAGE_CALL, 0, 0), HAIL_OK); // needs no place
    world_run(world);
    ck_assert_uint_eq(world_count(server, HAIL_EVENT_CALL), 3);
    ck_assert(world_find(server, HAIL_EVENT_CALL, 0)->event.wants_response);
    ck_assert(!world_find(server, HAIL_EVENT_CALL, 2)->event.wants_response);

    // Weaker than the call, to no call, then right; a second answer is one to no call.
    uint64_t asked = world_find(server, HAIL_EVENT_CALL, 0)->event.call_id; // as the wire has it
    ck_assert_int_eq(call(server, HAIL_MESSAGE_RESPONSE, 2, asked), HAIL_OK);
    ck_assert_int_eq(call(server, HAIL_MESSAGE_RESPONSE, 3, 77), HAIL_OK);
    ck_assert_int_eq(call(server, HAIL_MESSAGE_RESPONSE, 3, asked), HAIL_OK);
    ck_assert_int_eq(call(server, HAIL_MESSAGE_RESPONSE, 3, asked), HAIL_OK);
    world_run(world);
    ck_assert_uint_eq(world_count(client, HAIL_EVENT_RESPONSE), 1);
    ck_assert_uint_eq(world_find(client, HAIL_EVENT_RESPONSE, 0)->event.call_id, 10);
    ck_assert_uint_eq(world_stat(client, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_CALL), 3);
    ck_assert_int_eq(call(client, HAIL_MESSAGE_REQUEST, 0, 12), HAIL_OK); // its place is free again

    // And the other way: a server calls a client.
    ck_assert_int_eq(call(server, HAIL_MESSAGE_REQUEST, 1, 10), HAIL_OK);
    world_run(world);
    asked = world_find(client, HAIL_EVENT_CALL, 0)->event.call_id;
    ck_assert_int_eq(call(client, HAIL_MESSAGE_RESPONSE, 1, asked), HAIL_OK);
    world_run(world);
    ck_assert_uint_eq(world_count(server, HAIL_EVENT_RESPONSE), 1);
    world_cleanup(world);
}
END_TEST

START_TEST(test_protection_needs_key)
{
    struct hail_config both = config();

    both.mlapi.enable_encryption = false;
    struct world *world = world_joined(&both, &both, false);
    for (uint32_t flags = 1; flags <= 3; flags++)
        ck_assert_int_eq(
            world_send(&world->client, world_first_conn(&world->client), flags, "x", 1),
            HAIL_ENOKEY);
    ck_assert_int_eq(world_send(&world->client, world_first_conn(&world->client), 0, "x", 1),
                     HAIL_OK);
    world_run(world);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_MESSAGE), 1);
    world_cleanup(world);
}
END_TEST

START_TEST(test_send_before_joined)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.approves_all = false;
    struct world *world = world_init(&server, &client, test_seed(), false);
    world_connect(world, 1, NULL);
    struct hail_conn conn = world_find(&world->server, HAIL_EVENT_REQUEST, 0)->event.conn;
    ck_assert_int_eq(world_send(&world->server, conn, 0, "x", 1), HAIL_ESTATE);
    ck_assert_int_eq(world_send(&world->server, (struct hail_conn){0}, 0, "x", 1), HAIL_EGONE);
    world_cleanup(world);
}
END_TEST

// What a stranger sends as his first bytes, and what becomes of it.
static const struct {
    const char *why;
    const char *bytes;
    size_t len;
    bool closes;
    enum hail_verdict verdict;
} strangers[] = {
    {"a frame of length 0", "\0\0\0\0", 4, true, HAIL_DROP_FRAME},
    {"a frame of 2^31", "\x80\0\0\0", 4, true, HAIL_DROP_FRAME},
    {"a frame longer than any handshake message", "\0\x01\0\0", 4, true, HAIL_DROP_FRAME},
    {"an application message", "\0\0\0\x02\x50x", 6, false, HAIL_DROP_UNEXPECTED},
    {"a connection request in the clear", "\0\0\0\x02\x0c\0", 6, false, HAIL_DROP_UNEXPECTED},
    {"protected before there is a key", "\0\0\0\x01\x03", 5, false, HAIL_DROP_SHORT},
    {"an empty hail response", "\0\0\0\x01\x04", 5, false, HAIL_DROP_MALFORMED},
    {"a public part of one byte", "\0\0\0\x03\x04\x01x", 7, false, HAIL_DROP_POINT},
    {"a type that does not exist", "\0\0\0\x01\x64", 5, false, HAIL_DROP_TYPE},
    {"the type called invalid", "\0\0\0\x01\x80", 5, false, HAIL_DROP_TYPE},
};

START_TEST(test_stranger)
{
    const struct hail_config both = config();
    struct world *world = world_init(&both, &both, test_seed(), false);
    uint32_t slot = world_raw(world);

    world_feed(world, slot, (const uint8_t *)strangers[_i].bytes, strangers[_i].len);
    ck_assert_msg(world->server.open[slot] == !strangers[_i].closes, "%s", strangers[_i].why);
    ck_assert_msg(world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + strangers[_i].verdict) == 1,
                  "%s", strangers[_i].why);
    ck_assert_uint_eq(world->server.event_count, 0);
    world_connect(world, 1, NULL);
    world_sleep(world, STRETCH_WAIT_MS);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 1);
    world_cleanup(world);
}
END_TEST

// A client that speaks before the server's hail was made is answered after it, and never by a
// session that does not exist yet.
START_TEST(test_stranger_in_a_hurry)
{
    const struct hail_config both = config();
    struct world *world = world_init(&both, &both, test_seed(), false);
    uint8_t early[] = {0, 0, 0, 3, 4, 1, 'x'};
    struct sockaddr_in peer = {.sin_family = AF_INET};
    uint32_t slot = hail_shard_accept(&world->server.shard, (struct sockaddr *)&peer, sizeof peer);

    world->server.peers[slot] = WORLD_RAW;
    world->server.open[slot] = true;
    hail_shard_input(&world->server.shard, slot, early, sizeof early);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_POINT), 0);
    world_run(world);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_POINT), 1);
    ck_assert_uint_gt(world->server.incoming[slot].len, 70); // the hail

    uint8_t flood[8192] = {0};
    slot = hail_shard_accept(&world->server.shard, (struct sockaddr *)&peer, sizeof peer);
    world->server.peers[slot] = WORLD_RAW;
    world->server.open[slot] = true;
    hail_shard_input(&world->server.shard, slot, flood, sizeof flood);
    world_run(world);
    ck_assert(!world->server.open[slot]);
    world_cleanup(world);
}
END_TEST

START_TEST(test_handshakes_crowd_out_the_oldest)
{
    struct hail_config server = config();
    const struct hail_config client = config();
    uint32_t slots[6];

    server.handshakes_max = 4;
    server.handshakes_per_prefix = 4;
    struct world *world = world_init(&server, &client, test_seed(), false);
    for (int i = 0; i < 6; i++)
        slots[i] = world_raw(world);
    ck_assert(!world->server.open[slots[0]] || slots[0] == slots[5] || slots[0] == slots[4]);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_CROWDED_OUT),
                      2);
    world_connect(world, 1, NULL);
    world_sleep(world, STRETCH_WAIT_MS);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 1);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_HANDSHAKES_OPEN), 3);
    world_cleanup(world);
}
END_TEST

// Hail responses wait for each other while somebody else is joining, but not for long, nor beyond
// what is agreed on side by side.
START_TEST(test_responses_wait_for_each_other)
{
    const struct hail_config both = config();
    struct world *world = world_init(&both, &both, test_seed(), false);

    world_raw(world); // never answers
    for (uint64_t tag = 1; tag <= HAIL_MLAPI_AGREEMENTS_MAX + 3; tag++) {
        bool served = tag >= HAIL_MLAPI_AGREEMENTS_MAX;
        world_connect(world, tag, NULL);
        ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED),
                          served ? HAIL_MLAPI_AGREEMENTS_MAX : 0);
    }
    world_sleep(world, STRETCH_WAIT_MS);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED),
                      HAIL_MLAPI_AGREEMENTS_MAX + 3);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_KEYS_STRETCHED),
                      HAIL_MLAPI_AGREEMENTS_MAX + 3);
    world_cleanup(world);
}
END_TEST

// Who leaves while his response waits costs no key, and whoever has his slot then is not taken for
// him.
START_TEST(test_leaves_while_his_response_waits)
{
    const struct hail_config both = config();
    struct world *world = world_init(&both, &both, test_seed(), false);
    struct hail_x25519_pair pair;
    struct hail_random random;
    uint8_t part[HAIL_AFFINE_MAX];
    uint8_t message[HAIL_MLAPI_FRAME_HEADER_LEN + 2 + HAIL_AFFINE_MAX];

    hail_random_init_seeded(&random, 7);
    hail_x25519_pair_init(&pair, &random);
    struct hail_bytes public_part = {part, hail_affine_write(part, pair.public_key)};
    message[HAIL_MLAPI_FRAME_HEADER_LEN] = HAIL_MLAPI_HAIL_RESPONSE << 2;
    size_t len = 1 + hail_mlapi_hail_response_write(
                         message + HAIL_MLAPI_FRAME_HEADER_LEN + 1,
                         sizeof message - HAIL_MLAPI_FRAME_HEADER_LEN - 1, public_part);
    hail_mlapi_frame_write(message, len);
    world_raw(world); // so that he has to wait
    uint32_t slot = world_raw(world);
    world_feed(world, slot, message, HAIL_MLAPI_FRAME_HEADER_LEN + len);
    hail_shard_ended(&world->server.shard, slot, 0);
    world_run(world);
    ck_assert(!world->server.open[slot]);
    ck_assert_uint_eq(world_raw(world), slot);
    world_sleep(world, STRETCH_WAIT_MS);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_KEYS_STRETCHED), 0);

    world_feed(world, slot, message, HAIL_MLAPI_FRAME_HEADER_LEN + len);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_KEYS_STRETCHED), 0);
    world_sleep(world, STRETCH_WAIT_MS);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_KEYS_STRETCHED), 1);
    hail_random_cleanup(&random);
    world_cleanup(world);
}
END_TEST

START_TEST(test_connections_full)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.conns_max = 3;
    struct world *world = world_init(&server, &client, test_seed(), false);
    for (int i = 0; i < 4; i++)
        world_connect(world, (uint64_t)i, NULL);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 3);
    ck_assert_int_eq(closed_as(&world->client), HAIL_CLOSED_CONNECT);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CONNS_REFUSED), 1);
    world_cleanup(world);
}
END_TEST

START_TEST(test_handshake_timeout)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.handshake_timeout_ms = 500;
    struct world *world = world_init(&server, &client, test_seed(), false);
    uint32_t slot = world_raw(world);
    world_sleep(world, 499);
    ck_assert(world->server.open[slot]);
    world_sleep(world, 1);
    ck_assert(!world->server.open[slot]);
    ck_assert_uint_eq(
        world_stat(&world->server, HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_HANDSHAKE_TIMEOUT), 1);
    world_cleanup(world);
}
END_TEST

START_TEST(test_idle_timeout)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.idle_timeout_ms = 1000;
    struct world *world = world_joined(&server, &client, false);
    world_sleep(world, 900);
    ck_assert_int_eq(world_send(&world->client, world_first_conn(&world->client), 0, "x", 1),
                     HAIL_OK);
    world_run(world);
    world_sleep(world, 900);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CLOSED), 0);
    world_sleep(world, 100);
    ck_assert_int_eq(closed_as(&world->server), HAIL_CLOSED_IDLE);
    ck_assert_int_eq(closed_as(&world->client), HAIL_CLOSED_BY_PEER);
    world_cleanup(world);
}
END_TEST

START_TEST(test_slow_reader_by_volume)
{
    struct hail_config server = config();
    const struct hail_config client = config();
    static uint8_t body[60000];
    enum hail_status status = HAIL_OK;
    int sent = 0;

    server.unsent_max = 200000;
    struct world *world = world_joined(&server, &client, false);
    world->server.deaf[0] = true;
    while (status == HAIL_OK && ++sent < 100) {
        status = world_send(&world->server, world_first_conn(&world->server), 3, body, sizeof body);
        world_run(world);
    }
    ck_assert_int_eq(status, HAIL_EFULL);
    ck_assert_int_eq(sent, 4);
    world_run(world);
    ck_assert_int_eq(closed_as(&world->server), HAIL_CLOSED_SLOW_READER);
    ck_assert_int_eq(world_send(&world->server, world_first_conn(&world->server), 3, body, 1),
                     HAIL_EGONE);
    world_cleanup(world);
}
END_TEST

START_TEST(test_slow_reader_by_time)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.stall_timeout_ms = 2000;
    struct world *world = world_joined(&server, &client, false);
    world->server.deaf[0] = true;
    ck_assert_int_eq(world_send(&world->server, world_first_conn(&world->server), 0, "x", 1),
                     HAIL_OK);
    world_run(world);
    world_sleep(world, 1999);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CLOSED), 0);
    world_sleep(world, 1);
    ck_assert_int_eq(closed_as(&world->server), HAIL_CLOSED_SLOW_READER);
    world_cleanup(world);
}
END_TEST

START_TEST(test_slow_writer)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.stall_timeout_ms = 2000;
    struct world *world = world_init(&server, &client, test_seed(), false);
    uint32_t slot = world_raw(world);
    world_feed(world, slot, (const uint8_t *)"\0\0\0\x40half", 8);
    world_sleep(world, 1999);
    ck_assert(world->server.open[slot]);
    world_sleep(world, 1);
    ck_assert(!world->server.open[slot]);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_SLOW_WRITER),
                      1);
    world_cleanup(world);
}
END_TEST

// One connection that takes nothing may not starve another: sends to it are refused when it has its
// share, and when it has stalled for too long its buffers are free again.
START_TEST(test_buffers_full)
{
    struct hail_config server = config();
    const struct hail_config client = config();
    static uint8_t body[60000];

    server.buffers_max = 300000;
    server.stall_timeout_ms = 1000;
    struct world *world = world_joined(&server, &client, false);
    world_connect(world, 8, NULL);
    struct hail_conn second = world_find(&world->server, HAIL_EVENT_CONNECTED, 1)->event.conn;
    world->server.deaf[0] = true;
    while (world_send(&world->server, world_first_conn(&world->server), 0, body, sizeof body) ==
           HAIL_OK)
        world_run(world);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CLOSED), 0);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_BUFFERS_FULL), 1);
    ck_assert_int_eq(world_send(&world->server, second, 0, body, sizeof body), HAIL_OK);
    world_run(world);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_MESSAGE), 1);
    world_sleep(world, 1000);
    ck_assert_int_eq(closed_as(&world->server), HAIL_CLOSED_SLOW_READER);
    ck_assert_uint_eq(world->server.shard.quota.holders[0].held, 0);
    world_cleanup(world);
}
END_TEST

// The counter of bytes that wait is right while the shard sleeps, also when the last thing it did
// was to let go of a connection.
START_TEST(test_bytes_waiting)
{
    const struct hail_config both = config();
    struct world *world = world_init(&both, &both, test_seed(), false);
    struct hail_shard *shard = &world->server.shard;
    uint32_t slot = world_raw(world);
    struct hail_task task;

    world_feed(world, slot, (const uint8_t *)"\0\0\0\x45half", 8);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_BYTES_WAITING), HAIL_BLOCK_STREAM);
    hail_shard_ended(shard, slot, 0);
    ck_assert(hail_shard_output(shard, &task));
    ck_assert_int_eq(task.op, HAIL_TASK_CLOSE);
    hail_shard_closed(shard, slot);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_BYTES_WAITING), 0);
    world_cleanup(world);
}
END_TEST

// Queues that could never take the longest that may come are refused at the start.
static const struct {
    const char *why;
    uint32_t message_max;
    uint32_t conn_data_max;
    uint32_t event_queue_bytes;
    bool approval;
    enum hail_status want;
} rooms[] = {
    {"as it is by default", 0, 0, 0, true, HAIL_OK},
    {"for messages just enough", 1000, 1000, 4512, true, HAIL_OK},
    {"for messages too small", 1000, 1000, 4511, true, HAIL_EINVAL},
    {"for connection data just enough", 16, 2000, 8512, true, HAIL_OK},
    {"for connection data too small", 16, 2000, 8511, true, HAIL_EINVAL},
    {"no connection data comes", 16, 2000, 4096, false, HAIL_OK},
};

START_TEST(test_room)
{
    struct hail_config server = config();
    static struct hail_context context;

    server.profile = HAIL_PROFILE_MLAPI;
    server.message_max = rooms[_i].message_max;
    server.conn_data_max = rooms[_i].conn_data_max;
    server.event_queue_bytes = rooms[_i].event_queue_bytes;
    server.mlapi.connection_approval = rooms[_i].approval;
    enum hail_status got = hail_context_init(&context, &server, true);
    ck_assert_msg(got == rooms[_i].want, "%s: %d", rooms[_i].why, got);
    if (got == HAIL_OK)
        hail_context_cleanup(&context);
}
END_TEST

START_TEST(test_close_flushes)
{
    const struct hail_config both = config();
    struct world *world = world_joined(&both, &both, false);
    const struct hail_command close = {.op = HAIL_COMMAND_CLOSE,
                                       .conn = world_first_conn(&world->server)};
    static uint8_t body[60000];

    ck_assert_int_eq(world_send(&world->server, close.conn, 3, body, sizeof body), HAIL_OK);
    ck_assert_int_eq(world_command(&world->server, &close), HAIL_OK);
    ck_assert_int_eq(world_command(&world->server, &close), HAIL_EGONE);
    ck_assert_int_eq(world_send(&world->server, close.conn, 0, body, 1), HAIL_EGONE);
    world_run(world);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_MESSAGE), 1);
    ck_assert_int_eq(closed_as(&world->server), HAIL_CLOSED_BY_APPLICATION);
    ck_assert_int_eq(closed_as(&world->client), HAIL_CLOSED_BY_PEER);
    world_cleanup(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shard");
    TCase *tests = tcase_create("shard");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_join, 0, HAIL_COUNTOF(joins));
    tcase_add_test(tests, test_deny);
    tcase_add_test(tests, test_other_config);
    tcase_add_test(tests, test_messages_against_list);
    tcase_add_loop_test(tests, test_payload_max, 0, HAIL_COUNTOF(payloads));
    tcase_add_loop_test(tests, test_floor, 0, HAIL_COUNTOF(floors));
    tcase_add_test(tests, test_unknown_names);
    tcase_add_test(tests, test_calls);
    tcase_add_test(tests, test_protection_needs_key);
    tcase_add_test(tests, test_send_before_joined);
    tcase_add_loop_test(tests, test_stranger, 0, HAIL_COUNTOF(strangers));
    tcase_add_test(tests, test_stranger_in_a_hurry);
    tcase_add_test(tests, test_handshakes_crowd_out_the_oldest);
    tcase_add_test(tests, test_responses_wait_for_each_other);
    tcase_add_test(tests, test_leaves_while_his_response_waits);
    tcase_add_test(tests, test_connections_full);
    tcase_add_test(tests, test_handshake_timeout);
    tcase_add_loop_test(tests, test_idle_timeout, 0, 16); // seeds: what comes last may differ
    tcase_add_test(tests, test_slow_reader_by_volume);
    tcase_add_test(tests, test_slow_reader_by_time);
    tcase_add_test(tests, test_slow_writer);
    tcase_add_test(tests, test_buffers_full);
    tcase_add_test(tests, test_bytes_waiting);
    tcase_add_loop_test(tests, test_room, 0, HAIL_COUNTOF(rooms));
    tcase_add_test(tests, test_close_flushes);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
