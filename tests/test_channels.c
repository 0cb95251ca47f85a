// test_channels.c: channels declared by name: what a config may say, what both ends must agree on,
// and the floors that a receiver keeps.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "tests/live_endpoint.h"

enum {
    CHAT,
    NEWS,
    TRADE
};

static const struct hail_channel channels[] = {
    [CHAT] = {.name = "chat", .kind = HAIL_UNRELIABLE},
    [NEWS] = {.name = "news", .kind = HAIL_UNRELIABLE_SEQUENCED},
    [TRADE] = {.name = "trade", .kind = HAIL_UNRELIABLE, .floor = HAIL_ENCRYPTED},
};

static struct hail_config config_of(const struct hail_channel *list, size_t count)
{
    struct hail_config config = live_config();

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.channels = list;
    config.channel_count = count;
    return config;
}

// ---- What a config may say

// What a channel is to both ends; the rest is their own.
#define CHANNEL(n, k, f)                                                                           \
    {                                                                                              \
        .name = (n), .kind = (k), .floor = (f)                                                     \
    }

#define LONG_NAME "a name of thirty-two bytes, 1 more"

static const struct {
    const char *why;
    bool mlapi;
    struct hail_channel list[2];
    const char *want; // in the log; NULL: it starts
} configs[] = {
    {"no name",
     false,
     {CHANNEL(NULL, HAIL_UNRELIABLE, 0), CHANNEL("b", HAIL_UNRELIABLE, 0)},
     "needs a name"},
    {"an empty name",
     false,
     {CHANNEL("", HAIL_UNRELIABLE, 0), CHANNEL("b", HAIL_UNRELIABLE, 0)},
     "needs a name"},
    {"too long",
     false,
     {CHANNEL(LONG_NAME, HAIL_UNRELIABLE, 0), CHANNEL("b", 3, 0)},
     "needs a name"},
    {"not UTF-8", false, {CHANNEL("\xff", HAIL_UNRELIABLE, 0), CHANNEL("b", 3, 0)}, "needs a name"},
    {"the same name twice",
     false,
     {CHANNEL("a", 3, 0), CHANNEL("a", 2, 0)},
     "channel=1: another channel"},
    {"no such kind",
     false,
     {CHANNEL("a", 3, 0), CHANNEL("b", (enum hail_channel_kind)4, 0)},
     "its kind"},
    {"no such floor", false, {CHANNEL("a", 3, 4), CHANNEL("b", 3, 0)}, "its floor"},
    {"none for responses", false, {CHANNEL("a", 2, 0), CHANNEL("b", 0, 0)}, "HAIL_UNRELIABLE one"},
    {"a floor on mlapi", true, {CHANNEL("a", 3, 2), CHANNEL("b", 3, 0)}, "give it to the names"},
    {"as it should be", false, {CHANNEL("a", 3, 3), CHANNEL("b", 0, 0)}, NULL},
    {"a name that begins like the other", false, {CHANNEL("ab", 3, 0), CHANNEL("a", 3, 0)}, NULL},
    {"any kinds on mlapi", true, {CHANNEL("a", 2, 0), CHANNEL("b", 0, 0)}, NULL},
};

START_TEST(test_config)
{
    struct hail_config config = config_of(configs[_i].list, 2);
    struct live_endpoint live = {0};

    if (configs[_i].mlapi)
        config.profile = HAIL_PROFILE_MLAPI;
    enum hail_status status = live_try_start(&live, &config, true);
    ck_assert_msg(status == (configs[_i].want ? HAIL_EINVAL : HAIL_OK), "%s: %s", configs[_i].why,
                  live.log);
    if (configs[_i].want)
        ck_assert_msg(live_logged(&live, HAIL_LOG_ERROR, configs[_i].want), "%s: %s",
                      configs[_i].why, live.log);
    live_stop(&live, 0);
}
END_TEST

