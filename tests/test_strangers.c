// test_strangers.c: how a server's shard meets strangers: what they are answered, what is kept for
// them, and what becomes of each datagram; the test is its clients, and those who are none.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/handshake/server.h"
#include "engine/native/state.h"
#include "engine/shard/command.h"
#include "engine/shard/shard.h"
#include "tests/lone.h"
#include "tests/paths.h"
#include "tests/stranger.h"

// Which cookie a stranger shows.
static const struct {
    const char *why;
    bool other_server; // that made it
    bool other_token;  // that it was made for
    uint16_t made_for; // the port
    uint64_t age_ms;
    bool good;
} cookies[] = {
    {"right", false, false, LONE_PORT, 0, true},
    {"just in time", false, false, LONE_PORT, HAIL_COOKIE_LIFE_MS - 1, true},
    {"too old", false, false, LONE_PORT, HAIL_COOKIE_LIFE_MS, false},
    {"for another address", false, false, LONE_PORT + 1, 0, false},
    {"for another attempt", false, true, LONE_PORT, 0, false},
    {"another server's", true, false, LONE_PORT, 0, false},
};

START_TEST(test_cookies)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED,
                                                     .cookies = HAIL_COOKIE_ALWAYS};
    static struct lone server;
    static struct lone other;
    struct stranger stranger;
    struct stranger twin;

    lone_init(&server, &native, true, 1);
    lone_init(&other, &native, true, 2);
    struct lone *maker = cookies[_i].other_server ? &other : &server;
    stranger_init(&stranger, &server, NULL, 3);
    stranger_init(&twin, &server, NULL, cookies[_i].other_token ? 4 : 3);
    stranger_hello(maker, &twin, cookies[_i].made_for);
    ck_assert_uint_eq(stranger_answer(maker), HAIL_DATAGRAM_RETRY);
    ck_assert_msg(maker->shard.handshake_count == 0, "nothing is kept");
    stranger_take_cookie(&twin, maker);
    memcpy(stranger.client.hello.cookie, twin.client.hello.cookie, HAIL_COOKIE_LEN);
    stranger.client.hello.has_cookie = true;
    hail_hello_encode(stranger.hello, &stranger.client.hello);

    server.now_ns += cookies[_i].age_ms * HAIL_NS_PER_MS;
    lone_run(&server);
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_msg(stranger_answer(&server) ==
                      (cookies[_i].good ? HAIL_DATAGRAM_WELCOME : HAIL_DATAGRAM_RETRY),
                  "%s", cookies[_i].why);
    ck_assert_uint_eq(lone_drops(&server, HAIL_DROP_COOKIE), !cookies[_i].good);
    ck_assert_uint_eq(server.shard.handshake_count, cookies[_i].good);
    if (!cookies[_i].good) { // the new one will do
        stranger_take_cookie(&stranger, &server);
        stranger_hello(&server, &stranger, LONE_PORT);
        ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_WELCOME);
    }
    lone_cleanup(&server);
    lone_cleanup(&other);
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
    static struct lone server;
    struct hail_x25519_pair pair;
    struct stranger stranger;
    struct hail_refuse refuse;

    lone_init(&server, &native, true, 1);
    hail_x25519_pair_from(&pair, private_key);
    stranger_init(&stranger, &server, pair.public_key, 3);
    uint8_t right = stranger.hello[refusals[_i].at];
    ck_assert_uint_ne(right, refusals[_i].to);
    stranger.hello[refusals[_i].at] = refusals[_i].to;
    if (refusals[_i].to == HAIL_NOISE_NX || refusals[_i].to == HAIL_NOISE_NN)
        memset(stranger.hello + 44, 0, 8); // as these have it
    if (refusals[_i].at == 2)
        memset(stranger.hello + 78 + 32, 0, 16);
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_msg(stranger_answer(&server) == HAIL_DATAGRAM_REFUSE, "%s", refusals[_i].why);
    ck_assert_int_eq(hail_refuse_decode(&refuse, server.sent[0].bytes, server.sent[0].len),
                     HAIL_ACCEPT);
    ck_assert_uint_eq(refuse.reason, refusals[_i].want);
    ck_assert_uint_eq(refuse.version, HAIL_WIRE_VERSION);
    ck_assert_mem_eq(refuse.token, stranger.client.hello.token, sizeof refuse.token);
    ck_assert_uint_eq(lone_drops(&server, refusals[_i].verdict), 1);
    ck_assert_uint_eq(server.shard.handshake_count, 0);
    hail_hello_encode(stranger.hello, &stranger.client.hello);
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_WELCOME);
    lone_cleanup(&server);
}
END_TEST

