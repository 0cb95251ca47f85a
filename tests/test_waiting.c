// test_waiting.c: clients of the hail profile that have proven their keys and wait to be let in,
// against strangers with true cookies, and against each other where places are few. Shards in one
// thread, on a network in memory; time moves only here.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"
#include "tests/paths.h"
#include "tests/turn.h"
#include "tests/vectors.h"

enum {
    CLIENTS = 60,
    AT_ONCE = 10,
    HANDSHAKES_MAX = 128,
    EVENTS_MAX = 256,
    LINE_MAX_DATAGRAMS = 1024,
    FIRST_PORT = 1000, // of the client in slot 0
    STRANGERS = 100,   // addresses
    HALF_OPEN_PER_S = 2000
};

static const uint32_t home = 0xc6336401;   // where all clients are
static const uint32_t abroad = 0x0a000000; // and where strangers are

struct datagram {
    struct sockaddr_in to; // of the server's
    uint32_t slot;         // of the client's
    size_t len;
    uint8_t bytes[HAIL_DATAGRAM_MAX];
};

// What a shard has sent and nobody has got yet.
struct line {
    size_t count;
    struct datagram datagrams[LINE_MAX_DATAGRAMS];
};

struct event {
    struct hail_event event;
    char text[HAIL_FAULT_TEXT_MAX];
};

struct end {
    struct hail_context context;
    struct hail_shard shard;
    struct line line;
    struct event events[EVENTS_MAX];
    size_t event_count;
};

struct net {
    uint64_t now_ns;
    struct end server;
    struct end client;
    uint32_t homes[2 * CLIENTS]; // addresses of the clients, by slot
    struct datagram last;        // that went to a stranger
    uint64_t stranger_count;     // hellos so far
    struct hail_hello stranger;
    bool holds; // finishes are lost
};

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct end *end = user;

    (void)endpoint;
    ck_assert_uint_lt(end->event_count, EVENTS_MAX);
    struct event *own = &end->events[end->event_count++];
    own->event = *event;
    snprintf(own->text, sizeof own->text, "%s", event->text ? event->text : "");
}

static void end_init(struct end *end, const struct hail_config *given, bool is_server,
                     uint64_t now_ns, uint64_t seed)
{
    struct hail_config config = *given;
    struct hail_random random;

    config.profile = HAIL_PROFILE_HAIL;
    config.on_event = on_event;
    config.user = end;
    config.conns_max = config.conns_max ? config.conns_max : 2 * CLIENTS;
    config.handshakes_max = HANDSHAKES_MAX;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.iterations = 1;
    ck_assert_int_eq(hail_context_init(&end->context, &config, is_server), HAIL_OK);
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, seed);
    ck_assert(hail_shard_init(&end->shard, &end->context,
                              hail_profile_of(end->context.config.profile), 0, &random));
    test_turn(&end->shard, now_ns);
}

static void end_cleanup(struct end *end)
{
    struct hail_task task;

    hail_shard_stop(&end->shard, 0);
    while (hail_shard_output(&end->shard, &task)) {
        if (task.op == HAIL_TASK_CLOSE)
            hail_shard_closed(&end->shard, task.slot);
    }
    hail_shard_handed_over(&end->shard);
    ck_assert(hail_shard_stopped(&end->shard));
    ck_assert_uint_eq(end->shard.proven_count, 0);
    ck_assert_uint_eq(end->shard.handshake_count, 0);
    ck_assert_uint_eq(end->shard.sources.list.used_count, 0);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
}

