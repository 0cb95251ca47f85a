// test_wire.c: WIRE.md's examples of handshakes, keys, packets, frames and policies, read out of
// the document and made again.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "proto/acks.h"
#include "proto/frames.h"
#include "proto/handshake.h"
#include "proto/mlapi/names.h"
#include "proto/packet.h"
#include "proto/ticket.h"
#include "tests/vectors.h"

enum {
    ROOM = 64 // for any example
};

static struct vector_bytes example(const char *name)
{
    return vector_document("proto/WIRE.md", name);
}

static void compare(const char *name, const uint8_t *bytes, size_t len)
{
    struct vector_bytes told = example(name);

    ck_assert_msg(told.len == len && memcmp(told.data, bytes, len) == 0,
                  "the document's example %s is not what the code does", name);
    free(told.data);
}

// ---- Key certificates and handshakes

static const int64_t from_s = 1700000000; // of the key certificate; it is good for a day

// One PEM block around bytes of DER. Returns its length.
static size_t write_pem(char *pem, size_t room, const char *what, struct hail_bytes der)
{
    uint8_t *text;
    size_t len;

    ck_assert(hail_base64_write(der, &text, &len));
    int written = snprintf(pem, room, "-----BEGIN %s-----\n%.*s-----END %s-----\n", what, (int)len,
                           (const char *)text, what);
    ck_assert_int_lt(written, (int)room);
    free(text);
    return (size_t)written;
}

// The example's leaf certificate, which lies in its key certificate, with its private key.
static struct hail_identity *example_identity(void)
{
    // Of an Ed25519 key in PKCS#8 (RFC 8410, section 7), all that lies before the key.
    static const uint8_t before[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                     0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    struct vector_bytes told = example("keycert");
    struct vector_bytes seed = example("keycert-leaf-key");
    uint8_t key[sizeof before + 32];
    struct hail_fault_report report;
    struct hail_identity *identity;
    struct hail_keycert keycert;
    char pem[2048];

    ck_assert(hail_keycert_parse(&keycert, (struct hail_bytes){told.data, told.len}));
    ck_assert_uint_eq(seed.len, sizeof key - sizeof before);
    memcpy(key, before, sizeof before);
    memcpy(key + sizeof before, seed.data, seed.len);
    size_t len = write_pem(pem, sizeof pem, "CERTIFICATE", keycert.chain[0]);
    len +=
        write_pem(pem + len, sizeof pem - len, "PRIVATE KEY", (struct hail_bytes){key, sizeof key});
    ck_assert_msg(hail_identity_load(&identity, (struct hail_bytes){(uint8_t *)pem, len},
                                     (struct hail_bytes){NULL, 0}, NULL, &report),
                  "%s", report.text);
    free(seed.data);
    free(told.data);
    return identity;
}

static struct hail_trust *example_trust(void)
{
    struct vector_bytes root = example("keycert-root");
    struct hail_fault_report report;
    struct hail_trust *trust;
    char pem[1024];

