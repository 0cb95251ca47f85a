// test_handshake.c: both ends of the native handshake in memory: what each must refuse, and why;
// and that honest ends reach the same keys.
// SPDX-License-Identifier: MIT
#include "proto/handshake.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "crypto/secret.h"
#include "proto/traffic.h"
#include "tests/vectors.h"

enum {
    DATA_LEN = 20,
    ITERATIONS = 3
};

static const int64_t now_s = 1700000000;
static const int64_t day_s = 86400;
static const uint8_t conn_data[DATA_LEN] = "let me in";
static uint64_t seed; // of all dice

// Somebody with a certificate, and what those who believe him trust. Made once: it is slow.
struct live_endpoint {
    struct hail_issued *root;
    struct hail_issued *server;
    struct hail_identity *identity;
    struct hail_trust *trust;
};
static struct live_endpoint honest;
static struct live_endpoint stranger; // the same names, by a root that nobody asked for
static struct live_endpoint ended;    // the honest root's, of a certificate that is over

static struct hail_issued *issue(const struct hail_issued *by, bool ca, int64_t to_s)
{
    const char *const names[] = {"play.test"};
    const struct hail_issue_terms terms = {
        .common_name = ca ? "root" : "play.test",
        .names = names,
        .name_count = ca ? 0 : 1,
        .use = ca ? HAIL_ISSUE_CA : HAIL_ISSUE_SERVER,
        .from_s = now_s - 10 * day_s,
        .to_s = to_s,
        .key = HAIL_ISSUE_ED25519,
    };
    struct hail_fault_report report;
    struct hail_issued *issued;

    HAIL_ASSERT(hail_issue(&issued, by, &terms, &report));
    return issued;
}

static size_t append_pem(uint8_t *pem, const struct hail_issued *issued, bool key)
{
    uint8_t *text;
    size_t len;

    HAIL_ASSERT((key ? hail_issued_key_pem : hail_issued_certificate_pem)(issued, &text, &len));
    memcpy(pem, text, len);
    free(text);
    return len;
}

static void live_init(struct live_endpoint *live, const struct hail_issued *by, int64_t to_s)
{
    static uint8_t pem[1 << 14];
    struct hail_fault_report report;

    live->root = by ? NULL : issue(NULL, true, now_s + 1000 * day_s);
    live->server = issue(by ? by : live->root, false, to_s);
    size_t len = append_pem(pem, by ? by : live->root, false);
    HAIL_ASSERT(hail_trust_load(&live->trust, (struct hail_bytes){pem, len}, &report));
    len = append_pem(pem, live->server, false);
    len += append_pem(pem + len, live->server, true);
    HAIL_ASSERT(hail_identity_load(&live->identity, (struct hail_bytes){pem, len},
                                   (struct hail_bytes){NULL, 0}, NULL, &report));
}

static void live_cleanup(struct live_endpoint *live)
{
    hail_identity_free(live->identity);
    hail_trust_free(live->trust);
    hail_issued_free(live->server);
    hail_issued_free(live->root);
}

static bool believe(void *user, const struct hail_keycert *keycert,
                    const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                    struct hail_fault_report *report)
{
    return hail_keycert_check_names(keycert, leaf, user, host, unix_s, report);
}

static bool believe_all(void *user, const struct hail_keycert *keycert,
                        const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                        struct hail_fault_report *report)
{
    (void)keycert;
    (void)leaf;
    (void)host;
    (void)unix_s;
    (void)report;
    ++*(int *)user;
    return true;
}

// Both ends of one handshake, and what travels.
struct ends {
    struct hail_random dice;
    struct hail_client_setup setup;
    struct hail_client_handshake client;
    struct hail_static_key key;
    struct hail_welcome_terms terms; // of the server
    struct hail_welcome_terms told;  // what the client makes of it
    struct hail_agreement servers;
    struct hail_agreement clients;
    struct hail_fault_report report;
    const char *host;
    uint8_t hello[HAIL_HELLO_LEN];
    uint8_t message[HAIL_WELCOME_MAX]; // the second of Noise
    size_t message_len;
};

static void vouch(struct ends *ends, const struct hail_identity *identity, const char *name,
                  int64_t from_s, int64_t to_s, const uint8_t key[HAIL_X25519_LEN])
{
    ck_assert_msg(hail_keycert_make(ends->key.keycert, &ends->key.keycert_len, identity, name,
                                    (uint64_t)from_s, (uint64_t)to_s, key, &ends->report),
                  "%s", ends->report.text);
}

