// test_frames.c: what packets carry, read and written.
// SPDX-License-Identifier: MIT
#include "proto/datagram.h"
#include "proto/frames.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

enum {
    ROUNDS = 3000,
    FRAMES_MAX = 8,
    BODY_MAX = 200,
    PACKET_MAX = FRAMES_MAX * (HAIL_FRAME_HEADER_MAX + HAIL_FRAME_TEXT_MAX)
};

static struct hail_policy policy; // too large for a stack

// Numbers 1 and 2 are messages, 3 and 4 RPCs.
static void make_policy(void)
{
    static const struct hail_policy_rule rules[] = {
        {0x11, false, 0, 0}, {0x22, false, 0, 1}, {0x11, true, 0, 2}, {UINT64_MAX, true, 0, 3}};
    uint16_t clash;

    policy = (struct hail_policy){0};
    for (size_t i = 0; i < HAIL_COUNTOF(rules); i++)
        ck_assert(hail_policy_add(&policy, &rules[i], &clash));
}

// A packet's frames. `at` is where the first one ends; 0: it is not stepped over.
static const struct {
    const char *why;
    const char *hex;
    enum hail_verdict want;
    size_t at;
} rows[] = {
    {"padding", "00", HAIL_ACCEPT, 1},
    {"padding, and more of it", "0000", HAIL_ACCEPT, 1},
    {"padding with a length", "8000", HAIL_DROP_MALFORMED, 0},
    {"padding with a length and content", "800100", HAIL_DROP_MALFORMED, 0},

    {"an empty message at the end", "01", HAIL_ACCEPT, 1},
    {"an empty message with a length", "8100", HAIL_ACCEPT, 2},
    {"the length is cut off", "81", HAIL_DROP_MALFORMED, 0},
    {"half of a length", "8140", HAIL_DROP_MALFORMED, 0},
    {"a length longer than need be", "814001aa", HAIL_DROP_MALFORMED, 0},
    {"a length beyond the end", "8102aa", HAIL_DROP_MALFORMED, 0},
    {"the largest length", "81ffffffffffffffffaa", HAIL_DROP_MALFORMED, 0},
    {"a message to the end", "01aabb", HAIL_ACCEPT, 3},
    {"a message, and another", "8101aa8101bb", HAIL_ACCEPT, 3},

    {"named by number", "0201aa", HAIL_ACCEPT, 3},
    {"without a name", "02", HAIL_DROP_MALFORMED, 0},
    {"a name that is cut off", "0240", HAIL_DROP_MALFORMED, 0},
    {"a name longer than need be", "024001aa", HAIL_DROP_MALFORMED, 0},
    {"a number beyond the table", "0205aa", HAIL_DROP_NAME, 3},
    {"the same, more follows", "820205aa00", HAIL_DROP_NAME, 4},
    {"an RPC's number", "0203aa", HAIL_DROP_NAME, 3},
    {"the largest number", "02ffffffffffffffffaa", HAIL_DROP_NAME, 10},
    {"named by hash", "02000000000000000044", HAIL_ACCEPT, 10},
    {"a hash that is cut off", "020000000000000044", HAIL_DROP_MALFORMED, 0},
    {"a hash cut off by the length", "820800000000000000440000", HAIL_DROP_MALFORMED, 0},
    {"the hash of a name with a number", "02000000000000000011", HAIL_DROP_MALFORMED, 0},
    {"the hash of another kind's name", "0200ffffffffffffffff", HAIL_ACCEPT, 10},

    {"a call", "03030507aa", HAIL_ACCEPT, 5},
    {"a call without arguments", "03030507", HAIL_ACCEPT, 4},
    {"a call by hash", "030000000000000000220507", HAIL_ACCEPT, 12},
    {"a call by the hash of a number", "030000000000000000110507", HAIL_DROP_MALFORMED, 0},
    {"a call of a message", "03020507", HAIL_DROP_NAME, 4},
    {"a call without an object", "0303", HAIL_DROP_MALFORMED, 0},
    {"an object longer than need be", "0303400507", HAIL_DROP_MALFORMED, 0},
    {"a call without a behaviour", "030305", HAIL_DROP_MALFORMED, 0},
    {"a behaviour longer than need be", "0303054007", HAIL_DROP_MALFORMED, 0},
    {"the largest behaviour", "0303058000ffff", HAIL_ACCEPT, 7},
    {"a behaviour too large", "03030580010000", HAIL_DROP_MALFORMED, 0},
    {"a behaviour much too large", "030305c000000100000000", HAIL_DROP_MALFORMED, 0},

    {"a request", "0409030507aa", HAIL_ACCEPT, 6},
    {"a request without a call id", "04", HAIL_DROP_MALFORMED, 0},
    {"a request without a name", "0409", HAIL_DROP_MALFORMED, 0},
    {"a request of nothing known", "0409050507aa", HAIL_DROP_NAME, 6},
    {"a request without a behaviour", "04090305", HAIL_DROP_MALFORMED, 0},

    {"a response", "0509aa", HAIL_ACCEPT, 3},
    {"a response without a result", "0509", HAIL_ACCEPT, 2},
    {"a response to nothing", "05", HAIL_DROP_MALFORMED, 0},
    {"a call id longer than need be", "054009", HAIL_DROP_MALFORMED, 0},

    {"an error response", "060901aa", HAIL_ACCEPT, 4},
    {"one with nothing more to say", "060903", HAIL_ACCEPT, 3},
    {"one that does not say which error", "0609", HAIL_DROP_MALFORMED, 0},
    {"one to nothing", "06", HAIL_DROP_MALFORMED, 0},
    {"no such message", "07", HAIL_DROP_TYPE, 0},
    {"on the sequenced channel", "080201aa", HAIL_ACCEPT, 4},
    {"the same, and another frame", "8803020aa0", HAIL_DROP_MALFORMED, 0},
    {"a call on it", "080203030507aa", HAIL_ACCEPT, 7},
    {"a response on it", "08020509aa", HAIL_ACCEPT, 5},
    {"an RPC's number on it", "08020203aa", HAIL_DROP_NAME, 5},
    {"on no channel", "08", HAIL_DROP_MALFORMED, 0},
    {"of no kind", "0802", HAIL_DROP_MALFORMED, 0},
    {"padding on a channel", "080200", HAIL_DROP_MALFORMED, 0},
    {"control on a channel", "0802100102030405060708", HAIL_DROP_MALFORMED, 0},
    {"a channel on a channel", "08020802", HAIL_DROP_MALFORMED, 0},
    {"on a channel that need not be named", "080301aa", HAIL_DROP_MALFORMED, 0},
    {"on a channel that has another form", "080001aa", HAIL_DROP_NAME, 4},
    {"on a channel beyond the table", "080401aa", HAIL_DROP_NAME, 4},
    {"on the largest channel", "08ff01aa", HAIL_DROP_NAME, 4},
    {"the last before control", "8f00", HAIL_DROP_TYPE, 0},
    {"the first after control", "1c00", HAIL_DROP_TYPE, 0},

    {"a ticket of no bytes", "1a0000a8c0", HAIL_DROP_MALFORMED, 0},
    {"half a life", "1a0000", HAIL_DROP_MALFORMED, 0},
    {"a ticket", "1a0000a8c0ff", HAIL_ACCEPT, 6},
    {"limits", "1b00080000", HAIL_ACCEPT, 5},
    {"limits with a length, and padding", "9b040008000000", HAIL_ACCEPT, 6},
    {"limits too short", "1b000800", HAIL_DROP_MALFORMED, 0},
    {"limits too long", "1b0008000000", HAIL_DROP_MALFORMED, 0},

    {"a reliable message", "0900123401aa", HAIL_ACCEPT, 6},
    {"a reliable message without an id", "090012", HAIL_DROP_MALFORMED, 0},
    {"a reliable message of nothing", "09001234", HAIL_DROP_MALFORMED, 0},
    {"a reliable message on a channel that is not", "0902123401aa", HAIL_DROP_NAME, 6},
    {"a reliable message on no channel", "8905041234016500", HAIL_DROP_NAME, 7},
    {"a fragment", "0a0012340a0401aabb", HAIL_ACCEPT, 9},
    {"a fragment of an unreliable message", "0a0312340a0401aabb", HAIL_ACCEPT, 9},
    {"a fragment that is all", "0a0312340300aabbcc", HAIL_ACCEPT, 9},
    {"a fragment of nothing", "0a0012340a04", HAIL_DROP_MALFORMED, 0},
    {"a fragment to the very end", "0a0012340704aabbcc", HAIL_ACCEPT, 9},
    {"a fragment beyond the end", "0a0012340704aabbccdd", HAIL_DROP_MALFORMED, 0},
    {"a fragment that begins beyond the end", "0a0012340305aabbcc", HAIL_DROP_MALFORMED, 0},
    {"a fragment of too much", "0a001234c0000001000000000000aa", HAIL_DROP_MALFORMED, 0},
    {"a fragment at far too much", "0a00123404ffffffffffffffffaa", HAIL_DROP_MALFORMED, 0},
    {"a fragment on no channel", "0a0412340a0401aabb", HAIL_DROP_NAME, 9},
    {"an ack, whose content is another's affair", "1800000700", HAIL_ACCEPT, 5},
    {"an ask", "19", HAIL_ACCEPT, 1},
    {"an ask of something", "1901", HAIL_DROP_MALFORMED, 0},
    {"the last there can be", "ff00", HAIL_DROP_TYPE, 0},
    {"no such type, and a bad length", "ff05", HAIL_DROP_MALFORMED, 0},

    {"a ping", "100102030405060708", HAIL_ACCEPT, 9},
    {"a ping with a length", "9008010203040506070800", HAIL_ACCEPT, 10},
    {"a ping too short", "1001020304050607", HAIL_DROP_MALFORMED, 0},
    {"a ping too long", "10010203040506070809", HAIL_DROP_MALFORMED, 0},
    {"a ping with a length too short", "90070102030405060708", HAIL_DROP_MALFORMED, 0},
    {"a pong", "110102030405060708", HAIL_ACCEPT, 9},
    {"a pong too long", "9109010203040506070809", HAIL_DROP_MALFORMED, 0},
    {"a challenge", "120102030405060708", HAIL_ACCEPT, 9},
    {"an empty challenge", "12", HAIL_DROP_MALFORMED, 0},
    {"a response to one", "130102030405060708", HAIL_ACCEPT, 9},
    {"an empty response to one", "9300", HAIL_DROP_MALFORMED, 0},
    {"a close", "1401627965", HAIL_ACCEPT, 5},
    {"a close without text", "1401", HAIL_ACCEPT, 2},
    {"a close without a reason", "14", HAIL_DROP_MALFORMED, 0},
    {"an approval", "150102030405060708", HAIL_ACCEPT, 9},
    {"an approval of nobody", "1501020304050607", HAIL_DROP_MALFORMED, 0},
    {"an approval of too many", "15010203040506070809", HAIL_DROP_MALFORMED, 0},
    {"wait", "16", HAIL_ACCEPT, 1},
    {"wait with a length", "9600aa", HAIL_ACCEPT, 2},
    {"wait for something", "1600", HAIL_DROP_MALFORMED, 0},
    {"an update", "17", HAIL_ACCEPT, 1},
    {"an update of something", "9701aa", HAIL_DROP_MALFORMED, 0},
};

