// reassembly.h: messages on their way into a connection: those that have not all come, and those
// whose turn it is not. Each is found by connection, channel and id at once, however many there
// are, and is charged to its connection by what it occupies. DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_REASSEMBLY_H
#define HAIL_ENGINE_DELIVERY_REASSEMBLY_H

#include "engine/delivery/segments.h"
#include "engine/memory/slab.h"

// A message that has not all come, or whose turn it is not: one cache line.
struct hail_reassembly {
    _Alignas(HAIL_CACHE_LINE) struct hail_segments message;
    uint64_t number;      // of the packet that brought the last part
    uint32_t next;        // in its bucket, plus one; 0: the last
    uint32_t before;      // on its channel: a ring
    uint32_t after;       // likewise
    uint32_t slot;        // of its connection
    uint32_t id;          // on its channel
    uint32_t progress_ms; // of the clock: when something new of it last came
    uint8_t channel;
    uint8_t flags;  // that every part came with
    bool is_listed; // in its bucket, as all are but perhaps a channel's first
};

// What one channel of a connection receives.
struct hail_receive_channel {
    uint32_t next;     // the first id that has not been delivered; unreliable: that may come
    uint32_t first;    // reassemblies; HAIL_SLAB_NONE: none
    uint32_t waits_ms; // of the clock: since when it is `next` that reassemblies wait for
};

// What all connections of a shard share.
struct hail_reassembly_table {
    struct hail_slab records;
    uint32_t *buckets;     // indices plus one; 0: empty
    uint32_t bucket_count; // a power of two
    uint64_t key[2];
};

struct hail_context;
struct hail_shard;

// hail_reassembly_reserve takes or adds up the memory; hail_reassembly_init draws the table's key.
void hail_reassembly_reserve(struct hail_shard *shard, const struct hail_context *context);
void hail_reassembly_init(struct hail_shard *shard);

// hail_reassembly_channels returns a connection's receive channels, one for each channel.
struct hail_receive_channel *hail_reassembly_channels(const struct hail_shard *shard,
                                                      uint32_t slot);

struct hail_reassembly *hail_reassembly_at(const struct hail_shard *shard, uint32_t index);

// hail_reassembly_find returns the reassembly of a message; HAIL_SLAB_NONE: nothing of it is there.
uint32_t hail_reassembly_find(const struct hail_shard *shard, uint32_t slot, uint8_t channel,
                              uint32_t id);

// hail_reassembly_add makes one for a message of `total` bytes that has none. There is a record
// left.
uint32_t hail_reassembly_add(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint32_t id,
                             uint32_t total);

// hail_reassembly_fill adds a part, for which the pool has room. Returns how many bytes of it are
// new.
uint32_t hail_reassembly_fill(struct hail_shard *shard, uint32_t index, uint32_t offset,
                              struct hail_bytes part);

// hail_reassembly_first makes a reassembly its channel's first.
void hail_reassembly_first(struct hail_shard *shard, uint32_t index);

// hail_reassembly_take moves a message that is whole to `out`, and is done with it;
// hail_reassembly_drop is done with one, whole or not.
void hail_reassembly_take(struct hail_shard *shard, uint32_t index, uint8_t *out);
void hail_reassembly_drop(struct hail_shard *shard, uint32_t index);

// hail_reassembly_charge returns what so many blocks and reassemblies count as, of what a
// connection may occupy.
uint64_t hail_reassembly_charge(uint64_t blocks, uint64_t records);

static inline bool hail_reassembly_is_whole(const struct hail_reassembly *reassembly)
{
    return reassembly->message.got == reassembly->message.total;
}

#endif