// Begins with a client's hello.
static void begin(struct ends *ends, enum hail_noise_pattern pattern)
{
    struct hail_x25519_pair pair;

    memset(ends, 0, sizeof *ends);
    hail_random_init_seeded(&ends->dice, seed);
    hail_x25519_pair_init(&pair, &ends->dice);
    hail_static_key_init(&ends->key, &pair);
    ends->host = "play.test";
    ends->terms = (struct hail_welcome_terms){ITERATIONS, 15000, 300};
    ends->setup = (struct hail_client_setup){
        .pattern = pattern,
        .policy_hash = {1, 2, 3},
        .iterations_max = HAIL_ITERATIONS_MAX,
        .server_key = pattern == HAIL_NOISE_NK ? ends->key.pair.public_key : NULL,
        .verifier = {believe, honest.trust},
    };
    if (pattern == HAIL_NOISE_NX)
        vouch(ends, honest.identity, "", now_s - day_s, now_s + day_s, ends->key.pair.public_key);
    ck_assert(hail_client_init(&ends->client, &ends->setup, &ends->dice));
    hail_hello_encode(ends->hello, &ends->client.hello);
}

// The server answers a hello.
static enum hail_verdict answer(struct ends *ends, const struct hail_hello *hello)
{
    struct hail_greeting greeting = {.hello = hello, .key = &ends->key};

    hail_server_exchange(&greeting, 1, &ends->dice);
    return hail_server_welcome(&ends->servers, ends->message, &ends->message_len, &greeting,
                               &ends->terms);
}

// A server takes a hello as it came, and compares what a server has to.
static enum hail_verdict greet(struct ends *ends, const uint8_t *datagram, size_t len)
{
    struct hail_hello hello;
    enum hail_verdict verdict = hail_hello_decode(&hello, datagram, len);
    bool pinned = hello.pattern == HAIL_NOISE_NK;

    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (hello.version != HAIL_WIRE_VERSION)
        return HAIL_DROP_VERSION;
    if (hello.pattern < HAIL_NOISE_NX || hello.pattern > HAIL_NOISE_NK)
        return HAIL_DROP_PATTERN;
    if (!hail_equal(hello.policy_hash, ends->setup.policy_hash, sizeof hello.policy_hash))
        return HAIL_DROP_POLICY;
    if (pinned && !hail_equal(hello.static_id, ends->key.id, sizeof hello.static_id))
        return HAIL_DROP_STATIC;
    return answer(ends, &hello);
}

// The client takes a message, in memory of exactly its length. Refused, it leaves no trace.
static enum hail_verdict take(struct ends *ends, const uint8_t *message, size_t len)
{
    static struct hail_client_handshake before;
    const struct hail_agreement none = {0};
    uint8_t *exact = malloc(len > 0 ? len : 1);
    uint8_t *payload = malloc(len > 0 ? len : 1);

    ck_assert(exact && payload);
    if (len > 0)
        memcpy(exact, message, len);
    before = ends->client;
    memset(&ends->clients, 0, sizeof ends->clients);
    memset(&ends->told, 0, sizeof ends->told);
    memset(&ends->report, 0, sizeof ends->report);
    enum hail_verdict verdict =
        hail_client_welcome(&ends->client, &ends->clients, &ends->told, &ends->report, &ends->setup,
                            ends->host, now_s, exact, len, payload);
    if (verdict != HAIL_ACCEPT) {
        ck_assert_mem_eq(&ends->client, &before, sizeof before);
        ck_assert_mem_eq(&ends->clients, &none, sizeof none);
        ck_assert_uint_eq(ends->told.iterations, 0);
    }
    free(exact);
    free(payload);
    return verdict;
}

// The server takes a finish, in memory of exactly its length.
static enum hail_verdict join(struct ends *ends, const uint8_t *datagram, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    struct hail_bytes data = {NULL, 0};
    struct hail_finish finish;

    ck_assert_ptr_nonnull(exact);
    if (len > 0)
        memcpy(exact, datagram, len);
    enum hail_verdict verdict = hail_finish_decode(&finish, exact, len);
    if (verdict == HAIL_ACCEPT)
        verdict = hail_server_finish(&ends->servers, &data, exact, len, ends->terms.conn_data_max);
    if (verdict == HAIL_ACCEPT) {
        ck_assert_uint_eq(data.len, DATA_LEN);
        ck_assert_mem_eq(data.data, conn_data, DATA_LEN);
    }
    free(exact);
    return verdict;
}

static size_t say_finish(struct ends *ends, uint8_t datagram[HAIL_DATAGRAM_MAX])
{
    return hail_client_finish(&ends->clients, datagram, 0x01020304,
                              (struct hail_bytes){conn_data, DATA_LEN});
}