START_TEST(test_row)
{
    struct vector_bytes bytes = test_unhex(rows[_i].hex);
    struct hail_native_frame frame = {.client_id = 77};
    size_t at = 0;

    make_policy();
    enum hail_verdict got = hail_frames_next(&frame, &policy, bytes.data, bytes.len, &at);
    ck_assert_msg(got == rows[_i].want, "%s: got %s", rows[_i].why, hail_verdict_name(got));
    ck_assert_msg(at == rows[_i].at, "%s: stepped %zu", rows[_i].why, at);
    if (got != HAIL_ACCEPT)
        ck_assert_uint_eq(frame.client_id, 77);
    free(bytes.data);
}
END_TEST

START_TEST(test_text_length)
{
    uint8_t bytes[2 + HAIL_FRAME_TEXT_MAX + 1] = {HAIL_FRAME_CLOSE};
    struct hail_native_frame frame;
    size_t at = 0;

    ck_assert_int_eq(hail_frames_next(&frame, &policy, bytes, sizeof bytes, &at),
                     HAIL_DROP_MALFORMED);
    ck_assert_int_eq(hail_frames_next(&frame, &policy, bytes, sizeof bytes - 1, &at), HAIL_ACCEPT);
    ck_assert_uint_eq(hail_frames_len(&frame, &policy), 1 + 2 + 1 + HAIL_FRAME_TEXT_MAX);
    frame.text.len++;
    ck_assert_uint_eq(hail_frames_len(&frame, &policy), 0);
}
END_TEST

