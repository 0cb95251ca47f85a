// reassembly.c: see reassembly.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/reassembly.h"

#include "crypto/random.h"
#include "crypto/siphash.h"
#include "crypto/time.h"

_Static_assert(sizeof(struct hail_reassembly) == HAIL_CACHE_LINE, "one line for each");

void hail_reassembly_init(struct hail_delivery *delivery)
{
    hail_random_bytes(delivery->random, delivery->reassemblies.key,
                      sizeof delivery->reassemblies.key);
}

struct hail_receive_channel *hail_reassembly_channels(const struct hail_delivery *delivery,
                                                      uint32_t slot)
{
    return delivery->receive_channels + (size_t)slot * hail_policy_channel_count(delivery->policy);
}

struct hail_reassembly *hail_reassembly_at(const struct hail_delivery *delivery, uint32_t index)
{
    return hail_slab_at(&delivery->reassemblies.records, index);
}

uint64_t hail_reassembly_charge(uint64_t blocks, uint64_t records)
{
    return blocks * HAIL_BLOCK_MESSAGE + records * sizeof(struct hail_reassembly);
}

// ---- The table

// Ids that follow each other lie side by side: a packet with many messages touches few lines.
static uint32_t *bucket_of(const struct hail_delivery *delivery, uint32_t slot, uint8_t channel,
                           uint32_t id)
{
    const struct hail_reassembly_table *reassemblies = &delivery->reassemblies;
    uint64_t name =
        (uint64_t)slot << 36 | (uint64_t)channel << 28 | id / HAIL_REASSEMBLY_NEIGHBOURS;
    uint64_t hash = hail_siphash(reassemblies->key, (const uint8_t *)&name, sizeof name);

    return &reassemblies
                ->buckets[(hash * HAIL_REASSEMBLY_NEIGHBOURS + id % HAIL_REASSEMBLY_NEIGHBOURS) &
                          (reassemblies->bucket_count - 1)];
}

uint32_t hail_reassembly_find(const struct hail_delivery *delivery, uint32_t slot, uint8_t channel,
                              uint32_t id)
{
    uint32_t first = hail_reassembly_channels(delivery, slot)[channel].first;

    if (first == HAIL_SLAB_NONE || hail_reassembly_at(delivery, first)->id == id)
        return first;
    for (uint32_t at = *bucket_of(delivery, slot, channel, id); at != 0;) {
        const struct hail_reassembly *reassembly = hail_reassembly_at(delivery, at - 1);
        if (reassembly->id == id && reassembly->slot == slot && reassembly->channel == channel)
            return at - 1;
        at = reassembly->next;
    }
    return HAIL_SLAB_NONE;
}

// Where there is nothing but a channel's first, as in a transfer without a loss, nothing is hashed.
static void join_bucket(struct hail_delivery *delivery, uint32_t index)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);

    if (reassembly->is_listed)
        return;
    uint32_t *bucket = bucket_of(delivery, reassembly->slot, reassembly->channel, reassembly->id);
    reassembly->is_listed = true;
    reassembly->next = *bucket;
    *bucket = index + 1;
}

static void leave_bucket(struct hail_delivery *delivery, uint32_t index)
{
    const struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);

    if (!reassembly->is_listed)
        return;
    uint32_t *link = bucket_of(delivery, reassembly->slot, reassembly->channel, reassembly->id);

    while (*link != index + 1)
        link = &hail_reassembly_at(delivery, *link - 1)->next;
    *link = reassembly->next;
}

// ---- A channel's ring

// Puts a reassembly before its channel's first: at the end of the ring.
static void join_ring(struct hail_delivery *delivery, struct hail_receive_channel *receive,
                      uint32_t index)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);

    if (receive->first == HAIL_SLAB_NONE) {
        reassembly->before = index;
        reassembly->after = index;
        receive->first = index;
        return;
    }
    struct hail_reassembly *first = hail_reassembly_at(delivery, receive->first);
    reassembly->after = receive->first;
    reassembly->before = first->before;
    hail_reassembly_at(delivery, first->before)->after = index;
    first->before = index;
}