// A ticket that is refused is so for the same reason, whether the server takes any or not: the
// client's way on is the same.
START_TEST(test_no_tickets)
{
    const struct hail_native_config native = {.exchange = HAIL_UNSIGNED, .no_tickets = _i == 1};
    static struct lone server;
    struct stranger stranger;
    struct hail_refuse refuse;

    lone_init(&server, &native, true, 1);
    stranger_init(&stranger, &server, NULL, 3);
    stranger.client.hello.pattern = HAIL_HELLO_RESUME;
    stranger.client.hello.ticket_len = 1;
    hail_hello_encode(stranger.hello, &stranger.client.hello);
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_REFUSE);
    ck_assert_int_eq(hail_refuse_decode(&refuse, server.sent[0].bytes, server.sent[0].len),
                     HAIL_ACCEPT);
    ck_assert_uint_eq(refuse.reason, HAIL_REFUSAL_TICKET);
    ck_assert_uint_eq(lone_drops(&server, _i == 1 ? HAIL_DROP_PATTERN : HAIL_DROP_TICKET_KEY), 1);
    lone_cleanup(&server);
}
END_TEST

// How long tickets are told to be good, by what is configured.
static const struct {
    uint32_t life_s;
    uint32_t rotation_s;
    bool given; // the ticket key is the application's, and not rotated
    uint32_t want;
} lives[] = {
    {0, 0, false, 43200},     {0, 3600, false, 3600},  {0, 3600, true, 43200},
    {0, 90000, false, 43200}, {600, 3600, false, 600}, {7200, 3600, false, 7200},
};

START_TEST(test_ticket_life)
{
    static const uint8_t key[HAIL_TICKET_KEY_LEN] = {1};
    const struct hail_native_config native = {.exchange = HAIL_UNSIGNED,
                                              .ticket_life_s = lives[_i].life_s,
                                              .key_rotation_s = lives[_i].rotation_s,
                                              .ticket_key = lives[_i].given ? key : NULL};
    static struct lone server;

    lone_init(&server, &native, true, 1);
    ck_assert_uint_eq(server.context.keys.ticket_life_s, lives[_i].want);
    lone_cleanup(&server);
}
END_TEST

// A hello that comes again gets the same welcome, of one handshake; from elsewhere it is another's,
// and a finish is good for its own address, once.
START_TEST(test_replays)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static struct lone server;
    struct stranger stranger;
    struct lone_sent first;
    uint8_t finish[HAIL_DATAGRAM_MAX];

    lone_init(&server, &native, true, 1);
    stranger_init(&stranger, &server, NULL, 3);
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_WELCOME);
    first = server.sent[0];
    size_t len = stranger_finish(&stranger, &server, finish);
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_WELCOME);
    ck_assert_uint_eq(server.sent[0].len, first.len);
    ck_assert_mem_eq(server.sent[0].bytes, first.bytes, first.len);
    ck_assert_uint_eq(server.shard.handshake_count, 1);
    stranger.hello[52] = 1;
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_msg(stranger_answer(&server) == 0, "there is no second fragment");
    stranger.hello[52] = 0;
    stranger_hello(&server, &stranger, LONE_PORT + 1);
    ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_WELCOME);
    ck_assert_mem_ne(server.sent[0].bytes, first.bytes, first.len);
    ck_assert_uint_eq(server.shard.handshake_count, 2);

    for (size_t i = 0; i < len; i++) {
        finish[i] ^= 1;
        lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, finish, len);
        finish[i] ^= 1;
        lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, finish, i);
    }
    ck_assert_uint_eq(server.events[HAIL_EVENT_REQUEST], 0);
    ck_assert_uint_eq(hail_stat_get(&server.shard.stats, HAIL_STAT_KEYS_STRETCHED), 0);
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, finish, len);
    ck_assert_msg(server.events[HAIL_EVENT_REQUEST] == 0, "it waits for the other handshake");
    ck_assert_uint_eq(hail_shard_next_ns(&server.shard), server.now_ns + 2 * HAIL_NS_PER_MS);
    server.now_ns += 2 * HAIL_NS_PER_MS;
    lone_run(&server);
    ck_assert_uint_eq(server.events[HAIL_EVENT_REQUEST], 1);
    ck_assert_uint_eq(server.conn_data_len, 9);
    ck_assert_mem_eq(server.conn_data, "let me in", 9);
    ck_assert_uint_eq(stranger_answer(&server), 0xc0); // wait
    server.now_ns += 100 * HAIL_NS_PER_MS;
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, finish, len);
    ck_assert_msg(server.events[HAIL_EVENT_REQUEST] == 1, "asked once");
    ck_assert_uint_eq(stranger_answer(&server), 0xc0);
    ck_assert_uint_eq(hail_stat_get(&server.shard.stats, HAIL_STAT_KEYS_STRETCHED), 1);
    lone_cleanup(&server);
}
END_TEST