// What an application may choose, and the wire has no form for.
START_TEST(test_numbers_too_large)
{
    struct hail_native_frame frame = {.type = HAIL_FRAME_RESPONSE,
                                      .message.call_id = HAIL_VARINT_MAX};

    make_policy();
    ck_assert_uint_eq(hail_frames_len(&frame, &policy), 1 + 1 + 8);
    frame.message.call_id++;
    ck_assert_uint_eq(hail_frames_len(&frame, &policy), 0);
    frame.type = HAIL_FRAME_REQUEST;
    ck_assert_uint_eq(hail_frames_len(&frame, &policy), 0);
    frame.type = HAIL_FRAME_CALL; // has no call id, and its name's hash is not in the table
    frame.message.network_id = HAIL_VARINT_MAX;
    frame.message.behaviour = UINT16_MAX;
    ck_assert_uint_eq(hail_frames_len(&frame, &policy), 1 + 1 + 9 + 8 + 4);
    frame.message.network_id++;
    ck_assert_uint_eq(hail_frames_len(&frame, &policy), 0);
}
END_TEST

// The longest that can stand before a message's body.
START_TEST(test_longest)
{
    static uint8_t body[1 << 16];
    static uint8_t out[HAIL_FRAME_HEADER_MAX + sizeof body];
    const struct hail_native_frame frame = {
        .type = HAIL_FRAME_REQUEST,
        .message = {.call_id = HAIL_VARINT_MAX,
                    .network_id = HAIL_VARINT_MAX,
                    .behaviour = UINT16_MAX,
                    .body = body,
                    .body_len = sizeof body},
    };

    make_policy();
    size_t len = hail_frames_write(out, &frame, &policy);
    ck_assert_uint_eq(len, hail_frames_len(&frame, &policy));
    ck_assert_uint_eq(len, HAIL_FRAME_HEADER_MAX - 2 - 8 + 4 + sizeof body); // its length takes 4
}
END_TEST

