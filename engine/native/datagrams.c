// datagrams.c: see datagrams.h.
// SPDX-License-Identifier: MIT
#include "engine/native/datagrams.h"

#include <string.h>

#include "engine/delivery/packets.h"
#include "engine/delivery/sender.h"
#include "engine/native/simulate.h"
#include "engine/shard/conn.h"

enum {
    ASK_LEN = 2
};

void hail_datagrams_show(const struct hail_shard *shard, uint32_t slot, bool sent,
                         const uint8_t *data, size_t len)
{
    const struct hail_config *config = &shard->context->config;

    if (config->native.on_datagram && !shard->context->is_server)
        config->native.on_datagram(shard->context->endpoint, hail_table_name(&shard->table, slot),
                                   sent, data, len, config->user);
}

void hail_datagrams_whole(struct hail_shard *shard, uint32_t slot, const struct hail_path *to,
                          const uint8_t *data, size_t len)
{
    uint32_t index = hail_packets_begin(&shard->delivery, slot, HAIL_OUTGOING_WHOLE);

    if (index == HAIL_OUTGOING_NONE)
        return;
    struct hail_outgoing *outgoing = &shard->delivery.outbox.list[index];
    memcpy(hail_outbox_bytes(&shard->delivery.outbox, index), data, len);
    outgoing->len = (uint16_t)len;
    outgoing->elsewhere = to != NULL;
    if (to)
        outgoing->to = *to;
}

void hail_datagrams_simulated(struct hail_shard *shard, uint32_t slot, const uint8_t *data,
                              size_t len)
{
    uint32_t count = shard->delivery.outbox.count;

    hail_datagrams_whole(shard, slot, NULL, data, len);
    if (shard->delivery.outbox.count > count)
        shard->delivery.outbox.list[count].simulated = true;
}

// What goes along in a packet that leaves anyway.
static void add_riders(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    static const struct hail_native_frame ask = {.type = HAIL_FRAME_ASK};
    struct hail_delivery *delivery = &shard->delivery;
    struct hail_delivery_conn *own = &delivery->conns[slot];
    const struct hail_outgoing *outgoing = &delivery->outbox.list[index];

    if (hail_acks_worth(&own->acks, shard->now_ns) && hail_packets_takes_ack(delivery, index))
        hail_packets_acknowledge(delivery, slot, index);
    if (outgoing->sent != HAIL_SLAB_NONE && hail_sender_asks(&own->sender) &&
        hail_packets_room(delivery, slot, (enum hail_protection)outgoing->protection, index) >=
            ASK_LEN) {
        hail_packets_add(delivery, index, &ask);
        hail_sender_asked(&own->sender);
    }
}

// Frames become a datagram.
static void seal(struct hail_shard *shard, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->delivery.outbox.list[index];
    uint32_t slot = outgoing->slot;
    struct hail_native *native = &shard->native->conns[slot];
    enum hail_direction direction = native->peer.is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    uint8_t *datagram = hail_outbox_bytes(&shard->delivery.outbox, index);

    if (outgoing->protection != HAIL_OUTGOING_WHOLE) {
        enum hail_protection protection = (enum hail_protection)outgoing->protection;
        add_riders(shard, slot, index);
        size_t len = hail_frames_shorten(datagram + hail_packet_frames_at(direction, protection),
                                         outgoing->len, outgoing->last);
        if (outgoing->sent != HAIL_SLAB_NONE)
            native->peer.next_number =
                hail_sender_number(&shard->delivery, slot, native->peer.next_number);
        uint64_t number = native->peer.next_number;
        outgoing->len =
            (uint16_t)hail_peer_seal(&native->peer, datagram, len, protection, shard->now_ns);
        outgoing->protection = HAIL_OUTGOING_WHOLE;
        if (outgoing->sent != HAIL_SLAB_NONE) {
            hail_sender_left(&shard->delivery, slot, outgoing->sent, number, outgoing->len);
            hail_conn_arm(shard, slot);
        }
    }
    if (!outgoing->elsewhere)
        outgoing->to = native->keyed ? native->peer.address : native->from;
}

static bool is_to_be_simulated(const struct hail_shard *shard, uint32_t index)
{
    const struct hail_outgoing *outgoing = &shard->delivery.outbox.list[index];

    return !outgoing->simulated &&
           hail_netsim_on(&shard->native->netsim, outgoing->slot, HAIL_NETSIM_OUT);
}

