// attack_players.c: see attack_players.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_players.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/time.h"
#include "tools/progress.h"

enum {
    TURN_NS = 500000, // the senders' sleep
    RETURN_MS = 3000, // how long what is on its way may take
    JOIN_MS = 5000,
    TRY_MS = 1000,
    TRY_WINDOW = INT32_MAX // of a message that is tried
};

// What a message begins with, as it lies in memory: both ends are this process.
struct header {
    uint64_t due_ns;
    uint32_t window;
    uint32_t kind; // 1: a long one; of a try, its number
};

static void sleep_ns(uint64_t ns)
{
    const struct timespec time = {.tv_sec = (time_t)(ns / HAIL_NS_PER_S),
                                  .tv_nsec = (long)(ns % HAIL_NS_PER_S)};

    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static void on_echo(struct players *players, const struct hail_event *event)
{
    struct header header;
    uint64_t now_ns = clock_ns();

    if (event->len < sizeof header)
        return;
    memcpy(&header, event->data, sizeof header);
    pthread_mutex_lock(&players->lock);
    if (header.window != 0 && header.window == players->window) {
        histogram_add(header.kind ? &players->longs : &players->shorts, now_ns - header.due_ns);
        players->received++;
    }
    if (header.window == TRY_WINDOW && header.kind == players->tries)
        players->try_back = true;
    pthread_mutex_unlock(&players->lock);
}

// A tag says who it is: a player by his place, or one that joins in a window by his.
static uint64_t join_tag(uint32_t window, uint32_t index)
{
    return (uint64_t)window * PLAYERS_JOINS_MAX + index;
}

static void on_join(struct hail_endpoint *endpoint, struct players *players,
                    const struct hail_event *event)
{
    uint64_t now_ns = clock_ns();

    if (event->type == HAIL_EVENT_CONNECTED)
        hail_close(endpoint, event->conn, 0, NULL);
    pthread_mutex_lock(&players->lock);
    if (event->tag / PLAYERS_JOINS_MAX == players->window) {
        struct join *join = &players->joins[event->tag % PLAYERS_JOINS_MAX];
        if (event->type == HAIL_EVENT_CONNECTED)
            join->joined_ns = now_ns;
        else if (event->type == HAIL_EVENT_CLOSED && join->joined_ns == 0)
            join->failed = true;
    }
    pthread_mutex_unlock(&players->lock);
}

static void on_closed(struct players *players, uint64_t index)
{
    atomic_store(&players->players[index].conn, 0);
    pthread_mutex_lock(&players->lock);
    players->lost_connections++;
    pthread_mutex_unlock(&players->lock);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct players *players = user;

    if (event->tag >= PLAYERS_JOINS_MAX)
        on_join(endpoint, players, event);
    else if (event->type == HAIL_EVENT_MESSAGE)
        on_echo(players, event);
    else if (event->type == HAIL_EVENT_CONNECTED)
        atomic_store(&players->players[event->tag].conn, event->conn.id);
    else if (event->type == HAIL_EVENT_CLOSED)
        on_closed(players, event->tag);
}

static bool connect_one(struct players *players, uint64_t tag)
{
    const struct hail_target target = {
        .host = "127.0.0.1", .port = ntohs(players->server.sin_port), .tag = tag};

    return hail_connect(players->endpoint, &target) == HAIL_OK;
}

// Sends a player's message. One that cannot be sent is sent and lost.
static void send_one(struct players *players, uint32_t index, uint64_t due_ns, bool is_long)
{
    uint8_t bytes[PLAYERS_LONG_LEN] = {0};
    const struct header header = {due_ns, atomic_load(&players->mark), is_long};
    const struct hail_message message = {
        .data = bytes,
        .len = is_long ? PLAYERS_LONG_LEN : PLAYERS_SHORT_LEN,
        .flags = HAIL_ENCRYPTED | HAIL_AUTHENTICATED,
        .channel = is_long ? HAIL_RELIABLE_ORDERED : HAIL_UNRELIABLE,
    };

    memcpy(bytes, &header, sizeof header);
    if (header.window != 0) {
        pthread_mutex_lock(&players->lock);
        players->sent++;
        pthread_mutex_unlock(&players->lock);
    }
    (void)hail_send(players->endpoint,
                    (struct hail_conn){atomic_load(&players->players[index].conn)}, &message);
}

// When the next is due, if it is by now; 0: it is not.
static uint64_t take_due(struct schedule *schedule, uint64_t now_ns)
{
    if (schedule->per_s == 0)
        return 0;
    uint64_t due_ns = schedule->begin_ns + schedule->done * HAIL_NS_PER_S / schedule->per_s;
    if (due_ns > now_ns)
        return 0;
    schedule->done++;
    return due_ns;
}

static void *send_all(void *user)
{
    struct players *players = user;
    uint64_t now_ns = clock_ns();
    struct schedule shorts = {now_ns, 0, PLAYERS * PLAYERS_SHORT_PER_S};
    struct schedule longs = {now_ns, 0, PLAYERS * PLAYERS_LONG_PER_S};

    while (!atomic_load(&players->stops)) {
        uint64_t due_ns;
        now_ns = clock_ns();
        while ((due_ns = take_due(&shorts, now_ns)))
            send_one(players, (uint32_t)((shorts.done - 1) % PLAYERS), due_ns, false);
        while ((due_ns = take_due(&longs, now_ns)))
            send_one(players, (uint32_t)((longs.done - 1) % PLAYERS), due_ns, true);
        sleep_ns(TURN_NS);
    }
    return NULL;
}

static uint32_t connected_count(struct players *players)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PLAYERS; i++)
        count += atomic_load(&players->players[i].conn) != 0;
    return count;
}