static const enum hail_frame_type types[] = {HAIL_FRAME_PADDING,
                                             HAIL_FRAME_MESSAGE,
                                             HAIL_FRAME_NAMED,
                                             HAIL_FRAME_CALL,
                                             HAIL_FRAME_REQUEST,
                                             HAIL_FRAME_RESPONSE,
                                             HAIL_FRAME_ERROR,
                                             HAIL_FRAME_CHANNEL,
                                             HAIL_FRAME_PING,
                                             HAIL_FRAME_PONG,
                                             HAIL_FRAME_PATH_CHALLENGE,
                                             HAIL_FRAME_PATH_RESPONSE,
                                             HAIL_FRAME_CLOSE,
                                             HAIL_FRAME_APPROVED,
                                             HAIL_FRAME_WAIT,
                                             HAIL_FRAME_UPDATE,
                                             HAIL_FRAME_RELIABLE,
                                             HAIL_FRAME_FRAGMENT,
                                             HAIL_FRAME_ACK,
                                             HAIL_FRAME_ASK,
                                             HAIL_FRAME_TICKET,
                                             HAIL_FRAME_LIMITS};

START_TEST(test_control)
{
    for (size_t i = 0; i < HAIL_COUNTOF(types); i++)
        ck_assert_int_eq(hail_frames_is_control(types[i]),
                         i == 0 || (i > 7 && types[i] != HAIL_FRAME_RELIABLE &&
                                    types[i] != HAIL_FRAME_FRAGMENT));
}
END_TEST

