// live_endpoint.c: see live_endpoint.h.
// SPDX-License-Identifier: MIT
#include "tests/live_endpoint.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PATIENCE_MS = 20000,
    POLL_BATCH = 16
};

int64_t live_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t live_patience_ms(void)
{
    const char *times = getenv("HAIL_PATIENCE");

    return times ? (int64_t)(strtod(times, NULL) * (double)PATIENCE_MS) : PATIENCE_MS;
}

struct hail_config live_config(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.profile = HAIL_PROFILE_MLAPI;
    config.address = "127.0.0.1";
    config.approves_all = true;
    config.takes_unknown_names = true;
    config.shard_count = 1;
    config.conns_max = 64;
    config.handshakes_max = 64;
    return config;
}

// Not the place for ck_abort: this may be a shard's thread.
static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "live_endpoint: %s\n", why);
    abort();
}

static void keep(struct live_endpoint *live, struct hail_endpoint *endpoint,
                 const struct hail_event *event)
{
    if (live->react)
        live->react(live, endpoint, event);
    if (live->forgets_messages && event->type == HAIL_EVENT_MESSAGE)
        return;

    struct live_event own = {.event = *event, .data = malloc(event->len + 1)};
    if (!own.data)
        give_up("there is no memory for an event");
    if (event->len > 0)
        memcpy(own.data, event->data, event->len);
    own.event.data = own.data;
    own.text = event->text ? strdup(event->text) : NULL;
    own.event.text = own.text;

    pthread_mutex_lock(&live->lock);
    if (live->event_count == LIVE_EVENTS)
        give_up("more events came than LIVE_EVENTS");
    live->events[live->event_count++] = own;
    pthread_cond_broadcast(&live->heard);
    pthread_mutex_unlock(&live->lock);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    keep(user, endpoint, event);
}

static void on_log(void *user, enum hail_log_level level, const char *line)
{
    struct live_endpoint *live = user;

    pthread_mutex_lock(&live->lock);
    size_t used = strlen(live->log);
    snprintf(live->log + used, sizeof live->log - used, "%d %s\n", (int)level, line);
    pthread_mutex_unlock(&live->lock);
}

enum hail_status live_try_start(struct live_endpoint *live, const struct hail_config *config,
                                bool is_server)
{
    struct hail_config own = *config;
    pthread_condattr_t monotonic;

    live->endpoint = NULL;
    live->event_count = 0;
    live->log[0] = 0;
    live->events = calloc(LIVE_EVENTS, sizeof *live->events);
    ck_assert_ptr_nonnull(live->events);
    pthread_mutex_init(&live->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&live->heard, &monotonic);
    pthread_condattr_destroy(&monotonic);
    own.on_event = live->polls ? NULL : on_event;
    own.on_log = on_log;
    own.user = live;
    return is_server ? hail_server_start(&live->endpoint, &own)
                     : hail_client_start(&live->endpoint, &own);
}

void live_start(struct live_endpoint *live, const struct hail_config *config, bool is_server)
{
    enum hail_status status = live_try_start(live, config, is_server);

    ck_assert_msg(status == HAIL_OK, "%s: %s", hail_strerror(status), live->log);
    ck_assert_int_eq(hail_fd(live->endpoint) >= 0, live->polls);
    ck_assert_int_eq(hail_port(live->endpoint) != 0, is_server);
}

void live_drain(struct live_endpoint *live, uint32_t drain_ms)
{
    hail_drain(live->endpoint, drain_ms);
}

void live_stop(struct live_endpoint *live, uint32_t drain_ms)
{
    if (live->endpoint)
        hail_stop(live->endpoint, drain_ms);
    for (size_t i = 0; i < live->event_count; i++) {
        free(live->events[i].data);
        free(live->events[i].text);
    }
    free(live->events);
    pthread_cond_destroy(&live->heard);
    pthread_mutex_destroy(&live->lock);
    *live = (struct live_endpoint){0};
}

// Takes what a polling endpoint has for us.
static void pump(struct live_endpoint *live)
{
    struct hail_event events[POLL_BATCH];
    size_t count;

    while (live->polls && (count = hail_poll(live->endpoint, events, POLL_BATCH)) > 0) {
        for (size_t i = 0; i < count; i++)
            keep(live, live->endpoint, &events[i]);
    }
}

// What is looked for among the events.
struct search {
    enum hail_event_type type;
    size_t skip;
    bool by_tag;
    bool by_conn;
    uint64_t tag;
    struct hail_conn conn;
};

static const struct live_event *find(const struct live_endpoint *live, const struct search *search)
{
    size_t skip = search->skip;

    for (size_t i = 0; i < live->event_count; i++) {
        const struct hail_event *event = &live->events[i].event;
        if (event->type != search->type || (search->by_tag && event->tag != search->tag) ||
            (search->by_conn && event->conn.id != search->conn.id))
            continue;
        if (skip-- == 0)
            return &live->events[i];
    }
    return NULL;
}

