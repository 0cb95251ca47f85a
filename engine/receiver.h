// receiver.h: what a connection receives on its channels: each message once, in its order where
// that is promised, put together where it came in parts. DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_RECEIVER_H
#define HAIL_ENGINE_RECEIVER_H

#include "engine/pool.h"
#include "engine/slab.h"
#include "proto/peer.h"

// Consecutive bytes of an arrival.
struct hail_piece {
    struct hail_chain bytes;
    uint32_t offset;
    uint32_t after; // by offset
};

// A message that has not all come, or whose turn it is not.
struct hail_arrival {
    uint32_t after; // on its channel, by id
    uint32_t id;
    uint32_t total; // bytes
    uint32_t got;
    uint32_t piece_first;
    uint32_t piece_count;
    uint32_t flags;  // that every part came with
    uint64_t number; // of the packet that brought the last part
};

// What one channel of a connection receives.
struct hail_inlet {
    uint32_t next;  // the first id that has not been delivered; unreliable: that may come
    uint32_t first; // arrivals, by id
    uint32_t last;
};

struct hail_context;
struct hail_shard;

// hail_receiver_reserve takes or adds up what all receivers of a shard share.
void hail_receiver_reserve(struct hail_shard *shard, const struct hail_context *context);

// hail_receiver_begin prepares a connection's; hail_receiver_clear lets go of everything.
void hail_receiver_begin(struct hail_shard *shard, uint32_t slot);
void hail_receiver_clear(struct hail_shard *shard, uint32_t slot);

// hail_receiver_message takes a message that is whole in its frame, on an unreliable channel.
// HAIL_ACCEPT or why it was dropped.
enum hail_verdict hail_receiver_message(struct hail_shard *shard, uint32_t slot,
                                        struct hail_message_view *message,
                                        const struct hail_opened *packet);

// hail_receiver_part takes a frame of the types RELIABLE and FRAGMENT. False: there is no room for
// it, and its packet must not be acknowledged.
HAIL_MUST_USE bool hail_receiver_part(struct hail_shard *shard, uint32_t slot,
                                      const struct hail_native_frame *frame,
                                      const struct hail_opened *packet);

// hail_receiver_retry delivers what waited for room among the events.
void hail_receiver_retry(struct hail_shard *shard, uint32_t slot);

#endif
