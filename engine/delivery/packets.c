// packets.c: see packets.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/packets.h"

enum {
    ACK_HEAD_LEN = 1 + 2 // type and length
};

void hail_packets_link(struct hail_delivery *delivery, uint32_t slot, uint32_t index)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];

    delivery->outbox.list[index].next = HAIL_OUTGOING_NONE;
    if (own->out_last != HAIL_OUTGOING_NONE)
        delivery->outbox.list[own->out_last].next = index;
    else
        own->out_first = index;
    own->out_last = index;
}

void hail_packets_unlink(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];

    own->out_first = delivery->outbox.list[own->out_first].next;
    if (own->out_first == HAIL_OUTGOING_NONE)
        own->out_last = HAIL_OUTGOING_NONE;
}

uint32_t hail_packets_begin(struct hail_delivery *delivery, uint32_t slot, uint8_t protection)
{
    uint32_t index = hail_outbox_add(&delivery->outbox, slot, protection);

    if (index == HAIL_OUTGOING_NONE) {
        hail_stat_add(delivery->stats, HAIL_STAT_DATAGRAMS_UNSENT, 1);
        return index;
    }
    if (slot != HAIL_SLOT_NONE)
        hail_packets_link(delivery, slot, index);
    return index;
}

static enum hail_direction direction_of(const struct hail_delivery *delivery)
{
    return delivery->limits.is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
}

size_t hail_packets_overhead(const struct hail_delivery *delivery, enum hail_protection protection)
{
    return hail_packet_overhead(direction_of(delivery), protection);
}

size_t hail_packets_room(const struct hail_delivery *delivery, uint32_t slot,
                         enum hail_protection protection, uint32_t index)
{
    const struct hail_delivery_conn *own = &delivery->conns[slot];
    size_t room = own->sender.pmtu.size - hail_packets_overhead(delivery, protection);
    size_t len = index == HAIL_OUTGOING_NONE ? 0 : delivery->outbox.list[index].len;

    return len < room ? room - len : 0; // a probe is longer than packets may be
}

uint32_t hail_packets_for(struct hail_delivery *delivery, uint32_t slot,
                          enum hail_protection protection, size_t len)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];

    if (own->out_last != HAIL_OUTGOING_NONE) {
        const struct hail_outgoing *open = &delivery->outbox.list[own->out_last];
        bool is_alike = open->protection == protection && !open->elsewhere;
        if (is_alike && len <= hail_packets_room(delivery, slot, protection, own->out_last))
            return own->out_last;
        own->sender.pmtu.wanted |= is_alike;
    }
    return hail_packets_begin(delivery, slot, (uint8_t)protection);
}

uint8_t *hail_packets_extend(struct hail_delivery *delivery, uint32_t index, size_t len)
{
    struct hail_outgoing *outgoing = &delivery->outbox.list[index];
    uint8_t *frames =
        hail_outbox_bytes(&delivery->outbox, index) +
        hail_packet_frames_at(direction_of(delivery), (enum hail_protection)outgoing->protection);
    uint8_t *at = frames + outgoing->len;

    outgoing->last = outgoing->len;
    outgoing->len += (uint16_t)len;
    return at;
}

void hail_packets_add(struct hail_delivery *delivery, uint32_t index,
                      const struct hail_native_frame *frame)
{
    const struct hail_policy *policy = delivery->policy;
    uint8_t *at = hail_packets_extend(delivery, index, 0);

    delivery->outbox.list[index].len += (uint16_t)hail_frames_write(at, frame, policy);
}

bool hail_packets_takes_ack(const struct hail_delivery *delivery, uint32_t index)
{
    const struct hail_outgoing *outgoing = &delivery->outbox.list[index];

    return outgoing->protection > HAIL_PROTECTION_PLAIN && !outgoing->elsewhere &&
           hail_packets_room(delivery, outgoing->slot, (enum hail_protection)outgoing->protection,
                             index) >= HAIL_ACK_LEN_MAX + ACK_HEAD_LEN;
}

void hail_packets_acknowledge(struct hail_delivery *delivery, uint32_t slot, uint32_t index)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];
    struct hail_native_frame frame = {.type = HAIL_FRAME_ACK};
    uint8_t content[HAIL_ACK_LEN_MAX];
    struct hail_ack ack;

    hail_acks_fill(&own->acks, &ack, *delivery->now_ns);
    frame.bytes = (struct hail_bytes){content, hail_ack_encode(content, &ack)};
    hail_packets_add(delivery, index, &frame);
    hail_acks_told(&own->acks, *delivery->now_ns);
}
