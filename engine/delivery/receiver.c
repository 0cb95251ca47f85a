// receiver.c: see receiver.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/receiver.h"

#include <stdio.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/shard/conn.h"
#include "engine/shard/inbound.h"

enum {
    WORD_BITS = 64,
    TAKEN_WORDS = HAIL_AHEAD_MAX / WORD_BITS // of an unordered channel: which ids have come
};

static size_t channel_count(const struct hail_shard *shard)
{
    return hail_policy_channel_count(&shard->context->policy);
}

static enum hail_guarantee guarantee_of(const struct hail_shard *shard, uint8_t channel)
{
    return hail_policy_channel_at(&shard->context->policy, channel)->guarantee;
}

// The numbers of the packets that brought the newest message of each sequenced channel.
static uint64_t *newest_of(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native->newest + (size_t)slot * channel_count(shard);
}

static uint32_t now_ms(const struct hail_shard *shard)
{
    return (uint32_t)(shard->now_ns / HAIL_NS_PER_MS);
}

// ---- Memory

// Which ids of an unordered channel have come, of those from `next` on.
static uint64_t *taken_of(const struct hail_shard *shard, uint32_t slot, uint8_t channel)
{
    size_t place = hail_policy_unordered_before(&shard->context->policy, channel);

    return shard->native->taken +
           ((size_t)slot * shard->native->unordered_count + place) * TAKEN_WORDS;
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
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_receive_channel *receive_channels = hail_reassembly_channels(shard, slot);

    HAIL_ASSERT(native->stored == 0);
    native->stall_ms = 0;
    native->held_ms = now_ms(shard);
    native->useless = 0;
    native->holds = false;
    for (size_t i = 0; i < channel_count(shard); i++)
        receive_channels[i] = (struct hail_receive_channel){.first = HAIL_SLAB_NONE};
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
    struct hail_receive_channel *receive_channels = hail_reassembly_channels(shard, slot);
    size_t unordered = shard->native->unordered_count;

    for (size_t i = 0; i < channel_count(shard); i++) {
        while (receive_channels[i].first != HAIL_SLAB_NONE)
            hail_reassembly_drop(shard, receive_channels[i].first);
    }
    zero(newest_of(shard, slot), channel_count(shard));
    zero(shard->native->taken + slot * unordered * TAKEN_WORDS, unordered * TAKEN_WORDS);
    hail_receiver_begin(shard, slot);
}

// ---- To the application

// Room for the events of a message of `len` bytes. False: not now, or the application has ended the
// connection when it was told of it, and what it had received is gone.
static bool reserve(struct hail_shard *shard, uint32_t slot, struct hail_event_room *reserved,
                    size_t len)
{
    bool is_told = !shard->conns[slot].connected_pending || hail_inbound_connected(shard, slot);

    if (shard->conns[slot].state != HAIL_CONN_OPEN)
        return false;
    if (is_told && hail_event_reserve(shard, reserved, len))
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
    struct hail_event_room reserved;

    message->flags = packet->flags;
    enum hail_verdict verdict = check(shard, slot, message, packet->number);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!reserve(shard, slot, &reserved, message->body_len))
        return HAIL_ACCEPT; // lost, as a datagram may be
    hail_inbound_message(shard, slot, message, &reserved);
    hail_event_abandon(&reserved);
    return HAIL_ACCEPT;
}

// Ends the connection for a reliable message that nobody will take: its sender believes that what
// is acknowledged was delivered, so it is told.
static void end_for(struct hail_shard *shard, uint32_t slot, enum hail_verdict verdict)
{
    char text[96] = "a reliable message came that cannot be read";
    bool is_long = verdict == HAIL_DROP_TOO_LARGE;

    if (is_long)
        snprintf(text, sizeof text, "a reliable message came that is longer than message_max=%u",
                 shard->context->config.message_max);
    hail_conn_end(shard, slot, is_long ? HAIL_CLOSED_CONFIG : HAIL_CLOSED_PROTOCOL, false, text);
}

// Hands a message over, or counts why not. Either way it is done with. The application may end the
// connection meanwhile.
static void hand_over(struct hail_shard *shard, uint32_t slot, uint8_t channel,
                      struct hail_bytes inner, uint32_t flags, uint64_t number,
                      struct hail_event_room *reserved)
{
    struct hail_message_view message;
    enum hail_verdict verdict =
        hail_frames_inner(&message, channel, &shard->context->policy, inner);

