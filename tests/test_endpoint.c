// test_endpoint.c: servers and clients from start to stop, over real sockets: how a client joins or
// is turned away, polled or called back, on every kind of I/O; how endpoints end, and what keeps
// them from starting.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/live_endpoint.h"

// Whether this system lets us have a kind of I/O. A test that needs one it refuses says so.
static bool has_io(enum hail_io_kind io)
{
    struct hail_config config = live_config();
    struct live_endpoint client = {0};

    config.io = io;
    enum hail_status status = live_try_start(&client, &config, false);
    ck_assert_msg(status == HAIL_OK || (status == HAIL_ESYS && io == HAIL_IO_URING), "%d: %s",
                  (int)status, client.log);
    if (status != HAIL_OK)
        printf("skipped: io_uring is refused here: %s", client.log);
    live_stop(&client, 0);
    return status == HAIL_OK;
}

START_TEST(test_io)
{
    static const char *const chosen[] = {
        [HAIL_IO_URING] = "io=uring", [HAIL_IO_EPOLL] = "io=epoll"};
    struct hail_config config = live_config();
    enum hail_io_kind want = (enum hail_io_kind)_i;
    struct live_endpoint client = {0};

    config.io = want;
    if (!has_io(want))
        return;
    if (want == HAIL_IO_AUTO)
        want = has_io(HAIL_IO_URING) ? HAIL_IO_URING : HAIL_IO_EPOLL;
    live_start(&client, &config, false);
    enum hail_log_level level =
        config.io == HAIL_IO_AUTO && want == HAIL_IO_EPOLL ? HAIL_LOG_WARN : HAIL_LOG_INFO;
    ck_assert_msg(live_logged(&client, level, chosen[want]), "%s", client.log);
    live_stop(&client, 0);
}
END_TEST

// How the two ends are run.
static const struct {
    const char *why;
    bool server_polls;
    bool client_polls;
    enum hail_io_kind io;
    bool encryption;
    const char *conn_data; // NULL: connection requests carry none
} joins[] = {
    {"both called back", false, false, HAIL_IO_AUTO, true, NULL},
    {"the server polls", true, false, HAIL_IO_AUTO, true, "token-123"},
    {"the client polls", false, true, HAIL_IO_AUTO, true, NULL},
    {"both poll", true, true, HAIL_IO_AUTO, true, NULL},
    {"io_uring, called back", false, false, HAIL_IO_URING, true, "token-123"},
    {"io_uring, polling", true, true, HAIL_IO_URING, true, NULL},
    {"epoll, called back", false, false, HAIL_IO_EPOLL, true, "token-123"},
    {"epoll, polling", true, true, HAIL_IO_EPOLL, true, NULL},
    {"without encryption, called back", false, false, HAIL_IO_AUTO, false, ""},
    {"without encryption, polling", true, true, HAIL_IO_AUTO, false, "token-123"},
};

// One message of each protection, there and back.
static void exchange(struct live_endpoint *server, struct live_endpoint *client,
                     const struct live_pair *pair, bool encryption, const char *why)
{
    char text[64];

    for (uint32_t flags = 0; flags <= (encryption ? 3u : 0u); flags++) {
        snprintf(text, sizeof text, "to the server under %u", flags);
        ck_assert_int_eq(live_send(client, pair->client, flags, text), HAIL_OK);
        const struct live_event *there = live_wait(server, HAIL_EVENT_MESSAGE, flags);
        ck_assert_msg(live_says(there, text), "%s", why);
        ck_assert_uint_eq(there->event.flags, flags);
        ck_assert_uint_eq(there->event.conn.id, pair->server.id);
        ck_assert_uint_eq(there->event.tag, 99);
        ck_assert(!there->event.named);

        snprintf(text, sizeof text, "to the client under %u", flags);
        ck_assert_int_eq(live_send(server, pair->server, flags, text), HAIL_OK);
        const struct live_event *back = live_wait(client, HAIL_EVENT_MESSAGE, flags);
        ck_assert_msg(live_says(back, text), "%s", why);
        ck_assert_uint_eq(back->event.flags, flags);
        ck_assert_uint_eq(back->event.conn.id, pair->client.id);
        ck_assert_uint_eq(back->event.tag, 42);
    }
    for (uint32_t flags = 1; flags <= 3 && !encryption; flags++) {
        ck_assert_int_eq(live_send(client, pair->client, flags, "secret"), HAIL_ENOKEY);
        ck_assert_int_eq(live_send(server, pair->server, flags, "secret"), HAIL_ENOKEY);
    }
    ck_assert_int_eq(live_send(client, pair->client, 4, "no such flag"), HAIL_EINVAL);
}

