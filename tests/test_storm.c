// test_storm.c: keys and what else any thread may read of connections: what both ends agree on,
// names that have gone stale, and threads that read without rest while connections come and go.
// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/live_endpoint.h"

enum {
    EXPORTED_LEN = 24,
    SLOT_BITS = 24 // of a connection's name; above them the generation, odd while in use
};

// The same slot under its next name, which nobody has been told yet.
static struct hail_conn next_of(struct hail_conn conn)
{
    return (struct hail_conn){conn.id + (UINT64_C(2) << SLOT_BITS)};
}

static const struct {
    const char *why;
    const char *label;
    const char *context;
    size_t context_len;
    size_t len;
    enum hail_status want;
} exports[] = {
    {"a label", "chat", NULL, 0, 32, HAIL_OK},
    {"another label", "voice", NULL, 0, 32, HAIL_OK},
    {"no label to speak of", "", NULL, 0, 32, HAIL_OK},
    {"a context", "chat", "room 1", 6, 32, HAIL_OK},
    {"another context", "chat", "room 2", 6, 32, HAIL_OK},
    {"a label that looks like a label and a context", "chatroom 1", NULL, 0, 32, HAIL_OK},
    {"as long as can be", "long", NULL, 0, 8160, HAIL_OK},
    {"a byte longer", "long", NULL, 0, 8161, HAIL_EINVAL},
    {"NULL for a label", NULL, NULL, 0, 32, HAIL_EINVAL},
    {"NULL for a context", "chat", NULL, 6, 32, HAIL_EINVAL},
    {"a context that is too long", "chat", "", 1025, 32, HAIL_EINVAL},
};

