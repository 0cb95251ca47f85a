// arrivals.c: see arrivals.h.
// SPDX-License-Identifier: MIT
#include "engine/arrivals.h"

#include <string.h>

#include "crypto/siphash.h"
#include "engine/shard.h"

enum {
    NEIGHBOURS = 16 // ids in a row whose buckets share a cache line
};

_Static_assert(sizeof(struct hail_arrival) == HAIL_CACHE_LINE, "one line for each");

static const uint64_t ns_per_ms = 1000000;

void hail_arrivals_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_arrivals *arrivals = &shard->native.arrivals;
    uint32_t count = (uint32_t)(context->config.buffers_max / HAIL_BLOCK_MESSAGE / 2);

    hail_slab_init(&arrivals->records, &shard->arena, count, sizeof(struct hail_arrival));
    arrivals->bucket_count = NEIGHBOURS;
    while (arrivals->bucket_count < count)
        arrivals->bucket_count *= 2;
    arrivals->buckets = hail_arena_take(&shard->arena, arrivals->bucket_count, sizeof(uint32_t));
}

void hail_arrivals_init(struct hail_shard *shard)
{
    hail_random_bytes(&shard->random, shard->native.arrivals.key,
                      sizeof shard->native.arrivals.key);
}

struct hail_inlet *hail_arrivals_inlets(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native.inlets + (size_t)slot * hail_policy_channel_count(&shard->context->policy);
}

struct hail_arrival *hail_arrivals_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native.arrivals.records, index);
}

uint64_t hail_arrivals_charge(uint64_t blocks, uint64_t records)
{
    return blocks * HAIL_BLOCK_MESSAGE + records * sizeof(struct hail_arrival);
}

// ---- The table

// Ids that follow each other lie side by side: a packet with many messages touches few lines.
static uint32_t *bucket_of(const struct hail_shard *shard, uint32_t slot, uint8_t channel,
                           uint32_t id)
{
    const struct hail_arrivals *arrivals = &shard->native.arrivals;
    uint64_t name = (uint64_t)slot << 36 | (uint64_t)channel << 28 | id / NEIGHBOURS;
    uint64_t hash = hail_siphash(arrivals->key, (const uint8_t *)&name, sizeof name);

    return &arrivals->buckets[(hash * NEIGHBOURS + id % NEIGHBOURS) & (arrivals->bucket_count - 1)];
}

uint32_t hail_arrivals_find(const struct hail_shard *shard, uint32_t slot, uint8_t channel,
                            uint32_t id)
{
    uint32_t first = hail_arrivals_inlets(shard, slot)[channel].first;

    if (first == HAIL_SLAB_NONE || hail_arrivals_at(shard, first)->id == id)
        return first;
    for (uint32_t at = *bucket_of(shard, slot, channel, id); at != 0;) {
        const struct hail_arrival *arrival = hail_arrivals_at(shard, at - 1);
        if (arrival->id == id && arrival->slot == slot && arrival->channel == channel)
            return at - 1;
        at = arrival->next;
    }
    return HAIL_SLAB_NONE;
}

// Where there is nothing but a channel's first, as in a transfer without a loss, nothing is hashed.
static void join_bucket(struct hail_shard *shard, uint32_t index)
{
    struct hail_arrival *arrival = hail_arrivals_at(shard, index);

    if (arrival->is_listed)
        return;
    uint32_t *bucket = bucket_of(shard, arrival->slot, arrival->channel, arrival->id);
    arrival->is_listed = true;
    arrival->next = *bucket;
    *bucket = index + 1;
}

static void leave_bucket(struct hail_shard *shard, uint32_t index)
{
    const struct hail_arrival *arrival = hail_arrivals_at(shard, index);

    if (!arrival->is_listed)
        return;
    uint32_t *link = bucket_of(shard, arrival->slot, arrival->channel, arrival->id);

    while (*link != index + 1)
        link = &hail_arrivals_at(shard, *link - 1)->next;
    *link = arrival->next;
}

// ---- A channel's ring

// Puts an arrival before its channel's first: at the end of the ring.
static void join_ring(struct hail_shard *shard, struct hail_inlet *inlet, uint32_t index)
{
    struct hail_arrival *arrival = hail_arrivals_at(shard, index);

    if (inlet->first == HAIL_SLAB_NONE) {
        arrival->before = index;
        arrival->after = index;
        inlet->first = index;
        return;
    }
    struct hail_arrival *first = hail_arrivals_at(shard, inlet->first);
    arrival->after = inlet->first;
    arrival->before = first->before;
    hail_arrivals_at(shard, first->before)->after = index;
    first->before = index;
}

