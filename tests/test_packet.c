// test_packet.c: packets, sealed and opened under the traffic keys.
// SPDX-License-Identifier: MIT
#include "proto/packet.h"

#include <stdlib.h>
#include <string.h>

#include "proto/frames.h"
#include "proto/replay.h"
#include "tests/vectors.h"

enum {
    DIRECTIONS = 2,
    FRAMES_MAX = HAIL_PACKET_MAX - HAIL_PACKET_TO_CLIENT_LEN - HAIL_TOKEN_LEN
};

static const enum hail_protection protections[] = {
    HAIL_PROTECTION_PLAIN, HAIL_PROTECTION_AUTHENTICATED, HAIL_PROTECTION_ENCRYPTED};

// Each test of a form runs for each protection and direction.
static enum hail_protection form_protection(int form)
{
    return protections[form / DIRECTIONS];
}

static enum hail_direction form_direction(int form)
{
    return form % DIRECTIONS == 0 ? HAIL_TO_SERVER : HAIL_TO_CLIENT;
}

enum {
    FORMS = 3 * DIRECTIONS
};

static struct hail_traffic_keys some_keys(enum hail_direction direction, uint32_t epoch)
{
    uint8_t stretched[HAIL_STRETCHED_LEN];
    struct hail_traffic_keys keys;

    for (uint8_t i = 0; i < sizeof stretched; i++)
        stretched[i] = i;
    ck_assert(hail_traffic_derive(&keys, stretched, direction, epoch));
    return keys;
}

// A datagram of one form, and what belongs to it.
struct sealed {
    enum hail_direction direction;
    enum hail_protection protection;
    uint64_t number;
    uint8_t bytes[HAIL_PACKET_MAX];
    size_t len;
};

static struct sealed seal(int form, const uint8_t *frames, size_t frames_len, uint64_t number,
                          const struct hail_traffic_keys *keys)
{
    struct sealed sealed = {form_direction(form), form_protection(form), number, {0}, 0};
    size_t at = hail_packet_frames_at(sealed.direction, sealed.protection);

    memcpy(sealed.bytes + at, frames, frames_len);
    sealed.len = hail_packet_seal(sealed.bytes, frames_len, sealed.direction, sealed.protection,
                                  0x01020304, number, keys);
    ck_assert_uint_eq(sealed.len,
                      frames_len + hail_packet_overhead(sealed.direction, sealed.protection));
    return sealed;
}

// Decodes and opens a copy; its number is said to be `number`. On HAIL_ACCEPT the frames are in
// `frames`.
static enum hail_verdict open_copy(const struct sealed *sealed, uint64_t number,
                                   const struct hail_traffic_keys *keys,
                                   uint8_t frames[HAIL_PACKET_MAX], size_t *frames_len)
{
    uint8_t *copy = malloc(sealed->len); // a sanitizer sees a read past the end
    struct hail_packet_header header;
    enum hail_verdict verdict = hail_packet_decode(
        &header, sealed->direction, memcpy(copy, sealed->bytes, sealed->len), sealed->len);

    if (verdict == HAIL_ACCEPT)
        verdict = hail_packet_open(copy, sealed->len, frames_len, sealed->direction, &header,
                                   number, keys);
    if (verdict == HAIL_ACCEPT)
        memcpy(frames, copy + hail_packet_frames_at(sealed->direction, header.protection),
               *frames_len);
    free(copy);
    return verdict;
}