// The rest of an honest handshake, from the client's hello on.
static void complete(struct ends *ends)
{
    uint8_t finish[HAIL_DATAGRAM_MAX];

    ck_assert_int_eq(greet(ends, ends->hello, HAIL_HELLO_LEN), HAIL_ACCEPT);
    ck_assert_int_eq(take(ends, ends->message, ends->message_len), HAIL_ACCEPT);
    ck_assert_int_eq(join(ends, finish, say_finish(ends, finish)), HAIL_ACCEPT);
    ck_assert_mem_eq(&ends->servers, &ends->clients, sizeof ends->clients);
}

// A server with a will of its own: any payload, and any static key, in a message that opens.
static void answer_with(struct ends *ends, const struct hail_x25519_pair *s,
                        struct hail_bytes payload)
{
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    uint8_t nothing[HAIL_NOISE_FIRST_MAX];
    struct hail_x25519_pair fresh;
    struct hail_noise noise;

    hail_x25519_pair_init(&fresh, &ends->dice);
    size_t prologue_len = hail_prologue_write(prologue, &ends->client.hello);
    hail_noise_init(&noise, &(struct hail_noise_setup){
                                .pattern = ends->setup.pattern,
                                .prologue = {prologue, prologue_len},
                                .e = &fresh,
                                .s = s,
                            });
    ck_assert(hail_noise_read(&noise, nothing, ends->client.hello.noise,
                              hail_noise_first_len((uint8_t)ends->setup.pattern)));
    ends->message_len = hail_noise_overhead(&noise) + payload.len;
    ck_assert_uint_le(ends->message_len, sizeof ends->message);
    ck_assert(hail_noise_write(&noise, ends->message, payload));
}

static const char *const pattern_names[] = {"", "NX", "NN", "NK"};

// Every byte of the hello, changed on its way: the server drops or refuses it, or the two ends do
// not agree. What the transcript does not cover is what may change between two sendings.
START_TEST(test_hello_tampered)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    static struct ends ends;

    begin(&ends, pattern);
    for (size_t at = 0; at < HAIL_HELLO_LEN; at++) {
        for (int bit = 0; bit < 8; bit += 7) {
            enum hail_datagram_type type;
            ends.hello[at] ^= (uint8_t)(1 << bit);
            enum hail_verdict verdict =
                hail_datagram_type_of(&type, ends.hello, 1) != HAIL_ACCEPT ||
                        type != HAIL_DATAGRAM_HELLO
                    ? HAIL_DROP_TYPE
                    : greet(&ends, ends.hello, HAIL_HELLO_LEN);
            if (verdict == HAIL_ACCEPT)
                verdict = take(&ends, ends.message, ends.message_len);
            bool wanted = at == 52 && bit == 0; // which fragment is wanted
            ck_assert_msg((verdict == HAIL_ACCEPT) == wanted, "%s, byte %zu, bit %d: %s",
                          pattern_names[pattern], at, bit, hail_verdict_name(verdict));
            ends.hello[at] ^= (uint8_t)(1 << bit);
        }
    }
    complete(&ends);
}
END_TEST

START_TEST(test_welcome_tampered)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    static struct ends ends;

    begin(&ends, pattern);
    ck_assert_int_eq(greet(&ends, ends.hello, HAIL_HELLO_LEN), HAIL_ACCEPT);
    for (size_t at = 0; at < ends.message_len; at++) {
        for (int bit = 0; bit < 8; bit += 7) {
            ends.message[at] ^= (uint8_t)(1 << bit);
            ck_assert_msg(take(&ends, ends.message, ends.message_len) == HAIL_DROP_FORGED,
                          "%s, byte %zu, bit %d", pattern_names[pattern], at, bit);
            ends.message[at] ^= (uint8_t)(1 << bit);
        }
    }
    size_t least = ends.message_len - ends.key.keycert_len;
    for (size_t len = 0; len < ends.message_len; len++)
        ck_assert_msg(take(&ends, ends.message, len) ==
                          (len < least ? HAIL_DROP_SHORT : HAIL_DROP_FORGED),
                      "%s, %zu bytes", pattern_names[pattern], len);
    ck_assert_int_eq(take(&ends, ends.message, ends.message_len + 1), HAIL_DROP_FORGED);
    ck_assert_int_eq(take(&ends, ends.message, sizeof ends.message), HAIL_DROP_FORGED);
    ck_assert_int_eq(take(&ends, ends.message, ends.message_len), HAIL_ACCEPT);
    ck_assert_mem_eq(&ends.servers, &ends.clients, sizeof ends.clients);
}
END_TEST

