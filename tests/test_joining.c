// test_joining.c: how a client's shard puts a welcome together; the test is its server.
// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "crypto/time.h"
#include "engine/native/state.h"
#include "engine/shard/command.h"
#include "engine/shard/shard.h"
#include "tests/lone.h"

enum {
    LONGEST = HAIL_FRAGMENTS_MAX * HAIL_FRAGMENT_LEN // a message, as fragments allow
};

static uint8_t keycert[HAIL_KEYCERT_MAX]; // with a chain that makes it long
static size_t keycert_len;
static struct hail_x25519_pair static_pair;

static struct hail_identity *make_identity(void)
{
    static uint8_t pem[1 << 13];
    const char *const names[] = {"play.test"};
    const struct hail_issue_terms terms = {
        .common_name = "play.test",
        .names = names,
        .name_count = 1,
        .use = HAIL_ISSUE_SERVER,
        .from_s = 0,
        .to_s = INT64_C(4000000000),
        .key = HAIL_ISSUE_ED25519,
    };
    struct hail_fault_report report;
    struct hail_issued *issued;
    struct hail_identity *identity;
    uint8_t *text;
    size_t len;
    size_t key_len;

    HAIL_ASSERT(hail_issue(&issued, NULL, &terms, &report));
    HAIL_ASSERT(hail_issued_certificate_pem(issued, &text, &len));
    memcpy(pem, text, len);
    free(text);
    HAIL_ASSERT(hail_issued_key_pem(issued, &text, &key_len));
    memcpy(pem + len, text, key_len);
    free(text);
    HAIL_ASSERT(hail_identity_load(&identity, (struct hail_bytes){pem, len + key_len},
                                   (struct hail_bytes){NULL, 0}, NULL, &report));
    hail_issued_free(issued);
    return identity;
}

// A key certificate of the shard's time (its clock begins at 1970), that brings `more` bytes in its
// chain that nobody can read.
static void make_keycert(size_t more)
{
    static uint8_t plain[HAIL_KEYCERT_MAX];
    const uint8_t private_key[HAIL_X25519_LEN] = {7, 7, 7};
    struct hail_identity *identity = make_identity();
    struct hail_fault_report report;
    struct hail_keycert parts;
    size_t len;

    hail_x25519_pair_from(&static_pair, private_key);
    HAIL_ASSERT(hail_keycert_make(plain, &len, identity, "", 0, 31 * 86400, static_pair.public_key,
                                  &report));
    HAIL_ASSERT(hail_keycert_parse(&parts, (struct hail_bytes){plain, len}));
    size_t chain_at = 1 + 8 + 8 + 2 + 1;
    size_t leaf_end = chain_at + 1 + 2 + parts.chain[0].len;
    memcpy(keycert, plain, leaf_end);
    keycert[chain_at] = 2;
    keycert[leaf_end] = (uint8_t)(more >> 8);
    keycert[leaf_end + 1] = (uint8_t)more;
    memset(keycert + leaf_end + 2, 0, more);
    memcpy(keycert + leaf_end + 2 + more, plain + leaf_end, len - leaf_end);
    keycert_len = len + 2 + more;
    hail_identity_free(identity);
}

// The hello that a client last sent; fails the test if it sent none.
static struct hail_hello last_hello(const struct lone *end)
{
    struct hail_hello hello;

    ck_assert_uint_gt(end->sent_count, 0);
    const struct lone_sent *sent = &end->sent[end->sent_count - 1];
    ck_assert_int_eq(hail_hello_decode(&hello, sent->bytes, sent->len), HAIL_ACCEPT);
    return hello;
}

static bool said_finish(const struct lone *end)
{
    for (size_t i = 0; i < end->sent_count; i++) {
        if (end->sent[i].bytes[0] == HAIL_DATAGRAM_FINISH)
            return true;
    }
    return false;
}

