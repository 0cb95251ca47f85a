// sender.c: see sender.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/sender.h"

#include "crypto/time.h"
#include <string.h>

#include "crypto/random.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/send_messages.h"
#include "engine/delivery/sent_packets.h"

enum {
    AGAIN_MS = 10,     // after the records for packets were used up
    ASK_PACKETS = 32,  // under way without an acknowledgement asked for
    ASK_PART = 4,      // of the window likewise
    BURST_MS = 100,    // of send_rate, after a pause
    OVERDUE_MS = 1000, // since a message that is begun went on: the other end waits for it
    SEGMENT_MIN = 512, // bytes of a message, unless they are its last, worth a frame
    PASS_UNIT = 256,   // of stride scheduling

    // Packets from where a skipped number is passed to the next one: some more than the threshold
    // for losses, and at random less than a power of two that grows.
    SKIP_LEAST = 4,
    SKIP_MASK_FIRST = (1 << 4) - 1,
    SKIP_MASK_MOST = (1 << 7) - 1
};

void hail_sender_moved(struct hail_delivery *delivery, uint32_t slot)
{
    hail_pmtu_init(&hail_sender_of(delivery, slot)->pmtu, delivery->limits.datagram_max);
    hail_congestion_moved(&hail_sender_of(delivery, slot)->congestion);
}

void hail_sender_begin(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    struct hail_send_channel *send_channels = hail_send_channels(delivery, slot);

    *sender = (struct hail_sender){
        .loss_ns = UINT64_MAX,
        .again_ns = UINT64_MAX,
        .sent_first = HAIL_SLAB_NONE,
        .sent_last = HAIL_SLAB_NONE,
        .lost_first = HAIL_SLAB_NONE,
        .lost_last = HAIL_SLAB_NONE,
    };
    hail_send_messages_told(delivery, slot); // whoever was refused meant the connection before
    hail_rtt_init(&sender->rtt);
    hail_congestion_init(&sender->congestion, *delivery->now_ns);
    hail_sender_moved(delivery, slot);
    for (size_t i = 0; i < hail_policy_channel_count(delivery->policy); i++)
        send_channels[i] = (struct hail_send_channel){
            .first = HAIL_SLAB_NONE, .last = HAIL_SLAB_NONE, .unsent = HAIL_SLAB_NONE};
}

// ---- Ranges and sent packets

static void free_ranges(struct hail_delivery *delivery, uint32_t first)
{
    while (first != HAIL_SLAB_NONE) {
        uint32_t next = hail_send_range_at(delivery, first)->next;
        hail_slab_free(&delivery->ranges, first);
        first = next;
    }
}

void hail_sender_clear(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    struct hail_send_channel *send_channels = hail_send_channels(delivery, slot);

    while (sender->sent_first != HAIL_SLAB_NONE) {
        uint32_t index = sender->sent_first;
        sender->sent_first = hail_sent_packet_at(delivery, index)->next;
        free_ranges(delivery, hail_sent_packet_at(delivery, index)->range_first);
        hail_sent_packets_free(delivery, slot, index);
    }
    free_ranges(delivery, sender->lost_first);
    for (size_t i = 0; i < hail_policy_channel_count(delivery->policy); i++) {
        while (send_channels[i].first != HAIL_SLAB_NONE)
            hail_send_messages_drop(delivery, slot, send_channels[i].first);
    }
    hail_sender_begin(delivery, slot);
}

// Takes note of bytes on their way.
static void spend_rate(struct hail_delivery *delivery, struct hail_sender *sender, size_t len)
{
    uint32_t per_s = delivery->limits.send_rate;

    if (per_s > 0)
        hail_rate_passed(&sender->rate, len, per_s, *delivery->now_ns);
}

static void charge(struct hail_delivery *delivery, struct hail_sender *sender, size_t len)
{
    hail_congestion_sent(&sender->congestion, len);
    spend_rate(delivery, sender, len);
}

// The record of a packet that is being filled; HAIL_SLAB_NONE: there are no more for this
// connection.
static uint32_t sent_packet_of(struct hail_delivery *delivery, uint32_t slot,
                               uint32_t outgoing_index)
{
    struct hail_outgoing *outgoing = &delivery->outbox.list[outgoing_index];

    if (outgoing->sent != HAIL_SLAB_NONE)
        return outgoing->sent;
    uint32_t index = hail_sent_packets_take(delivery, slot);
    if (index == HAIL_SLAB_NONE)
        return index;
    size_t overhead = hail_packets_overhead(delivery, (enum hail_protection)outgoing->protection);
    *hail_sent_packet_at(delivery, index) = (struct hail_sent_packet){
        .next = HAIL_SLAB_NONE,
        .range_first = HAIL_SLAB_NONE,
        .bytes = (uint32_t)overhead,
    };
    charge(delivery, hail_sender_of(delivery, slot), overhead);
    outgoing->sent = index;
    return index;
}

