// test_returns.c: clients that come back, by the clock: tickets that are over, keys that have been
// rotated, paths that are lost and servers that are gone without a word. Shards in one thread, on a
// network in memory; time moves only here.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/native/state.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"
#include "tests/paths.h"
#include "tests/turn.h"
#include "tests/vectors.h"

enum {
    LINE_MAX_DATAGRAMS = 256,
    EVENTS_MAX = 64,
    LIFE_S = 1000,
    ROTATION_S = 3000
};

static const uint8_t ticket_key[HAIL_TICKET_KEY_LEN] = {1, 2, 3};

// What a shard has sent and nobody has got yet.
struct line {
    size_t count;
    struct {
        size_t len;
        uint8_t bytes[HAIL_DATAGRAM_MAX];
    } datagrams[LINE_MAX_DATAGRAMS];
};

struct end {
    struct hail_context context;
    struct hail_shard shard;
    struct line line;
    struct hail_event events[EVENTS_MAX];
    size_t event_count;
};

struct net {
    uint64_t now_ns;
    bool cut;          // nothing passes
    struct end server; // that is there now
    struct end client;
    uint32_t slot; // the client's: its connections take turns in one
};

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct end *end = user;

    (void)endpoint;
    ck_assert_uint_lt(end->event_count, EVENTS_MAX);
    end->events[end->event_count++] = *event;
}

static void end_init(struct end *end, const struct hail_native_config *native, bool is_server,
                     uint64_t now_ns, uint64_t seed)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_random random;

    memset(end, 0, sizeof *end);
    config.profile = HAIL_PROFILE_HAIL;
    config.on_event = on_event;
    config.user = end;
    config.approves_all = true;
    config.conns_max = 4;
    config.handshakes_max = 4;
    config.native = *native;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.iterations = 1;
    ck_assert_int_eq(hail_context_init(&end->context, &config, is_server), HAIL_OK);
    // All clocks are the test's, those of a server that starts later too.
    end->context.start_ns = 0;
    end->context.start_unix_ns = INT64_C(1700000000000000000);
    end->context.keys.rotate_ns = is_server ? now_ns + ROTATION_S * 1000 * HAIL_NS_PER_MS : 0;
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
            end->line.datagrams[end->line.count].len = task.views[i].iov_len;
            memcpy(end->line.datagrams[end->line.count++].bytes, task.views[i].iov_base,
                   task.views[i].iov_len);
        }
    }
    hail_shard_handed_over(&end->shard);
    return any;
}

static void pass(struct net *net, struct end *from, struct end *to)
{
    const struct hail_path path = path_from(PATHS_CLIENT, 1000);

    for (size_t i = 0; i < from->line.count && !net->cut; i++)
        hail_shard_datagram(&to->shard, to == &net->server ? HAIL_SLOT_NONE : net->slot, &path,
                            from->line.datagrams[i].bytes, from->line.datagrams[i].len);
    from->line.count = 0;
}

static void run(struct net *net)
{
    bool any = true;

    while (any) {
        any = work(net, &net->server);
        any |= work(net, &net->client);
        pass(net, &net->server, &net->client);
        pass(net, &net->client, &net->server);
    }
}

// Moves the clock, stopping at every deadline on the way.
static void rest(struct net *net, uint64_t ms)
{
    uint64_t until_ns = net->now_ns + ms * HAIL_NS_PER_MS;

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

static void net_init(struct net *net, const struct hail_native_config *server)
{
    const struct hail_native_config client = {0};

    memset(net, 0, sizeof *net);
    net->now_ns = 1000 * HAIL_NS_PER_MS;
    end_init(&net->server, server, true, net->now_ns, test_seed());
    end_init(&net->client, &client, false, net->now_ns, test_seed());
}

static void net_cleanup(struct net *net)
{
    end_cleanup(&net->client);
    end_cleanup(&net->server);
}

// The server is gone without a word, and another is there.
static void replace_server(struct net *net, const struct hail_native_config *native)
{
    net->server.line.count = 0;
    end_cleanup(&net->server);
    end_init(&net->server, native, true, net->now_ns, test_seed());
}

static void connect_with(struct net *net, uint32_t reconnect_ms, const uint8_t *ticket,
                         size_t ticket_len)
{
    struct hail_addresses addresses = {.host = "play.test",
                                       .count = 1,
                                       .reconnect_ms = reconnect_ms,
                                       .ticket_len = (uint16_t)ticket_len};
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(1)};
    const struct hail_command command = {
        .op = HAIL_COMMAND_CONNECT, .tag = 7, .addresses = &addresses};
    size_t done;

    if (ticket_len > 0)
        memcpy(addresses.ticket, ticket, ticket_len);
    memcpy(&addresses.list[0], &v4, sizeof v4);
    atomic_fetch_add(&net->client.shard.conns_promised, 1);
    ck_assert_int_eq(hail_command_run(&net->client.shard, &command, &done), HAIL_OK);
    for (net->slot = 0; net->client.shard.conns[net->slot].state != HAIL_CONN_CONNECTING;)
        net->slot++;
    run(net);
    rest(net, 10);
}