static struct hail_hello connect_client(struct lone *end, const char *conn_data)
{
    static const struct hail_native_config native = {.exchange = HAIL_SIGNED};
    struct hail_addresses addresses = {.host = "play.test", .count = 1};
    const struct hail_command command = {
        .op = HAIL_COMMAND_CONNECT,
        .view = {.body = (const uint8_t *)conn_data, .body_len = conn_data ? strlen(conn_data) : 0},
        .addresses = &addresses,
    };
    size_t done;

    lone_init(end, &native, false, 1);
    end->context.start_unix_ns = 86400 * INT64_C(1000000000);
    ck_assert_int_eq(hail_command_run(&end->shard, &command, &done), HAIL_OK);
    atomic_fetch_add(&end->shard.conns_promised, 1);
    lone_run(end);
    return last_hello(end);
}

// The server's message, sealed, with any payload.
static size_t answer(uint8_t message[HAIL_WELCOME_MAX], const struct hail_hello *hello,
                     const uint8_t *payload, size_t payload_len)
{
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    uint8_t nothing[HAIL_NOISE_FIRST_MAX];
    struct hail_x25519_pair fresh;
    struct hail_random dice;
    struct hail_noise noise;

    hail_random_init_seeded(&dice, 2);
    hail_x25519_pair_init(&fresh, &dice);
    size_t prologue_len = hail_prologue_write(prologue, hello);
    hail_noise_init(&noise, &(struct hail_noise_setup){
                                .pattern = (enum hail_noise_pattern)hello->pattern,
                                .prologue = {prologue, prologue_len},
                                .e = &fresh,
                                .s = &static_pair,
                            });
    ck_assert(hail_noise_read(&noise, nothing, hello->noise, hail_noise_first_len(hello->pattern)));
    size_t len = hail_noise_overhead(&noise) + payload_len;
    ck_assert(hail_noise_write(&noise, message, (struct hail_bytes){payload, payload_len}));
    return len;
}

static size_t honest_answer(uint8_t message[HAIL_WELCOME_MAX], const struct hail_hello *hello)
{
    static uint8_t payload[HAIL_WELCOME_FIXED_LEN + HAIL_KEYCERT_MAX];

    // 2 iterations, no idle timeout, all connection data there can be
    memcpy(payload, (const uint8_t[]){0, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff}, HAIL_WELCOME_FIXED_LEN);
    memcpy(payload + HAIL_WELCOME_FIXED_LEN, keycert, keycert_len);
    return answer(message, hello, payload, HAIL_WELCOME_FIXED_LEN + keycert_len);
}

// Has a fragment arrive: an honest one, or one that is made wrong by a letter.
static void fragment(struct lone *end, const struct hail_hello *hello, const uint8_t *message,
                     size_t len, size_t index, char wrong)
{
    uint8_t datagram[HAIL_DATAGRAM_MAX] = {0};
    size_t count = (len + HAIL_FRAGMENT_LEN - 1) / HAIL_FRAGMENT_LEN;
    size_t at = index * HAIL_FRAGMENT_LEN;
    size_t left = at < len ? len - at : 1;
    struct hail_welcome welcome = {
        .conn_id = wrong == 'c' ? 8 : 7,
        .index = (uint8_t)index,
        .count = (uint8_t)(count + (wrong == 'n')),
        .fragment = {at < len ? message + at : message,
                     left < HAIL_FRAGMENT_LEN ? left : HAIL_FRAGMENT_LEN},
    };

    memcpy(welcome.token, hello->token, sizeof welcome.token);
    welcome.token[0] ^= wrong == 't';
    size_t datagram_len = hail_welcome_encode(datagram, &welcome);
    datagram_len = datagram_len + (wrong == 'l') - (wrong == 's');
    datagram[HAIL_WELCOME_HEADER_LEN] ^= wrong == 'x';
    lone_arrive(end, 0, LONE_PORT, datagram, datagram_len);
}

