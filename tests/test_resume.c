// test_resume.c: clients that come back with a ticket, on real sockets: to the server they left, to
// one that was started anew with the same ticket key or another, and where the ticket is not for;
// and by themselves, when they are told to.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/live_endpoint.h"

static const uint8_t ticket_key[HAIL_TICKET_KEY_LEN] = {1, 2, 3};
static const uint8_t other_key[HAIL_TICKET_KEY_LEN] = {4, 5, 6};

static struct hail_config config_of(void)
{
    struct hail_config config = live_config();

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.approves_all = true;
    return config;
}

struct ticket {
    size_t len;
    uint8_t bytes[HAIL_TICKET_MAX];
};

static struct ticket ticket_of(const struct live_endpoint *client, struct hail_conn conn)
{
    struct ticket ticket = {.len = sizeof ticket.bytes};

    ck_assert_int_eq(hail_ticket(client->endpoint, conn, ticket.bytes, &ticket.len), HAIL_OK);
    return ticket;
}

// Connects with a ticket, or NULL, and returns the client's CONNECTED event.
static struct hail_event come(struct live_endpoint *client, const char *host, uint16_t port,
                              uint64_t tag, const struct ticket *ticket)
{
    const struct hail_target target = {
        .host = host,
        .port = port,
        .tag = tag,
        .ticket = ticket ? ticket->bytes : NULL,
        .ticket_len = ticket ? ticket->len : 0,
    };

    ck_assert_int_eq(hail_connect(client->endpoint, &target), HAIL_OK);
    return live_wait_tag(client, HAIL_EVENT_CONNECTED, tag)->event;
}

