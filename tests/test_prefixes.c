// test_prefixes.c: one address against others on the mlapi profile: who opens connections faster
// than anybody, who has too many, and who waits for a decision meanwhile. Shards wired in memory.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "engine/shard/command.h"
#include "tests/world.h"

enum {
    CROWD = 0x0a000001, // who is hostile
    PLAYERS = 0x0a000002,
    JOINS = 60,
    FAR_MS = 300, // what a handshake of theirs takes
    AT_ONCE = 10,
    PER_MS = 6, // connections of the crowd's
    STRETCH_WAIT_MS = 2
};

static struct hail_config config(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.approves_all = true;
    config.takes_unknown_names = true;
    return config;
}

static uint64_t closed_as(const struct world *world, enum hail_close_reason reason)
{
    return world_stat(&world->server, HAIL_STAT_CLOSED_FIRST + (unsigned)reason);
}

static uint64_t dropped_as(const struct world *world, enum hail_verdict verdict)
{
    return world_stat(&world->server, HAIL_STAT_DROPPED_FIRST + (unsigned)verdict);
}

// The crowd opens connections and never says a word, for so long.
static void attack(struct world *world, uint64_t ms)
{
    world->from = CROWD;
    for (; ms > 0; ms--) {
        for (int i = 0; i < PER_MS; i++)
            (void)world_raw(world);
        world_sleep(world, 1);
    }
}

// Has clients connect from elsewhere, and keeps from them what the server says.
static void begin_far_joins(struct world *world, uint64_t tag)
{
    world->from = PLAYERS;
    world->holds = true;
    for (uint64_t i = 0; i < AT_ONCE; i++)
        world_connect(world, tag + i, NULL);
    world->holds = false;
}

static void end_far_joins(struct world *world)
{
    memset(world->client.paused, 0, sizeof world->client.paused);
    world_run(world);
    world_sleep(world, STRETCH_WAIT_MS);
}

static const struct {
    const char *why;
    uint32_t accepts_per_s;
    uint32_t handshakes_per_prefix;
    bool refuses;      // some of the crowd's at once
    bool by_their_own; // the crowd pushes itself out before there is no room
} crowds[] = {
    {"as it is by default", 0, 0, true, true},
    {"all are accepted", 1000000, 0, false, true},
    {"one prefix may have all: the one that has most goes first", 1000000, 65, false, false},
    {"none but the limit on accepting", 50, 65, true, false},
};

START_TEST(test_far_joins)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.accepts_per_s = crowds[_i].accepts_per_s;
    server.handshakes_per_prefix = crowds[_i].handshakes_per_prefix;
    struct world *world = world_init(&server, &client, test_seed(), false);
    attack(world, 100); // so that there is no room
    for (uint64_t tag = 0; tag < JOINS; tag += AT_ONCE) {
        begin_far_joins(world, tag);
        attack(world, FAR_MS);
        end_far_joins(world);
        ck_assert_msg(world_count(&world->client, HAIL_EVENT_CONNECTED) == tag + AT_ONCE,
                      "%s: %zu of %llu", crowds[_i].why,
                      world_count(&world->client, HAIL_EVENT_CONNECTED),
                      (unsigned long long)tag + AT_ONCE);
    }
    ck_assert_msg((dropped_as(world, HAIL_DROP_RATE) > 0) == crowds[_i].refuses, "%s",
                  crowds[_i].why);
    uint64_t own = world_stat(&world->server, HAIL_STAT_PREFIX_CROWDED_OUT);
    ck_assert_msg((own > 0) == crowds[_i].by_their_own, "%s", crowds[_i].why);
    if (own > 0)
        ck_assert_uint_eq(own, closed_as(world, HAIL_CLOSED_CROWDED_OUT));
    world_cleanup(world);
}
END_TEST

// Who has shown that he has the keys and waits to be let in is not pushed out by who has not, even
// from his own address.
START_TEST(test_waits_for_a_decision)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.approves_all = false;
    server.accepts_per_s = 1000000;
    server.mlapi.enable_encryption = _i == 0;
    struct hail_config other = client;
    other.mlapi.enable_encryption = _i == 0;
    struct world *world = world_init(&server, &other, test_seed(), false);
    world->from = CROWD;
    for (uint64_t tag = 0; tag < JOINS; tag++)
        world_connect(world, tag, NULL);
    world_sleep(world, STRETCH_WAIT_MS);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_REQUEST), JOINS);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_HANDSHAKES_OPEN), 0);
    attack(world, 1000);
    ck_assert_uint_gt(closed_as(world, HAIL_CLOSED_CROWDED_OUT), 5000);
    for (size_t i = 0; i < JOINS; i++) {
        const struct hail_command approve = {
            .op = HAIL_COMMAND_APPROVE,
            .conn = world_find(&world->server, HAIL_EVENT_REQUEST, i)->event.conn};
        ck_assert_int_eq(world_command(&world->server, &approve), HAIL_OK);
    }
    world_run(world);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), JOINS);
    world_cleanup(world);
}
END_TEST