static void leave_ring(struct hail_shard *shard, struct hail_inlet *inlet, uint32_t index)
{
    const struct hail_arrival *arrival = hail_arrivals_at(shard, index);

    hail_arrivals_at(shard, arrival->before)->after = arrival->after;
    hail_arrivals_at(shard, arrival->after)->before = arrival->before;
    if (inlet->first == index)
        inlet->first = arrival->after == index ? HAIL_SLAB_NONE : arrival->after;
}

static struct hail_inlet *inlet_of(const struct hail_shard *shard,
                                   const struct hail_arrival *arrival)
{
    return hail_arrivals_inlets(shard, arrival->slot) + arrival->channel;
}

void hail_arrivals_first(struct hail_shard *shard, uint32_t index)
{
    struct hail_inlet *inlet = inlet_of(shard, hail_arrivals_at(shard, index));

    if (inlet->first == index)
        return;
    join_bucket(shard, inlet->first);
    leave_ring(shard, inlet, index);
    join_ring(shard, inlet, index);
    inlet->first = index;
}

// ---- Coming and going

// Charges a connection for blocks and arrivals, or takes that back.
static void charge(struct hail_shard *shard, uint32_t slot, uint32_t blocks, uint32_t records)
{
    uint32_t bytes = (uint32_t)hail_arrivals_charge(blocks, records);

    shard->native.conns[slot].stored += bytes;
    hail_quota_add(&shard->quota, slot, bytes);
}

static void discharge(struct hail_shard *shard, uint32_t slot, uint32_t blocks, uint32_t records)
{
    uint32_t bytes = (uint32_t)hail_arrivals_charge(blocks, records);

    shard->native.conns[slot].stored -= bytes;
    hail_quota_sub(&shard->quota, slot, bytes);
}

uint32_t hail_arrivals_add(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint32_t id,
                           uint32_t total)
{
    struct hail_inlet *inlet = hail_arrivals_inlets(shard, slot) + channel;
    uint32_t now_ms = (uint32_t)(shard->now_ns / ns_per_ms);
    uint32_t index = hail_slab_take(&shard->native.arrivals.records);

    HAIL_ASSERT(index != HAIL_SLAB_NONE);
    *hail_arrivals_at(shard, index) = (struct hail_arrival){
        .slot = slot,
        .id = id,
        .progress_ms = now_ms,
        .channel = channel,
        .flags = HAIL_FLAGS_BOTH,
    };
    hail_reassembly_init(&hail_arrivals_at(shard, index)->message, total);
    if (inlet->first == HAIL_SLAB_NONE)
        inlet->waits_ms = now_ms;
    else
        join_bucket(shard, index);
    join_ring(shard, inlet, index);
    charge(shard, slot, 0, 1);
    return index;
}

uint32_t hail_arrivals_fill(struct hail_shard *shard, uint32_t index, uint32_t offset,
                            struct hail_bytes part)
{
    struct hail_arrival *arrival = hail_arrivals_at(shard, index);
    uint32_t blocks = arrival->message.blocks;
    uint32_t fresh =
        hail_reassembly_add(&arrival->message, &shard->pool, offset, part.data, (uint32_t)part.len);

    if (fresh > 0)
        arrival->progress_ms = (uint32_t)(shard->now_ns / ns_per_ms);
    charge(shard, arrival->slot, arrival->message.blocks - blocks, 0);
    return fresh;
}

// Takes an arrival off everything, before its message goes.
static struct hail_arrival *detach(struct hail_shard *shard, uint32_t index)
{
    struct hail_arrival *arrival = hail_arrivals_at(shard, index);

    leave_bucket(shard, index);
    leave_ring(shard, inlet_of(shard, arrival), index);
    discharge(shard, arrival->slot, arrival->message.blocks, 1);
    return arrival;
}

void hail_arrivals_take(struct hail_shard *shard, uint32_t index, uint8_t *out)
{
    struct hail_arrival *arrival = detach(shard, index);

    hail_reassembly_take(&arrival->message, &shard->pool, out);
    hail_slab_free(&shard->native.arrivals.records, index);
}

void hail_arrivals_drop(struct hail_shard *shard, uint32_t index)
{
    struct hail_arrival *arrival = detach(shard, index);

    hail_reassembly_clear(&arrival->message, &shard->pool);
    hail_slab_free(&shard->native.arrivals.records, index);
}
