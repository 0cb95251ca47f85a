// test_heap.c: once connections are there, nothing that travels on them makes any thread allocate:
// not on the shards, not in the calls, on no profile and no backend, from the first message on.
//
// Handshakes are left out: BoringSSL allocates in them, and getaddrinfo in hail_connect.
// SPDX-License-Identifier: MIT
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/live_endpoint.h"
#include "tests/malloc_count.h"

enum {
    CONNS = 20,
    ROUNDS = 100, // enough for 1,024 packets each way, after which keys change when asked to
    CHANNELS = 4,
    PROTECTIONS = 4,
    SHORT = 64,
    LONG = 20 * 1024, // many packets
    MANY = CONNS * ROUNDS * CHANNELS * PROTECTIONS,
    MEMBERS = CONNS / 2,
    COUNTERS = 256
};

static const struct hail_handler handlers[] = {
    {.kind = HAIL_HANDLER_MESSAGE, .name = "news"},
    {.kind = HAIL_HANDLER_RPC, .name = "ask"},
};

// What the ends have heard of. The callbacks must not fail the test, which would allocate, nor does
// the test's thread before the trap is open.
struct heard {
    size_t connected;
    size_t echoes;  // at the client, on channels that must bring them
    size_t news;    // at the client, by groups and to all
    size_t answers; // at either end
    size_t closed;
    size_t refused; // calls that did not return HAIL_OK
};

struct ends {
    struct hail_endpoint *server;
    struct hail_endpoint *client;
    bool polls; // the client does
    uint64_t news;
    uint64_t ask;
    struct hail_conn at_server[CONNS];
    struct hail_conn at_client[CONNS];
    size_t at_server_count;
    size_t at_client_count;

    pthread_mutex_t lock; // of what follows
    pthread_cond_t change;
    struct heard heard;
    const char *refused; // by what
};

static void expect_ok(struct ends *ends, const char *what, enum hail_status status)
{
    if (status == HAIL_OK)
        return;
    pthread_mutex_lock(&ends->lock);
    ends->heard.refused++;
    ends->refused = what;
    pthread_mutex_unlock(&ends->lock);
}

static void ask(struct ends *ends, struct hail_endpoint *endpoint, struct hail_conn conn,
                uint64_t id)
{
    const struct hail_rpc call = {.name_hash = ends->ask,
                                  .args = &id,
                                  .len = sizeof id,
                                  .flags = HAIL_ENCRYPTED | HAIL_AUTHENTICATED,
                                  .wants_response = true,
                                  .call_id = id};

    expect_ok(ends, "hail_call", hail_call(endpoint, conn, &call));
}

static void look(struct ends *ends, struct hail_endpoint *endpoint, struct hail_conn conn)
{
    struct hail_conn_info info = {.size = sizeof info};
    struct hail_counter counters[COUNTERS];

    expect_ok(ends, "hail_get_conn_info", hail_get_conn_info(endpoint, conn, &info));
    if (hail_stats(endpoint, counters, COUNTERS) > COUNTERS)
        expect_ok(ends, "hail_stats", HAIL_EFULL);
}

static void echo(struct ends *ends, struct hail_endpoint *endpoint, const struct hail_event *event)
{
    const struct hail_message message = {
        .data = event->data, .len = event->len, .flags = event->flags, .channel = event->channel};

    expect_ok(ends, "an echo", hail_send(endpoint, event->conn, &message));
}

static void answer(struct ends *ends, struct hail_endpoint *endpoint,
                   const struct hail_event *event)
{
    const struct hail_response response = {.call_id = event->call_id,
                                           .flags = event->flags,
                                           .channel = event->channel,
                                           .result = event->data,
                                           .len = event->len};

    expect_ok(ends, "hail_respond", hail_respond(endpoint, event->conn, &response));
    look(ends, endpoint, event->conn);
    if (endpoint == ends->server)
        ask(ends, endpoint, event->conn, event->call_id); // back, and from a callback
}

static void note(struct ends *ends, struct hail_endpoint *endpoint, const struct hail_event *event)
{
    bool is_server = endpoint == ends->server;

    pthread_mutex_lock(&ends->lock);
    if (event->type == HAIL_EVENT_CONNECTED) {
        ends->heard.connected++;
        if (is_server)
            ends->at_server[ends->at_server_count++] = event->conn;
        else
            ends->at_client[ends->at_client_count++] = event->conn;
    }
    if (event->type == HAIL_EVENT_MESSAGE && event->named)
        ends->heard.news++;
    else if (event->type == HAIL_EVENT_MESSAGE && !is_server)
        ends->heard.echoes += event->channel <= HAIL_RELIABLE_UNORDERED;
    ends->heard.answers += event->type == HAIL_EVENT_RESPONSE && event->status == HAIL_OK;
    ends->heard.closed += event->type == HAIL_EVENT_CLOSED;
    pthread_cond_broadcast(&ends->change);
    pthread_mutex_unlock(&ends->lock);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct ends *ends = user;

    if (event->type == HAIL_EVENT_CALL)
        answer(ends, endpoint, event);
    else if (event->type == HAIL_EVENT_MESSAGE && !event->named && endpoint == ends->server)
        echo(ends, endpoint, event);
    note(ends, endpoint, event);
}

