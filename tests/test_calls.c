// test_calls.c: what is sent through a running endpoint: to one, to many, to all, over several
// shards, from callbacks and from outside; names and calls with their floors; calls and their
// answers.
// SPDX-License-Identifier: MIT
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/live_endpoint.h"

enum {
    CROWD = 10 // clients, over all shards of the server
};

enum spread {
    SPREAD_ONE,     // the first
    SPREAD_MANY,    // every other, the first again, and one that is gone
    SPREAD_ALL,     // everybody
    SPREAD_ALL_BUT, // everybody but the first
    SPREAD_BUT_NONE // everybody but somebody who is gone: everybody
};

static const struct {
    const char *why;
    enum spread spread;
    uint16_t shard_count;
    bool in_callback;
    uint32_t flags;
} spreads[] = {
    {"one, over one shard", SPREAD_ONE, 1, false, 0},
    {"one, over three shards", SPREAD_ONE, 3, false, 3},
    {"many, over one shard", SPREAD_MANY, 1, false, 1},
    {"many, over three shards", SPREAD_MANY, 3, false, 2},
    {"many, from a callback", SPREAD_MANY, 3, true, 3},
    {"all, over one shard", SPREAD_ALL, 1, false, 3},
    {"all, over three shards", SPREAD_ALL, 3, false, 3},
    {"all, from a callback", SPREAD_ALL, 3, true, 0},
    {"all but one, over three shards", SPREAD_ALL_BUT, 3, false, 3},
    {"all but one, from a callback", SPREAD_ALL_BUT, 3, true, 1},
    {"all but one who is gone", SPREAD_BUT_NONE, 3, false, 2},
};

// What is to be spread, and how it went.
struct order {
    int row;
    struct live_pair pairs[CROWD];
    struct hail_conn gone;
    _Atomic bool ready; // what is above is for the server's threads to read
    enum hail_status status;
    size_t sent;
};

static size_t copies(enum spread spread, size_t client)
{
    switch (spread) {
    case SPREAD_ONE:
        return client == 0;
    case SPREAD_MANY:
        return client == 0 ? 2 : client % 2 == 0;
    case SPREAD_ALL:
    case SPREAD_BUT_NONE:
        return 1;
    case SPREAD_ALL_BUT:
        return client != 0;
    }
    return 0;
}

static void carry_out(struct order *order, struct hail_endpoint *server)
{
    const struct hail_message message = {
        .data = "spread", .len = 6, .flags = spreads[order->row].flags};
    struct hail_conn many[CROWD / 2 + 2] = {order->pairs[0].server, order->gone};

    for (size_t i = 0; i < CROWD / 2; i++)
        many[i + 2] = order->pairs[2 * i].server;
    switch (spreads[order->row].spread) {
    case SPREAD_ONE:
        order->status = hail_send(server, order->pairs[0].server, &message);
        return;
    case SPREAD_MANY:
        order->status = hail_send_many(server, many, LIVE_COUNTOF(many), &message, &order->sent);
        return;
    case SPREAD_ALL:
        order->status = hail_send_all(server, &message);
        return;
    case SPREAD_ALL_BUT:
        order->status = hail_send_all_but(server, order->pairs[0].server, &message);
        return;
    case SPREAD_BUT_NONE:
        order->status = hail_send_all_but(server, order->gone, &message);
        return;
    }
}

// A client that says "go" has the server do it in the callback.
static void spread_in_callback(struct live_endpoint *live, struct hail_endpoint *endpoint,
                               const struct hail_event *event)
{
    struct order *order = live->user;

    // Acquire: pairs with the release in test_spread.
    if (event->type == HAIL_EVENT_MESSAGE &&
        atomic_load_explicit(&order->ready, memory_order_acquire))
        carry_out(order, endpoint);
}

