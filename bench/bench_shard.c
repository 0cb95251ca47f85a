// bench_shard.c: what an echo costs a server's shard without the kernel: protocol, cryptography and
// copies, and nothing else. A client's shard with all connections and the server's are wired to
// each other in memory; only the server's time counts.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/measure.h"
#include "crypto/time.h"
#include "tests/wired.h"

enum {
    CONNS = 100,
    BODY_MAX = 1200,
    WAYS_MAX = 4096, // datagrams under way in one direction
    WINDOWS = 7,
    WINDOW_MESSAGES = 200000
};

static struct wired wired;

// How the messages of a row are.
static const struct row {
    const char *what;
    uint8_t channel;
    uint32_t flags;
    uint32_t burst;
    uint32_t size;
} rows[] = {
    {"unreliable, plain", HAIL_UNRELIABLE, 0, 1, 128},
    {"unreliable, both", HAIL_UNRELIABLE, 3, 1, 128},
    {"ordered, both", HAIL_RELIABLE_ORDERED, 3, 1, 128},
    {"unreliable, plain, 8 together", HAIL_UNRELIABLE, 0, 8, 128},
    {"unreliable, both, 8 together", HAIL_UNRELIABLE, 3, 8, 128},
    {"ordered, both, 8 together", HAIL_RELIABLE_ORDERED, 3, 8, 128},
    {"unreliable, plain, 1,200 bytes", HAIL_UNRELIABLE, 0, 1, 1200},
    {"unreliable, both, 1,200 bytes", HAIL_UNRELIABLE, 3, 1, 1200},
    {"unreliable, both, 1,200 bytes, 8 together", HAIL_UNRELIABLE, 3, 8, 1200},
    {"ordered, both, 1,200 bytes, 8 together", HAIL_RELIABLE_ORDERED, 3, 8, 1200},
};

static void die(const char *why)
{
    fprintf(stderr, "bench_shard: %s\n", why);
    exit(EXIT_FAILURE);
}

static void on_server(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    const struct hail_message_view echo = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = event->flags,
                                           .channel = event->channel,
                                           .body = event->data,
                                           .body_len = event->len};

    (void)endpoint;
    (void)user;
    if (event->type == HAIL_EVENT_MESSAGE &&
        hail_conn_send(&wired.server.shard, hail_name_unpack(event->conn).slot, &echo) != HAIL_OK)
        die("the server could not answer");
}

static void on_client(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    wired_note(endpoint, event, user);
    if (event->type == HAIL_EVENT_CLOSED && wired.client.connected == CONNS)
        die("a connection was closed");
}

static uint64_t cpu_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return hail_time_ns(&time);
}

// There and back. Returns the server's time.
static uint64_t turn(void)
{
    wired.now_ns += 300 * HAIL_NS_PER_US; // what a round takes on a real machine
    wired_receive(&wired.client);
    uint64_t before_ns = cpu_ns();
    wired_receive(&wired.server);
    return cpu_ns() - before_ns;
}

static void begin(void)
{
    struct hail_config config = wired_config();

    config.native.source_per_s = 1000000;
    config.native.handshakes_per_s = 1000000;
    config.conns_max = CONNS;
    config.handshakes_max = CONNS;
    wired_init(&wired, WAYS_MAX);
    config.on_event = on_server;
    wired_begin(&wired.server, &config, 1);
    config.on_event = on_client;
    wired_begin(&wired.client, &config, 0);
}

static void join(void)
{
    for (uint32_t i = 0; i < CONNS; i++)
        wired_connect(&wired);
    wired_carry_out(&wired.client);
    while (wired.client.connected < CONNS)
        turn();
}

// Microseconds of the server's for each message, in one window.
static double run_window(const struct row *row)
{
    static const uint8_t body[BODY_MAX];
    const struct hail_message_view message = {.kind = HAIL_MESSAGE_UNNAMED,
                                              .flags = row->flags,
                                              .channel = row->channel,
                                              .body = body,
                                              .body_len = row->size};
    uint64_t spent_ns = 0;
    uint64_t from = wired.client.messages;

    while (wired.client.messages - from < WINDOW_MESSAGES) {
        for (uint32_t i = 0; i < CONNS; i++) {
            for (uint32_t j = 0; j < row->burst; j++) {
                if (hail_conn_send(&wired.client.shard, i, &message) != HAIL_OK)
                    die("a client could not send");
            }
        }
        spent_ns += turn();
    }
    return (double)spent_ns / 1000 / (double)(wired.client.messages - from);
}

static int by_size(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;

    return (first > second) - (first < second);
}

int main(int argc, char **argv)
{
    begin();
    join();
    measure_machine(argc, argv);
    printf("\n%-44s us a message echoed: median of %d windows (least to most)\n", "", WINDOWS);
    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        double values[WINDOWS];
        (void)run_window(&rows[i]); // warm-up; paths are searched in it
        for (int j = 0; j < WINDOWS; j++)
            values[j] = run_window(&rows[i]);
        qsort(values, WINDOWS, sizeof *values, by_size);
        printf("%-44s %.3f (%.3f to %.3f)\n", rows[i].what, values[WINDOWS / 2], values[0],
               values[WINDOWS - 1]);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