START_TEST(test_export)
{
    const struct hail_config config = live_config();
    struct live_endpoint server = {.polls = true};
    struct live_endpoint client = {0};
    struct live_pair pair;
    static uint8_t outs[LIVE_COUNTOF(exports)][8161];
    static uint8_t other[8161];
    uint8_t keys[2][HAIL_KEY_LEN];

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(hail_client_key(server.endpoint, pair.server, keys[0]), HAIL_OK);
    ck_assert_int_eq(hail_client_key(client.endpoint, pair.client, keys[1]), HAIL_OK);
    ck_assert_mem_eq(keys[0], keys[1], HAIL_KEY_LEN);
    for (size_t i = 0; i < LIVE_COUNTOF(exports); i++) {
        enum hail_status got =
            hail_export_key(server.endpoint, pair.server, exports[i].label, exports[i].context,
                            exports[i].context_len, outs[i], exports[i].len);
        ck_assert_msg(got == exports[i].want, "%s: %s", exports[i].why, hail_strerror(got));
        if (got != HAIL_OK)
            continue;
        ck_assert_int_eq(hail_export_key(client.endpoint, pair.client, exports[i].label,
                                         exports[i].context, exports[i].context_len, other,
                                         exports[i].len),
                         HAIL_OK);
        ck_assert_msg(memcmp(outs[i], other, exports[i].len) == 0, "%s: the ends differ",
                      exports[i].why);
        ck_assert(memcmp(outs[i], keys[0], 32) != 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(memcmp(outs[i], outs[j], 32) != 0, "%s: the same as %s", exports[i].why,
                          exports[j].why);
    }
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_no_key)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    struct hail_conn_info info = {.size = sizeof info};
    uint8_t key[HAIL_KEY_LEN];

    config.mlapi.enable_encryption = false;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_int_eq(hail_client_key(server.endpoint, pair.server, key), HAIL_ENOKEY);
    ck_assert_int_eq(hail_client_key(client.endpoint, pair.client, key), HAIL_ENOKEY);
    ck_assert_int_eq(hail_export_key(server.endpoint, pair.server, "x", NULL, 0, key, sizeof key),
                     HAIL_ENOKEY);
    ck_assert_int_eq(hail_server_key(server.endpoint, key), HAIL_ENOKEY); // of the other profile
    ck_assert_int_eq(hail_get_conn_info(server.endpoint, pair.server, &info), HAIL_OK);
    ck_assert(info.connected);
    ck_assert(!info.has_key);
    info.size++;
    ck_assert_int_eq(hail_get_conn_info(server.endpoint, pair.server, &info), HAIL_EABI);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Every call that takes a name says that this one is of nobody.
static void check_gone(const struct live_endpoint *live, struct hail_conn conn, const char *why)
{
    struct hail_endpoint *endpoint = live->endpoint;
    struct hail_conn_info info = {.size = sizeof info};
    const struct hail_message message = {.data = "x", .len = 1};
    const struct hail_rpc call = {.wants_response = true};
    uint8_t key[HAIL_KEY_LEN] = {0};
    static const uint8_t untouched[HAIL_KEY_LEN];
    const struct {
        const char *call;
        enum hail_status status;
    } answers[] = {
        {"hail_client_key", hail_client_key(endpoint, conn, key)},
        {"hail_export_key", hail_export_key(endpoint, conn, "x", NULL, 0, key, sizeof key)},
        {"hail_get_conn_info", hail_get_conn_info(endpoint, conn, &info)},
        {"hail_send", hail_send(endpoint, conn, &message)},
        {"hail_call", hail_call(endpoint, conn, &call)},
        {"hail_respond", hail_respond(endpoint, conn, &(struct hail_response){.call_id = 1})},
        {"hail_approve", hail_approve(endpoint, conn, 1)},
        {"hail_deny", hail_deny(endpoint, conn, NULL)},
        {"hail_set_tag", hail_set_tag(endpoint, conn, 1)},
        {"hail_close", hail_close(endpoint, conn, 0, NULL)},
    };

    for (size_t i = 0; i < LIVE_COUNTOF(answers); i++)
        ck_assert_msg(answers[i].status == HAIL_EGONE, "%s: %s: %s", why, answers[i].call,
                      hail_strerror(answers[i].status));
    ck_assert_mem_eq(key, untouched, sizeof key);
}

START_TEST(test_stale_names)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {.polls = _i};
    struct live_endpoint client = {0};
    struct live_pair first;
    struct live_pair second;

    config.conns_max = 1; // so that the next connection has the same slot
    config.handshakes_max = 1;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&first, 1, &server, &client, 1);
    for (int i = 0; i < 64; i++)
        check_gone(&server, (struct hail_conn){first.server.id ^ UINT64_C(1) << i}, "a bit off");
    check_gone(&server, (struct hail_conn){0}, "no name");
    check_gone(&server, next_of(first.server), "not yet given");
    ck_assert_int_eq(hail_close(client.endpoint, first.client, 0, NULL), HAIL_OK);
    live_wait_conn(&server, HAIL_EVENT_CLOSED, first.server);
    live_wait_conn(&client, HAIL_EVENT_CLOSED, first.client);
    check_gone(&server, first.server, "closed, at the server");
    check_gone(&client, first.client, "closed, at the client");

    live_join(&second, 1, &server, &client, 2);
    ck_assert_uint_eq(second.server.id, next_of(first.server).id);
    ck_assert_uint_eq(second.client.id, next_of(first.client).id);
    check_gone(&server, first.server, "taken again, at the server");
    check_gone(&client, first.client, "taken again, at the client");

    // And whoever has the slot now has not noticed.
    ck_assert_int_eq(live_send(&server, second.server, 3, "for the second"), HAIL_OK);
    const struct live_event *message = live_wait(&client, HAIL_EVENT_MESSAGE, 0);
    ck_assert(live_says(message, "for the second"));
    ck_assert_uint_eq(message->event.tag, 2);
    ck_assert_uint_eq(live_stat(&server, "sends_failed"), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- The storm

enum {
    STORM_CONNS = 300, // that come and go
    STORM_WIDTH = 8,   // at a time
    STORM_STAY = 4,    // that stay to the end
    STORM_READERS = 3,
    STORM_RECENT = 16, // the newest names, which a reader asks for each time
    STORM_GUESSES = 2 * (STORM_CONNS + STORM_STAY),
    STORM_COUNTERS = 256
};

// A name, published by the event that told it. But for `closed` nothing changes after that, except
// that the server's is given `client_id` under the storm's lock.
struct name {
    struct hail_conn conn;
    uint64_t client_id; // 0: not let in
    uint8_t key[HAIL_KEY_LEN];
    uint8_t exported[EXPORTED_LEN];
    in_port_t peer_port;
    _Atomic bool closed; // the application has been told
};

// The names of one endpoint, in the order in which they were told.
struct ledger {
    const struct live_endpoint *live;
    struct name names[STORM_CONNS + STORM_STAY];
    _Atomic size_t count;
};

struct storm {
    struct live_endpoint server;
    struct live_endpoint client;
    struct ledger ledgers[2]; // the server's, the client's
    pthread_mutex_t lock;     // of appending, and of `fault`
    char fault[160];          // the first that was found
    _Atomic uint32_t begun;   // as many as have been let go, and those at the beginning
    _Atomic uint32_t requests;
    uint16_t port;
    _Atomic bool settled; // what is open stays open
    _Atomic bool over;
    sem_t seen; // posted by each reader once it has seen everything that stays
};

static void fault(struct storm *storm, const char *what, uint64_t conn)
{
    pthread_mutex_lock(&storm->lock);
    if (!storm->fault[0])
        snprintf(storm->fault, sizeof storm->fault, "%s: %llx", what, (unsigned long long)conn);
    pthread_mutex_unlock(&storm->lock);
}

static in_port_t port_of(const struct hail_conn_info *info)
{
    const struct sockaddr_in *peer = (const struct sockaddr_in *)&info->peer;
    bool loopback = peer->sin_family == AF_INET && ntohl(peer->sin_addr.s_addr) == INADDR_LOOPBACK;

    return loopback ? peer->sin_port : 0;
}

// Adds a name with all that its own endpoint says of it at this moment.
static void publish(struct storm *storm, struct ledger *ledger, struct hail_endpoint *endpoint,
                    const struct hail_event *event)
{
    struct hail_conn_info info = {.size = sizeof info};

    pthread_mutex_lock(&storm->lock);
    size_t index = atomic_load_explicit(&ledger->count, memory_order_relaxed);
    bool room = index < LIVE_COUNTOF(ledger->names);
    struct name *name = &ledger->names[room ? index : 0];
    bool known = room && hail_client_key(endpoint, event->conn, name->key) == HAIL_OK &&
                 hail_export_key(endpoint, event->conn, "storm", NULL, 0, name->exported,
                                 sizeof name->exported) == HAIL_OK &&
                 hail_get_conn_info(endpoint, event->conn, &info) == HAIL_OK;
    if (known) {
        name->conn = event->conn;
        name->client_id = event->client_id;
        name->peer_port = port_of(&info);
        // Release: pairs with the acquire in a reader's round.
        atomic_store_explicit(&ledger->count, index + 1, memory_order_release);
    }
    pthread_mutex_unlock(&storm->lock);
    if (!known || !info.has_key || name->peer_port == 0)
        fault(storm, "told of, and not known", event->conn.id);
}

static struct name *find_name(struct ledger *ledger, struct hail_conn conn)
{
    for (size_t i = atomic_load_explicit(&ledger->count, memory_order_acquire); i-- > 0;) {
        if (ledger->names[i].conn.id == conn.id)
            return &ledger->names[i];
    }
    return NULL;
}

static void mark_closed(struct ledger *ledger, struct hail_conn conn)
{
    struct name *name = find_name(ledger, conn);

    // Release: pairs with the acquire in read_name. From here on no read may succeed.
    if (name)
        atomic_store_explicit(&name->closed, true, memory_order_release);
}

// The server lets in all but a few, and closes whoever has said something.
static void storm_at_server(struct live_endpoint *live, struct hail_endpoint *endpoint,
                            const struct hail_event *event)
{
    struct storm *storm = live->user;
    struct ledger *ledger = &storm->ledgers[0];
    enum hail_status status = HAIL_OK;

    if (event->type == HAIL_EVENT_REQUEST) {
        publish(storm, ledger, endpoint, event);
        bool lets_in = atomic_fetch_add(&storm->requests, 1) % 7 != 3 ||
                       atomic_load(&storm->begun) >= STORM_CONNS + STORM_WIDTH;
        status = lets_in ? hail_approve(endpoint, event->conn, 0)
                         : hail_deny(endpoint, event->conn, "one of seven");
    } else if (event->type == HAIL_EVENT_CONNECTED) {
        struct name *name = find_name(ledger, event->conn);
        pthread_mutex_lock(&storm->lock);
        if (name)
            name->client_id = event->client_id;
        pthread_mutex_unlock(&storm->lock);
    } else if (event->type == HAIL_EVENT_MESSAGE) {
        status = hail_close(endpoint, event->conn, 0, NULL);
        status = status == HAIL_EGONE ? HAIL_OK : status; // the client was faster
    } else if (event->type == HAIL_EVENT_CLOSED) {
        mark_closed(ledger, event->conn);
    }
    if (status != HAIL_OK)
        fault(storm, hail_strerror(status), event->conn.id);
}

static void begin_another(struct storm *storm, struct hail_endpoint *client, uint64_t tag)
{
    const struct hail_target target = {.host = "127.0.0.1", .port = storm->port, .tag = tag};
    enum hail_status status = hail_connect(client, &target);

    if (status != HAIL_OK)
        fault(storm, hail_strerror(status), tag);
}

// A client says something, sometimes leaves at once, and where one ends another begins.
static void storm_at_client(struct live_endpoint *live, struct hail_endpoint *endpoint,
                            const struct hail_event *event)
{
    struct storm *storm = live->user;
    const struct hail_message message = {
        .data = "x", .len = 1, .flags = (uint32_t)(event->tag % 4)};

    if (event->type == HAIL_EVENT_CONNECTED) {
        publish(storm, &storm->ledgers[1], endpoint, event);
        if (event->tag < STORM_CONNS && hail_send(endpoint, event->conn, &message) != HAIL_OK)
            fault(storm, "cannot send", event->conn.id);
        if (event->tag < STORM_CONNS && event->tag % 3 == 0)
            hail_close(endpoint, event->conn, 0, NULL);
    } else if (event->type == HAIL_EVENT_CLOSED) {
        mark_closed(&storm->ledgers[1], event->conn);
        uint64_t tag = atomic_fetch_add(&storm->begun, 1);
        if (event->tag < STORM_CONNS && tag < STORM_CONNS)
            begin_another(storm, endpoint, tag);
    }
}

// A key under a name that had not been told.
struct guess {
    size_t which; // ledger
    struct hail_conn conn;
    uint8_t key[HAIL_KEY_LEN];
};

// What one thread has found out by asking.
struct reader {
    pthread_t thread;
    struct storm *storm;
    uint64_t dice;
    size_t found; // keys read
    size_t gone;  // names that were stale
    struct guess guesses[STORM_GUESSES];
    size_t guess_count;
    struct hail_counter counters[2][STORM_COUNTERS];
    size_t counter_count;
};

static void read_name(struct reader *reader, const struct ledger *ledger, const struct name *name)
{
    const struct hail_endpoint *endpoint = ledger->live->endpoint;
    struct storm *storm = reader->storm;
    struct hail_conn_info info = {.size = sizeof info};
    uint8_t exported[EXPORTED_LEN];
    uint8_t key[HAIL_KEY_LEN];
    // Acquire: pairs with the release in mark_closed.
    bool closed = atomic_load_explicit(&name->closed, memory_order_acquire);

    enum hail_status status = hail_client_key(endpoint, name->conn, key);
    if (status == HAIL_OK && closed)
        fault(storm, "a key after the end", name->conn.id);
    if (status == HAIL_OK && memcmp(key, name->key, sizeof key) != 0)
        fault(storm, "not this connection's key", name->conn.id);
    if (status != HAIL_OK && status != HAIL_EGONE)
        fault(storm, hail_strerror(status), name->conn.id);
    bool gone = status == HAIL_EGONE;
    reader->gone += gone;
    reader->found += !gone;

    status = hail_get_conn_info(endpoint, name->conn, &info);
    if (status == HAIL_OK && gone)
        fault(storm, "gone and back again", name->conn.id);
    if (status == HAIL_OK && (port_of(&info) != name->peer_port || !info.has_key))
        fault(storm, "not this connection's facts", name->conn.id);
    gone |= status == HAIL_EGONE;

    status = hail_export_key(endpoint, name->conn, "storm", NULL, 0, exported, sizeof exported);
    if (status == HAIL_OK && gone)
        fault(storm, "gone and back again", name->conn.id);
    if (status == HAIL_OK && memcmp(exported, name->exported, sizeof exported) != 0)
        fault(storm, "not this connection's exported key", name->conn.id);
}

// Asks for a name that nobody has been told yet: its key may be there, or just being written. What
// it is worth is seen at the end.
static void read_next(struct reader *reader, size_t which, const struct name *name)
{
    struct ledger *ledger = &reader->storm->ledgers[which];
    struct hail_conn next = next_of(name->conn);
    uint8_t key[HAIL_KEY_LEN];

    if (hail_client_key(ledger->live->endpoint, next, key) != HAIL_OK || find_name(ledger, next))
        return;
    for (size_t i = reader->guess_count; i-- > 0;) {
        const struct guess *guess = &reader->guesses[i];
        if (guess->which == which && guess->conn.id == next.id &&
            memcmp(guess->key, key, sizeof key) == 0)
            return;
    }
    if (reader->guess_count == STORM_GUESSES) {
        fault(reader->storm, "more keys than connections", next.id);
        return;
    }
    struct guess *guess = &reader->guesses[reader->guess_count++];
    *guess = (struct guess){.which = which, .conn = next};
    memcpy(guess->key, key, sizeof key);
}

// Counters only grow, but for those that say how much there is.
static void read_counters(struct reader *reader, size_t which)
{
    const struct live_endpoint *live = reader->storm->ledgers[which].live;
    struct hail_counter now[STORM_COUNTERS];
    struct hail_counter *before = reader->counters[which];

    reader->counter_count = hail_stats(live->endpoint, now, STORM_COUNTERS);
    for (size_t i = 0; i < reader->counter_count; i++) {
        bool gauge = strcmp(now[i].name, "conns_open") == 0 ||
                     strcmp(now[i].name, "handshakes_open") == 0 ||
                     strcmp(now[i].name, "bytes_waiting") == 0;
        if (!gauge && now[i].value < before[i].value)
            fault(reader->storm, now[i].name, now[i].value);
        before[i] = now[i];
    }
}

static void *read_all(void *user)
{
    struct reader *reader = user;
    struct storm *storm = reader->storm;
    bool told = false;

    while (!atomic_load_explicit(&storm->over, memory_order_acquire)) {
        bool settled = atomic_load_explicit(&storm->settled, memory_order_acquire);
        for (size_t which = 0; which < 2; which++) {
            struct ledger *ledger = &storm->ledgers[which];
            // Acquire: pairs with the release in publish.
            size_t count = atomic_load_explicit(&ledger->count, memory_order_acquire);
            size_t from = count > STORM_RECENT ? count - STORM_RECENT : 0;
            for (size_t i = from; i < count; i++) {
                read_name(reader, ledger, &ledger->names[i]);
                read_next(reader, which, &ledger->names[i]);
            }
            if (count > 0)
                read_name(reader, ledger, &ledger->names[test_next(&reader->dice) % count]);
            read_counters(reader, which);
        }
        if (settled && !told) {
            told = true;
            sem_post(&storm->seen);
        }
        sched_yield();
    }
    return NULL;
}

static const struct {
    const char *why;
    bool server_polls;
    bool client_polls;
    uint16_t server_shards;
    uint16_t client_shards;
    enum hail_io_kind io;
} storms[] = {
    {"called back", false, false, 2, 1, HAIL_IO_AUTO},
    {"polling", true, true, 2, 2, HAIL_IO_AUTO},
    {"one shard, over epoll", false, true, 1, 1, HAIL_IO_EPOLL},
};

static void storm_start(struct storm *storm, int row)
{
    struct hail_config config = live_config();

    storm->server.polls = storms[row].server_polls;
    storm->client.polls = storms[row].client_polls;
    storm->server.react = storm_at_server;
    storm->client.react = storm_at_client;
    storm->server.user = storm->client.user = storm;
    storm->client.partner = storm->server.polls ? &storm->server : NULL;
    storm->ledgers[0].live = &storm->server;
    storm->ledgers[1].live = &storm->client;
    pthread_mutex_init(&storm->lock, NULL);
    sem_init(&storm->seen, 0, 0);
    config.approves_all = false;
    config.io = storms[row].io;
    config.shard_count = storms[row].server_shards;
    live_start(&storm->server, &config, true);
    storm->port = hail_port(storm->server.endpoint);
    config.shard_count = storms[row].client_shards;
    live_start(&storm->client, &config, false);
}

// All connections but the last few come and go: the client is told of the end of each, and begins
// the next. Then those begin that stay.
static void storm_rages(struct storm *storm)
{
    atomic_store(&storm->begun, STORM_WIDTH);
    for (uint64_t i = 0; i < STORM_WIDTH; i++)
        begin_another(storm, storm->client.endpoint, i);
    for (size_t i = 0; i < STORM_CONNS; i++)
        live_wait(&storm->client, HAIL_EVENT_CLOSED, i);
    for (uint64_t i = 0; i < STORM_STAY; i++)
        begin_another(storm, storm->client.endpoint, STORM_CONNS + i);
    for (uint64_t i = 0; i < STORM_STAY; i++) {
        const struct live_event *connected =
            live_wait_tag(&storm->client, HAIL_EVENT_CONNECTED, STORM_CONNS + i);
        for (size_t j = 0;; j++) {
            const struct live_event *one = live_wait(&storm->server, HAIL_EVENT_CONNECTED, j);
            if (one->event.client_id == connected->event.client_id)
                break;
        }
    }
}

// Every reader sees what has settled, and goes on reading while both ends are drained.
static void storm_settles(struct storm *storm)
{
    struct timespec until;

    atomic_store_explicit(&storm->settled, true, memory_order_release);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += live_patience_ms() / 1000;
    for (size_t i = 0; i < STORM_READERS; i++)
        ck_assert_msg(sem_timedwait(&storm->seen, &until) == 0, "a reader does not get through");
    live_drain(&storm->server, (uint32_t)live_patience_ms());
    live_drain(&storm->client, (uint32_t)live_patience_ms());
    atomic_store_explicit(&storm->over, true, memory_order_release);
}

// Both ends had the same key under the names that each of them gave the connection, and no two
// connections had the same.
static void check_ledgers(struct storm *storm, const char *why)
{
    struct ledger *server = &storm->ledgers[0];
    struct ledger *client = &storm->ledgers[1];
    size_t denied = 0;
    uint8_t key[HAIL_KEY_LEN];

    ck_assert_uint_eq(server->count, STORM_CONNS + STORM_STAY);
    for (size_t i = 0; i < server->count; i++) {
        const struct name *name = &server->names[i];
        const struct name *same = NULL;
        for (size_t j = 0; j < client->count && name->client_id != 0; j++) {
            if (client->names[j].client_id == name->client_id)
                same = &client->names[j];
        }
        denied += name->client_id == 0;
        ck_assert_msg(name->client_id == 0 || same, "%s: a client does not know that it was let in",
                      why);
        ck_assert(!same || memcmp(name->key, same->key, sizeof name->key) == 0);
        ck_assert(!same || memcmp(name->exported, same->exported, sizeof name->exported) == 0);
        ck_assert(!same || same->peer_port == htons(storm->port));
        for (size_t j = 0; j < i; j++) {
            for (size_t part = 0; part < HAIL_KEY_LEN; part += 8)
                ck_assert(memcmp(name->key + part, server->names[j].key + part, 8) != 0);
            ck_assert_uint_ne(name->conn.id, server->names[j].conn.id);
        }
        ck_assert_int_eq(hail_client_key(storm->server.endpoint, name->conn, key), HAIL_EGONE);
    }
    ck_assert_uint_eq(client->count + denied, server->count);
    ck_assert_uint_ge(denied, STORM_CONNS / 8);
    ck_assert_uint_eq(live_stat(&storm->server, "closed_denied"), denied);
}

static void check_reader(const struct reader *reader, const char *why)
{
    ck_assert_uint_gt(reader->found, 0);
    ck_assert_uint_gt(reader->gone, 0);
    for (size_t i = 0; i < reader->guess_count; i++) {
        struct ledger *ledger = &reader->storm->ledgers[reader->guesses[i].which];
        const struct name *name = find_name(ledger, reader->guesses[i].conn);
        // A client is not told the names of those that are turned away.
        ck_assert_msg(name || reader->guesses[i].which == 1, "%s: a key of nobody", why);
        ck_assert_msg(!name || memcmp(name->key, reader->guesses[i].key, HAIL_KEY_LEN) == 0,
                      "%s: a key that was not whole", why);
    }
}

static void check_stats(const struct storm *storm)
{
    static const char *const closed[] = {"closed_by_application", "closed_by_peer", "closed_denied",
                                         "closed_shutdown"};
    const struct live_endpoint *ends[] = {&storm->server, &storm->client};

    for (size_t which = 0; which < 2; which++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < LIVE_COUNTOF(closed); i++)
            sum += live_stat(ends[which], closed[i]);
        ck_assert_uint_eq(sum, STORM_CONNS + STORM_STAY);
        ck_assert_uint_eq(live_stat(ends[which], "conns_open"), 0);
        ck_assert_uint_eq(live_stat(ends[which], "handshakes_open"), 0);
        ck_assert_uint_eq(live_stat(ends[which], "bytes_waiting"), 0);
    }
    ck_assert_uint_eq(live_stat(&storm->server, "conns_accepted"), STORM_CONNS + STORM_STAY);
    ck_assert_uint_eq(live_stat(&storm->server, "conns_refused"), 0);
    // More, where the news of a client's leaving was still on its way.
    ck_assert_uint_ge(live_stat(&storm->server, "closed_shutdown"), STORM_STAY);
}