static void leave_ring(struct hail_delivery *delivery, struct hail_receive_channel *receive,
                       uint32_t index)
{
    const struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);

    hail_reassembly_at(delivery, reassembly->before)->after = reassembly->after;
    hail_reassembly_at(delivery, reassembly->after)->before = reassembly->before;
    if (receive->first == index)
        receive->first = reassembly->after == index ? HAIL_SLAB_NONE : reassembly->after;
}

static struct hail_receive_channel *receive_of(const struct hail_delivery *delivery,
                                               const struct hail_reassembly *reassembly)
{
    return hail_reassembly_channels(delivery, reassembly->slot) + reassembly->channel;
}

void hail_reassembly_first(struct hail_delivery *delivery, uint32_t index)
{
    struct hail_receive_channel *receive =
        receive_of(delivery, hail_reassembly_at(delivery, index));

    if (receive->first == index)
        return;
    join_bucket(delivery, receive->first);
    leave_ring(delivery, receive, index);
    join_ring(delivery, receive, index);
    receive->first = index;
}

// ---- Coming and going

// Charges a connection for blocks and reassemblies, or takes that back.
static void charge(struct hail_delivery *delivery, uint32_t slot, uint32_t blocks, uint32_t records)
{
    uint32_t bytes = (uint32_t)hail_reassembly_charge(blocks, records);

    delivery->conns[slot].stored += bytes;
    hail_quota_add(delivery->quota, slot, bytes);
}

static void discharge(struct hail_delivery *delivery, uint32_t slot, uint32_t blocks,
                      uint32_t records)
{
    uint32_t bytes = (uint32_t)hail_reassembly_charge(blocks, records);

    delivery->conns[slot].stored -= bytes;
    hail_quota_sub(delivery->quota, slot, bytes);
}

uint32_t hail_reassembly_add(struct hail_delivery *delivery, uint32_t slot, uint8_t channel,
                             uint32_t id, uint32_t total)
{
    struct hail_receive_channel *receive = hail_reassembly_channels(delivery, slot) + channel;
    uint32_t now_ms = (uint32_t)(*delivery->now_ns / HAIL_NS_PER_MS);
    uint32_t index = hail_slab_take(&delivery->reassemblies.records);

    HAIL_ASSERT(index != HAIL_SLAB_NONE);
    *hail_reassembly_at(delivery, index) = (struct hail_reassembly){
        .slot = slot,
        .id = id,
        .progress_ms = now_ms,
        .channel = channel,
        .flags = HAIL_FLAGS_BOTH,
    };
    hail_segments_init(&hail_reassembly_at(delivery, index)->message, total);
    if (receive->first == HAIL_SLAB_NONE)
        receive->waits_ms = now_ms;
    else
        join_bucket(delivery, index);
    join_ring(delivery, receive, index);
    charge(delivery, slot, 0, 1);
    return index;
}

uint32_t hail_reassembly_fill(struct hail_delivery *delivery, uint32_t index, uint32_t offset,
                              struct hail_bytes part)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);
    uint32_t blocks = reassembly->message.blocks;
    uint32_t fresh = hail_segments_add(&reassembly->message, delivery->pool, offset, part.data,
                                       (uint32_t)part.len);

    if (fresh > 0)
        reassembly->progress_ms = (uint32_t)(*delivery->now_ns / HAIL_NS_PER_MS);
    charge(delivery, reassembly->slot, reassembly->message.blocks - blocks, 0);
    return fresh;
}

// Takes a reassembly off everything, before its message goes.
static struct hail_reassembly *detach(struct hail_delivery *delivery, uint32_t index)
{
    struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);

    leave_bucket(delivery, index);
    leave_ring(delivery, receive_of(delivery, reassembly), index);
    discharge(delivery, reassembly->slot, reassembly->message.blocks, 1);
    return reassembly;
}

void hail_reassembly_take(struct hail_delivery *delivery, uint32_t index, uint8_t *out)
{
    struct hail_reassembly *reassembly = detach(delivery, index);

    hail_segments_take(&reassembly->message, delivery->pool, out);
    hail_slab_free(&delivery->reassemblies.records, index);
}

void hail_reassembly_drop(struct hail_delivery *delivery, uint32_t index)
{
    struct hail_reassembly *reassembly = detach(delivery, index);

    hail_segments_clear(&reassembly->message, delivery->pool);
    hail_slab_free(&delivery->reassemblies.records, index);
}
