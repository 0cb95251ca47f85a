// test_neighbours.c: endpoints of either profile in one process at once, each with limits, threads
// and names of its own: nothing is shared, so nothing of one is seen at another, and the end of one
// is not felt by the others.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "tests/live_endpoint.h"

enum {
    CONNS = 6,
    ROUNDS = 100,
    SIDES = 2
};

// The same name asks for protection on one server and for none on the other.
static const struct hail_handler guarded[] = {
    {.kind = HAIL_HANDLER_MESSAGE, .name = "trade", .floor = HAIL_ENCRYPTED | HAIL_AUTHENTICATED},
};
static const struct hail_handler open[] = {
    {.kind = HAIL_HANDLER_MESSAGE, .name = "chat"},
    {.kind = HAIL_HANDLER_MESSAGE, .name = "trade"},
};
static const struct hail_channel channels[] = {
    {.name = "state", .kind = HAIL_UNRELIABLE},
    {.name = "talk", .kind = HAIL_RELIABLE_ORDERED},
};

// A server and its client.
struct side {
    struct hail_config config;
    uint8_t channel; // that is reliable and ordered
    struct live_endpoint server;
    struct live_endpoint client;
    struct live_pair pairs[CONNS];
    size_t exchanged;
};

static void echo(struct live_endpoint *live, struct hail_endpoint *endpoint,
                 const struct hail_event *event)
{
    const struct hail_message message = {
        .data = event->data, .len = event->len, .flags = event->flags, .channel = event->channel};

    (void)live;
    if (event->type == HAIL_EVENT_MESSAGE && !event->named)
        (void)!hail_send(endpoint, event->conn, &message);
}

static void configure(struct side sides[SIDES])
{
    struct hail_config *mlapi = &sides[0].config;
    struct hail_config *native = &sides[1].config;

    *mlapi = live_config();
    mlapi->shard_count = 3;
    mlapi->message_max = 2000;
    mlapi->handlers = guarded;
    mlapi->handler_count = LIVE_COUNTOF(guarded);
    *native = live_config();
    native->profile = HAIL_PROFILE_HAIL;
    native->native.exchange = HAIL_UNSIGNED;
    native->io = HAIL_IO_EPOLL;
    native->shard_count = 2;
    native->conns_max = CONNS;
    native->message_max = 12000;
    native->handlers = open;
    native->handler_count = LIVE_COUNTOF(open);
    native->channels = channels;
    native->channel_count = LIVE_COUNTOF(channels);
    sides[0].channel = HAIL_RELIABLE_ORDERED;
    sides[1].channel = 1;
}

static void start(struct side *side, uint64_t first_tag)
{
    side->server.react = echo;
    live_start(&side->server, &side->config, true);
    side->config.shard_count = 1;
    live_start(&side->client, &side->config, false);
    live_join(side->pairs, CONNS, &side->server, &side->client, first_tag);
}

static enum hail_status send_bytes(struct side *side, size_t conn, const void *data, size_t len)
{
    const struct hail_message message = {
        .data = data, .len = len, .flags = 3, .channel = side->channel};

    return hail_send(side->client.endpoint, side->pairs[conn].client, &message);
}

// What a message must be to come back whole: which side it is of, by content and by length.
static size_t make(uint8_t *data, size_t side, size_t round)
{
    size_t len = 16 + round * (side ? 100 : 10);

    memset(data, (int)(side * 128 + round), len);
    return len;
}

static void send_rounds(struct side *sides, size_t side_count, size_t rounds)
{
    uint8_t *data = malloc(12000);

    ck_assert_ptr_nonnull(data);
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < CONNS; i++) {
            for (size_t s = SIDES - side_count; s < SIDES; s++) {
                size_t len = make(data, s, round);
                ck_assert_int_eq(send_bytes(&sides[s], i, data, len), HAIL_OK);
            }
        }
    }
    free(data);
}