// What comes of four fragments, in the order in which they arrive: c another connection id, n
// another number of fragments, t another token, s a byte short, l a byte long, x a changed byte.
static const struct {
    const char *why;
    const char *script;
    bool joins;
    uint8_t wanted; // if not: by the next hello
} scripts[] = {
    {"in order", "0 1 2 3", true, 0},
    {"each twice", "0 0 1 1 2 2 3 3", true, 0},
    {"all twice", "0 1 2 0 1 2 3", true, 0},
    {"out of order, and then again", "3 2 1 0 1 2 3", true, 0},
    {"out of order", "3 2 1 0", false, 1},
    {"one is missing", "0 1 3", false, 2},
    {"one was missing", "0 1 3 2 3", true, 0},
    {"none but the last", "3", false, 0},
    {"beyond the last", "4 0 1 2 3", true, 0},
    {"another connection id", "0 1c 2c 3c", false, 1},
    {"another connection id in between", "0 1c 1 2c 2 3", true, 0},
    {"another number of them", "0 1n 2n 3n", false, 1},
    {"another number of them in between", "0 1n 1 2 3n 3", true, 0},
    {"another attempt's", "0t 1t 2t 3t", false, 0},
    {"another attempt's in between", "0 1t 1 2 3", true, 0},
    {"a gap: one is a byte short", "0 1s 2 3", false, 1},
    {"a gap, and then not", "0 1s 1 2 3", true, 0},
    {"an overlap: one is a byte long", "0 1l 2 3", false, 1},
    {"an overlap, and then not", "0l 0 1 2 3", true, 0},
    {"the last is a byte short: it does not open, and all is asked for anew", "0 1 2 3s", false, 0},
    {"the last was a byte short", "0 1 2 3s 0 1 2 3", true, 0},
    {"the last is a byte long", "0 1 2 3l", false, 0},
    {"a changed byte", "0 1x 2 3", false, 0},
    {"a changed byte, and then not", "0 1x 2 3 0 1 2 3", true, 0},
};

START_TEST(test_fragments)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct lone client;
    bool joined = false;

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, "data");
    ck_assert_uint_eq(hello.wanted, 0);
    size_t len = honest_answer(message, &hello);
    ck_assert_uint_gt(len, 3 * HAIL_FRAGMENT_LEN + 10);
    ck_assert_uint_lt(len, 4 * HAIL_FRAGMENT_LEN);
    for (const char *at = scripts[_i].script; *at != '\0'; at += *at == ' ') {
        char wrong = isalpha((unsigned char)at[1]) ? at[1] : ' ';
        fragment(&client, &hello, message, len, (size_t)(*at - '0'), wrong);
        joined |= said_finish(&client);
        at += wrong == ' ' ? 1 : 2;
    }
    ck_assert_msg(joined == scripts[_i].joins, "%s: %s", scripts[_i].why, client.text);
    ck_assert_uint_eq(client.events[HAIL_EVENT_CLOSED], 0);
    client.sent_count = 0;
    client.now_ns += 250 * HAIL_NS_PER_MS;
    lone_run(&client);
    ck_assert_msg(said_finish(&client) == joined, "%s: said again", scripts[_i].why);
    if (!joined) {
        ck_assert_uint_eq(client.sent_count, 1);
        ck_assert_msg(last_hello(&client).wanted == scripts[_i].wanted, "%s: wants %u",
                      scripts[_i].why, last_hello(&client).wanted);
        ck_assert_mem_eq(last_hello(&client).noise, hello.noise, sizeof hello.noise);
    }
    lone_cleanup(&client);
}
END_TEST

