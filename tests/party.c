// party.c: see party.h.
// SPDX-License-Identifier: MIT
#include "tests/party.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PATIENCE_MS = 20000,
    POLL_BATCH = 16
};

int64_t party_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t party_patience_ms(void)
{
    const char *times = getenv("HAIL_PATIENCE");

    return times ? (int64_t)(strtod(times, NULL) * PATIENCE_MS) : PATIENCE_MS;
}

struct hail_config party_config(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.address = "127.0.0.1";
    config.approves_all = true;
    config.takes_unknown_names = true;
    config.shard_count = 1;
    config.conns_max = 64;
    config.handshakes_max = 64;
    return config;
}

static void keep(struct party *party, struct hail_endpoint *endpoint,
                 const struct hail_event *event)
{
    struct party_event own = {.event = *event, .data = malloc(event->len + 1)};

    if (party->react)
        party->react(party, endpoint, event);
    if (!own.data)
        abort();
    if (event->len > 0)
        memcpy(own.data, event->data, event->len);
    own.event.data = own.data;
    own.text = event->text ? strdup(event->text) : NULL;
    own.event.text = own.text;

    pthread_mutex_lock(&party->lock);
    if (party->event_count == PARTY_EVENTS)
        abort(); // not the place for ck_abort: this may be a shard's thread
    party->events[party->event_count++] = own;
    pthread_cond_broadcast(&party->heard);
    pthread_mutex_unlock(&party->lock);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    keep(user, endpoint, event);
}

static void on_log(void *user, enum hail_log_level level, const char *line)
{
    struct party *party = user;

    pthread_mutex_lock(&party->lock);
    size_t used = strlen(party->log);
    snprintf(party->log + used, sizeof party->log - used, "%d %s\n", (int)level, line);
    pthread_mutex_unlock(&party->lock);
}

enum hail_status party_try_start(struct party *party, const struct hail_config *config,
                                 bool is_server)
{
    struct hail_config own = *config;
    pthread_condattr_t monotonic;

    party->endpoint = NULL;
    party->event_count = 0;
    party->log[0] = 0;
    party->events = calloc(PARTY_EVENTS, sizeof *party->events);
    ck_assert_ptr_nonnull(party->events);
    pthread_mutex_init(&party->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&party->heard, &monotonic);
    pthread_condattr_destroy(&monotonic);
    own.on_event = party->polls ? NULL : on_event;
    own.on_log = on_log;
    own.user = party;
    return is_server ? hail_server_start(&party->endpoint, &own)
                     : hail_client_start(&party->endpoint, &own);
}

void party_start(struct party *party, const struct hail_config *config, bool is_server)
{
    enum hail_status status = party_try_start(party, config, is_server);

    ck_assert_msg(status == HAIL_OK, "%s: %s", hail_strerror(status), party->log);
    ck_assert_int_eq(hail_fd(party->endpoint) >= 0, party->polls);
    ck_assert_int_eq(hail_port(party->endpoint) != 0, is_server);
}

void party_drain(struct party *party, uint32_t drain_ms)
{
    hail_drain(party->endpoint, drain_ms);
}

void party_stop(struct party *party, uint32_t drain_ms)
{
    if (party->endpoint)
        hail_stop(party->endpoint, drain_ms);
    for (size_t i = 0; i < party->event_count; i++) {
        free(party->events[i].data);
        free(party->events[i].text);
    }
    free(party->events);
    pthread_cond_destroy(&party->heard);
    pthread_mutex_destroy(&party->lock);
    *party = (struct party){0};
}