// Seals a connection's datagram. If it leaves through the simulated network, it is given already.
static bool leaves_later(struct hail_shard *shard, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->delivery.outbox.list[index];

    seal(shard, index);
    outgoing->given =
        is_to_be_simulated(shard, index) &&
        hail_simulate_takes(shard, outgoing->slot, HAIL_NETSIM_OUT, &outgoing->to,
                            hail_outbox_bytes(&shard->delivery.outbox, index), outgoing->len);
    if (outgoing->given && shard->context->is_server) {
        hail_table_count(&shard->table, outgoing->slot, HAIL_CONN_FIGURE_BYTES_OUT, outgoing->len);
        hail_table_count(&shard->table, outgoing->slot, HAIL_CONN_FIGURE_PACKETS_OUT, 1);
    }
    return outgoing->given;
}

// A server's slot may have another connection before it is sent, so it is no longer the slot's.
void hail_datagrams_release(struct hail_shard *shard, uint32_t slot)
{
    struct hail_delivery_conn *own = &shard->delivery.conns[slot];
    uint32_t index = own->out_first;

    own->out_first = HAIL_OUTGOING_NONE;
    own->out_last = HAIL_OUTGOING_NONE;
    while (index != HAIL_OUTGOING_NONE) {
        struct hail_outgoing *outgoing = &shard->delivery.outbox.list[index];
        uint32_t next = outgoing->next;
        bool is_gone = leaves_later(shard, index);
        if (shard->context->is_server)
            outgoing->slot = HAIL_SLOT_NONE;
        else if (!is_gone)
            hail_packets_link(&shard->delivery, slot, index);
        index = next;
    }
}

// The first datagram that leaves now, sealed; HAIL_OUTGOING_NONE: there is none.
static uint32_t first_to_leave(struct hail_shard *shard)
{
    for (;;) {
        uint32_t index = hail_outbox_next(&shard->delivery.outbox);
        if (index == HAIL_OUTGOING_NONE)
            return index;
        uint32_t slot = shard->delivery.outbox.list[index].slot;
        if (slot == HAIL_SLOT_NONE || !leaves_later(shard, index))
            return index;
        hail_packets_unlink(&shard->delivery, slot);
    }
}

// Adds a datagram to a task. Returns its length.
static size_t add_view(struct hail_shard *shard, struct hail_task *task, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->delivery.outbox.list[index];
    uint8_t *bytes = hail_outbox_bytes(&shard->delivery.outbox, index);

    outgoing->given = true;
    task->views[task->view_count++] = (struct iovec){bytes, outgoing->len};
    hail_datagrams_show(shard, task->slot, true, bytes, outgoing->len);
    if (outgoing->slot != HAIL_SLOT_NONE)
        hail_packets_unlink(&shard->delivery, outgoing->slot);
    return outgoing->len;
}

// Whether the next datagram of a connection may follow in a GSO batch, which is of datagrams of one
// length, but the last may be shorter.
static bool may_follow(struct hail_shard *shard, uint32_t first, uint32_t last)
{
    struct hail_outgoing *list = shard->delivery.outbox.list;
    uint32_t next = list[first].slot == HAIL_SLOT_NONE
                        ? HAIL_OUTGOING_NONE
                        : shard->delivery.conns[list[first].slot].out_first;

    if (next == HAIL_OUTGOING_NONE || list[last].len < list[first].len || list[last].alone ||
        is_to_be_simulated(shard, next))
        return false;
    seal(shard, next);
    return list[next].len <= list[first].len && !list[next].alone &&
           hail_path_equal(&list[next].to, &list[first].to);
}

// A client whose packets are not answered looks for another way: source.h.
static void await_answer(struct hail_shard *shard, uint32_t slot)
{
    if (shard->native->conns[slot].state == HAIL_NATIVE_CONNECTED &&
        hail_follow_sent(&shard->native->clients[slot].follow, shard->now_ns))
        hail_conn_arm(shard, slot);
}

bool hail_datagrams_task(struct hail_shard *shard, struct hail_task *task)
{
    uint32_t first = first_to_leave(shard);

    if (first == HAIL_OUTGOING_NONE)
        return false;
    uint32_t slot = shard->delivery.outbox.list[first].slot;
    task->op = HAIL_TASK_DATAGRAMS;
    task->slot = slot;
    task->path = shard->context->is_server ? &shard->delivery.outbox.list[first].to : NULL;
    task->view_count = 0;
    uint32_t last = first;
    size_t bytes = add_view(shard, task, first);
    while (task->view_count < HAIL_VIEWS_MAX && may_follow(shard, first, last)) {
        last = shard->delivery.conns[slot].out_first;
        bytes += add_view(shard, task, last);
    }
    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_OUT, task->view_count);
    hail_stat_add(&shard->stats, HAIL_STAT_BYTES_OUT, bytes);
    if (slot != HAIL_SLOT_NONE) {
        hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_BYTES_OUT, bytes);
        hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_PACKETS_OUT, task->view_count);
        if (!shard->context->is_server)
            await_answer(shard, slot);
    }
    return true;
}
