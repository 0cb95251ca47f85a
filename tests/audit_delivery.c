// audit_delivery.c: what one connection sends and receives: see audit.h.
// SPDX-License-Identifier: MIT
#include "tests/audit.h"

#include "engine/delivery/reassembly.h"
#include "engine/delivery/send_messages.h"
#include "engine/delivery/sent_packets.h"
#include "engine/native/state.h"

// ---- Sending

// What the send messages of a connection add up to.
struct sending {
    uint64_t bytes;
    uint64_t held;
    uint64_t open; // bytes that were sent, of reliable messages, and have not arrived
};

// One send message of a channel.
static void check_message(struct audit *audit, const struct hail_send_message *message,
                          struct sending *sums)
{
    uint32_t blocks = audit_chain(audit, AUDIT_BLOCKS, &message->content);
    bool reliable = hail_policy_is_reliable(&audit->shard->context->policy, message->channel);

    sums->bytes += message->content.len;
    sums->held += blocks * (HAIL_BLOCK_MESSAGE + sizeof(struct hail_send_range)) + sizeof *message;
    sums->open += reliable ? message->sent - message->acked : 0;
    if (message->sent > message->content.len || message->acked > message->sent)
        audit_fail(audit, "a send message of %u bytes has %u sent and %u acknowledged",
                   message->content.len, message->sent, message->acked);
    if (message->content.len == message->acked)
        audit_fail(audit, "a send message has arrived and is kept");
    if (!reliable && message->sent == message->content.len)
        audit_fail(audit, "an unreliable message is sent and kept");
}

// The send messages of one channel: linked both ways, in the order of their ids, sent up to
// `unsent`.
static void check_channel(struct audit *audit, uint32_t slot, uint8_t channel, struct sending *sums)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_send_channel *send = hail_send_channels(&shard->delivery, slot) + channel;
    const struct hail_send_message *before = NULL;
    uint32_t last = HAIL_SLAB_NONE;
    uint32_t unsent = HAIL_SLAB_NONE;

    for (uint32_t index = send->first; index != HAIL_SLAB_NONE;) {
        if (!audit_take(audit, AUDIT_MESSAGES, index))
            return;
        const struct hail_send_message *message = hail_send_message_at(&shard->delivery, index);
        if (message->before != last || message->channel != channel)
            audit_fail(audit, "slot %u channel %u: a list of send messages is torn", slot, channel);
        if (before && ((int32_t)(message->id - before->id) <= 0 || message->place <= before->place))
            audit_fail(audit, "slot %u channel %u: send messages are out of order", slot, channel);
        if (unsent == HAIL_SLAB_NONE && message->sent < message->content.len)
            unsent = index;
        else if (unsent != HAIL_SLAB_NONE && message->sent > 0)
            audit_fail(audit, "slot %u channel %u: a message was sent before its turn", slot,
                       channel);
        check_message(audit, message, sums);
        before = message;
        last = index;
        index = message->after;
    }
    if (send->last != last || send->unsent != unsent)
        audit_fail(audit, "slot %u channel %u: the last or the next send message is another", slot,
                   channel);
}

// Ranges on their way or lost. Returns their bytes.
static uint64_t check_ranges(struct audit *audit, uint32_t slot, uint32_t first)
{
    const struct hail_shard *shard = audit->shard;
    uint64_t bytes = 0;

    for (uint32_t index = first; index != HAIL_SLAB_NONE;) {
        if (!audit_take(audit, AUDIT_RANGES, index))
            return bytes;
        const struct hail_send_range *range = hail_send_range_at(&shard->delivery, index);
        if (range->message >= shard->delivery.messages.fresh) {
            audit_fail(audit, "slot %u: a range is of no message", slot);
            return bytes;
        }
        const struct hail_send_message *message =
            hail_send_message_at(&shard->delivery, range->message);
        if (range->len == 0 || (uint64_t)range->offset + range->len > message->sent)
            audit_fail(audit, "slot %u: a range has bytes that were not sent", slot);
        bytes += range->len;
        index = range->next;
    }
    return bytes;
}