// Everybody gets a fresh one with each connection; with any of them he comes back.
START_TEST(test_resumed)
{
    struct hail_config config = config_of();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct ticket tickets[3];

    config.native.exchange = HAIL_PINNED;
    uint8_t key[HAIL_STATIC_KEY_LEN];
    live_start(&server, &config, true);
    ck_assert_int_eq(hail_server_key(server.endpoint, key), HAIL_OK);
    config.native.static_key = key;
    live_start(&client, &config, false);
    uint16_t port = hail_port(server.endpoint);
    struct hail_event joined = come(&client, "127.0.0.1", port, 0, NULL);
    ck_assert(!joined.resumed);
    tickets[0] = ticket_of(&client, joined.conn);
    for (uint64_t i = 1; i < 3; i++) {
        joined = come(&client, "127.0.0.1", port, i, &tickets[i - 1]);
        ck_assert(joined.resumed);
        ck_assert(live_wait(&server, HAIL_EVENT_CONNECTED, i)->event.resumed);
        tickets[i] = ticket_of(&client, joined.conn);
        ck_assert(tickets[i].len != tickets[i - 1].len ||
                  memcmp(tickets[i].bytes, tickets[i - 1].bytes, tickets[i].len) != 0);
    }
    ck_assert(come(&client, "127.0.0.1", port, 3, &tickets[0]).resumed);
    ck_assert_uint_eq(live_stat(&server, "handshakes_resumed"), 3);
    ck_assert_uint_eq(live_stat(&client, "handshakes_resumed"), 3);
    ck_assert_uint_ge(live_stat(&server, "tickets_issued"), 4);

    // The keys of the resumed are their own, and what is said under them arrives.
    uint8_t keys[2][HAIL_KEY_LEN];
    ck_assert_int_eq(hail_client_key(client.endpoint, joined.conn, keys[0]), HAIL_OK);
    ck_assert_int_eq(hail_client_key(server.endpoint,
                                     live_wait(&server, HAIL_EVENT_CONNECTED, 2)->event.conn,
                                     keys[1]),
                     HAIL_OK);
    ck_assert_mem_eq(keys[0], keys[1], sizeof keys[0]);
    ck_assert_int_eq(live_send(&client, joined.conn, HAIL_ENCRYPTED, "back"), HAIL_OK);
    ck_assert(live_says(live_wait(&server, HAIL_EVENT_MESSAGE, 0), "back"));
    size_t len = HAIL_TICKET_MAX;
    ck_assert_int_eq(hail_ticket(server.endpoint,
                                 live_wait(&server, HAIL_EVENT_CONNECTED, 2)->event.conn,
                                 tickets[0].bytes, &len),
                     HAIL_ENOKEY);
    len = 10;
    ck_assert_int_eq(hail_ticket(client.endpoint, joined.conn, tickets[0].bytes, &len),
                     HAIL_EINVAL);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// A server that was started anew, on the same port.
static const struct {
    const char *why;
    const uint8_t *key; // of the second
    bool no_tickets;    // the second
    const char *host;   // to come back to
    bool resumed;
    const char *dropped; // by the second
} restarts[] = {
    {"another ticket key", other_key, false, "127.0.0.1", false, "dropped_ticket_key"},
    {"a key drawn at start", NULL, false, "127.0.0.1", false, "dropped_ticket_key"},
    {"no tickets any more", ticket_key, true, "127.0.0.1", false, "dropped_pattern"},
    {"by another name", ticket_key, false, "127.1", false, NULL},
    {"the same ticket key", ticket_key, false, "127.0.0.1", true, NULL},
};

START_TEST(test_restarted)
{
    struct hail_config config = config_of();
    struct hail_config client_config = config;
    struct live_endpoint servers[2] = {{0}, {0}};
    struct live_endpoint client = {0};

    config.native.ticket_key = ticket_key;
    live_start(&servers[0], &config, true);
    live_start(&client, &client_config, false);
    config.port = hail_port(servers[0].endpoint);
    struct hail_event first = come(&client, "127.0.0.1", config.port, 0, NULL);
    struct ticket ticket = ticket_of(&client, first.conn);
    live_stop(&servers[0], 1000);
    live_wait(&client, HAIL_EVENT_CLOSED, 0);

    config.native.ticket_key = restarts[_i].key;
    config.native.no_tickets = restarts[_i].no_tickets;
    live_start(&servers[1], &config, true);
    struct hail_event second = come(&client, restarts[_i].host, config.port, 1, &ticket);
    ck_assert_msg(second.resumed == restarts[_i].resumed, "%s", restarts[_i].why);
    ck_assert_uint_eq(live_stat(&servers[1], "handshakes_resumed"), restarts[_i].resumed);
    if (restarts[_i].dropped)
        ck_assert_msg(live_stat(&servers[1], restarts[_i].dropped) == 1, "%s", restarts[_i].why);
    live_stop(&client, 0);
    live_stop(&servers[1], 0);
}
END_TEST

// What is no ticket is refused at the call; one that was damaged where only the server sees it is
// refused by the server, and the handshake is done in full.
START_TEST(test_damaged)
{
    struct hail_config config = config_of();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    uint16_t port = hail_port(server.endpoint);
    struct ticket ticket = ticket_of(&client, come(&client, "127.0.0.1", port, 0, NULL).conn);
    struct hail_target target = {.host = "127.0.0.1", .port = port, .ticket = ticket.bytes};
    target.ticket_len = ticket.len - 1;
    ck_assert_int_eq(hail_connect(client.endpoint, &target), HAIL_EINVAL);
    target.ticket_len = 1;
    ck_assert_int_eq(hail_connect(client.endpoint, &target), HAIL_EINVAL);
    target.ticket_len = ticket.len;
    target.ticket = NULL;
    ck_assert_int_eq(hail_connect(client.endpoint, &target), HAIL_EINVAL);
    ticket.bytes[ticket.len - 1] ^= 1; // the ticket's tag
    ck_assert(!come(&client, "127.0.0.1", port, 1, &ticket).resumed);
    ck_assert_uint_eq(live_stat(&server, "dropped_ticket_forged"), 1);
    ticket.bytes[ticket.len - 1] ^= 1;
    ticket.bytes[60] ^= 1; // the client's key: the ticket is another's
    ck_assert(!come(&client, "127.0.0.1", port, 2, &ticket).resumed);
    ck_assert_uint_eq(live_stat(&server, "dropped_ticket_forged"), 2);
    ticket.bytes[60] ^= 1;
    ck_assert(come(&client, "127.0.0.1", port, 3, &ticket).resumed);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Floors that differ end the attempt, ticket or not: nothing is agreed on that was not before.
START_TEST(test_other_policy)
{
    struct hail_config config = config_of();
    struct hail_config strict = config;
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_endpoint other = {0};

    config.native.cookies = HAIL_COOKIE_ALWAYS; // and a ticket does not spare it
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    uint16_t port = hail_port(server.endpoint);
    struct ticket ticket = ticket_of(&client, come(&client, "127.0.0.1", port, 0, NULL).conn);
    strict.default_floor = HAIL_ENCRYPTED;
    live_start(&other, &strict, false);
    const struct hail_target target = {
        .host = "127.0.0.1", .port = port, .ticket = ticket.bytes, .ticket_len = ticket.len};
    ck_assert_int_eq(hail_connect(other.endpoint, &target), HAIL_OK);
    ck_assert_int_eq(live_wait(&other, HAIL_EVENT_CLOSED, 0)->event.reason, HAIL_CLOSED_CONFIG);
    ck_assert_uint_eq(live_stat(&server, "dropped_policy"), 1);
    ck_assert(come(&client, "127.0.0.1", port, 1, &ticket).resumed);
    ck_assert_uint_eq(live_stat(&server, "retries"), 2);
    live_stop(&other, 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- By itself

static void connect_for(struct live_endpoint *client, uint16_t port, uint64_t tag,
                        uint32_t reconnect_ms)
{
    const struct hail_target target = {
        .host = "127.0.0.1", .port = port, .tag = tag, .reconnect_ms = reconnect_ms};

    ck_assert_int_eq(hail_connect(client->endpoint, &target), HAIL_OK);
}

static const struct {
    const char *why;
    const uint8_t *key; // of the second server
    bool resumed;
} returns[] = {
    {"the same ticket key", ticket_key, true},
    {"another", other_key, false},
};

// The server goes down and up again: those who asked for it are there again, under new names that
// they were told, with the tags they had; whoever did not is not.
START_TEST(test_reconnects)
{
    enum {
        CLIENTS = 4
    };
    struct hail_config config = config_of();
    struct hail_config client_config = config;
    struct live_endpoint servers[2] = {{0}, {0}};
    struct live_endpoint client = {.polls = _i == 1};
    struct hail_conn next[CLIENTS];

    config.native.ticket_key = ticket_key;
    live_start(&servers[0], &config, true);
    live_start(&client, &client_config, false);
    config.port = hail_port(servers[0].endpoint);
    for (uint64_t tag = 0; tag < CLIENTS; tag++)
        connect_for(&client, config.port, tag, tag == 0 ? 0 : 60000);
    for (size_t i = 0; i < CLIENTS; i++)
        live_wait(&client, HAIL_EVENT_CONNECTED, i);
    live_stop(&servers[0], 1000);
    for (uint64_t tag = 0; tag < CLIENTS; tag++) {
        const struct hail_event *closed = &live_wait_tag(&client, HAIL_EVENT_CLOSED, tag)->event;
        ck_assert_int_eq(closed->reason, HAIL_CLOSED_BY_PEER);
        ck_assert_int_eq(closed->next.id != 0, tag != 0);
        ck_assert_uint_ne(closed->next.id, closed->conn.id);
        next[tag] = closed->next;
    }
    config.native.ticket_key = returns[_i].key;
    live_start(&servers[1], &config, true);
    for (uint64_t tag = 1; tag < CLIENTS; tag++) {
        const struct hail_event *back =
            &live_wait_conn(&client, HAIL_EVENT_CONNECTED, next[tag])->event;
        ck_assert_uint_eq(back->tag, tag);
        ck_assert_msg(back->resumed == returns[_i].resumed, "%s", returns[_i].why);
        ck_assert_int_eq(live_send(&client, back->conn, HAIL_ENCRYPTED, "back"), HAIL_OK);
        ck_assert(live_says(live_wait(&servers[1], HAIL_EVENT_MESSAGE, tag - 1), "back"));
    }
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CONNECTED), 2 * CLIENTS - 1);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CLOSED), CLIENTS);
    ck_assert_uint_ge(live_stat(&client, "reconnects"), CLIENTS - 1);

    // And once more: it is no affair of the first connection alone.
    live_stop(&servers[1], 1000);
    struct hail_event again = live_wait_conn(&client, HAIL_EVENT_CLOSED, next[1])->event;
    ck_assert_uint_ne(again.next.id, 0);
    struct live_endpoint third = {0};
    live_start(&third, &config, true);
    ck_assert(live_wait_conn(&client, HAIL_EVENT_CONNECTED, again.next)->event.resumed ==
              (returns[_i].key != NULL));
    live_stop(&client, 1000);
    live_stop(&third, 0);
}
END_TEST

