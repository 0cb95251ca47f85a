// test_joining.c: how a client's shard puts a welcome together, and how a server's meets strangers;
// the test is the network, and the other end. SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "engine/conn.h"
#include "tests/vectors.h"

enum {
    SENT_MAX = 256,
    LONGEST = HAIL_FRAGMENTS_MAX * HAIL_FRAGMENT_LEN, // a message, as fragments allow
    PORT = 1000
};

static const uint64_t ns_per_ms = 1000000;

struct sent {
    uint8_t bytes[HAIL_DATAGRAM_MAX];
    size_t len;
};

// One shard, and what it has sent since the test last looked.
struct end {
    struct hail_context context;
    struct hail_shard shard;
    uint64_t now_ns;
    struct sent sent[SENT_MAX];
    size_t sent_count;
    size_t events[HAIL_EVENT_CLOSED + 1];
    uint8_t conn_data[64];
    size_t conn_data_len;
    char text[HAIL_FAULT_TEXT_MAX];
};

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct end *end = user;

    (void)endpoint;
    end->events[event->type]++;
    if (event->type == HAIL_EVENT_REQUEST) {
        ck_assert_uint_le(event->len, sizeof end->conn_data);
        end->conn_data_len = event->len;
        memcpy(end->conn_data, event->data, event->len);
    }
    if (event->type == HAIL_EVENT_CLOSED && event->text)
        snprintf(end->text, sizeof end->text, "%s", event->text);
}

static bool verify(void *user, const struct hail_peer_certificate *certificate)
{
    (void)user;
    (void)certificate;
    return true;
}

static void end_init(struct end *end, const struct hail_native_config *native, bool is_server,
                     uint64_t seed)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_random random;

    memset(end, 0, sizeof *end);
    config.profile = HAIL_PROFILE_HAIL;
    config.on_event = on_event;
    config.user = end;
    config.verify = is_server ? NULL : verify;
    config.conns_max = 8;
    config.handshakes_max = 8;
    config.message_max = 16; // the least: a welcome is longer than any message
    config.native = *native;
    ck_assert_int_eq(hail_context_init(&end->context, &config, is_server), HAIL_OK);
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, seed);
    ck_assert(hail_shard_init(&end->shard, &end->context, 0, &random));
    end->now_ns = 1000 * ns_per_ms;
    hail_shard_turn(&end->shard, end->now_ns);
}

// Lets the shard work until nothing more happens at this moment, and keeps what it sends.
static void run(struct end *end)
{
    struct hail_task task;
    bool again = true;

    while (again) {
        hail_shard_turn(&end->shard, end->now_ns);
        again = false;
        while (hail_shard_output(&end->shard, &task)) {
            again = true;
            if (task.op == HAIL_TASK_CONNECT)
                hail_shard_connected(&end->shard, task.slot, 0);
            if (task.op == HAIL_TASK_CLOSE)
                hail_shard_closed(&end->shard, task.slot);
            for (size_t i = 0; task.op == HAIL_TASK_DATAGRAMS && i < task.view_count; i++) {
                ck_assert_uint_lt(end->sent_count, SENT_MAX);
                struct sent *sent = &end->sent[end->sent_count++];
                sent->len = task.views[i].iov_len;
                memcpy(sent->bytes, task.views[i].iov_base, sent->len);
            }
        }
        again |= hail_shard_next_ns(&end->shard) <= end->now_ns;
    }
}

static void end_cleanup(struct end *end)
{
    hail_shard_stop(&end->shard, 0);
    run(end);
    ck_assert(hail_shard_stopped(&end->shard));
    ck_assert_uint_eq(end->shard.pool.used_count, 0);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
}

// A copy arrives, in memory of exactly its length; and what the shard has to say to it.
static void arrive(struct end *end, uint32_t slot, uint16_t port, const uint8_t *bytes, size_t len)
{
    const struct sockaddr_in from = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0xc0000201u)}};
    uint8_t *exact = malloc(len > 0 ? len : 1);

    ck_assert_ptr_nonnull(exact);
    if (len > 0)
        memcpy(exact, bytes, len);
    end->sent_count = 0;
    hail_shard_datagram(&end->shard, slot, (const struct sockaddr *)&from, exact, len);
    run(end);
    free(exact);
}

