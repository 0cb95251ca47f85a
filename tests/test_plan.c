// test_plan.c: hail-load's command line: what each wrong one is told, and what right ones mean.
// SPDX-License-Identifier: MIT
#include "tests/vectors.h"
#include "tools/load/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ARGUMENTS_MAX = 16
};

static const struct {
    const char *why;
    const char *line; // after the program's name, split at spaces
    const char *want; // part of what is told
} faults[] = {
    {"nothing", "", "needs --connect HOST:PORT"},
    {"no such option", "--bogus", "--bogus: no such option"},
    {"no value", "--connect", "--connect: needs a value"},
    {"an argument too many", "--connect h:1 more", "more"},
    {"no port", "--connect h", "must be HOST:PORT"},
    {"no host", "--connect :1", "must be HOST:PORT"},
    {"port 0", "--connect h:0", "from 1 to 65535"},
    {"port too large", "--connect h:65536", "from 1 to 65535"},
    {"IPv6 without brackets", "--connect ::1:7777", "[::1]:7777"},
    {"empty brackets", "--connect []:1", "must be HOST:PORT"},
    {"negative", "--connect h:1 --connections -1", "--connections -1: must be a whole number"},
    {"a tail", "--connect h:1 --connections 1k", "must be a whole number"},
    {"too many at once", "--connect h:1 --concurrent 257", "must be a whole number from 1 to 256"},
    {"none at once", "--connect h:1 --concurrent 0", "must be a whole number from 1 to 256"},
    {"size below the header", "--connect h:1 --size 23", "from 24 to"},
    {"an empty size", "--connect h:1 --size 128,", "must be a whole number"},
    {"too many sizes", "--connect h:1 --size 24,24,24,24,24,24,24,24,24,24,24,24,24,24,24,24,24",
     "up to 16"},
    {"unknown flag", "--connect h:1 --flags some", "plain, encrypted, authenticated, both, or all"},
    {"an empty flag", "--connect h:1 --flags plain,", "plain, encrypted, authenticated, both"},
    {"a long flag", "--connect h:1 --flags plainplainplainplainplainplainplain", "--flags"},
    {"no time", "--connect h:1 --duration 0", "must be seconds from 0.1"},
    {"not a time", "--connect h:1 --warmup nan", "must be seconds from 0"},
    {"two ways to pace", "--connect h:1 --rate 5 --outstanding 2", "exclude each other"},
    {"protection without a key", "--connect h:1 --no-encryption --flags both",
     "only --flags plain"},
    {"signed without a key", "--connect h:1 --no-encryption --sign", "exclude each other"},
    {"trust without a certificate", "--connect h:1 --trust f", "--trust and --server-name need"},
    {"a name without a certificate", "--connect h:1 --server-name n", "need --sign"},
    {"a profile that there is not", "--connect h:1 --profile quic", "must be mlapi or hail"},
    {"a backend that there is not", "--connect h:1 --io select", "must be auto, uring or epoll"},
    {"half a key", "--connect h:1 --profile hail --pin 1234", "must be 64 hexadecimal digits"},
    {"a key, and a certificate too",
     "--connect h:1 --profile hail --sign --pin "
     "0000000000000000000000000000000000000000000000000000000000000001",
     "excludes --sign"},
    {"a key on mlapi",
     "--connect h:1 --pin 0000000000000000000000000000000000000000000000000000000000000001",
     "--pin needs --profile hail"},
    {"tickets on mlapi", "--connect h:1 --handshakes 9 --resume", "--resume needs --profile hail"},
    {"tickets for nothing", "--connect h:1 --profile hail --resume", "and --handshakes"},
    {"a file of nowhere", "--connect h:1 --config /nonexistent", "No such file"},
    {"a channel without a file", "--connect h:1 --profile hail --channel chat",
     "--channel chat: must be unreliable, sequenced, reliable or ordered, or with --config"},
    {"a dump of mlapi", "--connect h:1 --dump f", "--dump is for --profile hail"},
    {"a bad network of mlapi", "--connect h:1 --simulate delay=1ms",
     "--simulate is for --profile hail"},
    {"a bad network that is none", "--connect h:1 --profile hail --simulate delay=25",
     "--simulate delay=25: delay=25: must be a time up to 60s, with its unit, such as 25ms"},
    {"hail without encryption", "--connect h:1 --profile hail --no-encryption", "are mlapi's"},
    {"longer than a datagram", "--connect h:1 --profile hail --size 1351", "up to 1350 bytes"},
    {"data file missing", "--connect h:1 --data-file /nonexistent", "No such file"},
};

static struct plan plan;
static char told[4096];