START_TEST(test_round_trip)
{
    uint64_t dice = test_seed();
    size_t most = HAIL_PACKET_MAX - hail_packet_overhead(form_direction(_i), form_protection(_i));

    for (int round = 0; round < 300; round++) {
        uint32_t epoch = (uint32_t)test_next(&dice) >> test_next(&dice) % 32;
        struct hail_traffic_keys keys = some_keys(form_direction(_i), epoch);
        uint64_t number = test_next(&dice) >> test_next(&dice) % 64;
        uint8_t frames[FRAMES_MAX];
        uint8_t opened[HAIL_PACKET_MAX];
        struct hail_packet_header header;
        size_t opened_len = 0;
        size_t len = round == 0 ? 1 : round == 1 ? most : 1 + test_next(&dice) % most;
        for (size_t i = 0; i < len; i++)
            frames[i] = (uint8_t)test_next(&dice);
        struct sealed sealed = seal(_i, frames, len, number, &keys);

        ck_assert_int_eq(hail_packet_decode(&header, sealed.direction, sealed.bytes, sealed.len),
                         HAIL_ACCEPT);
        ck_assert_int_eq(header.protection, sealed.protection);
        ck_assert_uint_eq(header.low24, number % (1 << 24));
        ck_assert_uint_eq(header.conn_id, sealed.direction == HAIL_TO_SERVER ? 0x01020304 : 0);
        ck_assert_uint_eq(header.epoch_low,
                          sealed.protection == HAIL_PROTECTION_PLAIN ? 0 : epoch % 4);
        ck_assert_int_eq(open_copy(&sealed, number, &keys, opened, &opened_len), HAIL_ACCEPT);
        ck_assert_uint_eq(opened_len, len);
        ck_assert_mem_eq(opened, frames, len);
        hail_traffic_cleanup(&keys);
    }
}
END_TEST

// One bit of a packet is changed. In a plain one, the token alone is looked at, and its number and
// frames are anybody's.
START_TEST(test_every_bit)
{
    struct hail_traffic_keys keys = some_keys(form_direction(_i), 6);
    uint8_t frames[40] = {HAIL_FRAME_MESSAGE, 1, 2, 3};
    uint8_t opened[HAIL_PACKET_MAX];
    size_t opened_len;
    struct sealed good = seal(_i, frames, sizeof frames, 0x123456789a, &keys);
    size_t header_len = hail_packet_header_len(good.direction);

    for (size_t bit = 0; bit < 8 * good.len; bit++) {
        struct sealed bad = good;
        bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum hail_verdict got = open_copy(&bad, good.number, &keys, opened, &opened_len);
        bool plain_now = bad.bytes[0] >> 6 == HAIL_PROTECTION_PLAIN;
        bool in_token = bit / 8 >= header_len && bit / 8 < header_len + HAIL_TOKEN_LEN;
        if (bit / 8 > 0 && plain_now && !in_token)
            ck_assert_int_eq(got, HAIL_ACCEPT);
        else
            ck_assert_msg(got == HAIL_DROP_FORGED || got == HAIL_DROP_MALFORMED, "bit %zu: got %s",
                          bit, hail_verdict_name(got));
    }
    hail_traffic_cleanup(&keys);
}
END_TEST

// A packet that is cut off, or goes on, is none; a plain one says nothing about its length.
START_TEST(test_every_length)
{
    struct hail_traffic_keys keys = some_keys(form_direction(_i), 6);
    uint8_t frames[40] = {HAIL_FRAME_MESSAGE, 1, 2, 3};
    uint8_t opened[HAIL_PACKET_MAX];
    size_t opened_len;
    struct sealed good = seal(_i, frames, sizeof frames, 7, &keys);
    size_t overhead = hail_packet_overhead(good.direction, good.protection);

    for (size_t len = 0; len <= HAIL_PACKET_MAX; len++) {
        struct sealed bad = good;
        bad.len = len;
        enum hail_verdict want = len <= overhead ? HAIL_DROP_SHORT
                                 : len == good.len || good.protection == HAIL_PROTECTION_PLAIN
                                     ? HAIL_ACCEPT
                                     : HAIL_DROP_FORGED;
        ck_assert_int_eq(open_copy(&bad, 7, &keys, opened, &opened_len), want);
    }
    hail_traffic_cleanup(&keys);
}
END_TEST

