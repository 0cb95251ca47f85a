// acks.h: which packets have come and are to be acknowledged, and when (WIRE.md, section 5.3).
// Only protected packets are: the account of what was taken at all is the replay window's.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_ACKS_H
#define HAIL_PROTO_ACKS_H

#include "crypto/kdf.h"
#include "proto/verdict.h"

enum {
    HAIL_ACKS_WINDOW = 256, // numbers behind the largest that can still be acknowledged
    HAIL_ACK_RANGES_MAX = 32,
    HAIL_ACK_LEN_MAX = 3 + 4 + 2 + (HAIL_ACK_RANGES_MAX - 1) * 4, // of what hail_acks_fill fills in
    HAIL_ACK_DELAY_MS = 25,       // at most, of a packet with reliable frames
    HAIL_ACK_DELAY_LAZY_MS = 125, // of one with others
    HAIL_ACK_PACKETS = 64         // that bear frames of messages, without an acknowledgement
};

// What a packet asks for by its content.
enum hail_eliciting {
    HAIL_ELICITS_NOTHING,
    HAIL_ELICITS_LAZILY, // unreliable messages
    HAIL_ELICITS_SOON,   // reliable ones
    HAIL_ELICITS_AT_ONCE // an ask
};

// Numbers from `last` down to `first`, both of them among it.
struct hail_ack_range {
    uint64_t first;
    uint64_t last;
};

// An acknowledgement: ranges from the largest number on down.
struct hail_ack {
    uint64_t delay_us; // between the largest's arrival and now
    size_t count;      // 1 to HAIL_ACK_RANGES_MAX
    struct hail_ack_range ranges[HAIL_ACK_RANGES_MAX];
};

// The zero state has seen nothing and owes nothing, but for due_ns: hail_acks_init.
struct hail_acks {
    uint64_t next; // the largest number noted, plus one
    uint64_t seen[HAIL_ACKS_WINDOW / 64];
    uint64_t largest_ns; // when the largest came
    uint64_t told_ns;    // when an acknowledgement was last said
    uint64_t due_ns;     // when it is to be sent at the latest; UINT64_MAX: nothing is owed
    uint32_t waiting;    // packets that elicit one and have not got it
    bool soon;           // one of them is reliable
};

void hail_acks_init(struct hail_acks *acks);

// hail_acks_note takes note of a packet that has come and whose content was taken.
void hail_acks_note(struct hail_acks *acks, uint64_t number, enum hail_eliciting eliciting,
                    uint64_t now_ns);

// hail_acks_worth says whether a packet that leaves anyway should take an acknowledgement along: of
// few packets only if none was said for a while, so that who sends often says few.
HAIL_MUST_USE bool hail_acks_worth(const struct hail_acks *acks, uint64_t now_ns);

// hail_acks_fill fills in what to say. Something has been noted.
void hail_acks_fill(const struct hail_acks *acks, struct hail_ack *ack, uint64_t now_ns);

// hail_acks_told takes note that it is being said.
void hail_acks_told(struct hail_acks *acks, uint64_t now_ns);

// hail_ack_encode writes the content of an ack frame and returns its length. The ranges are of one
// window.
size_t hail_ack_encode(uint8_t out[HAIL_ACK_LEN_MAX], const struct hail_ack *ack);

// hail_ack_decode reads one from the other end, to which packets below `next_number` have been
// sent. HAIL_ACCEPT, HAIL_DROP_MALFORMED, or HAIL_DROP_FALSE_ACK: it acknowledges what was never
// sent.
HAIL_MUST_USE enum hail_verdict hail_ack_decode(struct hail_ack *ack, struct hail_bytes content,
                                                uint64_t next_number);

// hail_ack_has says whether a number is among the acknowledged.
HAIL_MUST_USE bool hail_ack_has(const struct hail_ack *ack, uint64_t number);

#endif
