// delivery_alone.c: see delivery_alone.h.
// SPDX-License-Identifier: MIT
#include "tests/delivery_alone.h"

#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/reassembly.h"
#include "engine/delivery/receiver.h"
#include "engine/delivery/recovery.h"
#include "engine/delivery/sender.h"

enum {
    BODY_MAX = 1 << 20
};

struct hail_delivery_limits alone_limits(void)
{
    return (struct hail_delivery_limits){
        .buffers_max = 16 << 20,
        .slots = ALONE_SLOTS,
        .message_max = 512 * 1024,
        .unsent_max = 1 << 20,
        .stall_timeout_ms = 10000,
        .datagram_max = 1452,
        .is_server = true,
    };
}

static void carve(struct alone *alone, const struct hail_delivery_limits *limits)
{
    uint32_t blocks = (uint32_t)(limits->buffers_max / HAIL_BLOCK_MESSAGE);

    alone->published =
        hail_arena_take(&alone->arena, limits->slots, sizeof(struct hail_slot_public));
    hail_queue_init(&alone->held, &alone->arena, limits->slots);
    hail_quota_init(&alone->quota, &alone->arena, limits->slots, limits->buffers_max,
                    2 * (uint64_t)limits->message_max);
    hail_pool_init(&alone->pool, &alone->arena, HAIL_BLOCK_MESSAGE, blocks);
    hail_quota_watch(&alone->quota, &alone->pool.used_count, blocks);
    alone->delivery = (struct hail_delivery){
        .policy = &alone->policy,
        .limits = *limits,
        .now_ns = &alone->now_ns,
        .pool = &alone->pool,
        .quota = &alone->quota,
        .random = &alone->random,
        .held = &alone->held,
        .stats = &alone->stats,
        .channel_stats = alone->channels,
        .published = alone->published,
    };
    hail_delivery_reserve_conns(&alone->delivery, &alone->arena);
    hail_delivery_reserve(&alone->delivery, &alone->arena);
}

void alone_begin(struct alone *alone, const struct hail_delivery_limits *limits)
{
    const struct hail_policy policy = alone->policy;

    memset(alone, 0, sizeof *alone); // whatever a test that failed has left
    alone->policy = policy;
    alone->now_ns = HAIL_NS_PER_S;
    alone->next_number = 1;
    hail_random_init_seeded(&alone->random, 1);
    carve(alone, limits);
    ck_assert(hail_arena_reserve(&alone->arena));
    carve(alone, limits);
    hail_reassembly_init(&alone->delivery);
    for (uint32_t slot = 0; slot < limits->slots; slot++) {
        hail_delivery_begin(&alone->delivery, slot);
        hail_sender_begin(&alone->delivery, slot);
        hail_receiver_begin(&alone->delivery, slot);
        hail_sender_joined(&alone->delivery, slot);
        hail_sender_of(&alone->delivery, slot)->skip_in = UINT16_MAX; // no number is left out
    }
}

void alone_end(struct alone *alone)
{
    struct hail_delivery *delivery = &alone->delivery;

    for (uint32_t slot = 0; slot < delivery->limits.slots; slot++) {
        alone_leave(alone, slot);
        hail_sender_clear(delivery, slot);
        hail_receiver_clear(delivery, slot);
        ck_assert_uint_eq(alone->quota.holders[slot].held, 0);
        ck_assert_uint_eq(delivery->conns[slot].stored, 0);
        ck_assert_uint_eq(atomic_load(&delivery->claimed[slot]), 0);
    }
    ck_assert_uint_eq(alone->pool.used_count, 0);
    ck_assert_uint_eq(delivery->messages.used_count, 0);
    ck_assert_uint_eq(delivery->ranges.used_count, 0);
    ck_assert_uint_eq(delivery->sent_packets.used_count, 0);
    ck_assert_uint_eq(delivery->reassemblies.records.used_count, 0);
    hail_random_cleanup(&alone->random);
    hail_arena_cleanup(&alone->arena);
    memset(alone, 0, sizeof *alone);
}

