// unpack.c: see unpack.h.
// SPDX-License-Identifier: MIT
#include "proto/unpack.h"

#include "proto/acks.h"

// Reads the frame at `*at`, and steps over it and the padding behind it, unless it is bad.
static void read_frame(const struct hail_unpack *unpack, struct hail_unpacked_frame *out,
                       size_t *at)
{
    out->verdict =
        hail_frames_next(&out->frame, unpack->policy, unpack->frames, unpack->frames_len, at);
    if (out->verdict == HAIL_ACCEPT || out->verdict == HAIL_DROP_NAME)
        *at += hail_frames_padding(unpack->frames + *at, unpack->frames_len - *at);
}

// Whether a frame cannot be read. That an acknowledgement is false is no fault of its form.
static bool is_bad(struct hail_unpacked_frame *read, uint64_t next_number)
{
    struct hail_ack ack;

    if (read->verdict == HAIL_ACCEPT && read->frame.type == HAIL_FRAME_ACK &&
        hail_ack_decode(&ack, read->frame.bytes, next_number) == HAIL_DROP_MALFORMED)
        read->verdict = HAIL_DROP_MALFORMED;
    return read->verdict != HAIL_ACCEPT && read->verdict != HAIL_DROP_NAME;
}

enum hail_verdict hail_unpack_begin(struct hail_unpack *unpack, const struct hail_policy *policy,
                                    const uint8_t *frames, size_t frames_len, uint64_t next_number)
{
    struct hail_unpacked_frame other;
    size_t at = hail_frames_padding(frames, frames_len);

    unpack->policy = policy;
    unpack->frames = frames;
    unpack->frames_len = frames_len;
    unpack->next = 0;
    for (unpack->kept_count = 0; at < frames_len && unpack->kept_count < HAIL_UNPACK_KEPT;) {
        struct hail_unpacked_frame *read = &unpack->kept[unpack->kept_count++];
        read_frame(unpack, read, &at);
        if (is_bad(read, next_number))
            return read->verdict;
    }
    unpack->at = at;
    while (at < frames_len) {
        read_frame(unpack, &other, &at);
        if (is_bad(&other, next_number))
            return other.verdict;
    }
    return HAIL_ACCEPT;
}

struct hail_unpacked_frame *hail_unpack_next(struct hail_unpack *unpack)
{
    if (unpack->next < unpack->kept_count)
        return &unpack->kept[unpack->next++];
    if (unpack->at >= unpack->frames_len)
        return NULL;
    read_frame(unpack, &unpack->kept[0], &unpack->at); // whose turn is over
    return &unpack->kept[0];
}
