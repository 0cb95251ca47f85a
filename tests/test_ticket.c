// test_ticket.c: tickets and what they are taken for: what a server must not open, what a client
// must not use, and handshakes that nobody but a ticket's owner and its server gets through.
// SPDX-License-Identifier: MIT
#include "proto/ticket.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "proto/handshake.h"
#include "tests/vectors.h"

static const uint64_t now_s = 1700000000;
static const uint8_t policy[HAIL_POLICY_HASH_LEN] = {1, 2, 3};
static const uint8_t psk[HAIL_NOISE_PSK_LEN] = {4, 5, 6};

// ---- The server's side

struct sealed {
    struct hail_random dice;
    struct hail_ticket_key key;
    uint8_t scope[HAIL_TICKET_SCOPE_LEN];
    uint8_t ticket[HAIL_TICKET_LEN];
};

static void seal(struct sealed *sealed, uint8_t secret_byte)
{
    const uint8_t secret[HAIL_TICKET_SECRET_LEN] = {secret_byte};

    hail_random_init_seeded(&sealed->dice, test_seed());
    hail_ticket_key_init(&sealed->key, secret);
    hail_ticket_server_scope(sealed->scope, HAIL_NOISE_NX, policy, "play.test");
    hail_ticket_seal(sealed->ticket, &sealed->key, sealed->scope, psk, now_s + 100, &sealed->dice);
}

// Opens in memory of exactly the ticket's length. What is refused leaves no key behind.
static enum hail_verdict reopen(const struct sealed *sealed, size_t len, uint64_t at_s)
{
    const uint8_t none[HAIL_NOISE_PSK_LEN] = {0};
    uint8_t got[HAIL_NOISE_PSK_LEN] = {0};
    uint8_t *exact = malloc(len > 0 ? len : 1);

    ck_assert_ptr_nonnull(exact);
    for (size_t i = 0; i < len; i++)
        exact[i] = i < sizeof sealed->ticket ? sealed->ticket[i] : 0;
    enum hail_verdict verdict =
        hail_ticket_open(got, (struct hail_bytes){exact, len}, &sealed->key, sealed->scope, at_s);
    ck_assert_mem_eq(got, verdict == HAIL_ACCEPT ? psk : none, sizeof got);
    free(exact);
    return verdict;
}

START_TEST(test_life)
{
    struct sealed sealed;

    seal(&sealed, 1);
    ck_assert_int_eq(reopen(&sealed, HAIL_TICKET_LEN, now_s + 100), HAIL_DROP_TICKET_OLD);
    ck_assert_int_eq(reopen(&sealed, HAIL_TICKET_LEN, UINT64_MAX), HAIL_DROP_TICKET_OLD);
    ck_assert_int_eq(reopen(&sealed, HAIL_TICKET_LEN, now_s + 99), HAIL_ACCEPT);
}
END_TEST

