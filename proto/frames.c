// frames.c: see frames.h.
// SPDX-License-Identifier: MIT
#include "proto/frames.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/meter.h"
#include "proto/datagram.h"

enum {
    HAS_LENGTH = 0x80, // in a frame's first byte
    HASH_LEN = 8,
    CLIENT_ID_LEN = 8,
    LIFE_LEN = 4,
    LIMIT_LEN = 4,
    BEFORE_CONTENT_MAX = 1 + HAIL_VARINT_LEN_MAX
};

_Static_assert(HAIL_FRAME_ERROR - HAIL_FRAME_MESSAGE == HAIL_MESSAGE_ERROR - HAIL_MESSAGE_UNNAMED,
               "types of messages have the order of their kinds");

// ---- Reading

static void skip(struct hail_bytes *content, size_t len)
{
    content->data += len;
    content->len -= len;
}

static bool take_varint(struct hail_bytes *content, uint64_t *value)
{
    size_t len = hail_varint_read(value, content->data, content->len);

    skip(content, len);
    return len > 0;
}

// A name has one form: the hash is written where the table has no number for it, and only there.
static enum hail_verdict take_name(struct hail_bytes *content, uint64_t *hash, bool is_rpc,
                                   const struct hail_policy *policy)
{
    uint64_t number;

    if (!take_varint(content, &number))
        return HAIL_DROP_MALFORMED;
    if (number > 0) {
        const struct hail_policy_rule *rule = hail_policy_rule_at(policy, number);
        if (!rule || rule->is_rpc != is_rpc)
            return HAIL_DROP_NAME;
        *hash = rule->hash;
        return HAIL_ACCEPT;
    }
    if (content->len < HASH_LEN)
        return HAIL_DROP_MALFORMED;
    *hash = hail_get_be(content->data, 8);
    skip(content, HASH_LEN);
    return hail_policy_number(policy, is_rpc, *hash) == 0 ? HAIL_ACCEPT : HAIL_DROP_MALFORMED;
}

static enum hail_verdict read_message(struct hail_message_view *message, enum hail_frame_type type,
                                      uint8_t channel, const struct hail_policy *policy,
                                      struct hail_bytes content)
{
    enum hail_verdict verdict = HAIL_ACCEPT;
    bool is_rpc = type == HAIL_FRAME_CALL || type == HAIL_FRAME_REQUEST;
    uint64_t behaviour = 0;

    *message = (struct hail_message_view){
        .kind = (enum hail_message_kind)(type - HAIL_FRAME_MESSAGE), .channel = channel};
    if (type == HAIL_FRAME_REQUEST || type == HAIL_FRAME_RESPONSE || type == HAIL_FRAME_ERROR) {
        if (!take_varint(&content, &message->call_id))
            return HAIL_DROP_MALFORMED;
    }
    if (type == HAIL_FRAME_ERROR) {
        if (content.len < 1)
            return HAIL_DROP_MALFORMED;
        message->error = content.data[0];
        skip(&content, 1);
    }
    if (type == HAIL_FRAME_NAMED || is_rpc)
        verdict = take_name(&content, &message->name_hash, is_rpc, policy);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (is_rpc) {
        if (!take_varint(&content, &message->network_id) || !take_varint(&content, &behaviour) ||
            behaviour > UINT16_MAX)
            return HAIL_DROP_MALFORMED;
        message->behaviour = (uint16_t)behaviour;
    }
    message->body = content.data;
    message->body_len = content.len;
    return HAIL_ACCEPT;
}

enum hail_verdict hail_frames_inner(struct hail_message_view *message, uint8_t channel,
                                    const struct hail_policy *policy, struct hail_bytes inner)
{
    if (inner.len < 1 || inner.data[0] < HAIL_FRAME_MESSAGE || inner.data[0] > HAIL_FRAME_ERROR)
        return HAIL_DROP_MALFORMED;
    enum hail_frame_type type = (enum hail_frame_type)inner.data[0];
    skip(&inner, 1);
    return read_message(message, type, channel, policy, inner);
}

static enum hail_verdict read_part(struct hail_native_frame *frame,
                                   const struct hail_policy *policy, struct hail_bytes content)
{
    bool is_fragment = frame->type == HAIL_FRAME_FRAGMENT;
    uint64_t total = 0;
    uint64_t offset = 0;

    if (content.len < 3)
        return HAIL_DROP_MALFORMED;
    frame->part.channel = content.data[0];
    frame->part.id = (uint16_t)hail_get_be(content.data + 1, 2);
    skip(&content, 3);
    if (is_fragment && (!take_varint(&content, &total) || !take_varint(&content, &offset)))
        return HAIL_DROP_MALFORMED;
    if (!is_fragment)
        total = content.len;
    if (content.len == 0 || total > UINT32_MAX || offset > total || content.len > total - offset)
        return HAIL_DROP_MALFORMED;
    frame->part.total = (uint32_t)total;
    frame->part.offset = (uint32_t)offset;
    frame->bytes = content;
    frame->rule = hail_policy_channel_at(policy, frame->part.channel);
    return frame->rule && (is_fragment || hail_guarantee_is_reliable(frame->rule->guarantee))
               ? HAIL_ACCEPT
               : HAIL_DROP_NAME;
}