// How many of a connection's messages, all of `flags`, came before the one that says "end".
static size_t count_until_end(struct live_endpoint *client, struct hail_conn conn, uint32_t flags)
{
    size_t count = 0;

    for (size_t i = 0;; i++) {
        const struct live_event *one = live_wait(client, HAIL_EVENT_MESSAGE, i);
        if (one->event.conn.id != conn.id)
            continue;
        if (live_says(one, "end"))
            return count;
        ck_assert(live_says(one, "spread"));
        ck_assert_uint_eq(one->event.flags, flags);
        count++;
    }
}

START_TEST(test_spread)
{
    struct hail_config config = live_config();
    struct order order = {.row = _i};
    struct live_endpoint server = {.react = spread_in_callback, .user = &order};
    struct live_endpoint client = {0};
    struct live_pair leaver;

    config.shard_count = spreads[_i].shard_count;
    live_start(&server, &config, true);
    config.shard_count = 2;
    live_start(&client, &config, false);
    live_join(order.pairs, CROWD, &server, &client, 0);
    live_join(&leaver, 1, &server, &client, CROWD);
    ck_assert_int_eq(hail_close(client.endpoint, leaver.client, 0, NULL), HAIL_OK);
    live_wait_conn(&server, HAIL_EVENT_CLOSED, leaver.server);
    order.gone = leaver.server;

    if (spreads[_i].in_callback) {
        atomic_store_explicit(&order.ready, true, memory_order_release);
        ck_assert_int_eq(live_send(&client, order.pairs[3].client, 0, "go"), HAIL_OK);
        live_wait(&server, HAIL_EVENT_MESSAGE, 0); // it is kept after the order is carried out
    } else {
        carry_out(&order, server.endpoint);
    }
    // Who is gone is known at once on the shard's own thread; elsewhere the shard counts him.
    bool may_be_gone = spreads[_i].spread == SPREAD_MANY && spreads[_i].in_callback;
    ck_assert_msg(order.status == HAIL_OK || (may_be_gone && order.status == HAIL_EGONE), "%s: %s",
                  spreads[_i].why, hail_strerror(order.status));
    for (size_t i = 0; i < CROWD; i++)
        ck_assert_int_eq(live_send(&server, order.pairs[i].server, 0, "end"), HAIL_OK);
    size_t total = 0;
    for (size_t i = 0; i < CROWD; i++) {
        size_t got = count_until_end(&client, order.pairs[i].client, spreads[_i].flags);
        ck_assert_msg(got == copies(spreads[_i].spread, i), "%s: client %zu got %zu",
                      spreads[_i].why, i, got);
        total += got;
    }
    if (spreads[_i].spread == SPREAD_MANY)
        ck_assert_uint_eq(order.sent - live_stat(&server, "sends_failed"), total);
    else
        ck_assert_uint_eq(live_stat(&server, "sends_failed"), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Every channel keeps its promise, and so does every protection: all arrives, in order, as sent.
START_TEST(test_channels)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {.polls = _i};
    struct live_endpoint client = {0};
    struct live_pair pair;
    static const size_t lens[] = {0, 1, 1000, 60000};
    size_t index = 0;
    uint8_t *body = calloc(1, 70000);

    config.message_max = 60000;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (int channel = HAIL_RELIABLE_ORDERED; channel <= HAIL_UNRELIABLE; channel++) {
        for (uint32_t flags = 0; flags <= 3; flags++) {
            for (size_t i = 0; i < LIVE_COUNTOF(lens); i++) {
                struct hail_message message = {
                    .data = body, .len = lens[i], .flags = flags, .channel = (uint8_t)channel};
                memset(body, (int)index++, lens[i]);
                ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
            }
        }
    }
    for (size_t i = 0; i < index; i++) {
        const struct live_event *one = live_wait(&server, HAIL_EVENT_MESSAGE, i);
        ck_assert_uint_eq(one->event.flags, i / 4 % 4);
        ck_assert_uint_eq(one->event.len, lens[i % 4]);
        for (size_t j = 0; j < one->event.len; j++)
            ck_assert_uint_eq(one->data[j], (uint8_t)i);
    }

    const struct {
        const char *why;
        struct hail_message message;
    } wrong[] = {
        {"too long", {.data = body, .len = 60001}},
        {"no data", {.data = NULL, .len = 1}},
        {"no such flag", {.data = body, .len = 1, .flags = 4}},
        {"no such channel", {.data = body, .len = 1, .channel = 4}},
    };
    for (size_t i = 0; i < LIVE_COUNTOF(wrong); i++) {
        size_t sent = 9;
        enum hail_status statuses[] = {
            hail_send(client.endpoint, pair.client, &wrong[i].message),
            hail_send_many(client.endpoint, &pair.client, 1, &wrong[i].message, &sent),
            hail_send_all(client.endpoint, &wrong[i].message),
        };
        for (size_t j = 0; j < LIVE_COUNTOF(statuses); j++)
            ck_assert_msg(statuses[j] == HAIL_EINVAL, "%s: %zu", wrong[i].why, j);
        ck_assert_uint_eq(sent, 0);
    }
    free(body);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- Names, floors and calls

static int marks[4];

static const struct hail_handler handlers[] = {
    {.kind = HAIL_HANDLER_MESSAGE, .name = "chat", .user = &marks[0]},
    {.kind = HAIL_HANDLER_MESSAGE, .name = "trade", .floor = 3, .user = &marks[1]},
    {.kind = HAIL_HANDLER_RPC, .name = "Buy", .floor = 2, .user = &marks[2]},
    {.kind = HAIL_HANDLER_RPC,
     .name = "Move",
     .signature = "MoveInt32Single",
     .floor = 1,
     .user = &marks[3]},
};

// Row by row: what a client sends, and whether it reaches the handler.
static const struct {
    const char *why;
    const char *name; // NULL: unnamed
    bool is_call;
    uint32_t flags;
    int handler; // -1: none
    bool arrives;
} named[] = {
    {"no floor", "chat", false, 0, 0, true},
    {"below both", "trade", false, 0, 1, false},
    {"encrypted is below both", "trade", false, 1, 1, false},
    {"authenticated is below both", "trade", false, 2, 1, false},
    {"both", "trade", false, 3, 1, true},
    {"a call below its floor", "Buy", true, 1, 2, false},
    {"a call at its floor", "Buy", true, 2, 2, true},
    {"a call above its floor", "Buy", true, 3, 2, true},
    {"by its signature, below its floor", "MoveInt32Single", true, 2, 3, false},
    {"by its signature", "MoveInt32Single", true, 1, 3, true},
    {"by its bare name", "Move", true, 3, 3, true},
    {"a name that nobody has", "gossip", false, 3, -1, false},
    {"a call that nobody has", "Sell", true, 3, -1, false},
    {"unnamed, below the default floor", NULL, false, 1, -1, false},
    {"unnamed, at the default floor", NULL, false, 2, -1, true},
};

static enum hail_status send_named(const struct live_endpoint *client, struct hail_conn conn,
                                   size_t row)
{
    const char *name = named[row].name;
    const struct hail_message message = {
        .data = &row,
        .len = sizeof row,
        .flags = named[row].flags,
        .named = name != NULL,
        .name_hash = name ? hail_name_hash(client->endpoint, name) : 0,
    };
    const struct hail_rpc call = {
        .network_id = 1000 + row,
        .behaviour = (uint16_t)row,
        .name_hash = message.name_hash,
        .args = &row,
        .len = sizeof row,
        .flags = named[row].flags,
    };

    return named[row].is_call ? hail_call(client->endpoint, conn, &call)
                              : hail_send(client->endpoint, conn, &message);
}

// What arrives is checked against the rows, in order; whatever is not there was dropped and counted
// before the last row, which arrives.
START_TEST(test_floors)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {.polls = _i};
    struct live_endpoint client = {0};
    struct live_pair pair;
    uint64_t drops[LIVE_COUNTOF(handlers)] = {0};
    uint64_t below = 0;
    uint64_t unknown = 0;
    size_t messages = 0;
    size_t calls = 0;

    live_start(&client, &config, false);
    config.handlers = handlers;
    config.handler_count = LIVE_COUNTOF(handlers);
    config.takes_unknown_names = false;
    config.default_floor = HAIL_AUTHENTICATED;
    config.shard_count = 2;
    live_start(&server, &config, true);
    live_join(&pair, 1, &server, &client, 0);
    for (size_t row = 0; row < LIVE_COUNTOF(named); row++)
        ck_assert_int_eq(send_named(&client, pair.client, row), HAIL_OK);
    for (size_t row = 0; row < LIVE_COUNTOF(named); row++) {
        int handler = named[row].handler;
        if (!named[row].arrives) {
            bool is_unknown = named[row].name && handler < 0;
            unknown += is_unknown;
            below += !is_unknown;
            if (handler >= 0)
                drops[handler]++;
            continue;
        }
        const struct live_event *one = named[row].is_call
                                           ? live_wait(&server, HAIL_EVENT_CALL, calls++)
                                           : live_wait(&server, HAIL_EVENT_MESSAGE, messages++);
        ck_assert_msg(one->event.len == sizeof row && memcmp(one->data, &row, sizeof row) == 0,
                      "%s: something else came", named[row].why);
        ck_assert_uint_eq(one->event.flags, named[row].flags);
        ck_assert_int_eq(one->event.handler != NULL, handler >= 0);
        if (handler >= 0) {
            ck_assert_str_eq(one->event.handler->name, handlers[handler].name);
            ck_assert_ptr_eq(one->event.handler->user, handlers[handler].user);
        }
        ck_assert_int_eq(one->event.named, !named[row].is_call && named[row].name);
        if (named[row].is_call) {
            ck_assert_uint_eq(one->event.network_id, 1000 + row);
            ck_assert_uint_eq(one->event.behaviour, row);
            ck_assert(!one->event.wants_response);
        }
    }
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CALL), calls);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_MESSAGE), messages);
    ck_assert_uint_eq(live_stat(&server, "dropped_floor"), below);
    ck_assert_uint_eq(live_stat(&server, "dropped_name"), unknown);
    for (size_t i = 0; i < LIVE_COUNTOF(handlers); i++)
        ck_assert_uint_eq(hail_handler_drops(server.endpoint, i), drops[i]);
    ck_assert_uint_eq(hail_handler_drops(server.endpoint, LIVE_COUNTOF(handlers)), 0);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CLOSED), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Answers a call that wants it: the product of its two numbers, and the text doubled.
