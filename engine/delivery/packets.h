// packets.h: a connection's packets of this turn while they are being filled with frames. Nothing
// here knows keys: sealing makes datagrams of them, and lies above.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_PACKETS_H
#define HAIL_ENGINE_DELIVERY_PACKETS_H

#include "engine/delivery/delivery.h"
#include "proto/frames.h"

// hail_packets_begin begins a packet; HAIL_OUTGOING_NONE: the outbox is full, which is counted.
//
// slot        HAIL_SLOT_NONE: it is no connection's.
// protection  enum hail_protection, or HAIL_OUTGOING_WHOLE for a datagram that needs no sealing.
uint32_t hail_packets_begin(struct hail_delivery *delivery, uint32_t slot, uint8_t protection);

// hail_packets_overhead returns how many bytes of a packet under this protection are no frames.
size_t hail_packets_overhead(const struct hail_delivery *delivery, enum hail_protection protection);

// hail_packets_for returns the connection's packet that takes `len` more bytes of frames under this
// protection, or begins one. hail_packets_room returns how many bytes of frames a packet takes yet;
// without one, HAIL_OUTGOING_NONE, how many an empty one does.
uint32_t hail_packets_for(struct hail_delivery *delivery, uint32_t slot,
                          enum hail_protection protection, size_t len);
size_t hail_packets_room(const struct hail_delivery *delivery, uint32_t slot,
                         enum hail_protection protection, uint32_t index);

// hail_packets_extend makes room for a frame of `len` bytes, which the packet takes, and returns
// where to write it.
uint8_t *hail_packets_extend(struct hail_delivery *delivery, uint32_t index, size_t len);

// hail_packets_add writes a frame, which the packet takes.
void hail_packets_add(struct hail_delivery *delivery, uint32_t index,
                      const struct hail_native_frame *frame);

// hail_packets_takes_ack says whether a packet is one that may carry an acknowledgement, and has
// room for the longest. hail_packets_acknowledge adds what has come and is to be acknowledged.
HAIL_MUST_USE bool hail_packets_takes_ack(const struct hail_delivery *delivery, uint32_t index);
void hail_packets_acknowledge(struct hail_delivery *delivery, uint32_t slot, uint32_t index);

// hail_packets_link puts a packet at the end of its connection's, which hail_packets_begin does;
// hail_packets_unlink takes the first of them off: it leaves.
void hail_packets_link(struct hail_delivery *delivery, uint32_t slot, uint32_t index);
void hail_packets_unlink(struct hail_delivery *delivery, uint32_t slot);

#endif
