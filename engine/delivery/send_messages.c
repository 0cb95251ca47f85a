// send_messages.c: see send_messages.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/send_messages.h"

#include "engine/shard/shard.h"

static const uint32_t REFUSED = 1u << 31; // in a claimed word; unsent_max is far below

static struct hail_sender *sender_of(const struct hail_shard *shard, uint32_t slot)
{
    return &shard->native->conns[slot].sender;
}

struct hail_send_channel *hail_send_channels(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native->send_channels +
           (size_t)slot * hail_policy_channel_count(&shard->context->policy);
}

struct hail_send_message *hail_send_message_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native->messages, index);
}

void hail_send_messages_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    uint32_t blocks = (uint32_t)(context->config.buffers_max / HAIL_BLOCK_MESSAGE);

    // Blocks are what is short first, but where messages are tiny.
    hail_slab_init(&shard->native->messages, &shard->arena, blocks / 2,
                   sizeof(struct hail_send_message));
}

// Whoever is refused leaves a mark in the same word, so that he is told of what becomes free.
static bool claim(struct hail_shard *shard, uint32_t slot, uint32_t len)
{
    _Atomic uint32_t *claimed = &shard->native->claimed[slot];
    uint32_t now = atomic_load_explicit(claimed, memory_order_relaxed);

    for (;;) {
        bool fits = (now & ~REFUSED) + len <= shard->context->config.unsent_max;
        uint32_t then = fits ? now + len : now | REFUSED;
        if (atomic_compare_exchange_weak_explicit(claimed, &now, then, memory_order_relaxed,
                                                  memory_order_relaxed))
            return fits;
    }
}

uint32_t hail_send_messages_claim(struct hail_shard *shard, uint32_t slot, size_t len)
{
    uint32_t most = (uint32_t)len + HAIL_FRAME_INNER_MAX;

    return claim(shard, slot, most) ? most : 0;
}

void hail_send_messages_unclaim(struct hail_shard *shard, uint32_t slot, uint32_t claimed)
{
    atomic_fetch_sub_explicit(&shard->native->claimed[slot], claimed, memory_order_relaxed);
}

bool hail_send_messages_freed(const struct hail_shard *shard, uint32_t slot)
{
    uint32_t now = atomic_load_explicit(&shard->native->claimed[slot], memory_order_relaxed);

    return (now & REFUSED) && (now & ~REFUSED) <= shard->context->config.unsent_max / 2;
}

void hail_send_messages_told(struct hail_shard *shard, uint32_t slot)
{
    atomic_fetch_and_explicit(&shard->native->claimed[slot], ~REFUSED, memory_order_relaxed);
}

static void set_bytes(struct hail_shard *shard, uint32_t slot, uint32_t bytes)
{
    sender_of(shard, slot)->bytes = bytes;
    hail_table_gauge(&shard->table, slot, HAIL_CONN_FIGURE_UNSENT, bytes);
}

// The memory that a message in so many blocks takes while it waits and is under way: these, its
// send message, and its ranges, of which there are no more than blocks.
static uint32_t hold_of(uint32_t blocks)
{
    return blocks * (uint32_t)(HAIL_BLOCK_MESSAGE + sizeof(struct hail_send_range)) +
           (uint32_t)sizeof(struct hail_send_message);
}

// No less than that, for a message of `len` bytes.
static size_t hold_most(size_t len)
{
    return len + len / 8 + 2 * HAIL_BLOCK_MESSAGE;
}

void hail_send_messages_drop(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    struct hail_send_message *message = hail_send_message_at(shard, index);
    struct hail_send_channel *send = hail_send_channels(shard, slot) + message->channel;

    if (message->before != HAIL_SLAB_NONE)
        hail_send_message_at(shard, message->before)->after = message->after;
    else
        send->first = message->after;
    if (message->after != HAIL_SLAB_NONE)
        hail_send_message_at(shard, message->after)->before = message->before;
    else
        send->last = message->before;
    if (send->unsent == index)
        send->unsent = message->after;
    hail_send_messages_unclaim(shard, slot, (uint32_t)message->content.len);
    set_bytes(shard, slot, sender_of(shard, slot)->bytes - message->content.len);
    uint32_t used = shard->pool.used_count;
    hail_chain_consume(&message->content, &shard->pool, message->content.len);
    hail_quota_sub(&shard->quota, slot, hold_of(used - shard->pool.used_count));
    hail_slab_free(&shard->native->messages, index);
    if (hail_send_messages_freed(shard, slot))
        hail_queue_push(&shard->held, slot); // told before this turn's end, or when there is room
}

// A record for a message of `len` bytes that the connection may have waiting, and for which there
// are blocks; HAIL_SLAB_NONE, and counted: not now.
static uint32_t take_message(struct hail_shard *shard, uint32_t slot, size_t len)
{
    uint64_t left = (uint64_t)hail_pool_left(&shard->pool) * HAIL_BLOCK_MESSAGE;
    uint32_t index =
        hold_most(len) <= left && hail_quota_allows(&shard->quota, slot, hold_most(len))
            ? hail_slab_take(&shard->native->messages)
            : HAIL_SLAB_NONE;

    if (index == HAIL_SLAB_NONE)
        hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
    return index;
}

enum hail_status hail_send_messages_add(struct hail_shard *shard, uint32_t slot,
                                        const struct hail_message_view *view)
{
    struct hail_sender *sender = sender_of(shard, slot);
    struct hail_send_channel *send = hail_send_channels(shard, slot) + view->channel;
    uint8_t head[HAIL_FRAME_INNER_MAX];
    size_t head_len = hail_frames_inner_head(head, view, &shard->context->policy);
    size_t len = head_len + view->body_len;

    if (head_len == 0)
        return HAIL_EINVAL;
    if (view->claimed == 0 && !claim(shard, slot, (uint32_t)len))
        return HAIL_EFULL;
    uint32_t index = take_message(shard, slot, len);
    if (index == HAIL_SLAB_NONE) {
        if (view->claimed == 0)
            hail_send_messages_unclaim(shard, slot, (uint32_t)len);
        return HAIL_EFULL;
    }
    if (view->claimed > 0)
        hail_send_messages_unclaim(shard, slot, view->claimed - (uint32_t)len);
    struct hail_send_message *message = hail_send_message_at(shard, index);
    *message = (struct hail_send_message){
        .before = send->last,
        .after = HAIL_SLAB_NONE,
        .id = send->next_id++,
        .channel = view->channel,
        .flags = (uint8_t)(view->flags | HAIL_FLAG_AUTHENTICATED),
        .place = send->placed,
        .since_ns = shard->now_ns,
    };
    send->placed += len;
    hail_chain_init(&message->content);
    hail_chain_mark_init(&message->mark);
    uint32_t used = shard->pool.used_count;
    bool fits = hail_chain_append(&message->content, &shard->pool, head, head_len) &&
                (view->body_len == 0 ||
                 hail_chain_append(&message->content, &shard->pool, view->body, view->body_len));
    HAIL_ASSERT(fits); // there was room for all of it
    hail_quota_add(&shard->quota, slot, hold_of(shard->pool.used_count - used));
    if (send->last != HAIL_SLAB_NONE)
        hail_send_message_at(shard, send->last)->after = index;
    else
        send->first = index;
    send->last = index;
    if (send->unsent == HAIL_SLAB_NONE) {
        send->unsent = index;
        send->pass = sender->pass; // who was silent has saved nothing up
    }
    if (sender->bytes == 0)
        sender->progress_ns = shard->now_ns;
    set_bytes(shard, slot, sender->bytes + (uint32_t)len);
    return HAIL_OK;
}
