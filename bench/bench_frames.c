// bench_frames.c: what one packet of a connected client can cost a server's shard, whatever is in
// it: packets of 1,452 bytes filled with one kind of frame each, as a client would seal them that
// means no good. Only the server's time counts: opening, frames, its answers, and the turn.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/measure.h"
#include "crypto/time.h"
#include "engine/native/state.h"
#include "tests/turn.h"
#include "tests/wired.h"

enum {
    BATCH = 32, // packets between two looks at the clock
    BATCHES = 60,
    FRAMES_MAX = HAIL_PACKET_MAX - HAIL_PACKET_TO_SERVER_LEN - HAIL_PACKET_TAG_LEN,
    WAYS_MAX = 8192,
    UNDER_WAY = 2000, // packets of the server's that wait for an acknowledgement
    LIMIT_US = 20
};

static struct wired wired;
static uint32_t round_number; // of the row: so that packets can differ

// Of what there is no room for, the client hears nothing.
static void post(struct wired_end *from, uint32_t client, const struct iovec *view)
{
    if (from->out_count < WAYS_MAX)
        wired_put(from, client, view, wired.now_ns);
}

// There and back, as honest ends do it.
static void exchange(void)
{
    wired.now_ns += 300 * HAIL_NS_PER_US;
    wired_receive(&wired.client);
    wired_receive(&wired.server);
}

static uint64_t cpu_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return hail_time_ns(&time);
}

static void begin(bool polls)
{
    struct hail_config config = wired_config();

    config.native.source_per_s = 1000000;
    wired_init(&wired, WAYS_MAX);
    wired.post = post;
    wired_begin(&wired.client, &config, 0);
    config.on_event = polls ? NULL : wired_note;
    wired_begin(&wired.server, &config, 1);
}

static void join(void)
{
    wired.client.connected = 0;
    wired_connect(&wired);
    wired_carry_out(&wired.client);
    while (wired.client.connected < 1)
        exchange();
    for (int i = 0; i < 100; i++)
        exchange();
    wired.server.closed = 0;
}

static void poll_events(void);

static void leave(void)
{
    if (wired.server.closed == 0)
        hail_conn_end(&wired.server.shard, 0, HAIL_CLOSED_BY_APPLICATION, false, NULL);
    hail_conn_end(&wired.client.shard, 0, HAIL_CLOSED_BY_APPLICATION, false, NULL);
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
    uint64_t newest = wired.server.shard.native->conns[0].peer.next_number - 1;
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
    struct hail_sender *sender = &wired.server.shard.delivery.conns[0].sender;

    sender->congestion.window = 1 << 29;
    sender->congestion.credit = 1 << 29;
    wired.server.shard.now_ns = wired.now_ns;
    for (int i = 0; i < UNDER_WAY; i++) {
        for (int j = 0; j < 3; j++)
            (void)!hail_conn_send(&wired.server.shard, 0, &message);
        wired_carry_out(&wired.server);
    }
    wired_lose(&wired.server);
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
    return hail_peer_seal(&wired.client.shard.native->conns[0].peer, packet, len,
                          HAIL_PROTECTION_ENCRYPTED, wired.now_ns);
}

// What hail_poll does, as often as it takes.
static void poll_events(void)
{
    size_t len;

    while (!wired.server.context.config.on_event) {
        const struct hail_event *event = hail_mailbox_next(&wired.server.context.events, &len);
        if (!event)
            return;
        if (len > 0)
            wired_note(NULL, event, &wired.server);
        hail_mailbox_release(&wired.server.context.events);
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
        wired.now_ns += HAIL_NS_PER_US;
        wired_arrive(&wired.server, 0, bytes[i], lens[i]);
        test_turn(&wired.server.shard, wired.now_ns);
        wired_carry_out(&wired.server);
    }
    uint64_t spent_ns = cpu_ns() - before_ns;
    poll_events();
    for (int i = 0; row->answered && i < 3; i++)
        exchange();
    wired_lose(&wired.server);
    wired.now_ns += 1000 * HAIL_NS_PER_US;
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
        if (i == 0 || row->once || wired.server.closed > 0)
            join();
        if (row->prepare)
            row->prepare();
        uint64_t before = wired.server.bytes;
        values[i] = run_batch(row, packets);
        back += wired.server.bytes - before;
        if (row->once || i == BATCHES - 1 || wired.server.closed > 0)
            leave();
    }
    qsort(values, BATCHES, sizeof *values, by_size);
    double median = values[BATCHES / 2] / 1000;
    printf("%-46s %7.2f (%.2f to %.2f) %8.0f\n", row->what, median, values[0] / 1000,
           values[BATCHES - 1] / 1000, (double)back / (double)BATCHES / packets);
    fflush(stdout);
    return median <= (double)LIMIT_US;
}

static bool run_all(bool polls)
{
    bool good = true;

    begin(polls);
    printf("\n%-46s us a packet: median of %d (least to most), bytes back\n",
           polls ? "events by hail_poll" : "events by callback", BATCHES);
    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++)
        good &= run_row(&rows[i]);
    poll_events();
    wired_finish(&wired);
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