START_TEST(test_finish_tampered)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    static struct ends ends;
    uint8_t finish[HAIL_DATAGRAM_MAX + 1];

    begin(&ends, pattern);
    complete(&ends);
    size_t len = say_finish(&ends, finish);
    for (size_t at = 0; at < len; at++) {
        finish[at] ^= 1;
        ck_assert_msg(join(&ends, finish, len) == HAIL_DROP_FORGED, "byte %zu", at);
        finish[at] ^= 1;
    }
    for (size_t cut = 0; cut < len; cut++) {
        bool no_room = cut < HAIL_FINISH_HEADER_LEN + HAIL_AEAD_TAG_LEN;
        ck_assert_msg(join(&ends, finish, cut) == (no_room ? HAIL_DROP_SHORT : HAIL_DROP_FORGED),
                      "%zu bytes", cut);
    }
    memset(finish + len, 0, sizeof finish - len);
    ck_assert_int_eq(join(&ends, finish, len + 1), HAIL_DROP_FORGED);
    ck_assert_int_eq(join(&ends, finish, HAIL_DATAGRAM_MAX), HAIL_DROP_TOO_LARGE);
    ck_assert_int_eq(join(&ends, finish, sizeof finish), HAIL_DROP_MALFORMED);
    ends.terms.conn_data_max = DATA_LEN - 1;
    ck_assert_int_eq(join(&ends, finish, len), HAIL_DROP_TOO_LARGE);
    ends.terms.conn_data_max = DATA_LEN;
    ck_assert_int_eq(join(&ends, finish, len), HAIL_ACCEPT);
}
END_TEST

// Somebody in between asks for a weaker exchange than the client did.
START_TEST(test_downgrade)
{
    enum hail_noise_pattern from = (enum hail_noise_pattern)(1 + _i / 3);
    enum hail_noise_pattern to = (enum hail_noise_pattern)(1 + _i % 3);
    static struct ends ends;

    begin(&ends, from);
    if (from == to)
        return;
    struct hail_hello hello = ends.client.hello;
    hello.pattern = (uint8_t)to;
    enum hail_verdict verdict = answer(&ends, &hello);
    if (to == HAIL_NOISE_NK)
        ck_assert_int_eq(verdict, HAIL_DROP_FORGED);
    else
        ck_assert_int_eq(verdict, HAIL_ACCEPT);
    if (verdict == HAIL_ACCEPT) {
        verdict = take(&ends, ends.message, ends.message_len);
        ck_assert_msg(verdict == HAIL_DROP_FORGED || verdict == HAIL_DROP_SHORT, "%s taken for %s",
                      pattern_names[to], pattern_names[from]);
    }
    complete(&ends);
}
END_TEST

// Somebody in between has a server answer that would take another hello than the client said: with
// any byte of it that is no part of the Noise message changed, the two do not agree.
START_TEST(test_in_between)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    static struct ends ends;

    begin(&ends, pattern);
    for (size_t at = 0; at < 1 + 8 + 32 + 8; at++) {
        struct hail_hello hello = ends.client.hello;
        if (at == 0)
            hello.version ^= 1;
        else if (at < 9)
            hello.token[at - 1] ^= 1;
        else if (at < 41)
            hello.policy_hash[at - 9] ^= 1;
        else
            hello.static_id[at - 41] ^= 1;
        enum hail_verdict verdict = answer(&ends, &hello);
        if (verdict == HAIL_ACCEPT && pattern != HAIL_NOISE_NK)
            verdict = take(&ends, ends.message, ends.message_len);
        ck_assert_msg(verdict == HAIL_DROP_FORGED, "%s, byte %zu: %s", pattern_names[pattern], at,
                      hail_verdict_name(verdict));
    }
    complete(&ends);
}
END_TEST

