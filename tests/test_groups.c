// test_groups.c: groups as applications have them, on both profiles and several shards.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/live_endpoint.h"

enum {
    CROWD = 12,
    MANY = 2000
};

static const enum hail_profile profiles[] = {HAIL_PROFILE_MLAPI, HAIL_PROFILE_HAIL};

static struct hail_config config_of(enum hail_profile profile)
{
    struct hail_config config = live_config();

    config.profile = profile;
    config.native.exchange = HAIL_UNSIGNED;
    return config;
}

static struct hail_message message_of(const char *text)
{
    return (struct hail_message){
        .data = text, .len = strlen(text), .flags = 3, .channel = HAIL_RELIABLE_ORDERED};
}

// How many messages with `text` have come to a connection; those of a connection come in order, so
// after one that was sent later none is missing.
static size_t heard(struct live_endpoint *client, struct hail_conn conn, const char *text)
{
    size_t count = 0;
    size_t all = live_count(client, HAIL_EVENT_MESSAGE);

    for (size_t i = 0; i < all; i++) {
        const struct live_event *event = live_wait(client, HAIL_EVENT_MESSAGE, i);
        count += event->event.conn.id == conn.id && live_says(event, text);
    }
    return count;
}

// Sends "end" to all and waits until everybody has it.
static void settle(struct live_endpoint *server, struct live_endpoint *client, size_t conns)
{
    const struct hail_message end = message_of("end");
    size_t ends = 0;

    ck_assert_int_eq(hail_send_all(server->endpoint, &end), HAIL_OK);
    for (size_t i = 0; ends < conns; i++)
        ends += live_says(live_wait(client, HAIL_EVENT_MESSAGE, i), "end");
}