// Joins the players that are not connected, and waits until they are.
static bool join_players(struct players *players)
{
    uint64_t until_ns = clock_ns() + (uint64_t)JOIN_MS * HAIL_NS_PER_MS;

    for (uint32_t i = 0; i < PLAYERS; i++) {
        if (atomic_load(&players->players[i].conn) == 0 && !connect_one(players, i))
            return false;
    }
    while (connected_count(players) < PLAYERS && clock_ns() < until_ns)
        sleep_ns(HAIL_NS_PER_MS);
    return connected_count(players) == PLAYERS;
}

// They believe every server.
static bool verify(void *user, const struct hail_peer_certificate *certificate)
{
    (void)user;
    (void)certificate;
    return true;
}

bool players_start(struct players *players, const struct sockaddr_in *server,
                   enum hail_profile profile, bool is_signed)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    memset(players, 0, sizeof *players);
    players->server = *server;
    pthread_mutex_init(&players->lock, NULL);
    config.profile = profile;
    config.native.exchange = is_signed ? HAIL_SIGNED : HAIL_UNSIGNED;
    config.verify = verify;
    config.takes_unknown_names = true;
    config.on_event = on_event;
    config.user = players;
    enum hail_status status = hail_client_start(&players->endpoint, &config);
    if (status != HAIL_OK) {
        fprintf(stderr, "attack: cannot start the players: %s\n", hail_strerror(status));
        return false;
    }
    if (join_players(players) && pthread_create(&players->thread, NULL, send_all, players) == 0)
        return true;
    fprintf(stderr, "attack: %u of %d players could join\n", connected_count(players), PLAYERS);
    hail_stop(players->endpoint, 0);
    pthread_mutex_destroy(&players->lock);
    return false;
}

void players_stop(struct players *players)
{
    atomic_store(&players->stops, true);
    pthread_join(players->thread, NULL);
    hail_stop(players->endpoint, 0);
    pthread_mutex_destroy(&players->lock);
}

void players_begin(struct players *players, uint32_t joins_per_s, uint32_t tries_ms)
{
    pthread_mutex_lock(&players->lock);
    uint32_t window = players->window + 1;
    players->window = window;
    players->sent = 0;
    players->received = 0;
    players->lost_connections = 0;
    players->join_count = 0;
    players->tries = 0;
    players->tries_kept = 0;
    memset(players->joins, 0, sizeof players->joins);
    memset(&players->shorts, 0, sizeof players->shorts);
    memset(&players->longs, 0, sizeof players->longs);
    pthread_mutex_unlock(&players->lock);
    players->joining = (struct schedule){clock_ns(), 0, joins_per_s};
    players->tries_ns = tries_ms > 0 ? clock_ns() + tries_ms * HAIL_NS_PER_MS : UINT64_MAX;
    players->try_until_ns = 0;
    atomic_store(&players->mark, window);
}