static void account(struct hail_delivery *delivery, uint32_t slot, uint32_t sent, size_t len)
{
    hail_sent_packet_at(delivery, sent)->bytes += (uint32_t)len;
    charge(delivery, hail_sender_of(delivery, slot), len);
}

// How many packets go by until the next number is left out: the fewer the fewer there were, for who
// lies from the beginning should not get far.
static uint16_t draw_skip(struct hail_random *random, uint64_t number)
{
    uint8_t mask = SKIP_MASK_FIRST;
    uint8_t dice;

    while (mask < SKIP_MASK_MOST && number > mask)
        mask = (uint8_t)(2 * mask + 1);
    hail_random_bytes(random, &dice, sizeof dice);
    return (uint16_t)(SKIP_LEAST + (dice & mask));
}

uint64_t hail_sender_number(struct hail_delivery *delivery, uint32_t slot, uint64_t next)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);

    if (sender->skip_in == 0 && sender->skipped > 0 && sender->largest <= sender->skipped)
        return next; // one at a time, so that none is forgotten before it can be acknowledged
    if (sender->skip_in == 0)
        sender->skip_in = draw_skip(delivery->random, next);
    if (--sender->skip_in > 0)
        return next;
    sender->skipped = next;
    return next + 1;
}

void hail_sender_left(struct hail_delivery *delivery, uint32_t slot, uint32_t index,
                      uint64_t number, size_t len)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    struct hail_sent_packet *sent = hail_sent_packet_at(delivery, index);

    sent->number = number;
    sent->len = (uint16_t)len;
    sent->sent_ns = *delivery->now_ns;
    if (sender->sent_last != HAIL_SLAB_NONE)
        hail_sent_packet_at(delivery, sender->sent_last)->next = index;
    else
        sender->sent_first = index;
    sender->sent_last = index;
    sender->left_ns = *delivery->now_ns;
    sender->unasked += sent->bytes;
    sender->unasked_packets++;
}

bool hail_sender_asks(const struct hail_sender *sender)
{
    uint64_t window = sender->congestion.window;

    return sender->unasked_packets >= ASK_PACKETS ||
           (sender->unasked >= window / ASK_PART && sender->congestion.in_flight >= window / 2);
}

void hail_sender_ask(struct hail_sender *sender)
{
    sender->unasked_packets = ASK_PACKETS;
}

void hail_sender_asked(struct hail_sender *sender)
{
    sender->unasked = 0;
    sender->unasked_packets = 0;
}

// ---- Sending

static enum hail_protection protection_of(uint32_t flags)
{
    if (flags & HAIL_FLAG_ENCRYPTED)
        return HAIL_PROTECTION_ENCRYPTED;
    return flags & HAIL_FLAG_AUTHENTICATED ? HAIL_PROTECTION_AUTHENTICATED : HAIL_PROTECTION_PLAIN;
}

// Some of a send message's bytes, on their way into a packet.
struct load {
    uint32_t message;
    uint32_t offset;
    uint32_t len;
};

// The frame for a load: the whole of a reliable message that fits, or a fragment.
static struct hail_native_frame frame_for(const struct hail_delivery *delivery,
                                          const struct load *load, size_t room)
{
    const struct hail_send_message *message = hail_send_message_at(delivery, load->message);
    struct hail_native_frame frame = {
        .type = HAIL_FRAME_RELIABLE,
        .part = {.channel = message->channel,
                 .id = (uint16_t)message->id,
                 .total = (uint32_t)message->content.len,
                 .offset = load->offset},
        .bytes = {NULL, load->len},
    };

    if (load->len != message->content.len ||
        !hail_policy_is_reliable(delivery->policy, message->channel) ||
        hail_frames_len(&frame, delivery->policy) > room)
        frame.type = HAIL_FRAME_FRAGMENT;
    return frame;
}

