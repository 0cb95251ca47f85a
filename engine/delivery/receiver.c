// receiver.c: see receiver.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/receiver.h"

#include "crypto/time.h"
#include "engine/delivery/reassembly.h"

enum {
    WORD_BITS = 64,
    TAKEN_WORDS = HAIL_AHEAD_MAX / WORD_BITS // of an unordered channel: which ids have come
};

static size_t channel_count(const struct hail_delivery *delivery)
{
    return hail_policy_channel_count(delivery->policy);
}

static enum hail_guarantee guarantee_of(const struct hail_delivery *delivery, uint8_t channel)
{
    return hail_policy_channel_at(delivery->policy, channel)->guarantee;
}

// The numbers of the packets that brought the newest message of each sequenced channel.
static uint64_t *newest_of(const struct hail_delivery *delivery, uint32_t slot)
{
    return delivery->newest + (size_t)slot * channel_count(delivery);
}

static uint32_t now_ms(const struct hail_delivery *delivery)
{
    return (uint32_t)(*delivery->now_ns / HAIL_NS_PER_MS);
}

// ---- Memory

// Which ids of an unordered channel have come, of those from `next` on.
static uint64_t *taken_of(const struct hail_delivery *delivery, uint32_t slot, uint8_t channel)
{
    size_t place = hail_policy_unordered_before(delivery->policy, channel);

    return delivery->taken + ((size_t)slot * delivery->unordered_count + place) * TAKEN_WORDS;
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

void hail_receiver_begin(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];
    struct hail_receive_channel *receive_channels = hail_reassembly_channels(delivery, slot);

    HAIL_ASSERT(own->stored == 0);
    own->stall_ms = 0;
    own->held_ms = now_ms(delivery);
    own->useless = 0;
    own->holds = false;
    for (size_t i = 0; i < channel_count(delivery); i++)
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

void hail_receiver_clear(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_receive_channel *receive_channels = hail_reassembly_channels(delivery, slot);
    size_t unordered = delivery->unordered_count;

    for (size_t i = 0; i < channel_count(delivery); i++) {
        while (receive_channels[i].first != HAIL_SLAB_NONE)
            hail_reassembly_drop(delivery, receive_channels[i].first);
    }
    zero(newest_of(delivery, slot), channel_count(delivery));
    zero(delivery->taken + slot * unordered * TAKEN_WORDS, unordered * TAKEN_WORDS);
    hail_receiver_begin(delivery, slot);
}

// ---- What is taken out

// Whether a channel's guarantee lets a message through that came in this packet: the newest wins.
static bool is_newest(struct hail_delivery *delivery, uint32_t slot, uint8_t channel,
                      uint64_t number)
{
    uint64_t *newest = newest_of(delivery, slot) + channel;

    if (number < *newest)
        return false;
    *newest = number;
    return true;
}

enum hail_verdict hail_receiver_check(struct hail_delivery *delivery, uint32_t slot,
                                      const struct hail_message_view *message,
                                      const struct hail_policy_channel *rule, uint64_t number)
{
    enum hail_verdict verdict = hail_policy_check_channel(rule, message->flags);

    if (verdict != HAIL_ACCEPT || rule->guarantee != HAIL_GUARANTEE_SEQUENCED)
        return verdict;
    return is_newest(delivery, slot, message->channel, number) ? HAIL_ACCEPT : HAIL_DROP_OLD;
}

// Takes note that a reliable message is done with, before it is handed over.
static void settle(struct hail_delivery *delivery, uint32_t slot, uint8_t channel, uint32_t id)
{
    struct hail_receive_channel *receive = hail_reassembly_channels(delivery, slot) + channel;

    if (guarantee_of(delivery, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED) {
        receive->next = id + 1;
        receive->waits_ms = receive->first == HAIL_SLAB_NONE ? 0 : now_ms(delivery);
        return;
    }
    uint64_t *taken = taken_of(delivery, slot, channel);
    set_taken(taken, id, true);
    while (is_taken(taken, receive->next))
        set_taken(taken, receive->next++, false);
}

// The reassembly whose turn it is on a channel, if it is whole. Without an order that is each that
// is whole, and those are the first.
static uint32_t next_whole(const struct hail_delivery *delivery, uint32_t slot, uint8_t channel)
{
    const struct hail_receive_channel *receive = hail_reassembly_channels(delivery, slot) + channel;
    uint32_t index = receive->first;

    if (guarantee_of(delivery, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED)
        index = hail_reassembly_find(delivery, slot, channel, receive->next);
    return index != HAIL_SLAB_NONE && hail_reassembly_is_whole(hail_reassembly_at(delivery, index))
               ? index
               : HAIL_SLAB_NONE;
}

bool hail_receiver_next(const struct hail_delivery *delivery, uint32_t slot, uint8_t channel,
                        struct hail_whole *whole)
{
    uint32_t index = next_whole(delivery, slot, channel);

    if (index == HAIL_SLAB_NONE)
        return false;
    const struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);
    *whole = (struct hail_whole){
        .number = reassembly->number,
        .index = index,
        .len = reassembly->message.total,
        .id = reassembly->id,
        .channel = channel,
        .flags = reassembly->flags,
    };
    return true;
}

void hail_receiver_hold(struct hail_delivery *delivery, uint32_t slot)
{
    delivery->conns[slot].holds = true;
}

void hail_receiver_deliver(struct hail_delivery *delivery, uint32_t slot,
                           const struct hail_whole *whole, uint8_t *out)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];

    if (own->holds)
        own->held_ms = now_ms(delivery);
    own->holds = false;
    hail_reassembly_take(delivery, whole->index, out);
    if (hail_policy_is_reliable(delivery->policy, whole->channel))
        settle(delivery, slot, whole->channel, whole->id);
    else
        hail_reassembly_channels(delivery, slot)[whole->channel].next = whole->id + 1;
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
static uint64_t occupied_max(const struct hail_delivery *delivery)
{
    uint64_t longest = delivery->limits.message_max;
    uint64_t bytes = longest + (longest > HAIL_STORE_LEAST ? longest : HAIL_STORE_LEAST);

    return hail_reassembly_charge(hail_segments_blocks_max(bytes) + 2 * HAIL_AHEAD_MAX,
                                  HAIL_AHEAD_MAX);
}

// Whether a connection may occupy so much more. What is asked for in its turn may pass the limit,
// or nothing would ever get better.
static enum room room_for(struct hail_delivery *delivery, uint32_t slot, bool in_turn,
                          uint32_t blocks, uint32_t records)
{
    uint64_t more = hail_reassembly_charge(blocks, records);

    if (!in_turn && delivery->conns[slot].stored + more > occupied_max(delivery))
        return ROOM_LIMIT;
    if (more == 0 || (blocks <= hail_pool_left(delivery->pool) &&
                      records <= hail_slab_left(&delivery->reassemblies.records) &&
                      hail_quota_allows(delivery->quota, slot, more)))
        return ROOM_ENOUGH;
    return delivery->quota->holders[slot].held > HAIL_QUOTA_LEAST ? ROOM_SHARE : ROOM_NONE;
}

// Whether there is room for a part of a reassembly, or, HAIL_SLAB_NONE, of a new one. If not, the
// part is refused, and whose fault that is gets noted.
static bool has_room(struct hail_delivery *delivery, uint32_t slot, bool in_turn, uint32_t index,
                     const struct hail_native_frame *frame, struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    uint32_t len = (uint32_t)frame->bytes.len;
    uint32_t blocks = hail_segments_most(part->total, part->offset, len);
    enum room room = room_for(delivery, slot, in_turn, blocks, index == HAIL_SLAB_NONE);

    if (room != ROOM_ENOUGH && index != HAIL_SLAB_NONE) { // unless most of it is there
        blocks = hail_segments_needs(&hail_reassembly_at(delivery, index)->message, delivery->pool,
                                     part->offset, len);
        room = room_for(delivery, slot, in_turn, blocks, 0);
    }
    switch (room) {
    case ROOM_ENOUGH:
        return true;
    case ROOM_LIMIT:
        charge(intake, HAIL_USELESS_BEYOND);
        break;
    case ROOM_SHARE:
    case ROOM_NONE:
        hail_stat_add(delivery->stats, HAIL_STAT_BUFFERS_FULL, 1);
        if (room == ROOM_NONE)
            delivery->conns[slot].held_ms = now_ms(delivery);
        break;
    }
    intake->refused = true;
    return false;
}

// Sets when to look at what waits.
static void look_again(const struct hail_delivery *delivery, struct hail_delivery_conn *own,
                       uint32_t in_ms)
{
    own->stall_ms = now_ms(delivery) + in_ms;
    own->stall_ms += own->stall_ms == 0; // which would mean never
}

// Something has begun to wait: from now on it is looked after.
static void begin_waiting(struct hail_delivery *delivery, uint32_t slot, struct hail_intake *intake)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];

    if (own->stall_ms != 0)
        return;
    look_again(delivery, own, delivery->limits.stall_timeout_ms);
    intake->waits = true;
}