// A message that names its channel. It has one form: the first channel without a guarantee is meant
// where none is named, and only there.
static enum hail_verdict read_on_channel(struct hail_native_frame *frame,
                                         const struct hail_policy *policy,
                                         struct hail_bytes content)
{
    if (content.len < 2 || content.data[1] < HAIL_FRAME_MESSAGE ||
        content.data[1] > HAIL_FRAME_ERROR)
        return HAIL_DROP_MALFORMED;
    uint8_t number = content.data[0];
    enum hail_frame_type type = (enum hail_frame_type)content.data[1];
    frame->rule = hail_policy_channel_at(policy, number);
    if (!frame->rule || hail_guarantee_is_reliable(frame->rule->guarantee))
        return HAIL_DROP_NAME;
    if (frame->rule == hail_policy_bare(policy))
        return HAIL_DROP_MALFORMED;
    skip(&content, 2);
    return read_message(&frame->message, type, number, policy, content);
}

// A message on the channel that need not be named.
static enum hail_verdict read_bare(struct hail_native_frame *frame,
                                   const struct hail_policy *policy, struct hail_bytes content)
{
    frame->rule = hail_policy_bare(policy);
    return frame->rule
               ? read_message(&frame->message, frame->type,
                              hail_policy_channel_number(policy, frame->rule), policy, content)
               : HAIL_DROP_NAME;
}

static enum hail_verdict read_content(struct hail_native_frame *frame,
                                      const struct hail_policy *policy, struct hail_bytes content)
{
    switch (frame->type) {
    case HAIL_FRAME_PADDING:
        return HAIL_DROP_MALFORMED; // with a length; without, it is a byte that has been read
    case HAIL_FRAME_MESSAGE:
    case HAIL_FRAME_NAMED:
    case HAIL_FRAME_CALL:
    case HAIL_FRAME_REQUEST:
    case HAIL_FRAME_RESPONSE:
    case HAIL_FRAME_ERROR:
        return read_bare(frame, policy, content);
    case HAIL_FRAME_CHANNEL:
        return read_on_channel(frame, policy, content);
    case HAIL_FRAME_RELIABLE:
    case HAIL_FRAME_FRAGMENT:
        return read_part(frame, policy, content);
    case HAIL_FRAME_ACK:
        frame->bytes = content;
        return HAIL_ACCEPT;
    case HAIL_FRAME_PING:
    case HAIL_FRAME_PONG:
    case HAIL_FRAME_PATH_CHALLENGE:
    case HAIL_FRAME_PATH_RESPONSE:
        if (content.len != HAIL_FRAME_ECHO_LEN)
            return HAIL_DROP_MALFORMED;
        memcpy(frame->echo, content.data, HAIL_FRAME_ECHO_LEN);
        return HAIL_ACCEPT;
    case HAIL_FRAME_CLOSE:
        if (content.len < 1 || content.len > 1 + HAIL_FRAME_TEXT_MAX)
            return HAIL_DROP_MALFORMED;
        frame->reason = content.data[0];
        frame->text = (struct hail_bytes){content.data + 1, content.len - 1};
        return HAIL_ACCEPT;
    case HAIL_FRAME_APPROVED:
        if (content.len != CLIENT_ID_LEN)
            return HAIL_DROP_MALFORMED;
        frame->client_id = hail_get_be(content.data, 8);
        return HAIL_ACCEPT;
    case HAIL_FRAME_WAIT:
    case HAIL_FRAME_UPDATE:
    case HAIL_FRAME_ASK:
        return content.len == 0 ? HAIL_ACCEPT : HAIL_DROP_MALFORMED;
    case HAIL_FRAME_TICKET:
        if (content.len <= LIFE_LEN || content.len > LIFE_LEN + HAIL_TICKET_LEN_MAX)
            return HAIL_DROP_MALFORMED;
        frame->life_s = (uint32_t)hail_get_be(content.data, 4);
        skip(&content, LIFE_LEN);
        frame->bytes = content;
        return HAIL_ACCEPT;
    case HAIL_FRAME_LIMITS:
        if (content.len != LIMIT_LEN)
            return HAIL_DROP_MALFORMED;
        frame->message_max = (uint32_t)hail_get_be(content.data, 4);
        return HAIL_ACCEPT;
    }
    return HAIL_DROP_TYPE;
}