// Notes in a packet's record which bytes it carries. There is a record left.
static void note_range(struct hail_delivery *delivery, uint32_t sent, const struct load *load,
                       size_t len)
{
    uint32_t index = hail_slab_take(&delivery->ranges);

    HAIL_ASSERT(index != HAIL_SLAB_NONE);
    *hail_send_range_at(delivery, index) = (struct hail_send_range){
        .next = hail_sent_packet_at(delivery, sent)->range_first,
        .message = load->message,
        .offset = load->offset,
        .len = (uint32_t)len,
    };
    hail_sent_packet_at(delivery, sent)->range_first = index;
}

// The packet that a frame goes into: with as few others as the other end looks at.
static uint32_t packet_for(struct hail_delivery *delivery, uint32_t slot, const struct load *load,
                           enum hail_protection protection, size_t len)
{
    bool is_whole = load->len == hail_send_message_at(delivery, load->message)->content.len;
    uint8_t parts = is_whole ? 1 : HAIL_PART_APART;
    uint32_t packet = hail_packets_for(delivery, slot, protection, len);

    if (packet != HAIL_OUTGOING_NONE &&
        delivery->outbox.list[packet].parts + parts > HAIL_PARTS_MAX)
        packet = hail_packets_begin(delivery, slot, (uint8_t)protection);
    if (packet != HAIL_OUTGOING_NONE)
        delivery->outbox.list[packet].parts += parts;
    return packet;
}

// Puts as much of a load as fits into a packet. Returns the bytes it took; 0: not now, and it has
// been seen to that it is tried again.
static uint32_t put(struct hail_delivery *delivery, uint32_t slot, const struct load *load)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    struct hail_send_message *message = hail_send_message_at(delivery, load->message);
    enum hail_protection protection = protection_of(message->flags);
    size_t most = hail_packets_room(delivery, slot, protection, HAIL_OUTGOING_NONE);
    struct hail_native_frame frame = frame_for(delivery, load, most);
    size_t want = hail_frames_len(&frame, delivery->policy);

    if (frame.type == HAIL_FRAME_FRAGMENT && want > HAIL_FRAME_PART_MAX + SEGMENT_MIN) {
        sender->pmtu.wanted |= want > most;
        want = HAIL_FRAME_PART_MAX + SEGMENT_MIN;
    }
    if (!hail_sent_packets_allowed(delivery, slot) || hail_slab_left(&delivery->ranges) == 0) {
        sender->again_ns = *delivery->now_ns + AGAIN_MS * HAIL_NS_PER_MS;
        return 0;
    }
    uint32_t packet = packet_for(delivery, slot, load, protection, want);
    if (packet == HAIL_OUTGOING_NONE) {
        hail_queue_push(&delivery->ready, slot);
        return 0;
    }
    uint32_t sent = sent_packet_of(delivery, slot, packet);
    size_t room = hail_packets_room(delivery, slot, protection, packet);
    size_t len = hail_frames_len(&frame, delivery->policy);
    if (len > room) {
        frame.bytes.len = room - HAIL_FRAME_PART_MAX;
        len = hail_frames_len(&frame, delivery->policy);
    }
    if (hail_policy_is_reliable(delivery->policy, message->channel))
        note_range(delivery, sent, load, frame.bytes.len);
    uint8_t *at = hail_packets_extend(delivery, packet, len);
    at += hail_frames_write_head(at, &frame);
    hail_chain_read(&message->content, delivery->pool, &message->mark, load->offset, at,
                    frame.bytes.len);
    account(delivery, slot, sent, len);
    sender->probe_room -= len < sender->probe_room ? (uint32_t)len : sender->probe_room;
    return (uint32_t)frame.bytes.len;
}

static void pop_lost(struct hail_delivery *delivery, struct hail_sender *sender)
{
    uint32_t index = sender->lost_first;

    sender->lost_first = hail_send_range_at(delivery, index)->next;
    if (sender->lost_first == HAIL_SLAB_NONE)
        sender->lost_last = HAIL_SLAB_NONE;
    hail_slab_free(&delivery->ranges, index);
}

// Sends some of what was lost. False: not now.
static bool send_lost(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    struct hail_send_range *range = hail_send_range_at(delivery, sender->lost_first);
    const struct load load = {range->message, range->offset, range->len};
    uint32_t put_len = put(delivery, slot, &load);

    if (put_len == 0)
        return false;
    hail_stat_add(delivery->stats, HAIL_STAT_BYTES_RESENT, put_len);
    hail_figure_count(&delivery->published[slot], HAIL_CONN_FIGURE_BYTES_RESENT, put_len);
    range->offset += put_len;
    range->len -= put_len;
    if (range->len == 0)
        pop_lost(delivery, sender);
    return true;
}

