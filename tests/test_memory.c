// test_memory.c: an application that has its own memory: an endpoint takes what it reserves from
// there and from nowhere else, says how much that is, and gives all of it back, also when it cannot
// have enough.
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/live_endpoint.h"

enum {
    SHARDS = 2,
    CONNS = 4,
    HEAD = 64,           // before each piece, for its size
    CROOKED = 16,        // malloc's alignment, and no more
    BESIDE = 256 * 1024, // what there is beside what hail_get_memory tells of, at most
    PIECES_MAX = 200
};

// The application's account.
struct account {
    pthread_mutex_t lock;
    pthread_t starter;
    size_t pieces; // out at this moment
    size_t bytes;
    size_t taken; // ever
    size_t refuse_at;
    bool strange; // a call that should not have come
};

static void *allocate(size_t size, void *user)
{
    struct account *account = user;

    pthread_mutex_lock(&account->lock);
    bool refused = account->taken++ == account->refuse_at;
    account->strange |= size == 0 || !pthread_equal(pthread_self(), account->starter);
    account->pieces += !refused;
    account->bytes += refused ? 0 : size;
    pthread_mutex_unlock(&account->lock);
    if (refused)
        return NULL;
    uint8_t *piece = aligned_alloc(HEAD, (HEAD + CROOKED + size + HEAD - 1) / HEAD * HEAD);
    if (!piece)
        abort();
    memset(piece, 0xa5, HEAD + CROOKED + size); // nobody has said that it is zeroed
    memcpy(piece, &size, sizeof size);
    return piece + HEAD + CROOKED;
}

static void release(void *memory, size_t size, void *user)
{
    struct account *account = user;
    uint8_t *piece = (uint8_t *)memory - HEAD - CROOKED;
    size_t was;

    memcpy(&was, piece, sizeof was);
    pthread_mutex_lock(&account->lock);
    account->strange |= was != size;
    account->pieces--;
    account->bytes -= size;
    pthread_mutex_unlock(&account->lock);
    free(piece);
}

static const enum hail_profile profiles[] = {HAIL_PROFILE_HAIL, HAIL_PROFILE_MLAPI};

static const struct hail_handler handlers[] = {
    {.kind = HAIL_HANDLER_RPC, .name = "move", .signature = "moveInt32"},
};

static struct hail_config config_of(enum hail_profile profile, struct account *account)
{
    struct hail_config config = live_config();

    config.profile = profile;
    config.native.exchange = HAIL_UNSIGNED;
    config.handlers = handlers;
    config.handler_count = LIVE_COUNTOF(handlers);
    config.message_max = 4096;
    config.buffers_max = 1 << 20;
    config.event_queue_bytes = 1 << 20;
    config.command_queue_bytes = 1 << 16;
    config.allocate = allocate;
    config.release = release;
    config.memory_user = account;
    *account = (struct account){
        .lock = PTHREAD_MUTEX_INITIALIZER, .starter = pthread_self(), .refuse_at = SIZE_MAX};
    return config;
}

static void expect_empty(const struct account *account)
{
    ck_assert_uint_eq(account->pieces, 0);
    ck_assert_uint_eq(account->bytes, 0);
    ck_assert(!account->strange);
}

// What an endpoint says that it has is what it was given.
static void compare(const struct live_endpoint *live, const struct account *account)
{
    struct hail_memory memory = {.size = sizeof memory};

    hail_get_memory(live->endpoint, &memory);
    ck_assert_uint_ge(account->bytes, memory.total);
    ck_assert_uint_lt(account->bytes, memory.total + BESIDE);
}

// An application's memory, which begins anywhere, is as good for io_uring as the system's.
START_TEST(test_uring)
{
    struct account account;
    struct hail_config config = config_of(profiles[_i], &account);
    struct hail_config plain = live_config();
    struct live_endpoint probe = {0};
    struct live_endpoint server = {0};

    plain.io = config.io = HAIL_IO_URING;
    if (live_try_start(&probe, &plain, true) == HAIL_OK)
        live_start(&server, &config, true);
    else
        printf("left out: this machine has no io_uring\n");
    live_stop(&probe, 0);
    live_stop(&server, 0);
    expect_empty(&account);
}
END_TEST