// Every echo is of its own side, and comes in the order of its connection.
static void expect_rounds(struct side *side, size_t number, size_t rounds)
{
    uint8_t *want = malloc(12000);
    size_t round_of[CONNS] = {0};

    ck_assert_ptr_nonnull(want);
    for (size_t i = 0; i < rounds * CONNS; i++) {
        const struct live_event *event =
            live_wait(&side->client, HAIL_EVENT_MESSAGE, side->exchanged + i);
        size_t conn = 0;
        while (conn < CONNS && side->pairs[conn].client.id != event->event.conn.id)
            conn++;
        ck_assert_uint_lt(conn, CONNS);
        size_t len = make(want, number, round_of[conn]++);
        ck_assert_uint_eq(event->event.len, len);
        ck_assert_mem_eq(event->data, want, len);
    }
    side->exchanged += rounds * CONNS;
    ck_assert_uint_eq(live_count(&side->client, HAIL_EVENT_MESSAGE), side->exchanged);
    ck_assert_uint_eq(live_stat(&side->server, "messages_in_both"), side->exchanged);
    free(want);
}

// A plain "trade", which the mlapi server's floor drops and the other takes.
static void trade(struct side *sides)
{
    for (size_t s = 0; s < SIDES; s++) {
        const struct hail_message message = {
            .data = "gold",
            .len = 4,
            .channel = sides[s].channel,
            .named = true,
            .name_hash = hail_name_hash(sides[s].client.endpoint, "trade"),
        };
        size_t before = sides[s].exchanged;
        ck_assert_int_eq(hail_send(sides[s].client.endpoint, sides[s].pairs[0].client, &message),
                         HAIL_OK);
        // What follows it on its channel is taken after it.
        ck_assert_int_eq(send_bytes(&sides[s], 0, "then", 4), HAIL_OK);
        live_wait(&sides[s].client, HAIL_EVENT_MESSAGE, before);
        sides[s].exchanged++;
    }
    ck_assert_uint_eq(hail_handler_drops(sides[0].server.endpoint, 0), 1);
    ck_assert_uint_eq(hail_handler_drops(sides[1].server.endpoint, 1), 0);
    ck_assert_uint_eq(live_count(&sides[0].server, HAIL_EVENT_MESSAGE), sides[0].exchanged);
    ck_assert_uint_eq(live_count(&sides[1].server, HAIL_EVENT_MESSAGE), sides[1].exchanged + 1);
}

// Each has its own limits.
static void exceed(struct side *sides)
{
    static const uint8_t data[12001];

    ck_assert_int_eq(send_bytes(&sides[0], 0, data, 2001), HAIL_EINVAL);
    ck_assert_int_eq(send_bytes(&sides[1], 0, data, 12001), HAIL_EINVAL);
    ck_assert_uint_eq(live_stat(&sides[0].server, "conns_open"), CONNS);
    ck_assert_uint_eq(live_stat(&sides[1].server, "conns_open"), CONNS);
    ck_assert_uint_eq(live_stat(&sides[0].server, "datagrams_in"), 0);
    ck_assert_uint_gt(live_stat(&sides[1].server, "datagrams_in"), 0);
}

START_TEST(test_both_profiles)
{
    struct side *sides = calloc(SIDES, sizeof *sides);

    ck_assert_ptr_nonnull(sides);
    configure(sides);
    sides[0].client.polls = _i == 1;
    for (size_t s = 0; s < SIDES; s++)
        start(&sides[s], s * 100);
    send_rounds(sides, SIDES, ROUNDS);
    for (size_t s = 0; s < SIDES; s++)
        expect_rounds(&sides[s], s, ROUNDS);
    exceed(sides);
    trade(sides);

    // The one goes, the other goes on.
    live_stop(&sides[0].server, 0);
    for (size_t i = 0; i < CONNS; i++)
        live_wait_conn(&sides[0].client, HAIL_EVENT_CLOSED, sides[0].pairs[i].client);
    live_stop(&sides[0].client, 0);
    send_rounds(sides, 1, 2);
    expect_rounds(&sides[1], 1, 2);
    ck_assert_uint_eq(live_count(&sides[1].client, HAIL_EVENT_CLOSED), 0);
    live_stop(&sides[1].client, 0);
    live_stop(&sides[1].server, 0);
    free(sides);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("neighbours");
    TCase *tests = tcase_create("neighbours");

    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, test_both_profiles, 0, 2);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