enum hail_status alone_send(struct alone *alone, uint32_t slot, uint8_t channel, size_t len)
{
    static const uint8_t body[BODY_MAX];
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = HAIL_FLAGS_BOTH,
                                           .channel = channel,
                                           .body = body,
                                           .body_len = len};

    ck_assert_uint_le(len, BODY_MAX);
    return hail_sender_send(&alone->delivery, slot, &view);
}

static void note_frame(struct alone_packet *packet, const struct hail_native_frame *frame)
{
    packet->frame_count++;
    packet->asks |= frame->type == HAIL_FRAME_ASK;
    packet->acknowledges |= frame->type == HAIL_FRAME_ACK;
    if (frame->type != HAIL_FRAME_RELIABLE && frame->type != HAIL_FRAME_FRAGMENT)
        return;
    ck_assert_uint_lt(packet->part_count, ALONE_PARTS_MAX);
    packet->parts[packet->part_count].channel = frame->part.channel;
    packet->parts[packet->part_count].id = frame->part.id;
    packet->parts[packet->part_count].offset = frame->part.offset;
    packet->parts[packet->part_count++].len = (uint32_t)frame->bytes.len;
}

// Reads what lies in a packet that is not sealed.
static void look(struct alone *alone, struct alone_packet *packet, const uint8_t *frames,
                 size_t len)
{
    struct hail_native_frame frame;
    size_t at = hail_frames_padding(frames, len);

    while (at < len) {
        ck_assert_int_eq(hail_frames_next(&frame, &alone->policy, frames, len, &at), HAIL_ACCEPT);
        note_frame(packet, &frame);
        at += hail_frames_padding(frames + at, len - at);
    }
}

uint32_t alone_leave(struct alone *alone, uint32_t slot)
{
    struct hail_delivery *delivery = &alone->delivery;
    struct hail_delivery_conn *own = &delivery->conns[slot];
    static const struct hail_native_frame ask = {.type = HAIL_FRAME_ASK};
    uint32_t count = 0;

    for (uint32_t index; (index = own->out_first) != HAIL_OUTGOING_NONE; count++) {
        struct hail_outgoing *outgoing = &delivery->outbox.list[index];
        enum hail_protection protection = (enum hail_protection)outgoing->protection;
        if (outgoing->sent != HAIL_SLAB_NONE && hail_sender_asks(&own->sender)) {
            hail_packets_add(delivery, index, &ask);
            hail_sender_asked(&own->sender);
        }
        if (outgoing->sent != HAIL_SLAB_NONE)
            alone->next_number = hail_sender_number(delivery, slot, alone->next_number);
        uint64_t number = alone->next_number++;
        struct alone_packet *packet = &alone->packets[number % ALONE_PACKETS_MAX];
        *packet = (struct alone_packet){.number = number, .protection = outgoing->protection};
        look(alone, packet, hail_packets_extend(delivery, index, 0) - outgoing->len, outgoing->len);
        packet->len = (uint16_t)(outgoing->len + hail_packets_overhead(delivery, protection));
        hail_packets_unlink(delivery, slot);
        outgoing->given = true;
        if (outgoing->sent != HAIL_SLAB_NONE)
            hail_sender_left(delivery, slot, outgoing->sent, number, packet->len);
    }
    hail_outbox_clear(&delivery->outbox);
    return count;
}

const struct alone_packet *alone_packet(const struct alone *alone, uint64_t number)
{
    const struct alone_packet *packet = &alone->packets[number % ALONE_PACKETS_MAX];

    ck_assert_uint_eq(packet->number, number);
    return packet;
}

enum hail_verdict alone_acked(struct alone *alone, uint32_t slot,
                              const struct hail_ack_range *ranges, size_t count)
{
    struct hail_ack ack = {.count = count};
    uint8_t content[HAIL_ACK_LEN_MAX * 4];

    memcpy(ack.ranges, ranges, count * sizeof *ranges);
    size_t len = hail_ack_encode(content, &ack);
    return hail_recovery_acked(&alone->delivery, slot, (struct hail_bytes){content, len},
                               alone->next_number);
}

uint64_t alone_counted(const struct alone *alone, unsigned stat)
{
    return hail_stat_get(&alone->stats, stat);
}