static uint64_t drops(const struct end *end, enum hail_verdict verdict)
{
    return hail_stat_get(&end->shard.stats, HAIL_STAT_DROPPED_FIRST + verdict);
}

// ---- A client's shard, and the test as its server

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
static struct hail_hello last_hello(const struct end *end)
{
    struct hail_hello hello;

    ck_assert_uint_gt(end->sent_count, 0);
    const struct sent *sent = &end->sent[end->sent_count - 1];
    ck_assert_int_eq(hail_hello_decode(&hello, sent->bytes, sent->len), HAIL_ACCEPT);
    return hello;
}

static bool said_finish(const struct end *end)
{
    for (size_t i = 0; i < end->sent_count; i++) {
        if (end->sent[i].bytes[0] == HAIL_DATAGRAM_FINISH)
            return true;
    }
    return false;
}

static struct hail_hello connect_client(struct end *end, const char *conn_data)
{
    static const struct hail_native_config native = {.exchange = HAIL_SIGNED};
    struct hail_addresses addresses = {.host = "play.test", .count = 1};
    const struct hail_command command = {
        .op = HAIL_COMMAND_CONNECT,
        .view = {.body = (const uint8_t *)conn_data, .body_len = conn_data ? strlen(conn_data) : 0},
        .addresses = &addresses,
    };
    size_t done;

    end_init(end, &native, false, 1);
    end->context.start_unix_ns = 86400 * INT64_C(1000000000);
    ck_assert_int_eq(hail_command_run(&end->shard, &command, &done), HAIL_OK);
    atomic_fetch_add(&end->shard.conns_promised, 1);
    run(end);
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
static void fragment(struct end *end, const struct hail_hello *hello, const uint8_t *message,
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
    arrive(end, 0, PORT, datagram, datagram_len);
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
    static struct end client;
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
    client.now_ns += 250 * ns_per_ms;
    run(&client);
    ck_assert_msg(said_finish(&client) == joined, "%s: said again", scripts[_i].why);
    if (!joined) {
        ck_assert_uint_eq(client.sent_count, 1);
        ck_assert_msg(last_hello(&client).wanted == scripts[_i].wanted, "%s: wants %u",
                      scripts[_i].why, last_hello(&client).wanted);
        ck_assert_mem_eq(last_hello(&client).noise, hello.noise, sizeof hello.noise);
    }
    end_cleanup(&client);
}
END_TEST

// Whoever has seen the token can be first with a fragment of his own. Nothing fits behind it, and
// it is forgotten the second time that the client has to ask.
START_TEST(test_first_is_forged)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct end client;
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
        client.now_ns += (UINT64_C(250) << asked) * ns_per_ms;
        run(&client);
        ck_assert_uint_eq(client.sent_count, 1);
        ck_assert_uint_eq(last_hello(&client).wanted, wanted[asked]);
    }
    for (size_t i = 0; i < 4; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert(said_finish(&client));
    end_cleanup(&client);
}
END_TEST

// Three fragments are what one hello brings: the next is said at once.
START_TEST(test_asks_for_more)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct end client;

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, NULL);
    size_t len = honest_answer(message, &hello);
    for (size_t i = 0; i < 3; i++) {
        fragment(&client, &hello, message, len, i, ' ');
        ck_assert_uint_eq(client.sent_count, i == 2);
    }
    ck_assert_uint_eq(last_hello(&client).wanted, 3);
    end_cleanup(&client);
}
END_TEST