// Where what is said to the only client goes.
static uint16_t goes_to(const struct lone *server)
{
    uint32_t slot = hail_name_unpack(server->conn).slot;

    return ntohs(server->shard.native->conns[slot].peer.address.v4.sin_port);
}

// A client that moves between its hello and its finish, and again while it waits, is let in where
// its proof comes from. What proves nothing moves nobody; once the client's packets come, they say
// where it is, and a finish that somebody has kept does not.
START_TEST(test_finish_from_elsewhere)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static struct lone server;
    struct stranger stranger;
    uint8_t finish[HAIL_DATAGRAM_MAX];

    lone_init(&server, &native, true, 1);
    stranger_init(&stranger, &server, NULL, 3);
    stranger_hello(&server, &stranger, LONE_PORT);
    size_t len = stranger_finish(&stranger, &server, finish);
    for (size_t i = 0; i < len; i++) {
        finish[i] ^= 1;
        lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT + 1, finish, len);
        finish[i] ^= 1;
        ck_assert_msg(stranger_answer(&server) == 0, "byte %zu was changed", i);
    }
    ck_assert_uint_eq(server.shard.handshake_count, 1);
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT + 2, finish, len);
    server.now_ns += 2 * HAIL_NS_PER_MS;
    lone_run(&server);
    ck_assert_uint_eq(server.events[HAIL_EVENT_REQUEST], 1);
    ck_assert_uint_eq(goes_to(&server), LONE_PORT + 2);
    server.now_ns += 100 * HAIL_NS_PER_MS;
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT + 3, finish, len);
    ck_assert_uint_eq(stranger_answer(&server), 0xc0);
    ck_assert_uint_eq(goes_to(&server), LONE_PORT + 3);

    uint32_t slot = hail_name_unpack(server.conn).slot;
    hail_replay_mark(&server.shard.native->conns[slot].peer.protected_seen, 0); // heard of
    server.now_ns += 100 * HAIL_NS_PER_MS;
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT + 4, finish, len);
    ck_assert_uint_eq(goes_to(&server), LONE_PORT + 3);
    lone_cleanup(&server);
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
    static struct lone server;
    struct stranger stranger;

    lone_init(&server, &native, true, 1);
    stranger_init(&stranger, &server, NULL, 3);
    for (size_t at = 0; at < HAIL_HELLO_LEN; at++) {
        struct hail_fault_report report;
        struct hail_agreement agreement;
        struct hail_welcome_terms terms;
        struct hail_welcome welcome;
        stranger.hello[at] ^= 0x80;
        stranger_hello(&server, &stranger, LONE_PORT);
        uint8_t type = stranger_answer(&server);
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
        lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, stranger.hello, at);
        ck_assert_msg(stranger_answer(&server) == 0, "%zu bytes", at);
    }
    stranger_init(&stranger, &server, NULL, 4);
    stranger_hello(&server, &stranger, LONE_PORT);
    ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_WELCOME);
    ck_assert_uint_gt(stranger_finish(&stranger, &server, payload), 0);
    lone_cleanup(&server);
}
END_TEST
// ---- Once it has a key

static uint64_t stat_of(const struct lone *server, unsigned which)
{
    return hail_stat_get(&server->shard.stats, which);
}