    size_t len =
        write_pem(pem, sizeof pem, "CERTIFICATE", (struct hail_bytes){root.data, root.len});
    ck_assert_msg(hail_trust_load(&trust, (struct hail_bytes){(uint8_t *)pem, len}, &report), "%s",
                  report.text);
    free(root.data);
    return trust;
}

static bool believe(void *user, const struct hail_keycert *keycert,
                    const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                    struct hail_fault_report *report)
{
    return hail_keycert_check_names(keycert, leaf, user, host, unix_s, report);
}

static void example_static(struct hail_static_key *key)
{
    struct vector_bytes private_key = example("server-static");
    struct hail_fault_report report;
    struct hail_x25519_pair pair;

    hail_x25519_pair_from(&pair, private_key.data);
    hail_static_key_init(key, &pair);
    struct hail_identity *identity = example_identity();
    ck_assert_msg(hail_keycert_make(key->keycert, &key->keycert_len, identity, "play.test",
                                    (uint64_t)from_s, (uint64_t)from_s + 86400, pair.public_key,
                                    &report),
                  "%s", report.text);
    hail_identity_free(identity);
    free(private_key.data);
}

START_TEST(test_keycert)
{
    static struct hail_static_key key;

    example_static(&key);
    compare("server-static-public", key.pair.public_key, sizeof key.pair.public_key);
    compare("keycert", key.keycert, key.keycert_len);
}
END_TEST

// Dice that fall as told, and no further.
static void load_dice(struct hail_random *dice, const uint8_t *token, const char *private_key)
{
    size_t token_len = token ? HAIL_CLIENT_TOKEN_LEN : 0;
    struct vector_bytes key = example(private_key);

    ck_assert_uint_eq(key.len, HAIL_X25519_LEN);
    hail_random_init_seeded(dice, 0);
    dice->used = HAIL_RANDOM_BATCH - token_len - key.len;
    if (token)
        memcpy(dice->batch + dice->used, token, token_len);
    memcpy(dice->batch + dice->used + token_len, key.data, key.len);
    free(key.data);
}

static const struct {
    enum hail_hello_pattern pattern;
    size_t shown; // of the hello; zeros follow
    const char *hello;
    const char *welcome;
    const char *ck;
    const char *h;
    const char *stretched;
    const char *finish;
} handshakes[] = {
    {HAIL_HELLO_NX, 110, "nx-hello", "nx-welcome", "nx-ck", "nx-h", "nx-stretched", "nx-finish"},
    {HAIL_HELLO_NN, 110, "nn-hello", "nn-welcome", "nn-ck", "nn-h", "nn-stretched", "nn-finish"},
    {HAIL_HELLO_NK, 126, "nk-hello", "nk-welcome", "nk-ck", "nk-h", "nk-stretched", "nk-finish"},
    {HAIL_HELLO_RESUME, 135, "resume-hello", "resume-welcome", "resume-ck", "resume-h",
     "resume-stretched", "resume-finish"},
};

// A client that comes back to the server of the handshake with pattern 1, or comes for the first
// time.
static void first_message(struct hail_client_handshake *client, struct hail_greeting *greeting,
                          const struct hail_client_setup *setup, bool resumes,
                          struct hail_random *dice)
{
    static const uint8_t ticket[] = "a ticket"; // without its terminator
    struct vector_bytes stretched = example("nx-stretched");