static void answer(struct live_endpoint *live, struct hail_endpoint *endpoint,
                   const struct hail_event *event)
{
    uint8_t result[256];
    char text[64];
    char twice[128];
    struct hail_reader reader;
    struct hail_writer writer;

    (void)live;
    if (event->type != HAIL_EVENT_CALL || !event->wants_response)
        return;
    hail_reader_init(&reader, event->data, event->len);
    int64_t product = hail_read_int(&reader) * hail_read_int(&reader);
    hail_read_string(&reader, text, sizeof text);
    snprintf(twice, sizeof twice, "%s%s", text, text);
    hail_writer_init(&writer, result, sizeof result);
    hail_write_int(&writer, product);
    hail_write_string(&writer, reader.failed ? "failed" : twice);
    const struct hail_response response = {.call_id = event->call_id,
                                           .flags = event->flags,
                                           .channel = event->channel,
                                           .result = result,
                                           .len = hail_writer_len(&writer)};
    hail_respond(endpoint, event->conn, &response);
}

static enum hail_status ask(const struct live_endpoint *live, struct hail_conn conn, uint32_t flags,
                            uint64_t call_id, int64_t a, int64_t b)
{
    uint8_t args[64];
    struct hail_writer writer;

    hail_writer_init(&writer, args, sizeof args);
    hail_write_int(&writer, a);
    hail_write_int(&writer, b);
    hail_write_string(&writer, "ab");
    const struct hail_rpc call = {
        .name_hash = hail_name_hash(live->endpoint, "Multiply"),
        .args = args,
        .len = hail_writer_len(&writer),
        .flags = flags,
        .wants_response = true,
        .call_id = call_id,
    };

    ck_assert(!writer.failed);
    return hail_call(live->endpoint, conn, &call);
}

