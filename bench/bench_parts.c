// bench_parts.c: what one packet with parts of messages costs a server's shard, of the worst that a
// client can write, with warm caches and with cold ones. The client's shard writes the frames by
// hand; the server's is given each datagram alone.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/measure.h"
#include "crypto/time.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/receiver.h"
#include "engine/native/state.h"
#include "tests/turn.h"
#include "tests/wired.h"

enum {
    MESSAGE_MAX = 16 << 20,
    PACKETS = 200,      // measured
    PREPARED = 400,     // before, to spread what is kept over memory
    EVICTED = 96 << 20, // bytes that are written to empty the caches
    DATAGRAMS_MAX = 64,
    ORDERED = HAIL_RELIABLE_ORDERED,
    UNORDERED = HAIL_RELIABLE_UNORDERED
};

static struct wired wired;
static uint64_t dice = 1;
static uint32_t packet;  // that is being filled
static uint32_t next_id; // on the channel of the row
static uint32_t next_at; // in the message of a row that has one
static size_t parts;     // in the last packet

static void die(const char *why)
{
    fprintf(stderr, "bench_parts: %s\n", why);
    exit(EXIT_FAILURE);
}

static uint32_t roll(uint32_t below)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((dice >> 33) % below);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    (void)endpoint;
    (void)user;
    if (event->type == HAIL_EVENT_CLOSED)
        die("the connection was closed");
}

static uint64_t cpu_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return hail_time_ns(&time);
}

// What is under way arrives; the server's answers as well.
static void settle(void)
{
    wired.now_ns += HAIL_NS_PER_MS;
    test_turn(&wired.client.shard, wired.now_ns);
    wired_carry_out(&wired.client);
    wired_receive(&wired.server);
    wired_deliver(&wired.client);
}

static void begin(void)
{
    struct hail_config config = wired_config();

    config.on_event = on_event;
    config.message_max = MESSAGE_MAX;
    config.unsent_max = 2 * MESSAGE_MAX;
    config.command_queue_bytes = 8 * MESSAGE_MAX;
    config.buffers_max = 256u << 20;
    wired_init(&wired, DATAGRAMS_MAX);
    wired_begin(&wired.server, &config, 1);
    wired_begin(&wired.client, &config, 0);
}

static void join(void)
{
    wired_connect(&wired);
    for (int i = 0; i < 100 && !wired.client.shard.conns[0].joined; i++)
        settle();
    if (!wired.client.shard.conns[0].joined)
        die("a client could not join");
    wired.client.shard.delivery.conns[0].sender.pmtu.size = HAIL_PACKET_MAX;
}

// ---- Packets by hand

// Adds a part; false: the packet is full.
static bool put(uint8_t channel, uint32_t id, uint32_t total, uint32_t offset, uint32_t len)
{
    static uint8_t data[1400] = {HAIL_FRAME_MESSAGE};
    const struct hail_native_frame frame = {
        .type = len == total ? HAIL_FRAME_RELIABLE : HAIL_FRAME_FRAGMENT,
        .part = {.channel = channel, .id = (uint16_t)id, .total = total, .offset = offset},
        .bytes = {data, len},
    };

    if (hail_frames_len(&frame, &wired.client.context.policy) >
        hail_packets_room(&wired.client.shard.delivery, 0, HAIL_PROTECTION_ENCRYPTED, packet))
        return false;
    hail_packets_add(&wired.client.shard.delivery, packet, &frame);
    parts++;
    return true;
}

// As any transfer has them.
static void fill_in_order(void)
{
    uint32_t len = 1380 < MESSAGE_MAX - next_at ? 1380 : MESSAGE_MAX - next_at;

    (void)put(ORDERED, next_id, MESSAGE_MAX, next_at, len);
    next_at += len;
    if (next_at == MESSAGE_MAX) {
        next_at = 0;
        next_id++;
    }
}

// One byte each of messages that lie anywhere, anywhere in them.
static void fill_scattered(void)
{
    while (put(UNORDERED, next_id + 1 + roll(1000), MESSAGE_MAX, roll(MESSAGE_MAX - 1), 1))
        ;
}

static void fill_again(void)
{
    static uint64_t before;
    static bool is_known;

    before = is_known ? before : dice;
    is_known = true;
    dice = before; // always the same
    fill_scattered();
}

// As short as can be, of messages in their turn.
static void fill_short(void)
{
    while (put(ORDERED, next_id, 1, 0, 1))
        next_id++;
}

// The same before their turn.
static void fill_early(void)
{
    uint32_t id = next_id + 1 + roll(700);

    while (put(ORDERED, id, 1, 0, 1))
        id++;
}

// The same in their turn, while something later is kept.
static void fill_before_something(void)
{
    (void)put(ORDERED, next_id + 1000, 2, 0, 1);
    fill_short();
}

static const struct row {
    const char *what;
    void (*fill)(void);
} rows[] = {
    {"a part of a transfer, in its order", fill_in_order},
    {"one-byte parts of 1,000 messages of 16 MiB", fill_scattered},
    {"the same parts again and again", fill_again},
    {"the shortest messages, in their turn", fill_short},
    {"the same with a later one kept", fill_before_something},
    {"the shortest messages, before their turn", fill_early},
};

static void evict(void)
{
    static uint8_t *memory;
    static uint8_t value;

    if (!memory)
        memory = malloc(EVICTED);
    if (!memory)
        die("no memory");
    memset(memory, ++value, EVICTED);
}

// The server's nanoseconds for a packet of a row's.
static uint64_t run(const struct row *row, bool is_cold)
{
    wired.client.shard.now_ns = wired.now_ns;
    packet = hail_packets_begin(&wired.client.shard.delivery, 0, HAIL_PROTECTION_ENCRYPTED);
    if (packet == HAIL_OUTGOING_NONE)
        die("no packet");
    parts = 0;
    row->fill();
    wired_carry_out(&wired.client);
    if (is_cold)
        evict();
    uint64_t before_ns = cpu_ns();
    wired_deliver(&wired.server);
    uint64_t spent_ns = cpu_ns() - before_ns;
    settle();
    return spent_ns;
}

static int by_size(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return (first > second) - (first < second);
}

// A row begins with nothing kept.
static void begin_anew(void)
{
    hail_receiver_clear(&wired.server.shard.delivery, 0);
    next_id = 0;
    next_at = 0;
}

int main(int argc, char **argv)
{
    begin();
    join();
    measure_machine(argc, argv);
    printf("\n%-46s parts  us a packet: least, median, nine tenths; the same cold\n", "");
    for (size_t i = 0; i < HAIL_COUNTOF(rows); i++) {
        printf("%-46s", rows[i].what);
        for (int j = 0; j < PREPARED + PACKETS; j++)
            (void)run(&rows[i], false); // memory that was never used has yet to be paid for
        for (int is_cold = 0; is_cold <= 1; is_cold++) {
            uint64_t values[PACKETS];
            begin_anew();
            for (int j = 0; j < PREPARED; j++)
                (void)run(&rows[i], false);
            for (int j = 0; j < PACKETS; j++)
                values[j] = run(&rows[i], is_cold);
            qsort(values, PACKETS, sizeof *values, by_size);
            if (!is_cold)
                printf(" %5zu ", parts);
            printf(" %6.1f %6.1f %6.1f ", (double)values[0] / 1e3,
                   (double)values[PACKETS / 2] / 1e3, (double)values[PACKETS * 9 / 10] / 1e3);
            fflush(stdout);
        }
        printf("\n");
    }
    return EXIT_SUCCESS;
}
