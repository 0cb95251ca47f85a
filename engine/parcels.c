// parcels.c: see parcels.h.
// SPDX-License-Identifier: MIT
#include "engine/parcels.h"

#include "engine/shard.h"

static const uint32_t REFUSED = 1u << 31; // in a claimed word; unsent_max is far below

static struct hail_sender *sender_of(const struct hail_shard *shard, uint32_t slot)
{
    return &shard->native.conns[slot].sender;
}

struct hail_outlet *hail_parcels_outlets(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native.outlets +
           (size_t)slot * hail_policy_channel_count(&shard->context->policy);
}

struct hail_parcel *hail_parcel_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native.parcels, index);
}

void hail_parcels_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    uint32_t blocks = (uint32_t)(context->config.buffers_max / HAIL_BLOCK_MESSAGE);

    // Blocks are what is short first, but where messages are tiny.
    hail_slab_init(&shard->native.parcels, &shard->arena, blocks / 2, sizeof(struct hail_parcel));
}

// Whoever is refused leaves a mark in the same word, so that he is told of what becomes free.
static bool claim(struct hail_shard *shard, uint32_t slot, uint32_t len)
{
    _Atomic uint32_t *claimed = &shard->native.claimed[slot];
    uint32_t now = atomic_load_explicit(claimed, memory_order_relaxed);

    for (;;) {
        bool fits = (now & ~REFUSED) + len <= shard->context->config.unsent_max;
        uint32_t then = fits ? now + len : now | REFUSED;
        if (atomic_compare_exchange_weak_explicit(claimed, &now, then, memory_order_relaxed,
                                                  memory_order_relaxed))
            return fits;
    }
}

uint32_t hail_parcels_claim(struct hail_shard *shard, uint32_t slot, size_t len)
{
    uint32_t most = (uint32_t)len + HAIL_FRAME_INNER_MAX;

    return claim(shard, slot, most) ? most : 0;
}

void hail_parcels_unclaim(struct hail_shard *shard, uint32_t slot, uint32_t claimed)
{
    atomic_fetch_sub_explicit(&shard->native.claimed[slot], claimed, memory_order_relaxed);
}

bool hail_parcels_freed(const struct hail_shard *shard, uint32_t slot)
{
    uint32_t now = atomic_load_explicit(&shard->native.claimed[slot], memory_order_relaxed);

    return (now & REFUSED) && (now & ~REFUSED) <= shard->context->config.unsent_max / 2;
}

void hail_parcels_told(struct hail_shard *shard, uint32_t slot)
{
    atomic_fetch_and_explicit(&shard->native.claimed[slot], ~REFUSED, memory_order_relaxed);
}

static void set_bytes(struct hail_shard *shard, uint32_t slot, uint32_t bytes)
{
    sender_of(shard, slot)->bytes = bytes;
    hail_table_gauge(&shard->table, slot, HAIL_TRAFFIC_UNSENT, bytes);
}

// The memory that a message in so many blocks takes while it waits and is under way: these, its
// parcel, and its ranges, of which there are no more than blocks.
static uint32_t hold_of(uint32_t blocks)
{
    return blocks * (uint32_t)(HAIL_BLOCK_MESSAGE + sizeof(struct hail_range)) +
           (uint32_t)sizeof(struct hail_parcel);
}

// No less than that, for a message of `len` bytes.
static size_t hold_most(size_t len)
{
    return len + len / 8 + 2 * HAIL_BLOCK_MESSAGE;
}