// A stranger says hello, and is welcomed. Returns its finish's length.
static size_t greet(struct lone *server, struct stranger *stranger, uint64_t seed,
                    uint8_t finish[HAIL_DATAGRAM_MAX])
{
    stranger_init(stranger, server, NULL, seed);
    stranger_hello(server, stranger, LONE_PORT);
    ck_assert_uint_eq(stranger_answer(server), HAIL_DATAGRAM_WELCOME);
    return stranger_finish(stranger, server, finish);
}

static void approve(struct lone *server)
{
    const struct hail_command command = {.op = HAIL_COMMAND_APPROVE, .conn = server->conn};
    size_t done;

    ck_assert_int_eq(hail_command_run(&server->shard, &command, &done), HAIL_OK);
    server->sent_count = 0;
    lone_run(server);
    ck_assert_uint_eq(server->events[HAIL_EVENT_CONNECTED], 1);
}

// How far the connection has come when something comes again.
enum stage {
    WELCOMED,
    FINISHED, // but the application has not decided
    CONNECTED
};

static size_t come_to(struct lone *server, struct stranger *stranger, enum stage stage,
                      uint8_t finish[HAIL_DATAGRAM_MAX])
{
    size_t len = greet(server, stranger, 3, finish);

    if (stage >= FINISHED) {
        lone_arrive(server, HAIL_SLOT_NONE, LONE_PORT, finish, len);
        ck_assert_uint_eq(server->events[HAIL_EVENT_REQUEST], 1);
    }
    if (stage >= CONNECTED)
        approve(server);
    return len;
}

// What a finish that comes again is answered, by what it is and when.
static const struct {
    const char *why;
    enum stage stage;
    uint64_t later_ms;
    size_t changed_at; // a byte; 0: it is the genuine one
    bool answered;
    enum hail_verdict verdict;
} finishes[] = {
    {"forged, before one has come", WELCOMED, 0, 15, false, HAIL_DROP_FORGED},
    {"forged by a byte of the data", FINISHED, 1000, 13, false, HAIL_DROP_FORGED},
    {"forged by a byte of the tag", CONNECTED, 1000, 37, false, HAIL_DROP_FORGED},
    {"forged by a byte of the data, once connected", CONNECTED, 1000, 21, false, HAIL_DROP_FORGED},
    {"another's token", CONNECTED, 1000, 5, false, HAIL_DROP_CONNECTION},
    {"another's connection", CONNECTED, 1000, 4, false, HAIL_DROP_CONNECTION},
    {"the same, too soon", FINISHED, 99, 0, false, HAIL_DROP_REPLAY},
    {"the same", FINISHED, 100, 0, true, HAIL_ACCEPT},
    {"the same once connected, too soon", CONNECTED, 99, 0, false, HAIL_DROP_REPLAY},
    {"the same once connected", CONNECTED, 100, 0, true, HAIL_ACCEPT},
};

START_TEST(test_finish_again)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static struct lone server;
    uint8_t finish[HAIL_DATAGRAM_MAX];
    struct stranger stranger;

    lone_init(&server, &native, true, 1);
    size_t len = come_to(&server, &stranger, finishes[_i].stage, finish);
    ck_assert_uint_eq(len, 13 + 9 + 16);
    uint64_t tickets = stat_of(&server, HAIL_STAT_TICKETS_ISSUED);
    ck_assert_uint_eq(tickets, finishes[_i].stage == CONNECTED);
    if (finishes[_i].changed_at > 0)
        finish[finishes[_i].changed_at] ^= 1;
    server.now_ns += finishes[_i].later_ms * HAIL_NS_PER_MS;
    for (int again = 0; again < 3; again++) { // in the same 100 ms
        lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, finish, len);
        bool answered = finishes[_i].answered && again == 0;
        ck_assert_msg(server.sent_count == answered, "%s: %zu answers", finishes[_i].why,
                      server.sent_count);
        if (answered)
            ck_assert_msg(server.sent[0].len <= len, "%s: %zu for %zu bytes", finishes[_i].why,
                          server.sent[0].len, len);
    }
    enum hail_verdict verdict =
        finishes[_i].answered ? HAIL_DROP_REPLAY : finishes[_i].verdict; // of the other two
    ck_assert_msg(lone_drops(&server, verdict) == (finishes[_i].answered ? 2 : 3), "%s",
                  finishes[_i].why);
    ck_assert_uint_eq(stat_of(&server, HAIL_STAT_TICKETS_ISSUED), tickets);
    server.now_ns += 100 * HAIL_NS_PER_MS;
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, finish, len);
    ck_assert_msg((server.sent_count > 0) == (finishes[_i].changed_at == 0), "%s: later",
                  finishes[_i].why);
    // The one with the first answer may have been lost with it.
    bool once_more = finishes[_i].changed_at == 0 && finishes[_i].stage == CONNECTED;
    server.shard.conns[0].heard_ns = server.now_ns; // the client lives
    server.now_ns += 9900 * HAIL_NS_PER_MS;         // the clock of tickets has seconds
    lone_run(&server);
    ck_assert_uint_eq(stat_of(&server, HAIL_STAT_TICKETS_ISSUED), tickets + once_more);
    lone_cleanup(&server);
}
END_TEST

