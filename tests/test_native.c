// test_native.c: the hail profile as applications have it: real sockets, every call of hail.h that
// means something else on it than on mlapi.
// SPDX-License-Identifier: MIT
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live_endpoint.h"

enum {
    CROWD = 8,
    HELLO_LEN = 1200,
    REFUSE_LEN = 11,
    LONGEST = 1200 - 25 - 1 // a datagram without what an encrypted one has, and a frame's type
};

static struct hail_config config_of(enum hail_io_kind io)
{
    struct hail_config config = live_config();

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.io = io;
    return config;
}

static const enum hail_io_kind ios[] = {HAIL_IO_URING, HAIL_IO_EPOLL};

static enum hail_status send_on(const struct live_endpoint *live, struct hail_conn conn,
                                uint32_t flags, const void *data, size_t len)
{
    const struct hail_message message = {
        .data = data, .len = len, .flags = flags, .channel = HAIL_UNRELIABLE};

    return hail_send(live->endpoint, conn, &message);
}

// Encrypted is authenticated as well, and the event says so.
START_TEST(test_messages)
{
    static const uint32_t arrive_as[] = {0, 3, 2, 3};
    struct hail_config config = config_of(ios[_i]);
    struct live_endpoint server = {.polls = true};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (uint32_t flags = 0; flags <= 3; flags++) {
        // One under way at a time: their order is nobody's promise.
        ck_assert_int_eq(send_on(&client, pair.client, flags, "up", 2), HAIL_OK);
        const struct live_event *up = live_wait(&server, HAIL_EVENT_MESSAGE, flags);
        ck_assert(live_says(up, "up"));
        ck_assert_uint_eq(up->event.flags, arrive_as[flags]);
        ck_assert_int_eq(up->event.channel, HAIL_UNRELIABLE);
        ck_assert_int_eq(send_on(&server, pair.server, flags, "down", 4), HAIL_OK);
        const struct live_event *down = live_wait(&client, HAIL_EVENT_MESSAGE, flags);
        ck_assert(live_says(down, "down"));
        ck_assert_uint_eq(down->event.flags, arrive_as[flags]);
    }
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// What the client's packets looked like (WIRE.md, section 4).
static _Atomic uint32_t epochs_sent;
static _Atomic uint32_t epochs_received;

static void note_epoch(struct hail_endpoint *endpoint, struct hail_conn conn, bool sent,
                       const uint8_t *data, size_t len, void *user)
{
    (void)endpoint;
    (void)conn;
    (void)user;
    if (len > 0 && data[0] >> 6 >= 2)
        atomic_fetch_or(sent ? &epochs_sent : &epochs_received, 1u << (data[0] >> 4 & 3));
}

// Fresh keys in both directions when one end asks, and not before it may.
START_TEST(test_update)
{
    enum {
        ENOUGH = 1100
    };
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    config.native.on_datagram = note_epoch;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (size_t i = 0; i < ENOUGH; i++) { // a packet each
        ck_assert_int_eq(send_on(&client, pair.client, 3, "up", 2), HAIL_OK);
        live_wait(&server, HAIL_EVENT_MESSAGE, i);
        ck_assert_int_eq(send_on(&server, pair.server, 3, "down", 4), HAIL_OK);
        live_wait(&client, HAIL_EVENT_MESSAGE, i);
    }
    ck_assert_uint_eq(atomic_load(&epochs_sent), 1);
    ck_assert_uint_eq(atomic_load(&epochs_received), 1);
    ck_assert_int_eq(hail_update_keys(server.endpoint, pair.server), HAIL_OK);
    ck_assert_int_eq(send_on(&server, pair.server, 3, "down", 4), HAIL_OK);
    live_wait(&client, HAIL_EVENT_MESSAGE, ENOUGH);
    ck_assert_int_eq(send_on(&client, pair.client, 3, "up", 2), HAIL_OK);
    live_wait(&server, HAIL_EVENT_MESSAGE, ENOUGH);
    ck_assert_uint_eq(atomic_load(&epochs_received), 3);
    ck_assert_uint_eq(atomic_load(&epochs_sent), 3);
    live_stop(&client, 0);
    ck_assert_int_eq(hail_update_keys(server.endpoint, (struct hail_conn){0}), HAIL_EGONE);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_longest_in_one_packet)
{
    static uint8_t body[LONGEST];
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(send_on(&client, pair.client, 3, body, LONGEST - 4), HAIL_OK);
    ck_assert_uint_eq(live_wait(&server, HAIL_EVENT_MESSAGE, 0)->event.len, LONGEST - 4);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Both ends have the same keys, others than the connection beside them, and none when it has ended.
START_TEST(test_keys)
{
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pairs[2];
    uint8_t keys[4][HAIL_KEY_LEN];

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(pairs, 2, &server, &client, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(hail_client_key(server.endpoint, pairs[i].server, keys[0]), HAIL_OK);
        ck_assert_int_eq(hail_client_key(client.endpoint, pairs[i].client, keys[1]), HAIL_OK);
        ck_assert_mem_eq(keys[0], keys[1], HAIL_KEY_LEN);
        ck_assert_int_eq(
            hail_export_key(server.endpoint, pairs[i].server, "test", "c", 1, keys[2 + i], 32),
            HAIL_OK);
        ck_assert_int_eq(
            hail_export_key(client.endpoint, pairs[i].client, "test", "c", 1, keys[1], 32),
            HAIL_OK);
        ck_assert_mem_eq(keys[2 + i], keys[1], HAIL_KEY_LEN);
        ck_assert_mem_ne(keys[0], keys[1], HAIL_KEY_LEN);
    }
    ck_assert_mem_ne(keys[2], keys[3], HAIL_KEY_LEN);
    ck_assert_int_eq(hail_close(client.endpoint, pairs[0].client, 0, NULL), HAIL_OK);
    live_wait_conn(&server, HAIL_EVENT_CLOSED, pairs[0].server);
    ck_assert_int_eq(hail_client_key(server.endpoint, pairs[0].server, keys[0]), HAIL_EGONE);
    ck_assert_int_eq(send_on(&server, pairs[0].server, 3, "x", 1), HAIL_EGONE);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// What an application says as it closes, and what both ends hear of it.
static const struct {
    const char *why;
    bool by_server;
    uint16_t code;
    const char *text;
    const char *heard; // by the other end
} farewells[] = {
    {"nothing", true, 0, NULL, NULL},
    {"a code alone", true, 1, NULL, NULL},
    {"a text alone", true, 0, "kicked", "kicked"},
    {"both", true, 0xfffe, "kicked: idle in the lobby", "kicked: idle in the lobby"},
    {"a client's", false, 7, "back to the menu", "back to the menu"},
};

static void check_farewell(const struct live_event *closed, enum hail_close_reason reason,
                           uint16_t code, const char *text, const char *why)
{
    ck_assert_msg(closed->event.reason == reason, "%s: %s", why,
                  hail_close_reason_name(closed->event.reason));
    ck_assert_msg(closed->event.code == code, "%s: code %u", why, closed->event.code);
    ck_assert_msg(text ? closed->text && strcmp(closed->text, text) == 0 : !closed->text, "%s: %s",
                  why, closed->text ? closed->text : "no text");
}

START_TEST(test_farewell)
{
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    bool by_server = farewells[_i].by_server;
    uint16_t code = farewells[_i].code;
    const char *why = farewells[_i].why;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(hail_close(by_server ? server.endpoint : client.endpoint,
                                by_server ? pair.server : pair.client, code, farewells[_i].text),
                     HAIL_OK);
    check_farewell(live_wait_conn(by_server ? &server : &client, HAIL_EVENT_CLOSED,
                                  by_server ? pair.server : pair.client),
                   HAIL_CLOSED_BY_APPLICATION, code, farewells[_i].text, why);
    check_farewell(live_wait_conn(by_server ? &client : &server, HAIL_EVENT_CLOSED,
                                  by_server ? pair.client : pair.server),
                   HAIL_CLOSED_BY_PEER, code, farewells[_i].heard, why);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_long_farewell)
{
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    char text[400];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(hail_close(server.endpoint, pair.server, 9, text), HAIL_OK);
    text[253] = 0;
    check_farewell(live_wait_conn(&client, HAIL_EVENT_CLOSED, pair.client), HAIL_CLOSED_BY_PEER, 9,
                   text, "cut to what a frame takes");
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// A server that stops says so: it is no kick.
START_TEST(test_shutdown)
{
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    live_stop(&server, 0);
    check_farewell(live_wait_conn(&client, HAIL_EVENT_CLOSED, pair.client), HAIL_CLOSED_BY_PEER, 0,
                   "the server is going down", "a shutdown");
    live_stop(&client, 0);
}
END_TEST

// More join from one address than the server takes in the time that they have. With the network
// trusted all of them are in; else each that is kept out is told why, and the log says which limit.
START_TEST(test_crowd_of_one_address)
{
    enum {
        HOUSEHOLD = 60
    };
    static const char *const loopback[] = {"127.0.0.0/8"};
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};

    config.handshake_timeout_ms = 1500;
    config.native.source_per_s = 10;
    config.native.cookies = _i % 2 ? HAIL_COOKIE_ALWAYS : HAIL_COOKIE_NEVER;
    config.trusted = loopback;
    config.trusted_count = _i < 2 ? 0 : 1;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    for (uint64_t i = 0; i < HOUSEHOLD; i++)
        live_connect(&client, &server, i);
    if (_i >= 2) {
        live_wait(&client, HAIL_EVENT_CONNECTED, HOUSEHOLD - 1);
        ck_assert_uint_eq(live_stat(&server, "dropped_rate"), 0);
    } else {
        live_wait(&client, HAIL_EVENT_CLOSED, 0);
        size_t in = 0;
        size_t told = 0;
        for (uint64_t i = 0; in + live_count(&client, HAIL_EVENT_CLOSED) < HOUSEHOLD; i++)
            in = live_count(&client, HAIL_EVENT_CONNECTED);
        for (size_t i = 0; i < live_count(&client, HAIL_EVENT_CLOSED); i++) {
            const struct live_event *closed = live_wait(&client, HAIL_EVENT_CLOSED, i);
            ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_HANDSHAKE_TIMEOUT);
            ck_assert(closed->text != NULL);
            told += strstr(closed->text, "source_per_s") != NULL;
        }
        ck_assert_uint_gt(told, 0); // on a slow machine others have come further
        ck_assert(live_logged(&server, HAIL_LOG_WARN, "limit=source_per_s source=127.0.0.1"));
        ck_assert_uint_gt(live_stat(&server, "dropped_rate"), 0);
    }
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

static void answer(struct live_endpoint *live, struct hail_endpoint *endpoint,
                   const struct hail_event *event)
{
    (void)live;
    const struct hail_response response = {.call_id = event->call_id,
                                           .flags = event->flags,
                                           .channel = event->channel,
                                           .result = event->data,
                                           .len = event->len};

    if (event->type == HAIL_EVENT_CALL && event->wants_response)
        (void)!hail_respond(endpoint, event->conn, &response);
}

START_TEST(test_calls)
{
    struct hail_config config = config_of(ios[_i]);
    struct live_endpoint server = {.react = answer};
    struct live_endpoint client = {0};
    struct live_pair pair;
    const struct hail_rpc call = {
        .network_id = 12,
        .behaviour = 3,
        .name_hash = 77,
        .args = "args",
        .len = 4,
        .flags = 3,
        .channel = HAIL_UNRELIABLE,
        .wants_response = true,
        .call_id = 4711,
    };

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(hail_call(client.endpoint, pair.client, &call), HAIL_OK);
    const struct live_event *asked = live_wait(&server, HAIL_EVENT_CALL, 0);
    ck_assert_uint_eq(asked->event.network_id, 12);
    ck_assert_uint_eq(asked->event.behaviour, 3);
    const struct live_event *told = live_wait(&client, HAIL_EVENT_RESPONSE, 0);
    ck_assert_uint_eq(told->event.call_id, 4711);
    ck_assert_uint_eq(told->event.flags, 3);
    ck_assert(live_says(told, "args"));
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Both ends know the name and its floor; a client that does not care is told so, or thrown out.
START_TEST(test_floors)
{
    static const struct hail_handler handlers[] = {{.name = "trade", .floor = HAIL_ENCRYPTED}};
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    config.handlers = handlers;
    config.handler_count = 1;
    config.native.floor_closes = _i;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    struct hail_message message = {
        .data = "gold",
        .len = 4,
        .channel = HAIL_UNRELIABLE,
        .named = true,
        .name_hash = hail_name_hash(client.endpoint, "trade"),
    };
    // Plain could be anybody's, so it closes nothing.
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    message.flags = HAIL_ENCRYPTED;
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    const struct live_event *trade = live_wait(&server, HAIL_EVENT_MESSAGE, 0);
    ck_assert_uint_eq(trade->event.flags, HAIL_ENCRYPTED | HAIL_AUTHENTICATED);
    ck_assert_str_eq(trade->event.handler->name, "trade");
    message.flags = HAIL_AUTHENTICATED;
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    if (_i) {
        const struct live_event *closed = live_wait(&server, HAIL_EVENT_CLOSED, 0);
        ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_PROTOCOL);
        ck_assert_ptr_nonnull(strstr(closed->text, "less protection"));
        live_wait(&client, HAIL_EVENT_CLOSED, 0);
    } else {
        message.flags = HAIL_ENCRYPTED;
        ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
        live_wait(&server, HAIL_EVENT_MESSAGE, 1);
    }
    ck_assert_uint_eq(hail_handler_drops(server.endpoint, 0), 2);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_pinned)
{
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_endpoint stranger = {0};
    uint8_t key[HAIL_STATIC_KEY_LEN];
    struct live_pair pair;

    config.native.exchange = HAIL_PINNED;
    live_start(&server, &config, true);
    ck_assert_int_eq(hail_server_key(server.endpoint, key), HAIL_OK);
    config.native.static_key = key;
    live_start(&client, &config, false);
    memset(key, 0x42, sizeof key); // lent for the start, and not longer
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(hail_server_key(client.endpoint, key), HAIL_ENOKEY);
    live_start(&stranger, &config, false);
    live_connect(&stranger, &server, 1);
    const struct live_event *closed = live_wait(&stranger, HAIL_EVENT_CLOSED, 0);
    ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_CONFIG);
    ck_assert_ptr_nonnull(strstr(closed->text, "pinned static key"));
    live_stop(&stranger, 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Over several shards, whichever of them a client's datagrams come to first.
START_TEST(test_crowd)
{
    struct hail_config config = config_of(ios[_i]);
    const struct hail_message message = {
        .data = "all", .len = 3, .flags = 3, .channel = HAIL_UNRELIABLE};
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pairs[CROWD];

    config.shard_count = 3;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(pairs, CROWD, &server, &client, 0);
    ck_assert_int_eq(hail_send_all_but(server.endpoint, pairs[0].server, &message), HAIL_OK);
    for (size_t i = 1; i < CROWD; i++)
        ck_assert(live_says(live_wait_conn(&client, HAIL_EVENT_MESSAGE, pairs[i].client), "all"));
    live_stop(&server, 1000); // tells everybody
    for (size_t i = 0; i < CROWD; i++)
        ck_assert_int_eq(live_wait_conn(&client, HAIL_EVENT_CLOSED, pairs[i].client)->event.reason,
                         HAIL_CLOSED_BY_PEER);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_MESSAGE), CROWD - 1);
    live_stop(&client, 0);
}
END_TEST

// Shards share a port, servers do not: datagrams of one would come to the other.
START_TEST(test_port_taken)
{
    struct hail_config config = config_of(ios[_i]);
    struct live_endpoint first = {0};
    struct live_endpoint second = {0};

    config.shard_count = 2;
    live_start(&first, &config, true);
    config.port = hail_port(first.endpoint);
    ck_assert_int_eq(live_try_start(&second, &config, true), HAIL_ESYS);
    ck_assert_msg(live_logged(&second, HAIL_LOG_ERROR, "Address already in use"), "%s", second.log);
    live_stop(&second, 0);
    live_stop(&first, 0);
}
END_TEST

// The test's own UDP socket on loopback; connected to a port, or 0: to none.
static int open_datagrams(uint16_t to, uint16_t *port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = live_patience_ms() / 1000};
    socklen_t len = sizeof here;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    *port = ntohs(here.sin_port);
    here.sin_port = htons(to);
    if (to != 0)
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&here, sizeof here), 0);
    return fd;
}

