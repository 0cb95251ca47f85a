// bench_frames.c: what one packet of a connected client can cost a server's shard, whatever is in
// it: packets of 1,452 bytes filled with one kind of frame each, as a client would seal them that
// means no good. Only the server's time counts: opening, frames, its answers, and the turn.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/measure.h"
#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/native/state.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"

enum {
    BATCH = 32, // packets between two looks at the clock
    BATCHES = 60,
    FRAMES_MAX = HAIL_PACKET_MAX - HAIL_PACKET_TO_SERVER_LEN - HAIL_PACKET_TAG_LEN,
    WAYS_MAX = 8192,
    UNDER_WAY = 2000, // packets of the server's that wait for an acknowledgement
    LIMIT_US = 20
};

struct flying {
    uint16_t len;
    uint8_t bytes[HAIL_OUTBOX_ROOM];
};

struct end {
    struct hail_context context;
    struct hail_shard shard;
    struct flying *out;
    uint32_t out_count;
    uint64_t sent;
};

static struct end server;
static struct end client;
static uint64_t now_ns;
static uint32_t connected;
static uint32_t closed;
static uint32_t round_number; // of the row: so that packets can differ

static void die(const char *why)
{
    fprintf(stderr, "bench_frames: %s\n", why);
    exit(EXIT_FAILURE);
}

static void on_server(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    (void)endpoint;
    (void)user;
    closed += event->type == HAIL_EVENT_CLOSED;
}

static void on_client(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    (void)endpoint;
    (void)user;
    connected += event->type == HAIL_EVENT_CONNECTED;
}

static void carry_out(struct end *end)
{
    struct hail_task task;

    while (hail_shard_output(&end->shard, &task)) {
        if (task.op == HAIL_TASK_CONNECT)
            hail_shard_connected(&end->shard, task.slot, 0);
        else if (task.op == HAIL_TASK_CLOSE)
            hail_shard_closed(&end->shard, task.slot);
        for (size_t i = 0; task.op == HAIL_TASK_DATAGRAMS && i < task.view_count; i++) {
            end->sent += task.views[i].iov_len;
            if (end->out_count == WAYS_MAX)
                continue;
            struct flying *one = &end->out[end->out_count++];
            one->len = (uint16_t)task.views[i].iov_len;
            memcpy(one->bytes, task.views[i].iov_base, one->len);
        }
    }
    hail_shard_handed_over(&end->shard);
}

static void arrive(struct end *to, uint8_t *bytes, size_t len)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = {htonl(0xc0000201u)}};

    hail_shard_datagram(&to->shard, to == &server ? HAIL_SLOT_NONE : 0,
                        (const struct sockaddr *)&address, bytes, len);
}

static void receive(struct end *end, struct end *from)
{
    end->shard.now_ns = now_ns;
    for (uint32_t i = 0; i < from->out_count; i++)
        arrive(end, from->out[i].bytes, from->out[i].len);
    from->out_count = 0;
    hail_shard_turn(&end->shard, now_ns);
    carry_out(end);
}

// There and back, as honest ends do it.
static void exchange(void)
{
    now_ns += 300 * HAIL_NS_PER_US;
    receive(&client, &server);
    receive(&server, &client);
}

static uint64_t cpu_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return hail_time_ns(&time);
}

static void end_init(struct end *end, bool is_server, bool polls)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_random random;

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.source_per_s = 1000000;
    config.on_event = is_server ? (polls ? NULL : on_server) : on_client;
    config.conns_max = 2;
    config.handshakes_max = 2;
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

    connected = 0;
    closed = 0;
    memcpy(&addresses.list[0], &to, sizeof to);
    if (hail_command_run(&client.shard, &command, &done) != HAIL_OK)
        die("a client could not begin");
    carry_out(&client);
    while (connected < 1)
        exchange();
    for (int i = 0; i < 100; i++)
        exchange();
    closed = 0;
}

static void poll_events(void);

static void leave(void)
{
    if (closed == 0)
        hail_conn_end(&server.shard, 0, HAIL_CLOSED_BY_APPLICATION, false, NULL);
    hail_conn_end(&client.shard, 0, HAIL_CLOSED_BY_APPLICATION, false, NULL);
    for (int i = 0; i < 10; i++) {
        exchange();
        poll_events();
    }
}

// ---- What packets are filled with

// The same frame again and again; of its bytes, two at `counts_at` count up.
static size_t repeat(uint8_t *frames, const uint8_t *frame, size_t len, size_t counts_at)
{
    static uint16_t count;
    size_t at = 0;

    for (; at + len <= FRAMES_MAX; at += len) {
        memcpy(frames + at, frame, len);
        if (counts_at > 0) {
            count++;
            frames[at + counts_at] = (uint8_t)(count >> 8);
            frames[at + counts_at + 1] = (uint8_t)count;
        }
    }
    return at;
}

