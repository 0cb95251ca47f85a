// packets.c: see packets.h.
// SPDX-License-Identifier: MIT
#include "engine/native/packets.h"

#include <string.h>

#include "engine/delivery/sender.h"
#include "engine/native/simulate.h"

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

// Puts a datagram at the end of its connection's.
static void link_last(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    struct hail_native *native = &shard->native->conns[slot];

    shard->native->outbox.list[index].next = HAIL_OUTGOING_NONE;
    if (native->out_last != HAIL_OUTGOING_NONE)
        shard->native->outbox.list[native->out_last].next = index;
    else
        native->out_first = index;
    native->out_last = index;
}

// Takes the first of them off.
static void unlink_first(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];

    native->out_first = shard->native->outbox.list[native->out_first].next;
    if (native->out_first == HAIL_OUTGOING_NONE)
        native->out_last = HAIL_OUTGOING_NONE;
}

uint32_t hail_packets_begin(struct hail_shard *shard, uint32_t slot, uint8_t protection)
{
    uint32_t index = hail_outbox_add(&shard->native->outbox, slot, protection);

    if (index == HAIL_OUTGOING_NONE) {
        hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_UNSENT, 1);
        return index;
    }
    if (slot != HAIL_SLOT_NONE)
        link_last(shard, slot, index);
    return index;
}

void hail_packets_whole(struct hail_shard *shard, uint32_t slot, const struct hail_address *to,
                        const uint8_t *data, size_t len)
{
    uint32_t index = hail_packets_begin(shard, slot, HAIL_OUTGOING_WHOLE);

    if (index == HAIL_OUTGOING_NONE)
        return;
    struct hail_outgoing *outgoing = &shard->native->outbox.list[index];
    memcpy(hail_outbox_bytes(&shard->native->outbox, index), data, len);
    outgoing->len = (uint16_t)len;
    outgoing->elsewhere = to != NULL;
    if (to)
        outgoing->to = *to;
}

void hail_packets_simulated(struct hail_shard *shard, uint32_t slot, const uint8_t *data,
                            size_t len)
{
    uint32_t count = shard->native->outbox.count;

    hail_packets_whole(shard, slot, NULL, data, len);
    if (shard->native->outbox.count > count)
        shard->native->outbox.list[count].simulated = true;
}

size_t hail_packets_room(const struct hail_shard *shard, uint32_t slot,
                         enum hail_protection protection, uint32_t index)
{
    const struct hail_native *native = &shard->native->conns[slot];
    size_t room = native->sender.pmtu.size - hail_peer_overhead(&native->peer, protection);
    size_t len = index == HAIL_OUTGOING_NONE ? 0 : shard->native->outbox.list[index].len;

    return len < room ? room - len : 0; // a probe is longer than packets may be
}

uint32_t hail_packets_for(struct hail_shard *shard, uint32_t slot, enum hail_protection protection,
                          size_t len)
{
    struct hail_native *native = &shard->native->conns[slot];

    if (native->out_last != HAIL_OUTGOING_NONE) {
        const struct hail_outgoing *open = &shard->native->outbox.list[native->out_last];
        bool is_alike = open->protection == protection && !open->elsewhere;
        if (is_alike && len <= hail_packets_room(shard, slot, protection, native->out_last))
            return native->out_last;
        native->sender.pmtu.wanted |= is_alike;
    }
    return hail_packets_begin(shard, slot, (uint8_t)protection);
}

uint8_t *hail_packets_extend(struct hail_shard *shard, uint32_t index, size_t len)
{
    struct hail_outgoing *outgoing = &shard->native->outbox.list[index];
    enum hail_direction direction = shard->context->is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    uint8_t *frames = hail_outbox_bytes(&shard->native->outbox, index) +
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

    shard->native->outbox.list[index].len += (uint16_t)hail_frames_write(at, frame, policy);
}

bool hail_packets_takes_ack(const struct hail_shard *shard, uint32_t index)
{
    const struct hail_outgoing *outgoing = &shard->native->outbox.list[index];

    return outgoing->protection > HAIL_PROTECTION_PLAIN && !outgoing->elsewhere &&
           hail_packets_room(shard, outgoing->slot, (enum hail_protection)outgoing->protection,
                             index) >= HAIL_ACK_LEN_MAX + ACK_HEAD_LEN;
}

void hail_packets_acknowledge(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    struct hail_native *native = &shard->native->conns[slot];
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
    struct hail_native *native = &shard->native->conns[slot];
    const struct hail_outgoing *outgoing = &shard->native->outbox.list[index];

    if (hail_acks_worth(&native->acks, shard->now_ns) && hail_packets_takes_ack(shard, index))
        hail_packets_acknowledge(shard, slot, index);
    if (outgoing->sent != HAIL_SLAB_NONE && hail_sender_asks(&native->sender) &&
        hail_packets_room(shard, slot, (enum hail_protection)outgoing->protection, index) >=
            ASK_LEN) {
        hail_packets_add(shard, index, &ask);
        hail_sender_asked(&native->sender);
    }
}