START_TEST(test_ticket_tampered)
{
    struct sealed sealed;

    seal(&sealed, 1);
    for (size_t at = 0; at < HAIL_TICKET_LEN; at++) {
        for (int bit = 0; bit < 8; bit++) {
            sealed.ticket[at] ^= (uint8_t)(1 << bit);
            ck_assert_msg(
                reopen(&sealed, HAIL_TICKET_LEN, now_s) ==
                    (at < HAIL_TICKET_KEY_ID_LEN ? HAIL_DROP_TICKET_KEY : HAIL_DROP_TICKET_FORGED),
                "byte %zu, bit %d", at, bit);
            sealed.ticket[at] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t len = 0; len <= HAIL_TICKET_LEN_MAX; len++) {
        enum hail_verdict want = len < HAIL_TICKET_KEY_ID_LEN ? HAIL_DROP_TICKET_KEY
                                 : len != HAIL_TICKET_LEN     ? HAIL_DROP_TICKET_FORGED
                                                              : HAIL_ACCEPT;
        ck_assert_msg(reopen(&sealed, len, now_s) == want, "%zu bytes", len);
    }
}
END_TEST

static const struct {
    const char *why;
    enum hail_noise_pattern pattern;
    uint8_t policy;
    const char *name;
    uint8_t secret;
    enum hail_verdict want;
} servers[] = {
    {"another key", HAIL_NOISE_NX, 1, "play.test", 2, HAIL_DROP_TICKET_KEY},
    {"unsigned since then", HAIL_NOISE_NN, 1, "play.test", 1, HAIL_DROP_TICKET_FORGED},
    {"another policy", HAIL_NOISE_NX, 9, "play.test", 1, HAIL_DROP_TICKET_FORGED},
    {"another name", HAIL_NOISE_NX, 1, "play.tes", 1, HAIL_DROP_TICKET_FORGED},
    {"no name", HAIL_NOISE_NX, 1, "", 1, HAIL_DROP_TICKET_FORGED},
    {"the same in capitals", HAIL_NOISE_NX, 1, "PLAY.TEST", 1, HAIL_ACCEPT},
};

START_TEST(test_other_server)
{
    uint8_t other_policy[HAIL_POLICY_HASH_LEN];
    struct sealed sealed;
    struct sealed other;

    seal(&sealed, 1);
    seal(&other, servers[_i].secret);
    memcpy(other_policy, policy, sizeof policy);
    other_policy[0] = servers[_i].policy;
    hail_ticket_server_scope(other.scope, servers[_i].pattern, other_policy, servers[_i].name);
    memcpy(other.ticket, sealed.ticket, sizeof other.ticket);
    ck_assert_msg(reopen(&other, HAIL_TICKET_LEN, now_s) == servers[_i].want, "%s",
                  servers[_i].why);
}
END_TEST

// Two tickets for one key, even from dice that fall alike for other servers, are sealed under keys
// of their own: not a byte of their contents can be told from the other.
START_TEST(test_keys_of_their_own)
{
    struct sealed sealed;
    struct sealed other;
    size_t same = 0;

    seal(&sealed, 1);
    other = sealed;
    hail_ticket_seal(other.ticket, &other.key, other.scope, psk, now_s + 100, &other.dice);
    for (size_t i = HAIL_TICKET_KEY_ID_LEN; i < HAIL_TICKET_LEN; i++)
        same += sealed.ticket[i] == other.ticket[i];
    ck_assert_uint_lt(same, 8); // by chance
    ck_assert_int_eq(reopen(&other, HAIL_TICKET_LEN, now_s), HAIL_ACCEPT);
}
END_TEST

// ---- The client's side

static struct hail_resumption some_resumption(void)
{
    struct hail_resumption resumption = {
        .until_s = now_s + 100, .proven_s = now_s - 100, .ticket_len = 10, .ticket = "ten bytes."};

    hail_ticket_client_scope(resumption.scope, HAIL_NOISE_NK, policy, psk, "play.test");
    memcpy(resumption.psk, psk, sizeof psk);
    return resumption;
}

static const struct {
    const char *why;
    uint64_t after_s; // now
    uint64_t proven_s;
    enum hail_noise_pattern pattern;
    uint8_t policy;
    uint8_t server_key;
    const char *host;
    bool want;
} uses[] = {
    {"its life is over", 100, 100, HAIL_NOISE_NK, 1, 4, "play.test", false},
    {"a week of tickets", 0, 7 * 86400, HAIL_NOISE_NK, 1, 4, "play.test", false},
    {"almost a week of tickets", 0, 7 * 86400 - 1, HAIL_NOISE_NK, 1, 4, "play.test", true},
    {"for another exchange", 0, 100, HAIL_NOISE_NX, 1, 4, "play.test", false},
    {"for another policy", 0, 100, HAIL_NOISE_NK, 2, 4, "play.test", false},
    {"for another pinned key", 0, 100, HAIL_NOISE_NK, 1, 5, "play.test", false},
    {"for another host", 0, 100, HAIL_NOISE_NK, 1, 4, "play.tes", false},
    {"for a host below it", 0, 100, HAIL_NOISE_NK, 1, 4, "a.play.test", false},
    {"for the host in capitals", 0, 100, HAIL_NOISE_NK, 1, 4, "Play.Test", true},
    {"for the same", 99, 100, HAIL_NOISE_NK, 1, 4, "play.test", true},
};

START_TEST(test_use)
{
    struct hail_resumption resumption = some_resumption();
    uint8_t scope[HAIL_TICKET_SCOPE_LEN];
    uint8_t other_policy[HAIL_POLICY_HASH_LEN];
    uint8_t server_key[HAIL_X25519_LEN];

    memcpy(other_policy, policy, sizeof policy);
    memcpy(server_key, psk, sizeof psk);
    other_policy[0] = uses[_i].policy;
    server_key[0] = uses[_i].server_key;
    resumption.proven_s = now_s - uses[_i].proven_s;
    hail_ticket_client_scope(scope, uses[_i].pattern, other_policy, server_key, uses[_i].host);
    ck_assert_msg(hail_resumption_good(&resumption, scope, now_s + uses[_i].after_s) ==
                      uses[_i].want,
                  "%s", uses[_i].why);
}
END_TEST

START_TEST(test_written_down)
{
    struct hail_resumption resumption = some_resumption();
    struct hail_resumption read = {0};
    uint8_t bytes[HAIL_RESUMPTION_LEN_MAX + 1] = {0};

    size_t len = hail_resumption_write(bytes, &resumption);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint8_t *exact = malloc(cut > 0 ? cut : 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, bytes, cut);
        ck_assert_msg(hail_resumption_read(&read, (struct hail_bytes){exact, cut}) == (cut == len),
                      "%zu bytes", cut);
        free(exact);
    }
    ck_assert_mem_eq(&read, &resumption, sizeof read);
    bytes[0] = 2;
    ck_assert_msg(!hail_resumption_read(&read, (struct hail_bytes){bytes, len}), "another format");
    resumption.ticket_len = HAIL_TICKET_LEN_MAX;
    ck_assert_uint_eq(hail_resumption_write(bytes, &resumption), HAIL_RESUMPTION_LEN_MAX);
}
END_TEST

