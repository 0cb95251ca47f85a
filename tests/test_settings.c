// test_settings.c: haild's INI file: what each bad line is told, and what good ones set.
// SPDX-License-Identifier: MIT
#include "tests/vectors.h"
#include "tools/daemon/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOOD "[server]\nprofile = mlapi\n"
#define HAIL "[server]\nprofile = hail\n"

static const struct {
    const char *why;
    const char *text;
    const char *want; // part of what is told
} faults[] = {
    {"no profile", "[server]\nport = 1\n",
     "[server] profile is missing; write profile = hail, or mlapi"},
    {"empty file", "", "profile is missing"},
    {"unknown section", GOOD "[colours]\nred = 1\n", ":4: [colours] red = 1: no such section"},
    {"unknown key", GOOD "colour = red\n", ":3: [server] colour = red: no such key"},
    {"a key of another section", GOOD "game = echo\n", ":3: [server] game = echo: no such key"},
    {"outside of sections", "port = 1\n" GOOD, ":1: [] port = 1: no such section"},
    {"no key", GOOD "= 7\n", ":3: [server]"},
    {"not a pair", GOOD "hello\n", ":3: neither a [section], a comment, nor KEY = VALUE"},
    {"given twice", GOOD "port = 1\nport = 1\n", ":4: [server] port = 1: is given twice"},
    {"profile unknown", "[server]\nprofile = quic\n", ":2: [server] profile = quic: must be mlapi"},
    {"no number", GOOD "port = many\n",
     ":3: [server] port = many: must be a number from 0 to 65535"},
    {"empty number", GOOD "port =\n", "must be a number from 0 to 65535"},
    {"negative", GOOD "port = -1\n", "must be a number from 0 to 65535"},
    {"a tail", GOOD "port = 12x\n", "must be a number from 0 to 65535"},
    {"too large", GOOD "port = 65536\n", "must be a number from 0 to 65535"},
    {"larger than any", GOOD "port = 99999999999999999999999\n", "must be a number"},
    {"more shards than there may be", GOOD "shard_count = 256\n", "from 0 to 255"},
    {"too small", GOOD "message_max = 15\n",
     "[server] message_max = 15: must be a number from 16 to 16777216, or 0 for the default"},
    {"too many connections", GOOD "conns_max = 1048577\n", "from 1 to 1048576"},
    {"too many handshakes", GOOD "handshakes_max = 1048577\n", "from 1 to 1048576"},
    {"more blocks than indices", GOOD "buffers_max = 549755813888\n", "from 0 to 549755813887"},
    {"a name for an address", GOOD "address = localhost\n",
     "[server] address = localhost: must be a numeric IPv4 or IPv6 address"},
    {"an empty address", GOOD "address =\n", "must be a numeric"},
    {"not a truth", GOOD "[mlapi]\nenable_encryption = perhaps\n",
     ":4: [mlapi] enable_encryption = perhaps: must be true or false"},
    {"hash size", GOOD "[mlapi]\nrpc_hash_size = 8\n", "must be 16 or 32 or 64"},
    {"a prefab that is no number", GOOD "[mlapi]\nprefab_hashes = 1, x\n",
     "[mlapi] prefab_hashes = 1, x: must be up to 4096 numbers"},
    {"a scene without a name", GOOD "[mlapi]\nscenes = a, ,b\n", "must be up to 256 names"},
    {"game", GOOD "[haild]\ngame = chess\n", ":4: [haild] game = chess: must be echo or relay"},
    {"log level", GOOD "[haild]\nlog_level = loud\n", "must be debug or info or warn or error"},
    {"floor", GOOD "default_floor = some\n",
     "[server] default_floor = some: must be none or encrypted or authenticated or both"},
    {"floor of a name", GOOD "[floors]\nchat = some\n",
     ":4: [floors] chat = some: must be none, encrypted, authenticated or both"},
    {"a name twice", GOOD "[floors]\na = both\na = none\n",
     ":5: [floors] a = none: is given twice"},
    {"an RPC twice", GOOD "[rpc_floors]\nA/AInt32 = both\nA = none\n", ":5: [rpc_floors] A = none"},
    {"a backend that there is not", GOOD "io = select\n",
     ":3: [server] io = select: must be auto or uring or epoll"},
    {"a channel without a name", GOOD "[channel]\nkind = unreliable\n",
     ":3: [channel ]: a channel needs a name, as in [channel chat]"},
    {"a channel's name is long",
     GOOD "[channel 0123456789abcdef0123456789abcdef]\nkind = unreliable\n",
     ":3: [channel 0123456789abcdef0123456789abcdef]: the name has more than 31 bytes"},
    {"a channel twice", HAIL "[channel a]\nkind = unreliable\n[channel  a ]\nkind = sequenced\n",
     ":5: [channel a]: is given twice"},
    {"a channel without a key", HAIL "[channel b]\nkind = unreliable\n[channel a]\n",
     ":5: [channel a]: kind is missing; write kind = reliable_ordered"},
    {"a channel without a kind", HAIL "[channel a]\nfloor = both\n[floors]\nb = both\n",
     ":3: [channel a]: kind is missing"},
    {"a channel's kind", HAIL "[channel a]\nkind = ordered\n",
     ":4: [channel a] kind = ordered: must be reliable_ordered or reliable_unordered or sequenced "
     "or unreliable"},
    {"a channel's key", HAIL "[channel a]\nkind = unreliable\nport = 1\n",
     ":5: [channel a] port = 1: no such key in this section; there are kind, floor, priority"},
    {"a channel's key twice", HAIL "[channel a]\nkind = unreliable\nkind = unreliable\n",
     ":5: [channel a] kind = unreliable: is given twice"},
    {"a channel's floor", HAIL "[channel a]\nkind = unreliable\nfloor = some\n",
     ":5: [channel a] floor = some: must be none or"},
    {"a channel's priority", HAIL "[channel a]\nkind = unreliable\npriority = 256\n",
     ":5: [channel a] priority = 256: must be a number from 0 to 255"},
    {"a channel's weight", HAIL "[channel a]\nkind = unreliable\nweight = -1\n",
     ":5: [channel a] weight = -1: must be a number from 1 to 255"},
    {"an age of what is always sent", HAIL "[channel a]\nkind = reliable_ordered\nage_max_ms = 1\n",
     ":3: [channel a]: age_max_ms: what is reliable is sent however old it is"},
    {"no channel is unreliable", HAIL "[channel a]\nkind = sequenced\n",
     "the profile hail needs a channel of kind = unreliable"},
    {"a channel's floor on mlapi", GOOD "[channel a]\nkind = unreliable\nfloor = both\n",
     "[channel a] floor: on the profile mlapi the wire has no channels; give it to the names"},
    {"nearly a channel", GOOD "[channels a]\nkind = unreliable\n", "no such section"},
    {"a channel behind a key, indented", HAIL "[channel a]\nkind = unreliable\n [channel b]\n",
     ":5: is indented"},
    {"an indented key", GOOD "[mlapi]\nscenes = a\n sign_key_exchange = true\n",
     ":5: is indented, which would make it part of the value above"},
    {"an indented section", GOOD "\t[mlapi]\nsign_key_exchange = true\n", ":3: is indented"},
    {"a key behind a section", GOOD "[mlapi] sign_key_exchange = true\n",
     ":3: nothing but a comment may follow a section's ]"},
    {"a section without an end", GOOD "[mlapi\nsign_key_exchange = true\n",
     ":3: a section's name needs a ]"},
    {"an octal number", "[server]\nprofile = mlapi\nport = 07777\n",
     "must be a number from 0 to 65535, without a 0 in front"},
    {"a hexadecimal number without digits", GOOD "port = 0x\n", "must be a number from 0"},
    {"an octal prefab", GOOD "[mlapi]\nprefab_hashes = 1, 010\n", "must be up to 4096 numbers"},
    {"quotation marks", GOOD "identity_file = \"a\"\n", ":3: a value has no quotation marks"},
    {"a carriage return between lines", "[server]\rprofile = mlapi\r", ":1: has a carriage return"},
    {"a control character", GOOD "identity_file = a\x01\n", ":3: has a control character"},
    {"hail's keys on mlapi", GOOD "[hail]\nexchange = signed\n",
     ":4: [hail] exchange: the profile is mlapi, which has no such thing"},
    {"mlapi's keys on hail", HAIL "[mlapi]\nsign_key_exchange = true\n",
     ":4: [mlapi] sign_key_exchange: the profile is hail"},
    {"a password on its own", GOOD "identity_password = x\n", "no such key"},
};

