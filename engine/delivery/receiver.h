// receiver.h: what a connection receives on its channels: each message once, in its order where
// that is promised, put together where it came in parts. DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_RECEIVER_H
#define HAIL_ENGINE_DELIVERY_RECEIVER_H

#include "engine/delivery/delivery.h"
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
    bool waits;   // something has begun to wait: hail_receiver_next_ns is another
    uint8_t cost; // if nothing is: see HAIL_USELESS_MAX
};

// hail_receiver_begin prepares a connection's; hail_receiver_clear lets go of everything.
void hail_receiver_begin(struct hail_delivery *delivery, uint32_t slot);
void hail_receiver_clear(struct hail_delivery *delivery, uint32_t slot);

// hail_receiver_check says whether its channel, which has this rule, lets a message through that
// came in the packet of this number, which is then the newest: HAIL_ACCEPT or why not.
HAIL_MUST_USE enum hail_verdict hail_receiver_check(struct hail_delivery *delivery, uint32_t slot,
                                                    const struct hail_message_view *message,
                                                    const struct hail_policy_channel *rule,
                                                    uint64_t number);

// What a part of a message has led to.
enum hail_receipt {
    HAIL_RECEIPT_NOTHING,
    HAIL_RECEIPT_WHOLE,   // the frame has a message whose turn it is: hail_receiver_take or _keep
    HAIL_RECEIPT_MORE,    // its channel may have a message now: hail_receiver_next
    HAIL_RECEIPT_TOO_LONG // a reliable message is too long: the connection is to be ended
};

// hail_receiver_part takes a frame of the types RELIABLE and FRAGMENT, and notes in `intake` what
// became of it.
HAIL_MUST_USE enum hail_receipt hail_receiver_part(struct hail_delivery *delivery, uint32_t slot,
                                                   const struct hail_native_frame *frame,
                                                   const struct hail_opened *packet,
                                                   struct hail_intake *intake);

// hail_receiver_take is done with the message of a frame, which the caller hands over then;
// hail_receiver_keep keeps it until there is room among the events. Both return whether the channel
// may have a message now: hail_receiver_next.
HAIL_MUST_USE bool hail_receiver_take(struct hail_delivery *delivery, uint32_t slot,
                                      const struct hail_native_frame *frame,
                                      struct hail_intake *intake);
HAIL_MUST_USE bool hail_receiver_keep(struct hail_delivery *delivery, uint32_t slot,
                                      const struct hail_native_frame *frame,
                                      const struct hail_opened *packet, struct hail_intake *intake);

// A message that is whole, and whose turn it is.
struct hail_whole {
    uint64_t number; // of the packet that brought the last part
    uint32_t index;  // of its reassembly
    uint32_t len;    // of its inner form
    uint32_t id;
    uint8_t channel;
    uint8_t flags; // that every part came with
};

// hail_receiver_next tells the next such message of a channel; false: there is none. It stays
// until hail_receiver_deliver moves it to `out`, which has room for `len` bytes, and is done with
// it; or hail_receiver_hold takes note that there is no room among the events for it.
HAIL_MUST_USE bool hail_receiver_next(const struct hail_delivery *delivery, uint32_t slot,
                                      uint8_t channel, struct hail_whole *whole);
void hail_receiver_deliver(struct hail_delivery *delivery, uint32_t slot,
                           const struct hail_whole *whole, uint8_t *out);
void hail_receiver_hold(struct hail_delivery *delivery, uint32_t slot);

// hail_receiver_judge looks at what a packet's parts were worth, after the last of them. False: too
// many in a row brought nothing, and the connection is to be ended.
HAIL_MUST_USE bool hail_receiver_judge(struct hail_delivery *delivery, uint32_t slot,
                                       const struct hail_intake *intake);

// hail_receiver_excuse says that the other end has not been heard of: it may be out of reach, and
// the time for which it has not gone on with a message begins anew.
void hail_receiver_excuse(struct hail_delivery *delivery, uint32_t slot);

// hail_receiver_next_ns returns when to look at what was begun and not finished; UINT64_MAX: there
// is none. hail_receiver_due does so, and sets that anew, if the connection is open: others take
// nothing more. Unreliable messages that get nowhere are dropped; false: a reliable one gets
// nowhere, and the connection is to be ended.
uint64_t hail_receiver_next_ns(const struct hail_delivery *delivery, uint32_t slot);
HAIL_MUST_USE bool hail_receiver_due(struct hail_delivery *delivery, uint32_t slot, bool is_open);

#endif