static enum plan_result read_line(const char *line)
{
    static char words[256]; // the plan points into it
    char *argv[ARGUMENTS_MAX + 1] = {(char *)(uintptr_t) "hail-load"};
    int argc = 1;
    char *rest = NULL;
    FILE *errors = fmemopen(told, sizeof told, "w");
    FILE *out = fopen("/dev/null", "w");

    ck_assert(errors && out && strlen(line) < sizeof words);
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    enum plan_result result = plan_read(&plan, argc, argv, out, errors);
    fclose(errors);
    fclose(out);
    return result;
}

// What is wrong inside a server's file is told as haild tells it.
static bool told_by_us(const char *line)
{
    return strncmp(line, "hail-load: ", 11) == 0 || strncmp(line, "haild: ", 7) == 0;
}

START_TEST(test_fault)
{
    memset(told, 0, sizeof told);
    ck_assert_msg(read_line(faults[_i].line) == PLAN_WRONG, "%s: taken", faults[_i].why);
    ck_assert_msg(strstr(told, faults[_i].want) != NULL, "%s: %s", faults[_i].why, told);
    ck_assert_msg(told_by_us(told) && strchr(told, '\n') == strrchr(told, '\n'), "%s: one line: %s",
                  faults[_i].why, told);
}
END_TEST

START_TEST(test_shown)
{
    ck_assert_int_eq(read_line("--bogus --help"), PLAN_WRONG); // in order
    ck_assert_int_eq(read_line("--help"), PLAN_SHOWN);
    ck_assert_int_eq(read_line("--version"), PLAN_SHOWN);
}
END_TEST

START_TEST(test_defaults)
{
    ck_assert_int_eq(read_line("--connect localhost:7777"), PLAN_GOOD);
    ck_assert_str_eq(plan.host, "localhost");
    ck_assert_uint_eq(plan.port, 7777);
    ck_assert(plan.measures_messages);
    ck_assert_uint_eq(plan.flags_count, 1);
    ck_assert_uint_eq(plan.flags[0], HAIL_ENCRYPTED | HAIL_AUTHENTICATED);
    ck_assert_uint_eq(plan.outstanding, 1);
    ck_assert_uint_eq(plan.rate, 0);
    ck_assert(plan.encryption && plan.scene_management && !plan.sign);
    ck_assert_int_eq(read_line("--connect [::1]:1 --no-encryption"), PLAN_GOOD);
    ck_assert_str_eq(plan.host, "::1");
    ck_assert_uint_eq(plan.flags[0], HAIL_PLAIN);
}
END_TEST

START_TEST(test_lists)
{
    ck_assert_int_eq(read_line("--connect h:1 --flags both,plain,both --size 24,1000"), PLAN_GOOD);
    ck_assert_uint_eq(plan.flags_count, 2); // each once, in the order given
    ck_assert_uint_eq(plan.flags[0], HAIL_ENCRYPTED | HAIL_AUTHENTICATED);
    ck_assert_uint_eq(plan.flags[1], HAIL_PLAIN);
    ck_assert_uint_eq(plan.size_count, 2);
    ck_assert_uint_eq(plan.sizes[1], 1000);
    ck_assert_int_eq(read_line("--connect h:1 --flags all"), PLAN_GOOD);
    ck_assert_uint_eq(plan.flags_count, 4);
}
END_TEST

START_TEST(test_what_is_measured)
{
    ck_assert_int_eq(read_line("--connect h:1 --handshakes 10"), PLAN_GOOD);
    ck_assert(!plan.measures_messages && !plan.resumes);
    ck_assert_int_eq(read_line("--connect h:1 --profile hail --handshakes 10 --resume"), PLAN_GOOD);
    ck_assert(!plan.measures_messages && plan.resumes);
    ck_assert_int_eq(read_line("--connect h:1 --idle 10"), PLAN_GOOD);
    ck_assert(!plan.measures_messages);
    ck_assert_int_eq(read_line("--connect h:1 --handshakes 10 --flags plain"), PLAN_GOOD);
    ck_assert(plan.measures_messages);
    ck_assert_int_eq(read_line("--connect h:1 --data room"), PLAN_GOOD);
    ck_assert_uint_eq(plan.data_len, 4);
    ck_assert_int_eq(memcmp(plan.data, "room", 4), 0);
}
END_TEST

START_TEST(test_limits)
{
    ck_assert_int_eq(read_line("--connect h:1 --handshakes 1 --concurrent 256"), PLAN_GOOD);
    ck_assert_uint_eq(plan.concurrent, 256);
    ck_assert_int_eq(read_line("--connect h:1 --handshakes 1 --concurrent 1"), PLAN_GOOD);
    ck_assert_uint_eq(plan.concurrent, 1);
}
END_TEST

