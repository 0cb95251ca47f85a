// test_promises.c: what channels promise on the hail profile, as applications see it: real sockets,
// long messages, full buffers, applications that are behind, and closing with something unsent.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "tests/live_endpoint.h"

enum {
    LONGEST = 512 * 1024, // the default of message_max
    MANY = 2000
};

static struct hail_config config_of(enum hail_io_kind io)
{
    struct hail_config config = live_config();

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.io = io;
    config.message_max = 0;
    config.unsent_max = 0;
    config.buffers_max = 0;
    config.event_queue_bytes = 0;
    config.command_queue_bytes = 0;
    return config;
}

static const enum hail_io_kind ios[] = {HAIL_IO_URING, HAIL_IO_EPOLL};

static enum hail_status send_on(const struct live_endpoint *live, struct hail_conn conn,
                                uint8_t channel, uint32_t flags, const void *data, size_t len)
{
    const struct hail_message message = {
        .data = data, .len = len, .flags = flags, .channel = channel};

    return hail_send(live->endpoint, conn, &message);
}

static void fill(uint8_t *data, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

// Tries until there is room: what the other end has got may not be acknowledged yet.
static void send_when_room(const struct live_endpoint *live, struct hail_conn conn, uint8_t channel,
                           uint32_t flags, const void *data, size_t len)
{
    int64_t until_ms = live_clock_ms() + live_patience_ms();
    enum hail_status status;

    while ((status = send_on(live, conn, channel, flags, data, len)) == HAIL_EFULL)
        ck_assert_int_lt(live_clock_ms(), until_ms);
    ck_assert_int_eq(status, HAIL_OK);
}

// ---- Lengths

static const struct {
    const char *why;
    size_t len;
} lengths[] = {
    {"nothing", 0},
    {"one byte", 1},
    {"what is left of a packet, about", 1160},
    {"the same and one more", 1161},
    {"the last that may be in one packet, about", 1170},
    {"two packets", 1300},
    {"many", 100000},
    {"the longest there may be", LONGEST},
};

// Each kind of channel brings messages of any length, where nothing is lost on the way; of the
// longest the sockets' buffers may lose a part, which the unreliable kinds do not mend.
START_TEST(test_length)
{
    static const uint32_t flags[] = {HAIL_AUTHENTICATED, HAIL_ENCRYPTED};
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {.polls = true};
    struct live_pair pair;
    size_t len = lengths[_i].len;
    uint8_t *data = malloc(len + 1);

    ck_assert_ptr_nonnull(data);
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (uint8_t channel = 0; channel < (len < LONGEST ? 4 : 2); channel++) {
        fill(data, len, channel);
        send_when_room(&client, pair.client, channel, flags[channel % 2], data, len);
        const struct live_event *event = live_wait(&server, HAIL_EVENT_MESSAGE, channel);
        ck_assert_uint_eq(event->event.len, len);
        ck_assert_uint_eq(event->event.channel, channel);
        ck_assert_uint_eq(event->event.flags, channel % 2 ? 3 : HAIL_AUTHENTICATED);
        if (len > 0)
            ck_assert_mem_eq(event->data, data, len);
        send_when_room(&server, pair.server, channel, 0, data, len);
        ck_assert_uint_eq(live_wait(&client, HAIL_EVENT_MESSAGE, channel)->event.len, len);
    }
    ck_assert_int_eq(send_on(&client, pair.client, 0, 0, data, LONGEST + 1), HAIL_EINVAL);
    live_stop(&client, 0);
    live_stop(&server, 0);
    free(data);
}
END_TEST

// ---- Order

// A client sends without waiting, against what it may have unsent, and a server echoes. Everything
// comes once; on the ordered channel in its order.
static void exchange(struct live_endpoint *server, struct live_endpoint *client,
                     struct hail_conn conn, uint8_t channel)
{
    bool seen[MANY] = {false};

    for (uint32_t i = 0; i < MANY;) {
        enum hail_status status = send_on(client, conn, channel, HAIL_ENCRYPTED, &i, sizeof i);
        ck_assert(status == HAIL_OK || status == HAIL_EFULL);
        i += status == HAIL_OK;
    }
    for (uint32_t i = 0; i < MANY; i++) {
        const struct live_event *event = live_wait(server, HAIL_EVENT_MESSAGE, i);
        uint32_t number;
        ck_assert_uint_eq(event->event.len, sizeof number);
        memcpy(&number, event->data, sizeof number);
        ck_assert_uint_lt(number, MANY);
        ck_assert(!seen[number]);
        seen[number] = true;
        if (channel == HAIL_RELIABLE_ORDERED)
            ck_assert_uint_eq(number, i);
    }
}

START_TEST(test_many)
{
    struct hail_config config = config_of(_i % 2 ? HAIL_IO_EPOLL : HAIL_IO_URING);
    struct live_endpoint server = {.polls = _i >= 2};
    struct live_endpoint client = {0};
    struct live_pair pair;

    config.message_max = 1024;
    config.event_queue_bytes = 4 * (1024 + 128) + 4096; // a poller is behind at once
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    exchange(&server, &client, pair.client, (uint8_t)(_i % 2));
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- Over the simulated network

// It loses, doubles and reorders in both directions, of a handshake as well, and then the client's
// port changes. What is promised is kept.
START_TEST(test_bad_network)
{
    const struct hail_simulation bad = {.size = sizeof bad,
                                        .delay_us = 2000,
                                        .jitter_us = 2000,
                                        .loss = 100000,
                                        .duplication = 100000,
                                        .reordering = 100000,
                                        .reorder_us = 2000,
                                        .rate = 50000};
    struct hail_simulation moving = bad;
    struct hail_config config = config_of(ios[_i]);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    config.message_max = 1024;
    config.native.simulation = &bad;
    live_start(&client, &config, false);
    config.native.simulation = _i == 0 ? NULL : &bad;
    live_start(&server, &config, true);
    live_join(&pair, 1, &server, &client, 0);
    moving.rebind_ms = 300;
    ck_assert_int_eq(hail_simulate(client.endpoint, pair.client, &bad, &moving), HAIL_OK);
    exchange(&server, &client, pair.client, HAIL_RELIABLE_ORDERED);
    ck_assert_uint_gt(live_stat(&client, "simulated_lost"), 0);
    ck_assert_uint_gt(live_stat(&server, "paths_changed"), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// On one connection of two, in one direction, and off again.
START_TEST(test_simulate_one)
{
    const struct hail_simulation nothing_passes = {.size = sizeof nothing_passes, .loss = 1000000};
    const struct hail_simulation wrong = {0};
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pairs[2];

    live_start(&server, &config, true);
    config.native.simulated_max = 100;
    live_start(&client, &config, false);
    live_join(pairs, 2, &server, &client, 0);
    ck_assert_int_eq(hail_simulate(server.endpoint, pairs[0].server, NULL, NULL), HAIL_ESTATE);
    ck_assert_int_eq(hail_simulate(client.endpoint, pairs[0].client, &wrong, NULL), HAIL_EINVAL);
    ck_assert_int_eq(hail_simulate(client.endpoint, (struct hail_conn){0}, NULL, NULL), HAIL_EGONE);

    ck_assert_int_eq(hail_simulate(client.endpoint, pairs[0].client, NULL, &nothing_passes),
                     HAIL_OK);
    ck_assert_int_eq(send_on(&client, pairs[0].client, HAIL_RELIABLE_ORDERED, 0, "a", 1), HAIL_OK);
    ck_assert_int_eq(send_on(&client, pairs[1].client, HAIL_RELIABLE_ORDERED, 0, "b", 1), HAIL_OK);
    const struct live_event *first = live_wait(&server, HAIL_EVENT_MESSAGE, 0);
    ck_assert_uint_eq(first->event.conn.id, pairs[1].server.id);
    ck_assert_int_eq(send_on(&server, pairs[0].server, HAIL_RELIABLE_ORDERED, 0, "c", 1), HAIL_OK);
    ck_assert(live_says(live_wait(&client, HAIL_EVENT_MESSAGE, 0), "c")); // the other direction
    ck_assert_int_eq(hail_simulate(client.endpoint, pairs[0].client, NULL, NULL), HAIL_OK);
    ck_assert(live_says(live_wait(&server, HAIL_EVENT_MESSAGE, 1), "a")); // sent again
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- What is known of it

// Numbers say what happened, over a path of known length that loses packets and has little room.
START_TEST(test_info)
{
    const struct hail_simulation path = {
        .size = sizeof path, .delay_us = 5000, .loss = 100000, .rate = 100000};
    static const uint32_t flags[] = {HAIL_AUTHENTICATED, HAIL_ENCRYPTED | HAIL_AUTHENTICATED};
    static uint8_t data[1000];
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    struct hail_conn_info info = {.size = sizeof info};
    struct hail_channel_info channel = {.size = sizeof channel};

    config.native.simulation = &path;
    live_start(&client, &config, false);
    config.native.simulation = NULL;
    live_start(&server, &config, true);
    live_join(&pair, 1, &server, &client, 0);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(
            send_on(&client, pair.client, HAIL_RELIABLE_ORDERED, flags[i % 2], data, sizeof data),
            HAIL_OK);
    live_wait(&server, HAIL_EVENT_MESSAGE, 99);

    ck_assert_int_eq(hail_get_conn_info(client.endpoint, pair.client, &info), HAIL_OK);
    ck_assert_uint_eq(info.messages_out, 100);
    ck_assert_uint_eq(info.messages_out_by[HAIL_AUTHENTICATED], 50);
    ck_assert_uint_eq(info.messages_out_by[HAIL_ENCRYPTED | HAIL_AUTHENTICATED], 50);
    ck_assert_uint_ge(info.rtt_us, 10000);
    ck_assert_uint_gt(info.jitter_us, 0);
    ck_assert_uint_ge(info.handshake_us, 20000);
    ck_assert_uint_gt(info.waited_us, 0);
    ck_assert_uint_gt(info.packets_lost, 0);
    ck_assert_uint_gt(info.packets_out, info.packets_lost);
    ck_assert_uint_gt(info.bytes_resent, 0);
    ck_assert_uint_ge(info.datagram_max, 1200);
    ck_assert_int_eq(hail_get_channel_info(client.endpoint, HAIL_RELIABLE_ORDERED, &channel),
                     HAIL_OK);
    ck_assert_uint_eq(channel.messages_out, 100);
    ck_assert_uint_eq(channel.bytes_out, 100 * sizeof data);
    ck_assert_uint_gt(channel.messages_waited, 0);
    ck_assert_uint_ge(channel.waited_us, channel.waited_max_us);
    ck_assert_int_eq(hail_get_conn_info(server.endpoint, pair.server, &info), HAIL_OK);
    ck_assert_uint_eq(info.messages_in_by[HAIL_AUTHENTICATED], 50);
    ck_assert_uint_gt(info.packets_in, 0);
    ck_assert_uint_eq(info.dropped, 0);

    // Callers of an older header get what they have room for, and of a newer one nothing.
    struct hail_conn_info older = {.size = offsetof(struct hail_conn_info, bytes_unsent)};
    older.bytes_unsent = 7;
    ck_assert_int_eq(hail_get_conn_info(server.endpoint, pair.server, &older), HAIL_OK);
    ck_assert_uint_eq(older.messages_in, 100);
    ck_assert_uint_eq(older.bytes_unsent, 7);
    older.size = sizeof older + 8;
    ck_assert_int_eq(hail_get_conn_info(server.endpoint, pair.server, &older), HAIL_EABI);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- Closing

// What is reliable has arrived before the other end hears of the end.
START_TEST(test_close_flushes)
{
    enum {
        LEN = 200000
    };
    static uint8_t data[LEN];
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    fill(data, LEN, 1);
    ck_assert_int_eq(send_on(&client, pair.client, 0, 0, data, LEN), HAIL_OK);
    ck_assert_int_eq(hail_close(client.endpoint, pair.client, 0, NULL), HAIL_OK);
    ck_assert_int_eq(live_wait(&client, HAIL_EVENT_CLOSED, 0)->event.reason,
                     HAIL_CLOSED_BY_APPLICATION);
    ck_assert_int_eq(live_wait(&server, HAIL_EVENT_CLOSED, 0)->event.reason, HAIL_CLOSED_BY_PEER);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_MESSAGE), 1);
    ck_assert_mem_eq(live_wait(&server, HAIL_EVENT_MESSAGE, 0)->data, data, LEN);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- Room

static enum hail_status full_status;
static size_t full_count;

static void send_until_full(struct live_endpoint *live, struct hail_endpoint *endpoint,
                            const struct hail_event *event)
{
    static const uint8_t data[1000];
    const struct hail_message message = {.data = data, .len = sizeof data};

    (void)live;
    if (event->type != HAIL_EVENT_CONNECTED)
        return;
    while ((full_status = hail_send(endpoint, event->conn, &message)) == HAIL_OK)
        full_count++;
}

// No room is an error at the call, and costs nothing else: what was taken arrives.
START_TEST(test_full)
{
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {.react = send_until_full};
    struct live_endpoint client = {0};
    struct live_pair pair;

    config.message_max = 1000;
    config.unsent_max = 100000;
    full_count = 0;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    live_wait(&client, HAIL_EVENT_MESSAGE, 0);
    ck_assert_int_eq(full_status, HAIL_EFULL);
    ck_assert_uint_eq(full_count, 100000 / 1001);
    live_wait(&client, HAIL_EVENT_MESSAGE, full_count - 1);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CLOSED), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Whoever was refused is told, once, when half of it is free again; from any thread.
START_TEST(test_writable)
{
    static uint8_t data[1000];
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {.polls = _i == 1};
    struct live_endpoint client = {0};
    struct live_pair pair;
    size_t taken = 0;

    config.message_max = 1000;
    config.unsent_max = 100000;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (size_t round = 0; round < 3; round++) {
        while (send_on(&server, pair.server, HAIL_RELIABLE_ORDERED, 0, data, sizeof data) ==
               HAIL_OK)
            taken++;
        ck_assert_uint_eq(live_wait(&server, HAIL_EVENT_WRITABLE, round)->event.conn.id,
                          pair.server.id);
        struct hail_conn_info info = {.size = sizeof info};
        ck_assert_int_eq(hail_get_conn_info(server.endpoint, pair.server, &info), HAIL_OK);
        ck_assert_uint_le(info.bytes_unsent, config.unsent_max / 2);
    }
    live_wait(&client, HAIL_EVENT_MESSAGE, taken - 1);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_WRITABLE), 3);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// A server's message for a client that takes 4,000 bytes: its greatest payload is told to nobody.
static const struct {
    const char *why;
    size_t len;
    uint8_t channel;
    bool arrives;
    bool closes;
} too_long[] = {
    {"the greatest", 4000, HAIL_RELIABLE_ORDERED, true, false},
    {"a byte more", 4001, HAIL_RELIABLE_ORDERED, false, true},
    {"a byte more, in no order", 4001, HAIL_RELIABLE_UNORDERED, false, true},
    {"as long as any form of the greatest", 4029, HAIL_RELIABLE_ORDERED, false, true},
    {"longer than any form of the greatest", 4030, HAIL_RELIABLE_ORDERED, false, true},
    {"far longer, in no order", 9000, HAIL_RELIABLE_UNORDERED, false, true},
    {"the greatest, unreliable", 4000, HAIL_UNRELIABLE, true, false},
    {"a byte more, unreliable", 4001, HAIL_UNRELIABLE, false, false},
    {"far longer, unreliable", 9000, HAIL_UNRELIABLE, false, false},
    {"far longer, the newest", 9000, HAIL_UNRELIABLE_SEQUENCED, false, false},
};

// What is reliable and too long ends the connection, and both ends say why. What promises nothing
// is dropped, and what follows arrives.
START_TEST(test_longer_than_the_other_end_takes)
{
    static const char text[] = "a reliable message came that is longer than message_max=4000";
    static uint8_t data[10000];
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    config.message_max = 4000;
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(send_on(&server, pair.server, too_long[_i].channel, 0, data, too_long[_i].len),
                     HAIL_OK);
    if (too_long[_i].closes) {
        const struct live_event *closed = live_wait(&client, HAIL_EVENT_CLOSED, 0);
        ck_assert_msg(closed->event.reason == HAIL_CLOSED_CONFIG, "%s", too_long[_i].why);
        ck_assert_str_eq(closed->text, text);
        closed = live_wait(&server, HAIL_EVENT_CLOSED, 0);
        ck_assert_msg(closed->event.reason == HAIL_CLOSED_CONFIG, "%s", too_long[_i].why);
        ck_assert_str_eq(closed->text, text);
    } else {
        ck_assert_int_eq(send_on(&server, pair.server, HAIL_RELIABLE_ORDERED, 0, "hi", 2), HAIL_OK);
        live_wait(&client, HAIL_EVENT_MESSAGE, too_long[_i].arrives);
    }
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_MESSAGE),
                      (size_t)too_long[_i].arrives + !too_long[_i].closes);
    ck_assert_msg((live_stat(&client, "dropped_too_large") > 0) != too_long[_i].arrives, "%s",
                  too_long[_i].why);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// A server tells what it takes, so a client's call fails before anything is sent.
START_TEST(test_longer_than_the_server_takes)
{
    static uint8_t data[5000];
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct hail_conn_info info = {.size = sizeof info};
    struct live_pair pair;

    live_start(&client, &config, false);
    config.message_max = 4000;
    live_start(&server, &config, true);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(hail_get_conn_info(client.endpoint, pair.client, &info), HAIL_OK);
    ck_assert_uint_eq(info.message_max, 4000);
    for (uint8_t channel = 0; channel <= HAIL_UNRELIABLE; channel++) {
        ck_assert_int_eq(send_on(&client, pair.client, channel, 0, data, 4001), HAIL_ETOOLONG);
        ck_assert_int_eq(send_on(&client, pair.client, channel, 0, data, 4000), HAIL_OK);
    }
    live_wait(&server, HAIL_EVENT_MESSAGE, HAIL_UNRELIABLE);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CLOSED), 0);
    ck_assert_uint_eq(live_stat(&server, "dropped_too_large"), 0);
    ck_assert_int_eq(hail_get_conn_info(server.endpoint, pair.server, &info), HAIL_OK);
    ck_assert_uint_eq(info.message_max, 0); // a client does not say
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Responses travel reliably where the call did not, too: both ends see each call once.
START_TEST(test_calls)
{
    static const struct hail_handler handlers[] = {
        {.kind = HAIL_HANDLER_RPC, .name = "Fire", .floor = HAIL_ENCRYPTED}};
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    config.handlers = handlers;
    config.handler_count = 1;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    const struct hail_rpc call = {
        .name_hash = hail_name_hash(client.endpoint, "Fire"),
        .args = "now",
        .len = 3,
        .flags = HAIL_ENCRYPTED,
        .channel = HAIL_RELIABLE_ORDERED,
        .wants_response = true,
        .call_id = 7,
    };
    ck_assert_int_eq(hail_call(client.endpoint, pair.client, &call), HAIL_OK);
    const struct live_event *asked = live_wait(&server, HAIL_EVENT_CALL, 0);
    ck_assert_uint_eq(asked->event.channel, HAIL_RELIABLE_ORDERED);
    const struct hail_response response = {.call_id = asked->event.call_id,
                                           .flags = asked->event.flags,
                                           .channel = asked->event.channel,
                                           .result = "done",
                                           .len = 4};
    ck_assert_int_eq(hail_respond(server.endpoint, pair.server, &response), HAIL_OK);
    ck_assert(live_says(live_wait(&client, HAIL_EVENT_RESPONSE, 0), "done"));
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("promises");
    TCase *tests = tcase_create("delivery");

    tcase_add_loop_test(tests, test_length, 0, LIVE_COUNTOF(lengths));
    tcase_add_loop_test(tests, test_many, 0, 4);
    tcase_add_loop_test(tests, test_bad_network, 0, 2);
    tcase_add_test(tests, test_simulate_one);
    tcase_add_test(tests, test_info);
    tcase_add_test(tests, test_close_flushes);
    tcase_add_test(tests, test_full);
    tcase_add_loop_test(tests, test_writable, 0, 2);
    tcase_add_loop_test(tests, test_longer_than_the_other_end_takes, 0, LIVE_COUNTOF(too_long));
    tcase_add_test(tests, test_longer_than_the_server_takes);
    tcase_add_test(tests, test_calls);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