// Frames become a datagram.
static void seal(struct hail_shard *shard, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->native->outbox.list[index];
    uint32_t slot = outgoing->slot;
    struct hail_native *native = &shard->native->conns[slot];
    enum hail_direction direction = native->peer.is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    uint8_t *datagram = hail_outbox_bytes(&shard->native->outbox, index);

    if (outgoing->protection != HAIL_OUTGOING_WHOLE) {
        enum hail_protection protection = (enum hail_protection)outgoing->protection;
        add_riders(shard, slot, index);
        size_t len = hail_frames_shorten(datagram + hail_packet_frames_at(direction, protection),
                                         outgoing->len, outgoing->last);
        if (outgoing->sent != HAIL_SLAB_NONE)
            hail_sender_number(shard, slot);
        uint64_t number = native->peer.next_number;
        outgoing->len =
            (uint16_t)hail_peer_seal(&native->peer, datagram, len, protection, shard->now_ns);
        outgoing->protection = HAIL_OUTGOING_WHOLE;
        if (outgoing->sent != HAIL_SLAB_NONE)
            hail_sender_left(shard, slot, outgoing->sent, number, outgoing->len);
    }
    if (!outgoing->elsewhere)
        outgoing->to = native->keyed ? native->peer.address : native->from;
}

static bool is_to_be_simulated(const struct hail_shard *shard, uint32_t index)
{
    const struct hail_outgoing *outgoing = &shard->native->outbox.list[index];

    return !outgoing->simulated &&
           hail_netsim_on(&shard->native->netsim, outgoing->slot, HAIL_NETSIM_OUT);
}

// Seals a connection's datagram. If it leaves through the simulated network, it is given already.
static bool leaves_later(struct hail_shard *shard, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->native->outbox.list[index];

    seal(shard, index);
    outgoing->given =
        is_to_be_simulated(shard, index) &&
        hail_simulate_takes(shard, outgoing->slot, HAIL_NETSIM_OUT, &outgoing->to,
                            hail_outbox_bytes(&shard->native->outbox, index), outgoing->len);
    if (outgoing->given && shard->context->is_server) {
        hail_table_count(&shard->table, outgoing->slot, HAIL_CONN_FIGURE_BYTES_OUT, outgoing->len);
        hail_table_count(&shard->table, outgoing->slot, HAIL_CONN_FIGURE_PACKETS_OUT, 1);
    }
    return outgoing->given;
}

// A server's slot may have another connection before it is sent, so it is no longer the slot's.
void hail_packets_release(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];
    uint32_t index = native->out_first;

    native->out_first = HAIL_OUTGOING_NONE;
    native->out_last = HAIL_OUTGOING_NONE;
    while (index != HAIL_OUTGOING_NONE) {
        struct hail_outgoing *outgoing = &shard->native->outbox.list[index];
        uint32_t next = outgoing->next;
        bool is_gone = leaves_later(shard, index);
        if (shard->context->is_server)
            outgoing->slot = HAIL_SLOT_NONE;
        else if (!is_gone)
            link_last(shard, slot, index);
        index = next;
    }
}

// The first datagram that leaves now, sealed; HAIL_OUTGOING_NONE: there is none.
static uint32_t first_to_leave(struct hail_shard *shard)
{
    for (;;) {
        uint32_t index = hail_outbox_next(&shard->native->outbox);
        if (index == HAIL_OUTGOING_NONE)
            return index;
        uint32_t slot = shard->native->outbox.list[index].slot;
        if (slot == HAIL_SLOT_NONE || !leaves_later(shard, index))
            return index;
        unlink_first(shard, slot);
    }
}

// Adds a datagram to a task. Returns its length.
static size_t add_view(struct hail_shard *shard, struct hail_task *task, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->native->outbox.list[index];
    uint8_t *bytes = hail_outbox_bytes(&shard->native->outbox, index);

    outgoing->given = true;
    task->views[task->view_count++] = (struct iovec){bytes, outgoing->len};
    hail_packets_show(shard, task->slot, true, bytes, outgoing->len);
    if (outgoing->slot != HAIL_SLOT_NONE)
        unlink_first(shard, outgoing->slot);
    return outgoing->len;
}

// Whether the next datagram of a connection may follow in a GSO batch, which is of datagrams of one
// length, but the last may be shorter.
static bool may_follow(struct hail_shard *shard, uint32_t first, uint32_t last)
{
    struct hail_outgoing *list = shard->native->outbox.list;
    uint32_t next = list[first].slot == HAIL_SLOT_NONE
                        ? HAIL_OUTGOING_NONE
                        : shard->native->conns[list[first].slot].out_first;

    if (next == HAIL_OUTGOING_NONE || list[last].len < list[first].len || list[last].alone ||
        is_to_be_simulated(shard, next))
        return false;
    seal(shard, next);
    return list[next].len <= list[first].len && !list[next].alone &&
           hail_address_equal(&list[next].to, &list[first].to);
}

bool hail_packets_task(struct hail_shard *shard, struct hail_task *task)
{
    uint32_t first = first_to_leave(shard);

    if (first == HAIL_OUTGOING_NONE)
        return false;
    uint32_t slot = shard->native->outbox.list[first].slot;
    task->op = HAIL_TASK_DATAGRAMS;
    task->slot = slot;
    task->address = shard->context->is_server ? &shard->native->outbox.list[first].to.any : NULL;
    task->view_count = 0;
    uint32_t last = first;
    size_t bytes = add_view(shard, task, first);
    while (task->view_count < HAIL_VIEWS_MAX && may_follow(shard, first, last)) {
        last = shard->native->conns[slot].out_first;
        bytes += add_view(shard, task, last);
    }
    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_OUT, task->view_count);
    hail_stat_add(&shard->stats, HAIL_STAT_BYTES_OUT, bytes);
    if (slot != HAIL_SLOT_NONE) {
        hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_BYTES_OUT, bytes);
        hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_PACKETS_OUT, task->view_count);
    }
    return true;
}