// The right bytes under wrong circumstances; plain packets depend on the direction alone.
static const struct {
    const char *why;
    uint64_t number;
    uint32_t epoch;
    bool other_direction;
    bool accepted;
    bool accepted_plain;
} circumstances[] = {
    {"right", 500, 6, false, true, true},
    {"the number after", 501, 6, false, false, true},
    {"a number with the same low bits", 500 + (1 << 24), 6, false, false, true},
    {"the same low bits, far off", 500 + (UINT64_C(1) << 63), 6, false, false, true},
    {"the epoch before", 500, 5, false, false, true},
    {"the epoch after", 500, 7, false, false, true},
    {"an epoch with the same low bits", 500, 10, false, false, true},
    {"the other direction's keys", 500, 6, true, false, false},
};

static void check_circumstances(size_t row, int form)
{
    struct hail_traffic_keys keys = some_keys(form_direction(form), 6);
    enum hail_direction direction =
        form_direction(circumstances[row].other_direction ? form ^ 1 : form);
    struct hail_traffic_keys others = some_keys(direction, circumstances[row].epoch);
    const uint8_t frames[] = {HAIL_FRAME_MESSAGE, 1, 2, 3};
    uint8_t opened[HAIL_PACKET_MAX];
    size_t opened_len;
    struct sealed sealed = seal(form, frames, sizeof frames, 500, &keys);
    bool accepted = sealed.protection == HAIL_PROTECTION_PLAIN ? circumstances[row].accepted_plain
                                                               : circumstances[row].accepted;

    ck_assert_msg(open_copy(&sealed, circumstances[row].number, &others, opened, &opened_len) ==
                      (accepted ? HAIL_ACCEPT : HAIL_DROP_FORGED),
                  "%s, form %d", circumstances[row].why, form);
    hail_traffic_cleanup(&keys);
    hail_traffic_cleanup(&others);
}

START_TEST(test_circumstance)
{
    for (int form = 0; form < FORMS; form++)
        check_circumstances((size_t)_i, form);
}
END_TEST

// Sent back to where it came from, and otherwise unchanged.
START_TEST(test_reflection)
{
    for (int form = 2; form < FORMS; form++) {
        struct hail_traffic_keys keys = some_keys(form_direction(form), 0);
        struct hail_traffic_keys back = some_keys(form_direction(form ^ 1), 0);
        uint8_t frames[64] = {HAIL_FRAME_MESSAGE};
        uint8_t opened[HAIL_PACKET_MAX];
        size_t opened_len;
        struct sealed sealed = seal(form, frames, sizeof frames, 0, &keys);
        sealed.direction = form_direction(form ^ 1);
        ck_assert_int_eq(open_copy(&sealed, 0, &back, opened, &opened_len), HAIL_DROP_FORGED);
        hail_traffic_cleanup(&keys);
        hail_traffic_cleanup(&back);
    }
}
END_TEST

static const struct {
    const char *why;
    uint8_t first;
    size_t len;
    enum hail_verdict want;
} firsts[] = {
    {"a handshake message", 0x01, 100, HAIL_DROP_MALFORMED},
    {"none that there is", 0x00, 100, HAIL_DROP_MALFORMED},
    {"the same, with the bits of an epoch", 0x30, 100, HAIL_DROP_MALFORMED},
    {"plain", 0x40, 100, HAIL_ACCEPT},
    {"plain with an epoch", 0x50, 100, HAIL_DROP_MALFORMED},
    {"plain with the epoch's other bit", 0x60, 100, HAIL_DROP_MALFORMED},
    {"plain with a reserved bit", 0x41, 100, HAIL_DROP_MALFORMED},
    {"authenticated", 0x80, 100, HAIL_ACCEPT},
    {"authenticated, epoch 3", 0xb0, 100, HAIL_ACCEPT},
    {"authenticated with the highest reserved bit", 0x88, 100, HAIL_DROP_MALFORMED},
    {"encrypted", 0xc0, 100, HAIL_ACCEPT},
    {"encrypted, epoch 2", 0xe0, 100, HAIL_ACCEPT},
    {"encrypted with the lowest reserved bit", 0xc1, 100, HAIL_DROP_MALFORMED},
    {"as long as can be", 0xc0, HAIL_PACKET_MAX, HAIL_ACCEPT},
    {"too long", 0xc0, HAIL_PACKET_MAX + 1, HAIL_DROP_MALFORMED},
    {"nothing", 0xc0, 0, HAIL_DROP_SHORT},
    {"a single byte", 0xc0, 1, HAIL_DROP_SHORT},
};

