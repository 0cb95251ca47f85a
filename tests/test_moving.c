// test_moving.c: MLAPI.md's channels for a game that moves from the profile mlapi to hail: read out
// of the document as haild reads them, the same in its tables, and good for both ends.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/live_endpoint.h"
#include "tools/daemon/settings.h"

static const char document[] = "proto/mlapi/MLAPI.md";

// What MLAPI brings, in its order.
static const struct {
    const char *name;
    enum hail_channel_kind kind;
    const char *word; // for the kind, in tables
} brought[] = {
    {"MLAPI_INTERNAL", HAIL_RELIABLE_ORDERED, "reliable_ordered"},
    {"MLAPI_DEFAULT_MESSAGE", HAIL_RELIABLE_ORDERED, "reliable_ordered"},
    {"MLAPI_POSITION_UPDATE", HAIL_UNRELIABLE_SEQUENCED, "sequenced"},
    {"MLAPI_ANIMATION_UPDATE", HAIL_RELIABLE_ORDERED, "reliable_ordered"},
    {"MLAPI_NAV_AGENT_STATE", HAIL_RELIABLE_ORDERED, "reliable_ordered"},
    {"MLAPI_NAV_AGENT_CORRECTION", HAIL_UNRELIABLE_SEQUENCED, "sequenced"},
    {"MLAPI_TIME_SYNC", HAIL_UNRELIABLE, "unreliable"},
};

static struct settings settings; // large

static void read_example(void)
{
    char path[] = "/tmp/test_moving_XXXXXX";
    char *text = vector_document_text(document, "```ini channels");
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    bool good = settings_read(&settings, path, stderr);
    unlink(path);
    free(text);
    ck_assert_msg(good, "the example is refused; see stderr");
}

START_TEST(test_example)
{
    read_example();
    ck_assert_int_eq(settings.config.profile, HAIL_PROFILE_HAIL);
    ck_assert_uint_eq(settings.config.channel_count, LIVE_COUNTOF(brought));
    for (size_t i = 0; i < LIVE_COUNTOF(brought); i++) {
        ck_assert_str_eq(settings.channels[i].name, brought[i].name);
        ck_assert_msg(settings.channels[i].kind == brought[i].kind, "%s is of another kind",
                      brought[i].name);
    }
    settings_cleanup(&settings);
}
END_TEST

// Each has a row in the document's table, with the kind that the example gives it.
START_TEST(test_table)
{
    char *text = vector_document_text(document, NULL);
    char cell[64];

    snprintf(cell, sizeof cell, "\n| `%s` | ", brought[_i].name);
    const char *row = strstr(text, cell);
    ck_assert_msg(row != NULL, "%s has no row", brought[_i].name);
    const char *kind = strstr(row + strlen(cell), "| ");
    ck_assert_ptr_nonnull(kind);
    snprintf(cell, sizeof cell, "| `%s` |", brought[_i].word);
    ck_assert_msg(strncmp(kind, cell, strlen(cell)) == 0, "%s: %.40s", brought[_i].name, kind);
    free(text);
}
END_TEST

static struct hail_message message_on(uint8_t channel, uint32_t flags)
{
    return (struct hail_message){.data = "moved", .len = 5, .flags = flags, .channel = channel};
}

// A server and a client with the example's channels know each other by them, and each carries.
START_TEST(test_both_ends)
{
    struct hail_config config = live_config();
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct live_pair pair;

    read_example();
    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.channels = settings.channels;
    config.channel_count = settings.config.channel_count;
    config.approves_all = true;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 1);
    for (uint8_t i = 0; i < settings.config.channel_count; i++) {
        const struct hail_message message = message_on(i, settings.channels[i].floor);
        ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
        const struct live_event *event = live_wait(&server, HAIL_EVENT_MESSAGE, i);
        ck_assert_uint_eq(event->event.channel, i);
        ck_assert(event->event.flags & HAIL_AUTHENTICATED); // none of them can be forged
        ck_assert(live_says(event, "moved"));
    }
    live_stop(&client, 0);
    live_stop(&server, 0);
    settings_cleanup(&settings);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("moving");
    TCase *tests = tcase_create("moving");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_example);
    tcase_add_loop_test(tests, test_table, 0, (int)LIVE_COUNTOF(brought));
    tcase_add_test(tests, test_both_ends);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
