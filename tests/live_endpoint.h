// live_endpoint.h: a real endpoint under test, with its threads and sockets on loopback. It keeps
// whatever it hears of, by callback or by polling alike, so that a test can wait for it: never for
// longer than a bounded time, and never by sleeping.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_LIVE_ENDPOINT_H
#define HAIL_TESTS_LIVE_ENDPOINT_H

#include <pthread.h>

#include "engine/hail.h"
#include "tests/vectors.h"

#define LIVE_COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

enum {
    LIVE_EVENTS = 65536,
    LIVE_LOG_MAX = 8192
};

// An event with its own copies of what it pointed to. Written once, before anybody can see it.
struct live_event {
    struct hail_event event;
    uint8_t *data;
    char *text; // NULL: none
};

struct live_endpoint {
    struct hail_endpoint *endpoint;
    bool polls;
    bool forgets_messages; // they go to `react` alone
    // Called with each event before it is kept, on the thread that brings it; set before the start.
    // It must not fail the test there, so it keeps what it finds.
    void (*react)(struct live_endpoint *live, struct hail_endpoint *endpoint,
                  const struct hail_event *event);
    void *user;                    // the test's
    struct live_endpoint *partner; // polls as well, and is served while the test waits for this one

    pthread_mutex_t lock; // of what follows
    pthread_cond_t heard;
    struct live_event *events;
    size_t event_count;
    char log[LIVE_LOG_MAX]; // a line each: its level as a number, a space, the line
};

// live_patience_ms returns how long a test waits for what must happen: HAIL_PATIENCE times 20 s.
int64_t live_patience_ms(void);

// live_clock_ms returns the time, from a clock that only goes forward.
int64_t live_clock_ms(void);

// live_config returns where every test's config starts: loopback, any port, small limits.
struct hail_config live_config(void);

// live_start starts an endpoint, with `config`'s callbacks replaced; it is started, or the test
// fails. live_try_start returns what starting said; unless HAIL_OK, only live_stop may follow.
void live_start(struct live_endpoint *live, const struct hail_config *config, bool is_server);
enum hail_status live_try_start(struct live_endpoint *live, const struct hail_config *config,
                                bool is_server);

// live_drain drains; live_stop stops and frees, also what was never started.
void live_drain(struct live_endpoint *live, uint32_t drain_ms);
void live_stop(struct live_endpoint *live, uint32_t drain_ms);

// live_wait waits for the event number `index` of a type and returns it; it comes, or the test
// fails. live_wait_tag waits for the first of a type with `tag`, live_wait_conn for the first of
// one connection.
const struct live_event *live_wait(struct live_endpoint *live, enum hail_event_type type,
                                   size_t index);
const struct live_event *live_wait_tag(struct live_endpoint *live, enum hail_event_type type,
                                       uint64_t tag);
const struct live_event *live_wait_conn(struct live_endpoint *live, enum hail_event_type type,
                                        struct hail_conn conn);

// live_count returns how many events of a type have come, without waiting.
size_t live_count(struct live_endpoint *live, enum hail_event_type type);

// live_stat reads a counter by its name, which exists.
uint64_t live_stat(const struct live_endpoint *live, const char *name);

// live_logged says whether a line of `level` with `text` in it has been logged.
bool live_logged(struct live_endpoint *live, enum hail_log_level level, const char *text);

// live_connect begins a connection to `server`; it can be begun.
void live_connect(struct live_endpoint *client, const struct live_endpoint *server, uint64_t tag);

// A connection, by its two names.
struct live_pair {
    struct hail_conn server;
    struct hail_conn client;
    uint64_t client_id;
};

// live_join connects `count` clients with the tags from `first_tag` on to a server that approves
// all, and waits until both ends know of each.
void live_join(struct live_pair *pairs, size_t count, struct live_endpoint *server,
               struct live_endpoint *client, uint64_t first_tag);

// live_send sends `text` to one connection and returns the status.
enum hail_status live_send(const struct live_endpoint *live, struct hail_conn conn, uint32_t flags,
                           const char *text);

// live_says says whether an event carries exactly `text`.
bool live_says(const struct live_event *event, const char *text);

#endif