START_TEST(test_join)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {.polls = joins[_i].server_polls};
    struct live_endpoint client = {.polls = joins[_i].client_polls};
    const char *data = joins[_i].conn_data ? joins[_i].conn_data : "";
    struct live_pair pair;

    if (!has_io(joins[_i].io))
        return;
    config.io = joins[_i].io;
    config.approves_all = false;
    config.mlapi.enable_encryption = joins[_i].encryption;
    config.mlapi.connection_approval = joins[_i].conn_data != NULL;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    const struct hail_target target = {
        .host = "127.0.0.1",
        .port = hail_port(server.endpoint),
        .conn_data = data,
        .conn_data_len = strlen(data),
        .tag = 42,
    };
    ck_assert_int_eq(hail_connect(client.endpoint, &target), HAIL_OK);

    const struct live_event *request = live_wait(&server, HAIL_EVENT_REQUEST, 0);
    ck_assert_msg(live_says(request, data), "%s", joins[_i].why);
    ck_assert_uint_eq(request->event.flags, joins[_i].encryption ? 3 : 0);
    pair.server = request->event.conn;
    ck_assert_int_eq(live_send(&server, pair.server, 0, "too early"), HAIL_ESTATE);
    ck_assert_int_eq(hail_approve(server.endpoint, pair.server, 99), HAIL_OK);
    const struct live_event *connected = live_wait(&client, HAIL_EVENT_CONNECTED, 0);
    ck_assert_uint_eq(connected->event.tag, 42);
    pair.client = connected->event.conn;
    const struct live_event *joined = live_wait(&server, HAIL_EVENT_CONNECTED, 0);
    ck_assert_uint_eq(joined->event.conn.id, pair.server.id);
    ck_assert_uint_eq(joined->event.tag, 99);
    ck_assert_uint_eq(joined->event.client_id, connected->event.client_id);

    exchange(&server, &client, &pair, joins[_i].encryption, joins[_i].why);

    // What is queued before a close still arrives, and then both ends know how it ended.
    ck_assert_int_eq(live_send(&server, pair.server, 0, "goodbye"), HAIL_OK);
    ck_assert_int_eq(hail_close(server.endpoint, pair.server, 0, NULL), HAIL_OK);
    const struct live_event *closed = live_wait(&server, HAIL_EVENT_CLOSED, 0);
    ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_BY_APPLICATION);
    closed = live_wait(&client, HAIL_EVENT_CLOSED, 0);
    ck_assert_msg(closed->event.reason == HAIL_CLOSED_BY_PEER, "%s", joins[_i].why);
    ck_assert_uint_eq(closed->event.tag, 42);
    ck_assert(
        live_says(live_wait(&client, HAIL_EVENT_MESSAGE, joins[_i].encryption ? 4 : 1), "goodbye"));
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

static const char two_hundred[] =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
    "4567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
    "890123456789";

static const struct {
    const char *why;
    bool polls;
    const char *reason;
    const char *text; // in the event; NULL: none
} denials[] = {
    {"with a reason, called back", false, "no seats left", "no seats left"},
    {"with a reason, polling", true, "no seats left", "no seats left"},
    {"without a reason", false, NULL, NULL},
    {"an empty reason is none", true, "", NULL},
    {"a reason that is too long is cut", false, NULL, two_hundred},
};