// ---- Handshakes

struct ends {
    struct hail_random dice;
    struct hail_client_setup setup;
    struct hail_client_handshake client;
    uint8_t psk[HAIL_NOISE_PSK_LEN]; // in the ticket
    struct hail_agreement servers;
    struct hail_agreement clients;
    struct hail_welcome_terms told;
    uint8_t hello[HAIL_HELLO_LEN];
    uint8_t message[HAIL_WELCOME_MAX];
    size_t message_len;
};

static bool believes_nobody(void *user, const struct hail_keycert *keycert,
                            const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                            struct hail_fault_report *report)
{
    (void)user;
    (void)keycert;
    (void)leaf;
    (void)host;
    (void)unix_s;
    (void)report;
    return false;
}

static void begin(struct ends *ends)
{
    memset(ends, 0, sizeof *ends);
    hail_random_init_seeded(&ends->dice, test_seed());
    memcpy(ends->psk, psk, sizeof psk);
    ends->setup = (struct hail_client_setup){
        .pattern = HAIL_NOISE_NX, .iterations_max = 10, .verifier = {believes_nobody, NULL}};
    memcpy(ends->setup.policy_hash, policy, sizeof policy);
    hail_client_resume(&ends->client, &ends->setup,
                       (struct hail_bytes){(const uint8_t *)"a ticket", 8}, psk, &ends->dice);
    hail_hello_encode(ends->hello, &ends->client.hello);
}

// The server takes a hello as it came.
static enum hail_verdict greet(struct ends *ends)
{
    const struct hail_welcome_terms terms = {3, 15000, 300};
    struct hail_hello hello;
    enum hail_verdict verdict = hail_hello_decode(&hello, ends->hello, sizeof ends->hello);
    struct hail_greeting greeting = {.hello = &hello};

    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (hello.version != HAIL_WIRE_VERSION || hello.pattern != HAIL_HELLO_RESUME)
        return HAIL_DROP_VERSION;
    memcpy(greeting.psk, ends->psk, sizeof greeting.psk);
    if (!hail_server_resumes(&greeting))
        return HAIL_DROP_TICKET_FORGED;
    hail_server_exchange(&greeting, 1, &ends->dice);
    return hail_server_welcome(&ends->servers, ends->message, &ends->message_len, &greeting,
                               &terms);
}

static enum hail_verdict take(struct ends *ends)
{
    static uint8_t payload[HAIL_WELCOME_MAX];
    struct hail_fault_report report;

    return hail_client_welcome(&ends->client, &ends->clients, &ends->told, &report, &ends->setup,
                               "play.test", (int64_t)now_s, ends->message, ends->message_len,
                               payload);
}

// The ends agree, without a certificate, though the client asks for one otherwise.
START_TEST(test_resumed)
{
    const struct hail_bytes data = {(const uint8_t *)"me again", 8};
    uint8_t finish[HAIL_DATAGRAM_MAX];
    struct hail_bytes got;
    static struct ends ends;

    begin(&ends);
    ck_assert_int_eq(greet(&ends), HAIL_ACCEPT);
    ck_assert_uint_eq(ends.message_len, 32 + 10 + 16);
    ck_assert_int_eq(take(&ends), HAIL_ACCEPT);
    ck_assert_mem_eq(&ends.servers, &ends.clients, sizeof ends.servers);
    ck_assert_uint_eq(ends.told.iterations, 3);
    size_t len = hail_client_finish(&ends.clients, finish, 7, data);
    ck_assert_int_eq(hail_server_finish(&ends.servers, &got, finish, len, 300), HAIL_ACCEPT);
    ck_assert_uint_eq(got.len, data.len);

    // Said again by anybody, the hello is answered with other keys, to which the old finish is not.
    struct hail_agreement first = ends.servers;
    len = hail_client_finish(&ends.clients, finish, 7, data);
    ck_assert_int_eq(greet(&ends), HAIL_ACCEPT);
    ck_assert_mem_ne(&ends.servers.ck, &first.ck, sizeof first.ck);
    ck_assert_int_eq(hail_server_finish(&ends.servers, &got, finish, len, 300), HAIL_DROP_FORGED);
}
END_TEST