START_TEST(test_first_byte)
{
    uint8_t datagram[HAIL_PACKET_MAX + 1] = {firsts[_i].first};

    for (int direction = 0; direction < DIRECTIONS; direction++) {
        struct hail_packet_header header = {.low24 = 77};
        enum hail_verdict got =
            hail_packet_decode(&header, form_direction(direction), datagram, firsts[_i].len);
        ck_assert_msg(got == firsts[_i].want, "%s: got %s", firsts[_i].why, hail_verdict_name(got));
        ck_assert_uint_eq(header.low24, got == HAIL_ACCEPT ? 0 : 77);
    }
}
END_TEST

// What a message of 128 bytes costs beside itself, alone in its packet. The limits are promises.
START_TEST(test_overhead)
{
    static struct hail_policy policy; // too large for a stack
    static const uint8_t body[128];
    const struct hail_policy_rule rule = {.hash = 5};
    struct hail_native_frame frame = {.type = HAIL_FRAME_MESSAGE,
                                      .message = {.body = body, .body_len = sizeof body}};
    uint8_t frames[HAIL_FRAME_HEADER_MAX + sizeof body];
    uint16_t clash;

    ck_assert(hail_policy_add(&policy, &rule, &clash));
    for (int named = 0; named < 2; named++) {
        frame.type = named ? HAIL_FRAME_NAMED : HAIL_FRAME_MESSAGE;
        frame.message.name_hash = named ? 5 : 0;
        size_t len = hail_frames_write(frames, &frame, &policy);
        len = hail_frames_shorten(frames, len, 0);
        for (int form = 0; form < FORMS; form++) {
            struct hail_traffic_keys keys = some_keys(form_direction(form), 0);
            struct sealed sealed = seal(form, frames, len, 0, &keys);
            size_t most = sealed.direction == HAIL_TO_SERVER ? 26 : 22;
            ck_assert_uint_le(sealed.len - sizeof body, most);
            hail_traffic_cleanup(&keys);
        }
    }
}
END_TEST

// Numbers that are cut off on the wire come back whole, in any order within the window.
START_TEST(test_numbers_come_back)
{
    struct hail_traffic_keys keys = some_keys(HAIL_TO_CLIENT, 0);
    struct hail_replay replay = {.next = (1 << 24) - 600};
    const uint8_t frames[] = {HAIL_FRAME_WAIT};
    uint64_t dice = test_seed();
    uint8_t opened[HAIL_PACKET_MAX];
    size_t opened_len;

    for (int round = 0; round < 2000; round++) {
        uint64_t number = replay.next - 500 + test_next(&dice) % 1000;
        struct hail_packet_header header;
        struct sealed sealed = seal(5, frames, sizeof frames, number, &keys);
        ck_assert_int_eq(hail_packet_decode(&header, sealed.direction, sealed.bytes, sealed.len),
                         HAIL_ACCEPT);
        ck_assert_uint_eq(hail_replay_expand(&replay, header.low24), number);
        ck_assert_int_eq(open_copy(&sealed, number, &keys, opened, &opened_len), HAIL_ACCEPT);
        if (hail_replay_fresh(&replay, number))
            hail_replay_mark(&replay, number);
    }
    hail_traffic_cleanup(&keys);
}
END_TEST

enum {
    RUNS = 60,
    RUN_PACKETS = 300,
    STREAM_LEN = 32
};