// Calls with every protection, client to server and server to client at once.
START_TEST(test_responses)
{
    const struct hail_config config = live_config();
    struct live_endpoint server = {.polls = _i & 1, .react = answer};
    struct live_endpoint client = {.polls = _i & 2, .react = answer};
    struct live_pair pair;

    server.partner = client.polls ? &client : NULL;
    client.partner = server.polls ? &server : NULL;
    // Each end answers as it is waited for, so the one that polls is waited for first.
    struct live_endpoint *ends[2] = {server.polls ? &server : &client,
                                     server.polls ? &client : &server};
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (uint32_t flags = 0; flags <= 3; flags++) {
        ck_assert_int_eq(ask(&client, pair.client, flags, 70 + flags, -6, flags), HAIL_OK);
        ck_assert_int_eq(ask(&server, pair.server, flags, 70 + flags, 1000, flags), HAIL_OK);
        live_wait(ends[0], HAIL_EVENT_CALL, flags);
        live_wait(ends[1], HAIL_EVENT_CALL, flags);
        for (size_t end = 0; end < 2; end++) {
            const struct live_event *one = live_wait(ends[end], HAIL_EVENT_RESPONSE, flags);
            struct hail_reader reader;
            char text[32];
            hail_reader_init(&reader, one->data, one->event.len);
            ck_assert_int_eq(one->event.status, HAIL_OK);
            ck_assert_uint_eq(one->event.call_id, 70 + flags);
            ck_assert_uint_eq(one->event.flags, flags);
            ck_assert_int_eq(hail_read_int(&reader),
                             ends[end] == &client ? -6 * (int64_t)flags : 1000 * (int64_t)flags);
            ck_assert(hail_read_string(&reader, text, sizeof text));
            ck_assert_str_eq(text, "abab");
            ck_assert(!reader.failed);
        }
    }
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// A call that could not leave when its turn came is answered by an event that says why.
START_TEST(test_calls_that_fail)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {0}; // answers nothing
    struct live_endpoint client = {.polls = _i};
    struct live_pair pair;
    const struct {
        uint64_t call_id;
        enum hail_status want; // HAIL_OK: no event
    } calls[] = {{1, HAIL_OK}, {1, HAIL_EINVAL}, {2, HAIL_OK}, {3, HAIL_EFULL}};

    config.calls_max = 2;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (size_t i = 0; i < LIVE_COUNTOF(calls); i++)
        ck_assert_int_eq(ask(&client, pair.client, 3, calls[i].call_id, 1, 1), HAIL_OK);
    size_t failed = 0;
    for (size_t i = 0; i < LIVE_COUNTOF(calls); i++) {
        if (calls[i].want == HAIL_OK)
            continue;
        const struct live_event *one = live_wait(&client, HAIL_EVENT_RESPONSE, failed++);
        ck_assert_int_eq(one->event.status, calls[i].want);
        ck_assert_uint_eq(one->event.call_id, calls[i].call_id);
        ck_assert_uint_eq(one->event.conn.id, pair.client.id);
    }
    live_wait(&server, HAIL_EVENT_CALL, 1);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CALL), 2);
    ck_assert_uint_eq(live_stat(&client, "sends_failed"), 2);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calls");
    TCase *tests = tcase_create("calls");

    tcase_set_timeout(tests, 4.0 * (double)live_patience_ms() / 1000.0);
    tcase_add_loop_test(tests, test_spread, 0, LIVE_COUNTOF(spreads));
    tcase_add_loop_test(tests, test_channels, 0, 2);
    tcase_add_loop_test(tests, test_floors, 0, 2);
    tcase_add_loop_test(tests, test_responses, 0, 4);
    tcase_add_loop_test(tests, test_calls_that_fail, 0, 2);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