// Reads a text as a file. Returns what was told, to be freed.
static char *read_text(struct settings *settings, const char *text, bool *good)
{
    char path[] = "/tmp/test_settings_XXXXXX";
    char *told = NULL;
    size_t told_len = 0;
    int fd = mkstemp(path);
    FILE *errors = open_memstream(&told, &told_len);

    ck_assert_int_ge(fd, 0);
    ck_assert_ptr_nonnull(errors);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    *good = settings_read(settings, path, errors);
    fclose(errors);
    unlink(path);
    return told;
}

static struct settings settings; // large

START_TEST(test_fault)
{
    bool good;
    char *told = read_text(&settings, faults[_i].text, &good);

    ck_assert_msg(!good, "%s: taken", faults[_i].why);
    ck_assert_msg(strstr(told, faults[_i].want) != NULL, "%s: %s", faults[_i].why, told);
    ck_assert_msg(strncmp(told, "haild: ", 7) == 0, "%s: %s", faults[_i].why, told);
    free(told);
    settings_cleanup(&settings);
}
END_TEST

START_TEST(test_all_faults_at_once)
{
    bool good;
    char *told = read_text(&settings, GOOD "port = x\nconns_max = y\n[mlapi]\nz = 1\n", &good);

    ck_assert(!good);
    ck_assert_ptr_nonnull(strstr(told, ":3:"));
    ck_assert_ptr_nonnull(strstr(told, ":4:"));
    ck_assert_ptr_nonnull(strstr(told, ":6:"));
    free(told);
    settings_cleanup(&settings);
}
END_TEST

