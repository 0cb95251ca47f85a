// reassembly.h: messages on their way into a connection: those that have not all come, and those
// whose turn it is not. Each is found by connection, channel and id at once, however many there
// are, and is charged to its connection by what it occupies. DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_REASSEMBLY_H
#define HAIL_ENGINE_DELIVERY_REASSEMBLY_H

#include "engine/delivery/delivery.h"

// hail_reassembly_init draws the table's key.
void hail_reassembly_init(struct hail_delivery *delivery);

// hail_reassembly_channels returns a connection's receive channels, one for each channel.
struct hail_receive_channel *hail_reassembly_channels(const struct hail_delivery *delivery,
                                                      uint32_t slot);

struct hail_reassembly *hail_reassembly_at(const struct hail_delivery *delivery, uint32_t index);

// hail_reassembly_find returns the reassembly of a message; HAIL_SLAB_NONE: nothing of it is there.
uint32_t hail_reassembly_find(const struct hail_delivery *delivery, uint32_t slot, uint8_t channel,
                              uint32_t id);

// hail_reassembly_add makes one for a message of `total` bytes that has none. There is a record
// left.
uint32_t hail_reassembly_add(struct hail_delivery *delivery, uint32_t slot, uint8_t channel,
                             uint32_t id, uint32_t total);

// hail_reassembly_fill adds a part, for which the pool has room. Returns how many bytes of it are
// new.
uint32_t hail_reassembly_fill(struct hail_delivery *delivery, uint32_t index, uint32_t offset,
                              struct hail_bytes part);

// hail_reassembly_first makes a reassembly its channel's first.
void hail_reassembly_first(struct hail_delivery *delivery, uint32_t index);

// hail_reassembly_take moves a message that is whole to `out`, and is done with it;
// hail_reassembly_drop is done with one, whole or not.
void hail_reassembly_take(struct hail_delivery *delivery, uint32_t index, uint8_t *out);
void hail_reassembly_drop(struct hail_delivery *delivery, uint32_t index);

// hail_reassembly_charge returns what so many blocks and reassemblies count as, of what a
// connection may occupy.
uint64_t hail_reassembly_charge(uint64_t blocks, uint64_t records);

static inline bool hail_reassembly_is_whole(const struct hail_reassembly *reassembly)
{
    return reassembly->message.got == reassembly->message.total;
}

#endif