// Whoever has seen the token can be first with a fragment of his own. Nothing fits behind it, and
// it is forgotten the second time that the client has to ask.
START_TEST(test_first_is_forged)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct lone client;
    static const uint8_t wanted[] = {1, 0};

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, NULL);
    size_t len = honest_answer(message, &hello);
    fragment(&client, &hello, message, len, 0, 'c');
    for (size_t asked = 0; asked < 2; asked++) {
        for (size_t i = 0; i < 4; i++)
            fragment(&client, &hello, message, len, i, ' ');
        ck_assert(!said_finish(&client));
        client.sent_count = 0;
        client.now_ns += (UINT64_C(250) << asked) * HAIL_NS_PER_MS;
        lone_run(&client);
        ck_assert_uint_eq(client.sent_count, 1);
        ck_assert_uint_eq(last_hello(&client).wanted, wanted[asked]);
    }
    for (size_t i = 0; i < 4; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert(said_finish(&client));
    lone_cleanup(&client);
}
END_TEST

// The next hello, once the client's timer has rung.
static uint8_t wants_after_ms(struct lone *client, uint64_t ms)
{
    client->sent_count = 0;
    client->now_ns += ms * HAIL_NS_PER_MS;
    lone_run(client);
    ck_assert_uint_eq(client->sent_count, 1);
    return last_hello(client).wanted;
}

// A server that was started anew, or has given up, answers with another handshake, whose fragments
// do not fit: those that are kept are forgotten the second time that the timer rings (WIRE.md,
// section 2.3).
START_TEST(test_server_has_forgotten)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct lone client;

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, NULL);
    size_t len = honest_answer(message, &hello);
    for (size_t i = 0; i < 3; i++)
        fragment(&client, &hello, message, len, i, ' ');
    fragment(&client, &hello, message, len, 3, 'c');
    ck_assert_uint_eq(wants_after_ms(&client, 250), 3);
    fragment(&client, &hello, message, len, 3, 'c');
    ck_assert_uint_eq(wants_after_ms(&client, 500), 0);
    for (size_t i = 0; i < 4; i++)
        fragment(&client, &hello, message, len, i, 'c');
    ck_assert(said_finish(&client));
    lone_cleanup(&client);
}
END_TEST

// Fragments that have come since the timer last rang are kept, also after others were forgotten
// because they made no welcome.
START_TEST(test_progress_is_kept)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct lone client;

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, NULL);
    size_t len = honest_answer(message, &hello);
    for (size_t i = 0; i < 3; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert_uint_eq(wants_after_ms(&client, 250), 3);
    fragment(&client, &hello, message, len, 3, 'x');
    ck_assert_uint_eq(lone_drops(&client, HAIL_DROP_FORGED), 1);
    for (size_t i = 0; i < 3; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert_uint_eq(wants_after_ms(&client, 250), 3);
    fragment(&client, &hello, message, len, 3, ' ');
    ck_assert(said_finish(&client));
    lone_cleanup(&client);
}
END_TEST

// Three fragments are what one hello brings: the next is said at once.
START_TEST(test_asks_for_more)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct lone client;

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, NULL);
    size_t len = honest_answer(message, &hello);
    for (size_t i = 0; i < 3; i++) {
        fragment(&client, &hello, message, len, i, ' ');
        ck_assert_uint_eq(client.sent_count, i == 2);
    }
    ck_assert_uint_eq(last_hello(&client).wanted, 3);
    lone_cleanup(&client);
}
END_TEST

