// receiver.h: what a connection receives on its channels: each message once, in its order where
// that is promised, put together where it came in parts. DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_RECEIVER_H
#define HAIL_ENGINE_DELIVERY_RECEIVER_H

#include "engine/delivery/reassembly.h"
#include "proto/peer.h"

// What packets cost their sender whose parts bring nothing, until others redeem it. What networks
// double and senders repeat for want of an answer is far below the limit, and so is all that a
// sender has under way when it hears that something before it is missing.
enum {
    HAIL_USELESS_MAX = 64000,  // beyond it the connection is ended
    HAIL_USELESS_REPEATED = 8, // a packet with what has come before, or with too many parts
    HAIL_USELESS_BEYOND = 1,   // with what its connection may not have waiting
    HAIL_USELESS_REDEEMED = 16 // by a packet that brings something
};

// What became of the parts of messages in one packet. Zero: it has none.
struct hail_intake {
    uint32_t parts;        // that are not done with at once, as HAIL_PARTS_MAX counts them
    struct hail_part last; // of them, and where it ends
    uint32_t last_end;
    bool refused; // there was no room for one: the packet is not to be acknowledged
    bool brought; // something of them is new
    uint8_t cost; // if nothing is: see HAIL_USELESS_MAX
};

struct hail_context;
struct hail_shard;

// hail_receiver_begin prepares a connection's; hail_receiver_clear lets go of everything.
void hail_receiver_begin(struct hail_shard *shard, uint32_t slot);
void hail_receiver_clear(struct hail_shard *shard, uint32_t slot);

// hail_receiver_message takes a message that is whole in its frame, on an unreliable channel.
// HAIL_ACCEPT or why it was dropped.
enum hail_verdict hail_receiver_message(struct hail_shard *shard, uint32_t slot,
                                        struct hail_message_view *message,
                                        const struct hail_opened *packet);

// hail_receiver_part takes a frame of the types RELIABLE and FRAGMENT, and notes in `intake` what
// became of it.
void hail_receiver_part(struct hail_shard *shard, uint32_t slot,
                        const struct hail_native_frame *frame, const struct hail_opened *packet,
                        struct hail_intake *intake);

// hail_receiver_judge looks at what a packet's parts were worth, after the last of them. The
// connection may be ended by it: too many in a row brought nothing.
void hail_receiver_judge(struct hail_shard *shard, uint32_t slot, const struct hail_intake *intake);

// hail_receiver_retry delivers what waited for room among the events.
void hail_receiver_retry(struct hail_shard *shard, uint32_t slot);

// hail_receiver_next_ns returns when to look at what was begun and not finished; UINT64_MAX: there
// is none. hail_receiver_due does so, and sets that anew. Unreliable messages that get nowhere are
// dropped; false: a reliable one gets nowhere, and the connection is to be ended.
uint64_t hail_receiver_next_ns(const struct hail_shard *shard, uint32_t slot);
HAIL_MUST_USE bool hail_receiver_due(struct hail_shard *shard, uint32_t slot);

#endif