    if (verdict == HAIL_ACCEPT && message.body_len > shard->context->config.message_max)
        verdict = HAIL_DROP_TOO_LARGE;
    bool is_bad = verdict == HAIL_DROP_MALFORMED || verdict == HAIL_DROP_TOO_LARGE;
    if (verdict == HAIL_ACCEPT) {
        message.flags = flags;
        verdict = check(shard, slot, &message, number);
    }
    if (verdict == HAIL_ACCEPT)
        hail_inbound_message(shard, slot, &message, reserved);
    else
        hail_shard_drop(shard, slot, verdict);
    hail_event_abandon(reserved);
    if (is_bad && guarantee_of(shard, channel) < HAIL_GUARANTEE_SEQUENCED)
        end_for(shard, slot, verdict);
}

// Takes note that a reliable message is done with, before it is handed over.
static void settle(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint32_t id)
{
    struct hail_receive_channel *receive = hail_reassembly_channels(shard, slot) + channel;

    if (guarantee_of(shard, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED) {
        receive->next = id + 1;
        receive->waits_ms = receive->first == HAIL_SLAB_NONE ? 0 : now_ms(shard);
        return;
    }
    uint64_t *taken = taken_of(shard, slot, channel);
    set_taken(taken, id, true);
    while (is_taken(taken, receive->next))
        set_taken(taken, receive->next++, false);
}

// Delivers a reassembly that is whole, and whose turn it is. False: not now; it is tried again.
static bool deliver(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint32_t index)
{
    const struct hail_reassembly reassembly = *hail_reassembly_at(shard, index);
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_event_room reserved;

    if (!reserve(shard, slot, &reserved, reassembly.message.total)) {
        if (shard->conns[slot].state != HAIL_CONN_OPEN)
            return false;
        native->holds = true;
        hail_queue_push(&shard->held, slot);
        return false;
    }
    if (native->holds)
        native->held_ms = now_ms(shard);
    native->holds = false;
    hail_reassembly_take(shard, index, shard->scratch_in);
    if (guarantee_of(shard, channel) < HAIL_GUARANTEE_SEQUENCED)
        settle(shard, slot, channel, reassembly.id);
    hand_over(shard, slot, channel,
              (struct hail_bytes){shard->scratch_in, reassembly.message.total}, reassembly.flags,
              reassembly.number, &reserved);
    return true;
}

// The reassembly whose turn it is on a channel, if it is whole. Without an order that is each that
// is whole, and those are the first.
static uint32_t next_whole(const struct hail_shard *shard, uint32_t slot, uint8_t channel)
{
    const struct hail_receive_channel *receive = hail_reassembly_channels(shard, slot) + channel;
    uint32_t index = receive->first;

    if (guarantee_of(shard, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED)
        index = hail_reassembly_find(shard, slot, channel, receive->next);
    return index != HAIL_SLAB_NONE && hail_reassembly_is_whole(hail_reassembly_at(shard, index))
               ? index
               : HAIL_SLAB_NONE;
}

// Delivers what is whole, and whose turn it is, of one channel.
static void drain(struct hail_shard *shard, uint32_t slot, uint8_t channel)
{
    while (shard->conns[slot].state == HAIL_CONN_OPEN) {
        uint32_t index = next_whole(shard, slot, channel);
        if (index == HAIL_SLAB_NONE || !deliver(shard, slot, channel, index))
            return;
    }
}

void hail_receiver_retry(struct hail_shard *shard, uint32_t slot)
{
    shard->native->unknown_calls = 0;
    for (size_t i = 0; i < channel_count(shard); i++) {
        if (shard->conns[slot].state == HAIL_CONN_OPEN)
            drain(shard, slot, (uint8_t)i);
    }
}

// ---- Putting together

static void charge(struct hail_intake *intake, uint8_t cost)
{
    if (intake->cost < cost)
        intake->cost = cost;
}

enum room {
    ROOM_ENOUGH,
    ROOM_LIMIT, // the connection occupies what it may
    ROOM_SHARE, // it has had its share of what all may
    ROOM_NONE   // it has little, and others have the rest
};

// What a connection's reassemblies may occupy: two of the longest messages, or one of which the
// last byte is missing and what a sender may have behind that; in as many messages as may be.
static uint64_t occupied_max(const struct hail_shard *shard)
{
    uint64_t longest = shard->context->config.message_max;
    uint64_t bytes = longest + (longest > HAIL_STORE_LEAST ? longest : HAIL_STORE_LEAST);

    return hail_reassembly_charge(hail_segments_blocks_max(bytes) + 2 * HAIL_AHEAD_MAX,
                                  HAIL_AHEAD_MAX);
}

// Whether a connection may occupy so much more. What is asked for in its turn may pass the limit,
// or nothing would ever get better.
static enum room room_for(struct hail_shard *shard, uint32_t slot, bool in_turn, uint32_t blocks,
                          uint32_t records)
{
    uint64_t more = hail_reassembly_charge(blocks, records);

    if (!in_turn && shard->native->conns[slot].stored + more > occupied_max(shard))
        return ROOM_LIMIT;
    if (more == 0 || (blocks <= hail_pool_left(&shard->pool) &&
                      records <= hail_slab_left(&shard->native->reassemblies.records) &&
                      hail_quota_allows(&shard->quota, slot, more)))
        return ROOM_ENOUGH;
    return shard->quota.holders[slot].held > HAIL_QUOTA_LEAST ? ROOM_SHARE : ROOM_NONE;
}

// Whether there is room for a part of a reassembly, or, HAIL_SLAB_NONE, of a new one. If not, the
// part is refused, and whose fault that is gets noted.
static bool has_room(struct hail_shard *shard, uint32_t slot, bool in_turn, uint32_t index,
                     const struct hail_native_frame *frame, struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    uint32_t len = (uint32_t)frame->bytes.len;
    uint32_t blocks = hail_segments_most(part->total, part->offset, len);
    enum room room = room_for(shard, slot, in_turn, blocks, index == HAIL_SLAB_NONE);

    if (room != ROOM_ENOUGH && index != HAIL_SLAB_NONE) { // unless most of it is there
        blocks = hail_segments_needs(&hail_reassembly_at(shard, index)->message, &shard->pool,
                                     part->offset, len);
        room = room_for(shard, slot, in_turn, blocks, 0);
    }
    switch (room) {
    case ROOM_ENOUGH:
        return true;
    case ROOM_LIMIT:
        charge(intake, HAIL_USELESS_BEYOND);
        break;
    case ROOM_SHARE:
    case ROOM_NONE:
        hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
        if (room == ROOM_NONE)
            shard->native->conns[slot].held_ms = now_ms(shard);
        break;
    }
    intake->refused = true;
    return false;
}

// Sets when to look at what waits.
static void look_again(const struct hail_shard *shard, struct hail_native *native, uint32_t in_ms)
{
    native->stall_ms = now_ms(shard) + in_ms;
    native->stall_ms += native->stall_ms == 0; // which would mean never
}

// Something has begun to wait: from now on it is looked after.
static void begin_waiting(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];

    if (native->stall_ms != 0)
        return;
    look_again(shard, native, shard->context->config.stall_timeout_ms);
    hail_conn_arm(shard, slot);
}

// Adds a part to its reassembly, or, HAIL_SLAB_NONE, to a new one.
static void store(struct hail_shard *shard, uint32_t slot, uint32_t id, uint32_t index,
                  const struct hail_native_frame *frame, const struct hail_opened *packet,
                  struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    const struct hail_receive_channel *receive =
        hail_reassembly_channels(shard, slot) + part->channel;

    if (index != HAIL_SLAB_NONE && hail_reassembly_at(shard, index)->message.total != part->total) {
        hail_shard_drop(shard, slot, HAIL_DROP_MALFORMED);
        intake->refused = true;
        return;
    }
    if (!has_room(shard, slot, id == receive->next, index, frame, intake))
        return;
    if (index == HAIL_SLAB_NONE) {
        index = hail_reassembly_add(shard, slot, part->channel, id, part->total);
        begin_waiting(shard, slot);
    }
    struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);
    reassembly->flags &= (uint8_t)packet->flags;
    reassembly->number = packet->number;
    if (hail_reassembly_fill(shard, index, part->offset, frame->bytes) == 0) {
        charge(intake, HAIL_USELESS_REPEATED);
        return;
    }
    intake->brought = true;
    if (!hail_reassembly_is_whole(reassembly))
        return;
    if (guarantee_of(shard, part->channel) != HAIL_GUARANTEE_RELIABLE_ORDERED)
        hail_reassembly_first(shard, index);
    drain(shard, slot, part->channel);
}

