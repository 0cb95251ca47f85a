// packets.h: a connection's datagrams of this turn: packets that are being filled, sealed when the
// backend takes them, and sent as GSO batches. Where they lie is the outbox's affair.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_PACKETS_H
#define HAIL_ENGINE_NATIVE_PACKETS_H

#include "engine/shard/shard.h"

// hail_packets_show shows a client's datagram to whom it may concern.
void hail_packets_show(const struct hail_shard *shard, uint32_t slot, bool sent,
                       const uint8_t *data, size_t len);

// hail_packets_whole adds a datagram that is whole to the outbox; dropped and counted when it is
// full. slot HAIL_SLOT_NONE: to `to`.
void hail_packets_whole(struct hail_shard *shard, uint32_t slot, const struct hail_address *to,
                        const uint8_t *data, size_t len);

// hail_packets_simulated adds one of a client's that the simulated network had kept.
void hail_packets_simulated(struct hail_shard *shard, uint32_t slot, const uint8_t *data,
                            size_t len);

// hail_packets_begin begins a packet; HAIL_OUTGOING_NONE: the outbox is full, which is counted.
uint32_t hail_packets_begin(struct hail_shard *shard, uint32_t slot, uint8_t protection);

// hail_packets_for returns the connection's packet that takes `len` more bytes of frames under this
// protection, or begins one. hail_packets_room returns how many bytes of frames a packet takes yet;
// without one, HAIL_OUTGOING_NONE, how many an empty one does.
uint32_t hail_packets_for(struct hail_shard *shard, uint32_t slot, enum hail_protection protection,
                          size_t len);
size_t hail_packets_room(const struct hail_shard *shard, uint32_t slot,
                         enum hail_protection protection, uint32_t index);

// hail_packets_extend makes room for a frame of `len` bytes, which the packet takes, and returns
// where to write it.
uint8_t *hail_packets_extend(struct hail_shard *shard, uint32_t index, size_t len);

// hail_packets_add writes a frame, which the packet takes.
void hail_packets_add(struct hail_shard *shard, uint32_t index,
                      const struct hail_native_frame *frame);

// hail_packets_takes_ack says whether a packet is one that may carry an acknowledgement, and has
// room for the longest. hail_packets_acknowledge adds what has come and is to be acknowledged.
HAIL_MUST_USE bool hail_packets_takes_ack(const struct hail_shard *shard, uint32_t index);
void hail_packets_acknowledge(struct hail_shard *shard, uint32_t slot, uint32_t index);

// hail_packets_release seals what waits to be sent: the keys are about to go.
void hail_packets_release(struct hail_shard *shard, uint32_t slot);

// hail_packets_task gives the next datagrams to send; false: there are none.
HAIL_MUST_USE bool hail_packets_task(struct hail_shard *shard, struct hail_task *task);

#endif