// Adds a part to its reassembly, or, HAIL_SLAB_NONE, to a new one.
static enum hail_receipt store(struct hail_delivery *delivery, uint32_t slot, uint32_t id,
                               uint32_t index, const struct hail_native_frame *frame,
                               const struct hail_opened *packet, struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    const struct hail_receive_channel *receive =
        hail_reassembly_channels(delivery, slot) + part->channel;

    if (index != HAIL_SLAB_NONE &&
        hail_reassembly_at(delivery, index)->message.total != part->total) {
        hail_delivery_drop(delivery, slot, HAIL_DROP_MALFORMED);
        intake->refused = true;
        return HAIL_RECEIPT_NOTHING;
    }
    if (!has_room(delivery, slot, id == receive->next, index, frame, intake))
        return HAIL_RECEIPT_NOTHING;
    if (index == HAIL_SLAB_NONE) {
        index = hail_reassembly_add(delivery, slot, part->channel, id, part->total);
        begin_waiting(delivery, slot, intake);
    }
    struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);
    reassembly->flags &= (uint8_t)packet->flags;
    reassembly->number = packet->number;
    if (hail_reassembly_fill(delivery, index, part->offset, frame->bytes) == 0) {
        charge(intake, HAIL_USELESS_REPEATED);
        return HAIL_RECEIPT_NOTHING;
    }
    intake->brought = true;
    if (!hail_reassembly_is_whole(reassembly))
        return HAIL_RECEIPT_NOTHING;
    if (guarantee_of(delivery, part->channel) != HAIL_GUARANTEE_RELIABLE_ORDERED)
        hail_reassembly_first(delivery, index);
    return HAIL_RECEIPT_MORE;
}