// How far the message with this low part of its id lies before or behind the next one.
static int32_t ahead_of(const struct hail_receive_channel *receive, uint16_t id)
{
    uint16_t ahead = (uint16_t)(id - receive->next);

    return ahead <= INT16_MAX ? ahead : (int32_t)ahead - (UINT16_MAX + 1);
}

// Gives up an unreliable message that has parts missing.
static void tear(struct hail_shard *shard, uint32_t index)
{
    hail_stat_add(&shard->stats, HAIL_STAT_MESSAGES_TORN, 1);
    hail_reassembly_drop(shard, index);
}

// Counts a part that has to be looked for. False: its packet has too many, whose bytes lie all over
// the memory; it is dropped.
static bool may_look(struct hail_shard *shard, uint32_t slot, const struct hail_native_frame *frame,
                     struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    bool goes_on = intake->parts > 0 && part->channel == intake->last.channel &&
                   part->id == intake->last.id && part->offset == intake->last_end;

    intake->parts += goes_on || frame->bytes.len == part->total ? 1 : HAIL_PART_APART;
    intake->last = *part;
    intake->last_end = part->offset + (uint32_t)frame->bytes.len;
    if (intake->parts <= HAIL_PARTS_MAX)
        return true;
    hail_shard_drop(shard, slot, HAIL_DROP_CROWDED);
    return false;
}

