// test_netsim.c: the simulated network by itself: what is put in comes out as often, as late and in
// the order that it should.
// SPDX-License-Identifier: MIT
#include "engine/context/simulation.h"
#include "engine/native/netsim.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "tests/vectors.h"

enum {
    ROOM = 4096,
    COUNT = 20000,
    GAP_US = 1000
};

static const struct hail_conn conn = {7};

static struct network {
    struct hail_arena arena;
    struct hail_netsim netsim;
    uint64_t now_ns;
    uint32_t came[COUNT];             // how often
    uint64_t late_ns[COUNT];          // the first time
    uint32_t reassemblies[2 * COUNT]; // in their order
    uint32_t arrival_count;
} network;

static void network_init(const struct hail_simulation *how, uint32_t room)
{
    memset(&network, 0, sizeof network);
    network.now_ns = HAIL_NS_PER_S;
    hail_netsim_init(&network.netsim, &network.arena, 1, room);
    ck_assert(hail_arena_reserve(&network.arena));
    hail_netsim_init(&network.netsim, &network.arena, 1, room);
    hail_netsim_set(&network.netsim, 0, conn, HAIL_NETSIM_OUT, how, test_seed(), network.now_ns);
}

static void take_all(void)
{
    struct hail_netsim_held *held;

    while ((held = hail_netsim_take(&network.netsim, network.now_ns))) {
        uint32_t number;
        ck_assert_uint_eq(held->len, 100);
        memcpy(&number, held->data, sizeof number);
        if (network.came[number]++ == 0)
            network.late_ns[number] =
                held->due_ns - (HAIL_NS_PER_S + (uint64_t)number * GAP_US * HAIL_NS_PER_US);
        network.reassemblies[network.arrival_count++] = number;
        hail_netsim_free(&network.netsim, held);
    }
}

// Puts all in, each after a gap, and takes each out when it is due.
static void run(void)
{
    struct hail_path address = {0};
    uint8_t data[100] = {0};

    for (uint32_t i = 0; i < COUNT; i++) {
        memcpy(data, &i, sizeof i);
        hail_netsim_put(&network.netsim, 0, conn, HAIL_NETSIM_OUT, &address, data, sizeof data,
                        network.now_ns);
        network.now_ns += GAP_US * HAIL_NS_PER_US;
        take_all();
    }
    network.now_ns = UINT64_MAX - 1;
    take_all();
    ck_assert_uint_eq(hail_netsim_next_ns(&network.netsim), UINT64_MAX);
    ck_assert_uint_eq(network.netsim.held.used_count, 0);
}

static const struct {
    const char *why;
    struct hail_simulation how;
    double lost; // of all
    double twice;
    double out_of_turn;
    uint64_t least_us; // late
    uint64_t most_us;
} rows[] = {
    {"nothing is wrong with it", {0}, 0, 0, 0, 0, 0},
    {"a delay is for each", {.delay_us = 25000}, 0, 0, 0, 25000, 25000},
    {"jitter comes on top, and keeps the turn",
     {.delay_us = 1000, .jitter_us = 20000},
     0,
     0,
     0,
     1000,
     21000},
    {"some are lost", {.loss = 300000}, 0.3, 0, 0, 0, 0},
    {"all are lost", {.loss = 1000000}, 1, 0, 0, 0, 0},
    {"some come twice", {.duplication = 500000}, 0, 0.5, 0, 0, 0},
    {"some come out of turn", {.reordering = 100000, .reorder_us = 5500}, 0, 0, 0.1, 0, 5500},
    {"a rate below what is sent: the queue fills, and half is lost",
     {.rate = 50000, .queue_us = 50000},
     0.5,
     0,
     0,
     2000,
     52000},
};

START_TEST(test_row)
{
    struct hail_simulation how = rows[_i].how;
    uint32_t lost = 0;
    uint32_t twice = 0;
    uint32_t out_of_turn = 0;

    how.size = sizeof how;
    ck_assert(hail_simulation_check(&how));
    network_init(&how, ROOM);
    run();
    for (uint32_t i = 0; i < COUNT; i++) {
        lost += network.came[i] == 0;
        twice += network.came[i] == 2;
        if (network.came[i] > 0) {
            ck_assert_uint_ge(network.late_ns[i], rows[_i].least_us * HAIL_NS_PER_US);
            ck_assert_uint_le(network.late_ns[i], rows[_i].most_us * HAIL_NS_PER_US);
        }
    }
    for (uint32_t i = 1; i < network.arrival_count; i++)
        out_of_turn += network.reassemblies[i] < network.reassemblies[i - 1];
    // Five times the standard deviation of the coarsest: 5 * sqrt(0.25 / 20,000).
    ck_assert_double_eq_tol((double)lost / (double)COUNT, rows[_i].lost, 0.018);
    ck_assert_double_eq_tol((double)twice / (double)COUNT, rows[_i].twice, 0.018);
    ck_assert_double_eq_tol((double)out_of_turn / (double)COUNT, rows[_i].out_of_turn, 0.018);
    ck_assert_uint_eq(network.netsim.lost, lost);
    hail_arena_cleanup(&network.arena);
}
END_TEST