// Nobody is there any more: it is given up when the time is over, or when the application says so.
START_TEST(test_gives_up)
{
    struct hail_config config = config_of();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    size_t len = HAIL_TICKET_MAX;
    uint8_t ticket[HAIL_TICKET_MAX];

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    uint16_t port = hail_port(server.endpoint);
    connect_for(&client, port, 1, 400);
    connect_for(&client, port, 2, 3600000);
    live_wait_tag(&client, HAIL_EVENT_CONNECTED, 1);
    live_wait_tag(&client, HAIL_EVENT_CONNECTED, 2);
    live_stop(&server, 1000);
    struct hail_event brief = live_wait_tag(&client, HAIL_EVENT_CLOSED, 1)->event;
    struct hail_event patient = live_wait_tag(&client, HAIL_EVENT_CLOSED, 2)->event;
    int64_t since_ms = live_clock_ms();
    ck_assert_int_eq(live_send(&client, patient.next, 0, "early"), HAIL_ESTATE);
    ck_assert_int_eq(hail_ticket(client.endpoint, patient.next, ticket, &len), HAIL_ENOKEY);
    ck_assert_int_eq(hail_close(client.endpoint, patient.next, 0, NULL), HAIL_OK);
    const struct hail_event *closed =
        &live_wait_conn(&client, HAIL_EVENT_CLOSED, patient.next)->event;
    ck_assert_int_eq(closed->reason, HAIL_CLOSED_BY_APPLICATION);
    ck_assert_uint_eq(closed->next.id, 0);
    closed = &live_wait_conn(&client, HAIL_EVENT_CLOSED, brief.next)->event;
    ck_assert(closed->reason == HAIL_CLOSED_CONNECT ||
              closed->reason == HAIL_CLOSED_HANDSHAKE_TIMEOUT);
    ck_assert_uint_eq(closed->next.id, 0);
    ck_assert_uint_eq(closed->tag, 1);
    ck_assert_int_lt(live_clock_ms() - since_ms, live_patience_ms());
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CLOSED), 4);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CONNECTED), 2);
    live_stop(&client, 0);
}
END_TEST