// What AES-GCM does with a pair of key and nonce: two packets of zeros have the same only if both
// key and nonce are the same.
struct stream {
    uint8_t bytes[STREAM_LEN];
};

static struct stream stream_of(int form, uint64_t number, const struct hail_traffic_keys *keys)
{
    static const uint8_t zeros[STREAM_LEN];
    struct sealed sealed = seal(form, zeros, sizeof zeros, number, keys);
    struct stream stream;

    memcpy(stream.bytes, sealed.bytes + hail_packet_frames_at(sealed.direction, sealed.protection),
           sizeof stream.bytes);
    return stream;
}

static int compare_streams(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct stream));
}

static void take_keys(struct hail_traffic_keys keys[DIRECTIONS],
                      const uint8_t stretched[HAIL_STRETCHED_LEN],
                      const uint32_t epochs[DIRECTIONS])
{
    for (int direction = 0; direction < DIRECTIONS; direction++)
        ck_assert(hail_traffic_derive(&keys[direction], stretched, form_direction(direction),
                                      epochs[direction]));
}

// Connections that begin anew with other stretched keys, both ends sending, numbers that go on
// from anywhere, epochs that advance at any time and on each side alone.
START_TEST(test_no_pair_repeats)
{
    static struct stream streams[RUNS * RUN_PACKETS];
    uint64_t dice = test_seed();
    size_t count = 0;

    for (int run = 0; run < RUNS; run++) {
        uint8_t stretched[HAIL_STRETCHED_LEN] = {(uint8_t)run}; // differ by a bit or few
        uint32_t epochs[DIRECTIONS] = {0};
        uint64_t numbers[DIRECTIONS] = {0};
        struct hail_traffic_keys keys[DIRECTIONS];
        if (run % 2)
            numbers[0] = numbers[1] = test_next(&dice) >> (1 + test_next(&dice) % 60);
        take_keys(keys, stretched, epochs);
        for (int i = 0; i < RUN_PACKETS; i++) {
            size_t direction = test_next(&dice) % DIRECTIONS;
            if (test_next(&dice) % 8 == 0) {
                epochs[direction]++;
                take_keys(keys, stretched, epochs);
            }
            streams[count++] =
                stream_of(4 + (int)direction, numbers[direction]++, &keys[direction]);
        }
        for (size_t direction = 0; direction < DIRECTIONS; direction++)
            hail_traffic_cleanup(&keys[direction]);
    }
    qsort(streams, count, sizeof streams[0], compare_streams);
    for (size_t i = 1; i < count; i++)
        ck_assert_mem_ne(streams[i - 1].bytes, streams[i].bytes, STREAM_LEN);
}
END_TEST

// The test above would see a repetition.
START_TEST(test_same_pair_shows)
{
    struct hail_traffic_keys keys = some_keys(HAIL_TO_SERVER, 1);
    struct hail_traffic_keys again = some_keys(HAIL_TO_SERVER, 1);
    struct stream a = stream_of(4, 1234, &keys);
    struct stream b = stream_of(4, 1234, &again);

    ck_assert_mem_eq(a.bytes, b.bytes, sizeof a.bytes);
    hail_traffic_cleanup(&keys);
    hail_traffic_cleanup(&again);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packet");
    TCase *tests = tcase_create("packet");

    tcase_add_loop_test(tests, test_round_trip, 0, FORMS);
    tcase_add_loop_test(tests, test_every_bit, 0, FORMS);
    tcase_add_loop_test(tests, test_every_length, 0, FORMS);
    tcase_add_loop_test(tests, test_circumstance, 0, HAIL_COUNTOF(circumstances));
    tcase_add_test(tests, test_reflection);
    tcase_add_loop_test(tests, test_first_byte, 0, HAIL_COUNTOF(firsts));
    tcase_add_test(tests, test_overhead);
    tcase_add_test(tests, test_numbers_come_back);
    tcase_add_test(tests, test_no_pair_repeats);
    tcase_add_test(tests, test_same_pair_shows);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
