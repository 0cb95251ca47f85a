// receiver.c: see receiver.h.
// SPDX-License-Identifier: MIT
#include "engine/receiver.h"

#include <string.h>

#include "engine/conn.h"
#include "engine/inbound.h"

enum {
    WORD_BITS = 64,
    TAKEN_WORDS = HAIL_AHEAD_MAX / WORD_BITS, // of an unordered channel: which ids have come
    PIECE_USUAL = 256                         // bytes: many pieces shorter than this are refused
};

static size_t channel_count(const struct hail_shard *shard)
{
    return hail_policy_channel_count(&shard->context->policy);
}

static enum hail_guarantee guarantee_of(const struct hail_shard *shard, uint8_t channel)
{
    return hail_policy_channel_at(&shard->context->policy, channel)->guarantee;
}

static struct hail_inlet *inlets_of(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native.inlets + (size_t)slot * channel_count(shard);
}

// The numbers of the packets that brought the newest message of each sequenced channel.
static uint64_t *newest_of(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native.newest + (size_t)slot * channel_count(shard);
}

static struct hail_arrival *arrival_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native.arrivals, index);
}

static struct hail_piece *piece_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native.pieces, index);
}

// ---- Memory

void hail_receiver_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_native_shard *native = &shard->native;
    struct hail_arena *arena = &shard->arena;
    uint32_t blocks = (uint32_t)(context->config.buffers_max / HAIL_BLOCK_MESSAGE);

    hail_slab_init(&native->arrivals, arena, blocks / 2, sizeof(struct hail_arrival));
    hail_slab_init(&native->pieces, arena, blocks / 2, sizeof(struct hail_piece));
}

// Which ids of an unordered channel have come, of those from `next` on.
static uint64_t *taken_of(const struct hail_shard *shard, uint32_t slot, uint8_t channel)
{
    size_t place = hail_policy_unordered_before(&shard->context->policy, channel);

    return shard->native.taken +
           ((size_t)slot * shard->native.unordered_count + place) * TAKEN_WORDS;
}

static bool is_taken(const uint64_t *taken, uint32_t id)
{
    return taken[id % HAIL_AHEAD_MAX / WORD_BITS] >> id % WORD_BITS & 1;
}

static void set_taken(uint64_t *taken, uint32_t id, bool value)
{
    uint64_t bit = UINT64_C(1) << id % WORD_BITS;
    uint64_t *word = &taken[id % HAIL_AHEAD_MAX / WORD_BITS];

    *word = value ? *word | bit : *word & ~bit;
}

void hail_receiver_begin(struct hail_shard *shard, uint32_t slot)
{
    struct hail_inlet *inlets = inlets_of(shard, slot);

    shard->native.conns[slot].stored = 0;
    for (size_t i = 0; i < channel_count(shard); i++)
        inlets[i] = (struct hail_inlet){.first = HAIL_SLAB_NONE, .last = HAIL_SLAB_NONE};
}

// The memory that a piece of `len` bytes takes.
static uint32_t hold_of(const struct hail_shard *shard, size_t len)
{
    return (uint32_t)(hail_pool_need(&shard->pool, len) + sizeof(struct hail_piece));
}

static void free_pieces(struct hail_shard *shard, uint32_t slot, struct hail_arrival *arrival)
{
    while (arrival->piece_first != HAIL_SLAB_NONE) {
        uint32_t index = arrival->piece_first;
        struct hail_piece *piece = piece_at(shard, index);
        arrival->piece_first = piece->after;
        hail_quota_sub(&shard->quota, slot, hold_of(shard, piece->bytes.len));
        hail_chain_consume(&piece->bytes, &shard->pool, piece->bytes.len);
        hail_slab_free(&shard->native.pieces, index);
    }
    shard->native.conns[slot].stored -= arrival->got;
}

