// party.h: a real endpoint under test, with its threads and sockets on loopback. It keeps whatever
// it hears of, by callback or by polling alike, so that a test can wait for it: never for longer
// than a bounded time, and never by sleeping. SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_PARTY_H
#define HAIL_TESTS_PARTY_H

#include <pthread.h>

#include "engine/hail.h"
#include "tests/vectors.h"

#define PARTY_COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

enum {
    PARTY_EVENTS = 8192,
    PARTY_LOG_MAX = 8192
};

// An event with its own copies of what it pointed to. Written once, before anybody can see it.
struct party_event {
    struct hail_event event;
    uint8_t *data;
    char *text; // NULL: none
};

struct party {
    struct hail_endpoint *endpoint;
    bool polls;
    // Called with each event before it is kept, on the thread that brings it; set before the start.
    // It must not fail the test there, so it keeps what it finds.
    void (*react)(struct party *party, struct hail_endpoint *endpoint,
                  const struct hail_event *event);
    void *user;            // the test's
    struct party *partner; // polls as well, and is served while the test waits for this one

    pthread_mutex_t lock; // of what follows
    pthread_cond_t heard;
    struct party_event *events;
    size_t event_count;
    char log[PARTY_LOG_MAX]; // a line each: its level as a number, a space, the line
};

// party_patience_ms returns how long a test waits for what must happen: HAIL_PATIENCE times 20 s.
int64_t party_patience_ms(void);

// party_clock_ms returns the time, from a clock that only goes forward.
int64_t party_clock_ms(void);

// party_config returns where every test's config starts: loopback, any port, small limits.
struct hail_config party_config(void);

// party_start starts an endpoint, with `config`'s callbacks replaced; it is started, or the test
// fails. party_try_start returns what starting said; unless HAIL_OK, only party_stop may follow.
void party_start(struct party *party, const struct hail_config *config, bool is_server);
enum hail_status party_try_start(struct party *party, const struct hail_config *config,
                                 bool is_server);

// party_drain drains; party_stop stops and frees, also what was never started.
void party_drain(struct party *party, uint32_t drain_ms);
void party_stop(struct party *party, uint32_t drain_ms);

// party_wait waits for the event number `index` of a type and returns it; it comes, or the test
// fails. party_wait_tag waits for the first of a type with `tag`, party_wait_conn for the first of
// one connection.
const struct party_event *party_wait(struct party *party, enum hail_event_type type, size_t index);
const struct party_event *party_wait_tag(struct party *party, enum hail_event_type type,
                                         uint64_t tag);
const struct party_event *party_wait_conn(struct party *party, enum hail_event_type type,
                                          struct hail_conn conn);

// party_count returns how many events of a type have come, without waiting.
size_t party_count(struct party *party, enum hail_event_type type);

// party_stat reads a counter by its name, which exists.
uint64_t party_stat(const struct party *party, const char *name);

// party_logged says whether a line of `level` with `text` in it has been logged.
bool party_logged(struct party *party, enum hail_log_level level, const char *text);

// party_connect begins a connection to `server`; it can be begun.
void party_connect(struct party *client, const struct party *server, uint64_t tag);

// A connection, by its two names.
struct party_pair {
    struct hail_conn server;
    struct hail_conn client;
    uint64_t client_id;
};

// party_join connects `count` clients with the tags from `first_tag` on to a server that approves
// all, and waits until both ends know of each.
void party_join(struct party_pair *pairs, size_t count, struct party *server, struct party *client,
                uint64_t first_tag);

// party_send sends `text` to one connection and returns the status.
enum hail_status party_send(const struct party *party, struct hail_conn conn, uint32_t flags,
                            const char *text);

// party_says says whether an event carries exactly `text`.
bool party_says(const struct party_event *event, const char *text);

#endif