// How far the message with this low part of its id lies before or behind the next one.
static int32_t ahead_of(const struct hail_receive_channel *receive, uint16_t id)
{
    uint16_t ahead = (uint16_t)(id - receive->next);

    return ahead <= INT16_MAX ? ahead : (int32_t)ahead - (UINT16_MAX + 1);
}

// Gives up an unreliable message that has parts missing.
static void tear(struct hail_delivery *delivery, uint32_t index)
{
    hail_stat_add(delivery->stats, HAIL_STAT_MESSAGES_TORN, 1);
    hail_reassembly_drop(delivery, index);
}

// Counts a part that has to be looked for. False: its packet has too many, whose bytes lie all over
// the memory; it is dropped.
static bool may_look(struct hail_delivery *delivery, uint32_t slot,
                     const struct hail_native_frame *frame, struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    bool goes_on = intake->parts > 0 && part->channel == intake->last.channel &&
                   part->id == intake->last.id && part->offset == intake->last_end;

    intake->parts += goes_on || frame->bytes.len == part->total ? 1 : HAIL_PART_APART;
    intake->last = *part;
    intake->last_end = part->offset + (uint32_t)frame->bytes.len;
    if (intake->parts <= HAIL_PARTS_MAX)
        return true;
    hail_delivery_drop(delivery, slot, HAIL_DROP_CROWDED);
    return false;
}

