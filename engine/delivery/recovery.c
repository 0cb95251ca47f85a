// recovery.c: see recovery.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/recovery.h"

#include "crypto/time.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/send_messages.h"
#include "engine/delivery/sender.h"
#include "engine/delivery/sent_packets.h"
#include "proto/peer.h"

enum {
    PACKET_THRESHOLD = 3,  // RFC 9002, section 6.1.1
    PERSISTENT_PROBES = 3, // probe times without an acknowledgement: section 7.6
    PROBE_MAX_MS = 1000,   // between probes
    FALL_PROBES = 3,       // in a row after which long packets are not trusted to pass
    PROBE_DOUBLINGS = 8    // after which they come no rarer
};

// Bytes have arrived.
static void settle_ranges(struct hail_delivery *delivery, uint32_t slot, uint32_t first)
{
    while (first != HAIL_SLAB_NONE) {
        const struct hail_send_range range = *hail_send_range_at(delivery, first);
        struct hail_send_message *message = hail_send_message_at(delivery, range.message);

        hail_slab_free(&delivery->ranges, first);
        message->acked += range.len;
        if (message->acked == message->content.len)
            hail_send_messages_drop(delivery, slot, range.message);
        hail_sender_of(delivery, slot)->progress_ns = *delivery->now_ns;
        first = range.next;
    }
}

// Takes what has arrived off the list of sent packets. Returns when the largest of the acknowledged
// was sent; 0: it was known already.
static uint64_t take_arrived(struct hail_delivery *delivery, uint32_t slot,
                             const struct hail_ack *ack, bool *any)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    uint32_t before = HAIL_SLAB_NONE;
    uint32_t index = sender->sent_first;
    size_t at = ack->count - 1; // the lowest range that is not behind us
    uint64_t largest_sent_ns = 0;

    *any = false;
    while (index != HAIL_SLAB_NONE &&
           hail_sent_packet_at(delivery, index)->number <= ack->ranges[0].last) {
        const struct hail_sent_packet sent = *hail_sent_packet_at(delivery, index);
        while (sent.number > ack->ranges[at].last)
            at--;
        if (sent.number < ack->ranges[at].first) {
            before = index;
            index = sent.next;
            continue;
        }
        if (before == HAIL_SLAB_NONE)
            sender->sent_first = sent.next;
        else
            hail_sent_packet_at(delivery, before)->next = sent.next;
        if (sent.next == HAIL_SLAB_NONE)
            sender->sent_last = before;
        hail_sent_packets_free(delivery, slot, index);
        hail_congestion_acked(&sender->congestion, sent.bytes, sent.sent_ns, *delivery->now_ns,
                              sender->limited);
        hail_pmtu_arrived(&sender->pmtu,
                          &(struct hail_pmtu_packet){sent.len, sent.is_probe, sent.sent_ns},
                          *delivery->now_ns);
        settle_ranges(delivery, slot, sent.range_first);
        if (sent.number == ack->ranges[0].last)
            largest_sent_ns = sent.sent_ns;
        *any = true;
        index = sent.next;
    }
    return largest_sent_ns;
}

// What a sent packet that is lost means to path and window.
static void lose(struct hail_delivery *delivery, uint32_t slot, struct hail_sent_packet *sent)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);

    const struct hail_pmtu_packet packet = {sent->len, sent->is_probe, sent->sent_ns};

    if (hail_pmtu_lost(&sender->pmtu, &packet, *delivery->now_ns))
        hail_stat_add(delivery->stats, HAIL_STAT_PATH_FALLS, 1);
    if (sent->is_probe)
        return;
    hail_stat_add(delivery->stats, HAIL_STAT_PACKETS_LOST, 1);
    hail_figure_count(&delivery->published[slot], HAIL_CONN_FIGURE_PACKETS_LOST, 1);
    hail_congestion_lost(&sender->congestion, sent->bytes, sent->sent_ns, *delivery->now_ns);
    hail_sent_packets_lose(delivery, sender, sent);
}

// Whether a packet is so far behind the largest that is acknowledged that it is lost. A number that
// was left out in between has overtaken nothing.
static bool is_far_behind(const struct hail_sender *sender, uint64_t number)
{
    bool has_gap = number < sender->skipped && sender->skipped < sender->largest;

    return number + PACKET_THRESHOLD + has_gap < sender->largest;
}