static const struct {
    const char *why;
    enum hail_noise_pattern pattern;
    size_t len; // of the payload: what is told, and zeros
    uint32_t iterations;
    uint16_t conn_data_max;
    enum hail_verdict want;
} payloads[] = {
    {"nothing", HAIL_NOISE_NN, 0, 0, 0, HAIL_DROP_SHORT},
    {"a byte too few", HAIL_NOISE_NN, 9, 1, 0, HAIL_DROP_SHORT},
    {"a byte too many", HAIL_NOISE_NN, 11, 1, 0, HAIL_DROP_MALFORMED},
    {"a byte too many, pinned", HAIL_NOISE_NK, 11, 1, 0, HAIL_DROP_MALFORMED},
    {"no key certificate", HAIL_NOISE_NX, 10, 1, 0, HAIL_DROP_MALFORMED},
    {"zeros for a key certificate", HAIL_NOISE_NX, 500, 1, 0, HAIL_DROP_MALFORMED},
    {"a key certificate above 16 KB", HAIL_NOISE_NX, 10 + HAIL_KEYCERT_MAX + 1, 1, 0,
     HAIL_DROP_MALFORMED},
    {"as much as there are fragments for", HAIL_NOISE_NX, HAIL_WELCOME_MAX - 96, 1, 0,
     HAIL_DROP_MALFORMED},
    {"no iterations", HAIL_NOISE_NN, 10, 0, 0, HAIL_DROP_MALFORMED},
    {"more iterations than there may be", HAIL_NOISE_NN, 10, HAIL_ITERATIONS_MAX + 1, 0,
     HAIL_DROP_TOO_LARGE},
    {"all the iterations there are", HAIL_NOISE_NK, 10, UINT32_MAX, 0, HAIL_DROP_TOO_LARGE},
    {"the most iterations", HAIL_NOISE_NN, 10, HAIL_ITERATIONS_MAX, 0, HAIL_ACCEPT},
    {"one iteration", HAIL_NOISE_NK, 10, 1, 0, HAIL_ACCEPT},
    {"as much connection data as a finish holds", HAIL_NOISE_NN, 10, 1, HAIL_FINISH_DATA_MAX,
     HAIL_ACCEPT},
    {"more connection data than a finish holds", HAIL_NOISE_NN, 10, 1, UINT16_MAX, HAIL_ACCEPT},
};

START_TEST(test_payload)
{
    static uint8_t payload[HAIL_WELCOME_MAX];
    uint32_t iterations = payloads[_i].iterations;
    uint16_t data_max = payloads[_i].conn_data_max;
    static struct ends ends;

    begin(&ends, payloads[_i].pattern);
    memset(payload, 0, sizeof payload);
    for (int i = 0; i < 4; i++)
        payload[i] = (uint8_t)(iterations >> (24 - 8 * i));
    payload[8] = (uint8_t)(data_max >> 8);
    payload[9] = (uint8_t)data_max;
    answer_with(&ends, &ends.key.pair, (struct hail_bytes){payload, payloads[_i].len});
    enum hail_verdict verdict = take(&ends, ends.message, ends.message_len);
    ck_assert_msg(verdict == payloads[_i].want, "%s: %s", payloads[_i].why,
                  hail_verdict_name(verdict));
    if (verdict == HAIL_ACCEPT) {
        ck_assert_uint_eq(ends.told.iterations, iterations);
        ck_assert_msg(ends.told.conn_data_max <= HAIL_FINISH_DATA_MAX, "%s", payloads[_i].why);
        ck_assert_uint_eq(ends.told.conn_data_max,
                          data_max < HAIL_FINISH_DATA_MAX ? data_max : HAIL_FINISH_DATA_MAX);
    }
    ends.setup.iterations_max = iterations - 1;
    if (iterations > 1 && verdict == HAIL_ACCEPT)
        ck_assert_msg(take(&ends, ends.message, ends.message_len) == HAIL_DROP_TOO_LARGE,
                      "one more than the client likes");
}
END_TEST

// Who vouches for the server's key, and how.
enum voucher {
    HONEST,
    STRANGER,     // the whole of it is by another
    ENDED,        // by a certificate that is over
    OTHER_KEY,    // by the right one, for another static key
    CUT,          // without its last byte
    AGREES,       // by a certificate whose key is for agreeing on keys
    SIGNATURE_BIT // one bit of the signature is wrong
};

static const struct {
    const char *why;
    enum voucher voucher;
    bool trusts_all; // the client's application
    const char *name;
    const char *host;
    int64_t from_days;
    int64_t to_days;
    enum hail_verdict want;
    enum hail_fault fault;
} vouchers[] = {
    {"over", HONEST, false, "", "play.test", -2, -1, HAIL_DROP_SIGNATURE, HAIL_FAULT_EXPIRED},
    {"not yet", HONEST, false, "", "play.test", 1, 2, HAIL_DROP_SIGNATURE,
     HAIL_FAULT_NOT_YET_VALID},
    {"over, and the application believes all", HONEST, true, "", "play.test", -2, -1,
     HAIL_DROP_SIGNATURE, HAIL_FAULT_EXPIRED},
    {"another name than was asked for", HONEST, false, "", "other.test", -1, 1,
     HAIL_DROP_CERTIFICATE, HAIL_FAULT_WRONG_NAME},
    {"under another name", HONEST, false, "eu.play.test", "play.test", -1, 1, HAIL_DROP_CERTIFICATE,
     HAIL_FAULT_WRONG_NAME},
    {"by nobody we know", STRANGER, false, "", "play.test", -1, 1, HAIL_DROP_CERTIFICATE,
     HAIL_FAULT_UNKNOWN_ISSUER},
    {"by a certificate that is over", ENDED, false, "", "play.test", -1, 1, HAIL_DROP_CERTIFICATE,
     HAIL_FAULT_EXPIRED},
    {"for another static key", OTHER_KEY, false, "", "play.test", -1, 1, HAIL_DROP_SIGNATURE,
     HAIL_FAULT_SIGNATURE},
    {"for another static key, and the application believes all", OTHER_KEY, true, "", "play.test",
     -1, 1, HAIL_DROP_SIGNATURE, HAIL_FAULT_SIGNATURE},
    {"a wrong signature", SIGNATURE_BIT, false, "", "play.test", -1, 1, HAIL_DROP_SIGNATURE,
     HAIL_FAULT_SIGNATURE},
    {"a key that cannot sign, and the application believes all", AGREES, true, "", "play.test", -1,
     1, HAIL_DROP_SIGNATURE, HAIL_FAULT_KEY_KIND},
    {"cut", CUT, false, "", "play.test", -1, 1, HAIL_DROP_MALFORMED, HAIL_FAULT_NONE},
    {"the right one", HONEST, false, "", "play.test", -1, 1, HAIL_ACCEPT, HAIL_FAULT_NONE},
    {"the right one, under its name", HONEST, false, "play.test", "Play.Test", -1, 1, HAIL_ACCEPT,
     HAIL_FAULT_NONE},
    {"by nobody we know, and the application believes all", STRANGER, true, "", "play.test", -1, 1,
     HAIL_ACCEPT, HAIL_FAULT_NONE},
};

