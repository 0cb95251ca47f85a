// test_transfer.c: how fast reliable messages go over a path that loses, delays or has little room,
// against what it could carry by theory. Two shards and a simulated path in one thread;
// the time is the simulation's, so the machine's speed does not matter.
// SPDX-License-Identifier: MIT
#include <math.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/sender.h"
#include "engine/native/state.h"
#include "tests/vectors.h"
#include "tests/wired.h"

enum {
    PATH_MAX_DATAGRAMS = 1 << 16,
    MESSAGE = 60000,
    CHANNEL = HAIL_RELIABLE_ORDERED
};

static struct wired wired;
static struct world {
    uint64_t dice;
    uint32_t loss; // in 10,000
    uint64_t delay_ns;
    uint64_t bytes_per_s;             // 0: any
    uint64_t queue_max;               // bytes that wait for their turn
    size_t mtu;                       // bytes of the longest datagram that passes; 0: any
    size_t longest;                   // that has passed
    uint64_t free_ns[2];              // when the last has left: a client's, a server's
    struct hail_native_config native; // of both ends, but for what they must have
    bool idle;                        // the server sends nothing by itself
    uint64_t until_ns;                // at which the test has something to do; 0: none
    uint64_t sent;                    // messages that the server took
    uint64_t received;                // messages that the client was given
    bool wrong;
} world;

static void write_message(uint8_t data[MESSAGE], uint64_t number)
{
    memset(data, (int)(number % 251), MESSAGE);
    memcpy(data, &number, sizeof number);
}

static void on_client_event(struct hail_endpoint *endpoint, const struct hail_event *event,
                            void *user)
{
    static uint8_t want[MESSAGE];

    wired_note(endpoint, event, user);
    if (event->type == HAIL_EVENT_CLOSED)
        world.wrong = true;
    if (event->type != HAIL_EVENT_MESSAGE || world.idle)
        return;
    write_message(want, world.received++);
    if (event->len != MESSAGE || memcmp(event->data, want, MESSAGE) != 0)
        world.wrong = true;
}

// The server has always something to send.
static void fill(void)
{
    static uint8_t data[MESSAGE];
    struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                     .flags = HAIL_FLAGS_BOTH,
                                     .channel = CHANNEL,
                                     .body = data,
                                     .body_len = MESSAGE};

    if (wired.client.connected == 0 || world.idle)
        return;
    do
        write_message(data, world.sent);
    while (hail_conn_send(&wired.server.shard, wired.server.slot, &view) == HAIL_OK &&
           ++world.sent > 0);
}

static void on_server_event(struct hail_endpoint *endpoint, const struct hail_event *event,
                            void *user)
{
    wired_note(endpoint, event, user);
    if (event->type == HAIL_EVENT_CLOSED)
        world.wrong = true;
}

// A datagram sets out. In each direction they stay in order, each takes the same time but for the
// wait until those before it have left.
static void post(struct wired_end *from, uint32_t client, const struct iovec *view)
{
    uint64_t *free_ns = &world.free_ns[from == &wired.server];
    uint64_t takes_ns =
        world.bytes_per_s == 0 ? 0 : view->iov_len * HAIL_NS_PER_S / world.bytes_per_s;
    uint64_t from_ns = *free_ns > wired.now_ns ? *free_ns : wired.now_ns;

    if (client != 0) // a port that the client has left, or one between them
        return;
    if (wired.client.connected > 0 && test_next(&world.dice) % 10000 < world.loss)
        return;
    if (world.mtu > 0 && view->iov_len > world.mtu)
        return;
    world.longest = view->iov_len > world.longest ? view->iov_len : world.longest;
    if (takes_ns > 0 &&
        (from_ns - wired.now_ns) * world.bytes_per_s / HAIL_NS_PER_S > world.queue_max)
        return; // no room to wait
    *free_ns = from_ns + takes_ns;
    wired_put(from, client, view, *free_ns + world.delay_ns);
}

static void step(void)
{
    uint64_t next = wired_next_ns(&wired);

    if (world.until_ns > wired.now_ns && world.until_ns < next)
        next = world.until_ns;
    wired.now_ns = next > wired.now_ns ? next : wired.now_ns + 1000;
    wired_deliver(&wired.client);
    wired_deliver(&wired.server);
    fill();
    wired_work(&wired);
}

static void run_for(uint64_t ns)
{
    world.until_ns = wired.now_ns + ns;
    while (wired.now_ns < world.until_ns && !world.wrong)
        step();
}

// A new world, whose path carries all there is at once.
static void set_up(void)
{
    world = (struct world){.dice = test_seed()};
    wired_init(&wired, PATH_MAX_DATAGRAMS);
    wired.post = post;
}

// Both ends, joined.
static void begin(void)
{
    struct hail_config config = wired_config();

    config.native = world.native;
    config.native.exchange = HAIL_UNSIGNED;
    config.unsent_max = 16u << 20;
    config.on_event = on_server_event;
    wired_begin(&wired.server, &config, test_next(&world.dice));
    config.on_event = on_client_event;
    wired_begin(&wired.client, &config, test_next(&world.dice));
    wired_connect(&wired);
    wired_carry_out(&wired.client);
    while (wired.client.connected == 0 && !world.wrong)
        step();
    ck_assert(!world.wrong);
}