// What time does not mend: the server's application closes, or does not let the client in again.
START_TEST(test_not_wanted)
{
    struct hail_config config = config_of();
    struct hail_config client_config = config;
    struct live_endpoint servers[2] = {{0}, {0}};
    struct live_endpoint client = {0};

    config.approves_all = false;
    live_start(&servers[0], &config, true);
    live_start(&client, &client_config, false);
    config.port = hail_port(servers[0].endpoint);
    for (uint64_t tag = 0; tag < 2; tag++) {
        connect_for(&client, config.port, tag, 60000);
        struct hail_conn asks = live_wait(&servers[0], HAIL_EVENT_REQUEST, tag)->event.conn;
        ck_assert_int_eq(hail_approve(servers[0].endpoint, asks, tag), HAIL_OK);
        live_wait_tag(&client, HAIL_EVENT_CONNECTED, tag);
        if (tag == 0)
            ck_assert_int_eq(hail_close(servers[0].endpoint, asks, 0, NULL), HAIL_OK);
    }
    ck_assert_uint_eq(live_wait_tag(&client, HAIL_EVENT_CLOSED, 0)->event.next.id, 0);
    live_stop(&servers[0], 1000);
    struct hail_conn next = live_wait_tag(&client, HAIL_EVENT_CLOSED, 1)->event.next;
    ck_assert_uint_ne(next.id, 0);
    live_start(&servers[1], &config, true);
    ck_assert_int_eq(hail_deny(servers[1].endpoint,
                               live_wait(&servers[1], HAIL_EVENT_REQUEST, 0)->event.conn, "no"),
                     HAIL_OK);
    const struct hail_event *closed = &live_wait_conn(&client, HAIL_EVENT_CLOSED, next)->event;
    ck_assert_int_eq(closed->reason, HAIL_CLOSED_DENIED);
    ck_assert_uint_eq(closed->next.id, 0);
    live_stop(&client, 0);
    live_stop(&servers[1], 0);
}
END_TEST