static uint64_t some_number(uint64_t *dice, uint64_t max)
{
    return (test_next(dice) >> test_next(dice) % 64) & max;
}

static bool is_part(enum hail_frame_type type)
{
    return type == HAIL_FRAME_RELIABLE || type == HAIL_FRAME_FRAGMENT;
}

// A frame as the reader gives it: fields that its type does not have are 0.
static struct hail_native_frame some_frame(uint64_t *dice, const uint8_t *bytes)
{
    static const uint64_t hashes[] = {0x11, 0x22, 0x33, UINT64_MAX, 0};
    struct hail_native_frame frame = {.type = types[test_next(dice) % HAIL_COUNTOF(types)]};
    enum hail_frame_type kind = frame.type;

    if (frame.type == HAIL_FRAME_CHANNEL)
        kind = (enum hail_frame_type)(HAIL_FRAME_MESSAGE + test_next(dice) % 6);
    bool is_rpc = kind == HAIL_FRAME_CALL || kind == HAIL_FRAME_REQUEST;
    if (is_part(frame.type)) {
        frame.bytes = (struct hail_bytes){bytes, 1 + some_number(dice, 127) % BODY_MAX};
        frame.part.channel = (uint8_t)(test_next(dice) % 2);
        frame.part.id = (uint16_t)test_next(dice);
        frame.part.total = (uint32_t)frame.bytes.len;
        if (frame.type == HAIL_FRAME_FRAGMENT) {
            frame.part.offset = (uint32_t)some_number(dice, UINT32_MAX / 2);
            frame.part.total += frame.part.offset + (uint32_t)some_number(dice, UINT32_MAX / 4);
        }
        return frame;
    }
    if (frame.type == HAIL_FRAME_ACK) {
        frame.bytes = (struct hail_bytes){bytes, some_number(dice, 127) % BODY_MAX};
        return frame;
    }
    if (frame.type == HAIL_FRAME_TICKET) {
        frame.life_s = (uint32_t)some_number(dice, UINT32_MAX);
        frame.bytes = (struct hail_bytes){bytes, 1 + test_next(dice) % HAIL_TICKET_LEN_MAX};
        return frame;
    }
    if (!hail_frames_is_control(frame.type)) {
        frame.message.kind = (enum hail_message_kind)(kind - HAIL_FRAME_MESSAGE);
        frame.message.channel = frame.type == HAIL_FRAME_CHANNEL ? 2 : 3;
        frame.message.body = bytes;
        frame.message.body_len = some_number(dice, 127) % BODY_MAX;
    }
    if (is_rpc || kind == HAIL_FRAME_NAMED)
        frame.message.name_hash = hashes[test_next(dice) % HAIL_COUNTOF(hashes)];
    if (is_rpc) {
        frame.message.network_id = some_number(dice, HAIL_VARINT_MAX);
        frame.message.behaviour = (uint16_t)some_number(dice, UINT16_MAX);
    }
    if (kind == HAIL_FRAME_ERROR)
        frame.message.error = (uint8_t)test_next(dice);
    if (kind == HAIL_FRAME_REQUEST || kind == HAIL_FRAME_RESPONSE || kind == HAIL_FRAME_ERROR)
        frame.message.call_id = some_number(dice, HAIL_VARINT_MAX);
    if (frame.type >= HAIL_FRAME_PING && frame.type <= HAIL_FRAME_PATH_RESPONSE)
        memcpy(frame.echo, bytes, sizeof frame.echo);
    if (frame.type == HAIL_FRAME_CLOSE) {
        frame.reason = (uint8_t)test_next(dice);
        frame.text = (struct hail_bytes){bytes, test_next(dice) % (HAIL_FRAME_TEXT_MAX + 1)};
    }
    if (frame.type == HAIL_FRAME_APPROVED)
        frame.client_id = test_next(dice);
    if (frame.type == HAIL_FRAME_LIMITS)
        frame.message_max = (uint32_t)some_number(dice, UINT32_MAX);
    return frame;
}