// Makes an X25519 key of the leaf's Ed25519 key.
static void make_agree(struct hail_static_key *key)
{
    static const uint8_t ed25519[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03};
    uint8_t *spki = memmem(key->keycert, key->keycert_len, ed25519, sizeof ed25519);

    ck_assert_ptr_nonnull(spki);
    spki[8] = 0x6e;
}

START_TEST(test_voucher)
{
    const struct live_endpoint *by = vouchers[_i].voucher == STRANGER ? &stranger
                                     : vouchers[_i].voucher == ENDED  ? &ended
                                                                      : &honest;
    const uint8_t other_key[HAIL_X25519_LEN] = {9, 1};
    static struct ends ends;
    int asked = 0;

    begin(&ends, HAIL_NOISE_NX);
    vouch(&ends, by->identity, vouchers[_i].name, now_s + vouchers[_i].from_days * day_s,
          now_s + vouchers[_i].to_days * day_s,
          vouchers[_i].voucher == OTHER_KEY ? other_key : ends.key.pair.public_key);
    if (vouchers[_i].voucher == AGREES)
        make_agree(&ends.key);
    if (vouchers[_i].voucher == CUT)
        ends.key.keycert_len--;
    if (vouchers[_i].voucher == SIGNATURE_BIT)
        ends.key.keycert[ends.key.keycert_len - 1] ^= 1;
    if (vouchers[_i].trusts_all)
        ends.setup.verifier = (struct hail_keycert_verifier){believe_all, &asked};
    ends.host = vouchers[_i].host;
    ck_assert_int_eq(greet(&ends, ends.hello, HAIL_HELLO_LEN), HAIL_ACCEPT);
    enum hail_verdict verdict = take(&ends, ends.message, ends.message_len);
    ck_assert_msg(verdict == vouchers[_i].want, "%s: %s", vouchers[_i].why,
                  hail_verdict_name(verdict));
    ck_assert_msg(ends.report.fault == vouchers[_i].fault, "%s: %s", vouchers[_i].why,
                  hail_fault_name(ends.report.fault));
    ck_assert_msg(asked == (vouchers[_i].trusts_all && verdict == HAIL_ACCEPT),
                  "%s: asked %d times", vouchers[_i].why, asked);
}
END_TEST

// Points of low order (RFC 7748, section 6.1): no secret comes of them.
static const char *const low_points[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
    "0000000000000000000000000000000000000000000000000000000000000080",
};

START_TEST(test_low_points)
{
    struct vector_bytes point = test_unhex(low_points[_i]);
    const uint8_t payload[10] = {0, 0, 0, 1};
    struct hail_client_handshake client;
    struct hail_x25519_pair low;
    static struct ends ends;

    for (int pattern = HAIL_NOISE_NX; pattern <= HAIL_NOISE_NK; pattern++) {
        begin(&ends, (enum hail_noise_pattern)pattern);
        memcpy(ends.hello + 78, point.data, point.len);
        ck_assert_int_eq(greet(&ends, ends.hello, HAIL_HELLO_LEN),
                         pattern == HAIL_NOISE_NK ? HAIL_DROP_FORGED : HAIL_DROP_POINT);
        hail_hello_encode(ends.hello, &ends.client.hello);
        ck_assert_int_eq(greet(&ends, ends.hello, HAIL_HELLO_LEN), HAIL_ACCEPT);
        memcpy(ends.message, point.data, point.len);
        ck_assert_int_eq(take(&ends, ends.message, ends.message_len), HAIL_DROP_FORGED);
        complete(&ends);
    }
    ends.setup.server_key = point.data;
    ck_assert_msg(!hail_client_init(&client, &ends.setup, &ends.dice), "pinned");

    begin(&ends, HAIL_NOISE_NX);
    low = ends.key.pair;
    memcpy(low.public_key, point.data, point.len);
    answer_with(&ends, &low, (struct hail_bytes){payload, sizeof payload});
    ck_assert_msg(take(&ends, ends.message, ends.message_len) == HAIL_DROP_FORGED,
                  "as the server's static key");
    free(point.data);
}
END_TEST

