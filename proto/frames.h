// frames.h: what a packet carries (WIRE.md, section 5): messages, RPCs and control.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_FRAMES_H
#define HAIL_PROTO_FRAMES_H

#include "crypto/kdf.h"
#include "proto/message.h"
#include "proto/policy.h"
#include "proto/varint.h"
#include "proto/verdict.h"

// Values as on the wire.
enum hail_frame_type {
    HAIL_FRAME_PADDING = 0x00,
    HAIL_FRAME_MESSAGE = 0x01,
    HAIL_FRAME_NAMED = 0x02,
    HAIL_FRAME_CALL = 0x03,
    HAIL_FRAME_REQUEST = 0x04,
    HAIL_FRAME_RESPONSE = 0x05,
    HAIL_FRAME_ERROR = 0x06,
    HAIL_FRAME_CHANNEL = 0x08,
    HAIL_FRAME_RELIABLE = 0x09,
    HAIL_FRAME_FRAGMENT = 0x0a,
    HAIL_FRAME_PING = 0x10,
    HAIL_FRAME_PONG = 0x11,
    HAIL_FRAME_PATH_CHALLENGE = 0x12,
    HAIL_FRAME_PATH_RESPONSE = 0x13,
    HAIL_FRAME_CLOSE = 0x14,
    HAIL_FRAME_APPROVED = 0x15,
    HAIL_FRAME_WAIT = 0x16,
    HAIL_FRAME_UPDATE = 0x17,
    HAIL_FRAME_ACK = 0x18,
    HAIL_FRAME_ASK = 0x19,
    HAIL_FRAME_TICKET = 0x1a,
    HAIL_FRAME_LIMITS = 0x1b
};

enum {
    // Before a message's body: type, length, channel and kind, call id, name with its hash, object,
    // behaviour.
    HAIL_FRAME_HEADER_MAX = 1 + 8 + 2 + 8 + (1 + 8) + 8 + 4,
    HAIL_FRAME_ECHO_LEN = 8, // ping, pong, path challenge and response
    HAIL_FRAME_TEXT_MAX = 255,
    HAIL_FRAME_TICKET_MAX = 1 + 2 + 4 + 255, // a whole frame with a ticket
    HAIL_FRAME_LIMITS_LEN = 1 + 1 + 4        // a whole frame with limits
};

enum {
    // Before the bytes of a part: type, length, channel, id, total and offset.
    HAIL_FRAME_PART_MAX = 1 + 4 + 1 + 2 + 4 + 4,
    // Before a message's body in its inner form: type, call id, name with its hash, object,
    // behaviour.
    HAIL_FRAME_INNER_MAX = 1 + 8 + (1 + 8) + 8 + 4
};

// A message that is whole in its frame (RELIABLE), or a part of one (FRAGMENT). The bytes are those
// of its inner form.
struct hail_part {
    uint8_t channel;
    uint16_t id;     // the low bits of the message's number on its channel
    uint32_t total;  // bytes of the message
    uint32_t offset; // of these in it
};

// One frame, read or to be written. Which fields count depends on the type.
struct hail_native_frame {
    enum hail_frame_type type;
    const struct hail_policy_channel *rule; // read: of the channel, MESSAGE to FRAGMENT
    struct hail_message_view message;       // MESSAGE to CHANNEL: all but the flags
    uint64_t client_id;                     // APPROVED
    uint8_t echo[HAIL_FRAME_ECHO_LEN];      // PING, PONG, PATH_*
    uint8_t reason;                         // CLOSE
    struct hail_bytes text;  // CLOSE: at most HAIL_FRAME_TEXT_MAX bytes, UTF-8 unchecked
    struct hail_part part;   // RELIABLE, FRAGMENT
    uint32_t life_s;         // TICKET
    uint32_t message_max;    // LIMITS: the greatest payload
    struct hail_bytes bytes; // RELIABLE, FRAGMENT: the part; ACK: its content (acks.h);
                             // TICKET: the ticket, 1 to HAIL_TICKET_LEN_MAX bytes
};

// hail_frames_next reads the frame at `*at`, before the end of a packet's frames, and steps over
// it. Bodies are views into the packet. What it takes, hail_frames_write writes in the same bytes,
// but for the length that a packet's last frame may have or lack.
//
// policy   What names' numbers mean.
//
// Returns  HAIL_ACCEPT;
//          HAIL_DROP_NAME (a number that is no rule of its kind, or no channel that this form is
//          for), stepped over as well;
//          HAIL_DROP_MALFORMED (lengths, a varint longer than need be, trailing bytes, a hash where
//          a number would do) or HAIL_DROP_TYPE (no such type): what follows cannot be read.
//          What the frame holds counts with HAIL_ACCEPT alone.
enum hail_verdict hail_frames_next(struct hail_native_frame *frame,
                                   const struct hail_policy *policy, const uint8_t *frames,
                                   size_t frames_len, size_t *at);

// hail_frames_padding returns how many bytes of padding some frames begin with.
size_t hail_frames_padding(const uint8_t *frames, size_t frames_len);

// hail_frames_len returns the bytes a frame takes with its length written. Without it, as the last
// of a packet, it can be shorter: hail_frames_shorten. 0: it cannot be written, since its object or
// call id is above HAIL_VARINT_MAX or its text is too long.
size_t hail_frames_len(const struct hail_native_frame *frame, const struct hail_policy *policy);

// hail_frames_write writes a frame with its length, hail_frames_len bytes, and returns them. It is
// one that can be written.
size_t hail_frames_write(uint8_t *out, const struct hail_native_frame *frame,
                         const struct hail_policy *policy);

// hail_frames_write_head writes a frame of a part but for its last `bytes.len` bytes, whose place
// comes behind it, and returns the length of what it wrote: HAIL_FRAME_PART_MAX at most.
size_t hail_frames_write_head(uint8_t *out, const struct hail_native_frame *frame);

// hail_frames_inner_head writes a message's inner form (WIRE.md, section 5.3) but for its body, and
// returns the length: HAIL_FRAME_INNER_MAX at most. 0: it cannot be written, as hail_frames_len.
size_t hail_frames_inner_head(uint8_t *out, const struct hail_message_view *message,
                              const struct hail_policy *policy);

// hail_frames_inner reads a message's inner form that came on this channel. HAIL_ACCEPT,
// HAIL_DROP_NAME or HAIL_DROP_MALFORMED.
enum hail_verdict hail_frames_inner(struct hail_message_view *message, uint8_t channel,
                                    const struct hail_policy *policy, struct hail_bytes inner);

// hail_frames_shorten takes the length out of the packet's last frame, which begins at `last` and
// was written by hail_frames_write, and returns the new length of the frames. Padding has none and
// stays.
size_t hail_frames_shorten(uint8_t *frames, size_t frames_len, size_t last);

// hail_frames_type_of returns the type of the frame that a message of this kind, on this channel,
// travels in.
enum hail_frame_type hail_frames_type_of(const struct hail_message_view *message,
                                         const struct hail_policy *policy);

// hail_frames_is_control says whether a type may travel in protected packets only.
bool hail_frames_is_control(enum hail_frame_type type);

// hail_frames_is_part says whether a frame carries a reliable message, or a part of any message.
static inline bool hail_frames_is_part(enum hail_frame_type type)
{
    return type == HAIL_FRAME_RELIABLE || type == HAIL_FRAME_FRAGMENT;
}

#endif
