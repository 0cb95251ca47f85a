// test_rpc.c: what becomes of calls: answered, refused, unknown, late, or never answered, on both
// profiles where the wire has words for it.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/live_endpoint.h"

enum {
    SHORT_MS = 30,
    LONG_MS = 60000,
    CROWD = 5
};

static const struct hail_handler handlers[] = {
    {.kind = HAIL_HANDLER_RPC, .name = "Fire"},
    {.kind = HAIL_HANDLER_RPC, .name = "Secret", .floor = HAIL_ENCRYPTED | HAIL_AUTHENTICATED},
};

// What the server does with a call. The first argument says which.
enum deed {
    ANSWER = 'a',
    REFUSE = 'r',
    COMPLAIN = 'c',
    KEEP_QUIET = 'q',
    WEAKEN = 'w' // answer with less protection
};

static struct hail_config config_of(bool native)
{
    struct hail_config config = live_config();

    config.handlers = handlers;
    config.handler_count = LIVE_COUNTOF(handlers);
    config.calls_max = 4;
    config.takes_unknown_names = false;
    if (native) {
        config.profile = HAIL_PROFILE_HAIL;
        config.native.exchange = HAIL_UNSIGNED;
    }
    return config;
}

static void serve(struct live_endpoint *live, struct hail_endpoint *endpoint,
                  const struct hail_event *event)
{
    struct hail_response response = {.call_id = event->call_id,
                                     .flags = event->flags,
                                     .channel = event->channel,
                                     .result = event->data,
                                     .len = event->len};

    (void)live;
    if (event->type != HAIL_EVENT_CALL || !event->wants_response)
        return;
    enum deed deed = (enum deed)(*(const char *)event->data);
    if (deed == KEEP_QUIET)
        return;
    if (deed == REFUSE)
        response.status = HAIL_EREFUSED;
    if (deed == COMPLAIN)
        response.status = HAIL_EARGUMENTS;
    if (deed == WEAKEN)
        response.flags = 0;
    (void)!hail_respond(endpoint, event->conn, &response);
}

static enum hail_status call(const struct live_endpoint *live, struct hail_conn conn,
                             const char *name, const char *args, uint64_t id, uint32_t timeout_ms)
{
    const struct hail_rpc one = {
        .name_hash = hail_name_hash(live->endpoint, name),
        .args = args,
        .len = strlen(args),
        .flags = HAIL_ENCRYPTED | HAIL_AUTHENTICATED,
        .channel = HAIL_RELIABLE_ORDERED,
        .wants_response = true,
        .call_id = id,
        .timeout_ms = timeout_ms,
    };

    return hail_call(live->endpoint, conn, &one);
}

static const struct {
    const char *why;
    const char *name;
    const char *args;
    uint32_t timeout_ms;
    enum hail_status native;
    enum hail_status mlapi;
} outcomes[] = {
    {"answered", "Fire", "a", LONG_MS, HAIL_OK, HAIL_OK},
    {"answered, where a floor asks for all there is", "Secret", "a", LONG_MS, HAIL_OK, HAIL_OK},
    {"never answered", "Fire", "q", SHORT_MS, HAIL_ETIMEOUT, HAIL_ETIMEOUT},
    {"answered with less protection", "Fire", "w", SHORT_MS, HAIL_ETIMEOUT, HAIL_ETIMEOUT},
    {"no such name", "Nothing", "a", SHORT_MS * 20, HAIL_EUNKNOWN, HAIL_ETIMEOUT},
    {"refused", "Fire", "r", SHORT_MS * 20, HAIL_EREFUSED, HAIL_ETIMEOUT},
    {"arguments that cannot be read", "Fire", "c", SHORT_MS * 20, HAIL_EARGUMENTS, HAIL_ETIMEOUT},
};

START_TEST(test_outcome)
{
    size_t row = (size_t)_i / 2;
    bool native = _i % 2 == 0;
    struct hail_config config = config_of(native);
    struct live_endpoint server = {.react = serve};
    struct live_endpoint client = {.polls = _i % 4 < 2};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    // An id may be used again when it has been answered.
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(call(&client, pair.client, outcomes[row].name, outcomes[row].args, 77,
                              outcomes[row].timeout_ms),
                         HAIL_OK);
        const struct live_event *event = live_wait(&client, HAIL_EVENT_RESPONSE, i);
        ck_assert_msg(event->event.status == (native ? outcomes[row].native : outcomes[row].mlapi),
                      "%s: %s", outcomes[row].why, hail_strerror(event->event.status));
        ck_assert_uint_eq(event->event.call_id, 77);
        ck_assert_uint_eq(event->event.conn.id, pair.client.id);
        if (event->event.status == HAIL_EREFUSED)
            ck_assert(live_says(event, "r")); // and what the other end says to it
    }
    ck_assert_uint_eq(live_stat(&client, "calls_timed_out"),
                      (native ? outcomes[row].native : outcomes[row].mlapi) == HAIL_ETIMEOUT ? 2
                                                                                             : 0);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// Calls that nobody answers give their places back, and a response that comes too late is not taken
