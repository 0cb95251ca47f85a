// incoming.c: see incoming.h.
// SPDX-License-Identifier: MIT
#include "engine/native/incoming.h"

#include <stdio.h>

#include "engine/shard/conn.h"
#include "engine/shard/inbound.h"

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

// Whether channel and floor let a message through.
static enum hail_verdict check(struct hail_shard *shard, uint32_t slot,
                               const struct hail_message_view *message,
                               const struct hail_policy_channel *rule, uint64_t number)
{
    enum hail_verdict verdict = hail_receiver_check(&shard->delivery, slot, message, rule, number);

    if (verdict == HAIL_DROP_FLOOR)
        hail_inbound_below_channel(shard, slot, message);
    return verdict;
}

// Whether messages are the application's.
static bool takes_messages(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native->conns[slot].state == HAIL_NATIVE_CONNECTED &&
           shard->conns[slot].state == HAIL_CONN_OPEN;
}

enum hail_verdict hail_incoming_message(struct hail_shard *shard, uint32_t slot,
                                        struct hail_native_frame *frame,
                                        const struct hail_opened *packet)
{
    struct hail_message_view *message = &frame->message;
    struct hail_event event;
    struct hail_event_room reserved;

    if (!takes_messages(shard, slot))
        return HAIL_DROP_UNEXPECTED;
    message->flags = packet->flags;
    enum hail_verdict verdict = check(shard, slot, message, frame->rule, packet->number);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!reserve(shard, slot, &reserved, message->body_len))
        return HAIL_ACCEPT; // lost, as a datagram may be
    if (hail_inbound_message(shard, slot, message, &event))
        hail_event_commit(shard, &reserved, &event);
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
    const struct hail_policy_channel *rule =
        hail_policy_channel_at(&shard->context->policy, channel);
    struct hail_message_view message;
    struct hail_event event;
    enum hail_verdict verdict =
        hail_frames_inner(&message, channel, &shard->context->policy, inner);

    if (verdict == HAIL_ACCEPT && message.body_len > shard->context->config.message_max)
        verdict = HAIL_DROP_TOO_LARGE;
    bool is_bad = verdict == HAIL_DROP_MALFORMED || verdict == HAIL_DROP_TOO_LARGE;
    if (verdict == HAIL_ACCEPT) {
        message.flags = flags;
        verdict = check(shard, slot, &message, rule, number);
    }
    if (verdict != HAIL_ACCEPT)
        hail_shard_drop(shard, slot, verdict);
    else if (hail_inbound_message(shard, slot, &message, &event))
        hail_event_commit(shard, reserved, &event);
    hail_event_abandon(reserved);
    if (is_bad && hail_guarantee_is_reliable(rule->guarantee))
        end_for(shard, slot, verdict);
}

// Hands over what is whole, and whose turn it is, of one channel.
static void drain(struct hail_shard *shard, uint32_t slot, uint8_t channel)
{
    struct hail_delivery *delivery = &shard->delivery;
    struct hail_event_room reserved;
    struct hail_whole whole;

    while (shard->conns[slot].state == HAIL_CONN_OPEN &&
           hail_receiver_next(delivery, slot, channel, &whole)) {
        if (!reserve(shard, slot, &reserved, whole.len)) {
            if (shard->conns[slot].state != HAIL_CONN_OPEN)
                return;
            hail_receiver_hold(delivery, slot);
            hail_queue_push(&shard->held, slot);
            return;
        }
        hail_receiver_deliver(delivery, slot, &whole, shard->native->assembled);
        hand_over(shard, slot, channel, (struct hail_bytes){shard->native->assembled, whole.len},
                  whole.flags, whole.number, &reserved);
    }
}

// Hands over what a part leads to. Where there is no room for it, its packet is not acknowledged,
// and it comes again.
static void take_part(struct hail_shard *shard, uint32_t slot,
                      const struct hail_native_frame *frame, const struct hail_opened *packet,
                      struct hail_intake *intake)
{
    struct hail_delivery *delivery = &shard->delivery;
    uint8_t channel = frame->part.channel;
    struct hail_event_room reserved;
    bool more = true;

    switch (hail_receiver_part(delivery, slot, frame, packet, intake)) {
    case HAIL_RECEIPT_NOTHING:
        return;
    case HAIL_RECEIPT_TOO_LONG:
        end_for(shard, slot, HAIL_DROP_TOO_LARGE);
        return;
    case HAIL_RECEIPT_WHOLE:
        if (!reserve(shard, slot, &reserved, frame->bytes.len)) {
            if (shard->conns[slot].state != HAIL_CONN_OPEN)
                return;
            more = hail_receiver_keep(delivery, slot, frame, packet, intake);
            break;
        }
        more = hail_receiver_take(delivery, slot, frame, intake);
        hand_over(shard, slot, channel, frame->bytes, packet->flags, packet->number, &reserved);
        break;
    case HAIL_RECEIPT_MORE:
        break;
    }
    if (more)
        drain(shard, slot, channel);
}

enum hail_verdict hail_incoming_part(struct hail_shard *shard, uint32_t slot,
                                     const struct hail_native_frame *frame,
                                     const struct hail_opened *packet, struct hail_intake *intake)
{
    if (packet->flags == 0)
        return HAIL_DROP_UNPROTECTED;
    if (!takes_messages(shard, slot)) {
        intake->refused = true; // perhaps it has overtaken what lets us in
        return HAIL_DROP_UNEXPECTED;
    }
    take_part(shard, slot, frame, packet, intake);
    return HAIL_ACCEPT;
}

void hail_incoming_retry(struct hail_shard *shard, uint32_t slot)
{
    shard->unknown_calls = 0;
    for (size_t i = 0; i < hail_policy_channel_count(&shard->context->policy); i++) {
        if (shard->conns[slot].state == HAIL_CONN_OPEN)
            drain(shard, slot, (uint8_t)i);
    }
}
