// reassembly.c: see reassembly.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/reassembly.h"

#include <string.h>

#include "crypto/siphash.h"
#include "crypto/time.h"
#include "engine/shard/shard.h"

enum {
    NEIGHBOURS = 16 // ids in a row whose buckets share a cache line
};

_Static_assert(sizeof(struct hail_reassembly) == HAIL_CACHE_LINE, "one line for each");

void hail_reassembly_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_reassembly_table *reassemblies = &shard->native->reassemblies;
    uint32_t count = (uint32_t)(context->config.buffers_max / HAIL_BLOCK_MESSAGE / 2);

    hail_slab_init(&reassemblies->records, &shard->arena, count, sizeof(struct hail_reassembly));
    reassemblies->bucket_count = NEIGHBOURS;
    while (reassemblies->bucket_count < count)
        reassemblies->bucket_count *= 2;
    reassemblies->buckets =
        hail_arena_take(&shard->arena, reassemblies->bucket_count, sizeof(uint32_t));
}

void hail_reassembly_init(struct hail_shard *shard)
{
    hail_random_bytes(&shard->random, shard->native->reassemblies.key,
                      sizeof shard->native->reassemblies.key);
}

struct hail_receive_channel *hail_reassembly_channels(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native->receive_channels +
           (size_t)slot * hail_policy_channel_count(&shard->context->policy);
}

struct hail_reassembly *hail_reassembly_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native->reassemblies.records, index);
}

uint64_t hail_reassembly_charge(uint64_t blocks, uint64_t records)
{
    return blocks * HAIL_BLOCK_MESSAGE + records * sizeof(struct hail_reassembly);
}

// ---- The table

// Ids that follow each other lie side by side: a packet with many messages touches few lines.
static uint32_t *bucket_of(const struct hail_shard *shard, uint32_t slot, uint8_t channel,
                           uint32_t id)
{
    const struct hail_reassembly_table *reassemblies = &shard->native->reassemblies;
    uint64_t name = (uint64_t)slot << 36 | (uint64_t)channel << 28 | id / NEIGHBOURS;
    uint64_t hash = hail_siphash(reassemblies->key, (const uint8_t *)&name, sizeof name);

    return &reassemblies
                ->buckets[(hash * NEIGHBOURS + id % NEIGHBOURS) & (reassemblies->bucket_count - 1)];
}

uint32_t hail_reassembly_find(const struct hail_shard *shard, uint32_t slot, uint8_t channel,
                              uint32_t id)
{
    uint32_t first = hail_reassembly_channels(shard, slot)[channel].first;

    if (first == HAIL_SLAB_NONE || hail_reassembly_at(shard, first)->id == id)
        return first;
    for (uint32_t at = *bucket_of(shard, slot, channel, id); at != 0;) {
        const struct hail_reassembly *reassembly = hail_reassembly_at(shard, at - 1);
        if (reassembly->id == id && reassembly->slot == slot && reassembly->channel == channel)
            return at - 1;
        at = reassembly->next;
    }
    return HAIL_SLAB_NONE;
}

// Where there is nothing but a channel's first, as in a transfer without a loss, nothing is hashed.
static void join_bucket(struct hail_shard *shard, uint32_t index)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);

    if (reassembly->is_listed)
        return;
    uint32_t *bucket = bucket_of(shard, reassembly->slot, reassembly->channel, reassembly->id);
    reassembly->is_listed = true;
    reassembly->next = *bucket;
    *bucket = index + 1;
}

static void leave_bucket(struct hail_shard *shard, uint32_t index)
{
    const struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);

    if (!reassembly->is_listed)
        return;
    uint32_t *link = bucket_of(shard, reassembly->slot, reassembly->channel, reassembly->id);

    while (*link != index + 1)
        link = &hail_reassembly_at(shard, *link - 1)->next;
    *link = reassembly->next;
}

// ---- A channel's ring

// Puts a reassembly before its channel's first: at the end of the ring.
static void join_ring(struct hail_shard *shard, struct hail_receive_channel *receive,
                      uint32_t index)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);

    if (receive->first == HAIL_SLAB_NONE) {
        reassembly->before = index;
        reassembly->after = index;
        receive->first = index;
        return;
    }
    struct hail_reassembly *first = hail_reassembly_at(shard, receive->first);
    reassembly->after = receive->first;
    reassembly->before = first->before;
    hail_reassembly_at(shard, first->before)->after = index;
    first->before = index;
}