// Nothing that a stranger can make up waits where clients' finishes do: however many they are, one
// that comes behind them is served in the same turn.
START_TEST(test_bad_finishes_wait_nowhere)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static struct lone server;
    uint8_t finish[HAIL_DATAGRAM_MAX];
    struct stranger stranger;

    lone_init(&server, &native, true, 1);
    size_t len = greet(&server, &stranger, 3, finish);
    for (uint32_t i = 0; i < 2 * HAIL_HANDSHAKE_QUEUE_MAX; i++) {
        const struct hail_path path = path_from(PATHS_CLIENT, LONE_PORT);
        uint8_t forged[HAIL_DATAGRAM_MAX];
        memcpy(forged, finish, len);
        forged[13 + i % (len - 13)] ^= (uint8_t)(1 + i % 255);
        hail_shard_datagram(&server.shard, HAIL_SLOT_NONE, &path, forged, len);
        ck_assert_uint_eq(server.shard.native->server->finishes.count, 0);
    }
    ck_assert_uint_eq(lone_drops(&server, HAIL_DROP_FORGED), 2 * HAIL_HANDSHAKE_QUEUE_MAX);
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, finish, len);
    ck_assert_uint_eq(server.events[HAIL_EVENT_REQUEST], 1);
    ck_assert_uint_eq(lone_drops(&server, HAIL_DROP_BUDGET), 0);
    lone_cleanup(&server);
}
END_TEST

// A finish that waits for others is taken once, and leaves nothing in the buffer that it came in.
START_TEST(test_finish_waits)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static const uint8_t nothing[9];
    const struct hail_path path = path_from(PATHS_CLIENT, LONE_PORT);
    static struct lone server;
    struct stranger strangers[2];
    uint8_t finish[HAIL_DATAGRAM_MAX];
    uint8_t buffer[HAIL_DATAGRAM_MAX];

    lone_init(&server, &native, true, 1);
    (void)greet(&server, &strangers[0], 2, finish);
    size_t len = greet(&server, &strangers[1], 3, finish);
    for (int i = 0; i < 3; i++) {
        memcpy(buffer, finish, len);
        hail_shard_datagram(&server.shard, HAIL_SLOT_NONE, &path, buffer, len);
        ck_assert_uint_eq(server.shard.native->server->finishes.count, 1);
        if (i == 0)
            ck_assert_mem_eq(buffer + 13, nothing, sizeof nothing);
    }
    ck_assert_uint_eq(lone_drops(&server, HAIL_DROP_REPLAY), 2);
    server.now_ns += 2 * HAIL_NS_PER_MS;
    lone_run(&server);
    ck_assert_uint_eq(server.events[HAIL_EVENT_REQUEST], 1);
    ck_assert_mem_eq(server.conn_data, "let me in", 9);
    lone_cleanup(&server);
}
END_TEST

// ---- What strangers are answered, and what becomes of all that they send

// A datagram that somebody sends who has no key. What it makes the server send is at most so many
// times as long; and it is either taken, or dropped for a reason that is counted, once.
struct kind {
    const char *why;
    enum stage stage; // what the connection with its token has come to; 0: welcomed
    enum {
        EMPTY,
        NOISE,
        FIRST_HELLO,
        HELLO_AGAIN,
        NO_COOKIE, // where one is wanted
        MADE_UP,
        OTHER_VERSION,
        CUT,
        FORGED_FINISH,
        SAME_FINISH,
        PACKET,
        PACKET_OF_NOBODY
    } what;
    uint8_t first; // byte, of noise and packets
    size_t len;    // likewise
    uint8_t wanted;
    enum hail_verdict verdict; // HAIL_ACCEPT: it is taken
    uint32_t answer_max;       // in hundredths
};