// Takes an arrival, which comes after `before`, off its channel.
static void remove_arrival(struct hail_shard *shard, uint32_t slot, struct hail_inlet *inlet,
                           uint32_t before, uint32_t index)
{
    struct hail_arrival *arrival = arrival_at(shard, index);

    free_pieces(shard, slot, arrival);
    if (before == HAIL_SLAB_NONE)
        inlet->first = arrival->after;
    else
        arrival_at(shard, before)->after = arrival->after;
    if (inlet->last == index)
        inlet->last = before;
    hail_quota_sub(&shard->quota, slot, sizeof(struct hail_arrival));
    hail_slab_free(&shard->native.arrivals, index);
}

// What is zero stays as it is: memory that was never written takes no room.
static void zero(uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] != 0)
            words[i] = 0;
    }
}

void hail_receiver_clear(struct hail_shard *shard, uint32_t slot)
{
    struct hail_inlet *inlets = inlets_of(shard, slot);
    size_t unordered = shard->native.unordered_count;

    for (size_t i = 0; i < channel_count(shard); i++) {
        while (inlets[i].first != HAIL_SLAB_NONE)
            remove_arrival(shard, slot, &inlets[i], HAIL_SLAB_NONE, inlets[i].first);
    }
    zero(newest_of(shard, slot), channel_count(shard));
    zero(shard->native.taken + slot * unordered * TAKEN_WORDS, unordered * TAKEN_WORDS);
    hail_receiver_begin(shard, slot);
}

// ---- To the application

// Room for the events of a message of `len` bytes. False: not now.
static bool reserve(struct hail_shard *shard, uint32_t slot, struct hail_delivery *delivery,
                    size_t len)
{
    if ((!shard->conns[slot].connected_pending || hail_inbound_connected(shard, slot)) &&
        hail_deliver_reserve(shard, delivery, len))
        return true;
    hail_stat_add(&shard->stats, HAIL_STAT_EVENTS_HELD, 1);
    return false;
}

// Whether a channel's guarantee lets a message through that came in this packet: the newest wins.
static bool is_newest(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint64_t number)
{
    uint64_t *newest = newest_of(shard, slot) + channel;

    if (guarantee_of(shard, channel) != HAIL_GUARANTEE_SEQUENCED)
        return true;
    if (number < *newest)
        return false;
    *newest = number;
    return true;
}

// Whether channel and floor let a message through.
static enum hail_verdict check(struct hail_shard *shard, uint32_t slot,
                               const struct hail_message_view *message, uint64_t number)
{
    enum hail_verdict verdict = hail_policy_check_channel(&shard->context->policy, message);

    if (verdict == HAIL_DROP_FLOOR)
        hail_inbound_below_channel(shard, slot, message);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    return is_newest(shard, slot, message->channel, number) ? HAIL_ACCEPT : HAIL_DROP_OLD;
}

enum hail_verdict hail_receiver_message(struct hail_shard *shard, uint32_t slot,
                                        struct hail_message_view *message,
                                        const struct hail_opened *packet)
{
    struct hail_delivery delivery;

    message->flags = packet->flags;
    enum hail_verdict verdict = check(shard, slot, message, packet->number);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!reserve(shard, slot, &delivery, message->body_len))
        return HAIL_ACCEPT; // lost, as a datagram may be
    hail_inbound_message(shard, slot, message, &delivery);
    hail_deliver_abandon(&delivery);
    return HAIL_ACCEPT;
}

// Hands a message over, or counts why not. Either way it is done with. The application may end the
// connection meanwhile.
static void hand_over(struct hail_shard *shard, uint32_t slot, uint8_t channel,
                      struct hail_bytes inner, uint32_t flags, uint64_t number,
                      struct hail_delivery *delivery)
{
    struct hail_message_view message;
    enum hail_verdict verdict =
        hail_frames_inner(&message, channel, &shard->context->policy, inner);

    if (verdict == HAIL_ACCEPT) {
        message.flags = flags;
        verdict = check(shard, slot, &message, number);
    }
    if (verdict == HAIL_ACCEPT)
        hail_inbound_message(shard, slot, &message, delivery);
    else
        hail_shard_drop(shard, slot, verdict);
    hail_deliver_abandon(delivery);
}

