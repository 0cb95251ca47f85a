// test_wire.c: WIRE.md's examples of keys, packets, frames and policies, read out of the document
// and made again. SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "proto/frames.h"
#include "proto/mlapi/names.h"
#include "proto/packet.h"
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
    {"frame-ping", HAIL_FRAME_PING, NULL},
    {"frame-pong", HAIL_FRAME_PONG, NULL},
    {"frame-path-challenge", HAIL_FRAME_PATH_CHALLENGE, NULL},
    {"frame-path-response", HAIL_FRAME_PATH_RESPONSE, NULL},
    {"frame-close", HAIL_FRAME_CLOSE, NULL},
    {"frame-approved", HAIL_FRAME_APPROVED, NULL},
    {"frame-wait", HAIL_FRAME_WAIT, NULL},
    {"frame-update", HAIL_FRAME_UPDATE, NULL},
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
                    .body = (const uint8_t *)body,
                    .body_len = 2},
        .client_id = 0x0102030405060708,
        .echo = {1, 2, 3, 4, 5, 6, 7, 8},
        .reason = 3,
        .text = {(const uint8_t *)"bye", 3},
    };
    uint8_t bytes[ROOM];

    make_policy();
    size_t len = hail_frames_write(bytes, &frame, &policy);
    if (strcmp(frames[_i].name, "frame-message-last") == 0)
        len = hail_frames_shorten(bytes, len, 0);
    compare(frames[_i].name, bytes, len);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tests = tcase_create("wire");

    tcase_add_loop_test(tests, test_traffic, 0, HAIL_COUNTOF(traffic));
    tcase_add_loop_test(tests, test_packet, 0, HAIL_COUNTOF(packets));
    tcase_add_test(tests, test_policy);
    tcase_add_loop_test(tests, test_frame, 0, HAIL_COUNTOF(frames));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
