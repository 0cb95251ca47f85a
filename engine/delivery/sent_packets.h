// sent_packets.h: the records of a connection's packets under way, which its sender makes and its
// recovery settles.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_SENT_PACKETS_H
#define HAIL_ENGINE_DELIVERY_SENT_PACKETS_H

#include "engine/delivery/delivery.h"

static inline struct hail_send_range *hail_send_range_at(const struct hail_delivery *delivery,
                                                         uint32_t index)
{
    return hail_slab_at(&delivery->ranges, index);
}

static inline struct hail_sent_packet *hail_sent_packet_at(const struct hail_delivery *delivery,
                                                           uint32_t index)
{
    return hail_slab_at(&delivery->sent_packets, index);
}

// hail_sent_packets_allowed says whether a connection may have one more packet under way that is
// looked after: of HAIL_SENT_PACKETS_PER_SLOT it is sure, of the others it has a share.
// hail_sent_packets_take returns a record for one; HAIL_SLAB_NONE: it may not.
// hail_sent_packets_free gives it back.
HAIL_MUST_USE bool hail_sent_packets_allowed(const struct hail_delivery *delivery, uint32_t slot);
uint32_t hail_sent_packets_take(struct hail_delivery *delivery, uint32_t slot);
void hail_sent_packets_free(struct hail_delivery *delivery, uint32_t slot, uint32_t index);

// hail_sent_packets_lose has what a sent packet carried be sent again.
void hail_sent_packets_lose(struct hail_delivery *delivery, struct hail_sender *sender,
                            struct hail_sent_packet *sent);

// hail_sent_packets_is_older says whether the bytes of range `a` are to arrive before those of `b`.
HAIL_MUST_USE bool hail_sent_packets_is_older(const struct hail_delivery *delivery, uint32_t a,
                                              uint32_t b);

#endif