static void tend_joins(struct players *players)
{
    uint64_t now_ns = clock_ns();

    while (players->join_count < PLAYERS_JOINS_MAX && take_due(&players->joining, now_ns)) {
        pthread_mutex_lock(&players->lock);
        uint32_t index = players->join_count++;
        players->joins[index].began_ns = clock_ns();
        uint64_t tag = join_tag(players->window, index);
        pthread_mutex_unlock(&players->lock);
        if (connect_one(players, tag))
            continue;
        pthread_mutex_lock(&players->lock);
        players->joins[index].failed = true;
        pthread_mutex_unlock(&players->lock);
    }
}

static void begin_try(struct players *players)
{
    static const size_t lengths[] = {128, 1000, 2000, 50000};
    static uint8_t bytes[50000]; // one thread conducts

    pthread_mutex_lock(&players->lock);
    uint32_t number = ++players->tries;
    players->try_back = false;
    pthread_mutex_unlock(&players->lock);
    const struct header header = {.window = TRY_WINDOW, .kind = number};
    const struct hail_message message = {
        .data = bytes,
        .len = lengths[number / 4 % 4],
        .flags = HAIL_ENCRYPTED | HAIL_AUTHENTICATED,
        .channel = (uint8_t)(number % 4),
    };
    memcpy(bytes, &header, sizeof header);
    players->try_until_ns = clock_ns() + (uint64_t)TRY_MS * HAIL_NS_PER_MS;
    (void)hail_send(players->endpoint,
                    (struct hail_conn){atomic_load(&players->players[number % PLAYERS].conn)},
                    &message);
}

static void tend_tries(struct players *players)
{
    uint64_t now_ns = clock_ns();

    if (now_ns < players->tries_ns)
        return;
    if (players->try_until_ns > 0) {
        pthread_mutex_lock(&players->lock);
        bool back = players->try_back;
        players->tries_kept += back;
        players->try_back = false;
        pthread_mutex_unlock(&players->lock);
        if (!back && now_ns < players->try_until_ns)
            return;
        players->try_until_ns = 0;
    }
    if (players->tries < PLAYERS_TRIES)
        begin_try(players);
}

void players_tend(struct players *players)
{
    tend_joins(players);
    tend_tries(players);
}

// Whether all that was sent is back, and all that began to join have done so.
static bool is_settled(struct players *players)
{
    pthread_mutex_lock(&players->lock);
    bool settled = players->received == players->sent;
    for (uint32_t i = 0; i < players->join_count; i++)
        settled = settled && (players->joins[i].joined_ns != 0 || players->joins[i].failed);
    pthread_mutex_unlock(&players->lock);
    return settled;
}

static double ms_of(const struct histogram *histogram, double quantile)
{
    return (double)histogram_quantile(histogram, quantile) / HAIL_NS_PER_MS;
}

static void sum_up(struct players *players, struct players_result *out)
{
    static struct histogram joins; // large, and one thread conducts
    uint64_t now_ns = clock_ns();

    memset(&joins, 0, sizeof joins);
    pthread_mutex_lock(&players->lock);
    *out = (struct players_result){
        .sent = players->sent,
        .lost = players->sent - players->received,
        .lost_connections = players->lost_connections,
        .short_p50_ms = ms_of(&players->shorts, 0.5),
        .short_p99_ms = ms_of(&players->shorts, 0.99),
        .long_p99_ms = ms_of(&players->longs, 0.99),
        .joins = players->join_count,
        .tries_kept = players->tries_kept,
    };
    for (uint32_t i = 0; i < players->join_count; i++) {
        const struct join *join = &players->joins[i];
        out->joins_failed += join->joined_ns == 0;
        histogram_add(&joins, (join->joined_ns ? join->joined_ns : now_ns) - join->began_ns);
    }
    players->window++; // what comes now is of none
    pthread_mutex_unlock(&players->lock);
    out->join_p50_ms = ms_of(&joins, 0.5);
    out->join_p99_ms = ms_of(&joins, 0.99);
}

void players_end(struct players *players, struct players_result *out)
{
    uint64_t until_ns = clock_ns() + (uint64_t)RETURN_MS * HAIL_NS_PER_MS;

    atomic_store(&players->mark, 0);
    while (!is_settled(players) && clock_ns() < until_ns)
        sleep_ns(HAIL_NS_PER_MS);
    sum_up(players, out);
    (void)join_players(players);
    out->absent = PLAYERS - connected_count(players);
}