// Unreliable messages that have waited for too long are not sent any more.
static void drop_late(struct hail_delivery *delivery, uint32_t slot, uint8_t channel)
{
    uint64_t age_ns =
        hail_policy_channel_at(delivery->policy, channel)->age_max_ms * HAIL_NS_PER_MS;
    struct hail_send_channel *send = hail_send_channels(delivery, slot) + channel;

    while (send->unsent != HAIL_SLAB_NONE &&
           *delivery->now_ns - hail_send_message_at(delivery, send->unsent)->since_ns > age_ns) {
        hail_stat_add(delivery->stats, HAIL_STAT_MESSAGES_LATE, 1);
        hail_counter_add(&delivery->channel_stats[channel].late, 1);
        hail_send_messages_drop(delivery, slot, send->unsent);
    }
}

// Whether bytes of a send message are too far ahead of what is oldest on its channel and has not
// arrived: the other end may have no room to keep them until then. Of what is not known to be
// missing, an acknowledgement is taken to be on its way.
static bool is_ahead(const struct hail_delivery *delivery, const struct hail_send_channel *send,
                     uint32_t index, uint32_t offset)
{
    const struct hail_send_message *oldest = hail_send_message_at(delivery, send->first);
    const struct hail_send_message *message = hail_send_message_at(delivery, index);

    if (message->id - oldest->id >= HAIL_AHEAD_MAX)
        return true;
    return oldest->lost && message != oldest &&
           message->place + offset - oldest->place >= HAIL_STORE_LEAST;
}

// Whether something that was lost may go again.
static bool has_lost(const struct hail_delivery *delivery, uint32_t slot)
{
    uint32_t first = hail_sender_of(delivery, slot)->lost_first;

    if (first == HAIL_SLAB_NONE)
        return false;
    const struct hail_send_range *range = hail_send_range_at(delivery, first);
    uint8_t channel = hail_send_message_at(delivery, range->message)->channel;
    return !is_ahead(delivery, hail_send_channels(delivery, slot) + channel, range->message,
                     range->offset);
}

// A channel's priority, or more than any: what has begun goes on now and then whatever else there
// is to send, or the other end would take it for given up.
static uint32_t priority_of(const struct hail_delivery *delivery,
                            const struct hail_send_channel *send,
                            const struct hail_policy_channel *channel)
{
    const struct hail_send_message *message = hail_send_message_at(delivery, send->unsent);
    bool is_overdue =
        message->sent > 0 && *delivery->now_ns - message->served_ns >= OVERDUE_MS * HAIL_NS_PER_MS;

    return is_overdue ? UINT32_MAX : channel->priority;
}

// The channel whose turn it is: of those with the highest priority that may send, the one that has
// sent least for its weight. NULL: there is nothing to send.
static struct hail_send_channel *next_channel(struct hail_delivery *delivery, uint32_t slot)
{
    const struct hail_policy *policy = delivery->policy;
    struct hail_send_channel *send_channels = hail_send_channels(delivery, slot);
    struct hail_send_channel *best = NULL;
    uint32_t best_priority = 0;

    for (size_t i = 0; i < hail_policy_channel_count(policy); i++) {
        struct hail_send_channel *send = &send_channels[i];
        if (send->unsent == HAIL_SLAB_NONE)
            continue;
        if (!hail_policy_is_reliable(policy, (uint8_t)i))
            drop_late(delivery, slot, (uint8_t)i);
        if (send->unsent == HAIL_SLAB_NONE ||
            is_ahead(delivery, send, send->unsent,
                     hail_send_message_at(delivery, send->unsent)->sent))
            continue;
        uint32_t priority = priority_of(delivery, send, hail_policy_channel_at(policy, i));
        if (!best || priority > best_priority ||
            (priority == best_priority && (int32_t)(send->pass - best->pass) < 0)) {
            best = send;
            best_priority = priority;
        }
    }
    return best;
}

// Takes note of how long a message has waited, if it has.
static void note_wait(struct hail_delivery *delivery, uint32_t slot,
                      const struct hail_send_message *message)
{
    struct hail_channel_stats *channel = &delivery->channel_stats[message->channel];
    uint64_t waited_us = (*delivery->now_ns - message->since_ns) / HAIL_NS_PER_US;

    if (waited_us == 0)
        return;
    hail_figure_gauge(&delivery->published[slot], HAIL_CONN_FIGURE_WAITED_US, waited_us);
    hail_counter_add(&channel->waited, 1);
    hail_counter_add(&channel->waited_us, waited_us);
    if (waited_us > atomic_load_explicit(&channel->waited_max_us, memory_order_relaxed))
        atomic_store_explicit(&channel->waited_max_us, waited_us, memory_order_relaxed);
}