void hail_parcels_drop(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    struct hail_parcel *parcel = hail_parcel_at(shard, index);
    struct hail_outlet *outlet = hail_parcels_outlets(shard, slot) + parcel->channel;

    if (parcel->before != HAIL_SLAB_NONE)
        hail_parcel_at(shard, parcel->before)->after = parcel->after;
    else
        outlet->first = parcel->after;
    if (parcel->after != HAIL_SLAB_NONE)
        hail_parcel_at(shard, parcel->after)->before = parcel->before;
    else
        outlet->last = parcel->before;
    if (outlet->unsent == index)
        outlet->unsent = parcel->after;
    hail_parcels_unclaim(shard, slot, (uint32_t)parcel->content.len);
    set_bytes(shard, slot, sender_of(shard, slot)->bytes - parcel->content.len);
    uint32_t used = shard->pool.used_count;
    hail_chain_consume(&parcel->content, &shard->pool, parcel->content.len);
    hail_quota_sub(&shard->quota, slot, hold_of(used - shard->pool.used_count));
    hail_slab_free(&shard->native.parcels, index);
    if (hail_parcels_freed(shard, slot))
        hail_queue_push(&shard->held, slot); // told before this turn's end, or when there is room
}

// A record for a message of `len` bytes that the connection may have waiting, and for which there
// are blocks; HAIL_SLAB_NONE, and counted: not now.
static uint32_t take_parcel(struct hail_shard *shard, uint32_t slot, size_t len)
{
    uint64_t left = (uint64_t)hail_pool_left(&shard->pool) * HAIL_BLOCK_MESSAGE;
    uint32_t index =
        hold_most(len) <= left && hail_quota_allows(&shard->quota, slot, hold_most(len))
            ? hail_slab_take(&shard->native.parcels)
            : HAIL_SLAB_NONE;

    if (index == HAIL_SLAB_NONE)
        hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
    return index;
}

enum hail_status hail_parcels_add(struct hail_shard *shard, uint32_t slot,
                                  const struct hail_message_view *view)
{
    struct hail_sender *sender = sender_of(shard, slot);
    struct hail_outlet *outlet = hail_parcels_outlets(shard, slot) + view->channel;
    uint8_t head[HAIL_FRAME_INNER_MAX];
    size_t head_len = hail_frames_inner_head(head, view, &shard->context->policy);
    size_t len = head_len + view->body_len;

    if (head_len == 0)
        return HAIL_EINVAL;
    if (view->claimed == 0 && !claim(shard, slot, (uint32_t)len))
        return HAIL_EFULL;
    uint32_t index = take_parcel(shard, slot, len);
    if (index == HAIL_SLAB_NONE) {
        if (view->claimed == 0)
            hail_parcels_unclaim(shard, slot, (uint32_t)len);
        return HAIL_EFULL;
    }
    if (view->claimed > 0)
        hail_parcels_unclaim(shard, slot, view->claimed - (uint32_t)len);
    struct hail_parcel *parcel = hail_parcel_at(shard, index);
    *parcel = (struct hail_parcel){
        .before = outlet->last,
        .after = HAIL_SLAB_NONE,
        .id = outlet->next_id++,
        .channel = view->channel,
        .flags = (uint8_t)(view->flags | HAIL_FLAG_AUTHENTICATED),
        .place = outlet->placed,
        .since_ns = shard->now_ns,
    };
    outlet->placed += len;
    hail_chain_init(&parcel->content);
    hail_chain_mark_init(&parcel->mark);
    uint32_t used = shard->pool.used_count;
    bool fits = hail_chain_append(&parcel->content, &shard->pool, head, head_len) &&
                (view->body_len == 0 ||
                 hail_chain_append(&parcel->content, &shard->pool, view->body, view->body_len));
    HAIL_ASSERT(fits); // there was room for all of it
    hail_quota_add(&shard->quota, slot, hold_of(shard->pool.used_count - used));
    if (outlet->last != HAIL_SLAB_NONE)
        hail_parcel_at(shard, outlet->last)->after = index;
    else
        outlet->first = index;
    outlet->last = index;
    if (outlet->unsent == HAIL_SLAB_NONE) {
        outlet->unsent = index;
        outlet->pass = sender->pass; // who was silent has saved nothing up
    }
    if (sender->bytes == 0)
        sender->progress_ns = shard->now_ns;
    set_bytes(shard, slot, sender->bytes + (uint32_t)len);
    return HAIL_OK;
}