static const struct kind sent_kinds[] = {
    {"nothing", WELCOMED, EMPTY, 0, 0, 0, HAIL_DROP_SHORT, 0},
    {"a byte", WELCOMED, NOISE, 0xc0, 1, 0, HAIL_DROP_SHORT, 0},
    {"of no type", WELCOMED, NOISE, 0x00, 100, 0, HAIL_DROP_TYPE, 0},
    {"of a type to come", WELCOMED, NOISE, 0x06, 1200, 0, HAIL_DROP_TYPE, 0},
    {"a retry, reflected", WELCOMED, NOISE, 0x02, 33, 0, HAIL_DROP_UNEXPECTED, 0},
    {"a welcome, reflected", WELCOMED, NOISE, 0x03, 1165, 0, HAIL_DROP_UNEXPECTED, 0},
    {"a refuse, reflected", WELCOMED, NOISE, 0x05, 11, 0, HAIL_DROP_UNEXPECTED, 0},
    {"a hello", WELCOMED, FIRST_HELLO, 0, 0, 0, HAIL_ACCEPT, 300},
    {"a hello, cut short", WELCOMED, CUT, 0, 1199, 0, HAIL_DROP_SHORT, 0},
    {"a hello of another version", WELCOMED, OTHER_VERSION, 0, 0, 0, HAIL_DROP_VERSION, 100},
    {"a hello without a cookie", WELCOMED, NO_COOKIE, 0, 0, 0, HAIL_ACCEPT, 100},
    {"a made-up cookie", WELCOMED, MADE_UP, 0, 0, 0, HAIL_DROP_COOKIE, 100},
    {"a hello again", WELCOMED, HELLO_AGAIN, 0, 0, 0, HAIL_ACCEPT, 300},
    {"for the middle of the welcome", WELCOMED, HELLO_AGAIN, 0, 0, 4, HAIL_ACCEPT, 300},
    {"for the end of it", WELCOMED, HELLO_AGAIN, 0, 0, 8, HAIL_ACCEPT, 300},
    {"beyond it", WELCOMED, HELLO_AGAIN, 0, 0, 9, HAIL_DROP_UNEXPECTED, 0},
    {"a hello after the finish", FINISHED, HELLO_AGAIN, 0, 0, 0, HAIL_DROP_UNEXPECTED, 0},
    {"a hello once connected", CONNECTED, HELLO_AGAIN, 0, 0, 0, HAIL_DROP_UNEXPECTED, 0},
    {"for the middle of a welcome that is gone", CONNECTED, HELLO_AGAIN, 0, 0, 4,
     HAIL_DROP_UNEXPECTED, 0},
    {"a forged finish", WELCOMED, FORGED_FINISH, 0, 0, 0, HAIL_DROP_FORGED, 0},
    {"a forged finish after the finish", FINISHED, FORGED_FINISH, 0, 0, 0, HAIL_DROP_FORGED, 0},
    {"a forged finish once connected", CONNECTED, FORGED_FINISH, 0, 0, 0, HAIL_DROP_FORGED, 0},
    {"the finish again", FINISHED, SAME_FINISH, 0, 0, 0, HAIL_ACCEPT, 100},
    {"the finish again once connected", CONNECTED, SAME_FINISH, 0, 0, 0, HAIL_ACCEPT, 100},
    {"a packet before there is a key", WELCOMED, PACKET, 0xc0, 100, 0, HAIL_DROP_NO_KEY, 0},
    {"a forged packet", CONNECTED, PACKET, 0xc0, 100, 0, HAIL_DROP_FORGED, 0},
    {"a forged authenticated one", CONNECTED, PACKET, 0x80, 100, 0, HAIL_DROP_FORGED, 0},
    {"of another epoch", CONNECTED, PACKET, 0xf0, 100, 0, HAIL_DROP_EPOCH, 0},
    {"a plain one with another token", CONNECTED, PACKET, 0x40, 100, 0, HAIL_DROP_FORGED, 0},
    {"too short for a tag", CONNECTED, PACKET, 0xc0, 20, 0, HAIL_DROP_SHORT, 0},
    {"too long", CONNECTED, PACKET, 0xc0, 1453, 0, HAIL_DROP_MALFORMED, 0},
    {"reserved bits", CONNECTED, PACKET, 0xc1, 100, 0, HAIL_DROP_MALFORMED, 0},
    {"a packet of nobody", CONNECTED, PACKET_OF_NOBODY, 0xc0, 100, 0, HAIL_DROP_CONNECTION, 0},
    {"of another shard that there is not", WELCOMED, NOISE, 0xc0, 100, 0, HAIL_DROP_CONNECTION, 0},
};