// A part on an unreliable channel: one message at a time is put together, and a newer one takes its
// place.
static enum hail_receipt take_unreliable(struct hail_delivery *delivery, uint32_t slot,
                                         const struct hail_native_frame *frame,
                                         const struct hail_opened *packet,
                                         struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    struct hail_receive_channel *receive = hail_reassembly_channels(delivery, slot) + part->channel;
    struct hail_intake lost = {0}; // nobody sends it again

    if (frame->bytes.len == part->total)
        return HAIL_RECEIPT_WHOLE;
    int32_t ahead = ahead_of(receive, part->id);
    if (ahead < 0) {
        hail_delivery_drop(delivery, slot, HAIL_DROP_OLD);
        return HAIL_RECEIPT_NOTHING;
    }
    if (!may_look(delivery, slot, frame, intake))
        return HAIL_RECEIPT_NOTHING;
    if (ahead > 0 && receive->first != HAIL_SLAB_NONE)
        tear(delivery, receive->first);
    receive->next += (uint32_t)ahead;
    enum hail_receipt receipt =
        store(delivery, slot, receive->next, receive->first, frame, packet, &lost);
    intake->brought |= lost.brought;
    intake->waits |= lost.waits;
    if (receive->first == HAIL_SLAB_NONE)
        receive->next++; // there was no room for it
    return receipt;
}

static enum hail_receipt take_reliable(struct hail_delivery *delivery, uint32_t slot,
                                       const struct hail_native_frame *frame,
                                       const struct hail_opened *packet, struct hail_intake *intake)
{
    const struct hail_part *part = &frame->part;
    bool ordered = guarantee_of(delivery, part->channel) == HAIL_GUARANTEE_RELIABLE_ORDERED;
    const struct hail_receive_channel *receive =
        hail_reassembly_channels(delivery, slot) + part->channel;
    int32_t ahead = ahead_of(receive, part->id);
    uint32_t id = receive->next + (uint32_t)ahead;

    if (ahead >= (int32_t)HAIL_AHEAD_MAX) {
        hail_delivery_drop(delivery, slot, HAIL_DROP_MALFORMED);
        intake->refused = true;
        return HAIL_RECEIPT_NOTHING;
    }
    if (ahead < 0 || (!ordered && is_taken(taken_of(delivery, slot, part->channel), id))) {
        charge(intake, HAIL_USELESS_REPEATED);
        return HAIL_RECEIPT_NOTHING;
    }
    bool at_once = frame->bytes.len == part->total && (!ordered || ahead == 0);
    if ((!at_once || receive->first != HAIL_SLAB_NONE) &&
        !may_look(delivery, slot, frame, intake)) {
        intake->refused = true;
        charge(intake, HAIL_USELESS_REPEATED);
        return HAIL_RECEIPT_NOTHING;
    }
    uint32_t index = hail_reassembly_find(delivery, slot, part->channel, id);
    if (at_once && index == HAIL_SLAB_NONE)
        return HAIL_RECEIPT_WHOLE;
    return store(delivery, slot, id, index, frame, packet, intake);
}

enum hail_receipt hail_receiver_part(struct hail_delivery *delivery, uint32_t slot,
                                     const struct hail_native_frame *frame,
                                     const struct hail_opened *packet, struct hail_intake *intake)
{
    bool is_reliable = hail_policy_is_reliable(delivery->policy, frame->part.channel);

    // Longer than any form of the longest. One that is shorter is judged when it is whole.
    if (frame->part.total > delivery->limits.message_max + HAIL_FRAME_INNER_MAX) {
        hail_delivery_drop(delivery, slot, HAIL_DROP_TOO_LARGE);
        return is_reliable ? HAIL_RECEIPT_TOO_LONG : HAIL_RECEIPT_NOTHING;
    }
    return is_reliable ? take_reliable(delivery, slot, frame, packet, intake)
                       : take_unreliable(delivery, slot, frame, packet, intake);
}