START_TEST(test_count)
{
    static struct hail_channel list[HAIL_CHANNELS_MAX + 1];
    static char names[HAIL_CHANNELS_MAX + 1][8];
    struct hail_config config = config_of(list, HAIL_CHANNELS_MAX + 1);
    struct live_endpoint live = {0};

    for (size_t i = 0; i < LIVE_COUNTOF(list); i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        list[i] = (struct hail_channel){.name = names[i], .kind = HAIL_UNRELIABLE};
    }
    ck_assert_int_eq(live_try_start(&live, &config, true), HAIL_EINVAL);
    ck_assert(live_logged(&live, HAIL_LOG_ERROR, "channel_count"));
    live_stop(&live, 0);

    // As many as there may be, the last of them as good as the first.
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    config.channel_count = HAIL_CHANNELS_MAX;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    const struct hail_message message = {
        .data = "hi", .len = 2, .flags = 3, .channel = HAIL_CHANNELS_MAX - 1};
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    ck_assert_uint_eq(live_wait(&server, HAIL_EVENT_MESSAGE, 0)->event.channel,
                      HAIL_CHANNELS_MAX - 1);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- What both ends must agree on

static const struct {
    const char *why;
    struct hail_channel list[3];
    size_t count;
    bool same;
} others[] = {
    {"none declared", {{0}}, 0, false},
    {"one less", {CHANNEL("chat", 3, 0), CHANNEL("news", 2, 0)}, 2, false},
    {"another order",
     {CHANNEL("news", 2, 0), CHANNEL("chat", 3, 0), CHANNEL("trade", 3, 1)},
     3,
     false},
    {"another name",
     {CHANNEL("chat", 3, 0), CHANNEL("news", 2, 0), CHANNEL("deals", 3, 1)},
     3,
     false},
    {"another kind",
     {CHANNEL("chat", 3, 0), CHANNEL("news", 3, 0), CHANNEL("trade", 3, 1)},
     3,
     false},
    {"a lower floor",
     {CHANNEL("chat", 3, 0), CHANNEL("news", 2, 0), CHANNEL("trade", 3, 0)},
     3,
     false},
    {"the same", {CHANNEL("chat", 3, 0), CHANNEL("news", 2, 0), CHANNEL("trade", 3, 1)}, 3, true},
};

START_TEST(test_agreement)
{
    struct hail_config config = config_of(channels, LIVE_COUNTOF(channels));
    struct hail_config other = config_of(others[_i].list, others[_i].count);
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    live_start(&server, &config, true);
    live_start(&client, &other, false);
    if (others[_i].same) {
        live_join(&pair, 1, &server, &client, 0);
    } else {
        live_connect(&client, &server, 0);
        const struct live_event *closed = live_wait(&client, HAIL_EVENT_CLOSED, 0);
        ck_assert_msg(closed->event.reason == HAIL_CLOSED_CONFIG, "%s", others[_i].why);
        ck_assert_uint_eq(live_stat(&server, "dropped_policy"), 1);
    }
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

// ---- What travels

static const struct {
    const char *why;
    uint8_t channel;
    uint32_t flags;
    bool arrives;
    uint32_t arrives_as;
} sends[] = {
    {"below its channel's floor", TRADE, HAIL_PLAIN, false, 0},
    {"still below", TRADE, HAIL_AUTHENTICATED, false, 0},
    {"at the floor", TRADE, HAIL_ENCRYPTED, true, 3},
    {"above it", TRADE, 3, true, 3},
    {"no floor", CHAT, HAIL_PLAIN, true, 0},
    {"no floor, and protected", CHAT, HAIL_AUTHENTICATED, true, 2},
    {"plain is too little for a guarantee", NEWS, HAIL_PLAIN, true, HAIL_AUTHENTICATED},
    {"enough for a guarantee", NEWS, HAIL_AUTHENTICATED, true, HAIL_AUTHENTICATED},
    {"more than enough", NEWS, HAIL_ENCRYPTED, true, 3},
};

static uint64_t below_floor(const struct live_endpoint *live, uint8_t channel)
{
    struct hail_channel_info info = {.size = sizeof info};

    ck_assert_int_eq(hail_get_channel_info(live->endpoint, channel, &info), HAIL_OK);
    return info.below_floor;
}

START_TEST(test_floors)
{
    struct hail_config config = config_of(channels, LIVE_COUNTOF(channels));
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    uint64_t dropped = 0;
    size_t arrived = 0;

    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    for (size_t i = 0; i < LIVE_COUNTOF(sends); i++) {
        const struct hail_message message = {
            .data = "hi", .len = 2, .flags = sends[i].flags, .channel = sends[i].channel};
        const struct hail_message mark = {.data = "mark", .len = 4, .flags = 3};
        ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
        if (sends[i].arrives) {
            const struct live_event *one = live_wait(&server, HAIL_EVENT_MESSAGE, arrived++);
            ck_assert_msg(live_says(one, "hi"), "%s", sends[i].why);
            ck_assert_msg(one->event.flags == sends[i].arrives_as, "%s", sends[i].why);
            ck_assert_msg(one->event.channel == sends[i].channel, "%s", sends[i].why);
        } else {
            dropped++;
        }
        ck_assert_int_eq(hail_send(client.endpoint, pair.client, &mark), HAIL_OK);
        ck_assert(live_says(live_wait(&server, HAIL_EVENT_MESSAGE, arrived++), "mark"));
        ck_assert_uint_eq(below_floor(&server, TRADE), dropped);
    }
    ck_assert_uint_eq(live_stat(&server, "dropped_floor"), dropped);
    ck_assert_uint_eq(below_floor(&server, CHAT), 0);
    struct hail_channel_info info = {.size = sizeof info};
    ck_assert_int_eq(hail_get_channel_info(server.endpoint, LIVE_COUNTOF(channels), &info),
                     HAIL_EINVAL);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_floor_closes)
{
    struct hail_config config = config_of(channels, LIVE_COUNTOF(channels));
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;
    struct hail_message message = {.data = "hi", .len = 2, .channel = TRADE};

    config.native.floor_closes = true;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 0);
    // A plain one could be anybody's.
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    message.flags = 3;
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    live_wait(&server, HAIL_EVENT_MESSAGE, 0);
    message.flags = HAIL_AUTHENTICATED;
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    const struct live_event *closed = live_wait(&client, HAIL_EVENT_CLOSED, 0);
    ck_assert_int_eq(closed->event.reason, HAIL_CLOSED_PROTOCOL);
    ck_assert_ptr_nonnull(strstr(closed->text, "its channel"));
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channels");
    TCase *tests = tcase_create("channels");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_config, 0, LIVE_COUNTOF(configs));
    tcase_add_test(tests, test_count);
    tcase_add_loop_test(tests, test_agreement, 0, LIVE_COUNTOF(others));
    tcase_add_test(tests, test_floors);
    tcase_add_test(tests, test_floor_closes);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