// Makes the welcome that is kept longer than this server's is: as long as a chain of certificates.
static void lengthen_welcome(struct lone *server, uint32_t slot)
{
    static const uint8_t more[8 * HAIL_FRAGMENT_LEN];

    ck_assert(hail_chain_append(&server->shard.native->conns[slot].welcome,
                                &server->shard.native->server->welcomes, more, sizeof more));
    server->shard.native->conns[slot].fragment_count = 9;
}

// Writes the datagram, and returns its length.
static size_t make_kind(const struct kind *kind, struct stranger *stranger, struct lone *server,
                        const uint8_t *finish, size_t finish_len, uint8_t out[2048])
{
    struct hail_hello *hello = &stranger->client.hello;

    memset(out, 0x77, 2048);
    out[0] = kind->first;
    switch (kind->what) {
    case EMPTY:
    case NOISE:
        return kind->len;
    case FIRST_HELLO:
    case NO_COOKIE:
    case MADE_UP:
    case OTHER_VERSION:
    case CUT:
        stranger_init(stranger, server, NULL, 5);
        if (kind->what == NO_COOKIE || kind->what == MADE_UP)
            server->context.config.native.cookies = HAIL_COOKIE_ALWAYS;
        hello->has_cookie = kind->what == MADE_UP;
        if (kind->what == OTHER_VERSION)
            hello->version++;
        break;
    case HELLO_AGAIN:
        hello->wanted = kind->wanted;
        break;
    case FORGED_FINISH:
    case SAME_FINISH:
        memcpy(out, finish, finish_len);
        out[finish_len - 1] ^= kind->what == FORGED_FINISH;
        return finish_len;
    case PACKET:
    case PACKET_OF_NOBODY:
        memcpy(out + 1, finish + 1, 4); // the connection's name
        out[4] ^= kind->what == PACKET_OF_NOBODY;
        return kind->len;
    }
    hail_hello_encode(out, hello);
    return kind->what == CUT ? kind->len : HAIL_HELLO_LEN;
}

static uint64_t dropped(const struct lone *server)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < HAIL_VERDICT_COUNT; i++)
        sum += lone_drops(server, (enum hail_verdict)i);
    return sum;
}

START_TEST(test_strangers_datagram)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static struct lone server;
    const struct kind *kind = &sent_kinds[_i];
    uint8_t finish[HAIL_DATAGRAM_MAX];
    uint8_t datagram[2048];
    struct stranger stranger;
    size_t answered = 0;

    lone_init(&server, &native, true, 1);
    size_t finish_len = come_to(&server, &stranger, kind->stage, finish);
    if (kind->stage == WELCOMED)
        lengthen_welcome(&server, 0);
    else
        server.shard.native->conns[0].fragment_count = 9; // of a welcome that is gone
    server.now_ns += 1000 * HAIL_NS_PER_MS;
    size_t len = make_kind(kind, &stranger, &server, finish, finish_len, datagram);
    ck_assert_uint_eq(dropped(&server), 0);
    uint64_t came = stat_of(&server, HAIL_STAT_DATAGRAMS_IN);
    lone_arrive(&server, HAIL_SLOT_NONE, LONE_PORT, datagram, len);
    for (size_t i = 0; i < server.sent_count; i++)
        answered += server.sent[i].len;
    ck_assert_msg(answered * 100 <= len * kind->answer_max, "%s: %zu bytes for %zu", kind->why,
                  answered, len);
    ck_assert_msg((answered > 0) == (kind->answer_max > 0), "%s: %zu bytes", kind->why, answered);
    ck_assert_uint_eq(stat_of(&server, HAIL_STAT_DATAGRAMS_IN), came + 1);
    ck_assert_msg(dropped(&server) == (kind->verdict != HAIL_ACCEPT), "%s: dropped %d times",
                  kind->why, (int)dropped(&server));
    if (kind->verdict != HAIL_ACCEPT)
        ck_assert_msg(lone_drops(&server, kind->verdict) == 1, "%s", kind->why);
    lone_cleanup(&server);
}
END_TEST

