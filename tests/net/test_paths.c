// test_paths.c: a server on a machine with several addresses. Whatever it sends, answers to
// strangers and GSO batches included, leaves from the address that was asked: the clients' sockets
// are connected, so their kernel takes nothing else, and nothing else comes.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/live_endpoint.h"
#include "tests/net/net.h"

enum {
    ADDRESSES = 8,     // of each family
    CLIENTS = 100,     // at each
    AT_ONCE = 40,      // of one address, which may have only so many unfinished handshakes
    LONG_LEN = 12000,  // ten datagrams, which leave together
    CLIENTS_SLOW = 10, // likewise, where a sanitizer makes all of it many times slower
    CONNS_MAX = ADDRESSES * CLIENTS
};

struct row {
    const char *why;
    const char *bound; // the server's address
    bool is_v6;        // the clients' addresses
    enum hail_io_kind io;
    enum hail_cookie_use cookies;
};

static const struct row rows[] = {
    {"IPv4, io_uring", "0.0.0.0", false, HAIL_IO_AUTO, HAIL_COOKIE_ALWAYS},
    {"IPv4, epoll", "0.0.0.0", false, HAIL_IO_EPOLL, HAIL_COOKIE_UNDER_LOAD},
    {"IPv6, io_uring", "::", true, HAIL_IO_AUTO, HAIL_COOKIE_UNDER_LOAD},
    {"IPv6, epoll", "::", true, HAIL_IO_EPOLL, HAIL_COOKIE_ALWAYS},
    {"IPv4 on a socket for both, io_uring", "::", false, HAIL_IO_AUTO, HAIL_COOKIE_ALWAYS},
    {"IPv4 on a socket for both, epoll", "::", false, HAIL_IO_EPOLL, HAIL_COOKIE_UNDER_LOAD},
};

static void name(char *text, size_t len, bool is_v6, size_t number)
{
    (void)snprintf(text, len, is_v6 ? "fd00::1:%zu" : "10.0.0.%zu", number + 1);
}

static void build(struct net *net, size_t *client, size_t *server, bool is_v6)
{
    const char *prefix = is_v6 ? "64 nodad" : "24";
    char address[64];

    net_init(net);
    *client = net_host(net);
    *server = net_host(net);
    net_link(net, *client, "eth0", *server, "eth0");
    for (size_t i = 0; i < ADDRESSES; i++) {
        name(address, sizeof address, is_v6, i);
        net_run(net, *server, "ip address add %s/%s dev eth0", address, prefix);
    }
    name(address, sizeof address, is_v6, 99);
    net_run(net, *client, "ip address add %s/%s dev eth0", address, prefix);
}

// The server sends back what comes.
static void echo(struct live_endpoint *live, struct hail_endpoint *endpoint,
                 const struct hail_event *event)
{
    const struct hail_message message = {
        .data = event->data, .len = event->len, .flags = event->flags, .channel = event->channel};

    (void)live;
    if (event->type == HAIL_EVENT_MESSAGE)
        (void)hail_send(endpoint, event->conn, &message);
}

// What a host's kernel has thrown away because no socket wanted it.
static unsigned long unwanted(struct net *net, size_t host, bool is_v6)
{
    const char *file = is_v6 ? "/proc/thread-self/net/snmp6" : "/proc/thread-self/net/snmp";
    const char *key = is_v6 ? "Udp6NoPorts" : "Udp: ";
    char line[512];
    unsigned long found = 0;

    net_enter(net, host);
    FILE *stream = fopen(file, "re");
    net_leave(net);
    ck_assert_ptr_nonnull(stream);
    while (fgets(line, sizeof line, stream)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *numbers = line + strcspn(line, "0123456789");
        if (is_v6)
            numbers = line + strlen(key);
        char *next;
        unsigned long first = strtoul(numbers, &next, 10);
        found = is_v6 ? first : strtoul(next, NULL, 10); // the second is NoPorts
    }
    (void)fclose(stream);
    return found;
}

