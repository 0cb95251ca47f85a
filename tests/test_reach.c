// test_reach.c: clients behind an address translator that forgets those who are silent, and peers
// that cannot be reached for a while, or no more. The clock moves only here.
// SPDX-License-Identifier: MIT
#include "crypto/time.h"
#include "engine/native/state.h"
#include "engine/shard/conn.h"
#include "tests/vectors.h"
#include "tests/wired.h"

enum {
    PATH_MAX_DATAGRAMS = 512,
    FORGETS_S = 30,
    STALL_S = 10
};

static struct wired wired; // large

// The translator, and whether anything passes at all.
static struct {
    uint64_t heard_ns; // from inside
    uint64_t ports;    // that it has given
    bool cut;
} translator;

static bool forgets(void)
{
    return wired.now_ns - translator.heard_ns > FORGETS_S * HAIL_NS_PER_S;
}

static void post(struct wired_end *from, uint32_t client, const struct iovec *view)
{
    if (translator.cut)
        return;
    if (from == &wired.client) {
        if (forgets()) {
            wired.port++;
            translator.ports++;
        }
        translator.heard_ns = wired.now_ns;
    } else if (forgets()) {
        return;
    }
    wired_put(from, client, view, wired.now_ns + HAIL_NS_PER_MS);
}

static void run_for(uint64_t ns)
{
    uint64_t until_ns = wired.now_ns + ns;

    for (;;) {
        uint64_t next_ns = wired_next_ns(&wired);
        if (next_ns >= until_ns)
            break;
        wired.now_ns = next_ns > wired.now_ns ? next_ns : wired.now_ns + 1;
        wired_turn(&wired);
    }
    wired.now_ns = until_ns;
    wired_turn(&wired);
}

static void begin(uint32_t idle_ms, uint32_t keepalive_ms)
{
    struct hail_config config = wired_config();

    wired_init(&wired, PATH_MAX_DATAGRAMS);
    wired.post = post;
    translator.cut = false;
    translator.ports = 0;
    translator.heard_ns = wired.now_ns;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.keepalive_ms = keepalive_ms;
    config.idle_timeout_ms = idle_ms;
    config.stall_timeout_ms = STALL_S * 1000;
    wired_begin(&wired.server, &config, 1);
    config.idle_timeout_ms = 0; // the server's is what holds
    wired_begin(&wired.client, &config, 2);
    wired_connect(&wired);
    wired_carry_out(&wired.client);
    run_for(HAIL_NS_PER_S);
    ck_assert_uint_eq(wired.server.connected, 1);
}

static void say(struct wired_end *end)
{
    static const uint8_t data[100];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = HAIL_FLAGS_BOTH,
                                           .channel = HAIL_RELIABLE_ORDERED,
                                           .body = data,
                                           .body_len = sizeof data};

    ck_assert_int_eq(hail_conn_send(&end->shard, end->slot, &view), HAIL_OK);
    wired_turn(&wired);
}

static const struct {
    const char *why;
    uint32_t idle_ms;
    uint32_t keepalive_ms;
    bool stays; // the translator never forgets
} translated[] = {
    {"an idle timeout far longer than the translator's", 300000, 0, true},
    {"no idle timeout", 0, 0, true},
    {"an idle timeout that is shorter", 10000, 0, true},
    {"a keep-alive of its own", 300000, 5000, true},
    {"a keep-alive longer than a third of the idle timeout", 9000, 60000, true},
    // What the pings are for.
    {"pings too rare", 300000, 60000, false},
};

START_TEST(test_translator)
{
    begin(translated[_i].idle_ms, translated[_i].keepalive_ms);
    for (int i = 0; i < 10; i++) {
        run_for(97 * HAIL_NS_PER_S);
        uint64_t before = wired.client.messages;
        say(&wired.server);
        run_for(HAIL_NS_PER_S);
        if (translated[_i].stays)
            ck_assert_msg(wired.client.messages == before + 1, "%s: round %d", translated[_i].why,
                          i);
    }
    ck_assert_msg((translator.ports == 0) == translated[_i].stays, "%s: %llu ports",
                  translated[_i].why, (unsigned long long)translator.ports);
    run_for(70 * HAIL_NS_PER_S);
    ck_assert_uint_eq(wired.client.messages, 10);
    ck_assert_uint_eq(wired.server.closed, 0);
    ck_assert_uint_eq(wired.client.closed, 0);
    wired_finish(&wired);
}
END_TEST

// Out of reach with something to take, or in the middle of something to say.
static const struct {
    const char *why;
    uint32_t idle_ms;
    uint32_t away_s;
    enum hail_close_reason reason; // COUNT: it comes back, and all arrives
    uint32_t after_s;              // that it is closed
} away[] = {
    {"back before the idle timeout, long after a reader would be slow", 120000, 90,
     HAIL_CLOSE_REASON_COUNT, 0},
    {"not back", 60000, 300, HAIL_CLOSED_IDLE, 60},
    {"not back, and without an idle timeout", 0, 300, HAIL_CLOSED_IDLE, STALL_S},
};

START_TEST(test_out_of_reach)
{
    begin(away[_i].idle_ms, 0);
    run_for(HAIL_NS_PER_S);
    translator.cut = true;
    say(&wired.server);
    say(&wired.client);
    if (away[_i].reason == HAIL_CLOSE_REASON_COUNT) {
        run_for(away[_i].away_s * HAIL_NS_PER_S);
        translator.cut = false;
        run_for(10 * HAIL_NS_PER_S);
        ck_assert_uint_eq(wired.client.messages, 1);
        ck_assert_uint_eq(wired.server.messages, 1);
        ck_assert_uint_eq(wired.server.closed + wired.client.closed, 0);
    } else {
        run_for((away[_i].after_s - 3) * HAIL_NS_PER_S);
        ck_assert_msg(wired.server.closed == 0, "%s: too early", away[_i].why);
        run_for(30 * HAIL_NS_PER_S);
        ck_assert_uint_eq(wired.server.closed, 1);
        ck_assert_msg(wired.server.reason == away[_i].reason, "%s: %d", away[_i].why,
                      (int)wired.server.reason);
        ck_assert_int_eq(wired.client.reason, away[_i].reason);
    }
    wired_finish(&wired);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reach");
    TCase *tests = tcase_create("reach");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_translator, 0, sizeof translated / sizeof translated[0]);
    tcase_add_loop_test(tests, test_out_of_reach, 0, sizeof away / sizeof away[0]);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