// As many whole fragments as there may be, of nothing: they stay in their place, and the honest
// welcome is taken afterwards. Sealed, they are a key certificate that is too long.
START_TEST(test_longest)
{
    static uint8_t message[LONGEST];
    static uint8_t payload[LONGEST];
    static struct end client;

    make_keycert(3 * HAIL_FRAGMENT_LEN);
    struct hail_hello hello = connect_client(&client, "data");
    memset(message, 0xa5, sizeof message);
    message[HAIL_X25519_LEN - 1] = 0x25;
    memset(client.shard.scratch_out, 0x5a, 64); // lies behind what fragments are put together in
    for (size_t i = 0; i < HAIL_FRAGMENTS_MAX; i++)
        fragment(&client, &hello, message, sizeof message, i, ' ');
    ck_assert_uint_eq(drops(&client, HAIL_DROP_FORGED), 1);
    for (size_t i = 0; i < 64; i++)
        ck_assert_uint_eq(client.shard.scratch_out[i], 0x5a);
    size_t len = honest_answer(message, &hello);
    for (size_t i = 0; i < 4; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert(said_finish(&client));
    end_cleanup(&client);

    hello = connect_client(&client, "data");
    memset(payload, 0, sizeof payload);
    payload[3] = 1;
    len = answer(message, &hello, payload, LONGEST - 96);
    ck_assert_uint_eq(len, LONGEST);
    for (size_t i = 0; i < HAIL_FRAGMENTS_MAX; i++)
        fragment(&client, &hello, message, len, i, ' ');
    ck_assert_uint_eq(client.events[HAIL_EVENT_CLOSED], 1);
    end_cleanup(&client);
}
END_TEST

// More connection data than a finish holds, to a server that says it takes them.
START_TEST(test_long_data)
{
    static uint8_t message[HAIL_WELCOME_MAX];
    static struct end client;
    char data[HAIL_FINISH_DATA_MAX + 2];

    make_keycert(0);
    memset(data, 'x', sizeof data);
    data[HAIL_FINISH_DATA_MAX + (_i > 0)] = '\0';
    struct hail_hello hello = connect_client(&client, data);
    size_t len = honest_answer(message, &hello);
    fragment(&client, &hello, message, len, 0, ' ');
    ck_assert_uint_eq(client.events[HAIL_EVENT_CLOSED], _i > 0);
    ck_assert(said_finish(&client) == (_i == 0));
    end_cleanup(&client);
}
END_TEST

// ---- A server's shard, and the test as its clients

struct stranger {
    struct hail_client_setup setup;
    struct hail_client_handshake client;
    uint8_t hello[HAIL_HELLO_LEN];
};

// A client that has the server's policy, and pins its key if `server_key` is there.
static void stranger_init(struct stranger *stranger, const struct end *server,
                          const uint8_t *server_key, uint64_t seed)
{
    struct hail_random dice;

    memset(stranger, 0, sizeof *stranger);
    hail_random_init_seeded(&dice, seed);
    stranger->setup.pattern = server_key ? HAIL_NOISE_NK : HAIL_NOISE_NN;
    stranger->setup.iterations_max = HAIL_ITERATIONS_MAX;
    stranger->setup.server_key = server_key;
    memcpy(stranger->setup.policy_hash, server->context.keys.policy_hash,
           sizeof stranger->setup.policy_hash);
    ck_assert(hail_client_init(&stranger->client, &stranger->setup, &dice));
    hail_hello_encode(stranger->hello, &stranger->client.hello);
}

static void say_hello(struct end *server, const struct stranger *stranger, uint16_t port)
{
    size_t sent = 0;

    arrive(server, HAIL_SLOT_NONE, port, stranger->hello, HAIL_HELLO_LEN);
    for (size_t i = 0; i < server->sent_count; i++)
        sent += server->sent[i].len;
    ck_assert_uint_le(sent, 3 * (size_t)HAIL_HELLO_LEN);
}

// The one answer's type; 0: there is none.
static uint8_t answer_type(const struct end *server)
{
    ck_assert_uint_le(server->sent_count, 1);
    return server->sent_count > 0 ? server->sent[0].bytes[0] : 0;
}

static void take_cookie(struct stranger *stranger, const struct end *server)
{
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];

    ck_assert_int_eq(hail_retry_decode(token, stranger->client.hello.cookie, server->sent[0].bytes,
                                       server->sent[0].len),
                     HAIL_ACCEPT);
    ck_assert_mem_eq(token, stranger->client.hello.token, sizeof token);
    stranger->client.hello.has_cookie = true;
    hail_hello_encode(stranger->hello, &stranger->client.hello);
}