static void leave_ring(struct hail_shard *shard, struct hail_receive_channel *receive,
                       uint32_t index)
{
    const struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);

    hail_reassembly_at(shard, reassembly->before)->after = reassembly->after;
    hail_reassembly_at(shard, reassembly->after)->before = reassembly->before;
    if (receive->first == index)
        receive->first = reassembly->after == index ? HAIL_SLAB_NONE : reassembly->after;
}

static struct hail_receive_channel *receive_of(const struct hail_shard *shard,
                                               const struct hail_reassembly *reassembly)
{
    return hail_reassembly_channels(shard, reassembly->slot) + reassembly->channel;
}

void hail_reassembly_first(struct hail_shard *shard, uint32_t index)
{
    struct hail_receive_channel *receive = receive_of(shard, hail_reassembly_at(shard, index));

    if (receive->first == index)
        return;
    join_bucket(shard, receive->first);
    leave_ring(shard, receive, index);
    join_ring(shard, receive, index);
    receive->first = index;
}

// ---- Coming and going

// Charges a connection for blocks and reassemblies, or takes that back.
static void charge(struct hail_shard *shard, uint32_t slot, uint32_t blocks, uint32_t records)
{
    uint32_t bytes = (uint32_t)hail_reassembly_charge(blocks, records);

    shard->native->conns[slot].stored += bytes;
    hail_quota_add(&shard->quota, slot, bytes);
}

static void discharge(struct hail_shard *shard, uint32_t slot, uint32_t blocks, uint32_t records)
{
    uint32_t bytes = (uint32_t)hail_reassembly_charge(blocks, records);

    shard->native->conns[slot].stored -= bytes;
    hail_quota_sub(&shard->quota, slot, bytes);
}

uint32_t hail_reassembly_add(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint32_t id,
                             uint32_t total)
{
    struct hail_receive_channel *receive = hail_reassembly_channels(shard, slot) + channel;
    uint32_t now_ms = (uint32_t)(shard->now_ns / HAIL_NS_PER_MS);
    uint32_t index = hail_slab_take(&shard->native->reassemblies.records);

    HAIL_ASSERT(index != HAIL_SLAB_NONE);
    *hail_reassembly_at(shard, index) = (struct hail_reassembly){
        .slot = slot,
        .id = id,
        .progress_ms = now_ms,
        .channel = channel,
        .flags = HAIL_FLAGS_BOTH,
    };
    hail_segments_init(&hail_reassembly_at(shard, index)->message, total);
    if (receive->first == HAIL_SLAB_NONE)
        receive->waits_ms = now_ms;
    else
        join_bucket(shard, index);
    join_ring(shard, receive, index);
    charge(shard, slot, 0, 1);
    return index;
}

uint32_t hail_reassembly_fill(struct hail_shard *shard, uint32_t index, uint32_t offset,
                              struct hail_bytes part)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);
    uint32_t blocks = reassembly->message.blocks;
    uint32_t fresh = hail_segments_add(&reassembly->message, &shard->pool, offset, part.data,
                                       (uint32_t)part.len);

    if (fresh > 0)
        reassembly->progress_ms = (uint32_t)(shard->now_ns / HAIL_NS_PER_MS);
    charge(shard, reassembly->slot, reassembly->message.blocks - blocks, 0);
    return fresh;
}

// Takes a reassembly off everything, before its message goes.
static struct hail_reassembly *detach(struct hail_shard *shard, uint32_t index)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);

    leave_bucket(shard, index);
    leave_ring(shard, receive_of(shard, reassembly), index);
    discharge(shard, reassembly->slot, reassembly->message.blocks, 1);
    return reassembly;
}

void hail_reassembly_take(struct hail_shard *shard, uint32_t index, uint8_t *out)
{
    struct hail_reassembly *reassembly = detach(shard, index);

    hail_segments_take(&reassembly->message, &shard->pool, out);
    hail_slab_free(&shard->native->reassemblies.records, index);
}

void hail_reassembly_drop(struct hail_shard *shard, uint32_t index)
{
    struct hail_reassembly *reassembly = detach(shard, index);

    hail_segments_clear(&reassembly->message, &shard->pool);
    hail_slab_free(&shard->native->reassemblies.records, index);
}