static const struct hail_event *last(const struct net *net)
{
    ck_assert_uint_gt(net->client.event_count, 0);
    return &net->client.events[net->client.event_count - 1];
}

static size_t newest_ticket(const struct net *net, struct hail_conn conn,
                            uint8_t ticket[HAIL_TICKET_MAX])
{
    size_t len;

    ck_assert(hail_table_read_ticket(&net->client.shard.table, conn, ticket, &len));
    ck_assert_uint_gt(len, 0);
    return len;
}

static void close_client(struct net *net)
{
    hail_conn_end(&net->client.shard, net->slot, HAIL_CLOSED_BY_APPLICATION, false, NULL);
    run(net);
}

// How long a ticket from the start of the first server is good.
static const struct {
    const char *why;
    uint64_t after_s;
    uint32_t life_s; // of the tickets
    bool given;      // the ticket key is the application's
    bool resumed;
    bool sent; // to the server, who refuses it
} ages[] = {
    {"its life is over, and the client knows", LIFE_S, LIFE_S, false, false, false},
    {"it is almost over", LIFE_S - 2, LIFE_S, false, true, false},
    {"the key has been rotated once", ROTATION_S + 100, 604800, false, true, false},
    {"and twice", 2 * ROTATION_S + 200, 604800, false, false, true},
    {"a given key is not rotated", 2 * ROTATION_S + 200, 604800, true, true, false},
    {"a week is over", 604800 + 10, 604800, true, false, false},
};

START_TEST(test_age)
{
    struct hail_native_config native = {.ticket_life_s = ages[_i].life_s,
                                        .key_rotation_s = ROTATION_S,
                                        .ticket_key = ages[_i].given ? ticket_key : NULL};
    static struct net net;
    uint8_t ticket[HAIL_TICKET_MAX];

    net_init(&net, &native);
    connect_with(&net, 0, NULL, 0);
    ck_assert_int_eq(last(&net)->type, HAIL_EVENT_CONNECTED);
    size_t len = newest_ticket(&net, last(&net)->conn, ticket);
    close_client(&net);
    for (uint64_t left_s = ages[_i].after_s; left_s > 0;) { // keys are rotated when there is work
        uint64_t some_s = left_s < ROTATION_S ? left_s : ROTATION_S;
        rest(&net, some_s * 1000);
        left_s -= some_s;
    }
    connect_with(&net, 0, ticket, len);
    ck_assert_msg(last(&net)->type == HAIL_EVENT_CONNECTED, "%s", ages[_i].why);
    ck_assert_msg(last(&net)->resumed == ages[_i].resumed, "%s", ages[_i].why);
    ck_assert_uint_eq(
        hail_stat_get(&net.server.shard.stats, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_TICKET_KEY),
        ages[_i].sent);
    net_cleanup(&net);
}
END_TEST

// The server's clock decides: a ticket that a client thinks good and the server does not.
START_TEST(test_clocks_differ)
{
    struct hail_native_config native = {.ticket_life_s = LIFE_S};
    static struct net net;
    uint8_t ticket[HAIL_TICKET_MAX];

    net_init(&net, &native);
    connect_with(&net, 0, NULL, 0);
    size_t len = newest_ticket(&net, last(&net)->conn, ticket);
    close_client(&net);
    net.server.context.start_unix_ns += LIFE_S * INT64_C(1000000000);
    connect_with(&net, 0, ticket, len);
    ck_assert_int_eq(last(&net)->type, HAIL_EVENT_CONNECTED);
    ck_assert(!last(&net)->resumed);
    ck_assert_uint_eq(
        hail_stat_get(&net.server.shard.stats, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_TICKET_OLD), 1);
    net_cleanup(&net);
}
END_TEST

// A connection that lasts longer than its tickets is given fresh ones; and a chain of resumptions
// ends after a week, when the server has to prove itself anew.
START_TEST(test_renewed)
{
    struct hail_native_config native = {.ticket_life_s = LIFE_S, .ticket_key = ticket_key};
    const uint64_t pause_s = 86400;
    static struct net net;
    uint8_t ticket[HAIL_TICKET_MAX];

    net_init(&net, &native);
    connect_with(&net, 0, NULL, 0);
    for (uint64_t day = 1; day <= 8; day++) {
        rest(&net, pause_s * 1000);
        size_t len = newest_ticket(&net, last(&net)->conn, ticket);
        close_client(&net);
        net.client.event_count = 0; // they would be too many
        net.server.event_count = 0;
        connect_with(&net, 0, ticket, len);
        ck_assert_int_eq(last(&net)->type, HAIL_EVENT_CONNECTED);
        ck_assert_msg(last(&net)->resumed == (day != 7), "day %u", (unsigned)day);
    }
    net_cleanup(&net);
}
END_TEST

