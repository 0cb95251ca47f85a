// send_messages.c: see send_messages.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/send_messages.h"

#include "proto/frames.h"

static const uint32_t REFUSED = 1u << 31; // in a claimed word; unsent_max is far below

struct hail_send_channel *hail_send_channels(const struct hail_delivery *delivery, uint32_t slot)
{
    return delivery->send_channels + (size_t)slot * hail_policy_channel_count(delivery->policy);
}

struct hail_send_message *hail_send_message_at(const struct hail_delivery *delivery, uint32_t index)
{
    return hail_slab_at(&delivery->messages, index);
}

// Whoever is refused leaves a mark in the same word, so that he is told of what becomes free.
static bool claim(struct hail_delivery *delivery, uint32_t slot, uint32_t len)
{
    _Atomic uint32_t *claimed = &delivery->claimed[slot];
    uint32_t now = atomic_load_explicit(claimed, memory_order_relaxed);

    for (;;) {
        bool fits = (now & ~REFUSED) + len <= delivery->limits.unsent_max;
        uint32_t then = fits ? now + len : now | REFUSED;
        if (atomic_compare_exchange_weak_explicit(claimed, &now, then, memory_order_relaxed,
                                                  memory_order_relaxed))
            return fits;
    }
}

uint32_t hail_send_messages_claim(struct hail_delivery *delivery, uint32_t slot, size_t len)
{
    uint32_t most = (uint32_t)len + HAIL_FRAME_INNER_MAX;

    return claim(delivery, slot, most) ? most : 0;
}

void hail_send_messages_unclaim(struct hail_delivery *delivery, uint32_t slot, uint32_t claimed)
{
    atomic_fetch_sub_explicit(&delivery->claimed[slot], claimed, memory_order_relaxed);
}

bool hail_send_messages_freed(const struct hail_delivery *delivery, uint32_t slot)
{
    uint32_t now = atomic_load_explicit(&delivery->claimed[slot], memory_order_relaxed);

    return (now & REFUSED) && (now & ~REFUSED) <= delivery->limits.unsent_max / 2;
}

void hail_send_messages_told(struct hail_delivery *delivery, uint32_t slot)
{
    atomic_fetch_and_explicit(&delivery->claimed[slot], ~REFUSED, memory_order_relaxed);
}

static void set_bytes(struct hail_delivery *delivery, uint32_t slot, uint32_t bytes)
{
    hail_sender_of(delivery, slot)->bytes = bytes;
    hail_figure_gauge(&delivery->published[slot], HAIL_CONN_FIGURE_UNSENT, bytes);
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

void hail_send_messages_drop(struct hail_delivery *delivery, uint32_t slot, uint32_t index)
{
    struct hail_send_message *message = hail_send_message_at(delivery, index);
    struct hail_send_channel *send = hail_send_channels(delivery, slot) + message->channel;

    if (message->before != HAIL_SLAB_NONE)
        hail_send_message_at(delivery, message->before)->after = message->after;
    else
        send->first = message->after;
    if (message->after != HAIL_SLAB_NONE)
        hail_send_message_at(delivery, message->after)->before = message->before;
    else
        send->last = message->before;
    if (send->unsent == index)
        send->unsent = message->after;
    hail_send_messages_unclaim(delivery, slot, (uint32_t)message->content.len);
    set_bytes(delivery, slot, hail_sender_of(delivery, slot)->bytes - message->content.len);
    uint32_t used = delivery->pool->used_count;
    hail_chain_consume(&message->content, delivery->pool, message->content.len);
    hail_quota_sub(delivery->quota, slot, hold_of(used - delivery->pool->used_count));
    hail_slab_free(&delivery->messages, index);
    if (hail_send_messages_freed(delivery, slot))
        hail_queue_push(delivery->held, slot); // told before this turn's end, or when there is room
}

// A record for a message of `len` bytes that the connection may have waiting, and for which there
// are blocks; HAIL_SLAB_NONE, and counted: not now.
static uint32_t take_message(struct hail_delivery *delivery, uint32_t slot, size_t len)
{
    uint64_t left = (uint64_t)hail_pool_left(delivery->pool) * HAIL_BLOCK_MESSAGE;
    uint32_t index =
        hold_most(len) <= left && hail_quota_allows(delivery->quota, slot, hold_most(len))
            ? hail_slab_take(&delivery->messages)
            : HAIL_SLAB_NONE;

    if (index == HAIL_SLAB_NONE)
        hail_stat_add(delivery->stats, HAIL_STAT_BUFFERS_FULL, 1);
    return index;
}

enum hail_status hail_send_messages_add(struct hail_delivery *delivery, uint32_t slot,
                                        const struct hail_message_view *view)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    struct hail_send_channel *send = hail_send_channels(delivery, slot) + view->channel;
    uint8_t head[HAIL_FRAME_INNER_MAX];
    size_t head_len = hail_frames_inner_head(head, view, delivery->policy);
    size_t len = head_len + view->body_len;

    if (head_len == 0)
        return HAIL_EINVAL;
    if (view->claimed == 0 && !claim(delivery, slot, (uint32_t)len))
        return HAIL_EFULL;
    uint32_t index = take_message(delivery, slot, len);
    if (index == HAIL_SLAB_NONE) {
        if (view->claimed == 0)
            hail_send_messages_unclaim(delivery, slot, (uint32_t)len);
        return HAIL_EFULL;
    }
    if (view->claimed > 0)
        hail_send_messages_unclaim(delivery, slot, view->claimed - (uint32_t)len);
    struct hail_send_message *message = hail_send_message_at(delivery, index);
    *message = (struct hail_send_message){
        .before = send->last,
        .after = HAIL_SLAB_NONE,
        .id = send->next_id++,
        .channel = view->channel,
        .flags = (uint8_t)(view->flags | HAIL_FLAG_AUTHENTICATED),
        .place = send->placed,
        .since_ns = *delivery->now_ns,
    };
    send->placed += len;
    hail_chain_init(&message->content);
    hail_chain_mark_init(&message->mark);
    uint32_t used = delivery->pool->used_count;
    bool fits = hail_chain_append(&message->content, delivery->pool, head, head_len) &&
                (view->body_len == 0 ||
                 hail_chain_append(&message->content, delivery->pool, view->body, view->body_len));
    HAIL_ASSERT(fits); // there was room for all of it
    hail_quota_add(delivery->quota, slot, hold_of(delivery->pool->used_count - used));
    if (send->last != HAIL_SLAB_NONE)
        hail_send_message_at(delivery, send->last)->after = index;
    else
        send->first = index;
    send->last = index;
    if (send->unsent == HAIL_SLAB_NONE) {
        send->unsent = index;
        send->pass = sender->pass; // who was silent has saved nothing up
    }
    if (sender->bytes == 0)
        sender->progress_ns = *delivery->now_ns;
    set_bytes(delivery, slot, sender->bytes + (uint32_t)len);
    return HAIL_OK;
}