// The finish of a stranger that has just been welcomed. Returns its length.
static size_t make_finish(const struct stranger *stranger, const struct end *server,
                          uint8_t finish[HAIL_DATAGRAM_MAX])
{
    static struct stranger copy;
    static uint8_t payload[HAIL_WELCOME_MAX];
    struct hail_fault_report report;
    struct hail_agreement agreement;
    struct hail_welcome_terms terms;
    struct hail_welcome welcome;

    copy = *stranger;
    ck_assert_int_eq(hail_welcome_decode(&welcome, server->sent[0].bytes, server->sent[0].len),
                     HAIL_ACCEPT);
    ck_assert_int_eq(hail_client_welcome(&copy.client, &agreement, &terms, &report, &copy.setup, "",
                                         0, welcome.fragment.data, welcome.fragment.len, payload),
                     HAIL_ACCEPT);
    return hail_client_finish(&agreement, finish, welcome.conn_id,
                              (struct hail_bytes){(const uint8_t *)"let me in", 9});
}

// Which cookie a stranger shows.
static const struct {
    const char *why;
    bool other_server; // that made it
    bool other_token;  // that it was made for
    uint16_t made_for; // the port
    uint64_t age_ms;
    bool good;
} cookies[] = {
    {"right", false, false, PORT, 0, true},
    {"just in time", false, false, PORT, HAIL_COOKIE_LIFE_MS - 1, true},
    {"too old", false, false, PORT, HAIL_COOKIE_LIFE_MS, false},
    {"for another address", false, false, PORT + 1, 0, false},
    {"for another attempt", false, true, PORT, 0, false},
    {"another server's", true, false, PORT, 0, false},
};

START_TEST(test_cookies)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED,
                                                     .cookies = HAIL_COOKIE_ALWAYS};
    static struct end server;
    static struct end other;
    struct stranger stranger;
    struct stranger twin;

    end_init(&server, &native, true, 1);
    end_init(&other, &native, true, 2);
    struct end *maker = cookies[_i].other_server ? &other : &server;
    stranger_init(&stranger, &server, NULL, 3);
    stranger_init(&twin, &server, NULL, cookies[_i].other_token ? 4 : 3);
    say_hello(maker, &twin, cookies[_i].made_for);
    ck_assert_uint_eq(answer_type(maker), HAIL_DATAGRAM_RETRY);
    ck_assert_msg(maker->shard.handshake_count == 0, "nothing is kept");
    take_cookie(&twin, maker);
    memcpy(stranger.client.hello.cookie, twin.client.hello.cookie, HAIL_COOKIE_LEN);
    stranger.client.hello.has_cookie = true;
    hail_hello_encode(stranger.hello, &stranger.client.hello);

    server.now_ns += cookies[_i].age_ms * ns_per_ms;
    run(&server);
    say_hello(&server, &stranger, PORT);
    ck_assert_msg(answer_type(&server) ==
                      (cookies[_i].good ? HAIL_DATAGRAM_WELCOME : HAIL_DATAGRAM_RETRY),
                  "%s", cookies[_i].why);
    ck_assert_uint_eq(drops(&server, HAIL_DROP_COOKIE), !cookies[_i].good);
    ck_assert_uint_eq(server.shard.handshake_count, cookies[_i].good);
    if (!cookies[_i].good) { // the new one will do
        take_cookie(&stranger, &server);
        say_hello(&server, &stranger, PORT);
        ck_assert_uint_eq(answer_type(&server), HAIL_DATAGRAM_WELCOME);
    }
    end_cleanup(&server);
    end_cleanup(&other);
}
END_TEST

// What a server is not set up for; one byte of a hello says so.
static const struct {
    const char *why;
    size_t at;
    uint8_t to;
    enum hail_refusal want;
    enum hail_verdict verdict;
} refusals[] = {
    {"another version", 1, 2, HAIL_REFUSAL_VERSION, HAIL_DROP_VERSION},
    {"version 0", 1, 0, HAIL_REFUSAL_VERSION, HAIL_DROP_VERSION},
    {"a signed exchange", 2, HAIL_NOISE_NX, HAIL_REFUSAL_PATTERN, HAIL_DROP_PATTERN},
    {"an unsigned exchange", 2, HAIL_NOISE_NN, HAIL_REFUSAL_PATTERN, HAIL_DROP_PATTERN},
    {"no pattern that there is", 2, 0, HAIL_REFUSAL_PATTERN, HAIL_DROP_PATTERN},
    {"another policy", 12, 0xee, HAIL_REFUSAL_POLICY, HAIL_DROP_POLICY},
    {"another policy, to the last byte", 43, 0xee, HAIL_REFUSAL_POLICY, HAIL_DROP_POLICY},
    {"another static key", 44, 0xee, HAIL_REFUSAL_STATIC, HAIL_DROP_STATIC},
};