// What came again while the first of it waited is counted as well.
START_TEST(test_hello_twice_in_a_turn)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    const struct hail_path path = path_from(0, htons(7));
    static struct lone server;
    struct stranger stranger;

    lone_init(&server, &native, true, 1);
    stranger_init(&stranger, &server, NULL, 3);
    for (int i = 0; i < HAIL_HELLOS_PER_TURN + 3; i++)
        hail_shard_datagram(&server.shard, HAIL_SLOT_NONE, &path, stranger.hello, HAIL_HELLO_LEN);
    lone_run(&server);
    ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_WELCOME);
    ck_assert_uint_eq(lone_drops(&server, HAIL_DROP_REPLAY), HAIL_HELLOS_PER_TURN + 2);
    ck_assert_uint_eq(server.shard.handshake_count, 1);
    lone_cleanup(&server);
}
END_TEST

// Every two minutes the cookies have another key; those who are under way do not notice.
START_TEST(test_cookie_keys_rotate)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED,
                                                     .cookies = HAIL_COOKIE_ALWAYS};
    static struct lone server;
    struct hail_cookie_key first;

    lone_init(&server, &native, true, 1);
    first = server.context.keys.cookies[0];
    for (uint64_t i = 0; server.now_ns < 500000 * HAIL_NS_PER_MS; i++) {
        struct stranger stranger;
        server.now_ns += 700 * HAIL_NS_PER_MS;
        lone_run(&server);
        stranger_init(&stranger, &server, NULL, i);
        stranger_hello(&server, &stranger, LONE_PORT);
        ck_assert_uint_eq(stranger_answer(&server), HAIL_DATAGRAM_RETRY);
        stranger_take_cookie(&stranger, &server);
        server.now_ns += i % 2 * 9900 * HAIL_NS_PER_MS;
        lone_run(&server);
        stranger_hello(&server, &stranger, LONE_PORT);
        ck_assert_msg(stranger_answer(&server) == HAIL_DATAGRAM_WELCOME, "at %llu ns",
                      (unsigned long long)server.now_ns);
    }
    ck_assert_uint_eq(atomic_load(&server.context.keys.cookie_current), 4);
    for (int i = 0; i < HAIL_STATIC_KEYS; i++)
        ck_assert_mem_ne(&server.context.keys.cookies[i].mac, &first.mac, sizeof first.mac);
    lone_cleanup(&server);
}
END_TEST

// A shard that sleeps is woken for it.
START_TEST(test_cookie_keys_wake)
{
    static const struct hail_native_config native = {.exchange = HAIL_UNSIGNED};
    static struct lone server;

    lone_init(&server, &native, true, 1);
    ck_assert_uint_eq(hail_shard_next_ns(&server.shard), server.now_ns + 120000 * HAIL_NS_PER_MS);
    lone_cleanup(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("strangers");
    TCase *tests = tcase_create("server");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_cookies, 0, HAIL_COUNTOF(cookies));
    tcase_add_loop_test(tests, test_refusals, 0, HAIL_COUNTOF(refusals));
    tcase_add_loop_test(tests, test_no_tickets, 0, 2);
    tcase_add_loop_test(tests, test_ticket_life, 0, HAIL_COUNTOF(lives));
    tcase_add_test(tests, test_replays);
    tcase_add_test(tests, test_finish_from_elsewhere);
    tcase_add_test(tests, test_hello_changed);
    tcase_add_loop_test(tests, test_finish_again, 0, HAIL_COUNTOF(finishes));
    tcase_add_test(tests, test_bad_finishes_wait_nowhere);
    tcase_add_test(tests, test_finish_waits);
    tcase_add_loop_test(tests, test_strangers_datagram, 0, HAIL_COUNTOF(sent_kinds));
    tcase_add_test(tests, test_hello_twice_in_a_turn);
    tcase_add_test(tests, test_cookie_keys_rotate);
    tcase_add_test(tests, test_cookie_keys_wake);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