static bool has_come(const struct heard *heard, const struct heard *want)
{
    return heard->connected >= want->connected && heard->echoes >= want->echoes &&
           heard->news >= want->news && heard->answers >= want->answers;
}

static void wait_on_callbacks(struct ends *ends, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    (void)!pthread_cond_clockwait(&ends->change, &ends->lock, CLOCK_MONOTONIC, &until);
}

// Takes what a polling client has, once there is something.
static void wait_by_polling(struct ends *ends, int64_t until_ms)
{
    struct hail_event events[16];
    struct pollfd fd = {.fd = hail_fd(ends->client), .events = POLLIN};

    pthread_mutex_unlock(&ends->lock);
    size_t count = hail_poll(ends->client, events, LIVE_COUNTOF(events));
    for (size_t i = 0; i < count; i++)
        on_event(ends->client, &events[i], ends);
    // What the server alone hears of does not wake us: it is looked for again in a moment.
    if (count == 0 && until_ms > live_clock_ms())
        (void)!poll(&fd, 1, 5);
    pthread_mutex_lock(&ends->lock);
}

// Waits until all that is wanted has come. False: it has not, in all the time that a test waits.
static bool wait_for(struct ends *ends, const struct heard *want)
{
    int64_t until_ms = live_clock_ms() + live_patience_ms();

    pthread_mutex_lock(&ends->lock);
    while (!has_come(&ends->heard, want) && ends->heard.closed == 0 && ends->heard.refused == 0 &&
           live_clock_ms() < until_ms) {
        if (ends->polls)
            wait_by_polling(ends, until_ms);
        else
            wait_on_callbacks(ends, until_ms);
    }
    bool come = has_come(&ends->heard, want) && ends->heard.refused == 0;
    pthread_mutex_unlock(&ends->lock);
    return come;
}

// What can be asked of a connection besides.
static void use(struct ends *ends, struct hail_endpoint *endpoint, struct hail_conn conn,
                bool native)
{
    uint8_t key[HAIL_KEY_LEN];

    look(ends, endpoint, conn);
    expect_ok(ends, "hail_client_key", hail_client_key(endpoint, conn, key));
    expect_ok(ends, "hail_export_key",
              hail_export_key(endpoint, conn, "test", NULL, 0, key, sizeof key));
    expect_ok(ends, "hail_set_tag", hail_set_tag(endpoint, conn, 1));
    if (native)
        expect_ok(ends, "hail_update_keys", hail_update_keys(endpoint, conn));
}

// Every connection sends a message on every channel in every protection; now and then a long one.
static void send_round(struct ends *ends, size_t *number)
{
    static uint8_t data[LONG];

    for (size_t i = 0; i < CONNS; i++) {
        for (uint32_t j = 0; j < CHANNELS * PROTECTIONS; j++) {
            const struct hail_message message = {
                .data = data,
                .len = ++*number % 17 == 0 ? LONG : SHORT,
                .flags = j % PROTECTIONS,
                .channel = (uint8_t)(j / PROTECTIONS),
            };
            expect_ok(ends, "hail_send", hail_send(ends->client, ends->at_client[i], &message));
        }
    }
}

static void tell_news(struct ends *ends)
{
    const struct hail_group room = hail_group_named("room");
    const struct hail_message news = {
        .data = "news", .len = 4, .flags = 3, .named = true, .name_hash = ends->news};

    for (size_t i = 0; i < MEMBERS; i++)
        expect_ok(ends, "joining", hail_group_join(ends->server, room, ends->at_server[i]));
    expect_ok(ends, "to a group", hail_group_send(ends->server, room, &news));
    expect_ok(ends, "to a group but one",
              hail_group_send_but(ends->server, room, ends->at_server[0], &news));
    for (size_t i = 0; i < MEMBERS; i++)
        expect_ok(ends, "leaving", hail_group_leave(ends->server, room, ends->at_server[i]));
    expect_ok(ends, "to all", hail_send_all(ends->server, &news));
    expect_ok(ends, "to many", hail_send_many(ends->server, ends->at_server, CONNS, &news, NULL));
}