START_TEST(test_storm)
{
    struct storm *storm = calloc(1, sizeof *storm);
    struct reader *readers = calloc(STORM_READERS, sizeof *readers);
    size_t found = 0;
    size_t guessed = 0;

    ck_assert(storm && readers);
    uint64_t seed = test_seed();
    storm_start(storm, _i);
    for (size_t i = 0; i < STORM_READERS; i++) {
        readers[i].storm = storm;
        readers[i].dice = seed + i;
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    }
    storm_rages(storm);
    storm_settles(storm);
    for (size_t i = 0; i < STORM_READERS; i++)
        pthread_join(readers[i].thread, NULL);
    ck_assert_msg(!storm->fault[0], "%s: %s", storms[_i].why, storm->fault);
    check_ledgers(storm, storms[_i].why);
    check_stats(storm);
    for (size_t i = 0; i < STORM_READERS; i++) {
        check_reader(&readers[i], storms[_i].why);
        found += readers[i].found;
        guessed += readers[i].guess_count;
    }
    printf("%s: %zu keys read, %zu before they were told\n", storms[_i].why, found, guessed);
    live_stop(&storm->client, 0);
    live_stop(&storm->server, 0);
    pthread_mutex_destroy(&storm->lock);
    sem_destroy(&storm->seen);
    free(readers);
    free(storm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("storm");
    TCase *tests = tcase_create("storm");

    tcase_set_timeout(tests, 4.0 * (double)live_patience_ms() / 1000.0);
    tcase_add_test(tests, test_export);
    tcase_add_test(tests, test_no_key);
    tcase_add_loop_test(tests, test_stale_names, 0, 2);
    tcase_add_loop_test(tests, test_storm, 0, LIVE_COUNTOF(storms));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
