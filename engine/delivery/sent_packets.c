// sent_packets.c: see sent_packets.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/sent_packets.h"

#include "engine/delivery/send_messages.h"

enum {
    SHIFT = 3 // one connection has an eighth of those that are left
};

bool hail_sent_packets_allowed(const struct hail_delivery *delivery, uint32_t slot)
{
    uint32_t own = hail_sender_of(delivery, slot)->sent_packets;
    uint32_t left = hail_slab_left(&delivery->sent_packets);

    if (own < HAIL_SENT_PACKETS_PER_SLOT)
        return left > 0; // those that are kept for it
    return own - HAIL_SENT_PACKETS_PER_SLOT <
           hail_quota_share(left, delivery->limits.slots * HAIL_SENT_PACKETS_PER_SLOT, SHIFT);
}

uint32_t hail_sent_packets_take(struct hail_delivery *delivery, uint32_t slot)
{
    if (!hail_sent_packets_allowed(delivery, slot))
        return HAIL_SLAB_NONE;
    hail_sender_of(delivery, slot)->sent_packets++;
    return hail_slab_take(&delivery->sent_packets);
}

void hail_sent_packets_free(struct hail_delivery *delivery, uint32_t slot, uint32_t index)
{
    hail_sender_of(delivery, slot)->sent_packets--;
    hail_slab_free(&delivery->sent_packets, index);
}

bool hail_sent_packets_is_older(const struct hail_delivery *delivery, uint32_t a, uint32_t b)
{
    const struct hail_send_range *first = hail_send_range_at(delivery, a);
    const struct hail_send_range *second = hail_send_range_at(delivery, b);
    const struct hail_send_message *one = hail_send_message_at(delivery, first->message);
    const struct hail_send_message *other = hail_send_message_at(delivery, second->message);

    if (first->message == second->message)
        return first->offset < second->offset;
    if (one->channel == other->channel)
        return (int32_t)(one->id - other->id) < 0;
    return one->since_ns < other->since_ns;
}

// The oldest message's bytes go first: what a receiver must have before it can deliver, and so make
// room for, anything else. Most are lost in the order that they were sent in.
static void add_lost(struct hail_delivery *delivery, struct hail_sender *sender, uint32_t range)
{
    uint32_t last = sender->lost_last;
    uint32_t *link = &sender->lost_first;

    hail_send_message_at(delivery, hail_send_range_at(delivery, range)->message)->lost = true;
    if (last != HAIL_SLAB_NONE && !hail_sent_packets_is_older(delivery, range, last))
        link = &hail_send_range_at(delivery, last)->next;
    while (*link != HAIL_SLAB_NONE && !hail_sent_packets_is_older(delivery, range, *link))
        link = &hail_send_range_at(delivery, *link)->next;
    hail_send_range_at(delivery, range)->next = *link;
    if (*link == HAIL_SLAB_NONE)
        sender->lost_last = range;
    *link = range;
}

void hail_sent_packets_lose(struct hail_delivery *delivery, struct hail_sender *sender,
                            struct hail_sent_packet *sent)
{
    while (sent->range_first != HAIL_SLAB_NONE) {
        uint32_t range = sent->range_first;
        sent->range_first = hail_send_range_at(delivery, range)->next;
        add_lost(delivery, sender, range);
    }
}
