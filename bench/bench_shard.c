// bench_shard.c: what an echo costs a server's shard without the kernel: protocol, cryptography and
// copies, and nothing else. A client's shard with all connections and the server's are wired to
// each other in memory; only the server's time counts.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/measure.h"
#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/delivery/outbox.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"

enum {
    CONNS = 100,
    BODY_MAX = 1200,
    WAYS_MAX = 4096, // datagrams under way in one direction
    WINDOWS = 7,
    WINDOW_MESSAGES = 200000
};

struct flying {
    uint32_t conn; // the client's slot
    uint16_t len;
    uint8_t bytes[HAIL_OUTBOX_ROOM];
};

struct end {
    struct hail_context context;
    struct hail_shard shard;
    struct flying *out;
    uint32_t out_count;
};

static struct end server;
static struct end client;
static uint64_t now_ns;
static uint32_t connected;
static uint64_t echoes;

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
        hail_conn_send(&server.shard, hail_name_unpack(event->conn).slot, &echo) != HAIL_OK)
        die("the server could not answer");
}

static void on_client(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    (void)endpoint;
    (void)user;
    connected += event->type == HAIL_EVENT_CONNECTED;
    echoes += event->type == HAIL_EVENT_MESSAGE;
    if (event->type == HAIL_EVENT_CLOSED && connected == CONNS)
        die("a connection was closed");
}

static uint32_t port_of(const struct hail_task *task)
{
    return ntohs(((const struct sockaddr_in *)task->address)->sin_port);
}

// Takes what an end has to do.
static void carry_out(struct end *end)
{
    bool is_server = end == &server;
    struct hail_task task;

    while (hail_shard_output(&end->shard, &task)) {
        if (task.op == HAIL_TASK_CONNECT)
            hail_shard_connected(&end->shard, task.slot, 0);
        else if (task.op == HAIL_TASK_CLOSE)
            hail_shard_closed(&end->shard, task.slot);
        for (size_t i = 0; task.op == HAIL_TASK_DATAGRAMS && i < task.view_count; i++) {
            if (end->out_count == WAYS_MAX)
                die("too much under way");
            struct flying *one = &end->out[end->out_count++];
            one->conn = is_server ? port_of(&task) - 1 : task.slot;
            one->len = (uint16_t)task.views[i].iov_len;
            memcpy(one->bytes, task.views[i].iov_base, one->len);
        }
    }
    hail_shard_handed_over(&end->shard);
}

static void receive(struct end *end, struct end *from)
{
    bool is_server = end == &server;

    end->shard.now_ns = now_ns;
    for (uint32_t i = 0; i < from->out_count; i++) {
        struct flying *one = &from->out[i];
        const struct sockaddr_in address = {.sin_family = AF_INET,
                                            .sin_port = htons((uint16_t)(one->conn + 1)),
                                            .sin_addr = {htonl(0xc0000201u)}};
        hail_shard_datagram(&end->shard, is_server ? HAIL_SLOT_NONE : one->conn,
                            (const struct sockaddr *)&address, one->bytes, one->len);
    }
    from->out_count = 0;
    hail_shard_turn(&end->shard, now_ns);
    carry_out(end);
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
    now_ns += 300 * HAIL_NS_PER_US; // what a round takes on a real machine
    receive(&client, &server);
    uint64_t before_ns = cpu_ns();
    receive(&server, &client);
    return cpu_ns() - before_ns;
}

static void end_init(struct end *end, bool is_server)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_random random;

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.source_per_s = 1000000;
    config.native.handshakes_per_s = 1000000;
    config.on_event = is_server ? on_server : on_client;
    config.conns_max = CONNS;
    config.handshakes_max = CONNS;
    config.approves_all = true;
    if (hail_context_init(&end->context, &config, is_server) != HAIL_OK)
        die("config");
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, is_server);
    if (!hail_shard_init(&end->shard, &end->context, hail_profile_of(end->context.config.profile),
                         0, &random))
        die("no memory");
    end->out = calloc(WAYS_MAX, sizeof *end->out);
    if (!end->out)
        die("no memory");
}

static void join(void)
{
    struct hail_addresses addresses = {.host = "127.0.0.1", .count = 1};
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr = {htonl(0xc0000202u)}};
    const struct hail_command command = {.op = HAIL_COMMAND_CONNECT, .addresses = &addresses};
    size_t done;

    memcpy(&addresses.list[0], &to, sizeof to);
    for (uint32_t i = 0; i < CONNS; i++) {
        if (hail_command_run(&client.shard, &command, &done) != HAIL_OK)
            die("a client could not begin");
    }
    carry_out(&client);
    while (connected < CONNS)
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
    uint64_t from = echoes;

    while (echoes - from < WINDOW_MESSAGES) {
        for (uint32_t i = 0; i < CONNS; i++) {
            for (uint32_t j = 0; j < row->burst; j++) {
                if (hail_conn_send(&client.shard, i, &message) != HAIL_OK)
                    die("a client could not send");
            }
        }
        spent_ns += turn();
    }
    return (double)spent_ns / 1000 / (double)(echoes - from);
}

static int by_size(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;

    return (first > second) - (first < second);
}

int main(int argc, char **argv)
{
    end_init(&server, true);
    end_init(&client, false);
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