// Receives a datagram. The kernel interrupts a thread that has made an io_uring some time after the
// ring is gone, without a signal; and what has a time limit is not begun anew (findings/).
static ssize_t receive(int fd, uint8_t *datagram, size_t len, struct sockaddr_in *from)
{
    socklen_t from_len = sizeof *from;
    ssize_t got;

    do
        got = recvfrom(fd, datagram, len, 0, (struct sockaddr *)from, &from_len);
    while (got < 0 && errno == EINTR);
    return got;
}

// A datagram without a byte is counted like any other; the next, a hello of another version, is
// refused, and behind that it has been seen.
START_TEST(test_empty_to_server)
{
    struct hail_config config = config_of(ios[_i]);
    struct live_endpoint server = {0};
    uint8_t datagram[HELLO_LEN] = {1, 2}; // type and version (WIRE.md, section 2.1)
    struct sockaddr_in from;
    uint16_t port;

    live_start(&server, &config, true);
    int fd = open_datagrams(hail_port(server.endpoint), &port);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(send(fd, "", 0, 0), 0);
    ck_assert_int_eq(send(fd, datagram, sizeof datagram, 0), HELLO_LEN);
    ck_assert_int_eq(receive(fd, datagram, sizeof datagram, &from), REFUSE_LEN);
    ck_assert_uint_eq(live_stat(&server, "datagrams_in"), 4);
    ck_assert_uint_eq(live_stat(&server, "dropped_short"), 3);
    close(fd);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_empty_to_client)
{
    struct hail_config config = config_of(ios[_i]);
    uint8_t refuse[REFUSE_LEN] = {5, [9] = 5, [10] = 1}; // full (WIRE.md, section 2.5)
    struct live_endpoint client = {0};
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    uint8_t hello[HELLO_LEN];
    uint16_t port;

    live_start(&client, &config, false);
    int fd = open_datagrams(0, &port);
    const struct hail_target target = {.host = "127.0.0.1", .port = port, .tag = 1};
    ck_assert_int_eq(hail_connect(client.endpoint, &target), HAIL_OK);
    ck_assert_int_eq(receive(fd, hello, sizeof hello, &from), HELLO_LEN);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sendto(fd, "", 0, 0, (struct sockaddr *)&from, from_len), 0);
    memcpy(refuse + 1, hello + 4, 8); // the token
    ck_assert_int_eq(sendto(fd, refuse, sizeof refuse, 0, (struct sockaddr *)&from, from_len),
                     REFUSE_LEN);
    ck_assert_int_eq(live_wait_tag(&client, HAIL_EVENT_CLOSED, 1)->event.reason,
                     HAIL_CLOSED_DENIED);
    ck_assert_uint_eq(live_stat(&client, "dropped_short"), 3);
    close(fd);
    live_stop(&client, 0);
}
END_TEST