START_TEST(test_deny)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {.polls = denials[_i].polls};
    struct live_endpoint client = {0};
    char long_reason[300];
    const char *reason = denials[_i].reason;

    ck_assert_uint_eq(strlen(two_hundred), 200);
    if (denials[_i].text == two_hundred) {
        snprintf(long_reason, sizeof long_reason, "%sand more", two_hundred);
        reason = long_reason;
    }
    config.approves_all = false;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_connect(&client, &server, 7);
    struct hail_conn conn = live_wait(&server, HAIL_EVENT_REQUEST, 0)->event.conn;
    ck_assert_int_eq(hail_deny(server.endpoint, conn, reason), HAIL_OK);

    const struct live_event *closed = live_wait(&server, HAIL_EVENT_CLOSED, 0);
    ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_DENIED);
    if (denials[_i].text) {
        ck_assert_ptr_nonnull(closed->text);
        ck_assert_msg(strcmp(closed->text, denials[_i].text) == 0, "%s: %s", denials[_i].why,
                      closed->text);
    } else {
        ck_assert_msg(closed->text == NULL, "%s: %s", denials[_i].why, closed->text);
    }
    // MLAPI has no message that says why: the client learns that it is not let in.
    closed = live_wait(&client, HAIL_EVENT_CLOSED, 0);
    ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_BY_PEER);
    ck_assert_uint_eq(closed->event.tag, 7);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CONNECTED), 0);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CONNECTED), 0);
    ck_assert_int_eq(hail_approve(server.endpoint, conn, 1), HAIL_EGONE);
    ck_assert_uint_eq(live_stat(&server, "closed_denied"), 1);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Decisions made by a thread that is neither the server's nor the test's, in an order of its own.
struct decider {
    struct hail_endpoint *server;
    struct hail_conn conns[6];
    enum hail_status statuses[6];
};

static void *decide(void *user)
{
    struct decider *decider = user;

    for (size_t i = LIVE_COUNTOF(decider->conns); i-- > 0;)
        decider->statuses[i] = i % 2 == 0
                                   ? hail_approve(decider->server, decider->conns[i], 100 + i)
                                   : hail_deny(decider->server, decider->conns[i], "odd");
    return NULL;
}

START_TEST(test_decide_later)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {.polls = _i};
    struct live_endpoint client = {0};
    struct decider decider;
    pthread_t thread;

    config.approves_all = false;
    config.shard_count = 2;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    for (size_t i = 0; i < LIVE_COUNTOF(decider.conns); i++) {
        live_connect(&client, &server, i);
        decider.conns[i] = live_wait(&server, HAIL_EVENT_REQUEST, i)->event.conn;
    }
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CONNECTED), 0);
    decider.server = server.endpoint;
    ck_assert_int_eq(pthread_create(&thread, NULL, decide, &decider), 0);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < LIVE_COUNTOF(decider.conns); i++) {
        bool even = i % 2 == 0;
        ck_assert_int_eq(decider.statuses[i], HAIL_OK);
        live_wait_tag(&client, even ? HAIL_EVENT_CONNECTED : HAIL_EVENT_CLOSED, i);
        const struct live_event *event = live_wait_conn(
            &server, even ? HAIL_EVENT_CONNECTED : HAIL_EVENT_CLOSED, decider.conns[i]);
        ck_assert_uint_eq(event->event.tag, even ? 100 + i : 0);
    }
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CONNECTED), 3);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CLOSED), 3);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Decisions made in the callback itself act at once, and say so.
static void approve_twice(struct live_endpoint *live, struct hail_endpoint *endpoint,
                          const struct hail_event *event)
{
    enum hail_status *statuses = live->user;

    if (event->type != HAIL_EVENT_REQUEST)
        return;
    statuses[0] = hail_approve(endpoint, event->conn, 5);
    statuses[1] = hail_approve(endpoint, event->conn, 6);
    statuses[2] = hail_deny(endpoint, event->conn, "too late");
}

START_TEST(test_decide_at_once)
{
    struct hail_config config = live_config();
    enum hail_status statuses[3];
    struct live_endpoint server = {.react = approve_twice, .user = statuses};
    struct live_endpoint client = {0};

    config.approves_all = false;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_connect(&client, &server, 1);
    live_wait(&client, HAIL_EVENT_CONNECTED, 0);
    ck_assert_uint_eq(live_wait(&server, HAIL_EVENT_CONNECTED, 0)->event.tag, 5);
    ck_assert_int_eq(statuses[0], HAIL_OK);
    ck_assert_int_eq(statuses[1], HAIL_ESTATE);
    ck_assert_int_eq(statuses[2], HAIL_ESTATE);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// A client that leaves before anybody has decided is gone, and deciding says so.
START_TEST(test_leave_before_decision)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};

    config.approves_all = false;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_connect(&client, &server, 1);
    struct hail_conn conn = live_wait(&server, HAIL_EVENT_REQUEST, 0)->event.conn;
    live_stop(&client, 0);
    const struct live_event *closed = live_wait(&server, HAIL_EVENT_CLOSED, 0);
    ck_assert_uint_eq(closed->event.conn.id, conn.id);
    ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_BY_PEER);
    ck_assert_int_eq(hail_approve(server.endpoint, conn, 1), HAIL_EGONE);
    ck_assert_int_eq(hail_deny(server.endpoint, conn, NULL), HAIL_EGONE);
    live_stop(&server, 0);
}
END_TEST