static bool work(struct net *net, struct end *end)
{
    struct hail_task task;
    bool any = false;

    test_turn(&end->shard, net->now_ns);
    while (hail_shard_output(&end->shard, &task)) {
        any = true;
        if (task.op == HAIL_TASK_CONNECT)
            hail_shard_connected(&end->shard, task.slot, 0);
        if (task.op == HAIL_TASK_CLOSE)
            hail_shard_closed(&end->shard, task.slot);
        for (size_t i = 0; task.op == HAIL_TASK_DATAGRAMS && i < task.view_count; i++) {
            ck_assert_uint_lt(end->line.count, LINE_MAX_DATAGRAMS);
            struct datagram *own = &end->line.datagrams[end->line.count++];
            if (task.path)
                own->to = task.path->v4;
            own->slot = task.slot;
            own->len = task.views[i].iov_len;
            memcpy(own->bytes, task.views[i].iov_base, own->len);
        }
    }
    hail_shard_handed_over(&end->shard);
    any |= hail_shard_next_ns(&end->shard) <= net->now_ns;
    return any;
}

static void at_server(struct net *net, uint32_t from, uint16_t port, uint8_t *bytes, size_t len)
{
    const struct hail_path path = path_from(from, port);

    hail_shard_datagram(&net->server.shard, HAIL_SLOT_NONE, &path, bytes, len);
}

static void pass(struct net *net)
{
    struct line *line = &net->server.line;

    for (size_t i = 0; i < line->count; i++) {
        struct datagram *own = &line->datagrams[i];
        if (ntohl(own->to.sin_addr.s_addr) >> 24 == abroad >> 24)
            net->last = *own;
        else
            hail_shard_datagram(&net->client.shard, ntohs(own->to.sin_port) - FIRST_PORT, NULL,
                                own->bytes, own->len);
    }
    line->count = 0;
    line = &net->client.line;
    for (size_t i = 0; i < line->count; i++) {
        struct datagram *own = &line->datagrams[i];
        if (!net->holds || own->bytes[0] != HAIL_DATAGRAM_FINISH)
            at_server(net, net->homes[own->slot], (uint16_t)(FIRST_PORT + own->slot), own->bytes,
                      own->len);
    }
    line->count = 0;
}

static void run(struct net *net)
{
    bool any = true;

    while (any) {
        any = work(net, &net->server);
        any |= work(net, &net->client);
        pass(net);
    }
}

// Moves the clock, stopping at every deadline on the way.
static void rest_us(struct net *net, uint64_t us)
{
    uint64_t until_ns = net->now_ns + us * 1000;

    run(net);
    while (net->now_ns < until_ns) {
        uint64_t next = until_ns;
        uint64_t server = hail_shard_next_ns(&net->server.shard);
        uint64_t client = hail_shard_next_ns(&net->client.shard);
        next = server < next ? server : next;
        next = client < next ? client : next;
        net->now_ns = next > net->now_ns ? next : net->now_ns + 1;
        run(net);
    }
}

static void net_init(struct net *net, const struct hail_config *server)
{
    const struct hail_config client = HAIL_CONFIG_INIT;
    struct hail_client_handshake handshake;
    struct hail_random dice;

    memset(net, 0, sizeof *net);
    net->now_ns = 1000 * HAIL_NS_PER_MS;
    end_init(&net->server, server, true, net->now_ns, test_seed());
    end_init(&net->client, &client, false, net->now_ns, test_seed());
    struct hail_client_setup setup = {.pattern = HAIL_NOISE_NN,
                                      .iterations_max = HAIL_ITERATIONS_MAX};
    memcpy(setup.policy_hash, net->server.context.keys.policy_hash, sizeof setup.policy_hash);
    hail_random_init_seeded(&dice, test_seed());
    ck_assert(hail_client_init(&handshake, &setup, &dice));
    net->stranger = handshake.hello;
    hail_client_cleanup(&handshake);
}

static void net_cleanup(struct net *net)
{
    end_cleanup(&net->client);
    end_cleanup(&net->server);
}