bool hail_receiver_take(struct hail_delivery *delivery, uint32_t slot,
                        const struct hail_native_frame *frame, struct hail_intake *intake)
{
    uint8_t channel = frame->part.channel;
    const struct hail_receive_channel *receive = hail_reassembly_channels(delivery, slot) + channel;

    if (!hail_policy_is_reliable(delivery->policy, channel))
        return false;
    intake->brought = true;
    settle(delivery, slot, channel, receive->next + (uint32_t)ahead_of(receive, frame->part.id));
    return guarantee_of(delivery, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED &&
           receive->first != HAIL_SLAB_NONE;
}

bool hail_receiver_keep(struct hail_delivery *delivery, uint32_t slot,
                        const struct hail_native_frame *frame, const struct hail_opened *packet,
                        struct hail_intake *intake)
{
    uint8_t channel = frame->part.channel;
    const struct hail_receive_channel *receive = hail_reassembly_channels(delivery, slot) + channel;

    if (!hail_policy_is_reliable(delivery->policy, channel))
        return false; // lost, as a datagram may be
    uint32_t id = receive->next + (uint32_t)ahead_of(receive, frame->part.id);
    return store(delivery, slot, id, HAIL_SLAB_NONE, frame, packet, intake) == HAIL_RECEIPT_MORE;
}

bool hail_receiver_judge(struct hail_delivery *delivery, uint32_t slot,
                         const struct hail_intake *intake)
{
    struct hail_delivery_conn *own = &delivery->conns[slot];

    if (intake->brought) {
        own->useless = own->useless < HAIL_USELESS_REDEEMED
                           ? 0
                           : (uint16_t)(own->useless - HAIL_USELESS_REDEEMED);
        return true;
    }
    if (intake->cost == 0)
        return true;
    hail_stat_add(delivery->stats, HAIL_STAT_PACKETS_USELESS, 1);
    own->useless = (uint16_t)(own->useless + intake->cost);
    return own->useless <= HAIL_USELESS_MAX;
}

// ---- What does not go on

// How long the message that a channel waits for has got nowhere, in ms; 0: none is waited for.
static uint32_t waited_ms(const struct hail_delivery *delivery, uint32_t slot, uint8_t channel)
{
    const struct hail_receive_channel *receive = hail_reassembly_channels(delivery, slot) + channel;
    uint32_t index = receive->first;
    uint32_t longest = 0;

    if (index == HAIL_SLAB_NONE)
        return 0;
    if (guarantee_of(delivery, channel) == HAIL_GUARANTEE_RELIABLE_ORDERED) {
        uint32_t behind = now_ms(delivery) - receive->waits_ms;
        index = hail_reassembly_find(delivery, slot, channel, receive->next);
        if (index == HAIL_SLAB_NONE)
            return behind;
        uint32_t still = now_ms(delivery) - hail_reassembly_at(delivery, index)->progress_ms;
        if (hail_reassembly_is_whole(hail_reassembly_at(delivery, index)))
            return 0;
        return still < behind ? still : behind;
    }
    do {
        const struct hail_reassembly *reassembly = hail_reassembly_at(delivery, index);
        uint32_t still = now_ms(delivery) - reassembly->progress_ms;
        if (!hail_reassembly_is_whole(reassembly) && still > longest)
            longest = still;
        index = reassembly->after;
    } while (index != receive->first);
    return longest;
}

uint64_t hail_receiver_next_ns(const struct hail_delivery *delivery, uint32_t slot)
{
    uint32_t stall_ms = delivery->conns[slot].stall_ms;
    int32_t in_ms = (int32_t)(stall_ms - now_ms(delivery));

    return stall_ms == 0
               ? UINT64_MAX
               : (*delivery->now_ns / HAIL_NS_PER_MS + (uint64_t)(int64_t)in_ms) * HAIL_NS_PER_MS;
}

void hail_receiver_excuse(struct hail_delivery *delivery, uint32_t slot)
{
    delivery->conns[slot].held_ms = now_ms(delivery);
}

bool hail_receiver_due(struct hail_delivery *delivery, uint32_t slot, bool is_open)
{
    uint32_t stall_ms = delivery->limits.stall_timeout_ms;
    struct hail_delivery_conn *own = &delivery->conns[slot];
    struct hail_receive_channel *receive_channels = hail_reassembly_channels(delivery, slot);
    uint32_t ours_ms = own->holds ? 0 : now_ms(delivery) - own->held_ms;
    uint32_t longest = 0;
    bool waits = false;

    own->stall_ms = 0;
    if (!is_open)
        return true;
    for (size_t i = 0; i < channel_count(delivery); i++) {
        uint32_t waited = waited_ms(delivery, slot, (uint8_t)i);
        waited = waited < ours_ms ? waited : ours_ms;
        if (waited >= stall_ms) {
            if (hail_policy_is_reliable(delivery->policy, (uint8_t)i))
                return false;
            tear(delivery, receive_channels[i].first);
            receive_channels[i].next++;
            waited = 0;
        }
        waits |= receive_channels[i].first != HAIL_SLAB_NONE;
        longest = waited > longest ? waited : longest;
    }
    if (waits)
        look_again(delivery, own, stall_ms - longest);
    return true;
}