static void compare(const struct hail_native_frame *a, const struct hail_native_frame *b)
{
    ck_assert_int_eq(a->type, b->type);
    ck_assert_int_eq(a->message.kind, b->message.kind);
    ck_assert_uint_eq(a->message.flags, 0);
    ck_assert_uint_eq(a->message.name_hash, b->message.name_hash);
    ck_assert_uint_eq(a->message.network_id, b->message.network_id);
    ck_assert_uint_eq(a->message.behaviour, b->message.behaviour);
    ck_assert_uint_eq(a->message.call_id, b->message.call_id);
    ck_assert_uint_eq(a->message.error, b->message.error);
    ck_assert_uint_eq(a->message.body_len, b->message.body_len);
    if (a->message.body_len > 0)
        ck_assert_mem_eq(a->message.body, b->message.body, a->message.body_len);
    ck_assert_uint_eq(a->client_id, b->client_id);
    ck_assert_mem_eq(a->echo, b->echo, sizeof a->echo);
    ck_assert_uint_eq(a->reason, b->reason);
    ck_assert_uint_eq(a->part.channel, b->part.channel);
    ck_assert_uint_eq(a->part.id, b->part.id);
    ck_assert_uint_eq(a->part.total, b->part.total);
    ck_assert_uint_eq(a->part.offset, b->part.offset);
    ck_assert_uint_eq(a->life_s, b->life_s);
    ck_assert_uint_eq(a->message_max, b->message_max);
    ck_assert_uint_eq(a->bytes.len, b->bytes.len);
    if (a->bytes.len > 0)
        ck_assert_mem_eq(a->bytes.data, b->bytes.data, a->bytes.len);
    ck_assert_uint_eq(a->text.len, b->text.len);
    if (a->text.len > 0)
        ck_assert_mem_eq(a->text.data, b->text.data, a->text.len);
}

struct written {
    struct hail_native_frame frames[FRAMES_MAX];
    size_t ends[FRAMES_MAX];
    size_t count;
    size_t len;
    bool short_last; // the last frame has no length
    uint8_t packet[PACKET_MAX];
    uint8_t bytes[HAIL_FRAME_TEXT_MAX]; // of bodies and texts
};

static void write_some(struct written *written, uint64_t *dice)
{
    size_t last = 0;

    for (size_t i = 0; i < sizeof written->bytes; i++)
        written->bytes[i] = (uint8_t)test_next(dice);
    written->len = 0;
    written->count = 1 + test_next(dice) % FRAMES_MAX;
    for (size_t i = 0; i < written->count; i++) {
        const struct hail_native_frame *frame = &written->frames[i];
        written->frames[i] = some_frame(dice, written->bytes);
        last = written->len;
        size_t len = hail_frames_write(written->packet + last, frame, &policy);
        ck_assert_uint_eq(len, hail_frames_len(frame, &policy));
        written->len += len;
        written->ends[i] = written->len;
    }
    written->short_last = test_next(dice) % 2;
    if (!written->short_last)
        return;
    size_t len = hail_frames_shorten(written->packet, written->len, last);
    if (written->frames[written->count - 1].type == HAIL_FRAME_PADDING)
        ck_assert_uint_eq(len, written->len);
    else
        ck_assert_uint_lt(len, written->len);
    ck_assert_uint_eq(hail_frames_shorten(written->packet, len, last), len);
    written->len = len;
    written->ends[written->count - 1] = len;
}