// It waits no longer than a handshake may take.
START_TEST(test_decision_takes_too_long)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.approves_all = false;
    server.handshake_timeout_ms = 500;
    struct world *world = world_init(&server, &client, test_seed(), false);
    world_connect(world, 1, NULL);
    world_sleep(world, 499);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CLOSED), 0);
    world_sleep(world, 1);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CLOSED), 1);
    ck_assert_uint_eq(closed_as(world, HAIL_CLOSED_HANDSHAKE_TIMEOUT), 1);
    world_cleanup(world);
}
END_TEST

// Requests take places of conns_max: the one too many is refused, and nobody who waits is.
START_TEST(test_requests_fill_the_server)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.approves_all = false;
    server.conns_max = 2;
    struct world *world = world_init(&server, &client, test_seed(), false);
    world->holds = true;
    for (uint64_t tag = 0; tag < 3; tag++)
        world_connect(world, tag, NULL);
    end_far_joins(world);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_REQUEST), 2);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CONNS_REFUSED), 1);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CLOSED), 1);
    ck_assert_uint_eq(world_count(&world->server, HAIL_EVENT_CLOSED), 0);
    world->holds = false;
    world_connect(world, 3, NULL);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CONNS_REFUSED), 2);
    const struct hail_command deny = {
        .op = HAIL_COMMAND_DENY,
        .conn = world_find(&world->server, HAIL_EVENT_REQUEST, 0)->event.conn};
    ck_assert_int_eq(world_command(&world->server, &deny), HAIL_OK);
    world_run(world);
    world_connect(world, 4, NULL);
    world_sleep(world, STRETCH_WAIT_MS);
    ck_assert_msg(world_count(&world->server, HAIL_EVENT_REQUEST) == 3, "the place is free again");
    world_cleanup(world);
}
END_TEST

START_TEST(test_accepts)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.accepts_per_s = 10;
    struct world *world = world_init(&server, &client, test_seed(), false);
    for (int i = 0; i < 10; i++)
        ck_assert_uint_ne(world_raw(world), HAIL_SLOT_NONE);
    ck_assert_uint_eq(world_raw(world), HAIL_SLOT_NONE);
    world_sleep(world, 99);
    ck_assert_uint_eq(world_raw(world), HAIL_SLOT_NONE);
    ck_assert_uint_eq(dropped_as(world, HAIL_DROP_RATE), 2);
    world->from = PLAYERS;
    ck_assert_msg(world_raw(world) != HAIL_SLOT_NONE, "another's");
    world->from = 0;
    world_sleep(world, 1);
    ck_assert_msg(world_raw(world) != HAIL_SLOT_NONE, "one in 100 ms");
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CONNS_ACCEPTED), 12);
    world_cleanup(world);
}
END_TEST

// The most that a prefix may have: not one more, also of handshakes that were begun before that was
// reached; others are let in; and whoever leaves makes room.
START_TEST(test_conns_per_prefix)
{
    struct hail_config server = config();
    const struct hail_config client = config();

    server.conns_per_prefix = 3;
    struct world *world = world_init(&server, &client, test_seed(), false);
    world->holds = true;
    for (uint64_t tag = 0; tag < 5; tag++)
        world_connect(world, tag, NULL);
    world->holds = false;
    end_far_joins(world);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 3);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CLOSED), 2);
    ck_assert_uint_eq(dropped_as(world, HAIL_DROP_PREFIX), 2);
    world_connect(world, 5, NULL);
    ck_assert_msg(world_stat(&world->server, HAIL_STAT_CONNS_ACCEPTED) == 5, "not even accepted");
    ck_assert_uint_eq(dropped_as(world, HAIL_DROP_PREFIX), 3);
    world->from = PLAYERS;
    world_connect(world, 6, NULL);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 4);
    world->from = 0;
    const struct hail_command leave = {.op = HAIL_COMMAND_CLOSE,
                                       .conn = world_first_conn(&world->client)};
    ck_assert_int_eq(world_command(&world->client, &leave), HAIL_OK);
    world_run(world);
    world_connect(world, 7, NULL);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 5);
    ck_assert_uint_eq(world_stat(&world->server, HAIL_STAT_CONNS_REFUSED), 0);
    world_cleanup(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prefixes");
    TCase *tests = tcase_create("prefixes");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_far_joins, 0, HAIL_COUNTOF(crowds));
    tcase_add_loop_test(tests, test_waits_for_a_decision, 0, 2);
    tcase_add_test(tests, test_decision_takes_too_long);
    tcase_add_test(tests, test_requests_fill_the_server);
    tcase_add_test(tests, test_accepts);
    tcase_add_test(tests, test_conns_per_prefix);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