START_TEST(test_account)
{
    struct account accounts[2];
    struct hail_config config = config_of(profiles[_i / 2], &accounts[0]);
    struct live_endpoint server = {.polls = _i % 2 == 0};
    struct live_endpoint client = {.polls = _i % 2 == 1};
    struct live_pair pairs[CONNS];

    config.shard_count = SHARDS;
    live_start(&server, &config, true);
    config = config_of(profiles[_i / 2], &accounts[1]);
    live_start(&client, &config, false);
    compare(&server, &accounts[0]);
    compare(&client, &accounts[1]);
    size_t taken = accounts[0].taken + accounts[1].taken;

    live_join(pairs, CONNS, &server, &client, 0);
    for (size_t i = 0; i < CONNS; i++)
        ck_assert_int_eq(live_send(&client, pairs[i].client, 3, "hello"), HAIL_OK);
    for (size_t i = 0; i < CONNS; i++)
        ck_assert(live_says(live_wait(&server, HAIL_EVENT_MESSAGE, i), "hello"));
    ck_assert_uint_eq(accounts[0].taken + accounts[1].taken, taken); // all of it was at start
    live_stop(&client, 0);
    expect_empty(&accounts[1]);
    ck_assert_uint_gt(accounts[0].bytes, 0);
    live_stop(&server, 0);
    expect_empty(&accounts[0]);
}
END_TEST

// Whichever piece is refused, the start says so, and what was taken before is given back.
START_TEST(test_refused)
{
    bool is_server = _i % 2 == 0;
    struct account account;
    enum hail_status status = HAIL_ENOMEM;
    size_t piece = 0;

    for (; status != HAIL_OK && piece < PIECES_MAX; piece++) {
        struct live_endpoint live = {.polls = true};
        struct hail_config config = config_of(profiles[_i / 2], &account);
        account.refuse_at = piece;
        status = live_try_start(&live, &config, is_server);
        ck_assert_msg(status == HAIL_OK || status == HAIL_ENOMEM, "piece %zu: %s: %s", piece,
                      hail_strerror(status), live.log);
        ck_assert_int_eq(live.endpoint != NULL, status == HAIL_OK);
        if (status != HAIL_OK)
            expect_empty(&account);
        live_stop(&live, 0);
        expect_empty(&account);
    }
    ck_assert_int_eq(status, HAIL_OK);
    ck_assert_uint_gt(piece, 5);
}
END_TEST

START_TEST(test_half)
{
    struct account account;
    struct hail_config config = config_of(HAIL_PROFILE_HAIL, &account);
    struct live_endpoint live = {0};

    if (_i == 0)
        config.allocate = NULL;
    else
        config.release = NULL;
    ck_assert_int_eq(live_try_start(&live, &config, _i == 0), HAIL_EINVAL);
    ck_assert(live_logged(&live, HAIL_LOG_ERROR, _i == 0 ? "field=release" : "field=allocate"));
    live_stop(&live, 0);
    ck_assert_uint_eq(account.taken, 0);
}
END_TEST

// Configs of before there were such functions are shorter.
START_TEST(test_older_config)
{
    struct account account;
    struct hail_config config = config_of(HAIL_PROFILE_HAIL, &account);
    struct live_endpoint live = {0};

    config.size = offsetof(struct hail_config, allocate);
    live_start(&live, &config, true);
    live_stop(&live, 0);
    ck_assert_uint_eq(account.taken, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");

    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, test_uring, 0, LIVE_COUNTOF(profiles));
    tcase_add_loop_test(tests, test_account, 0, 4);
    tcase_add_loop_test(tests, test_refused, 0, 4);
    tcase_add_loop_test(tests, test_half, 0, 2);
    tcase_add_test(tests, test_older_config);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
