// test_dates.c: the date is another thing than the time: while a server runs its clock may be set,
// forwards and back, and what it says of its key is good for the date of now.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/issue.h"
#include "engine/context/config.h"
#include "engine/context/keys.h"
#include "engine/mlapi/mlapi.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/shard.h"
#include "proto/keycert.h"
#include "tests/vectors.h"

static const int64_t HOUR_S = 3600;
static const int64_t NS_PER_S = 1000000000;
static const int64_t START_S = 1900000000;

struct server {
    struct hail_context context;
    struct hail_shard shard;
    uint64_t now_ns;
};

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    (void)endpoint;
    (void)event;
    (void)user;
}

// A file with a certificate of many years.
static void write_identity(char *path)
{
    const struct hail_issue_terms terms = {.common_name = "dates",
                                           .from_s = 0,
                                           .to_s = 2 * START_S,
                                           .key = HAIL_ISSUE_P256,
                                           .use = HAIL_ISSUE_SERVER};
    struct hail_fault_report report;
    struct hail_issued *issued;
    FILE *file = fdopen(mkstemp(path), "w");
    uint8_t *part;
    size_t len;

    ck_assert_ptr_nonnull(file);
    ck_assert_msg(hail_issue(&issued, NULL, &terms, &report), "%s", report.text);
    ck_assert(hail_issued_certificate_pem(issued, &part, &len));
    ck_assert_uint_eq(fwrite(part, 1, len, file), len);
    free(part);
    ck_assert(hail_issued_key_pem(issued, &part, &len));
    ck_assert_uint_eq(fwrite(part, 1, len, file), len);
    free(part);
    ck_assert_int_eq(fclose(file), 0);
    hail_issued_free(issued);
}

static void server_init(struct server *server, enum hail_profile profile)
{
    char path[] = "/tmp/test_dates_XXXXXX";
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_random random;

    write_identity(path);
    config.profile = profile;
    config.on_event = on_event;
    config.identity_file = profile == HAIL_PROFILE_HAIL ? path : NULL;
    config.native.exchange = HAIL_SIGNED;
    config.conns_max = 8;
    config.handshakes_max = 8;
    ck_assert_int_eq(hail_context_init(&server->context, &config, true), HAIL_OK);
    unlink(path);
    hail_random_init_seeded(&random, 1);
    ck_assert(
        hail_shard_init(&server->shard, &server->context, hail_profile_of(profile), 0, &random));
    server->now_ns = server->context.start_ns;
}

static void server_cleanup(struct server *server)
{
    hail_shard_cleanup(&server->shard);
    hail_context_cleanup(&server->context);
}

// `after_s` later it is this date.
static void turn(struct server *server, int64_t after_s, int64_t unix_s)
{
    server->now_ns += (uint64_t)(after_s * NS_PER_S);
    hail_shard_turn(&server->shard, server->now_ns, unix_s * NS_PER_S);
}

// Whether clients that know the date would take what the server shows of its key now.
static bool is_good_at(const struct server *server, int64_t unix_s)
{
    static const uint8_t any_id[HAIL_STATIC_ID_LEN];
    const struct hail_static_key *key =
        hail_keys_current(&server->context.keys, HAIL_NOISE_NX, any_id);
    struct hail_keycert keycert;

    ck_assert(hail_keycert_parse(&keycert, (struct hail_bytes){key->keycert, key->keycert_len}));
    return keycert.not_before <= (uint64_t)unix_s && (uint64_t)unix_s <= keycert.not_after;
}

static const struct {
    const char *why;
    int64_t set_s; // by so much the clock is set
} steps[] = {
    {"two hours back", -2 * 3600},
    {"three days on", 3 * 86400},
    {"a year back", -365 * 86400},
    {"ten years on", 3650 * 86400},
};

START_TEST(test_key)
{
    static struct server server;
    static const uint8_t any_id[HAIL_STATIC_ID_LEN];
    int64_t start_s;

    server_init(&server, HAIL_PROFILE_HAIL);
    start_s = server.context.start_unix_ns / NS_PER_S;
    turn(&server, 1, start_s + 1);
    uint8_t before[HAIL_X25519_LEN];
    memcpy(before, hail_keys_current(&server.context.keys, HAIL_NOISE_NX, any_id)->pair.public_key,
           sizeof before);
    ck_assert(is_good_at(&server, start_s));
    ck_assert(!is_good_at(&server, start_s + steps[_i].set_s)); // or the row proves nothing
    // The shard wakes for it by itself, though nothing else happens.
    uint64_t next_ns = hail_shard_next_ns(&server.shard);
    ck_assert_uint_le(next_ns, server.now_ns + 10 * (uint64_t)NS_PER_S);
    turn(&server, 10, start_s + 11 + steps[_i].set_s);
    ck_assert_msg(is_good_at(&server, start_s + 11 + steps[_i].set_s), "%s", steps[_i].why);
    // The key is the same: who pins it comes in all the same.
    ck_assert_mem_eq(
        before, hail_keys_current(&server.context.keys, HAIL_NOISE_NX, any_id)->pair.public_key,
        sizeof before);
    // And back again.
    turn(&server, 10, start_s + 21);
    ck_assert(is_good_at(&server, start_s + 21));
    server_cleanup(&server);
}
END_TEST

// A clock that is slewed, or set by a little, costs no signature.
START_TEST(test_small)
{
    static struct server server;

    server_init(&server, HAIL_PROFILE_HAIL);
    int64_t start_s = server.context.start_unix_ns / NS_PER_S;
    uint32_t current = server.context.keys.current;
    for (int i = 1; i <= 20; i++)
        turn(&server, 6, start_s + 6 * i + (i % 2 ? 300 : -300));
    ck_assert_uint_eq(server.context.keys.current, current);
    ck_assert(is_good_at(&server, start_s + 120));
    server_cleanup(&server);
}
END_TEST

// What mlapi tells and asks by the date.
START_TEST(test_mlapi)
{
    static struct server server;

    server_init(&server, HAIL_PROFILE_MLAPI);
    turn(&server, 1, START_S);
    ck_assert_int_eq(hail_mlapi_ambient(&server.shard).unix_s, START_S);
    turn(&server, 1, START_S - 48 * HOUR_S);
    ck_assert_int_eq(hail_mlapi_ambient(&server.shard).unix_s, START_S - 48 * HOUR_S);
    server_cleanup(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dates");
    TCase *tests = tcase_create("dates");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_key, 0, sizeof steps / sizeof *steps);
    tcase_add_test(tests, test_small);
    tcase_add_test(tests, test_mlapi);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