START_TEST(test_long_line)
{
    char text[600] = GOOD "[mlapi]\nscenes = ";
    bool good;

    memset(text + strlen(text), 'a', 400);
    strncat(text, "\n", 2);
    char *told = read_text(&settings, text, &good);
    ck_assert(!good);
    ck_assert_msg(strstr(told, ":4: line is longer than") != NULL, "%s", told);
    free(told);
    settings_cleanup(&settings);
}
END_TEST

// Zeroes end a line for who reads text, and hide what follows.
START_TEST(test_zero)
{
    static const char text[] = "[server]\nprofile = mlapi\n[mlapi]\0\nsign_key_exchange = true\n";
    char path[] = "/tmp/test_settings_XXXXXX";
    char *told = NULL;
    size_t told_len = 0;
    int fd = mkstemp(path);
    FILE *errors = open_memstream(&told, &told_len);

    ck_assert_int_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    close(fd);
    ck_assert(!settings_read(&settings, path, errors));
    fclose(errors);
    unlink(path);
    ck_assert_msg(strstr(told, ":3: has a byte of zero") != NULL, "%s", told);
    free(told);
    settings_cleanup(&settings);
}
END_TEST

START_TEST(test_missing_file)
{
    char *told = NULL;
    size_t told_len = 0;
    FILE *errors = open_memstream(&told, &told_len);

    ck_assert(!settings_read(&settings, "/nonexistent/haild.ini", errors));
    fclose(errors);
    ck_assert_msg(strstr(told, "/nonexistent/haild.ini: No such file") != NULL, "%s", told);
    free(told);
    settings_cleanup(&settings);
}
END_TEST

START_TEST(test_everything)
{
    static const char text[] =
        "; a comment\n# and one more\n" GOOD
        "address = ::1\nio = epoll\nport = 7777\nconns_max = 100\n"
        "idle_timeout_ms = 5\nbuffers_max = 8589934592\ndefault_floor = encrypted\n"
        "identity_file = a file\nidentity_password_file = /root/b\n"
        "[haild]\ngame = relay\ndrain_ms = 0\nlog_level = error\n"
        "[mlapi]\nscenes = Lobby, Arena\nscenes = Last\nprefab_hashes = 0x10, 7\n"
        "enable_encryption = off\nsign_key_exchange = yes\nrpc_hash_size = 64\n"
        "[floors]\ntrade = both\n[rpc_floors]\nMove/MoveInt32 = authenticated\ntrade = none\n";
    const struct hail_config *config = &settings.config;
    bool good;
    char *told = read_text(&settings, text, &good);

    ck_assert_msg(good, "%s", told);
    ck_assert_str_eq(told, "");
    ck_assert_int_eq(config->profile, HAIL_PROFILE_MLAPI);
    ck_assert_str_eq(config->address, "::1");
    ck_assert_int_eq(config->io, HAIL_IO_EPOLL);
    ck_assert_uint_eq(config->port, 7777);
    ck_assert_uint_eq(config->conns_max, 100);
    ck_assert_uint_eq(config->idle_timeout_ms, 5);
    ck_assert_uint_eq(config->buffers_max, UINT64_C(8589934592));
    ck_assert_uint_eq(config->default_floor, HAIL_ENCRYPTED);
    ck_assert_str_eq(config->identity_file, "/tmp/a file"); // where the configuration lies
    ck_assert_str_eq(settings.identity_password_file, "/root/b");
    ck_assert_int_eq(settings.game, SETTINGS_GAME_RELAY);
    ck_assert_uint_eq(settings.drain_ms, 0);
    ck_assert_int_eq(settings.log_level, HAIL_LOG_ERROR);
    ck_assert_uint_eq(config->mlapi.scene_count, 3);
    ck_assert_str_eq(config->mlapi.scenes[1], "Arena");
    ck_assert_str_eq(config->mlapi.scenes[2], "Last");
    ck_assert_uint_eq(config->mlapi.prefab_count, 2);
    ck_assert_uint_eq(config->mlapi.prefab_hashes[0], 16);
    ck_assert(!config->mlapi.enable_encryption);
    ck_assert(config->mlapi.sign_key_exchange);
    ck_assert(config->mlapi.enable_scene_management); // as MLAPI has it
    ck_assert_int_eq(config->mlapi.rpc_hash_size, HAIL_HASH_64);
    ck_assert_uint_eq(config->handler_count, 3);
    ck_assert_str_eq(config->handlers[1].name, "Move");
    ck_assert_str_eq(config->handlers[1].signature, "MoveInt32");
    ck_assert_int_eq(config->handlers[1].kind, HAIL_HANDLER_RPC);
    ck_assert_uint_eq(config->handlers[1].floor, HAIL_AUTHENTICATED);
    free(told);
    settings_cleanup(&settings);
}
END_TEST