// Sends some of what was never sent. False: not now.
static bool send_new(struct hail_delivery *delivery, uint32_t slot, struct hail_send_channel *send)
{
    uint32_t index = send->unsent;
    struct hail_send_message *message = hail_send_message_at(delivery, index);
    const struct load load = {index, message->sent, (uint32_t)message->content.len - message->sent};
    const struct hail_policy_channel *channel =
        hail_policy_channel_at(delivery->policy, message->channel);
    uint32_t put_len = put(delivery, slot, &load);

    if (put_len == 0)
        return false;
    send->pass += put_len * PASS_UNIT / channel->weight;
    hail_sender_of(delivery, slot)->pass = send->pass;
    message->sent += put_len;
    message->served_ns = *delivery->now_ns;
    if (message->sent < message->content.len)
        return true;
    send->unsent = message->after;
    note_wait(delivery, slot, message);
    if (!hail_policy_is_reliable(delivery->policy, message->channel))
        hail_send_messages_drop(delivery, slot, index);
    return true;
}

// Whether send_rate lets more leave now.
static bool rate_allows(struct hail_delivery *delivery, struct hail_sender *sender)
{
    if (delivery->limits.send_rate == 0)
        return true;
    uint64_t open_ns = hail_rate_open_ns(&sender->rate, BURST_MS * HAIL_NS_PER_MS);
    if (open_ns <= *delivery->now_ns)
        return true;
    sender->again_ns = open_ns;
    return false;
}

// Whether a datagram may leave now.
static bool may_leave(struct hail_delivery *delivery, struct hail_sender *sender)
{
    uint64_t at_ns;

    if (sender->probe_room > 0)
        return true;
    if (!rate_allows(delivery, sender))
        return false;
    if (hail_congestion_open(&sender->congestion, &sender->rtt, *delivery->now_ns, &at_ns))
        return true;
    sender->limited = true;
    sender->again_ns = at_ns;
    return false;
}

// Tries whether longer packets pass, if they would be used: with one of nothing but padding.
static void probe_path(struct hail_delivery *delivery, uint32_t slot)
{
    static const struct hail_native_frame ask = {.type = HAIL_FRAME_ASK};
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    uint64_t at_ns;

    if (!sender->pmtu.wanted || !delivery->conns[slot].joined ||
        !hail_sent_packets_allowed(delivery, slot) ||
        !hail_congestion_open(&sender->congestion, &sender->rtt, *delivery->now_ns, &at_ns))
        return;
    size_t len = hail_pmtu_probe(&sender->pmtu, *delivery->now_ns);
    if (len == 0)
        return;
    uint32_t packet = hail_packets_begin(delivery, slot, HAIL_PROTECTION_ENCRYPTED);
    if (packet == HAIL_OUTGOING_NONE) {
        sender->pmtu.probing = 0; // another time
        return;
    }
    struct hail_outgoing *outgoing = &delivery->outbox.list[packet];
    outgoing->alone = true;
    outgoing->sent = hail_sent_packets_take(delivery, slot);
    *hail_sent_packet_at(delivery, outgoing->sent) = (struct hail_sent_packet){
        .next = HAIL_SLAB_NONE, .range_first = HAIL_SLAB_NONE, .is_probe = true};
    hail_packets_add(delivery, packet, &ask);
    len -= hail_packets_overhead(delivery, HAIL_PROTECTION_ENCRYPTED) + outgoing->len;
    memset(hail_packets_extend(delivery, packet, len), HAIL_FRAME_PADDING, len);
    hail_stat_add(delivery->stats, HAIL_STAT_PATH_PROBES, 1);
}

// Whether there is nothing to send but what waits for more to share its packet.
static bool gathers(const struct hail_delivery *delivery, const struct hail_sender *sender)
{
    return sender->gathered > 0 && sender->gathered < sender->pmtu.size &&
           sender->gather_ns > *delivery->now_ns && sender->lost_first == HAIL_SLAB_NONE;
}