enum hail_verdict hail_frames_next(struct hail_native_frame *frame,
                                   const struct hail_policy *policy, const uint8_t *frames,
                                   size_t frames_len, size_t *at)
{
    HAIL_ASSERT(*at < frames_len);
    uint8_t first = frames[*at];
    struct hail_bytes content = {frames + *at + 1, frames_len - *at - 1};
    enum hail_verdict verdict = HAIL_ACCEPT;

    if (first & HAS_LENGTH) {
        uint64_t len;
        if (!take_varint(&content, &len) || len > content.len)
            return HAIL_DROP_MALFORMED;
        content.len = (size_t)len;
    }
    frame->type = (enum hail_frame_type)(first & ~HAS_LENGTH);
    if (first == HAIL_FRAME_PADDING)
        content.len = 0;
    else
        verdict = read_content(frame, policy, content);
    if (verdict == HAIL_ACCEPT || verdict == HAIL_DROP_NAME)
        *at = (size_t)(content.data - frames) + content.len;
    return verdict;
}

size_t hail_frames_padding(const uint8_t *frames, size_t frames_len)
{
    size_t len = 0;

    while (len < frames_len && frames[len] == HAIL_FRAME_PADDING)
        len++;
    return len;
}

// ---- Writing

// A frame's content: a few bytes that are made for it, and bytes that are there already.
struct content {
    uint8_t fields[HAIL_FRAME_HEADER_MAX - BEFORE_CONTENT_MAX];
    size_t fields_len;
    struct hail_bytes rest;
};

static void put_u64(struct content *content, uint64_t value)
{
    hail_put_be(content->fields + content->fields_len, value, 8);
    content->fields_len += 8;
}

static void put_u32(struct content *content, uint32_t value)
{
    hail_put_be(content->fields + content->fields_len, value, 4);
    content->fields_len += 4;
}

static void put_varint(struct content *content, uint64_t value)
{
    content->fields_len += hail_varint_write(content->fields + content->fields_len, value);
}

static void put_name(struct content *content, bool is_rpc, uint64_t hash,
                     const struct hail_policy *policy)
{
    size_t number = hail_policy_number(policy, is_rpc, hash);

    put_varint(content, number);
    if (number == 0)
        put_u64(content, hash);
}

static enum hail_frame_type bare_type(enum hail_message_kind kind)
{
    return (enum hail_frame_type)(HAIL_FRAME_MESSAGE + (kind - HAIL_MESSAGE_UNNAMED));
}

static bool compose_message(struct content *content, enum hail_frame_type type,
                            const struct hail_message_view *message,
                            const struct hail_policy *policy)
{
    bool is_rpc = type == HAIL_FRAME_CALL || type == HAIL_FRAME_REQUEST;

    if (type == HAIL_FRAME_REQUEST || type == HAIL_FRAME_RESPONSE || type == HAIL_FRAME_ERROR) {
        if (message->call_id > HAIL_VARINT_MAX)
            return false;
        put_varint(content, message->call_id);
    }
    if (type == HAIL_FRAME_ERROR)
        content->fields[content->fields_len++] = message->error;
    if (type == HAIL_FRAME_NAMED || is_rpc)
        put_name(content, is_rpc, message->name_hash, policy);
    if (is_rpc) {
        if (message->network_id > HAIL_VARINT_MAX)
            return false;
        put_varint(content, message->network_id);
        put_varint(content, message->behaviour);
    }
    content->rest = (struct hail_bytes){message->body, message->body_len};
    return true;
}

static void compose_part(struct content *content, const struct hail_native_frame *frame)
{
    content->fields[content->fields_len++] = frame->part.channel;
    hail_put_be(content->fields + content->fields_len, frame->part.id, 2);
    content->fields_len += 2;
    if (frame->type == HAIL_FRAME_FRAGMENT) {
        put_varint(content, frame->part.total);
        put_varint(content, frame->part.offset);
    }
    content->rest = frame->bytes;
}