// All of the traffic; false when some of it did not come.
static bool exchange(struct ends *ends, bool native)
{
    struct heard want = {.connected = 2 * CONNS};
    size_t number = 0;

    for (size_t round = 0; round < ROUNDS; round++) {
        send_round(ends, &number);
        tell_news(ends);
        for (size_t i = 0; i < CONNS; i++) {
            ask(ends, ends->client, ends->at_client[i], round);
            use(ends, ends->client, ends->at_client[i], native);
            use(ends, ends->server, ends->at_server[i], native);
        }
        // On a wire of streams every channel is reliable.
        want.echoes += (size_t)CONNS * PROTECTIONS * (native ? CHANNELS / 2 : CHANNELS);
        want.news += 2 * MEMBERS - 1 + 2 * CONNS;
        want.answers += 2 * CONNS;
        if (!wait_for(ends, &want))
            return false;
    }
    return true;
}

static void on_log(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
}

static void start(struct ends *ends, struct hail_config *config)
{
    config->on_log = on_log;
    config->user = ends;
    config->handlers = handlers;
    config->handler_count = LIVE_COUNTOF(handlers);
    config->on_event = on_event;
    ck_assert_int_eq(hail_server_start(&ends->server, config), HAIL_OK);
    config->on_event = ends->polls ? NULL : on_event;
    ck_assert_int_eq(hail_client_start(&ends->client, config), HAIL_OK);
    ends->news = hail_name_hash(ends->client, "news");
    ends->ask = hail_name_hash(ends->client, "ask");
}

static void connect_all(struct ends *ends)
{
    const struct hail_target target = {.host = "127.0.0.1", .port = hail_port(ends->server)};

    for (size_t i = 0; i < CONNS; i++)
        ck_assert_int_eq(hail_connect(ends->client, &target), HAIL_OK);
    ck_assert(wait_for(ends, &(struct heard){.connected = 2 * CONNS}));
}

static uint64_t messages_in(const struct hail_endpoint *endpoint)
{
    struct hail_counter counters[COUNTERS];
    size_t count = hail_stats(endpoint, counters, COUNTERS);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (strncmp(counters[i].name, "messages_in_", strlen("messages_in_")) == 0)
            sum += counters[i].value;
    }
    return sum;
}

// Which epochs' keys the client's packets were protected with (WIRE.md, section 4).
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

static const struct {
    enum hail_profile profile;
    enum hail_io_kind io;
    bool polls;
} rows[] = {
    {HAIL_PROFILE_HAIL, HAIL_IO_URING, false},  {HAIL_PROFILE_HAIL, HAIL_IO_EPOLL, false},
    {HAIL_PROFILE_HAIL, HAIL_IO_AUTO, true},    {HAIL_PROFILE_MLAPI, HAIL_IO_URING, false},
    {HAIL_PROFILE_MLAPI, HAIL_IO_EPOLL, false}, {HAIL_PROFILE_MLAPI, HAIL_IO_AUTO, true},
};

START_TEST(test_no_allocation)
{
    bool native = rows[_i].profile == HAIL_PROFILE_HAIL;
    struct hail_config config = live_config();
    struct ends ends = {.polls = rows[_i].polls,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .change = PTHREAD_COND_INITIALIZER};

    atomic_store(&epochs_sent, 0);
    atomic_store(&epochs_received, 0);
    config.profile = rows[_i].profile;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.on_datagram = note_epoch;
    config.io = rows[_i].io;
    start(&ends, &config);
    connect_all(&ends);

    malloc_count_start();
    bool come = exchange(&ends, native);
    size_t calls = malloc_count_stop();

    if (calls > 0)
        malloc_count_print();
    ck_assert_msg(calls == 0, "the heap was used %zu times", calls);
    ck_assert_msg(come, "%zu echoes, %zu news, %zu answers have come, %zu connections closed, %s",
                  ends.heard.echoes, ends.heard.news, ends.heard.answers, ends.heard.closed,
                  ends.refused ? ends.refused : "nothing was refused");
    ck_assert_uint_eq(atomic_load(&epochs_sent) & 2, native ? 2 : 0);
    ck_assert_uint_eq(atomic_load(&epochs_received) & 2, native ? 2 : 0);
    ck_assert_uint_gt(messages_in(ends.server), native ? MANY / 2 : MANY - 1);
    hail_stop(ends.client, 0);
    hail_stop(ends.server, 0);
}
END_TEST

// The trap itself: what is called here, and what libraries call.
START_TEST(test_trap)
{
    malloc_count_start();
    char *copy = strdup("strdup is in a library");
    size_t calls = malloc_count_stop();

    ck_assert_uint_eq(calls, 1);
    malloc_count_start();
    free(copy);
    free(NULL);
    ck_assert_uint_eq(malloc_count_stop(), 1);
    copy = malloc(1);
    ck_assert_uint_eq(malloc_count_stop(), 1);
    free(copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 240);
    tcase_add_test(core, test_trap);
    tcase_add_loop_test(core, test_no_allocation, 0, (int)LIVE_COUNTOF(rows));
    suite_add_tcase(suite, core);
    return test_run(suite);
}