static size_t conn_count(void)
{
    return live_patience_ms() > 20000 ? ADDRESSES * CLIENTS_SLOW : CONNS_MAX;
}

static void join_all(struct live_endpoint *client, uint16_t port, bool is_v6)
{
    char address[64];

    for (size_t i = 0; i < conn_count(); i++) {
        name(address, sizeof address, is_v6, i % ADDRESSES);
        const struct hail_target target = {.host = address, .port = port, .tag = i};
        ck_assert_int_eq(hail_connect(client->endpoint, &target), HAIL_OK);
        if ((i + 1) % AT_ONCE == 0)
            live_wait(client, HAIL_EVENT_CONNECTED, i);
    }
}

static void talk(struct live_endpoint *client)
{
    static const uint8_t bytes[LONG_LEN];
    const struct hail_message messages[] = {
        {.data = bytes, .len = 100, .flags = HAIL_ENCRYPTED, .channel = HAIL_UNRELIABLE},
        {.data = bytes, .len = sizeof bytes, .flags = 0, .channel = HAIL_RELIABLE_ORDERED},
    };

    for (size_t i = 0; i < conn_count(); i++) {
        struct hail_conn conn = live_wait_tag(client, HAIL_EVENT_CONNECTED, i)->event.conn;
        for (size_t j = 0; j < LIVE_COUNTOF(messages); j++)
            ck_assert_int_eq(hail_send(client->endpoint, conn, &messages[j]), HAIL_OK);
        if ((i + 1) % AT_ONCE == 0)
            live_wait(client, HAIL_EVENT_MESSAGE, (i + 1) * LIVE_COUNTOF(messages) - 1);
    }
}

START_TEST(test_answers_from_where_it_was_asked)
{
    const struct row *row = &rows[_i];
    struct hail_config config = live_config();
    struct live_endpoint server = {.react = echo, .forgets_messages = true};
    struct live_endpoint client = {0};
    struct net net;
    size_t client_host;
    size_t server_host;

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.cookies = row->cookies;
    config.idle_timeout_ms = 60000;
    config.conns_max = CONNS_MAX;
    config.handshakes_max = CONNS_MAX;
    config.native.source_per_s = 1000000;
    config.io = row->io;
    build(&net, &client_host, &server_host, row->is_v6);
    net_enter(&net, server_host);
    config.address = row->bound;
    live_start(&server, &config, true);
    net_enter(&net, client_host);
    config.address = NULL;
    live_start(&client, &config, false);
    net_leave(&net);

    join_all(&client, hail_port(server.endpoint), row->is_v6);
    talk(&client);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CLOSED), 0);
    // On a machine so slow that answers are missed, clients take other ports, and what was on its
    // way to the old ones finds nobody.
    if (live_stat(&client, "sources_changed") == 0)
        ck_assert_uint_eq(unwanted(&net, client_host, row->is_v6), 0);
    // Each is told of the end, from the same address; if the kernel has no room for so many words
    // at once, they are lost.
    live_stop(&server, 0);
    live_wait(&client, HAIL_EVENT_CLOSED, conn_count() - 1);
    size_t told = 0;
    for (size_t i = 0; i < conn_count(); i++)
        told += live_wait_tag(&client, HAIL_EVENT_CLOSED, i)->event.reason == HAIL_CLOSED_BY_PEER;
    ck_assert_msg(told > conn_count() / 2, "%s: %zu were told", row->why, told);
    live_stop(&client, 0);
    net_cleanup(&net);
}
END_TEST

int main(void)
{
    if (!net_begin())
        return NET_SKIPPED;
    Suite *suite = suite_create("paths");
    TCase *tests = tcase_create("paths");

    tcase_set_timeout(tests, 4.0 * (double)live_patience_ms() / 1000.0);
    tcase_add_loop_test(tests, test_answers_from_where_it_was_asked, 0, LIVE_COUNTOF(rows));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