// A message has begun to wait.
static void gather(const struct hail_delivery *delivery, struct hail_sender *sender, size_t len)
{
    if (sender->gathered == 0)
        sender->gather_ns = *delivery->now_ns + delivery->limits.coalesce_us * HAIL_NS_PER_US;
    sender->gathered += (uint32_t)len;
}

void hail_sender_joined(struct hail_delivery *delivery, uint32_t slot)
{
    delivery->conns[slot].joined = true;
}

void hail_sender_flush(struct hail_delivery *delivery, uint32_t slot)
{
    hail_sender_of(delivery, slot)->gather_ns = 0;
    hail_sender_pump(delivery, slot);
}

void hail_sender_pump(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    bool goes_on = true;

    sender->again_ns = UINT64_MAX;
    if (gathers(delivery, sender)) {
        sender->again_ns = sender->gather_ns;
        return;
    }
    sender->gathered = sender->pmtu.size; // what stays behind has waited enough
    probe_path(delivery, slot); // first: there may always be more to send than the window takes
    while (goes_on && sender->bytes > 0) {
        bool again = has_lost(delivery, slot);
        struct hail_send_channel *send = again ? NULL : next_channel(delivery, slot);
        if (!again && !send) {
            sender->gathered = 0;
            break;
        }
        if (!may_leave(delivery, sender))
            break;
        goes_on = again ? send_lost(delivery, slot) : send_new(delivery, slot, send);
    }
    if (sender->bytes == 0)
        sender->gathered = 0;
}

// An unreliable message that fits goes into a packet at once, if the window is open and nothing
// waits before it.
static bool goes_at_once(struct hail_delivery *delivery, uint32_t slot,
                         const struct hail_message_view *view, size_t frame_len)
{
    struct hail_sender *sender = hail_sender_of(delivery, slot);
    enum hail_protection protection = protection_of(view->flags);

    if (frame_len > hail_packets_room(delivery, slot, protection, HAIL_OUTGOING_NONE)) {
        sender->pmtu.wanted = true;
        return false;
    }
    if (protection == HAIL_PROTECTION_PLAIN)
        return rate_allows(delivery, sender); // nobody acknowledges it, so no window can hold it
    return delivery->limits.coalesce_us == 0 &&
           hail_send_channels(delivery, slot)[view->channel].unsent == HAIL_SLAB_NONE &&
           sender->lost_first == HAIL_SLAB_NONE && may_leave(delivery, sender);
}

static enum hail_status send_at_once(struct hail_delivery *delivery, uint32_t slot,
                                     const struct hail_native_frame *frame, size_t len)
{
    enum hail_protection protection = protection_of(frame->message.flags);
    uint32_t packet = hail_packets_for(delivery, slot, protection, len);

    if (packet == HAIL_OUTGOING_NONE)
        return HAIL_EFULL;
    if (protection == HAIL_PROTECTION_PLAIN) {
        spend_rate(delivery, hail_sender_of(delivery, slot), len);
    } else {
        uint32_t sent = sent_packet_of(delivery, slot, packet);
        if (sent != HAIL_SLAB_NONE) // else it goes all the same, and nobody looks after it
            account(delivery, slot, sent, len);
    }
    hail_packets_add(delivery, packet, frame);
    return HAIL_OK;
}

enum hail_status hail_sender_send(struct hail_delivery *delivery, uint32_t slot,
                                  const struct hail_message_view *view)
{
    const struct hail_policy_channel *rule =
        hail_policy_channel_at(delivery->policy, view->channel);

    if (!hail_guarantee_is_reliable(rule->guarantee)) {
        struct hail_native_frame frame = {.type = hail_frames_type_of(view, delivery->policy),
                                          .message = *view};
        if (rule->guarantee == HAIL_GUARANTEE_SEQUENCED)
            frame.message.flags |= HAIL_FLAG_AUTHENTICATED; // a forged one would hide later ones
        size_t len = hail_frames_len(&frame, delivery->policy);
        if (len == 0)
            return HAIL_EINVAL;
        if (goes_at_once(delivery, slot, &frame.message, len))
            return send_at_once(delivery, slot, &frame, len);
    }
    enum hail_status status = hail_send_messages_add(delivery, slot, view);
    if (status != HAIL_OK)
        return status;
    if (delivery->limits.coalesce_us > 0)
        gather(delivery, hail_sender_of(delivery, slot), view->body_len);
    hail_sender_pump(delivery, slot);
    return HAIL_OK;
}

bool hail_sender_busy(const struct hail_sender *sender)
{
    return sender->bytes > 0;
}