START_TEST(test_members)
{
    struct hail_config config = config_of(profiles[_i]);
    const struct hail_group lobby = hail_group_named("lobby");
    const struct hail_group cell = {UINT64_C(3) << 32 | 4};
    const struct hail_message one = message_of("one");
    const struct hail_message two = message_of("two");
    const struct hail_message none = message_of("none");
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pairs[CROWD];

    config.shard_count = 3;
    live_start(&server, &config, true);
    config.shard_count = 1;
    live_start(&client, &config, false);
    live_join(pairs, CROWD, &server, &client, 0);
    for (size_t i = 0; i < CROWD; i++) {
        ck_assert_int_eq(hail_group_join(server.endpoint, lobby, pairs[i].server), HAIL_OK);
        if (i % 2 == 0)
            ck_assert_int_eq(hail_group_join(server.endpoint, cell, pairs[i].server), HAIL_OK);
    }
    // Joining again, leaving where one is not, leaving in between: as they say.
    ck_assert_int_eq(hail_group_join(server.endpoint, lobby, pairs[1].server), HAIL_OK);
    ck_assert_int_eq(hail_group_leave(server.endpoint, cell, pairs[1].server), HAIL_OK);
    ck_assert_int_eq(hail_group_leave(server.endpoint, cell, pairs[2].server), HAIL_OK);
    ck_assert_int_eq(hail_group_send(server.endpoint, cell, &one), HAIL_OK);
    ck_assert_int_eq(hail_group_send_but(server.endpoint, lobby, pairs[3].server, &two), HAIL_OK);
    ck_assert_int_eq(hail_group_send(server.endpoint, hail_group_named("no"), &none), HAIL_OK);
    settle(&server, &client, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        ck_assert_uint_eq(heard(&client, pairs[i].client, "one"), i % 2 == 0 && i != 2);
        ck_assert_uint_eq(heard(&client, pairs[i].client, "two"), i != 3);
        ck_assert_uint_eq(heard(&client, pairs[i].client, "none"), 0);
    }
    ck_assert_uint_eq(hail_group_count(server.endpoint, cell), CROWD / 2 - 1);
    ck_assert_uint_eq(hail_group_count(server.endpoint, lobby), CROWD);

    // A connection's memberships end with it.
    ck_assert_int_eq(hail_close(client.endpoint, pairs[0].client, 0, NULL), HAIL_OK);
    live_wait_conn(&server, HAIL_EVENT_CLOSED, pairs[0].server);
    ck_assert_int_eq(hail_group_join(server.endpoint, cell, pairs[0].server), HAIL_EGONE);
    ck_assert_uint_eq(hail_group_count(server.endpoint, cell), CROWD / 2 - 2);
    ck_assert_uint_eq(hail_group_count(server.endpoint, lobby), CROWD - 1);
    ck_assert_uint_eq(live_stat(&server, "sends_failed"), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// From the callback that a member's own message makes: it leaves, and another message goes out.
static void leave_and_tell(struct live_endpoint *live, struct hail_endpoint *endpoint,
                           const struct hail_event *event)
{
    const struct hail_group group = hail_group_named("room");
    const struct hail_message left = message_of("left");

    (void)live;
    if (event->type == HAIL_EVENT_CONNECTED)
        (void)!hail_group_join(endpoint, group, event->conn);
    if (event->type != HAIL_EVENT_MESSAGE)
        return;
    (void)!hail_group_leave(endpoint, group, event->conn);
    (void)!hail_group_send(endpoint, group, &left);
}

START_TEST(test_from_callbacks)
{
    struct hail_config config = config_of(profiles[_i]);
    const struct hail_message bye = message_of("bye");
    struct live_endpoint server = {.react = leave_and_tell};
    struct live_endpoint client = {0};
    struct live_pair pairs[CROWD];

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(pairs, CROWD, &server, &client, 0);
    ck_assert_uint_eq(hail_group_count(server.endpoint, hail_group_named("room")), CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        ck_assert_int_eq(hail_send(client.endpoint, pairs[i].client, &bye), HAIL_OK);
        live_wait(&server, HAIL_EVENT_MESSAGE, i);
    }
    settle(&server, &client, CROWD);
    for (size_t i = 0; i < CROWD; i++) // who left as number i has heard of those before
        ck_assert_uint_eq(heard(&client, pairs[i].client, "left"), i);
    ck_assert_uint_eq(hail_group_count(server.endpoint, hail_group_named("room")), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

static void answer(struct live_endpoint *live, struct hail_endpoint *endpoint,
                   const struct hail_event *event)
{
    const struct hail_response response = {
        .call_id = event->call_id, .flags = event->flags, .channel = event->channel};

    (void)live;
    if (event->type == HAIL_EVENT_CALL && event->wants_response)
        (void)!hail_respond(endpoint, event->conn, &response);
}

START_TEST(test_call)
{
    struct hail_config config = config_of(profiles[_i]);
    const struct hail_group group = {0};
    const struct hail_rpc call = {
        .name_hash = 77, .flags = 3, .wants_response = true, .call_id = 5};
    struct live_endpoint server = {0};
    struct live_endpoint client = {.react = answer};
    struct live_pair pairs[3];

    config.shard_count = 2;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(pairs, 3, &server, &client, 0);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(hail_group_join(server.endpoint, group, pairs[i].server), HAIL_OK);
    ck_assert_int_eq(hail_group_call(server.endpoint, group, &call), HAIL_OK);
    for (size_t i = 0; i < 2; i++) {
        const struct live_event *event =
            live_wait_conn(&server, HAIL_EVENT_RESPONSE, pairs[i].server);
        ck_assert_int_eq(event->event.status, HAIL_OK);
        ck_assert_uint_eq(event->event.call_id, 5);
    }
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_CALL), 2);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_full)
{
    struct hail_config config = config_of(profiles[_i]);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pairs[2];

    config.groups_max = 1;
    config.memberships_max = 1;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(pairs, 2, &server, &client, 0);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(hail_group_join(server.endpoint, (struct hail_group){i}, pairs[0].server),
                         HAIL_OK);
    ck_assert_int_eq(hail_group_join(server.endpoint, (struct hail_group){0}, pairs[1].server),
                     HAIL_OK);
    settle(&server, &client, 2);
    ck_assert_uint_eq(live_stat(&server, "groups_full"), 3);
    ck_assert_uint_eq(hail_group_count(server.endpoint, (struct hail_group){0}), 1);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// One unreliable message to 2,000 in one call: each has it, once.
START_TEST(test_many)
{
    static struct live_pair pairs[MANY];
    struct hail_config config = config_of(HAIL_PROFILE_HAIL);
    const struct hail_group zone = hail_group_named("zone");
    struct hail_message news = message_of("news");
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct rlimit files;

    news.channel = HAIL_UNRELIABLE;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    ck_assert_uint_ge(files.rlim_max, MANY + 100);
    config.conns_max = MANY;
    config.handshakes_max = MANY;
    config.native.source_per_s = MANY;
    config.native.handshakes_per_s = MANY;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    for (size_t first = 0; first < MANY; first += 100)
        live_join(pairs + first, 100, &server, &client, first);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(hail_group_join(server.endpoint, zone, pairs[i].server), HAIL_OK);
    ck_assert_int_eq(hail_group_send(server.endpoint, zone, &news), HAIL_OK);
    live_wait(&client, HAIL_EVENT_MESSAGE, MANY - 1);
    bool *has = calloc(MANY, sizeof *has);
    for (size_t i = 0; i < MANY; i++) {
        uint64_t tag = live_wait(&client, HAIL_EVENT_MESSAGE, i)->event.tag;
        ck_assert(!has[tag]);
        has[tag] = true;
    }
    free(has);
    ck_assert_uint_eq(live_count(&client, HAIL_EVENT_MESSAGE), MANY);
    ck_assert_uint_eq(live_stat(&server, "datagrams_unsent"), 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *tests = tcase_create("groups");
    const int both = (int)LIVE_COUNTOF(profiles);

    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, test_members, 0, both);
    tcase_add_loop_test(tests, test_from_callbacks, 0, both);
    tcase_add_loop_test(tests, test_call, 0, both);
    tcase_add_loop_test(tests, test_full, 0, both);
    tcase_add_test(tests, test_many);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