START_TEST(test_refusals)
{
    static const uint8_t private_key[HAIL_X25519_LEN] = {5, 5, 5};
    static const struct hail_native_config native = {.exchange = HAIL_PINNED,
                                                     .static_key = private_key};
    static struct end server;
    struct hail_x25519_pair pair;
    struct stranger stranger;
    struct hail_refuse refuse;

    end_init(&server, &native, true, 1);
    hail_x25519_pair_from(&pair, private_key);
    stranger_init(&stranger, &server, pair.public_key, 3);
    uint8_t right = stranger.hello[refusals[_i].at];
    ck_assert_uint_ne(right, refusals[_i].to);
    stranger.hello[refusals[_i].at] = refusals[_i].to;
    if (refusals[_i].to == HAIL_NOISE_NX || refusals[_i].to == HAIL_NOISE_NN)
        memset(stranger.hello + 44, 0, 8); // as these have it
    if (refusals[_i].at == 2)
        memset(stranger.hello + 78 + 32, 0, 16);
    say_hello(&server, &stranger, PORT);
    ck_assert_msg(answer_type(&server) == HAIL_DATAGRAM_REFUSE, "%s", refusals[_i].why);
    ck_assert_int_eq(hail_refuse_decode(&refuse, server.sent[0].bytes, server.sent[0].len),
                     HAIL_ACCEPT);
    ck_assert_uint_eq(refuse.reason, refusals[_i].want);
    ck_assert_uint_eq(refuse.version, HAIL_WIRE_VERSION);
    ck_assert_mem_eq(refuse.token, stranger.client.hello.token, sizeof refuse.token);
    ck_assert_uint_eq(drops(&server, refusals[_i].verdict), 1);
    ck_assert_uint_eq(server.shard.handshake_count, 0);
    hail_hello_encode(stranger.hello, &stranger.client.hello);
    say_hello(&server, &stranger, PORT);
    ck_assert_uint_eq(answer_type(&server), HAIL_DATAGRAM_WELCOME);
    end_cleanup(&server);
}
END_TEST

// A hello that comes again gets the same welcome, of one handshake; from elsewhere it is another's,
// and a finish is good for its own address, once.
START_TEST(test_replays)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static struct end server;
    struct stranger stranger;
    struct sent first;
    uint8_t finish[HAIL_DATAGRAM_MAX];

    end_init(&server, &native, true, 1);
    stranger_init(&stranger, &server, NULL, 3);
    say_hello(&server, &stranger, PORT);
    ck_assert_uint_eq(answer_type(&server), HAIL_DATAGRAM_WELCOME);
    first = server.sent[0];
    size_t len = make_finish(&stranger, &server, finish);
    say_hello(&server, &stranger, PORT);
    ck_assert_uint_eq(answer_type(&server), HAIL_DATAGRAM_WELCOME);
    ck_assert_uint_eq(server.sent[0].len, first.len);
    ck_assert_mem_eq(server.sent[0].bytes, first.bytes, first.len);
    ck_assert_uint_eq(server.shard.handshake_count, 1);
    stranger.hello[52] = 1;
    say_hello(&server, &stranger, PORT);
    ck_assert_msg(answer_type(&server) == 0, "there is no second fragment");
    stranger.hello[52] = 0;
    say_hello(&server, &stranger, PORT + 1);
    ck_assert_uint_eq(answer_type(&server), HAIL_DATAGRAM_WELCOME);
    ck_assert_mem_ne(server.sent[0].bytes, first.bytes, first.len);
    ck_assert_uint_eq(server.shard.handshake_count, 2);

    arrive(&server, HAIL_SLOT_NONE, PORT + 1, finish, len);
    ck_assert_msg(answer_type(&server) == 0, "from another address");
    for (size_t i = 0; i < len; i++) {
        finish[i] ^= 1;
        arrive(&server, HAIL_SLOT_NONE, PORT, finish, len);
        finish[i] ^= 1;
        arrive(&server, HAIL_SLOT_NONE, PORT, finish, i);
    }
    ck_assert_uint_eq(server.events[HAIL_EVENT_REQUEST], 0);
    ck_assert_uint_eq(hail_stat_get(&server.shard.stats, HAIL_STAT_KEYS_STRETCHED), 0);
    arrive(&server, HAIL_SLOT_NONE, PORT, finish, len);
    ck_assert_msg(server.events[HAIL_EVENT_REQUEST] == 0, "it waits for the other handshake");
    ck_assert_uint_eq(hail_shard_next_ns(&server.shard), server.now_ns + 2 * ns_per_ms);
    server.now_ns += 2 * ns_per_ms;
    run(&server);
    ck_assert_uint_eq(server.events[HAIL_EVENT_REQUEST], 1);
    ck_assert_uint_eq(server.conn_data_len, 9);
    ck_assert_mem_eq(server.conn_data, "let me in", 9);
    ck_assert_uint_eq(answer_type(&server), 0xc0); // wait
    arrive(&server, HAIL_SLOT_NONE, PORT, finish, len);
    ck_assert_msg(server.events[HAIL_EVENT_REQUEST] == 1, "asked once");
    ck_assert_uint_eq(answer_type(&server), 0xc0);
    ck_assert_uint_eq(hail_stat_get(&server.shard.stats, HAIL_STAT_KEYS_STRETCHED), 1);
    end_cleanup(&server);
}
END_TEST

