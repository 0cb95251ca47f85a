// test_attack.c: each attack of bench/attack, a counted few of its datagrams, on a server where two
// others play: it goes on, its counters say what came, a stranger gets no more than three bytes for
// one of his, and the players lose nothing. How much it costs is bench/attack's to say.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <string.h>

#include "bench/attack.h"
#include "tests/live_endpoint.h"

enum {
    PLAYERS = 2,
    PORTION = 50,           // datagrams between two looks at the players
    COUNTS_PATIENCE = 5000, // rounds of the players' until all is counted
    LONG_LEN = 20000,
    CONNS_MAX = 256,
    COUNTERS_MAX = 256,
    BUFFERS_SMALL = 4 << 20 // of which one client could take a good part
};

// An attack, how many of it, and what the server counts of them.
struct row {
    const char *attack;
    uint32_t shots;
    const char *counters[2]; // whose sum grows
    double share;            // by this share of the shots, at least
    const char *stays;       // a counter that stays 0; NULL: none
    uint64_t buffers_max;    // 0: the default, as for what follows
    uint32_t clients;        // that attack
};

static const struct row rows[] = {
    // Nothing that there is a connection or a type for.
    {"garbage", 400, {"dropped_connection", "dropped_type"}, 0.5, "requests", 0, 0},
    {"short", 400, {"dropped_short", "dropped_type"}, 0.5, NULL, 0, 0},
    {"unknown-id", 400, {"dropped_connection"}, 1, NULL, 0, 0},
    {"reflect", 400, {"dropped_unexpected"}, 1, NULL, 0, 0},
    // An address that is not proven gets a cookie, and nothing is kept for it.
    {"hello", 400, {"retries"}, 1, "closed_crowded_out", 0, 0},
    {"hello-again", 400, {"datagrams_out"}, 1, "closed_crowded_out", 0, 0},
    {"made-up-cookie", 400, {"dropped_cookie", "socket_drops"}, 1, "closed_crowded_out", 0, 0},
    {"anothers-cookie", 400, {"dropped_cookie"}, 0.8, "closed_crowded_out", 0, 0},
    {"retry-reflection", 400, {"retries"}, 1, "closed_crowded_out", 0, 0},
    {"refuse-reflection", 400, {"dropped_version"}, 1, NULL, 0, 0},
    // One that is gets a welcome, as often as an address may, and the oldest goes.
    {"half-open", 400, {"conns_accepted"}, 0.8, NULL, 0, 0},
    {"half-open-one", 400, {"dropped_rate"}, 0.2, NULL, 0, 0},
    {"handshakes", 150, {"handshakes_done"}, 0.6, NULL, 0, 0},
    {"table", 400, {"handshakes_done"}, 0.5, NULL, 0, 0},
    {"bad-finish", 600, {"dropped_forged", "dropped_connection"}, 0.5, NULL, 0, 0},
    // A ticket is nothing without its key.
    {"made-up-ticket", 400, {"dropped_ticket_key"}, 1, NULL, 0, 0},
    {"anothers-ticket", 400, {"dropped_ticket_forged"}, 1, "handshakes_resumed", 0, 0},
    {"repeated-ticket", 200, {"conns_accepted"}, 0.8, "handshakes_resumed", 0, 0},
    // Who has no key changes nothing.
    {"forged", 400, {"dropped_forged"}, 1, "paths_changed", 0, 0},
    {"forged-authenticated", 400, {"dropped_forged"}, 1, "paths_changed", 0, 0},
    {"forged-plain", 400, {"dropped_forged"}, 1, "paths_changed", 0, 0},
    {"forged-epoch", 400, {"dropped_forged", "dropped_epoch"}, 1, "paths_changed", 0, 0},
    {"replay", 400, {"dropped_replay"}, 0.99, "paths_changed", 0, 0},
    {"forged-finish", 400, {"datagrams_in"}, 1, "paths_changed", 0, 0},
    // Who has one gets what is his, or is sent away.
    {"pieces-memory", 100, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"pieces-work", 100, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"pieces-backwards", 100, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"pieces-torn", 100, {"messages_torn"}, 0.1, NULL, 0, 0},
    {"behind-hole", 400, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"old-message", 400, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"nothing-acked", 400, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"optimist", 400, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"acks", 400, {"datagrams_in"}, 0.1, NULL, 0, 0},
    {"messages", 400, {"messages_in_both"}, 1, NULL, 0, 0},
    {"pings", 400, {"datagrams_in"}, 1, NULL, 0, 0},
    {"asks", 400, {"datagrams_in"}, 1, NULL, 0, 0},
    {"challenges", 400, {"datagrams_in"}, 1, "paths_changed", 0, 0},
    {"moves", 400, {"datagrams_in"}, 1, "paths_changed", 0, 0},
    {"updates", 400, {"datagrams_in"}, 1, NULL, 0, 0},
    {"update-wishes", 400, {"datagrams_in"}, 1, NULL, 0, 0},
    {"nonsense", 400, {"dropped_unexpected", "dropped_malformed"}, 1, NULL, 0, 0},
    // He cannot have what is the others', nor be sent more than he takes.
    {"pieces-memory", 300, {"datagrams_in"}, 1, NULL, BUFFERS_SMALL, 0},
    {"behind-hole", 6000, {"datagrams_in"}, 0.2, NULL, BUFFERS_SMALL, 16},
    {"optimist", 1000, {"closed_protocol"}, 0.001, NULL, 0, 0},
    // Streams.
    {"tcp-churn", 200, {"conns_accepted"}, 0.9, "requests", 0, 0},
    {"tcp-churn-many", 200, {"conns_accepted"}, 0.9, "requests", 0, 0},
    {"tcp-slow", 200, {"conns_accepted"}, 0.9, "requests", 0, 0},
    {"tcp-lies", 200, {"dropped_frame"}, 0.5, "requests", 0, 0},
    {"tcp-nonsense", 200, {"dropped_no_key", "dropped_type"}, 0.5, "requests", 0, 0},
};