// Channels are numbered in the order of the file, whatever stands between them.
START_TEST(test_channels)
{
    static const char text[] =
        "\xef\xbb\xbf[channel state]\nkind = unreliable\npriority = 2\nweight = 7\nage_max_ms = "
        "90\n" HAIL "[channel two words]\nfloor = both\nkind = reliable_ordered\n"
        "[floors]\na = both\n[channel  third\t] ; at last\nkind = sequenced\n";
    const struct hail_config *config = &settings.config;
    bool good;
    char *told = read_text(&settings, text, &good);

    ck_assert_msg(good, "%s", told);
    ck_assert_uint_eq(config->channel_count, 3);
    ck_assert_str_eq(config->channels[0].name, "state");
    ck_assert_int_eq(config->channels[0].kind, HAIL_UNRELIABLE);
    ck_assert_uint_eq(config->channels[0].floor, 0);
    ck_assert_uint_eq(config->channels[0].priority, 2);
    ck_assert_uint_eq(config->channels[0].weight, 7);
    ck_assert_uint_eq(config->channels[0].age_max_ms, 90);
    ck_assert_str_eq(config->channels[1].name, "two words");
    ck_assert_int_eq(config->channels[1].kind, HAIL_RELIABLE_ORDERED);
    ck_assert_uint_eq(config->channels[1].floor, HAIL_ENCRYPTED | HAIL_AUTHENTICATED);
    ck_assert_uint_eq(config->channels[1].weight, 0);
    ck_assert_str_eq(config->channels[2].name, "third");
    ck_assert_int_eq(config->channels[2].kind, HAIL_UNRELIABLE_SEQUENCED);
    ck_assert_str_eq(settings_channel_name(&settings, 2), "third");
    ck_assert_ptr_null(settings_channel_name(&settings, 3));
    free(told);
    settings_cleanup(&settings);
}
END_TEST

START_TEST(test_channel_limit)
{
    char text[4096] = HAIL;
    bool good;

    for (int i = 0; i <= HAIL_CHANNELS_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "[channel %d]\nkind = unreliable\n", i);
    char *told = read_text(&settings, text, &good);
    ck_assert(!good);
    ck_assert_msg(strstr(told, ":131: [channel 64]: is one too many: 64 channels at most"), "%s",
                  told);
    ck_assert_ptr_eq(strchr(told, '\n'), strrchr(told, '\n')); // its keys are not told as well
    ck_assert_uint_eq(settings.config.channel_count, HAIL_CHANNELS_MAX);
    free(told);
    settings_cleanup(&settings);
}
END_TEST

// The four that are there when none is declared have the names of their kinds.
START_TEST(test_channels_of_default)
{
    bool good;
    char *told = read_text(&settings, HAIL, &good);

    ck_assert_msg(good, "%s", told);
    ck_assert_uint_eq(settings.config.channel_count, 0);
    ck_assert_str_eq(settings_channel_name(&settings, HAIL_RELIABLE_ORDERED), "reliable_ordered");
    ck_assert_str_eq(settings_channel_name(&settings, HAIL_UNRELIABLE), "unreliable");
    ck_assert_ptr_null(settings_channel_name(&settings, 4));
    free(told);
    settings_cleanup(&settings);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings");
    TCase *tests = tcase_create("settings");

    tcase_add_loop_test(tests, test_fault, 0, sizeof faults / sizeof *faults);
    tcase_add_test(tests, test_all_faults_at_once);
    tcase_add_test(tests, test_long_line);
    tcase_add_test(tests, test_zero);
    tcase_add_test(tests, test_missing_file);
    tcase_add_test(tests, test_everything);
    tcase_add_test(tests, test_channels);
    tcase_add_test(tests, test_channel_limit);
    tcase_add_test(tests, test_channels_of_default);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
