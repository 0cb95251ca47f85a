// datagrams.h: a connection's packets (engine/delivery/packets.h) become datagrams: sealed when the
// backend takes them, and sent as GSO batches. Handshake datagrams go beside them, as they are.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_DATAGRAMS_H
#define HAIL_ENGINE_NATIVE_DATAGRAMS_H

#include "engine/native/state.h"
#include "engine/shard/task.h"

// hail_datagrams_show shows a client's datagram to whom it may concern.
void hail_datagrams_show(const struct hail_shard *shard, uint32_t slot, bool sent,
                         const uint8_t *data, size_t len);

// hail_datagrams_whole adds a datagram that is whole to the outbox; dropped and counted when it is
// full. slot HAIL_SLOT_NONE: to `to`.
void hail_datagrams_whole(struct hail_shard *shard, uint32_t slot, const struct hail_path *to,
                          const uint8_t *data, size_t len);

// hail_datagrams_simulated adds one of a client's that the simulated network had kept.
void hail_datagrams_simulated(struct hail_shard *shard, uint32_t slot, const uint8_t *data,
                              size_t len);

// hail_datagrams_release seals what waits to be sent: the keys are about to go.
void hail_datagrams_release(struct hail_shard *shard, uint32_t slot);

// hail_datagrams_task gives the next datagrams to send; false: there are none.
HAIL_MUST_USE bool hail_datagrams_task(struct hail_shard *shard, struct hail_task *task);

#endif