// A TCP socket that listens on loopback, for ports that are taken.
static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

START_TEST(test_connect_refused)
{
    const struct hail_config config = live_config();
    struct live_endpoint client = {.polls = _i};
    struct hail_target target = {.host = "127.0.0.1", .tag = 3};

    int fd = listen_somewhere(&target.port);
    close(fd); // nobody listens there now
    live_start(&client, &config, false);
    ck_assert_int_eq(hail_connect(client.endpoint, &target), HAIL_OK);
    const struct live_event *closed = live_wait_tag(&client, HAIL_EVENT_CLOSED, 3);
    ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_CONNECT);
    ck_assert_ptr_nonnull(closed->text);
    ck_assert_msg(strstr(closed->text, "Connection refused") != NULL, "%s", closed->text);
    ck_assert_uint_eq(live_stat(&client, "closed_connect"), 1);
    ck_assert_uint_eq(live_stat(&client, "conns_open"), 0);
    live_stop(&client, 0);
}
END_TEST

START_TEST(test_two_servers)
{
    const struct hail_config config = live_config();
    struct live_endpoint servers[2] = {{.polls = true}, {.polls = false}};
    struct live_endpoint client = {0};
    struct live_pair pairs[2];

    for (size_t i = 0; i < 2; i++)
        live_start(&servers[i], &config, true);
    live_start(&client, &config, false);
    ck_assert_uint_ne(hail_port(servers[0].endpoint), hail_port(servers[1].endpoint));
    for (size_t i = 0; i < 2; i++)
        live_join(&pairs[i], 1, &servers[i], &client, i);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(live_send(&client, pairs[i].client, 3, i == 0 ? "zero" : "one"), HAIL_OK);
    ck_assert(live_says(live_wait(&servers[0], HAIL_EVENT_MESSAGE, 0), "zero"));
    ck_assert(live_says(live_wait(&servers[1], HAIL_EVENT_MESSAGE, 0), "one"));

    // One of them going away is nothing to the other.
    live_stop(&servers[0], 1000);
    ck_assert_int_eq(live_wait_tag(&client, HAIL_EVENT_CLOSED, 0)->event.reason,
                     HAIL_CLOSED_BY_PEER);
    ck_assert_int_eq(live_send(&client, pairs[1].client, 3, "still there"), HAIL_OK);
    ck_assert(live_says(live_wait(&servers[1], HAIL_EVENT_MESSAGE, 1), "still there"));
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CLOSED), 1);
    live_stop(&client, 0);
    live_stop(&servers[1], 0);
}
END_TEST

// What keeps an endpoint from starting: the status, and what the log says of it.
enum flaw {
    FLAW_PORT,
    FLAW_ADDRESS,
    FLAW_FOREIGN_ADDRESS,
    FLAW_PROFILE,
    FLAW_IO,
    FLAW_SIZE,
    FLAW_IDENTITY,
    FLAW_NO_IDENTITY,
    FLAW_FLOOR
};

static const struct {
    const char *why;
    enum flaw flaw;
    enum hail_status want;
    const char *logged; // NULL: nothing has to be
} flaws[] = {
    {"somebody has the port", FLAW_PORT, HAIL_ESYS, "bind: Address already in use"},
    {"the address is a name", FLAW_ADDRESS, HAIL_EINVAL, "address value=localhost"},
    {"the address is another machine's", FLAW_FOREIGN_ADDRESS, HAIL_ESYS, "bind: "},
    {"no profile", FLAW_PROFILE, HAIL_EINVAL, "field=profile"},
    {"no such I/O", FLAW_IO, HAIL_EINVAL, "field=io"},
    {"a config of no size", FLAW_SIZE, HAIL_EINVAL, NULL},
    {"a certificate that is not there", FLAW_IDENTITY, HAIL_EIDENTITY, "/nonexistent/server.pfx"},
    {"no certificate to sign with", FLAW_NO_IDENTITY, HAIL_EINVAL, "field=identity_file"},
    {"a floor that nothing can meet", FLAW_FLOOR, HAIL_EINVAL, "field=default_floor"},
};