START_TEST(test_simulation)
{
    ck_assert_int_eq(read_line("--connect h:1 --profile hail"), PLAN_GOOD);
    ck_assert_ptr_null(plan.simulation_text);
    ck_assert_uint_eq(plan_delay_ns(&plan), 0);
    ck_assert_int_eq(read_line("--connect h:1 --profile hail --simulate delay=3ms,loss=2%"),
                     PLAN_GOOD);
    ck_assert_str_eq(plan.simulation_text, "delay=3ms,loss=2%");
    ck_assert_uint_eq(plan.simulation.delay_us, 3000);
    ck_assert_uint_eq(plan_delay_ns(&plan), 4 * 3000000); // there, back, and both once again
}
END_TEST

#define CHANNELS                                                                                   \
    "[channel chat]\nkind = reliable_ordered\n[channel ordered]\nkind = sequenced\n"               \
    "[channel state]\nkind = unreliable\n[channel more]\nkind = unreliable\n"

static const struct {
    const char *why;
    const char *channels; // of the server's file
    const char *arguments;
    enum plan_result want;
    uint8_t channel;
    enum hail_channel_kind kind;
    const char *told; // part of what is
} chosen[] = {
    {"the first unreliable one", CHANNELS, "", PLAN_GOOD, 2, HAIL_UNRELIABLE, ""},
    {"by name", CHANNELS, "--channel more", PLAN_GOOD, 3, HAIL_UNRELIABLE, ""},
    {"by kind", CHANNELS, "--channel sequenced", PLAN_GOOD, 1, HAIL_UNRELIABLE_SEQUENCED, ""},
    {"a name before a kind", CHANNELS, "--channel ordered", PLAN_GOOD, 1, HAIL_UNRELIABLE_SEQUENCED,
     ""},
    {"what its kind allows", CHANNELS, "--channel chat --size 5000", PLAN_GOOD, 0,
     HAIL_RELIABLE_ORDERED, ""},
    {"what its kind does not", CHANNELS, "--channel more --size 5000", PLAN_WRONG, 0, 0,
     "up to 1350 bytes"},
    {"a kind that it has not", CHANNELS, "--channel reliable", PLAN_WRONG, 0, 0,
     "--channel reliable: is neither the name nor the kind of a channel in the file of --config"},
    {"a name that it has not", CHANNELS, "--channel trade", PLAN_WRONG, 0, 0,
     "--channel trade: is neither"},
    {"none declared", "", "--channel ordered", PLAN_GOOD, HAIL_RELIABLE_ORDERED,
     HAIL_RELIABLE_ORDERED, ""},
    {"a name where none is declared", "", "--channel chat", PLAN_WRONG, 0, 0,
     "the file of --config has no channels"},
    {"a fault in the file", "[channel a]\n", "", PLAN_WRONG, 0, 0,
     ":3: [channel a]: kind is missing"},
};

START_TEST(test_channel)
{
    char path[] = "/tmp/test_plan_XXXXXX";
    char line[256];
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "[server]\nprofile = hail\n%s", chosen[_i].channels);
    fclose(file);
    snprintf(line, sizeof line, "--connect h:1 --config %s %s", path, chosen[_i].arguments);
    memset(told, 0, sizeof told);
    enum plan_result result = read_line(line);
    unlink(path);
    ck_assert_msg(result == chosen[_i].want, "%s: %s", chosen[_i].why, told);
    ck_assert_msg(strstr(told, chosen[_i].told) != NULL, "%s: %s", chosen[_i].why, told);
    if (result != PLAN_GOOD)
        return;
    ck_assert_msg(plan.channel == chosen[_i].channel && plan.channel_kind == chosen[_i].kind,
                  "%s: channel %u of kind %d", chosen[_i].why, plan.channel,
                  (int)plan.channel_kind);
    ck_assert_int_eq(plan_may_lose(&plan), chosen[_i].kind != HAIL_RELIABLE_ORDERED);
}
END_TEST

