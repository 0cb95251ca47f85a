// send_messages.h: messages on their way out of a connection, by channel: each waits until it is
// sent (unreliable) or has arrived (reliable), within what the connection may have unsent.
// DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_SEND_MESSAGES_H
#define HAIL_ENGINE_DELIVERY_SEND_MESSAGES_H

#include "engine/hail.h"
#include "engine/memory/pool.h"
#include "proto/message.h"

enum {
    HAIL_AHEAD_MAX = 1024, // messages of a reliable channel beyond the oldest not acknowledged
    // Of frames of reliable messages and fragments, a packet has so many; one that goes on with no
    // other before it, and does not hold its message's whole, counts as HAIL_PART_APART.
    HAIL_PARTS_MAX = 64,
    HAIL_PART_APART = 8,
    HAIL_STORE_LEAST = 1 << 20 // bytes of a connection that may wait for their turn, at least
};

// A message on its way out, until it is sent (unreliable) or has arrived (reliable).
struct hail_send_message {
    struct hail_chain content;   // its inner form
    struct hail_chain_mark mark; // in it, at `sent`
    uint32_t before;             // on its channel, in the order of their ids
    uint32_t after;
    uint32_t id;
    uint32_t sent; // bytes that have been in a packet at least once: all before this one
    uint32_t acked;
    uint8_t channel;
    uint8_t flags;
    bool lost;      // some of it has been, at one time
    uint64_t place; // bytes of its channel that came before it
    uint64_t since_ns;
    uint64_t served_ns; // when some of it was last put into a packet for the first time
};

// What one channel of a connection has to send.
struct hail_send_channel {
    uint32_t first;  // the oldest send message
    uint32_t last;   // the newest
    uint32_t unsent; // the first that is not wholly sent
    uint32_t next_id;
    uint64_t placed; // bytes of all send messages so far
    uint32_t pass;   // of stride scheduling among channels of one priority
};

struct hail_context;
struct hail_shard;

// hail_send_messages_reserve takes or adds up what all connections of a shard share.
void hail_send_messages_reserve(struct hail_shard *shard, const struct hail_context *context);

// hail_send_messages_claim sets room for a message of `len` bytes aside, of what a connection may
// have unsent, so that a later hail_send_messages_add with `claimed` finds it. Returns the bytes;
// 0: there is not so much. hail_send_messages_unclaim gives it back: `claimed` was not used.
// Threads  Any.
HAIL_MUST_USE uint32_t hail_send_messages_claim(struct hail_shard *shard, uint32_t slot,
                                                size_t len);
void hail_send_messages_unclaim(struct hail_shard *shard, uint32_t slot, uint32_t claimed);

// hail_send_messages_freed says whether a claim has been refused, nobody was told since, and half
// of what a connection may have unsent is free again. hail_send_messages_told takes note that he
// is.
HAIL_MUST_USE bool hail_send_messages_freed(const struct hail_shard *shard, uint32_t slot);
void hail_send_messages_told(struct hail_shard *shard, uint32_t slot);

// hail_send_messages_add puts a message at its channel's end. Returns as hail_sender_send.
HAIL_MUST_USE enum hail_status hail_send_messages_add(struct hail_shard *shard, uint32_t slot,
                                                      const struct hail_message_view *view);

// hail_send_messages_drop is done with one: it has arrived, or is not to arrive any more.
void hail_send_messages_drop(struct hail_shard *shard, uint32_t slot, uint32_t index);

struct hail_send_message *hail_send_message_at(const struct hail_shard *shard, uint32_t index);

// hail_send_channels returns a connection's send channels, one for each channel.
struct hail_send_channel *hail_send_channels(const struct hail_shard *shard, uint32_t slot);

#endif