// Waits until something is heard. False: the time is over.
static bool wait_more(struct live_endpoint *live, int64_t until_ms)
{
    if (!live->polls) {
        const struct timespec until = {.tv_sec = until_ms / 1000,
                                       .tv_nsec = until_ms % 1000 * 1000000};
        return pthread_cond_timedwait(&live->heard, &live->lock, &until) == 0;
    }
    struct live_endpoint *partner = live->partner;
    struct pollfd fds[2] = {{.fd = hail_fd(live->endpoint), .events = POLLIN},
                            {.fd = partner ? hail_fd(partner->endpoint) : -1, .events = POLLIN}};
    int64_t left_ms = until_ms - live_clock_ms();

    pthread_mutex_unlock(&live->lock);
    bool readable = left_ms > 0 && poll(fds, 2, (int)left_ms) > 0;
    pump(live);
    if (partner)
        pump(partner);
    pthread_mutex_lock(&live->lock);
    return readable;
}

static const struct live_event *wait_for(struct live_endpoint *live, const struct search *search)
{
    int64_t until_ms = live_clock_ms() + live_patience_ms();
    const struct live_event *found;
    bool in_time = true;

    pump(live);
    pthread_mutex_lock(&live->lock);
    while (!(found = find(live, search)) && in_time)
        in_time = wait_more(live, until_ms);
    size_t heard = live->event_count;
    pthread_mutex_unlock(&live->lock);
    ck_assert_msg(found != NULL,
                  "no event of type %d came (index %zu, tag %llu, conn %llx), but %zu others: %s",
                  (int)search->type, search->skip, (unsigned long long)search->tag,
                  (unsigned long long)search->conn.id, heard, live->log);
    return found;
}

const struct live_event *live_wait(struct live_endpoint *live, enum hail_event_type type,
                                   size_t index)
{
    return wait_for(live, &(struct search){.type = type, .skip = index});
}

const struct live_event *live_wait_tag(struct live_endpoint *live, enum hail_event_type type,
                                       uint64_t tag)
{
    return wait_for(live, &(struct search){.type = type, .by_tag = true, .tag = tag});
}

const struct live_event *live_wait_conn(struct live_endpoint *live, enum hail_event_type type,
                                        struct hail_conn conn)
{
    return wait_for(live, &(struct search){.type = type, .by_conn = true, .conn = conn});
}

size_t live_count(struct live_endpoint *live, enum hail_event_type type)
{
    size_t count = 0;

    pump(live);
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->event_count; i++)
        count += live->events[i].event.type == type;
    pthread_mutex_unlock(&live->lock);
    return count;
}

uint64_t live_stat(const struct live_endpoint *live, const char *name)
{
    struct hail_counter counters[256];
    size_t count = hail_stats(live->endpoint, counters, LIVE_COUNTOF(counters));

    ck_assert_uint_le(count, LIVE_COUNTOF(counters));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, name) == 0)
            return counters[i].value;
    }
    ck_abort_msg("no counter is called %s", name);
    return 0;
}

bool live_logged(struct live_endpoint *live, enum hail_log_level level, const char *text)
{
    const char mark = (char)('0' + (int)level);
    bool found = false;

    pthread_mutex_lock(&live->lock);
    for (const char *line = live->log; *line && !found; line = strchr(line, '\n') + 1) {
        const char *at = strstr(line, text);
        found = *line == mark && at && at < strchr(line, '\n');
    }
    pthread_mutex_unlock(&live->lock);
    return found;
}

void live_connect(struct live_endpoint *client, const struct live_endpoint *server, uint64_t tag)
{
    const struct hail_target target = {
        .host = "127.0.0.1", .port = hail_port(server->endpoint), .tag = tag};
    enum hail_status status = hail_connect(client->endpoint, &target);

    ck_assert_msg(status == HAIL_OK, "connecting: %s", hail_strerror(status));
}

void live_join(struct live_pair *pairs, size_t count, struct live_endpoint *server,
               struct live_endpoint *client, uint64_t first_tag)
{
    for (size_t i = 0; i < count; i++)
        live_connect(client, server, first_tag + i);
    for (size_t i = 0; i < count; i++) {
        const struct live_event *at_client =
            live_wait_tag(client, HAIL_EVENT_CONNECTED, first_tag + i);
        const struct live_event *at_server = NULL;
        for (size_t j = 0; !at_server; j++) {
            const struct live_event *one = live_wait(server, HAIL_EVENT_CONNECTED, j);
            if (one->event.client_id == at_client->event.client_id)
                at_server = one;
        }
        pairs[i] = (struct live_pair){at_server->event.conn, at_client->event.conn,
                                      at_client->event.client_id};
    }
}

enum hail_status live_send(const struct live_endpoint *live, struct hail_conn conn, uint32_t flags,
                           const char *text)
{
    const struct hail_message message = {.data = text, .len = strlen(text), .flags = flags};

    return hail_send(live->endpoint, conn, &message);
}

bool live_says(const struct live_event *event, const char *text)
{
    return event->event.len == strlen(text) && memcmp(event->data, text, event->event.len) == 0;
}