// Every byte of a hello changed, and every length: nothing, a refusal, or a welcome that the client
// does not take. Then the honest one.
START_TEST(test_hello_changed)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED,
                                                     .source_per_s = 100000,
                                                     .handshakes_per_s = 100000,
                                                     .cookies = HAIL_COOKIE_NEVER};
    static uint8_t payload[HAIL_WELCOME_MAX];
    static struct end server;
    struct stranger stranger;

    end_init(&server, &native, true, 1);
    stranger_init(&stranger, &server, NULL, 3);
    for (size_t at = 0; at < HAIL_HELLO_LEN; at++) {
        struct hail_fault_report report;
        struct hail_agreement agreement;
        struct hail_welcome_terms terms;
        struct hail_welcome welcome;
        stranger.hello[at] ^= 0x80;
        say_hello(&server, &stranger, PORT);
        uint8_t type = answer_type(&server);
        ck_assert_msg(type == 0 || type == HAIL_DATAGRAM_REFUSE || type == HAIL_DATAGRAM_WELCOME,
                      "byte %zu", at);
        if (type == HAIL_DATAGRAM_WELCOME) {
            ck_assert_int_eq(
                hail_welcome_decode(&welcome, server.sent[0].bytes, server.sent[0].len),
                HAIL_ACCEPT);
            ck_assert_msg(hail_client_welcome(&stranger.client, &agreement, &terms, &report,
                                              &stranger.setup, "", 0, welcome.fragment.data,
                                              welcome.fragment.len, payload) == HAIL_DROP_FORGED,
                          "byte %zu", at);
        }
        stranger.hello[at] ^= 0x80;
        arrive(&server, HAIL_SLOT_NONE, PORT, stranger.hello, at);
        ck_assert_msg(answer_type(&server) == 0, "%zu bytes", at);
    }
    stranger_init(&stranger, &server, NULL, 4);
    say_hello(&server, &stranger, PORT);
    ck_assert_uint_eq(answer_type(&server), HAIL_DATAGRAM_WELCOME);
    ck_assert_uint_gt(make_finish(&stranger, &server, payload), 0);
    end_cleanup(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("joining");
    TCase *client = tcase_create("client");
    TCase *server = tcase_create("server");

    tcase_set_timeout(client, 60);
    tcase_add_loop_test(client, test_fragments, 0, HAIL_COUNTOF(scripts));
    tcase_add_test(client, test_first_is_forged);
    tcase_add_test(client, test_asks_for_more);
    tcase_add_test(client, test_longest);
    tcase_add_loop_test(client, test_long_data, 0, 2);
    suite_add_tcase(suite, client);
    tcase_set_timeout(server, 60);
    tcase_add_loop_test(server, test_cookies, 0, HAIL_COUNTOF(cookies));
    tcase_add_loop_test(server, test_refusals, 0, HAIL_COUNTOF(refusals));
    tcase_add_test(server, test_replays);
    tcase_add_test(server, test_hello_changed);
    suite_add_tcase(suite, server);
    return test_run(suite);
}