// for that of a later call with the same id.
START_TEST(test_late)
{
    struct hail_config config = config_of(_i == 0);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (uint64_t i = 0; i < 4; i++)
        ck_assert_int_eq(call(&client, pair.client, "Fire", "q", i, SHORT_MS), HAIL_OK);
    const struct live_event *first = live_wait(&server, HAIL_EVENT_CALL, 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(live_wait(&client, HAIL_EVENT_RESPONSE, i)->event.status, HAIL_ETIMEOUT);

    ck_assert_int_eq(call(&client, pair.client, "Fire", "q", 0, LONG_MS), HAIL_OK);
    const struct live_event *again = live_wait(&server, HAIL_EVENT_CALL, 4);
    ck_assert_uint_ne(first->event.call_id, again->event.call_id);
    struct hail_response response = {
        .call_id = first->event.call_id, .flags = first->event.flags, .result = "late", .len = 4};
    ck_assert_int_eq(hail_respond(server.endpoint, pair.server, &response), HAIL_OK);
    response.call_id = again->event.call_id;
    response.result = "good";
    ck_assert_int_eq(hail_respond(server.endpoint, pair.server, &response), HAIL_OK);
    ck_assert(live_says(live_wait(&client, HAIL_EVENT_RESPONSE, 4), "good"));
    ck_assert_uint_eq(live_stat(&client, "dropped_call"), 1);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

static void answer_with_tag(struct live_endpoint *live, struct hail_endpoint *endpoint,
                            const struct hail_event *event)
{
    const struct hail_response response = {.call_id = event->call_id,
                                           .flags = event->flags,
                                           .channel = event->channel,
                                           .result = &event->tag,
                                           .len = sizeof event->tag};

    (void)live;
    if (event->type == HAIL_EVENT_CALL)
        (void)!hail_respond(endpoint, event->conn, &response);
}

// A server asks many at once, and each answers by itself.
START_TEST(test_many)
{
    struct hail_config config = config_of(_i == 0);
    struct live_endpoint server = {0};
    struct live_endpoint client = {.react = answer_with_tag};
    struct live_pair pairs[CROWD];
    struct hail_conn conns[CROWD];
    size_t sent;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(pairs, CROWD, &server, &client, 100);
    for (size_t i = 0; i < CROWD; i++)
        conns[i] = pairs[i].server;
    const struct hail_rpc one = {
        .name_hash = hail_name_hash(server.endpoint, "Fire"),
        .flags = HAIL_ENCRYPTED | HAIL_AUTHENTICATED,
        .channel = HAIL_RELIABLE_ORDERED,
        .wants_response = true,
        .call_id = 5,
    };
    ck_assert_int_eq(hail_call_many(server.endpoint, conns, CROWD, &one, &sent), HAIL_OK);
    ck_assert_uint_eq(sent, CROWD);
    live_wait(&server, HAIL_EVENT_RESPONSE, CROWD - 1);
    ck_assert_int_eq(hail_call_all_but(server.endpoint, conns[1], &one), HAIL_OK);
    live_wait(&server, HAIL_EVENT_RESPONSE, 2 * CROWD - 2);
    ck_assert_int_eq(hail_call_all(server.endpoint, &one), HAIL_OK);
    live_wait(&server, HAIL_EVENT_RESPONSE, 3 * CROWD - 2);

    size_t answers[CROWD] = {0};
    for (size_t i = 0; i < 3 * CROWD - 1; i++) {
        const struct live_event *event = live_wait(&server, HAIL_EVENT_RESPONSE, i);
        uint64_t tag;
        ck_assert_int_eq(event->event.status, HAIL_OK);
        ck_assert_uint_eq(event->event.len, sizeof tag);
        memcpy(&tag, event->data, sizeof tag);
        ck_assert_uint_eq(event->event.conn.id, conns[tag - 100].id);
        answers[tag - 100]++;
    }
    for (size_t i = 0; i < CROWD; i++)
        ck_assert_uint_eq(answers[i], i == 1 ? 2 : 3);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

static const struct {
    const char *why;
    bool native;
    enum hail_status said;
    enum hail_status want;
} said[] = {
    {"an error on mlapi", false, HAIL_EREFUSED, HAIL_EINVAL},
    {"no error that can be told", true, HAIL_EFULL, HAIL_EINVAL},
    {"a time that ran out is the caller's to know", true, HAIL_ETIMEOUT, HAIL_EINVAL},
    {"an error", true, HAIL_EREFUSED, HAIL_OK},
};

START_TEST(test_what_can_be_said)
{
    struct hail_config config = config_of(said[_i].native);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    const struct hail_response response = {.call_id = 1, .status = said[_i].said};

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    ck_assert_msg(hail_respond(server.endpoint, pair.server, &response) == said[_i].want, "%s",
                  said[_i].why);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc");
    TCase *tests = tcase_create("rpc");

    tcase_add_loop_test(tests, test_outcome, 0, 2 * LIVE_COUNTOF(outcomes));
    tcase_add_loop_test(tests, test_late, 0, 2);
    tcase_add_loop_test(tests, test_many, 0, 2);
    tcase_add_loop_test(tests, test_what_can_be_said, 0, LIVE_COUNTOF(said));
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
