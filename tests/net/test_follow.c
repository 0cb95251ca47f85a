// test_follow.c: a client whose machine moves: its address changes, its network goes away and
// another is there, with and without anything of its own to send. It stays connected, and nothing
// reliable is lost.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "tests/live_endpoint.h"
#include "tests/net/net.h"

enum {
    BEFORE = 20, // messages each way
    MEANWHILE = 20,
    NO_ROUTE_MS = 200
};

// How the machine moves, where the server is the host 10.9.9.9 behind both of its devices.
struct row {
    const char *why;
    void (*move)(struct net *net, size_t client, size_t server);
    bool client_sends; // while it moves; the server does always
    bool untold;       // the kernel does not say that anything has changed
};

static void lease_anew(struct net *net, size_t client, size_t server)
{
    (void)server;
    net_run(net, client, "ip address del 10.0.1.2/24 dev eth0");
    net_run(net, client, "ip address add 10.0.1.3/24 dev eth0");
    net_run(net, client, "ip route replace default via 10.0.1.1");
}

static void to_other_network(struct net *net, size_t client, size_t server)
{
    (void)server;
    net_run(net, client, "ip route replace default via 10.0.2.1");
    net_run(net, client, "ip link set eth0 down");
}

// The address and the device stay, as when a radio has lost its station, and the route does change.
static void away_from_station(struct net *net, size_t client, size_t server)
{
    net_run(net, server, "ip link set eth0 down");
    net_run(net, client, "ip route replace default via 10.0.2.1");
}

// The order that DHCP clients have: there is no address at all for a while.
static void none_for_a_while(struct net *net, size_t client, size_t server)
{
    (void)server;
    net_run(net, client, "ip address flush dev eth0 scope global");
    net_run(net, client, "sleep 0.%d", NO_ROUTE_MS);
    net_run(net, client, "ip address add 10.0.1.7/24 dev eth0");
    net_run(net, client, "ip route replace default via 10.0.1.1");
}

static const struct row rows[] = {
    {"another address, sending", lease_anew, true, false},
    {"another address, silent", lease_anew, false, false},
    {"another network, sending", to_other_network, true, false},
    {"another network, silent", to_other_network, false, false},
    {"the old network is deaf, sending", away_from_station, true, false},
    {"the old network is deaf, silent", away_from_station, false, false},
    {"no address in between, sending", none_for_a_while, true, false},
    {"no address in between, silent", none_for_a_while, false, false},
    // Errors of sending tell, or silence does.
    {"another address, sending, untold", lease_anew, true, true},
    {"another address, silent, untold", lease_anew, false, true},
    {"another network, sending, untold", to_other_network, true, true},
    {"another network, silent, untold", to_other_network, false, true},
    {"the old network is deaf, sending, untold", away_from_station, true, true},
    {"the old network is deaf, silent, untold", away_from_station, false, true},
    {"no address in between, sending, untold", none_for_a_while, true, true},
    {"no address in between, silent, untold", none_for_a_while, false, true},
};

static const enum hail_io_kind kinds[] = {HAIL_IO_EPOLL, HAIL_IO_AUTO};

// The machine knows its other router already. Otherwise it would ask for it in the name of the
// first packet's source, which is the old one, and again a second later.
static void meet_router(struct net *net, size_t client, size_t server)
{
    net_run(net, server, "ip link set eth1 address 02:00:00:00:00:01");
    net_run(net, client, "ip link set eth1 address 02:00:00:00:00:02");
    net_run(net, server, "ip neighbour add 10.0.2.2 lladdr 02:00:00:00:00:02 dev eth1");
    net_run(net, client, "ip neighbour add 10.0.2.1 lladdr 02:00:00:00:00:01 dev eth1");
}

static void build(struct net *net, size_t *client, size_t *server)
{
    net_init(net);
    *client = net_host(net);
    *server = net_host(net);
    net_link(net, *client, "eth0", *server, "eth0");
    net_link(net, *client, "eth1", *server, "eth1");
    net_run(net, *server, "ip address add 10.9.9.9/32 dev lo");
    net_run(net, *server, "ip address add 10.0.1.1/24 dev eth0");
    net_run(net, *server, "ip address add 10.0.2.1/24 dev eth1");
    net_run(net, *client, "ip address add 10.0.1.2/24 dev eth0");
    net_run(net, *client, "ip address add 10.0.2.2/24 dev eth1");
    net_run(net, *client, "ip route add default via 10.0.1.1");
    meet_router(net, *client, *server);
}