static void connect_from(struct net *net, uint32_t address)
{
    struct hail_addresses addresses = {.host = "play.test", .count = 1};
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(1)};
    const struct hail_command command = {.op = HAIL_COMMAND_CONNECT, .addresses = &addresses};
    uint32_t slot = 0;
    size_t done;

    memcpy(&addresses.list[0], &v4, sizeof v4);
    atomic_fetch_add(&net->client.shard.conns_promised, 1);
    ck_assert_int_eq(hail_command_run(&net->client.shard, &command, &done), HAIL_OK);
    while (net->client.shard.conns[slot].state != HAIL_CONN_CONNECTING)
        slot++;
    net->homes[slot] = address;
    run(net);
}

// A hello with a cookie that the server has sent there, and no more.
static void half_open(struct net *net)
{
    uint32_t from = abroad + (uint32_t)(net->stranger_count % STRANGERS);
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t bytes[HAIL_HELLO_LEN];

    net->stranger_count++;
    memcpy(net->stranger.token, &net->stranger_count, sizeof net->stranger_count);
    for (int i = 0; i < 2; i++) {
        net->stranger.has_cookie = i > 0;
        if (i > 0)
            ck_assert_int_eq(
                hail_retry_decode(token, net->stranger.cookie, net->last.bytes, net->last.len),
                HAIL_ACCEPT);
        hail_hello_encode(bytes, &net->stranger);
        at_server(net, from, FIRST_PORT, bytes, sizeof bytes);
        run(net);
    }
    ck_assert_uint_eq(net->last.bytes[0], HAIL_DATAGRAM_WELCOME);
}

static void attack(struct net *net, uint64_t ms)
{
    for (uint64_t i = 0; i < ms * HALF_OPEN_PER_S / 1000; i++) {
        half_open(net);
        rest_us(net, 1000000 / HALF_OPEN_PER_S);
    }
}

static size_t count(const struct end *end, enum hail_event_type type)
{
    size_t found = 0;

    for (size_t i = 0; i < end->event_count; i++)
        found += end->events[i].event.type == type;
    return found;
}

static void decide(struct net *net, size_t request, enum hail_command_op op)
{
    struct hail_command command = {.op = op};
    size_t done;

    for (size_t i = 0; i < net->server.event_count; i++) {
        if (net->server.events[i].event.type == HAIL_EVENT_REQUEST && request-- == 0)
            command.conn = net->server.events[i].event.conn;
    }
    ck_assert_int_eq(hail_command_run(&net->server.shard, &command, &done), HAIL_OK);
    run(net);
}

static uint64_t stat(const struct net *net, unsigned which)
{
    return hail_stat_get(&net->server.shard.stats, which);
}

// Half-open handshakes push each other out, and none that is done. Clients whose own takes a while,
// since their first finish is lost, are not pushed out either: their addresses have fewer than the
// strangers'.
START_TEST(test_half_open)
{
    static struct net net;
    struct hail_config server = HAIL_CONFIG_INIT;

    server.native.cookies = HAIL_COOKIE_ALWAYS;
    net_init(&net, &server);
    attack(&net, 100);
    ck_assert_uint_eq(net.server.shard.handshake_count, HANDSHAKES_MAX);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        net.holds = true;
        connect_from(&net, home + i);
        if (i % AT_ONCE != AT_ONCE - 1)
            continue;
        attack(&net, 240);
        net.holds = false;
        attack(&net, 20); // finishes are said again
    }
    ck_assert_uint_eq(count(&net.server, HAIL_EVENT_REQUEST), CLIENTS);
    attack(&net, 1000);
    ck_assert_uint_gt(stat(&net, HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_CROWDED_OUT),
                      10 * HANDSHAKES_MAX);
    for (size_t i = 0; i < CLIENTS; i++)
        decide(&net, i, HAIL_COMMAND_APPROVE);
    ck_assert_uint_eq(count(&net.client, HAIL_EVENT_CONNECTED), CLIENTS);
    ck_assert_uint_eq(count(&net.server, HAIL_EVENT_CLOSED), 0);
    net_cleanup(&net);
}
END_TEST