static const struct {
    const char *why;
    uint32_t loss;        // in 10,000
    uint64_t delay_ms;    // one way
    uint64_t bytes_per_s; // of the path; 0: any
    uint64_t megabytes;
    double share; // of what theory says, at least
} rows[] = {
    {"1 % lost, 50 ms there and back", 100, 25, 0, 100, 0.8},
    {"5 % lost", 500, 25, 0, 100, 0.7},
    {"10 % lost", 1000, 25, 0, 50, 0.6},
    {"a path of 10 MB a second with a queue, and nothing lost but there", 0, 25, 10000000, 200,
     0.8},
    {"the same with 0.1 % lost near by", 10, 1, 10000000, 100, 0.8},
    {"a path of 1 MB a second with a queue, and 5 % lost before it", 500, 25, 1000000, 20, 0.8},
};

// What the path carries: losses are no congestion and cost no more than themselves. Where it has no
// limit, the other end's is what counts: it keeps 1 MiB that came out of turn until what was lost
// is there. Of as many packets the unluckiest is sent 1 + log(packets) / log(1 / loss) times or so,
// and found to be lost after a round trip and an eighth each time.
static double theory(size_t row)
{
    double rtt = 2 * (double)rows[row].delay_ms / 1000;
    double packets = (double)HAIL_STORE_LEAST / (double)HAIL_CONGESTION_DATAGRAM;
    double times = 1 + log(packets) / log(10000.0 / rows[row].loss);

    if (rows[row].bytes_per_s > 0)
        return (double)rows[row].bytes_per_s;
    return (double)HAIL_STORE_LEAST / (times * rtt * 9 / 8);
}

START_TEST(test_transfer)
{
    set_up();
    world.loss = rows[_i].loss;
    world.delay_ns = rows[_i].delay_ms * HAIL_NS_PER_MS;
    world.bytes_per_s = rows[_i].bytes_per_s;
    world.queue_max = 500000; // what a round trip of the longer path carries
    begin();
    uint64_t began_ns = wired.now_ns;
    uint64_t enough = rows[_i].megabytes * 1000000 / MESSAGE;
    while (world.received < enough && !world.wrong)
        step();
    ck_assert_msg(!world.wrong, "%s", rows[_i].why);
    double seconds = (double)(wired.now_ns - began_ns) / 1e9;
    double rate = (double)(enough * MESSAGE) / seconds;
    printf("%s: %.0f kB/s, %.0f %% of theory's %.0f\n", rows[_i].why, rate / 1e3,
           100 * rate / theory((size_t)_i), theory((size_t)_i) / 1e3);
    ck_assert_msg(rate >= rows[_i].share * theory((size_t)_i), "%s: %.0f kB/s of %.0f",
                  rows[_i].why, rate / 1e3, theory((size_t)_i) / 1e3);
    wired_finish(&wired);
}
END_TEST

// Packets become as long as the path takes them; and when it takes no long ones any more, a
// transfer goes on after a moment.
START_TEST(test_mtu)
{
    const size_t paths[] = {1200, 1300, 1400, 1500};
    uint64_t seconds = 0;

    set_up();
    world.delay_ns = 10 * HAIL_NS_PER_MS;
    world.bytes_per_s = 10000000;
    world.queue_max = 200000;
    world.mtu = paths[_i];
    begin();
    while (world.received < 100 && !world.wrong)
        step();
    size_t passes = world.mtu < HAIL_PACKET_MAX ? world.mtu : HAIL_PACKET_MAX;
    ck_assert_uint_ge(world.longest + HAIL_PMTU_STEP, passes);
    world.mtu = HAIL_DATAGRAM_MAX;
    uint64_t began_ns = wired.now_ns;
    uint64_t enough = world.received + 100;
    while (world.received < enough && !world.wrong)
        step();
    seconds = (wired.now_ns - began_ns) / HAIL_NS_PER_S;
    ck_assert(!world.wrong);
    ck_assert_uint_le(seconds, 10);
    wired_finish(&wired);
}
END_TEST

// Bytes a second are what they are configured to be, over some seconds and after the first burst.
START_TEST(test_send_rate)
{
    const uint32_t rates[] = {3000, 60000, 2000000};

    set_up();
    world.delay_ns = 10 * HAIL_NS_PER_MS;
    world.native.send_rate = rates[_i];
    begin();
    run_for(HAIL_NS_PER_S);
    uint64_t bytes = wired.server.bytes;
    uint64_t began_ns = wired.now_ns;
    run_for(20 * HAIL_NS_PER_S);
    double rate = (double)(wired.server.bytes - bytes) / ((double)(wired.now_ns - began_ns) / 1e9);
    ck_assert(!world.wrong);
    ck_assert_msg(rate > 0.9 * rates[_i] && rate < 1.05 * rates[_i], "%.0f of %u", rate, rates[_i]);
    wired_finish(&wired);
}
END_TEST