static void make_flaw(struct hail_config *config, enum flaw flaw)
{
    switch (flaw) {
    case FLAW_PORT:
        return; // the caller's
    case FLAW_ADDRESS:
        config->address = "localhost";
        return;
    case FLAW_FOREIGN_ADDRESS:
        config->address = "192.0.2.1"; // for documentation (RFC 5737): nobody's
        return;
    case FLAW_PROFILE:
        config->profile = HAIL_PROFILE_NONE;
        return;
    case FLAW_IO:
        config->io = (enum hail_io_kind)9;
        return;
    case FLAW_SIZE:
        config->size = 0;
        return;
    case FLAW_IDENTITY:
        config->identity_file = "/nonexistent/server.pfx";
        config->mlapi.sign_key_exchange = true;
        return;
    case FLAW_NO_IDENTITY:
        config->mlapi.sign_key_exchange = true;
        return;
    case FLAW_FLOOR:
        config->mlapi.enable_encryption = false;
        config->default_floor = HAIL_ENCRYPTED;
        return;
    }
}

START_TEST(test_start_refused)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {0};
    struct live_endpoint first = {0};

    if (flaws[_i].flaw == FLAW_PORT) {
        live_start(&first, &config, true);
        config.port = hail_port(first.endpoint);
    }
    config.shard_count = 2;
    make_flaw(&config, flaws[_i].flaw);
    enum hail_status got = live_try_start(&server, &config, true);
    ck_assert_msg(got == flaws[_i].want, "%s: %s", flaws[_i].why, hail_strerror(got));
    ck_assert_msg(server.endpoint == NULL, "%s: an endpoint all the same", flaws[_i].why);
    if (flaws[_i].logged)
        ck_assert_msg(live_logged(&server, HAIL_LOG_ERROR, flaws[_i].logged), "%s: %s",
                      flaws[_i].why, server.log);
    live_stop(&server, 0);
    if (first.endpoint) { // and it has not noticed
        const struct hail_config plain = live_config();
        struct live_endpoint client = {0};
        struct live_pair pair;
        live_start(&client, &plain, false);
        live_join(&pair, 1, &first, &client, 0);
        live_stop(&client, 0);
        live_stop(&first, 0);
    }
}
END_TEST

// A port that a stranger's socket listens on is as taken as one of ours.
START_TEST(test_port_of_stranger)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {0};
    int fd = listen_somewhere(&config.port);

    ck_assert_int_eq(live_try_start(&server, &config, true), HAIL_ESYS);
    ck_assert_msg(live_logged(&server, HAIL_LOG_ERROR, "another process has the port"), "%s",
                  server.log);
    live_stop(&server, 0);
    close(fd);

    // And free when it is gone.
    live_start(&server, &config, true);
    ck_assert_uint_eq(hail_port(server.endpoint), config.port);
    live_stop(&server, 0);
}
END_TEST

// A config of a later version: longer, and this build cannot know what the rest means.
START_TEST(test_newer_config)
{
    struct {
        struct hail_config config;
        uint64_t later;
    } newer = {.config = live_config()};
    struct hail_endpoint *endpoint = NULL;

    newer.config.size = sizeof newer;
    newer.later = 1;
    ck_assert_int_eq(hail_client_start(&endpoint, &newer.config), HAIL_EABI);
    ck_assert_ptr_null(endpoint);
    newer.later = 0; // not used
    ck_assert_int_eq(hail_client_start(&endpoint, &newer.config), HAIL_OK);
    hail_stop(endpoint, 0);
}
END_TEST

static const struct {
    const char *why;
    bool polls; // the end that stops
    bool server_stops;
    uint16_t shard_count;
    enum hail_io_kind io;
} stops[] = {
    {"a server, called back", false, true, 2, HAIL_IO_AUTO},
    {"a server, polling", true, true, 2, HAIL_IO_AUTO},
    {"a server on epoll", false, true, 2, HAIL_IO_EPOLL},
    {"a client, called back", false, false, 2, HAIL_IO_AUTO},
    {"a client, polling", true, false, 1, HAIL_IO_AUTO},
    {"a client on epoll", false, false, 1, HAIL_IO_EPOLL},
};