START_TEST(test_round_trip)
{
    static struct written written;
    uint64_t dice = test_seed();

    make_policy();
    for (int round = 0; round < ROUNDS; round++) {
        struct hail_native_frame frame;
        size_t at = 0;
        write_some(&written, &dice);
        for (size_t i = 0; i < written.count; i++) {
            memset(&frame, 0, sizeof frame); // only what its type has is filled in
            ck_assert_int_eq(hail_frames_next(&frame, &policy, written.packet, written.len, &at),
                             HAIL_ACCEPT);
            compare(&frame, &written.frames[i]);
            ck_assert_uint_eq(at, written.ends[i]);
        }
    }
}
END_TEST

// Cut off anywhere, the frames before the cut are read, and the one that is cut is not, unless it
// says nothing about its length.
START_TEST(test_truncation)
{
    static struct written written;
    uint64_t dice = test_seed();

    make_policy();
    for (int round = 0; round < 300; round++) {
        write_some(&written, &dice);
        size_t whole = written.count - written.short_last;
        for (size_t cut = 1; cut < written.len; cut++) {
            uint8_t *packet = malloc(cut); // a sanitizer sees a read past the end
            struct hail_native_frame frame;
            size_t at = 0;
            size_t i = 0;
            memcpy(packet, written.packet, cut);
            for (; i < whole && written.ends[i] <= cut; i++) {
                ck_assert_int_eq(hail_frames_next(&frame, &policy, packet, cut, &at), HAIL_ACCEPT);
                ck_assert_uint_eq(at, written.ends[i]);
            }
            if (at < cut && i < whole)
                ck_assert_int_eq(hail_frames_next(&frame, &policy, packet, cut, &at),
                                 HAIL_DROP_MALFORMED);
            else if (at < cut)
                (void)hail_frames_next(&frame, &policy, packet, cut, &at);
            ck_assert_uint_le(at, cut);
            free(packet);
        }
    }
}
END_TEST

// Whatever is read, also of packets that were damaged, is written back as it came.
START_TEST(test_one_form)
{
    static struct written written;
    uint8_t again[PACKET_MAX];
    uint64_t dice = test_seed();
    size_t accepted = 0;

    make_policy();
    for (int round = 0; round < ROUNDS; round++) {
        write_some(&written, &dice);
        for (size_t damages = test_next(&dice) % 4; damages > 0; damages--)
            written.packet[test_next(&dice) % written.len] ^= (uint8_t)(1 << test_next(&dice) % 8);
        for (size_t at = 0; at < written.len;) {
            struct hail_native_frame frame;
            size_t start = at;
            if (hail_frames_next(&frame, &policy, written.packet, written.len, &at) != HAIL_ACCEPT)
                break;
            size_t len = hail_frames_write(again, &frame, &policy);
            if (!(written.packet[start] & 0x80))
                len = hail_frames_shorten(again, len, 0);
            ck_assert_uint_eq(len, at - start);
            ck_assert_mem_eq(again, written.packet + start, len);
            accepted++;
        }
    }
    ck_assert_uint_gt(accepted, ROUNDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frames");
    TCase *tests = tcase_create("frames");

    tcase_add_loop_test(tests, test_row, 0, HAIL_COUNTOF(rows));
    tcase_add_test(tests, test_text_length);
    tcase_add_test(tests, test_numbers_too_large);
    tcase_add_test(tests, test_longest);
    tcase_add_test(tests, test_control);
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_truncation);
    tcase_add_test(tests, test_one_form);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