// Returns false for what the wire has no form for.
static bool compose(struct content *content, const struct hail_native_frame *frame,
                    const struct hail_policy *policy)
{
    content->fields_len = 0;
    content->rest = (struct hail_bytes){NULL, 0};
    switch (frame->type) {
    case HAIL_FRAME_MESSAGE:
    case HAIL_FRAME_NAMED:
    case HAIL_FRAME_CALL:
    case HAIL_FRAME_REQUEST:
    case HAIL_FRAME_RESPONSE:
    case HAIL_FRAME_ERROR:
        return compose_message(content, frame->type, &frame->message, policy);
    case HAIL_FRAME_CHANNEL:
        content->fields[content->fields_len++] = frame->message.channel;
        content->fields[content->fields_len++] = (uint8_t)bare_type(frame->message.kind);
        return compose_message(content, bare_type(frame->message.kind), &frame->message, policy);
    case HAIL_FRAME_RELIABLE:
    case HAIL_FRAME_FRAGMENT:
        compose_part(content, frame);
        return true;
    case HAIL_FRAME_ACK:
        content->rest = frame->bytes;
        return true;
    case HAIL_FRAME_PING:
    case HAIL_FRAME_PONG:
    case HAIL_FRAME_PATH_CHALLENGE:
    case HAIL_FRAME_PATH_RESPONSE:
        content->rest = (struct hail_bytes){frame->echo, HAIL_FRAME_ECHO_LEN};
        return true;
    case HAIL_FRAME_CLOSE:
        content->fields[content->fields_len++] = frame->reason;
        content->rest = frame->text;
        return frame->text.len <= HAIL_FRAME_TEXT_MAX;
    case HAIL_FRAME_APPROVED:
        put_u64(content, frame->client_id);
        return true;
    case HAIL_FRAME_PADDING:
    case HAIL_FRAME_WAIT:
    case HAIL_FRAME_UPDATE:
    case HAIL_FRAME_ASK:
        return true;
    case HAIL_FRAME_TICKET:
        put_u32(content, frame->life_s);
        content->rest = frame->bytes;
        return frame->bytes.len > 0 && frame->bytes.len <= HAIL_TICKET_LEN_MAX;
    case HAIL_FRAME_LIMITS:
        put_u32(content, frame->message_max);
        return true;
    }
    HAIL_UNREACHABLE("whoever writes a frame takes its type from the enumeration");
}

size_t hail_frames_len(const struct hail_native_frame *frame, const struct hail_policy *policy)
{
    struct content content;

    if (frame->type == HAIL_FRAME_PADDING)
        return 1;
    if (!compose(&content, frame, policy))
        return 0;
    size_t len = content.fields_len + content.rest.len;
    return 1 + hail_varint_len(len) + len;
}

// All of a frame but the bytes that are there already.
static size_t write_head(uint8_t *out, enum hail_frame_type type, const struct content *content)
{
    uint8_t *at = out;

    *at++ = (uint8_t)(type | HAS_LENGTH);
    at += hail_varint_write(at, content->fields_len + content->rest.len);
    memcpy(at, content->fields, content->fields_len);
    return (size_t)(at - out) + content->fields_len;
}

size_t hail_frames_write(uint8_t *out, const struct hail_native_frame *frame,
                         const struct hail_policy *policy)
{
    struct content content;

    if (frame->type == HAIL_FRAME_PADDING) {
        *out = HAIL_FRAME_PADDING;
        return 1;
    }
    bool writable = compose(&content, frame, policy);
    HAIL_ASSERT(writable);
    size_t head = write_head(out, frame->type, &content);
    if (content.rest.len > 0)
        hail_meter_copy(out + head, content.rest.data, content.rest.len);
    return head + content.rest.len;
}

size_t hail_frames_write_head(uint8_t *out, const struct hail_native_frame *frame)
{
    struct content content = {.fields_len = 0};

    compose_part(&content, frame);
    return write_head(out, frame->type, &content);
}

size_t hail_frames_inner_head(uint8_t *out, const struct hail_message_view *message,
                              const struct hail_policy *policy)
{
    struct content content = {.fields_len = 0};
    enum hail_frame_type type = bare_type(message->kind);

    if (!compose_message(&content, type, message, policy))
        return 0;
    out[0] = (uint8_t)type;
    memcpy(out + 1, content.fields, content.fields_len);
    return 1 + content.fields_len;
}

size_t hail_frames_shorten(uint8_t *frames, size_t frames_len, size_t last)
{
    struct hail_bytes content = {frames + last + 1, frames_len - last - 1};
    uint64_t len;

    HAIL_ASSERT(last < frames_len);
    if (!(frames[last] & HAS_LENGTH))
        return frames_len;
    bool readable = take_varint(&content, &len);
    HAIL_ASSERT(readable);
    HAIL_ASSERT(len == content.len);
    frames[last] &= (uint8_t)~HAS_LENGTH;
    memmove(frames + last + 1, content.data, content.len);
    return last + 1 + content.len;
}

enum hail_frame_type hail_frames_type_of(const struct hail_message_view *message,
                                         const struct hail_policy *policy)
{
    const struct hail_policy_channel *bare = hail_policy_bare(policy);

    return bare && message->channel == hail_policy_channel_number(policy, bare)
               ? bare_type(message->kind)
               : HAIL_FRAME_CHANNEL;
}

bool hail_frames_is_control(enum hail_frame_type type)
{
    return type < HAIL_FRAME_MESSAGE || type > HAIL_FRAME_FRAGMENT ||
           (type > HAIL_FRAME_ERROR && type < HAIL_FRAME_CHANNEL);
}
