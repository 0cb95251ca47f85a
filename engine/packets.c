// packets.c: see packets.h.
// SPDX-License-Identifier: MIT
#include "engine/packets.h"

#include <string.h>

#include "engine/sender.h"

enum {
    ACK_HEAD_LEN = 1 + 2, // type and length
    ASK_LEN = 2
};

void hail_packets_show(const struct hail_shard *shard, uint32_t slot, bool sent,
                       const uint8_t *data, size_t len)
{
    const struct hail_config *config = &shard->context->config;

    if (config->native.on_datagram && !shard->context->is_server)
        config->native.on_datagram(shard->context->endpoint, hail_table_name(&shard->table, slot),
                                   sent, data, len, config->user);
}

uint32_t hail_packets_begin(struct hail_shard *shard, uint32_t slot, uint8_t protection)
{
    uint32_t index = hail_outbox_add(&shard->outbox, slot, protection);

    if (index == HAIL_OUTGOING_NONE) {
        hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_UNSENT, 1);
        return index;
    }
    if (slot == HAIL_SLOT_NONE)
        return index;
    struct hail_native *native = &shard->native.conns[slot];
    if (native->out_last != HAIL_OUTGOING_NONE)
        shard->outbox.list[native->out_last].next = index;
    else
        native->out_first = index;
    native->out_last = index;
    return index;
}

void hail_packets_whole(struct hail_shard *shard, uint32_t slot, const struct hail_address *to,
                        const uint8_t *data, size_t len)
{
    uint32_t index = hail_packets_begin(shard, slot, HAIL_OUTGOING_WHOLE);

    if (index == HAIL_OUTGOING_NONE)
        return;
    struct hail_outgoing *outgoing = &shard->outbox.list[index];
    memcpy(hail_outbox_bytes(&shard->outbox, index), data, len);
    outgoing->len = (uint16_t)len;
    outgoing->elsewhere = to != NULL;
    if (to)
        outgoing->to = *to;
}

size_t hail_packets_room(const struct hail_shard *shard, uint32_t slot,
                         enum hail_protection protection, uint32_t index)
{
    const struct hail_native *native = &shard->native.conns[slot];
    size_t room = native->sender.pmtu.size - hail_peer_overhead(&native->peer, protection);
    size_t len = index == HAIL_OUTGOING_NONE ? 0 : shard->outbox.list[index].len;

    return len < room ? room - len : 0; // a probe is longer than packets may be
}

uint32_t hail_packets_for(struct hail_shard *shard, uint32_t slot, enum hail_protection protection,
                          size_t len)
{
    struct hail_native *native = &shard->native.conns[slot];

    if (native->out_last != HAIL_OUTGOING_NONE) {
        const struct hail_outgoing *open = &shard->outbox.list[native->out_last];
        bool is_alike = open->protection == protection && !open->elsewhere;
        if (is_alike && len <= hail_packets_room(shard, slot, protection, native->out_last))
            return native->out_last;
        native->sender.pmtu.wanted |= is_alike;
    }
    return hail_packets_begin(shard, slot, (uint8_t)protection);
}

uint8_t *hail_packets_extend(struct hail_shard *shard, uint32_t index, size_t len)
{
    struct hail_outgoing *outgoing = &shard->outbox.list[index];
    enum hail_direction direction = shard->context->is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    uint8_t *frames = hail_outbox_bytes(&shard->outbox, index) +
                      hail_packet_frames_at(direction, (enum hail_protection)outgoing->protection);
    uint8_t *at = frames + outgoing->len;

    outgoing->last = outgoing->len;
    outgoing->len += (uint16_t)len;
    return at;
}

void hail_packets_add(struct hail_shard *shard, uint32_t index,
                      const struct hail_native_frame *frame)
{
    const struct hail_policy *policy = &shard->context->policy;
    uint8_t *at = hail_packets_extend(shard, index, 0);

    shard->outbox.list[index].len += (uint16_t)hail_frames_write(at, frame, policy);
}

bool hail_packets_takes_ack(const struct hail_shard *shard, uint32_t index)
{
    const struct hail_outgoing *outgoing = &shard->outbox.list[index];

    return outgoing->protection > HAIL_PROTECTION_PLAIN && !outgoing->elsewhere &&
           hail_packets_room(shard, outgoing->slot, (enum hail_protection)outgoing->protection,
                             index) >= HAIL_ACK_LEN_MAX + ACK_HEAD_LEN;
}

void hail_packets_acknowledge(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    struct hail_native *native = &shard->native.conns[slot];
    struct hail_native_frame frame = {.type = HAIL_FRAME_ACK};
    uint8_t content[HAIL_ACK_LEN_MAX];
    struct hail_ack ack;

    hail_acks_fill(&native->acks, &ack, shard->now_ns);
    frame.bytes = (struct hail_bytes){content, hail_ack_encode(content, &ack)};
    hail_packets_add(shard, index, &frame);
    hail_acks_told(&native->acks, shard->now_ns);
}