// Takes note that a reliable message is done with, before it is handed over.
static void settle(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint32_t id)
{
    struct hail_inlet *inlet = inlets_of(shard, slot) + channel;

    if (guarantee_of(shard, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED) {
        inlet->next = id + 1;
        return;
    }
    uint64_t *taken = taken_of(shard, slot, channel);
    set_taken(taken, id, true);
    while (is_taken(taken, inlet->next))
        set_taken(taken, inlet->next++, false);
}

static void copy_out(const struct hail_shard *shard, const struct hail_arrival *arrival)
{
    for (uint32_t index = arrival->piece_first; index != HAIL_SLAB_NONE;) {
        const struct hail_piece *piece = piece_at(shard, index);
        hail_chain_copy(&piece->bytes, &shard->pool, shard->scratch_in + piece->offset,
                        piece->bytes.len);
        index = piece->after;
    }
}

// Delivers what is whole, and whose turn it is, of one channel.
static void drain(struct hail_shard *shard, uint32_t slot, uint8_t channel)
{
    enum hail_guarantee guarantee = guarantee_of(shard, channel);
    struct hail_inlet *inlet = inlets_of(shard, slot) + channel;
    uint32_t before = HAIL_SLAB_NONE;
    uint32_t index = inlet->first;

    while (index != HAIL_SLAB_NONE && shard->conns[slot].state == HAIL_CONN_OPEN) {
        const struct hail_arrival arrival = *arrival_at(shard, index);
        struct hail_delivery delivery;

        if (guarantee == HAIL_GUARANTEE_RELIABLE_ORDERED && arrival.id != inlet->next)
            return;
        if (arrival.got < arrival.total) {
            before = index;
            index = arrival.after;
            continue;
        }
        if (!reserve(shard, slot, &delivery, arrival.total)) {
            hail_queue_push(&shard->held, slot);
            return;
        }
        copy_out(shard, &arrival);
        remove_arrival(shard, slot, inlet, before, index);
        if (guarantee < HAIL_GUARANTEE_SEQUENCED)
            settle(shard, slot, channel, arrival.id);
        hand_over(shard, slot, channel, (struct hail_bytes){shard->scratch_in, arrival.total},
                  arrival.flags, arrival.number, &delivery);
        index = arrival.after;
    }
}

void hail_receiver_retry(struct hail_shard *shard, uint32_t slot)
{
    for (size_t i = 0; i < channel_count(shard); i++) {
        if (shard->conns[slot].state == HAIL_CONN_OPEN)
            drain(shard, slot, (uint8_t)i);
    }
}

// ---- Putting together

// Adds bytes that nothing before or after `before` has yet. False: there is no room.
static bool add_bytes(struct hail_shard *shard, uint32_t slot, struct hail_arrival *arrival,
                      uint32_t before, uint32_t offset, const uint8_t *data, size_t len)
{
    struct hail_piece *piece = before == HAIL_SLAB_NONE ? NULL : piece_at(shard, before);

    if (!piece || piece->offset + piece->bytes.len != offset) {
        uint32_t index = arrival->piece_count > arrival->total / PIECE_USUAL + 1
                             ? HAIL_SLAB_NONE
                             : hail_slab_take(&shard->native.pieces);
        if (index == HAIL_SLAB_NONE)
            return false;
        struct hail_piece *fresh = piece_at(shard, index);
        *fresh = (struct hail_piece){
            .offset = offset,
            .after = piece ? piece->after : arrival->piece_first,
        };
        hail_chain_init(&fresh->bytes);
        if (piece)
            piece->after = index;
        else
            arrival->piece_first = index;
        arrival->piece_count++;
        piece = fresh;
        hail_quota_add(&shard->quota, slot, hold_of(shard, 0));
    }
    uint32_t held = hold_of(shard, piece->bytes.len);
    if (!hail_chain_append(&piece->bytes, &shard->pool, data, len))
        return false; // an empty piece may stay behind: it goes with its message
    arrival->got += (uint32_t)len;
    hail_quota_add(&shard->quota, slot, hold_of(shard, piece->bytes.len) - held);
    shard->native.conns[slot].stored += len;
    return true;
}

// Adds what is new of a part. False: there was no room for all of it.
static bool add_part(struct hail_shard *shard, uint32_t slot, struct hail_arrival *arrival,
                     const struct hail_native_frame *frame)
{
    uint32_t at = frame->part.offset;
    uint32_t end = at + (uint32_t)frame->bytes.len;
    uint32_t before = HAIL_SLAB_NONE;
    uint32_t after = arrival->piece_first;

    while (at < end) {
        while (after != HAIL_SLAB_NONE && piece_at(shard, after)->offset <= at) {
            const struct hail_piece *piece = piece_at(shard, after);
            uint32_t piece_end = piece->offset + (uint32_t)piece->bytes.len;
            at = piece_end > at ? piece_end : at; // there already
            before = after;
            after = piece->after;
        }
        if (at >= end)
            break;
        uint32_t stop = end;
        if (after != HAIL_SLAB_NONE && piece_at(shard, after)->offset < end)
            stop = piece_at(shard, after)->offset;
        if (!add_bytes(shard, slot, arrival, before, at,
                       frame->bytes.data + (at - frame->part.offset), stop - at))
            return false;
        at = stop;
    }
    return true;
}

// The arrival with this id, or a new one in its place; HAIL_SLAB_NONE: there is no room.
static uint32_t find_or_add(struct hail_shard *shard, uint32_t slot, struct hail_inlet *inlet,
                            uint32_t id, uint32_t total)
{
    uint32_t before = HAIL_SLAB_NONE;
    uint32_t index = inlet->first;

    if (inlet->last != HAIL_SLAB_NONE && (int32_t)(id - arrival_at(shard, inlet->last)->id) > 0) {
        before = inlet->last;
        index = HAIL_SLAB_NONE;
    }
    while (index != HAIL_SLAB_NONE && (int32_t)(arrival_at(shard, index)->id - id) < 0) {
        before = index;
        index = arrival_at(shard, index)->after;
    }
    if (index != HAIL_SLAB_NONE && arrival_at(shard, index)->id == id)
        return index;

    uint32_t fresh = hail_slab_take(&shard->native.arrivals);
    if (fresh == HAIL_SLAB_NONE)
        return HAIL_SLAB_NONE;
    hail_quota_add(&shard->quota, slot, sizeof(struct hail_arrival));
    *arrival_at(shard, fresh) = (struct hail_arrival){
        .after = index,
        .id = id,
        .total = total,
        .piece_first = HAIL_SLAB_NONE,
        .flags = HAIL_FLAGS_BOTH,
    };
    if (before == HAIL_SLAB_NONE)
        inlet->first = fresh;
    else
        arrival_at(shard, before)->after = fresh;
    if (index == HAIL_SLAB_NONE)
        inlet->last = fresh;
    return fresh;
}

// What waits for its turn has a limit; the message whose turn it is may pass it, or nothing would
// ever get better.
static bool may_store(const struct hail_shard *shard, uint32_t slot, const struct hail_inlet *inlet,
                      uint32_t id, size_t len)
{
    uint64_t most = 2 * (uint64_t)shard->context->config.message_max;

    if (most < HAIL_STORE_LEAST)
        most = HAIL_STORE_LEAST;
    return id == inlet->next || shard->native.conns[slot].stored + len <= most;
}

static bool store(struct hail_shard *shard, uint32_t slot, uint32_t id,
                  const struct hail_native_frame *frame, const struct hail_opened *packet)
{
    struct hail_inlet *inlet = inlets_of(shard, slot) + frame->part.channel;

    if (!may_store(shard, slot, inlet, id, frame->bytes.len) ||
        !hail_shard_allows(shard, slot,
                           hold_of(shard, frame->bytes.len) + sizeof(struct hail_arrival)))
        return false;
    uint32_t index = find_or_add(shard, slot, inlet, id, frame->part.total);
    if (index == HAIL_SLAB_NONE) {
        hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
        return false;
    }
    struct hail_arrival *arrival = arrival_at(shard, index);
    if (arrival->total != frame->part.total) {
        hail_shard_drop(shard, slot, HAIL_DROP_MALFORMED);
        return false;
    }
    arrival->flags &= packet->flags;
    arrival->number = packet->number;
    if (!add_part(shard, slot, arrival, frame)) {
        hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
        return false;
    }
    if (arrival->got == arrival->total)
        drain(shard, slot, frame->part.channel);
    return true;
}

// How far the message with this low part of its id lies before or behind the next one.
static int32_t ahead_of(const struct hail_inlet *inlet, uint16_t id)
{
    uint16_t ahead = (uint16_t)(id - inlet->next);

    return ahead <= INT16_MAX ? ahead : (int32_t)ahead - (UINT16_MAX + 1);
}

// A part on an unreliable channel: one message at a time is put together, and a newer one takes its
// place.
static bool take_unreliable(struct hail_shard *shard, uint32_t slot,
                            const struct hail_native_frame *frame, const struct hail_opened *packet)
{
    const struct hail_part *part = &frame->part;
    struct hail_inlet *inlet = inlets_of(shard, slot) + part->channel;
    int32_t ahead = ahead_of(inlet, part->id);
    struct hail_delivery delivery;

    if (frame->bytes.len == part->total) {
        if (reserve(shard, slot, &delivery, frame->bytes.len))
            hand_over(shard, slot, part->channel, frame->bytes, packet->flags, packet->number,
                      &delivery);
        return true;
    }
    if (ahead < 0) {
        hail_shard_drop(shard, slot, HAIL_DROP_OLD);
        return true;
    }
    if (ahead > 0 && inlet->first != HAIL_SLAB_NONE) {
        hail_stat_add(&shard->stats, HAIL_STAT_MESSAGES_TORN, 1);
        remove_arrival(shard, slot, inlet, HAIL_SLAB_NONE, inlet->first);
    }
    inlet->next += (uint32_t)ahead;
    (void)store(shard, slot, inlet->next, frame, packet); // else it is lost
    if (shard->conns[slot].state == HAIL_CONN_OPEN && inlet->first == HAIL_SLAB_NONE)
        inlet->next++; // it was the last part
    return true;
}

static bool take_reliable(struct hail_shard *shard, uint32_t slot,
                          const struct hail_native_frame *frame, const struct hail_opened *packet)
{
    const struct hail_part *part = &frame->part;
    bool ordered = guarantee_of(shard, part->channel) == HAIL_GUARANTEE_RELIABLE_ORDERED;
    struct hail_inlet *inlet = inlets_of(shard, slot) + part->channel;
    int32_t ahead = ahead_of(inlet, part->id);
    uint32_t id = inlet->next + (uint32_t)ahead;
    struct hail_delivery delivery;

    if (ahead >= (int32_t)HAIL_AHEAD_MAX) {
        hail_shard_drop(shard, slot, HAIL_DROP_MALFORMED);
        return false;
    }
    if (ahead < 0 || (!ordered && is_taken(taken_of(shard, slot, part->channel), id)))
        return true; // it has come before
    bool in_turn = !ordered || ahead == 0;
    bool begun =
        inlet->first != HAIL_SLAB_NONE && (!ordered || arrival_at(shard, inlet->first)->id == id);
    if (frame->bytes.len == part->total && in_turn && !begun &&
        reserve(shard, slot, &delivery, frame->bytes.len)) {
        settle(shard, slot, part->channel, id);
        hand_over(shard, slot, part->channel, frame->bytes, packet->flags, packet->number,
                  &delivery);
        if (ordered && inlet->first != HAIL_SLAB_NONE)
            drain(shard, slot, part->channel);
        return true;
    }
    return store(shard, slot, id, frame, packet);
}

bool hail_receiver_part(struct hail_shard *shard, uint32_t slot,
                        const struct hail_native_frame *frame, const struct hail_opened *packet)
{
    if (frame->part.total > shard->context->config.message_max + HAIL_FRAME_INNER_MAX) {
        hail_shard_drop(shard, slot, HAIL_DROP_TOO_LARGE);
        hail_conn_end(shard, slot, HAIL_CLOSED_CONFIG, false,
                      "a message came that is longer than our message_max");
        return false;
    }
    return guarantee_of(shard, frame->part.channel) < HAIL_GUARANTEE_SEQUENCED
               ? take_reliable(shard, slot, frame, packet)
               : take_unreliable(shard, slot, frame, packet);
}