// What the server's file says goes, and what the command line adds may not differ.
static const struct {
    const char *why;
    const char *file;
    const char *arguments;
    const char *told; // NULL: it is good
    bool native;
    bool sign;
    bool encryption;
    bool scenes;
} joined[] = {
    {"mlapi as it comes", "profile = mlapi\n", "", NULL, false, false, true, true},
    {"mlapi, all of it else",
     "profile = mlapi\n[mlapi]\nenable_scene_management = no\nsign_key_exchange = yes\n", "", NULL,
     false, true, true, false},
    {"in the clear", "profile = mlapi\n[mlapi]\nenable_encryption = no\n", "", NULL, false, false,
     false, true},
    {"hail is signed unless it says otherwise", "profile = hail\n", "--sign --profile hail", NULL,
     true, true, true, true},
    {"hail, unsigned", "profile = hail\n[hail]\nexchange = unsigned\n", "", NULL, true, false, true,
     true},
    {"data of no bytes is connection data", "profile = mlapi\n[mlapi]\nconnection_approval = yes\n",
     "--data=", NULL, false, false, true, true},
    {"no data where some is due", "profile = mlapi\n[mlapi]\nconnection_approval = yes\n", "",
     "it has connection_approval", false, false, false, false},
    {"no key where one is pinned", "profile = hail\n[hail]\nexchange = pinned\n", "",
     "give the server's key with --pin", false, false, false, false},
    {"another profile", "profile = mlapi\n", "--profile hail", "it says otherwise", false, false,
     false, false},
    {"a certificate where there is none", "profile = mlapi\n", "--sign", "it says otherwise", false,
     false, false, false},
    {"no key where there is one", "profile = mlapi\n", "--no-encryption", "it says otherwise",
     false, false, false, false},
};

START_TEST(test_config)
{
    char path[] = "/tmp/test_plan_XXXXXX";
    char line[256];
    FILE *file = fdopen(mkstemp(path), "w");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "[server]\n%s", joined[_i].file);
    fclose(file);
    snprintf(line, sizeof line, "--connect h:1 --config %s%s%s", path,
             joined[_i].arguments[0] ? " " : "", joined[_i].arguments);
    memset(told, 0, sizeof told);
    enum plan_result result = read_line(line);
    unlink(path);
    ck_assert_msg((result == PLAN_GOOD) == !joined[_i].told, "%s: %s", joined[_i].why, told);
    if (joined[_i].told) {
        ck_assert_msg(strstr(told, joined[_i].told) != NULL, "%s: %s", joined[_i].why, told);
        return;
    }
    ck_assert_int_eq(plan.profile == HAIL_PROFILE_HAIL, joined[_i].native);
    ck_assert_int_eq(plan.sign, joined[_i].sign);
    ck_assert_int_eq(plan.encryption, joined[_i].encryption);
    ck_assert_int_eq(plan.scene_management, joined[_i].scenes);
}
END_TEST

static const struct {
    const char *why;
    enum hail_close_reason reason;
    bool has_joined;
    const char *want; // part of the advice
} advised[] = {
    {"nobody listens", HAIL_CLOSED_CONNECT, false, "is haild running there"},
    {"another certificate", HAIL_CLOSED_CERTIFICATE, false, "--trust FILE"},
    {"turned away", HAIL_CLOSED_BY_PEER, false, "--data or --data-file"},
    {"no answer to a request without data", HAIL_CLOSED_HANDSHAKE_TIMEOUT, false,
     "connection_approval and wants --data or --data-file"},
    {"a broken socket", HAIL_CLOSED_ERROR, false, "log and counters"},
    {"ended after it joined", HAIL_CLOSED_BY_PEER, true, "the server closed it"},
    {"broken after it joined", HAIL_CLOSED_ERROR, true, "log and counters"},
    {"the server takes too slowly", HAIL_CLOSED_SLOW_READER, true, "less --rate"},
};

START_TEST(test_advice)
{
    const char *advice = plan_advice(advised[_i].reason, advised[_i].has_joined);

    ck_assert_msg(strstr(advice, advised[_i].want) != NULL, "%s: %s", advised[_i].why, advice);
}
END_TEST

// Who has joined is configured rightly: whatever ended it, it was not that.
START_TEST(test_advice_after_joining)
{
    for (int reason = 0; reason < HAIL_CLOSE_REASON_COUNT; reason++) {
        const char *advice = plan_advice((enum hail_close_reason)reason, true);
        ck_assert_msg(strstr(advice, "--sign") == NULL && strstr(advice, "--data") == NULL &&
                          strstr(advice, "--no-") == NULL && strstr(advice, "--trust") == NULL,
                      "%s: %s", hail_close_reason_name((enum hail_close_reason)reason), advice);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");

    tcase_add_loop_test(tests, test_fault, 0, sizeof faults / sizeof *faults);
    tcase_add_test(tests, test_shown);
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_lists);
    tcase_add_test(tests, test_what_is_measured);
    tcase_add_test(tests, test_limits);
    tcase_add_test(tests, test_simulation);
    tcase_add_loop_test(tests, test_config, 0, sizeof joined / sizeof joined[0]);
    tcase_add_loop_test(tests, test_channel, 0, sizeof chosen / sizeof *chosen);
    tcase_add_loop_test(tests, test_advice, 0, sizeof advised / sizeof *advised);
    tcase_add_test(tests, test_advice_after_joining);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