// A server, those who play on it, and who attacks it.
struct field {
    struct live_endpoint server;
    struct live_endpoint client;
    struct live_pair pairs[PLAYERS];
    uint64_t requests; // of the players
    size_t echoed;     // to them
    struct attacker attacker;
};

// The server's application sends back what comes.
static void echo(struct live_endpoint *live, struct hail_endpoint *endpoint,
                 const struct hail_event *event)
{
    const struct hail_message message = {
        .data = event->data, .len = event->len, .flags = event->flags, .channel = event->channel};

    (void)live;
    if (event->type == HAIL_EVENT_MESSAGE)
        (void)hail_send(endpoint, event->conn, &message); // who has gone needs no answer
}

static void field_init(struct field *field, const struct row *row, const struct attack *attack)
{
    struct hail_config config = live_config();
    bool is_stream = attack->by == ATTACK_BY_STREAM;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    memset(field, 0, sizeof *field);
    config.profile = is_stream ? HAIL_PROFILE_MLAPI : HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.native.cookies = HAIL_COOKIE_ALWAYS;
    config.conns_max = CONNS_MAX;
    config.buffers_max = row->buffers_max;
    field->server.react = echo;
    field->server.forgets_messages = true;
    live_start(&field->server, &config, true);
    config.buffers_max = 0;
    live_start(&field->client, &config, false);
    live_join(field->pairs, PLAYERS, &field->server, &field->client, 0);
    at.sin_port = htons(hail_port(field->server.endpoint));
    ck_assert(attacker_open(&field->attacker, attack, &at, HAIL_HELLO_NN, row->clients, false));
}

// Sends a message of each kind from each player, and waits for all of them to come back: so what
// was sent before is done with as well.
static void play(struct field *field)
{
    static const uint8_t bytes[LONG_LEN];
    const struct hail_message messages[] = {
        {.data = bytes, .len = 128, .flags = HAIL_ENCRYPTED, .channel = HAIL_UNRELIABLE},
        {.data = bytes, .len = LONG_LEN, .flags = HAIL_ENCRYPTED, .channel = HAIL_RELIABLE_ORDERED},
    };

    for (size_t i = 0; i < PLAYERS; i++) {
        for (size_t j = 0; j < LIVE_COUNTOF(messages); j++) {
            ck_assert_int_eq(
                hail_send(field->client.endpoint, field->pairs[i].client, &messages[j]), HAIL_OK);
            live_wait(&field->client, HAIL_EVENT_MESSAGE, field->echoed++);
        }
    }
}