static void say(struct live_endpoint *from, struct hail_conn conn, size_t number)
{
    char text[32];
    const struct hail_message message = {
        .data = (const uint8_t *)text,
        .len = (size_t)snprintf(text, sizeof text, "message %zu", number),
        .flags = HAIL_ENCRYPTED,
        .channel = HAIL_RELIABLE_ORDERED,
    };

    ck_assert_int_eq(hail_send(from->endpoint, conn, &message), HAIL_OK);
}

static void expect(struct live_endpoint *at, size_t from, size_t count)
{
    char text[32];

    for (size_t i = from; i < from + count; i++) {
        (void)snprintf(text, sizeof text, "message %zu", i);
        const struct live_event *event = live_wait(at, HAIL_EVENT_MESSAGE, i);
        ck_assert_msg(live_says(event, text), "%zu: %.*s", i, (int)event->event.len,
                      (const char *)event->data);
    }
}

static struct hail_config config_of(enum hail_io_kind kind)
{
    struct hail_config config = live_config();

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.idle_timeout_ms = 6000; // of which a third is the time between pings
    config.io = kind;
    return config;
}

// A client, and where it lives.
struct start {
    struct net *net;
    size_t host;
    const struct row *row;
    const struct hail_config *config;
    struct live_endpoint *live;
};

// On a thread of its own, since what is denied stays denied.
static void *start_client(void *argument)
{
    struct start *start = argument;

    net_enter(start->net, start->host);
    if (start->row->untold)
        net_deny_netlink();
    live_start(start->live, start->config, false);
    return NULL;
}

START_TEST(test_move)
{
    const struct row *row = &rows[(size_t)_i / LIVE_COUNTOF(kinds)];
    struct hail_config config = config_of(kinds[(size_t)_i % LIVE_COUNTOF(kinds)]);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct net net;
    size_t client_host;
    size_t server_host;

    build(&net, &client_host, &server_host);
    net_enter(&net, server_host);
    config.address = "10.9.9.9";
    live_start(&server, &config, true);
    net_leave(&net);
    config.address = NULL;
    struct start start = {&net, client_host, row, &config, &client};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, start_client, &start), 0);
    pthread_join(thread, NULL);

    struct hail_target target = {.host = "10.9.9.9", .port = hail_port(server.endpoint)};
    ck_assert_int_eq(hail_connect(client.endpoint, &target), HAIL_OK);
    struct hail_conn server_conn = live_wait(&server, HAIL_EVENT_CONNECTED, 0)->event.conn;
    struct hail_conn client_conn = live_wait(&client, HAIL_EVENT_CONNECTED, 0)->event.conn;
    for (size_t i = 0; i < BEFORE; i++) {
        say(&server, server_conn, i);
        say(&client, client_conn, i);
    }
    expect(&client, 0, BEFORE);
    expect(&server, 0, BEFORE);

    row->move(&net, client_host, server_host);
    int64_t moved_ms = live_clock_ms();
    for (size_t i = BEFORE; i < BEFORE + MEANWHILE; i++) {
        say(&server, server_conn, i);
        if (row->client_sends)
            say(&client, client_conn, i);
    }
    expect(&client, BEFORE, MEANWHILE);
    if (row->client_sends)
        expect(&server, BEFORE, MEANWHILE);
    int64_t took_ms = live_clock_ms() - moved_ms;
    printf("%s: back after %lld ms\n", row->why, (long long)took_ms);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CLOSED), 0);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CLOSED), 0);
    ck_assert_uint_ge(live_stat(&client, "sources_changed"), 1);
    ck_assert_uint_ge(live_stat(&server, "paths_changed"), 1);
    live_stop(&client, 0);
    live_stop(&server, 0);
    net_cleanup(&net);
}
END_TEST

int main(void)
{
    if (!net_begin())
        return NET_SKIPPED;
    Suite *suite = suite_create("follow");
    TCase *tests = tcase_create("follow");

    tcase_set_timeout(tests, 4.0 * (double)live_patience_ms() / 1000.0);
    tcase_add_loop_test(tests, test_move, 0, LIVE_COUNTOF(rows) * LIVE_COUNTOF(kinds));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