// Takes packets for lost that others have overtaken by far or long ago (RFC 9002, section 6.1).
static void find_lost(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    uint64_t wait_ns = hail_rtt_loss_ns(&sender->rtt);
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    uint32_t before = HAIL_SLAB_NONE;
    uint32_t index = sender->sent_first;

    sender->loss_ns = UINT64_MAX;
    while (index != HAIL_SLAB_NONE &&
           hail_sent_packet_at(delivery, index)->number < sender->largest) {
        struct hail_sent_packet *sent = hail_sent_packet_at(delivery, index);
        uint32_t next = sent->next;
        bool is_lost =
            is_far_behind(sender, sent->number) || sent->sent_ns + wait_ns <= *delivery->now_ns;
        if (!is_lost) {
            if (sent->sent_ns + wait_ns < sender->loss_ns)
                sender->loss_ns = sent->sent_ns + wait_ns;
            before = index;
            index = next;
            continue;
        }
        if (before == HAIL_SLAB_NONE)
            sender->sent_first = next;
        else
            hail_sent_packet_at(delivery, before)->next = next;
        if (next == HAIL_SLAB_NONE)
            sender->sent_last = before;
        if (!sent->is_probe) {
            first_ns = first_ns == 0 ? sent->sent_ns : first_ns;
            last_ns = sent->sent_ns;
        }
        lose(delivery, slot, sent);
        hail_sent_packets_free(delivery, slot, index);
        index = next;
    }
    if (last_ns - first_ns >
        PERSISTENT_PROBES * hail_rtt_probe_ns(&sender->rtt, HAIL_ACK_DELAY_MS * HAIL_NS_PER_MS))
        hail_congestion_collapse(&sender->congestion);
}

enum hail_verdict hail_recovery_acked(struct hail_delivery *delivery, uint32_t slot,
                                      struct hail_bytes content, uint64_t next_number)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    struct hail_ack ack;
    bool any;

    enum hail_verdict verdict = hail_ack_decode(&ack, content, next_number);
    if (verdict == HAIL_ACCEPT && sender->skipped > 0 && hail_ack_has(&ack, sender->skipped))
        verdict = HAIL_DROP_FALSE_ACK;
    if (verdict != HAIL_ACCEPT)
        return verdict;
    uint64_t sent_ns = take_arrived(delivery, slot, &ack, &any);
    if (ack.ranges[0].last >= sender->largest)
        sender->largest = ack.ranges[0].last + 1;
    if (sent_ns != 0) {
        hail_rtt_sample(&sender->rtt, *delivery->now_ns - sent_ns, ack.delay_us * HAIL_NS_PER_US);
        hail_figure_gauge(&delivery->published[slot], HAIL_CONN_FIGURE_RTT_US,
                          sender->rtt.smoothed / HAIL_NS_PER_US);
        hail_figure_gauge(&delivery->published[slot], HAIL_CONN_FIGURE_JITTER_US,
                          sender->rtt.variation / HAIL_NS_PER_US);
    }
    if (any) {
        sender->probes = 0;
        hail_sender_asked(sender); // what was asked for has come
        sender->limited = false;
    }
    find_lost(delivery, slot);
    hail_figure_gauge(&delivery->published[slot], HAIL_CONN_FIGURE_DATAGRAM_MAX, sender->pmtu.size);
    hail_sender_pump(delivery, slot);
    return HAIL_ACCEPT;
}

// ---- Timers

// When to probe for an acknowledgement that does not come; UINT64_MAX: none is awaited.
static uint64_t probe_at_ns(const struct hail_delivery *delivery, const struct hail_sender *sender)
{
    if (sender->sent_first == HAIL_SLAB_NONE)
        return UINT64_MAX;
    bool is_lazy = hail_sent_packet_at(delivery, sender->sent_first)->range_first == HAIL_SLAB_NONE;
    uint64_t delay_ns = (is_lazy ? HAIL_ACK_DELAY_LAZY_MS : HAIL_ACK_DELAY_MS) * HAIL_NS_PER_MS;
    uint64_t wait_ns = hail_rtt_probe_ns(&sender->rtt, delay_ns) << sender->probes;

    return sender->left_ns +
           (wait_ns < PROBE_MAX_MS * HAIL_NS_PER_MS ? wait_ns : PROBE_MAX_MS * HAIL_NS_PER_MS);
}