// The pinned key is not the server's: he says so, as the id tells; and if both should have one id,
// what is made for one key does not open with the other.
START_TEST(test_other_pinned_key)
{
    const uint8_t other_private[HAIL_X25519_LEN] = {8, 7, 6};
    struct hail_x25519_pair other;
    static struct ends ends;

    begin(&ends, HAIL_NOISE_NK);
    hail_x25519_pair_from(&other, other_private);
    ends.setup.server_key = other.public_key;
    ck_assert(hail_client_init(&ends.client, &ends.setup, &ends.dice));
    hail_hello_encode(ends.hello, &ends.client.hello);
    ck_assert_int_eq(greet(&ends, ends.hello, HAIL_HELLO_LEN), HAIL_DROP_STATIC);
    memcpy(ends.hello + 44, ends.key.id, sizeof ends.key.id);
    ck_assert_int_eq(greet(&ends, ends.hello, HAIL_HELLO_LEN), HAIL_DROP_FORGED);
}
END_TEST

// A hello, and all that follows it, said again to the server: he agrees with nobody.
START_TEST(test_replayed)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    uint8_t finish[HAIL_DATAGRAM_MAX];
    struct hail_agreement first;
    static struct ends ends;

    begin(&ends, pattern);
    complete(&ends);
    size_t len = say_finish(&ends, finish);
    first = ends.servers;
    ck_assert_int_eq(greet(&ends, ends.hello, HAIL_HELLO_LEN), HAIL_ACCEPT);
    ck_assert_mem_ne(ends.servers.ck, first.ck, sizeof first.ck);
    ck_assert_mem_ne(ends.servers.h, first.h, sizeof first.h);
    ck_assert_mem_ne(ends.servers.finish_key, first.finish_key, sizeof first.finish_key);
    ck_assert_int_eq(join(&ends, finish, len), HAIL_DROP_FORGED);
}
END_TEST

// Which keys packets have is known by what they do.
static void same_traffic(const uint8_t servers[HAIL_STRETCHED_LEN],
                         const uint8_t clients[HAIL_STRETCHED_LEN], enum hail_direction direction,
                         uint8_t tag[HAIL_AEAD_TAG_LEN])
{
    struct hail_traffic_keys keys[2];
    uint8_t tags[2][HAIL_AEAD_TAG_LEN];
    uint8_t macs[2][HAIL_MAC_LEN];

    ck_assert(hail_traffic_derive(&keys[0], servers, direction, 0));
    ck_assert(hail_traffic_derive(&keys[1], clients, direction, 0));
    for (int i = 0; i < 2; i++) {
        hail_aead_seal(&keys[i].aead, keys[i].iv, NULL, 0, tags[i], 0);
        hail_mac_sha256(&keys[i].mac, macs[i], NULL, 0);
    }
    ck_assert_mem_eq(tags[0], tags[1], sizeof tags[0]);
    ck_assert_mem_eq(macs[0], macs[1], sizeof macs[0]);
    ck_assert_mem_eq(keys[0].token, keys[1].token, sizeof keys[0].token);
    memcpy(tag, tags[0], HAIL_AEAD_TAG_LEN);
    hail_traffic_cleanup(&keys[0]);
    hail_traffic_cleanup(&keys[1]);
}