// A client that is stopped while it waits, or tries, leaves nothing.
START_TEST(test_stopped)
{
    struct hail_config config = config_of();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    connect_for(&client, hail_port(server.endpoint), 1, 3600000);
    live_wait_tag(&client, HAIL_EVENT_CONNECTED, 1);
    live_stop(&server, 1000);
    struct hail_conn next = live_wait_tag(&client, HAIL_EVENT_CLOSED, 1)->event.next;
    live_drain(&client, 0);
    ck_assert_int_eq(live_wait_conn(&client, HAIL_EVENT_CLOSED, next)->event.reason,
                     HAIL_CLOSED_SHUTDOWN);
    live_stop(&client, 0);
}
END_TEST

// Whether tickets outlive the key that opens them.
static const struct {
    const char *why;
    uint32_t life_s;
    uint32_t rotation_s;
    const uint8_t *key;
    bool no_tickets;
    bool warns;
} warnings[] = {
    {"longer than the key's life", 7200, 3600, NULL, false, true},
    {"as long as the key's life", 3600, 3600, NULL, false, false},
    {"the default, which is no longer", 0, 3600, NULL, false, false},
    {"a key that is not rotated", 7200, 3600, ticket_key, false, false},
    {"there are no tickets", 7200, 3600, NULL, true, false},
};

START_TEST(test_warns)
{
    struct hail_config config = config_of();
    struct live_endpoint server = {0};

    config.native.ticket_life_s = warnings[_i].life_s;
    config.native.key_rotation_s = warnings[_i].rotation_s;
    config.native.ticket_key = warnings[_i].key;
    config.native.no_tickets = warnings[_i].no_tickets;
    live_start(&server, &config, true);
    ck_assert_msg(live_logged(&server, HAIL_LOG_WARN, "above key_rotation_s=3600") ==
                      warnings[_i].warns,
                  "%s: %s", warnings[_i].why, server.log);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume");
    TCase *tests = tcase_create("resume");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_resumed);
    tcase_add_loop_test(tests, test_restarted, 0, LIVE_COUNTOF(restarts));
    tcase_add_test(tests, test_damaged);
    tcase_add_test(tests, test_other_policy);
    tcase_add_loop_test(tests, test_reconnects, 0, LIVE_COUNTOF(returns));
    tcase_add_test(tests, test_gives_up);
    tcase_add_test(tests, test_not_wanted);
    tcase_add_test(tests, test_stopped);
    tcase_add_loop_test(tests, test_warns, 0, LIVE_COUNTOF(warnings));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