// Packets that have left and are neither acknowledged nor lost. Returns the bytes of their ranges.
static uint64_t check_sent_packets(struct audit *audit, uint32_t slot)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_sender *sender = hail_sender_of(&shard->delivery, slot);
    const struct hail_sent_packet *before = NULL;
    uint32_t last = HAIL_SLAB_NONE;
    uint64_t in_flight = 0;
    uint64_t ranges = 0;
    uint32_t count = 0;

    for (uint32_t index = sender->sent_first; index != HAIL_SLAB_NONE; count++) {
        if (!audit_take(audit, AUDIT_SENT_PACKETS, index))
            return ranges;
        const struct hail_sent_packet *sent = hail_sent_packet_at(&shard->delivery, index);
        if ((before && sent->number <= before->number) ||
            sent->number >= shard->native->conns[slot].peer.next_number)
            audit_fail(audit, "slot %u: sent packets are out of order", slot);
        in_flight += sent->bytes;
        ranges += check_ranges(audit, slot, sent->range_first);
        before = sent;
        last = index;
        index = sent->next;
    }
    if (sender->sent_last != last || sender->sent_packets != count)
        audit_fail(audit, "slot %u: %u sent packets are listed, and %u counted", slot, count,
                   sender->sent_packets);
    if (sender->congestion.in_flight != in_flight)
        audit_fail(audit, "slot %u: %llu bytes are in flight, and %u counted", slot,
                   (unsigned long long)in_flight, sender->congestion.in_flight);
    return ranges;
}

// Returns the bytes that its send messages are to be charged with.
static uint64_t check_sending(struct audit *audit, uint32_t slot)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_sender *sender = hail_sender_of(&shard->delivery, slot);
    uint32_t claimed = atomic_load(&shard->delivery.claimed[slot]) & INT32_MAX; // without the mark
    struct sending sums = {0};

    for (size_t i = 0; i < hail_policy_channel_count(&shard->context->policy); i++)
        check_channel(audit, slot, (uint8_t)i, &sums);
    uint64_t ranges = check_sent_packets(audit, slot);
    ranges += check_ranges(audit, slot, sender->lost_first);
    if ((sender->lost_first == HAIL_SLAB_NONE) != (sender->lost_last == HAIL_SLAB_NONE))
        audit_fail(audit, "slot %u: the list of lost ranges has one end", slot);
    if (ranges != sums.open)
        audit_fail(audit, "slot %u: %llu reliable bytes have not arrived, and ranges have %llu",
                   slot, (unsigned long long)sums.open, (unsigned long long)ranges);
    if (sender->bytes != sums.bytes)
        audit_fail(audit, "slot %u: send messages have %llu bytes, and %u are counted", slot,
                   (unsigned long long)sums.bytes, sender->bytes);
    if (claimed != sums.bytes) // nobody else claims anything in a test of one thread
        audit_fail(audit, "slot %u: send messages have %llu bytes, and %u are claimed", slot,
                   (unsigned long long)sums.bytes, claimed);
    return sums.held;
}

// ---- Receiving

// The blocks of a reassembly that one leads to, itself among them.
static uint32_t count_blocks(struct audit *audit, uint32_t block, unsigned levels)
{
    uint32_t count = 1;

    if (!audit_take(audit, AUDIT_BLOCKS, block) || levels == 0)
        return count;
    const uint32_t *index = hail_pool_at(&audit->shard->pool, block);
    for (size_t i = 0; i < HAIL_SEGMENTS_FAN; i++) {
        if (index[i] != HAIL_BLOCK_NONE)
            count += count_blocks(audit, index[i], levels - 1);
    }
    return count;
}

