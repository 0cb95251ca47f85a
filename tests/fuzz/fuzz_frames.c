// fuzz_frames.c: the frames of a packet.
// SPDX-License-Identifier: MIT
//
// Holds  every frame that is read lies within the packet, and the next begins where it ends;
// written
//        again it is the bytes that came, with its length left out if it had none; a frame that is
//        refused ends the packet, unless only its name is not known;
//        an acknowledgement is of what was sent, in ranges from the top down; read before any is
//        acted on, they are as many, or none if one of them is bad.
#include "proto/acks.h"
#include "proto/frames.h"
#include "proto/unpack.h"
#include "tests/fuzz/fuzz.h"

enum {
    LAST_NUMBER = 5000 // that was sent to who acknowledges
};

static struct hail_policy policy;

// Names by number, by hash, and of both kinds.
static void make_policy(void)
{
    static const struct hail_policy_rule rules[] = {
        {1, false, 0, 0}, {2, false, 0, 1}, {1, true, 0, 2}, {UINT64_MAX, true, 0, 3}};
    uint16_t clash;

    if (policy.rule_count > 0)
        return;
    for (size_t i = 0; i < HAIL_COUNTOF(rules); i++)
        fuzz_holds(hail_policy_add(&policy, &rules[i], &clash));
}

static void check_again(const struct hail_native_frame *frame, const uint8_t *came, size_t len)
{
    size_t room = hail_frames_len(frame, &policy);
    uint8_t *again = malloc(room);

    fuzz_holds(hail_frames_write(again, frame, &policy) == room);
    if (!(came[0] & 0x80))
        room = hail_frames_shorten(again, room, 0);
    fuzz_holds(room == len && memcmp(again, came, len) == 0);
    free(again);
}

static void check_inside(const struct hail_native_frame *frame, const uint8_t *data, size_t end)
{
    struct hail_ack ack;

    if (frame->type == HAIL_FRAME_ACK &&
        hail_ack_decode(&ack, frame->bytes, LAST_NUMBER + 1) == HAIL_ACCEPT) {
        fuzz_holds(ack.count > 0 && ack.ranges[0].last <= LAST_NUMBER);
        for (size_t i = 1; i < ack.count; i++)
            fuzz_holds(ack.ranges[i].last + 1 < ack.ranges[i - 1].first);
    }
    if (frame->type == HAIL_FRAME_RELIABLE || frame->type == HAIL_FRAME_FRAGMENT) {
        fuzz_holds(frame->bytes.data >= data && frame->bytes.data + frame->bytes.len == data + end);
        fuzz_holds(frame->part.offset + frame->bytes.len <= frame->part.total);
        return;
    }
    if (frame->type == HAIL_FRAME_TICKET)
        fuzz_holds(frame->bytes.len > 0 && frame->bytes.data >= data &&
                   frame->bytes.data + frame->bytes.len == data + end);
    if (hail_frames_is_control(frame->type))
        fuzz_holds(frame->type != HAIL_FRAME_CLOSE ||
                   (frame->text.data >= data && frame->text.data + frame->text.len == data + end));
    else
        fuzz_holds(frame->message.body >= data &&
                   frame->message.body + frame->message.body_len == data + end);
}

// All of a packet that has `count` frames beside its padding, or a bad one.
static void check_unpacked(const uint8_t *data, size_t size, size_t count, bool is_bad)
{
    struct hail_unpack unpack;
    enum hail_verdict verdict = hail_unpack_begin(&unpack, &policy, data, size, LAST_NUMBER + 1);

    fuzz_holds((verdict != HAIL_ACCEPT) == is_bad);
    while (!is_bad && hail_unpack_next(&unpack))
        fuzz_holds(count-- > 0);
    fuzz_holds(is_bad || count == 0);
}

static bool is_bad_ack(const struct hail_native_frame *frame)
{
    struct hail_ack ack;

    return frame->type == HAIL_FRAME_ACK &&
           hail_ack_decode(&ack, frame->bytes, LAST_NUMBER + 1) == HAIL_DROP_MALFORMED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hail_native_frame frame;
    size_t count = 0;
    bool is_bad = false;
    size_t at = 0;

    make_policy();
    while (at < size) {
        size_t start = at;
        enum hail_verdict verdict = hail_frames_next(&frame, &policy, data, size, &at);
        if (verdict != HAIL_ACCEPT && verdict != HAIL_DROP_NAME) {
            fuzz_holds(verdict == HAIL_DROP_MALFORMED || verdict == HAIL_DROP_TYPE);
            fuzz_holds(at == start);
            is_bad = true;
            break;
        }
        fuzz_holds(at > start && at <= size);
        count += frame.type != HAIL_FRAME_PADDING;
        if (verdict == HAIL_DROP_NAME)
            continue;
        is_bad |= is_bad_ack(&frame);
        check_inside(&frame, data, at);
        check_again(&frame, data + start, at - start);
    }
    check_unpacked(data, size, count, is_bad);
    return 0;
}