// Which of the first 64 datagrams of a connection's direction are lost.
static uint64_t fate(uint64_t seed, bool is_server, uint64_t id, enum hail_netsim_way way)
{
    const struct hail_simulation how = {.size = sizeof how, .loss = 500000};
    const struct hail_conn own = {id};
    const uint8_t data[100] = {0};
    const struct hail_path path = {0};
    uint64_t lost = 0;

    network_init(&how, ROOM);
    hail_netsim_set(&network.netsim, 0, own, way, &how, hail_netsim_seed(seed, is_server, own),
                    network.now_ns);
    for (int i = 0; i < 64; i++) {
        uint64_t before = network.netsim.lost;
        hail_netsim_put(&network.netsim, 0, own, way, &path, data, sizeof data, network.now_ns);
        lost = lost << 1 | (network.netsim.lost > before);
    }
    hail_arena_cleanup(&network.arena);
    return lost;
}

// The same seed, the same fate, but another for each connection, each direction and either end.
START_TEST(test_seed_repeats)
{
    static const struct {
        uint64_t seed;
        bool is_server;
        uint64_t id;
        enum hail_netsim_way way;
    } all[] = {
        {42, false, 7, HAIL_NETSIM_OUT}, {42, false, 7, HAIL_NETSIM_IN},
        {42, true, 7, HAIL_NETSIM_OUT},  {42, true, 7, HAIL_NETSIM_IN},
        {42, false, 8, HAIL_NETSIM_OUT}, {42, false, 8, HAIL_NETSIM_IN},
        {42, true, 8, HAIL_NETSIM_OUT},  {42, false, 7 + (UINT64_C(1) << 32), HAIL_NETSIM_OUT},
        {43, false, 7, HAIL_NETSIM_OUT}, {43, false, 6, HAIL_NETSIM_OUT},
    };
    uint64_t fates[sizeof all / sizeof all[0]];

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fates[i] = fate(all[i].seed, all[i].is_server, all[i].id, all[i].way);
        ck_assert_uint_eq(fate(all[i].seed, all[i].is_server, all[i].id, all[i].way), fates[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(fates[j] != fates[i], "%zu and %zu", i, j);
    }
}
END_TEST

// What finds no room is lost, and nothing else is.
START_TEST(test_full)
{
    const struct hail_simulation how = {.size = sizeof how, .delay_us = 60000000};

    network_init(&how, 10);
    run();
    ck_assert_uint_eq(network.arrival_count, 10);
    ck_assert_uint_eq(network.netsim.lost, COUNT - 10);
    hail_arena_cleanup(&network.arena);
}
END_TEST

// However often it is set, for one connection or for those that have the slot after it, there is
// one change of the port at a time.
START_TEST(test_one_rebind)
{
    const struct hail_simulation how = {.size = sizeof how, .rebind_ms = 100};
    struct hail_netsim_held *held;
    uint32_t count = 0;

    network_init(&how, 10);
    for (uint64_t i = 0; i < 5; i++)
        hail_netsim_set(&network.netsim, 0, (struct hail_conn){i}, HAIL_NETSIM_OUT, &how, 1,
                        network.now_ns);
    for (int i = 0; i < 100; i++) {
        network.now_ns += 10000 * HAIL_NS_PER_US;
        while ((held = hail_netsim_take(&network.netsim, network.now_ns))) {
            ck_assert(held->rebinds);
            ck_assert_uint_eq(held->conn.id, 4);
            count++;
            hail_netsim_free(&network.netsim, held);
        }
    }
    ck_assert_uint_eq(count, 10);
    ck_assert_uint_eq(network.netsim.held.used_count, 1);
    hail_netsim_set(&network.netsim, 0, conn, HAIL_NETSIM_OUT, NULL, 1, network.now_ns);
    network.now_ns += 1000000 * HAIL_NS_PER_US;
    ck_assert_ptr_null(hail_netsim_take(&network.netsim, network.now_ns));
    ck_assert_uint_eq(network.netsim.held.used_count, 0);
    hail_arena_cleanup(&network.arena);
}
END_TEST

START_TEST(test_out_of_range)
{
    const struct hail_simulation wrong[] = {
        {.size = 0},
        {.size = sizeof(struct hail_simulation), .loss = 1000001},
        {.size = sizeof(struct hail_simulation), .duplication = 1000001},
        {.size = sizeof(struct hail_simulation), .reordering = 1000001},
        {.size = sizeof(struct hail_simulation), .delay_us = 60000001},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(wrong); i++)
        ck_assert(!hail_simulation_check(&wrong[i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("netsim");
    TCase *tests = tcase_create("netsim");

    tcase_add_loop_test(tests, test_row, 0, HAIL_COUNTOF(rows));
    tcase_add_test(tests, test_seed_repeats);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_one_rebind);
    tcase_add_test(tests, test_out_of_range);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