// A sender that knows nothing of the receiver's limit yields to it, and loses nothing.
START_TEST(test_receive_rate)
{
    enum {
        RATE = 100000,
        SECONDS = 60
    };

    set_up();
    world.delay_ns = 10 * HAIL_NS_PER_MS;
    world.native.receive_rate = RATE;
    begin();
    run_for(SECONDS * HAIL_NS_PER_S);
    double taken = (double)world.received * (double)MESSAGE;
    ck_assert(!world.wrong);
    ck_assert_msg(taken <= (double)RATE * (SECONDS + 1) &&
                      taken > 0.5 * (double)RATE * (double)SECONDS,
                  "%.0f bytes", taken);
    ck_assert_uint_gt(
        hail_stat_get(&wired.client.shard.stats, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_TOO_FAST), 0);
    wired_finish(&wired);
}
END_TEST

// A client whose port changes, and that has nothing to say, is found by its pings alone: what waits
// for it goes then, and not when the next probe happens to be due.
START_TEST(test_moving_listener)
{
    enum {
        MOVE_MS = 300,
        PING_MS = 10000 / HAIL_PING_PART // of the idle timeout
    };
    static uint8_t data[MESSAGE];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = HAIL_FLAGS_BOTH,
                                           .channel = CHANNEL,
                                           .body = data,
                                           .body_len = 100};

    set_up();
    world.delay_ns = 20 * HAIL_NS_PER_MS;
    world.idle = true;
    begin();
    for (int i = 0; i < 20; i++) {
        uint64_t began_ns = wired.now_ns;
        ck_assert_int_eq(hail_conn_send(&wired.server.shard, wired.server.slot, &view), HAIL_OK);
        while (hail_sender_busy(&wired.server.shard.delivery.conns[wired.server.slot].sender)) {
            wired.port = (uint16_t)(1000 + wired.now_ns / (MOVE_MS * HAIL_NS_PER_MS) % 60000);
            run_for(10 * HAIL_NS_PER_MS);
            ck_assert(!world.wrong);
            ck_assert_uint_le(wired.now_ns - began_ns, (PING_MS + 2 * MOVE_MS) * HAIL_NS_PER_MS);
        }
        wired.port++;
        run_for(test_next(&world.dice) % 2000 * HAIL_NS_PER_MS);
    }
    wired_finish(&wired);
}
END_TEST

static const struct {
    const char *why;
    uint32_t coalesce_us;
    uint32_t flags;
    uint8_t channel;
    uint32_t len;
    bool flushes; // after each
    uint64_t at_least;
    uint64_t at_most; // datagrams
} gatherings[] = {
    {"without a window each goes by itself", 0, 3, HAIL_UNRELIABLE, 20, false, 100, 110},
    {"ten ms of messages share a packet", 10000, 3, HAIL_UNRELIABLE, 20, false, 9, 20},
    {"reliable ones as well", 10000, 3, HAIL_RELIABLE_ORDERED, 20, false, 9, 20},
    {"what is flushed does not wait", 10000, 3, HAIL_UNRELIABLE, 20, true, 100, 110},
    {"nor what fills a packet", 100000, 3, HAIL_RELIABLE_ORDERED, 1100, false, 80, 130},
    {"plain ones would have to be protected, and go", 10000, 0, HAIL_UNRELIABLE, 20, false, 100,
     110},
};

// A message a millisecond for 100 ms.
START_TEST(test_coalescing)
{
    static uint8_t data[MESSAGE];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = gatherings[_i].flags,
                                           .channel = gatherings[_i].channel,
                                           .body = data,
                                           .body_len = gatherings[_i].len};

    set_up();
    world.delay_ns = 5 * HAIL_NS_PER_MS;
    world.idle = true;
    world.native.coalesce_us = gatherings[_i].coalesce_us;
    begin();
    run_for(HAIL_NS_PER_S);
    uint64_t datagrams = wired.server.datagrams;
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_int_eq(hail_conn_send(&wired.server.shard, wired.server.slot, &view), HAIL_OK);
        if (gatherings[_i].flushes)
            hail_sender_flush(&wired.server.shard.delivery, wired.server.slot);
        run_for(HAIL_NS_PER_MS);
    }
    datagrams = wired.server.datagrams - datagrams;
    ck_assert(!world.wrong);
    ck_assert_msg(datagrams >= gatherings[_i].at_least && datagrams <= gatherings[_i].at_most,
                  "%s: %llu", gatherings[_i].why, (unsigned long long)datagrams);
    wired_finish(&wired);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer");
    TCase *tests = tcase_create("transfer");

    tcase_add_loop_test(tests, test_transfer, 0, HAIL_COUNTOF(rows));
    tcase_add_loop_test(tests, test_mtu, 0, 4);
    tcase_add_loop_test(tests, test_send_rate, 0, 3);
    tcase_add_test(tests, test_receive_rate);
    tcase_add_test(tests, test_moving_listener);
    tcase_add_loop_test(tests, test_coalescing, 0, HAIL_COUNTOF(gatherings));
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