static const struct {
    const char *why;
    bool replaced; // the server, by one that knows nothing of the connection
    uint64_t cut_ms;
    uint32_t reconnect_ms;
    bool returns;
    bool resumed;
} losses[] = {
    {"the path is cut for longer than it is tried", false, 60000, 20000, false, false},
    {"the path is cut, and comes back", false, 20000, 60000, true, true},
    {"the server has crashed", true, 0, 60000, true, true},
    {"it has crashed, and it is not to come back", true, 0, 0, false, false},
};

// Silence ends the connection, and begins the next.
START_TEST(test_lost)
{
    struct hail_native_config native = {.ticket_key = ticket_key};
    static struct net net;

    net_init(&net, &native);
    connect_with(&net, losses[_i].reconnect_ms, NULL, 0);
    ck_assert_int_eq(last(&net)->type, HAIL_EVENT_CONNECTED);
    struct hail_conn first = last(&net)->conn;
    if (losses[_i].replaced)
        replace_server(&net, &native);
    net.cut = losses[_i].cut_ms > 0;
    rest(&net, losses[_i].cut_ms);
    net.cut = false;
    rest(&net, 30000);
    ck_assert_uint_ge(net.client.event_count, 2);
    const struct hail_event *closed = &net.client.events[1];
    ck_assert_int_eq(closed->type, HAIL_EVENT_CLOSED);
    ck_assert_int_eq(closed->reason, HAIL_CLOSED_IDLE);
    ck_assert_uint_eq(closed->conn.id, first.id);
    ck_assert_int_eq(closed->next.id != 0, losses[_i].reconnect_ms > 0);
    if (losses[_i].reconnect_ms > 0) {
        ck_assert_uint_eq(net.client.event_count, 3);
        ck_assert_uint_eq(last(&net)->conn.id, closed->next.id);
        ck_assert_uint_eq(last(&net)->tag, 7);
        ck_assert_msg(last(&net)->type ==
                          (losses[_i].returns ? HAIL_EVENT_CONNECTED : HAIL_EVENT_CLOSED),
                      "%s", losses[_i].why);
        ck_assert_msg(last(&net)->resumed == losses[_i].resumed, "%s", losses[_i].why);
    }
    uint32_t promised = atomic_load(&net.client.shard.conns_promised);
    ck_assert_uint_eq(promised, losses[_i].returns);
    ck_assert_uint_eq(net.client.shard.table.used_count, losses[_i].returns);
    net_cleanup(&net);
}
END_TEST

// Attempts come at growing intervals, not in step, and end in time.
START_TEST(test_pauses)
{
    struct hail_native_config native = {0};
    static struct net net;
    uint64_t before_ns;

    net_init(&net, &native);
    connect_with(&net, 3600000, NULL, 0);
    hail_shard_stop(&net.server.shard, 0); // says that it goes down, and answers nobody
    run(&net);
    ck_assert_int_eq(last(&net)->type, HAIL_EVENT_CLOSED);
    before_ns = net.now_ns;
    net.cut = true;
    rest(&net, 3590000);
    ck_assert_int_eq(last(&net)->reason, HAIL_CLOSED_BY_PEER); // the first's: it goes on trying
    uint64_t tries = hail_stat_get(&net.client.shard.stats, HAIL_STAT_RECONNECTS);
    ck_assert_uint_ge(tries, 3590 / (12 + 10)); // a handshake's time and the longest pause
    ck_assert_uint_le(tries, 3590 / (4 + 10) + 10);
    rest(&net, 20000);
    ck_assert_uint_eq(net.client.event_count, 3);
    ck_assert_int_eq(last(&net)->type, HAIL_EVENT_CLOSED);
    ck_assert_int_eq(last(&net)->reason, HAIL_CLOSED_HANDSHAKE_TIMEOUT);
    ck_assert_uint_eq(last(&net)->next.id, 0);
    ck_assert_uint_eq(net.client.shard.table.used_count, 0);
    ck_assert_uint_gt(net.now_ns, before_ns);
    net_cleanup(&net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("returns");
    TCase *tests = tcase_create("returns");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_age, 0, HAIL_COUNTOF(ages));
    tcase_add_test(tests, test_clocks_differ);
    tcase_add_test(tests, test_renewed);
    tcase_add_loop_test(tests, test_lost, 0, HAIL_COUNTOF(losses));
    tcase_add_test(tests, test_pauses);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