static uint64_t counted(const struct field *field, const struct row *row)
{
    struct hail_counter counters[COUNTERS_MAX];
    size_t count = hail_stats(field->server.endpoint, counters, COUNTERS_MAX);
    uint64_t sum = 0;

    ck_assert_uint_le(count, COUNTERS_MAX);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < LIVE_COUNTOF(row->counters) && row->counters[j]; j++)
            sum += strcmp(counters[i].name, row->counters[j]) == 0 ? counters[i].value : 0;
    }
    return sum;
}

static void attack_in_portions(struct field *field, uint32_t shots)
{
    for (uint32_t done = 0; done < shots; done++) {
        attacker_shoot(&field->attacker);
        if ((done + 1) % PORTION > 0)
            continue;
        attacker_hear(&field->attacker);
        play(field);
        attacker_hear(&field->attacker); // what was answered, and what is to be said to that
    }
    play(field);
}

// What the kernel has counted the server reads ten times a second; and a handshake that the server
// was still at when the last datagram went is carried on.
static uint64_t await_counts(struct field *field, const struct row *row, uint64_t want)
{
    uint64_t sum = counted(field, row);

    for (int i = 0; i < COUNTS_PATIENCE && sum < want; i++) {
        attacker_hear(&field->attacker);
        play(field);
        sum = counted(field, row);
    }
    return sum;
}

static void expect(struct field *field, const struct row *row, uint64_t before)
{
    const struct attacker *attacker = &field->attacker;
    const struct wire *wire = &attacker->wire;
    uint64_t want = (uint64_t)(row->share * row->shots);
    uint64_t grown = await_counts(field, row, before + want) - before;
    uint64_t stayed = row->stays ? live_stat(&field->server, row->stays) : 0;

    ck_assert_msg(grown >= want, "%s: of %u shots %llu were counted as %s", row->attack, row->shots,
                  (unsigned long long)grown, row->counters[0]);
    if (row->stays && strcmp(row->stays, "requests") == 0)
        stayed -= PLAYERS;
    ck_assert_msg(stayed == 0, "%s: %s is %llu", row->attack, row->stays,
                  (unsigned long long)stayed);
    if (attacker->attack->by == ATTACK_BY_STRANGER)
        ck_assert_msg(wire->bytes_in <= 3 * wire->bytes_out, "%s: %llu bytes for %llu", row->attack,
                      (unsigned long long)wire->bytes_in, (unsigned long long)wire->bytes_out);
    if (attacker->attack->by == ATTACK_BY_FORGER)
        ck_assert_msg(wire->bytes_in <= wire->bytes_out, "%s: %llu bytes for %llu", row->attack,
                      (unsigned long long)wire->bytes_in, (unsigned long long)wire->bytes_out);
}

START_TEST(test_attack)
{
    static struct field field; // large
    const struct row *row = &rows[_i];
    const struct attack *attack = attacks_find(row->attack);

    ck_assert_msg(attack != NULL, "there is no attack %s", row->attack);
    field_init(&field, row, attack);
    uint64_t before = counted(&field, row);
    attack_in_portions(&field, row->shots);
    expect(&field, row, before);
    ck_assert_uint_eq(live_count(&field.client, HAIL_EVENT_CLOSED), 0);
    attacker_close(&field.attacker);
    play(&field);
    live_stop(&field.client, 0);
    live_stop(&field.server, 0);
}
END_TEST

// None is left out.
START_TEST(test_all)
{
    for (size_t i = 0; i < attacks_count(); i++) {
        size_t found = 0;
        for (size_t j = 0; j < LIVE_COUNTOF(rows); j++)
            found += strcmp(rows[j].attack, attacks_at(i)->name) == 0;
        ck_assert_msg(found > 0, "%s is not tried", attacks_at(i)->name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attack");
    TCase *tests = tcase_create("attack");

    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, test_attack, 0, LIVE_COUNTOF(rows));
    tcase_add_test(tests, test_all);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