START_TEST(test_agree)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    uint8_t stretched[3][HAIL_STRETCHED_LEN];
    uint8_t tags[2][HAIL_AEAD_TAG_LEN];
    static struct ends ends;

    begin(&ends, pattern);
    complete(&ends);
    ck_assert_uint_eq(ends.told.iterations, ITERATIONS);
    ck_assert_uint_eq(ends.told.idle_timeout_ms, 15000);
    ck_assert_uint_eq(ends.told.conn_data_max, 300);
    ck_assert(hail_agreement_stretch(&ends.servers, stretched[0], ends.terms.iterations));
    ck_assert(hail_agreement_stretch(&ends.clients, stretched[1], ends.told.iterations));
    ck_assert(hail_agreement_stretch(&ends.clients, stretched[2], ends.told.iterations + 1));
    ck_assert_mem_eq(stretched[0], stretched[1], HAIL_STRETCHED_LEN);
    ck_assert_mem_ne(stretched[0], stretched[2], HAIL_STRETCHED_LEN);
    same_traffic(stretched[0], stretched[1], HAIL_TO_SERVER, tags[0]);
    same_traffic(stretched[0], stretched[1], HAIL_TO_CLIENT, tags[1]);
    ck_assert_mem_ne(tags[0], tags[1], sizeof tags[0]);

    // A run is a function of its dice; and with other dice nothing is as it was.
    static struct ends again;
    begin(&again, pattern);
    complete(&again);
    ck_assert_mem_eq(&again.servers, &ends.servers, sizeof ends.servers);
    seed++;
    begin(&again, pattern);
    seed--;
    complete(&again);
    ck_assert_mem_ne(again.servers.token, ends.servers.token, sizeof ends.servers.token);
    ck_assert_mem_ne(again.servers.ck, ends.servers.ck, sizeof ends.servers.ck);
    hail_agreement_cleanup(&ends.servers);
    hail_static_key_cleanup(&ends.key);
    hail_client_cleanup(&ends.client);
}
END_TEST

static bool agree_with_psk(enum hail_noise_pattern pattern, const uint8_t *psks[2])
{
    struct hail_noise ends[2];
    struct hail_x25519_pair pairs[3];
    struct hail_random dice;
    uint8_t message[128];
    uint8_t got[128];
    bool good = true;

    hail_random_init_seeded(&dice, seed);
    for (int i = 0; i < 3; i++)
        hail_x25519_pair_init(&pairs[i], &dice);
    for (int i = 0; i < 2; i++)
        hail_noise_init(&ends[i], &(struct hail_noise_setup){
                                      .pattern = pattern,
                                      .initiator = i == 0,
                                      .prologue = {(const uint8_t *)"p", 1},
                                      .e = &pairs[i],
                                      .s = &pairs[2],
                                      .rs = pairs[2].public_key,
                                      .psk = psks[i],
                                  });
    for (int i = 0; i < 2 && good; i++) {
        size_t len = hail_noise_overhead(&ends[i]) + 4;
        ck_assert(
            hail_noise_write(&ends[i], message, (struct hail_bytes){(const uint8_t *)"text", 4}));
        good = hail_noise_read(&ends[1 - i], got, message, len);
    }
    if (good) {
        ck_assert_mem_eq(got, "text", 4);
        ck_assert_mem_eq(ends[0].ck, ends[1].ck, sizeof ends[0].ck);
    }
    return good;
}

// A key that both ends have beforehand (psk0), as Noise knows it: nobody else gets past the first
// message.
START_TEST(test_psk)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    const uint8_t psk[HAIL_NOISE_PSK_LEN] = {1};
    const uint8_t other[HAIL_NOISE_PSK_LEN] = {2};

    ck_assert_msg(!agree_with_psk(pattern, (const uint8_t *[]){psk, other}), "wrong");
    ck_assert_msg(!agree_with_psk(pattern, (const uint8_t *[]){psk, NULL}), "the client's alone");
    ck_assert_msg(!agree_with_psk(pattern, (const uint8_t *[]){NULL, psk}), "the server's alone");
    ck_assert_msg(agree_with_psk(pattern, (const uint8_t *[]){psk, psk}), "the same");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handshake");
    TCase *tests = tcase_create("handshake");

    seed = test_seed();
    live_init(&honest, NULL, now_s + 100 * day_s);
    live_init(&stranger, NULL, now_s + 100 * day_s);
    live_init(&ended, honest.root, now_s - day_s);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_hello_tampered, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_loop_test(tests, test_welcome_tampered, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_loop_test(tests, test_finish_tampered, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_loop_test(tests, test_downgrade, 0, 9);
    tcase_add_loop_test(tests, test_in_between, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_loop_test(tests, test_payload, 0, HAIL_COUNTOF(payloads));
    tcase_add_loop_test(tests, test_voucher, 0, HAIL_COUNTOF(vouchers));
    tcase_add_loop_test(tests, test_low_points, 0, HAIL_COUNTOF(low_points));
    tcase_add_test(tests, test_other_pinned_key);
    tcase_add_loop_test(tests, test_replayed, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_loop_test(tests, test_agree, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_loop_test(tests, test_psk, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    suite_add_tcase(suite, tests);
    int status = test_run(suite);
    live_cleanup(&ended);
    live_cleanup(&stranger);
    live_cleanup(&honest);
    return status;
}