// A part on an unreliable channel: one message at a time is put together, and a newer one takes its
// place.
static void take_unreliable(struct hail_shard *shard, uint32_t slot,
                            const struct hail_native_frame *frame, const struct hail_opened *packet,
                            struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    struct hail_receive_channel *receive = hail_reassembly_channels(shard, slot) + part->channel;
    struct hail_intake lost = {0}; // nobody sends it again
    struct hail_event_room reserved;

    if (frame->bytes.len == part->total) {
        if (reserve(shard, slot, &reserved, frame->bytes.len))
            hand_over(shard, slot, part->channel, frame->bytes, packet->flags, packet->number,
                      &reserved);
        return;
    }
    int32_t ahead = ahead_of(receive, part->id);
    if (ahead < 0) {
        hail_shard_drop(shard, slot, HAIL_DROP_OLD);
        return;
    }
    if (!may_look(shard, slot, frame, intake))
        return;
    if (ahead > 0 && receive->first != HAIL_SLAB_NONE)
        tear(shard, receive->first);
    receive->next += (uint32_t)ahead;
    store(shard, slot, receive->next, receive->first, frame, packet, &lost);
    intake->brought |= lost.brought;
    if (shard->conns[slot].state == HAIL_CONN_OPEN && receive->first == HAIL_SLAB_NONE)
        receive->next++; // it was the last part
}

static void take_reliable(struct hail_shard *shard, uint32_t slot,
                          const struct hail_native_frame *frame, const struct hail_opened *packet,
                          struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    bool ordered = guarantee_of(shard, part->channel) == HAIL_GUARANTEE_RELIABLE_ORDERED;
    const struct hail_receive_channel *receive =
        hail_reassembly_channels(shard, slot) + part->channel;
    int32_t ahead = ahead_of(receive, part->id);
    uint32_t id = receive->next + (uint32_t)ahead;
    struct hail_event_room reserved;

    if (ahead >= (int32_t)HAIL_AHEAD_MAX) {
        hail_shard_drop(shard, slot, HAIL_DROP_MALFORMED);
        intake->refused = true;
        return;
    }
    if (ahead < 0 || (!ordered && is_taken(taken_of(shard, slot, part->channel), id))) {
        charge(intake, HAIL_USELESS_REPEATED);
        return;
    }
    bool at_once = frame->bytes.len == part->total && (!ordered || ahead == 0);
    if ((!at_once || receive->first != HAIL_SLAB_NONE) && !may_look(shard, slot, frame, intake)) {
        intake->refused = true;
        charge(intake, HAIL_USELESS_REPEATED);
        return;
    }
    uint32_t index = hail_reassembly_find(shard, slot, part->channel, id);
    if (!at_once || index != HAIL_SLAB_NONE || !reserve(shard, slot, &reserved, frame->bytes.len)) {
        if (shard->conns[slot].state == HAIL_CONN_OPEN)
            store(shard, slot, id, index, frame, packet, intake);
        return;
    }
    intake->brought = true;
    settle(shard, slot, part->channel, id);
    hand_over(shard, slot, part->channel, frame->bytes, packet->flags, packet->number, &reserved);
    if (ordered && receive->first != HAIL_SLAB_NONE)
        drain(shard, slot, part->channel);
}