// Acknowledgements of as many ranges as one has, of packets that are under way or were; each of
// them of the same ones again, or of the next ones.
static size_t fill_acks(uint8_t *frames, bool next)
{
    static uint64_t done;
    struct hail_ack ack;
    size_t at = 0;
    uint64_t newest = server.shard.native->conns[0].peer.next_number - 1;
    uint64_t base = newest > UNDER_WAY ? newest - UNDER_WAY : 0;

    if (!next || round_number == 0)
        done = base + 70;
    while (at + 3 + HAIL_ACK_LEN_MAX <= FRAMES_MAX) {
        if (next && done < newest)
            done++;
        ack.count = 0;
        ack.delay_us = 0;
        for (uint64_t last = done; ack.count < HAIL_ACK_RANGES_MAX; last -= 2)
            ack.ranges[ack.count++] = (struct hail_ack_range){last, last};
        uint8_t content[HAIL_ACK_LEN_MAX];
        size_t len = hail_ack_encode(content, &ack);
        frames[at++] = HAIL_FRAME_ACK | 0x80;
        at += hail_varint_write(frames + at, len);
        memcpy(frames + at, content, len);
        at += len;
    }
    return at;
}

static size_t fill_stale_acks(uint8_t *frames)
{
    return fill_acks(frames, false);
}

static size_t fill_next_acks(uint8_t *frames)
{
    return fill_acks(frames, true);
}

// Many packets of the server's, with some messages each.
static void put_under_way(void)
{
    static const uint8_t body[100];
    const struct hail_message_view message = {.kind = HAIL_MESSAGE_UNNAMED,
                                              .flags = HAIL_FLAGS_BOTH,
                                              .channel = HAIL_RELIABLE_ORDERED,
                                              .body = body,
                                              .body_len = sizeof body};
    struct hail_sender *sender = &server.shard.delivery.conns[0].sender;

    sender->congestion.window = 1 << 29;
    sender->congestion.credit = 1 << 29;
    server.shard.now_ns = now_ns;
    for (int i = 0; i < UNDER_WAY; i++) {
        for (int j = 0; j < 3; j++)
            (void)!hail_conn_send(&server.shard, 0, &message);
        carry_out(&server);
    }
    server.out_count = 0;
}

struct row {
    const char *what;
    uint8_t frame[24];
    uint8_t len;       // 0: `fill`
    uint8_t counts_at; // two bytes that differ from frame to frame
    size_t (*fill)(uint8_t *frames);
    void (*prepare)(void);
    bool answered; // the client takes in what comes back, and acknowledges
    bool once;     // the connection does not outlive it
};

#define ECHO 1, 2, 3, 4, 5, 6, 7, 8
static const struct row rows[] = {
    {.what = "one message of 1,400 bytes", .frame = {0x01}, .len = 1},
    {.what = "padding", .frame = {0x00}, .len = 1},
    {.what = "pings", .frame = {0x90, 8, ECHO}, .len = 10},
    {.what = "pongs", .frame = {0x91, 8, ECHO}, .len = 10},
    {.what = "path challenges", .frame = {0x92, 8, ECHO}, .len = 10},
    {.what = "path responses", .frame = {0x93, 8, ECHO}, .len = 10},
    {.what = "close", .frame = {0x94, 4, 0, 'b', 'y', 'e'}, .len = 6, .once = true},
    {.what = "approved", .frame = {0x95, 8, ECHO}, .len = 10},
    {.what = "wait", .frame = {0x96, 0}, .len = 2},
    {.what = "updates", .frame = {0x97, 0}, .len = 2},
    {.what = "tickets", .frame = {0x9a, 5, 0, 0, 1, 0, 1}, .len = 7},
    {.what = "asks", .frame = {0x99, 0}, .len = 2},
    {.what = "acks, 32 ranges, of packets settled long ago",
     .fill = fill_stale_acks,
     .prepare = put_under_way},
    {.what = "acks, 32 ranges, of the next packets each",
     .fill = fill_next_acks,
     .prepare = put_under_way},
    {.what = "messages of no byte", .frame = {0x81, 0}, .len = 2},
    {.what = "messages of one byte", .frame = {0x81, 1, 1}, .len = 3},
    {.what = "messages of one byte, sequenced", .frame = {0x88, 3, 2, 1, 1}, .len = 5},
    {.what = "messages on a channel that there is not", .frame = {0x88, 2, 9, 1}, .len = 4},
    {.what = "named messages without a rule", .frame = {0x82, 9, 0, ECHO}, .len = 11},
    {.what = "names that are none", .frame = {0x82, 1, 9}, .len = 3},
    {.what = "calls without a rule", .frame = {0x83, 11, 0, ECHO, 0, 0}, .len = 13},
    {.what = "requests without a rule", .frame = {0x84, 13, 0x41, 1, 0, ECHO, 0, 0}, .len = 15},
    {.what = "the same, and the errors are read",
     .frame = {0x84, 13, 0x41, 1, 0, ECHO, 0, 0},
     .len = 15,
     .answered = true},
    {.what = "responses to no call", .frame = {0x85, 2, 0x41, 1}, .len = 4},
    {.what = "errors to no call", .frame = {0x86, 3, 0x41, 1, 1}, .len = 5},
    {.what = "reliable messages of no byte, in order",
     .frame = {0x89, 4, 0, 0, 0, 1},
     .len = 6,
     .counts_at = 3},
    {.what = "reliable messages of no byte, unordered",
     .frame = {0x89, 4, 1, 0, 0, 1},
     .len = 6,
     .counts_at = 3},
    {.what = "reliable messages that came before", .frame = {0x89, 4, 0, 0xff, 0, 1}, .len = 6},
    {.what = "a type that there is not", .frame = {0x9f, 0}, .len = 2},
    {.what = "malformed pings", .frame = {0x90, 1, 0}, .len = 3},
};