enum {
    STOP_CONNS = 6,
    FAREWELL_LEN = 60000
};

START_TEST(test_stop)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {.polls = stops[_i].polls && stops[_i].server_stops};
    struct live_endpoint client = {.polls = stops[_i].polls && !stops[_i].server_stops};
    struct live_endpoint *stopping = stops[_i].server_stops ? &server : &client;
    struct live_endpoint *other = stops[_i].server_stops ? &client : &server;
    struct live_pair pairs[STOP_CONNS];
    static const uint8_t farewell[FAREWELL_LEN];
    const struct hail_message message = {.data = farewell, .len = sizeof farewell, .flags = 3};

    config.shard_count = stops[_i].shard_count;
    config.io = stops[_i].io;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(pairs, STOP_CONNS, &server, &client, 0);
    ck_assert_uint_eq(live_stat(stopping, "conns_open"), STOP_CONNS);
    ck_assert_int_eq(hail_send_all(stopping->endpoint, &message), HAIL_OK);
    int64_t start_ms = live_clock_ms();
    live_drain(stopping, (uint32_t)live_patience_ms());
    ck_assert_msg(live_clock_ms() - start_ms < live_patience_ms(), "%s: takes all the time it may",
                  stops[_i].why);

    // What was queued went first; then the other end learns of it; here everything has an end.
    for (size_t i = 0; i < STOP_CONNS; i++) {
        const struct live_event *closed = live_wait(other, HAIL_EVENT_CLOSED, i);
        ck_assert_msg(closed->event.reason == HAIL_CLOSED_BY_PEER, "%s: %s", stops[_i].why,
                      hail_close_reason_name(closed->event.reason));
        ck_assert_uint_eq(live_wait(other, HAIL_EVENT_MESSAGE, i)->event.len, FAREWELL_LEN);
    }
    if (!stopping->polls) {
        ck_assert_uint_eq(live_count(stopping, HAIL_EVENT_CLOSED), STOP_CONNS);
        for (size_t i = 0; i < STOP_CONNS; i++)
            ck_assert_int_eq(live_wait(stopping, HAIL_EVENT_CLOSED, i)->event.reason,
                             HAIL_CLOSED_SHUTDOWN);
    }
    ck_assert_uint_eq(live_stat(stopping, "closed_shutdown"), STOP_CONNS);
    ck_assert_uint_eq(live_stat(stopping, "conns_open"), 0);
    ck_assert_uint_eq(live_stat(stopping, "handshakes_open"), 0);
    ck_assert_uint_eq(live_stat(stopping, "bytes_waiting"), 0);
    ck_assert_uint_eq(live_stat(stopping, "messages_out_both"), STOP_CONNS);
    ck_assert_uint_ge(live_stat(stopping, "bytes_out"), STOP_CONNS * FAREWELL_LEN);
    ck_assert_uint_eq(live_stat(stopping, "sends_failed"), 0);
    ck_assert_uint_eq(live_stat(other, "closed_by_peer"), STOP_CONNS);
    ck_assert_uint_eq(live_stat(other, "messages_in_both"), STOP_CONNS);
    live_stop(stopping, 0);
    live_stop(other, 0);
}
END_TEST

// Clients that still wait for the server's decision learn as well that there will be none.
START_TEST(test_stop_undecided)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};

    config.approves_all = false;
    config.io = (enum hail_io_kind)_i;
    if (!has_io(config.io))
        return;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    for (size_t i = 0; i < 3; i++)
        live_connect(&client, &server, i);
    live_wait(&server, HAIL_EVENT_REQUEST, 2);
    live_drain(&server, 0);
    ck_assert_uint_eq(live_count(&server, HAIL_EVENT_CLOSED), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(live_wait(&server, HAIL_EVENT_CLOSED, i)->event.reason,
                         HAIL_CLOSED_SHUTDOWN);
        ck_assert_int_eq(live_wait_tag(&client, HAIL_EVENT_CLOSED, i)->event.reason,
                         HAIL_CLOSED_BY_PEER);
    }
    ck_assert_uint_eq(live_stat(&server, "handshakes_open"), 0);
    live_stop(&server, 0);
    live_stop(&client, 0);
}
END_TEST

enum {
    LAST_WORDS = 200
};