// A decision that does not come is not waited for longer than a handshake may take.
START_TEST(test_undecided)
{
    static struct net net;
    struct hail_config server = HAIL_CONFIG_INIT;

    server.handshake_timeout_ms = 500;
    net_init(&net, &server);
    connect_from(&net, home);
    ck_assert_uint_eq(count(&net.server, HAIL_EVENT_REQUEST), 1);
    rest_us(&net, 499000);
    ck_assert_uint_eq(count(&net.server, HAIL_EVENT_CLOSED), 0);
    rest_us(&net, 1000);
    ck_assert_uint_eq(stat(&net, HAIL_STAT_CLOSED_FIRST + HAIL_CLOSED_HANDSHAKE_TIMEOUT), 1);
    ck_assert_uint_eq(net.server.shard.proven_count, 0);
    net_cleanup(&net);
}
END_TEST

static const struct {
    const char *why;
    uint32_t conns_max;
    uint32_t conns_per_prefix;
    bool begun;        // the handshake of the one too many, before the last place was taken
    const char *text;  // that it is told
    unsigned stat;     // that counts it
    bool others_enter; // who come from elsewhere
} fulls[] = {
    {"hello to a full server", 3, 0, false, "full", HAIL_STAT_CONNS_REFUSED, false},
    {"finish to a full server", 3, 0, true, "full", HAIL_STAT_CONNS_REFUSED, false},
    {"hello from a full prefix", 0, 3, false, "from this network",
     HAIL_STAT_DROPPED_FIRST + HAIL_DROP_PREFIX, true},
    {"finish from a full prefix", 0, 3, true, "from this network",
     HAIL_STAT_DROPPED_FIRST + HAIL_DROP_PREFIX, true},
};

// The one too many is refused and told so, those who wait for a decision stay, and when one of them
// is gone the next gets in.
START_TEST(test_full)
{
    static struct net net;
    struct hail_config server = HAIL_CONFIG_INIT;

    server.conns_max = fulls[_i].conns_max;
    server.conns_per_prefix = fulls[_i].conns_per_prefix;
    net_init(&net, &server);
    net.holds = fulls[_i].begun;
    for (int i = 0; i < 4; i++)
        connect_from(&net, home);
    net.holds = false;
    rest_us(&net, 300000); // until finishes are said again
    ck_assert_msg(count(&net.server, HAIL_EVENT_REQUEST) == 3, "%s", fulls[_i].why);
    ck_assert_uint_eq(count(&net.server, HAIL_EVENT_CLOSED), 0);
    ck_assert_uint_eq(count(&net.client, HAIL_EVENT_CLOSED), 1);
    const struct event *told = &net.client.events[net.client.event_count - 1];
    ck_assert_int_eq(told->event.reason, HAIL_CLOSED_DENIED);
    ck_assert_msg(strstr(told->text, fulls[_i].text) != NULL, "%s: %s", fulls[_i].why, told->text);
    ck_assert_uint_eq(stat(&net, fulls[_i].stat), 1);

    connect_from(&net, home + 1);
    ck_assert_msg(count(&net.server, HAIL_EVENT_REQUEST) == 3u + fulls[_i].others_enter,
                  "%s: others", fulls[_i].why);
    decide(&net, 0, HAIL_COMMAND_APPROVE);
    ck_assert_uint_eq(count(&net.client, HAIL_EVENT_CONNECTED), 1);
    decide(&net, 1, HAIL_COMMAND_DENY);
    connect_from(&net, home);
    ck_assert_msg(count(&net.server, HAIL_EVENT_REQUEST) == 4u + fulls[_i].others_enter,
                  "%s: a place was free", fulls[_i].why);
    net_cleanup(&net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("waiting");
    TCase *tests = tcase_create("waiting");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_half_open);
    tcase_add_test(tests, test_undecided);
    tcase_add_loop_test(tests, test_full, 0, HAIL_COUNTOF(fulls));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