static size_t fill(const struct row *row, uint8_t *frames)
{
    return row->fill ? row->fill(frames) : repeat(frames, row->frame, row->len, row->counts_at);
}

// Seals the next packet of the client's.
static size_t seal(const struct row *row, uint8_t packet[HAIL_PACKET_MAX])
{
    size_t len = fill(row, packet + HAIL_PACKET_TO_SERVER_LEN);

    round_number++;
    return hail_peer_seal(&client.shard.native->conns[0].peer, packet, len,
                          HAIL_PROTECTION_ENCRYPTED, now_ns);
}

// What hail_poll does, as often as it takes.
static void poll_events(void)
{
    size_t len;

    while (!server.context.config.on_event) {
        const struct hail_event *event = hail_mailbox_next(&server.context.events, &len);
        if (!event)
            return;
        closed += event->type == HAIL_EVENT_CLOSED;
        hail_mailbox_release(&server.context.events);
    }
}

// Nanoseconds of the server's for each of some packets.
static double run_batch(const struct row *row, int packets)
{
    static uint8_t bytes[BATCH][HAIL_PACKET_MAX];
    size_t lens[BATCH];

    for (int i = 0; i < packets; i++)
        lens[i] = seal(row, bytes[i]);
    uint64_t before_ns = cpu_ns();
    for (int i = 0; i < packets; i++) {
        now_ns += HAIL_NS_PER_US;
        server.shard.now_ns = now_ns;
        arrive(&server, bytes[i], lens[i]);
        hail_shard_turn(&server.shard, now_ns);
        carry_out(&server);
    }
    uint64_t spent_ns = cpu_ns() - before_ns;
    poll_events();
    for (int i = 0; row->answered && i < 3; i++)
        exchange();
    server.out_count = 0;
    now_ns += 1000 * HAIL_NS_PER_US;
    return (double)spent_ns / packets;
}

static int by_size(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;

    return (first > second) - (first < second);
}

static bool run_row(const struct row *row)
{
    double values[BATCHES];
    int packets = row->once ? 1 : BATCH;
    uint64_t back = 0;

    round_number = 0;
    for (int i = 0; i < BATCHES; i++) {
        if (i == 0 || row->once || closed > 0)
            join();
        if (row->prepare)
            row->prepare();
        uint64_t before = server.sent;
        values[i] = run_batch(row, packets);
        back += server.sent - before;
        if (row->once || i == BATCHES - 1 || closed > 0)
            leave();
    }
    qsort(values, BATCHES, sizeof *values, by_size);
    double median = values[BATCHES / 2] / 1000;
    printf("%-46s %7.2f (%.2f to %.2f) %8.0f\n", row->what, median, values[0] / 1000,
           values[BATCHES - 1] / 1000, (double)back / BATCHES / packets);
    fflush(stdout);
    return median <= LIMIT_US;
}

static void end_cleanup(struct end *end)
{
    hail_shard_stop(&end->shard, 0);
    carry_out(end);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
    free(end->out);
    memset(end, 0, sizeof *end);
}

static bool run_all(bool polls)
{
    bool good = true;

    end_init(&server, true, polls);
    end_init(&client, false, false);
    printf("\n%-46s us a packet: median of %d (least to most), bytes back\n",
           polls ? "events by hail_poll" : "events by callback", BATCHES);
    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++)
        good &= run_row(&rows[i]);
    end_cleanup(&client);
    poll_events();
    end_cleanup(&server);
    return good;
}

int main(int argc, char **argv)
{
    measure_machine(argc, argv);
    bool good = run_all(false);
    good &= run_all(true);
    printf("%s\n", good ? "none above 20 us" : "SOME ARE ABOVE 20 us");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