// The sent packet with the oldest message's bytes; HAIL_SLAB_NONE: none has anything reliable.
// Later messages may all be refused for want of room that only this one's reassembly makes.
static uint32_t find_oldest(const struct hail_delivery *delivery, const struct hail_sender *sender)
{
    uint32_t found = HAIL_SLAB_NONE;
    uint32_t oldest = HAIL_SLAB_NONE;

    for (uint32_t index = sender->sent_first; index != HAIL_SLAB_NONE;
         index = hail_sent_packet_at(delivery, index)->next) {
        uint32_t range = hail_sent_packet_at(delivery, index)->range_first;
        for (; range != HAIL_SLAB_NONE; range = hail_send_range_at(delivery, range)->next) {
            if (oldest != HAIL_SLAB_NONE && !hail_sent_packets_is_older(delivery, range, oldest))
                continue;
            oldest = range;
            found = index;
        }
    }
    return found;
}

// Sends what is oldest once more, or asks alone, whatever the window says.
static void probe(struct hail_delivery *delivery, uint32_t slot)
{
    const struct hail_native_frame ask = {.type = HAIL_FRAME_ASK};
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    uint32_t index = find_oldest(delivery, sender);

    if (sender->probes < PROBE_DOUBLINGS)
        sender->probes++;
    if (sender->probes == FALL_PROBES && hail_pmtu_fall(&sender->pmtu, *delivery->now_ns))
        hail_stat_add(delivery->stats, HAIL_STAT_PATH_FALLS, 1);
    sender->left_ns = *delivery->now_ns;
    hail_stat_add(delivery->stats, HAIL_STAT_PROBES, 1);
    if (index != HAIL_SLAB_NONE)
        hail_sent_packets_lose(delivery, sender, hail_sent_packet_at(delivery, index));
    if (sender->bytes > 0) {
        hail_sender_ask(sender);
        uint32_t room = sender->probes < FALL_PROBES ? HAIL_CONGESTION_DATAGRAM : 1;
        sender->probe_room = room;
        hail_sender_pump(delivery, slot);
        bool has_sent = sender->probe_room < room;
        sender->probe_room = 0;
        if (has_sent)
            return;
    }
    uint32_t packet = hail_packets_for(delivery, slot, HAIL_PROTECTION_ENCRYPTED, HAIL_CONTROL_MAX);
    if (packet != HAIL_OUTGOING_NONE)
        hail_packets_add(delivery, packet, &ask);
}

void hail_recovery_moved(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);

    sender->probes = 0;
    if (sender->sent_first != HAIL_SLAB_NONE)
        probe(delivery, slot);
}

uint64_t hail_recovery_next_ns(const struct hail_delivery *delivery, uint32_t slot)
{
    const struct hail_sender *sender = hail_sender_of(delivery, slot);
    uint64_t next = probe_at_ns(delivery, sender);

    if (sender->loss_ns < next)
        next = sender->loss_ns;
    if (sender->again_ns < next)
        next = sender->again_ns;
    if (sender->bytes > 0) {
        uint64_t stall = sender->progress_ns + delivery->limits.stall_timeout_ms * HAIL_NS_PER_MS;
        next = stall < next ? stall : next;
    }
    return next;
}

static bool is_stalled(const struct hail_delivery *delivery, const struct hail_sender *sender)
{
    uint64_t stall_ns = delivery->limits.stall_timeout_ms * HAIL_NS_PER_MS;

    return sender->bytes > 0 && *delivery->now_ns >= sender->progress_ns + stall_ns;
}

void hail_recovery_excuse(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);

    if (is_stalled(delivery, sender))
        sender->progress_ns = *delivery->now_ns;
}

bool hail_recovery_due(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    uint64_t now_ns = *delivery->now_ns;

    if (is_stalled(delivery, sender))
        return false;
    if (now_ns >= sender->loss_ns) {
        find_lost(delivery, slot);
        hail_sender_pump(delivery, slot);
    }
    if (now_ns >= probe_at_ns(delivery, sender))
        probe(delivery, slot);
    if (now_ns >= sender->again_ns)
        hail_sender_pump(delivery, slot);
    return true;
}