void hail_receiver_part(struct hail_shard *shard, uint32_t slot,
                        const struct hail_native_frame *frame, const struct hail_opened *packet,
                        struct hail_intake *intake)
{
    bool is_reliable = guarantee_of(shard, frame->part.channel) < HAIL_GUARANTEE_SEQUENCED;

    // Longer than any form of the longest. One that is shorter is judged when it is whole.
    if (frame->part.total > shard->context->config.message_max + HAIL_FRAME_INNER_MAX) {
        hail_shard_drop(shard, slot, HAIL_DROP_TOO_LARGE);
        if (is_reliable)
            end_for(shard, slot, HAIL_DROP_TOO_LARGE);
        return;
    }
    if (is_reliable)
        take_reliable(shard, slot, frame, packet, intake);
    else
        take_unreliable(shard, slot, frame, packet, intake);
}

void hail_receiver_judge(struct hail_shard *shard, uint32_t slot, const struct hail_intake *intake)
{
    struct hail_native *native = &shard->native->conns[slot];

    if (intake->brought) {
        native->useless = native->useless < HAIL_USELESS_REDEEMED
                              ? 0
                              : (uint16_t)(native->useless - HAIL_USELESS_REDEEMED);
        return;
    }
    if (intake->cost == 0)
        return;
    hail_stat_add(&shard->stats, HAIL_STAT_PACKETS_USELESS, 1);
    native->useless = (uint16_t)(native->useless + intake->cost);
    if (native->useless > HAIL_USELESS_MAX)
        hail_conn_end(shard, slot, HAIL_CLOSED_PROTOCOL, false,
                      "too many packets came that brought nothing new");
}

// ---- What does not go on

// How long the message that a channel waits for has got nowhere, in ms; 0: none is waited for.
static uint32_t waited_ms(const struct hail_shard *shard, uint32_t slot, uint8_t channel)
{
    const struct hail_receive_channel *receive = hail_reassembly_channels(shard, slot) + channel;
    uint32_t index = receive->first;
    uint32_t longest = 0;

    if (index == HAIL_SLAB_NONE)
        return 0;
    if (guarantee_of(shard, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED) {
        uint32_t behind = now_ms(shard) - receive->waits_ms;
        index = hail_reassembly_find(shard, slot, channel, receive->next);
        if (index == HAIL_SLAB_NONE)
            return behind;
        uint32_t still = now_ms(shard) - hail_reassembly_at(shard, index)->progress_ms;
        if (hail_reassembly_is_whole(hail_reassembly_at(shard, index)))
            return 0;
        return still < behind ? still : behind;
    }
    do {
        const struct hail_reassembly *reassembly = hail_reassembly_at(shard, index);
        uint32_t still = now_ms(shard) - reassembly->progress_ms;
        if (!hail_reassembly_is_whole(reassembly) && still > longest)
            longest = still;
        index = reassembly->after;
    } while (index != receive->first);
    return longest;
}

uint64_t hail_receiver_next_ns(const struct hail_shard *shard, uint32_t slot)
{
    uint32_t stall_ms = shard->native->conns[slot].stall_ms;
    int32_t in_ms = (int32_t)(stall_ms - now_ms(shard));

    return stall_ms == 0
               ? UINT64_MAX
               : (shard->now_ns / HAIL_NS_PER_MS + (uint64_t)(int64_t)in_ms) * HAIL_NS_PER_MS;
}

bool hail_receiver_due(struct hail_shard *shard, uint32_t slot)
{
    uint32_t stall_ms = shard->context->config.stall_timeout_ms;
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_receive_channel *receive_channels = hail_reassembly_channels(shard, slot);
    uint32_t ours_ms = native->holds ? 0 : now_ms(shard) - native->held_ms;
    uint32_t longest = 0;
    bool waits = false;

    native->stall_ms = 0;
    if (shard->conns[slot].state != HAIL_CONN_OPEN)
        return true;
    for (size_t i = 0; i < channel_count(shard); i++) {
        uint32_t waited = waited_ms(shard, slot, (uint8_t)i);
        waited = waited < ours_ms ? waited : ours_ms;
        if (waited >= stall_ms) {
            if (guarantee_of(shard, (uint8_t)i) < HAIL_GUARANTEE_SEQUENCED)
                return false;
            tear(shard, receive_channels[i].first);
            receive_channels[i].next++;
            waited = 0;
        }
        waits |= receive_channels[i].first != HAIL_SLAB_NONE;
        longest = waited > longest ? waited : longest;
    }
    if (waits)
        look_again(shard, native, stall_ms - longest);
    return true;
}