static const struct {
    const char *why;
    enum hail_key_exchange exchange;
    enum hail_cookie_use cookies;
    uint32_t iterations;
    uint32_t rotation_s;
    bool is_server;
    const char *want;
} refused[] = {
    {"no such exchange", (enum hail_key_exchange)3, 0, 0, 0, true, "native.exchange"},
    {"no such use of cookies", HAIL_UNSIGNED, (enum hail_cookie_use)3, 0, 0, true,
     "native.cookies"},
    {"too many iterations", HAIL_UNSIGNED, 0, 100001, 0, true, "native.iterations"},
    {"too seldom", HAIL_UNSIGNED, 0, 0, 14 * 86400 + 1, true, "native.key_rotation_s"},
    {"signed without a certificate", HAIL_SIGNED, 0, 0, 0, true, "identity_file"},
    {"pinned without a key", HAIL_PINNED, 0, 0, 0, false, "native.static_key"},
};

START_TEST(test_config)
{
    struct hail_config config = config_of(HAIL_IO_AUTO);
    struct live_endpoint live = {0};

    config.native.exchange = refused[_i].exchange;
    config.native.cookies = refused[_i].cookies;
    config.native.iterations = refused[_i].iterations;
    config.native.key_rotation_s = refused[_i].rotation_s;
    ck_assert_msg(live_try_start(&live, &config, refused[_i].is_server) == HAIL_EINVAL, "%s",
                  refused[_i].why);
    ck_assert_msg(live_logged(&live, HAIL_LOG_ERROR, refused[_i].want), "%s: %s", refused[_i].why,
                  live.log);
    live_stop(&live, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("native");
    TCase *tests = tcase_create("native");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_farewell, 0, LIVE_COUNTOF(farewells));
    tcase_add_test(tests, test_long_farewell);
    tcase_add_test(tests, test_shutdown);
    tcase_add_loop_test(tests, test_crowd_of_one_address, 0, 4);
    tcase_add_loop_test(tests, test_config, 0, LIVE_COUNTOF(refused));
    tcase_add_loop_test(tests, test_messages, 0, LIVE_COUNTOF(ios));
    tcase_add_test(tests, test_update);
    tcase_add_test(tests, test_longest_in_one_packet);
    tcase_add_test(tests, test_keys);
    tcase_add_loop_test(tests, test_calls, 0, LIVE_COUNTOF(ios));
    tcase_add_loop_test(tests, test_floors, 0, 2);
    tcase_add_test(tests, test_pinned);
    tcase_add_loop_test(tests, test_port_taken, 0, LIVE_COUNTOF(ios));
    tcase_add_loop_test(tests, test_crowd, 0, LIVE_COUNTOF(ios));
    tcase_add_loop_test(tests, test_empty_to_server, 0, LIVE_COUNTOF(ios));
    tcase_add_loop_test(tests, test_empty_to_client, 0, LIVE_COUNTOF(ios));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