// As many whole fragments as there may be, of nothing: they stay in their place, and the honest
// welcome is taken afterwards. Sealed, they are a key certificate that is too long.
START_TEST(test_longest)
{
    static uint8_t message[LONGEST];
    static uint8_t payload[LONGEST];
    static struct lone client;

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, "data");
    memset(message, 0xa5, sizeof message);
    message[HAIL_X25519_LEN - 1] = 0x25;
    memset(client.shard.native->welcome, 0x5a,
           64); // lies behind what fragments are put together in
    for (size_t i = 0; i < HAIL_FRAGMENTS_MAX; i++)
        fragment(&client, &hello, message, sizeof message, i, ' ');
    ck_assert_uint_eq(lone_drops(&client, HAIL_DROP_FORGED), 1);
    for (size_t i = 0; i < 64; i++)
        ck_assert_uint_eq(client.shard.native->welcome[i], 0x5a);
    size_t len = honest_answer(message, &hello);
    for (size_t i = 0; i < 4; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert(said_finish(&client));
    lone_cleanup(&client);

    hello = connect_client(&client, "data");
    memset(payload, 0, sizeof payload);
    payload[3] = 1;
    len = answer(message, &hello, payload, LONGEST - 96);
    ck_assert_uint_eq(len, LONGEST);
    for (size_t i = 0; i < HAIL_FRAGMENTS_MAX; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert_uint_eq(client.events[HAIL_EVENT_CLOSED], 1);
    lone_cleanup(&client);
}
END_TEST

// More connection data than a finish holds, to a server that says it takes them.
START_TEST(test_long_data)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct lone client;
    char data[HAIL_FINISH_DATA_MAX + 2];

    make_keycert(0);
    memset(data, 'x', sizeof data);
    data[HAIL_FINISH_DATA_MAX + (_i > 0)] = '\0';
    struct hail_hello hello = connect_client(&client, data);
    size_t len = honest_answer(message, &hello);
    fragment(&client, &hello, message, len, 0, ' ');
    ck_assert_uint_eq(client.events[HAIL_EVENT_CLOSED], _i > 0);
    ck_assert(said_finish(&client) == (_i == 0));
    lone_cleanup(&client);
}
END_TEST
// How far it came when the time was over, and what stood in its way last.
static const struct {
    int unsent;
    bool has_cookie;
    bool has_welcome;
    const char *want;
} stages[] = {
    {0, false, false, "nothing came from the server"},
    {EMSGSIZE, false, false, "Message too long (EMSGSIZE): an interface on the way out has an MTU"},
    {EPERM, false, false, "(EPERM): a firewall of this machine"},
    {ENETUNREACH, false, false, "the kernel did not send: Network is unreachable"},
    {EMSGSIZE, true, false, "prove our address, and then did not answer"},
    {EMSGSIZE, true, true, "agreed on a key, and then neither approved nor denied"},
};

START_TEST(test_time_is_over)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static const uint8_t cookie[HAIL_COOKIE_LEN] = {1};
    static struct lone client;
    uint8_t retry[HAIL_RETRY_LEN];

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, NULL);
    if (stages[_i].unsent)
        hail_shard_unsent(&client.shard, 0, stages[_i].unsent);
    if (stages[_i].has_cookie)
        lone_arrive(&client, 0, LONE_PORT, retry, hail_retry_encode(retry, hello.token, cookie));
    if (stages[_i].has_welcome) {
        size_t len = honest_answer(message, &hello);
        for (size_t i = 0; i < 4; i++)
            fragment(&client, &hello, message, len, i, ' ');
    }
    client.now_ns += 20000 * HAIL_NS_PER_MS;
    lone_run(&client);
    ck_assert_uint_eq(client.events[HAIL_EVENT_CLOSED], 1);
    ck_assert_msg(strstr(client.text, stages[_i].want) != NULL, "%s", client.text);
    lone_cleanup(&client);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("joining");
    TCase *client = tcase_create("client");

    tcase_set_timeout(client, 60);
    tcase_add_loop_test(client, test_fragments, 0, HAIL_COUNTOF(scripts));
    tcase_add_test(client, test_first_is_forged);
    tcase_add_test(client, test_server_has_forgotten);
    tcase_add_test(client, test_progress_is_kept);
    tcase_add_test(client, test_asks_for_more);
    tcase_add_test(client, test_longest);
    tcase_add_loop_test(client, test_long_data, 0, 2);
    tcase_add_loop_test(client, test_time_is_over, 0, HAIL_COUNTOF(stages));
    suite_add_tcase(suite, client);
    return test_run(suite);
}