// What was sent before hail_drain is sent, however late: the thread that sends and the shard race.
START_TEST(test_last_words)
{
    const struct hail_config config = live_config();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&client, &config, false);
    live_start(&server, &config, true);
    live_join(&pair, 1, &server, &client, 0);
    for (int i = 0; i < LAST_WORDS; i++)
        ck_assert_int_eq(live_send(&server, pair.server, 0, "word"), HAIL_OK);
    live_drain(&server, (uint32_t)live_patience_ms());
    live_wait(&client, HAIL_EVENT_CLOSED, 0);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_MESSAGE), LAST_WORDS);
    ck_assert_uint_eq(live_stat(&server, "sends_failed"), 0);
    live_stop(&server, 0);
    live_stop(&client, 0);
}
END_TEST

// Connections asked for just before the end: hail_drain ends, and each of them is told of.
START_TEST(test_last_connects)
{
    const struct hail_config config = live_config();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (uint64_t i = 1; i <= 20; i++)
        live_connect(&client, &server, i);
    live_drain(&client, 0);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CLOSED), 21);
    ck_assert_uint_eq(live_stat(&client, "closed_shutdown"), 21);
    ck_assert_uint_eq(live_stat(&client, "conns_open"), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// A client that always comes back: in the callback that tells of the end, it connects again.
static void come_back(struct live_endpoint *live, struct hail_endpoint *endpoint,
                      const struct hail_event *event)
{
    const uint16_t *port = live->user;
    const struct hail_target target = {.host = "127.0.0.1", .port = *port, .tag = event->tag + 1};

    if (event->type == HAIL_EVENT_CLOSED)
        (void)hail_connect(endpoint, &target); // HAIL_ESTATE when the endpoint is being stopped
}

// It does not keep its endpoint from stopping.
START_TEST(test_stop_and_come_back)
{
    struct hail_config config = live_config();
    uint16_t port;
    struct live_endpoint server = {0};
    struct live_endpoint client = {.react = come_back, .user = &port};
    struct live_pair pairs[4];

    config.io = (enum hail_io_kind)_i;
    if (!has_io(config.io))
        return;
    live_start(&server, &config, true);
    port = hail_port(server.endpoint);
    config.shard_count = 2;
    live_start(&client, &config, false);
    live_join(pairs, 4, &server, &client, 0);
    ck_assert_int_eq(hail_close(server.endpoint, pairs[0].server, 0, NULL), HAIL_OK);
    live_wait(&client, HAIL_EVENT_CONNECTED, 4); // it has come back
    live_drain(&client, 0);
    ck_assert_uint_eq(live_stat(&client, "conns_open"), 0);
    // More, where one shard began what another had been asked for before it stopped.
    ck_assert_uint_ge(live_stat(&client, "closed_shutdown"), 4);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *tests = tcase_create("endpoint");

    tcase_set_timeout(tests, 4.0 * (double)live_patience_ms() / 1000.0);
    tcase_add_loop_test(tests, test_io, HAIL_IO_AUTO, HAIL_IO_EPOLL + 1);
    tcase_add_loop_test(tests, test_join, 0, LIVE_COUNTOF(joins));
    tcase_add_loop_test(tests, test_deny, 0, LIVE_COUNTOF(denials));
    tcase_add_loop_test(tests, test_decide_later, 0, 2);
    tcase_add_test(tests, test_decide_at_once);
    tcase_add_test(tests, test_leave_before_decision);
    tcase_add_loop_test(tests, test_connect_refused, 0, 2);
    tcase_add_test(tests, test_two_servers);
    tcase_add_loop_test(tests, test_start_refused, 0, LIVE_COUNTOF(flaws));
    tcase_add_test(tests, test_port_of_stranger);
    tcase_add_test(tests, test_newer_config);
    tcase_add_loop_test(tests, test_stop, 0, LIVE_COUNTOF(stops));
    tcase_add_loop_test(tests, test_stop_undecided, HAIL_IO_AUTO, HAIL_IO_EPOLL + 1);
    tcase_add_loop_test(tests, test_last_words, 0, 20);
    tcase_add_loop_test(tests, test_last_connects, 0, 10);
    tcase_add_loop_test(tests, test_stop_and_come_back, HAIL_IO_AUTO, HAIL_IO_EPOLL + 1);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