// Whoever has not the key in the ticket is told at his first message, as server at the second.
START_TEST(test_wrong_psk)
{
    const uint8_t payload[10] = {0, 0, 0, 1};
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    struct hail_x25519_pair fresh;
    struct hail_noise noise;
    static struct ends ends;

    begin(&ends);
    ends.psk[31] ^= 1;
    ck_assert_int_eq(greet(&ends), HAIL_DROP_TICKET_FORGED);

    // A server that knows no key at all: it can make a message, but none that opens.
    hail_x25519_pair_init(&fresh, &ends.dice);
    size_t prologue_len = hail_prologue_write(prologue, &ends.client.hello);
    hail_noise_init(&noise, &(struct hail_noise_setup){.pattern = HAIL_NOISE_NN,
                                                       .prologue = {prologue, prologue_len},
                                                       .e = &fresh,
                                                       .psk = ends.psk});
    memcpy(noise.re, ends.client.hello.noise, sizeof noise.re);
    noise.message = 1;
    ends.message_len = 32 + sizeof payload + 16;
    ck_assert(hail_noise_write(&noise, ends.message, (struct hail_bytes){payload, sizeof payload}));
    ck_assert_int_eq(take(&ends), HAIL_DROP_FORGED);
}
END_TEST

// Every byte of the hello is bound: ticket and policy among them.
START_TEST(test_hello_tampered)
{
    static struct ends ends;

    begin(&ends);
    for (size_t at = 1; at < HAIL_HELLO_LEN; at++) {
        for (int bit = 0; bit < 8; bit += 7) {
            ends.hello[at] ^= (uint8_t)(1 << bit);
            enum hail_verdict verdict = greet(&ends);
            bool wanted = at == 52 && bit == 0; // which fragment is wanted
            ck_assert_msg((verdict == HAIL_ACCEPT) == wanted, "byte %zu, bit %d: %s", at, bit,
                          hail_verdict_name(verdict));
            ends.hello[at] ^= (uint8_t)(1 << bit);
        }
    }
    ck_assert_int_eq(greet(&ends), HAIL_ACCEPT);
}
END_TEST

START_TEST(test_welcome_tampered)
{
    static struct ends ends;

    begin(&ends);
    ck_assert_int_eq(greet(&ends), HAIL_ACCEPT);
    for (size_t at = 0; at < ends.message_len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            ends.message[at] ^= (uint8_t)(1 << bit);
            ck_assert_msg(take(&ends) == HAIL_DROP_FORGED, "byte %zu, bit %d", at, bit);
            ends.message[at] ^= (uint8_t)(1 << bit);
        }
    }
    ck_assert_int_eq(take(&ends), HAIL_ACCEPT);
}
END_TEST

// An initiator with a key of low order holds its ticket, and is found out at the exchange.
START_TEST(test_low_point)
{
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    struct hail_x25519_pair fresh = {{1}, {0}};
    static struct ends ends;

    begin(&ends);
    size_t prologue_len = hail_prologue_write(prologue, &ends.client.hello);
    hail_noise_init(&ends.client.noise,
                    &(struct hail_noise_setup){.pattern = HAIL_NOISE_NN,
                                               .initiator = true,
                                               .prologue = {prologue, prologue_len},
                                               .e = &fresh,
                                               .psk = psk});
    ck_assert(hail_noise_write(&ends.client.noise, ends.hello + 78, (struct hail_bytes){NULL, 0}));
    ck_assert_int_eq(greet(&ends), HAIL_DROP_POINT);
}
END_TEST

// The key of a connection's tickets is none of its traffic's, and another's for another.
START_TEST(test_psk)
{
    uint8_t stretched[HAIL_STRETCHED_LEN] = {1};
    uint8_t keys[2][HAIL_NOISE_PSK_LEN];

    hail_ticket_psk(keys[0], stretched);
    ck_assert_mem_ne(keys[0], stretched, sizeof keys[0]);
    stretched[31] = 1;
    hail_ticket_psk(keys[1], stretched);
    ck_assert_mem_ne(keys[0], keys[1], sizeof keys[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ticket");
    TCase *tests = tcase_create("ticket");

    tcase_add_test(tests, test_life);
    tcase_add_test(tests, test_ticket_tampered);
    tcase_add_loop_test(tests, test_other_server, 0, HAIL_COUNTOF(servers));
    tcase_add_test(tests, test_keys_of_their_own);
    tcase_add_loop_test(tests, test_use, 0, HAIL_COUNTOF(uses));
    tcase_add_test(tests, test_written_down);
    tcase_add_test(tests, test_resumed);
    tcase_add_test(tests, test_wrong_psk);
    tcase_add_test(tests, test_hello_tampered);
    tcase_add_test(tests, test_welcome_tampered);
    tcase_add_test(tests, test_low_point);
    tcase_add_test(tests, test_psk);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