// Takes what a polling endpoint has for us.
static void pump(struct party *party)
{
    struct hail_event events[POLL_BATCH];
    size_t count;

    while (party->polls && (count = hail_poll(party->endpoint, events, POLL_BATCH)) > 0) {
        for (size_t i = 0; i < count; i++)
            keep(party, party->endpoint, &events[i]);
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

static const struct party_event *find(const struct party *party, const struct search *search)
{
    size_t skip = search->skip;

    for (size_t i = 0; i < party->event_count; i++) {
        const struct hail_event *event = &party->events[i].event;
        if (event->type != search->type || (search->by_tag && event->tag != search->tag) ||
            (search->by_conn && event->conn.id != search->conn.id))
            continue;
        if (skip-- == 0)
            return &party->events[i];
    }
    return NULL;
}

// Waits until something is heard. False: the time is over.
static bool wait_more(struct party *party, int64_t until_ms)
{
    if (!party->polls) {
        const struct timespec until = {.tv_sec = until_ms / 1000,
                                       .tv_nsec = until_ms % 1000 * 1000000};
        return pthread_cond_timedwait(&party->heard, &party->lock, &until) == 0;
    }
    struct party *partner = party->partner;
    struct pollfd fds[2] = {{.fd = hail_fd(party->endpoint), .events = POLLIN},
                            {.fd = partner ? hail_fd(partner->endpoint) : -1, .events = POLLIN}};
    int64_t left_ms = until_ms - party_clock_ms();

    pthread_mutex_unlock(&party->lock);
    bool readable = left_ms > 0 && poll(fds, 2, (int)left_ms) > 0;
    pump(party);
    if (partner)
        pump(partner);
    pthread_mutex_lock(&party->lock);
    return readable;
}

static const struct party_event *wait_for(struct party *party, const struct search *search)
{
    int64_t until_ms = party_clock_ms() + party_patience_ms();
    const struct party_event *found;
    bool in_time = true;

    pump(party);
    pthread_mutex_lock(&party->lock);
    while (!(found = find(party, search)) && in_time)
        in_time = wait_more(party, until_ms);
    size_t heard = party->event_count;
    pthread_mutex_unlock(&party->lock);
    ck_assert_msg(found != NULL,
                  "no event of type %d came (index %zu, tag %llu, conn %llx), but %zu others: %s",
                  (int)search->type, search->skip, (unsigned long long)search->tag,
                  (unsigned long long)search->conn.id, heard, party->log);
    return found;
}

const struct party_event *party_wait(struct party *party, enum hail_event_type type, size_t index)
{
    return wait_for(party, &(struct search){.type = type, .skip = index});
}

const struct party_event *party_wait_tag(struct party *party, enum hail_event_type type,
                                         uint64_t tag)
{
    return wait_for(party, &(struct search){.type = type, .by_tag = true, .tag = tag});
}

const struct party_event *party_wait_conn(struct party *party, enum hail_event_type type,
                                          struct hail_conn conn)
{
    return wait_for(party, &(struct search){.type = type, .by_conn = true, .conn = conn});
}

size_t party_count(struct party *party, enum hail_event_type type)
{
    size_t count = 0;

    pump(party);
    pthread_mutex_lock(&party->lock);
    for (size_t i = 0; i < party->event_count; i++)
        count += party->events[i].event.type == type;
    pthread_mutex_unlock(&party->lock);
    return count;
}

uint64_t party_stat(const struct party *party, const char *name)
{
    struct hail_counter counters[256];
    size_t count = hail_stats(party->endpoint, counters, PARTY_COUNTOF(counters));

    ck_assert_uint_le(count, PARTY_COUNTOF(counters));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, name) == 0)
            return counters[i].value;
    }
    ck_abort_msg("no counter is called %s", name);
    return 0;
}

bool party_logged(struct party *party, enum hail_log_level level, const char *text)
{
    const char mark = (char)('0' + (int)level);
    bool found = false;

    pthread_mutex_lock(&party->lock);
    for (const char *line = party->log; *line && !found; line = strchr(line, '\n') + 1) {
        const char *at = strstr(line, text);
        found = *line == mark && at && at < strchr(line, '\n');
    }
    pthread_mutex_unlock(&party->lock);
    return found;
}

void party_connect(struct party *client, const struct party *server, uint64_t tag)
{
    const struct hail_target target = {
        .host = "127.0.0.1", .port = hail_port(server->endpoint), .tag = tag};
    enum hail_status status = hail_connect(client->endpoint, &target);

    ck_assert_msg(status == HAIL_OK, "connecting: %s", hail_strerror(status));
}

void party_join(struct party_pair *pairs, size_t count, struct party *server, struct party *client,
                uint64_t first_tag)
{
    for (size_t i = 0; i < count; i++)
        party_connect(client, server, first_tag + i);
    for (size_t i = 0; i < count; i++) {
        const struct party_event *at_client =
            party_wait_tag(client, HAIL_EVENT_CONNECTED, first_tag + i);
        const struct party_event *at_server = NULL;
        for (size_t j = 0; !at_server; j++) {
            const struct party_event *one = party_wait(server, HAIL_EVENT_CONNECTED, j);
            if (one->event.client_id == at_client->event.client_id)
                at_server = one;
        }
        pairs[i] = (struct party_pair){at_server->event.conn, at_client->event.conn,
                                       at_client->event.client_id};
    }
}

enum hail_status party_send(const struct party *party, struct hail_conn conn, uint32_t flags,
                            const char *text)
{
    const struct hail_message message = {.data = text, .len = strlen(text), .flags = flags};

    return hail_send(party->endpoint, conn, &message);
}

bool party_says(const struct party_event *event, const char *text)
{
    return event->event.len == strlen(text) && memcmp(event->data, text, event->event.len) == 0;
}
