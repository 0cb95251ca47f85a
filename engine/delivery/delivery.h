// delivery.h: what all connections of one shard share for delivery, and what each has for it.
// SPDX-License-Identifier: MIT
//
// Delivery lies beside the shard, not inside: it writes frames into packets and takes frames from
// packets, and knows no shard, key, socket, timer or application. So its owner
//   - passes it messages and frames, and pulls those that are whole (receiver.h);
//   - ends a connection where a call returns that it has to end, and why;
//   - looks at its deadlines after a call (hail_sender_waits, hail_recovery_next_ns,
//     hail_receiver_next_ns), and calls it when they have come;
//   - seals the packets of the outbox, and tells hail_sender_left.
// The two share memory (`pool`, of which `quota` gives shares), and counters that the owner shows.
// Calls from below to above there are none, and no function pointers: the message path has neither.
// A connection is its slot, here as there. DESIGN.md, "Delivery".
#ifndef HAIL_ENGINE_DELIVERY_DELIVERY_H
#define HAIL_ENGINE_DELIVERY_DELIVERY_H

#include "engine/context/figures.h"
#include "engine/delivery/outbox.h"
#include "engine/delivery/quota.h"
#include "engine/delivery/records.h"
#include "engine/memory/queue.h"
#include "proto/acks.h"
#include "proto/policy.h"

// What one connection has, beside its channels.
struct hail_delivery_conn {
    uint32_t out_first; // of its packets in the outbox; HAIL_OUTGOING_NONE: it has none
    uint32_t out_last;
    uint32_t stored;   // bytes that reassemblies occupy: blocks and records
    uint32_t stall_ms; // of the clock: when to look at them next; 0: nothing has to come
    uint32_t held_ms;  // of the clock: until when they waited for room that we had to make
    uint16_t useless;  // what packets cost that brought nothing: see HAIL_USELESS_MAX
    bool holds;        // a reassembly that is whole waits for room among the events
    bool joined;       // messages come and go
    struct hail_acks acks;
    struct hail_sender sender;
};

// What the owner's configuration says of delivery: see struct hail_config.
struct hail_delivery_limits {
    uint64_t buffers_max;
    uint32_t slots;
    uint32_t message_max;
    uint32_t unsent_max;
    uint32_t stall_timeout_ms;
    uint32_t coalesce_us;
    uint32_t send_rate;
    uint16_t datagram_max;
    bool is_server;
};

struct hail_delivery {
    // Set by the owner, before hail_delivery_reserve_conns; what is pointed to is the owner's, and
    // `pool` and `quota` have their memory.
    const struct hail_policy *policy;
    struct hail_delivery_limits limits;
    const uint64_t *now_ns; // the time of this turn
    struct hail_pool *pool; // of HAIL_BLOCK_MESSAGE
    struct hail_quota *quota;
    struct hail_random *random;
    struct hail_queue *held; // those to whom the application has to be told that there is room
    struct hail_stats *stats;
    struct hail_channel_stats *channel_stats; // one for each channel
    struct hail_slot_public *published;       // one for each slot

    // Set by hail_delivery_reserve_conns and hail_delivery_reserve.
    struct hail_delivery_conn *conns;              // one for each slot
    uint64_t *newest;                              // by channel for each slot: see receiver.c
    struct hail_send_channel *send_channels;       // by channel for each slot
    struct hail_receive_channel *receive_channels; // likewise
    uint64_t *taken;                               // for each slot and unordered channel
    _Atomic uint32_t *claimed; // for each slot: of unsent_max, what is used or promised; any
                               // thread's
    uint32_t unordered_count;  // channels
    struct hail_slab messages; // of all connections, as the next two
    struct hail_slab ranges;
    struct hail_slab sent_packets;
    struct hail_reassembly_table reassemblies;
    struct hail_queue ready; // connections that could send more when the outbox has room again
    struct hail_outbox outbox;
};

// hail_delivery_reserve_conns takes or adds up (arena.h) what each connection has,
// hail_delivery_reserve what they share, which the quota watches then.
void hail_delivery_reserve_conns(struct hail_delivery *delivery, struct hail_arena *arena);
void hail_delivery_reserve(struct hail_delivery *delivery, struct hail_arena *arena);

// hail_delivery_begin prepares what is neither the sender's (hail_sender_begin) nor the receiver's
// (hail_receiver_begin) of a connection that is to be.
void hail_delivery_begin(struct hail_delivery *delivery, uint32_t slot);

// hail_delivery_drop counts what came and is not taken.
void hail_delivery_drop(struct hail_delivery *delivery, uint32_t slot, enum hail_verdict verdict);

static inline struct hail_sender *hail_sender_of(const struct hail_delivery *delivery,
                                                 uint32_t slot)
{
    return &delivery->conns[slot].sender;
}

#endif