    if (resumes) {
        hail_ticket_psk(greeting->psk, stretched.data);
        compare("resume-psk", greeting->psk, sizeof greeting->psk);
        hail_client_resume(client, setup, (struct hail_bytes){ticket, sizeof ticket - 1},
                           greeting->psk, dice);
        greeting->key = NULL;
    } else {
        ck_assert(hail_client_init(client, setup, dice));
    }
    greeting->hello = &client->hello;
    free(stretched.data);
}

START_TEST(test_handshake)
{
    static const uint8_t token[HAIL_CLIENT_TOKEN_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t zeros[HAIL_HELLO_LEN] = {0};
    const struct hail_bytes data = {(const uint8_t *)"let me in", 9};
    const struct hail_welcome_terms terms = {1000, 15000, 1024};
    const bool resumes = handshakes[_i].pattern == HAIL_HELLO_RESUME;
    struct vector_bytes policy_hash = example("policy-hash");
    struct hail_trust *trust = example_trust();
    static struct hail_static_key key;
    static uint8_t message[HAIL_WELCOME_MAX];
    static uint8_t payload[HAIL_WELCOME_MAX];
    struct hail_client_setup setup = {
        .pattern = resumes ? HAIL_NOISE_NX : (enum hail_noise_pattern)handshakes[_i].pattern,
        .iterations_max = HAIL_ITERATIONS_MAX,
        .server_key = key.pair.public_key,
        .verifier = {believe, trust},
    };
    struct hail_welcome welcome = {.conn_id = 0x01020304, .count = 1};
    struct hail_client_handshake client;
    struct hail_greeting greeting = {.key = &key};
    struct hail_agreement servers;
    struct hail_agreement clients;
    struct hail_welcome_terms told;
    struct hail_fault_report report = {0};
    struct hail_random dice;
    uint8_t stretched[HAIL_STRETCHED_LEN];
    uint8_t datagram[HAIL_DATAGRAM_MAX];
    size_t len;

    example_static(&key);
    memcpy(setup.policy_hash, policy_hash.data, sizeof setup.policy_hash);
    load_dice(&dice, token, "client-ephemeral");
    first_message(&client, &greeting, &setup, resumes, &dice);
    hail_hello_encode(datagram, &client.hello);
    compare(handshakes[_i].hello, datagram, handshakes[_i].shown);
    ck_assert_mem_eq(datagram + handshakes[_i].shown, zeros, HAIL_HELLO_LEN - handshakes[_i].shown);

    load_dice(&dice, NULL, "server-ephemeral");
    hail_server_exchange(&greeting, 1, &dice);
    ck_assert_int_eq(hail_server_welcome(&servers, message, &len, &greeting, &terms), HAIL_ACCEPT);
    memcpy(welcome.token, token, sizeof token);
    welcome.fragment = (struct hail_bytes){message, len};
    compare(handshakes[_i].welcome, datagram, hail_welcome_encode(datagram, &welcome));
    ck_assert_msg(hail_client_welcome(&client, &clients, &told, &report, &setup, "play.test",
                                      from_s + 100, message, len, payload) == HAIL_ACCEPT,
                  "%s", report.text);
    ck_assert_mem_eq(&servers, &clients, sizeof servers);
    compare(handshakes[_i].ck, clients.ck, sizeof clients.ck);
    compare(handshakes[_i].h, clients.h, sizeof clients.h);
    ck_assert(hail_agreement_stretch(&clients, stretched, told.iterations));
    compare(handshakes[_i].stretched, stretched, sizeof stretched);
    compare(handshakes[_i].finish, datagram,
            hail_client_finish(&clients, datagram, welcome.conn_id, data));
    hail_trust_free(trust);
    free(policy_hash.data);
}
END_TEST

START_TEST(test_answers)
{
    const uint8_t token[HAIL_CLIENT_TOKEN_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct hail_refuse refuse = {
        .token = {1, 2, 3, 4, 5, 6, 7, 8}, .reason = HAIL_REFUSAL_POLICY, .version = 1};
    uint8_t cookie[HAIL_COOKIE_LEN];
    uint8_t datagram[HAIL_DATAGRAM_MAX];
    struct hail_hello hello;

    for (size_t i = 0; i < sizeof cookie; i++)
        cookie[i] = (uint8_t)(0xc0 + i);
    compare("retry", datagram, hail_retry_encode(datagram, token, cookie));
    compare("refuse", datagram, hail_refuse_encode(datagram, &refuse));

    // The hello of the first handshake, with the cookie of this retry.
    struct vector_bytes first = example("nn-hello");
    memset(datagram, 0, sizeof datagram);
    memcpy(datagram, first.data, first.len);
    ck_assert_int_eq(hail_hello_decode(&hello, datagram, HAIL_HELLO_LEN), HAIL_ACCEPT);
    hello.has_cookie = true;
    memcpy(hello.cookie, cookie, sizeof cookie);
    hail_hello_encode(datagram, &hello);
    compare("nn-hello-cookie", datagram, first.len);
    free(first.data);
}
END_TEST

START_TEST(test_export)
{
    static const char info[] = "hail export\0chat\0room 1";
    struct vector_bytes root = example("nn-stretched");
    uint8_t key[32];

    ck_assert(hail_hkdf_sha256(key, sizeof key, (struct hail_bytes){root.data, root.len},
                               (struct hail_bytes){NULL, 0},
                               (struct hail_bytes){(const uint8_t *)info, sizeof info - 1}));
    compare("export", key, sizeof key);
    free(root.data);
}
END_TEST

// ---- Packets

static struct hail_traffic_keys some_keys(enum hail_direction direction)
{
    uint8_t stretched[HAIL_STRETCHED_LEN];
    struct hail_traffic_keys keys;

    for (uint8_t i = 0; i < sizeof stretched; i++)
        stretched[i] = i;
    ck_assert(hail_traffic_derive(&keys, stretched, direction, direction == HAIL_TO_CLIENT));
    return keys;
}

static const struct {
    enum hail_direction direction;
    const char *key;
    const char *iv;
    const char *mac;
    const char *token;
} traffic[] = {
    {HAIL_TO_SERVER, "c2s-key", "c2s-iv", "c2s-mac", "c2s-token"},
    {HAIL_TO_CLIENT, "s2c-key", "s2c-iv", "s2c-mac", "s2c-token"},
};

// Keys that are expanded are known by what they do.
START_TEST(test_traffic)
{
    struct hail_traffic_keys keys = some_keys(traffic[_i].direction);
    struct vector_bytes key = example(traffic[_i].key);
    struct vector_bytes mac = example(traffic[_i].mac);
    struct hail_mac_key told_mac;
    struct hail_aead told_aead;
    uint8_t told[HAIL_MAC_LEN];
    uint8_t made[HAIL_MAC_LEN];

    compare(traffic[_i].iv, keys.iv, sizeof keys.iv);
    compare(traffic[_i].token, keys.token, sizeof keys.token);

    hail_mac_key_init(&told_mac, mac.data, mac.len);
    hail_mac_sha256(&told_mac, told, NULL, 0);
    hail_mac_sha256(&keys.mac, made, NULL, 0);
    ck_assert_mem_eq(told, made, sizeof made);

    ck_assert_uint_eq(key.len, HAIL_AEAD_KEY_LEN);
    ck_assert(hail_aead_init(&told_aead, key.data));
    hail_aead_seal(&told_aead, keys.iv, NULL, 0, told, 0);
    hail_aead_seal(&keys.aead, keys.iv, NULL, 0, made, 0);
    ck_assert_mem_eq(told, made, HAIL_AEAD_TAG_LEN);

    hail_aead_cleanup(&told_aead);
    hail_traffic_cleanup(&keys);
    free(key.data);
    free(mac.data);
}
END_TEST

static const struct {
    const char *name;
    enum hail_direction direction;
    enum hail_protection protection;
    uint64_t number;
} packets[] = {
    {"c2s-plain", HAIL_TO_SERVER, HAIL_PROTECTION_PLAIN, 7},
    {"c2s-authenticated", HAIL_TO_SERVER, HAIL_PROTECTION_AUTHENTICATED, 7},
    {"c2s-encrypted", HAIL_TO_SERVER, HAIL_PROTECTION_ENCRYPTED, 7},
    {"s2c-plain", HAIL_TO_CLIENT, HAIL_PROTECTION_PLAIN, 0x1020304050},
    {"s2c-authenticated", HAIL_TO_CLIENT, HAIL_PROTECTION_AUTHENTICATED, 0x1020304050},
    {"s2c-encrypted", HAIL_TO_CLIENT, HAIL_PROTECTION_ENCRYPTED, 0x1020304050},
};

START_TEST(test_packet)
{
    struct hail_traffic_keys keys = some_keys(packets[_i].direction);
    size_t at = hail_packet_frames_at(packets[_i].direction, packets[_i].protection);
    struct vector_bytes frames = example("frame-message-last");
    uint8_t packet[ROOM];

    memcpy(packet + at, frames.data, frames.len);
    size_t len = hail_packet_seal(packet, frames.len, packets[_i].direction, packets[_i].protection,
                                  0x01020304, packets[_i].number, &keys);
    compare(packets[_i].name, packet, len);
    hail_traffic_cleanup(&keys);
    free(frames.data);
}
END_TEST

// ---- Policies and frames

static uint64_t hash_of(const char *name)
{
    return hail_fnv1_64((const uint8_t *)name, strlen(name));
}

static struct hail_policy policy; // too large for a stack

// The table of section 6, in another order.
static void make_policy(void)
{
    const struct hail_policy_rule rules[] = {
        {hash_of("Fire"), true, HAIL_FLAG_AUTHENTICATED, 0},
        {hash_of("Chat"), false, 0, 1},
        {hash_of("Caf\xc3\xa9"), true, 0, 2},
        {hash_of("Trade"), false, HAIL_FLAGS_BOTH, 3},
    };
    uint16_t clash;

    policy = (struct hail_policy){.default_floor = HAIL_FLAG_ENCRYPTED, .takes_unknown = true};
    for (size_t i = 0; i < HAIL_COUNTOF(rules); i++)
        ck_assert(hail_policy_add(&policy, &rules[i], &clash));
}

START_TEST(test_policy)
{
    uint8_t hash[32];

    make_policy();
    hail_policy_hash(&policy, hash);
    compare("policy-hash", hash, sizeof hash);
    policy.channel_count = 3;
    policy.channels[0] = (struct hail_policy_channel){
        .guarantee = HAIL_GUARANTEE_NONE, .floor = 0, .name_len = 4, .name = "chat"};
    policy.channels[1] = (struct hail_policy_channel){
        .guarantee = HAIL_GUARANTEE_SEQUENCED, .floor = 0, .name_len = 4, .name = "news"};
    policy.channels[2] = (struct hail_policy_channel){
        .guarantee = HAIL_GUARANTEE_NONE, .floor = 1, .name_len = 5, .name = "trade"};
    hail_policy_hash(&policy, hash);
    compare("policy-hash-channels", hash, sizeof hash);
    ck_assert_uint_eq(hail_policy_number(&policy, false, hash_of("Trade")), 1);
    ck_assert_uint_eq(hail_policy_rule_at(&policy, 3)->hash, UINT64_C(0x4dd87dac70969791));
}
END_TEST

static const struct {
    const char *name;
    enum hail_frame_type type;
    const char *called; // the message's or RPC's name
} frames[] = {
    {"frame-padding", HAIL_FRAME_PADDING, NULL},
    {"frame-message", HAIL_FRAME_MESSAGE, NULL},
    {"frame-message-last", HAIL_FRAME_MESSAGE, NULL},
    {"frame-named", HAIL_FRAME_NAMED, "Trade"},
    {"frame-named-by-hash", HAIL_FRAME_NAMED, "Wave"},
    {"frame-call", HAIL_FRAME_CALL, "Fire"},
    {"frame-request", HAIL_FRAME_REQUEST, "Fire"},
    {"frame-response", HAIL_FRAME_RESPONSE, NULL},
    {"frame-error", HAIL_FRAME_ERROR, NULL},
    {"frame-channel", HAIL_FRAME_CHANNEL, NULL},
    {"frame-ping", HAIL_FRAME_PING, NULL},
    {"frame-pong", HAIL_FRAME_PONG, NULL},
    {"frame-path-challenge", HAIL_FRAME_PATH_CHALLENGE, NULL},
    {"frame-path-response", HAIL_FRAME_PATH_RESPONSE, NULL},
    {"frame-close", HAIL_FRAME_CLOSE, NULL},
    {"frame-approved", HAIL_FRAME_APPROVED, NULL},
    {"frame-wait", HAIL_FRAME_WAIT, NULL},
    {"frame-update", HAIL_FRAME_UPDATE, NULL},
    {"frame-ask", HAIL_FRAME_ASK, NULL},
    {"frame-ticket", HAIL_FRAME_TICKET, NULL},
    {"frame-limits", HAIL_FRAME_LIMITS, NULL},
};

// The values are said once for all types: a frame takes those that its type has.
START_TEST(test_frame)
{
    const char *body = frames[_i].type == HAIL_FRAME_RESPONSE ? "ok" : "hi";
    const struct hail_native_frame frame = {
        .type = frames[_i].type,
        .message = {.name_hash = frames[_i].called ? hash_of(frames[_i].called) : 0,
                    .network_id = 300,
                    .behaviour = 2,
                    .call_id = 100000,
                    .error = HAIL_CALL_REFUSED,
                    .channel = 2,
                    .body = (const uint8_t *)body,
                    .body_len = 2},
        .client_id = 0x0102030405060708,
        .echo = {1, 2, 3, 4, 5, 6, 7, 8},
        .reason = 3,
        .text = {(const uint8_t *)"bye", 3},
        .life_s = 43200,
        .message_max = 524288,
        .bytes = {(const uint8_t *)"a ticket", 8},
    };
    uint8_t bytes[ROOM];

    make_policy();
    size_t len = hail_frames_write(bytes, &frame, &policy);
    if (strcmp(frames[_i].name, "frame-message-last") == 0)
        len = hail_frames_shorten(bytes, len, 0);
    compare(frames[_i].name, bytes, len);
}
END_TEST

static struct hail_bytes bytes_of(const char *text)
{
    return (struct hail_bytes){(const uint8_t *)text, strlen(text)};
}

START_TEST(test_delivery)
{
    const struct hail_message_view message = {.body = (const uint8_t *)"hi", .body_len = 2};
    const struct hail_ack numbers = {
        .delay_us = 300, .count = 2, .ranges = {{999, 1000}, {997, 997}}};
    struct hail_native_frame reliable = {.type = HAIL_FRAME_RELIABLE, .part = {.id = 5}};
    const struct hail_native_frame fragment = {
        .type = HAIL_FRAME_FRAGMENT,
        .part = {.channel = 3, .id = 9, .total = 700, .offset = 2},
        .bytes = bytes_of("hi"),
    };
    struct hail_native_frame ack = {.type = HAIL_FRAME_ACK};
    uint8_t inner[HAIL_FRAME_INNER_MAX + 2];
    uint8_t content[HAIL_ACK_LEN_MAX];
    uint8_t bytes[ROOM];

    make_policy();
    size_t head = hail_frames_inner_head(inner, &message, &policy);
    memcpy(inner + head, "hi", 2);
    reliable.bytes = (struct hail_bytes){inner, head + 2};
    compare("frame-reliable", bytes, hail_frames_write(bytes, &reliable, &policy));
    compare("frame-fragment", bytes, hail_frames_write(bytes, &fragment, &policy));
    ack.bytes = (struct hail_bytes){content, hail_ack_encode(content, &numbers)};
    compare("frame-ack", bytes, hail_frames_write(bytes, &ack, &policy));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tests = tcase_create("wire");

    tcase_add_test(tests, test_keycert);
    tcase_add_loop_test(tests, test_handshake, 0, HAIL_COUNTOF(handshakes));
    tcase_add_test(tests, test_answers);
    tcase_add_test(tests, test_export);
    tcase_add_loop_test(tests, test_traffic, 0, HAIL_COUNTOF(traffic));
    tcase_add_loop_test(tests, test_packet, 0, HAIL_COUNTOF(packets));
    tcase_add_test(tests, test_policy);
    tcase_add_test(tests, test_delivery);
    tcase_add_loop_test(tests, test_frame, 0, HAIL_COUNTOF(frames));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