// What goes along in a packet that leaves anyway.
static void add_riders(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    static const struct hail_native_frame ask = {.type = HAIL_FRAME_ASK};
    struct hail_native *native = &shard->native.conns[slot];
    const struct hail_outgoing *outgoing = &shard->outbox.list[index];

    if (hail_acks_worth(&native->acks, shard->now_ns) && hail_packets_takes_ack(shard, index))
        hail_packets_acknowledge(shard, slot, index);
    if (outgoing->flight != HAIL_SLAB_NONE && hail_sender_asks(&native->sender) &&
        hail_packets_room(shard, slot, (enum hail_protection)outgoing->protection, index) >=
            ASK_LEN) {
        hail_packets_add(shard, index, &ask);
        hail_sender_asked(&native->sender);
    }
}

// Frames become a datagram.
static void seal(struct hail_shard *shard, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->outbox.list[index];
    uint32_t slot = outgoing->slot;
    struct hail_native *native = &shard->native.conns[slot];
    enum hail_direction direction = native->peer.is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    uint8_t *datagram = hail_outbox_bytes(&shard->outbox, index);

    if (outgoing->protection != HAIL_OUTGOING_WHOLE) {
        enum hail_protection protection = (enum hail_protection)outgoing->protection;
        add_riders(shard, slot, index);
        size_t len = hail_frames_shorten(datagram + hail_packet_frames_at(direction, protection),
                                         outgoing->len, outgoing->last);
        uint64_t number = native->peer.next_number;
        outgoing->len =
            (uint16_t)hail_peer_seal(&native->peer, datagram, len, protection, shard->now_ns);
        outgoing->protection = HAIL_OUTGOING_WHOLE;
        if (outgoing->flight != HAIL_SLAB_NONE)
            hail_sender_left(shard, slot, outgoing->flight, number, outgoing->len);
    }
    if (!outgoing->elsewhere)
        outgoing->to = native->keyed ? native->peer.address : native->from;
}

// A server's slot may have another connection before it is sent, so it is no longer the slot's.
void hail_packets_release(struct hail_shard *shard, uint32_t slot)
{
    uint32_t index = shard->native.conns[slot].out_first;

    while (index != HAIL_OUTGOING_NONE) {
        struct hail_outgoing *outgoing = &shard->outbox.list[index];
        seal(shard, index);
        index = outgoing->next;
        if (shard->context->is_server) {
            outgoing->slot = HAIL_SLOT_NONE;
            outgoing->next = HAIL_OUTGOING_NONE;
        }
    }
}

bool hail_packets_task(struct hail_shard *shard, struct hail_task *task)
{
    uint32_t index = hail_outbox_next(&shard->outbox);

    if (index == HAIL_OUTGOING_NONE)
        return false;
    struct hail_outgoing *first = &shard->outbox.list[index];
    if (first->slot != HAIL_SLOT_NONE)
        seal(shard, index);
    task->op = HAIL_TASK_DATAGRAMS;
    task->slot = first->slot;
    task->address = shard->context->is_server ? &first->to.any : NULL;
    task->view_count = 0;
    size_t bytes = 0;
    for (;;) {
        struct hail_outgoing *outgoing = &shard->outbox.list[index];
        outgoing->given = true;
        task->views[task->view_count++] =
            (struct iovec){hail_outbox_bytes(&shard->outbox, index), outgoing->len};
        bytes += outgoing->len;
        hail_packets_show(shard, first->slot, true, hail_outbox_bytes(&shard->outbox, index),
                          outgoing->len);
        uint32_t next = outgoing->next;
        if (first->slot == HAIL_SLOT_NONE)
            break;
        shard->native.conns[first->slot].out_first = next;
        if (next == HAIL_OUTGOING_NONE)
            shard->native.conns[first->slot].out_last = next;
        // A train is of datagrams of one length, of which the last may be shorter.
        if (next == HAIL_OUTGOING_NONE || outgoing->len < first->len || outgoing->alone ||
            task->view_count == HAIL_VIEWS_MAX)
            break;
        seal(shard, next);
        if (shard->outbox.list[next].len > first->len || shard->outbox.list[next].alone ||
            !hail_address_equal(&shard->outbox.list[next].to, &first->to))
            break;
        index = next;
    }
    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_OUT, task->view_count);
    hail_stat_add(&shard->stats, HAIL_STAT_BYTES_OUT, bytes);
    if (first->slot != HAIL_SLOT_NONE)
        hail_table_count(&shard->table, first->slot, HAIL_TRAFFIC_BYTES_OUT, bytes);
    return true;
}