static void check_reassembly(struct audit *audit, const struct hail_reassembly *one)
{
    const struct hail_segments *message = &one->message;
    unsigned levels = 0;
    uint32_t blocks = 0;

    for (uint64_t reach = HAIL_SEGMENTS_BYTES; reach < message->total; reach *= HAIL_SEGMENTS_FAN)
        levels++;
    if (message->root != HAIL_BLOCK_NONE)
        blocks = count_blocks(audit, message->root, levels);
    if (blocks != message->blocks)
        audit_fail(audit, "a reassembly has %u blocks, and %u are counted", blocks,
                   message->blocks);
    if (message->got > message->total || message->got > blocks * HAIL_SEGMENTS_BYTES)
        audit_fail(audit, "a reassembly of %u bytes in %u blocks has got %u", message->total,
                   blocks, message->got);
}

// Whether a reassembly that is whole has its turn: then it waits for room among the events.
static bool has_turn(const struct hail_shard *shard, const struct hail_receive_channel *receive,
                     const struct hail_reassembly *one)
{
    enum hail_guarantee guarantee =
        hail_policy_channel_at(&shard->context->policy, one->channel)->guarantee;

    return hail_reassembly_is_whole(one) &&
           (guarantee != HAIL_GUARANTEE_RELIABLE_ORDERED || one->id == receive->next);
}

// The reassemblies of one channel: a ring, each found by its name. Returns what they count as.
static uint64_t check_ring(struct audit *audit, uint32_t slot, uint8_t channel, bool *is_held)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_receive_channel *receive =
        hail_reassembly_channels(&shard->delivery, slot) + channel;
    uint64_t charge = 0;
    uint32_t index = receive->first;

    while (index != HAIL_SLAB_NONE) {
        if (!audit_take(audit, AUDIT_REASSEMBLIES, index))
            return charge;
        const struct hail_reassembly *one = hail_reassembly_at(&shard->delivery, index);
        if (one->slot != slot || one->channel != channel ||
            hail_reassembly_at(&shard->delivery, one->after)->before != index)
            audit_fail(audit, "slot %u channel %u: a ring of reassemblies is torn", slot, channel);
        if (hail_reassembly_find(&shard->delivery, slot, channel, one->id) != index)
            audit_fail(audit, "slot %u channel %u: reassembly %u is not found by its name", slot,
                       channel, one->id);
        if (hail_policy_is_reliable(&shard->context->policy, channel) &&
            (uint32_t)(one->id - receive->next) >= HAIL_AHEAD_MAX)
            audit_fail(audit, "slot %u channel %u: reassembly %u is behind or far ahead of %u",
                       slot, channel, one->id, receive->next);
        check_reassembly(audit, one);
        *is_held |= has_turn(shard, receive, one);
        charge += hail_reassembly_charge(one->message.blocks, 1);
        index = one->after == receive->first ? HAIL_SLAB_NONE : one->after;
    }
    return charge;
}

static uint64_t check_receiving(struct audit *audit, uint32_t slot)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_delivery_conn *own = &shard->delivery.conns[slot];
    uint64_t charge = 0;
    bool is_held = false;

    for (size_t i = 0; i < hail_policy_channel_count(&shard->context->policy); i++)
        charge += check_ring(audit, slot, (uint8_t)i, &is_held);
    if (own->stored != charge)
        audit_fail(audit, "slot %u: reassemblies count as %llu, and %u are stored", slot,
                   (unsigned long long)charge, own->stored);
    if (charge > 0 && own->stall_ms == 0)
        audit_fail(audit, "slot %u: a reassembly has begun and nobody looks after it", slot);
    if (shard->conns[slot].state == HAIL_CONN_OPEN && is_held && !shard->held.waiting[slot])
        audit_fail(audit, "slot %u: a message is whole and is not delivered", slot);
    return charge;
}

uint64_t audit_delivery(struct audit *audit, uint32_t slot)
{
    return check_sending(audit, slot) + check_receiving(audit, slot);
}
