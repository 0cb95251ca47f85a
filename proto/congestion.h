// congestion.h: how much may be under way to a peer, and how fast it may leave: NewReno as in RFC
// 9002, section 7, and pacing. Another controller would have these functions.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_CONGESTION_H
#define HAIL_PROTO_CONGESTION_H

#include "crypto/base.h"
#include "proto/rtt.h"

enum {
    HAIL_CONGESTION_DATAGRAM = 1200,
    HAIL_CONGESTION_INITIAL = 10 * HAIL_CONGESTION_DATAGRAM,
    HAIL_CONGESTION_LEAST = 2 * HAIL_CONGESTION_DATAGRAM,
    HAIL_CONGESTION_BURST = 10 * HAIL_CONGESTION_DATAGRAM // may leave at once, after a pause
};

// Bytes are those of datagrams.
struct hail_congestion {
    uint64_t window;
    uint64_t threshold;   // of slow start
    uint64_t in_flight;   // sent, and neither acknowledged nor taken for lost
    uint64_t gathered;    // acknowledged since the window last grew
    uint64_t recovery_ns; // what was sent before tells nothing new about losses; 0: none yet
    uint64_t credit;      // of pacing: bytes that may leave now
    uint64_t credit_ns;   // when it was reckoned
};

void hail_congestion_init(struct hail_congestion *congestion, uint64_t now_ns);

// hail_congestion_open says whether a datagram may leave now. If it may not, `*at_ns` is when
// pacing would let it, or UINT64_MAX: not before something is acknowledged.
HAIL_MUST_USE bool hail_congestion_open(struct hail_congestion *congestion,
                                        const struct hail_rtt *rtt, uint64_t now_ns,
                                        uint64_t *at_ns);

// hail_congestion_sent takes note of bytes on their way.
void hail_congestion_sent(struct hail_congestion *congestion, size_t len);

// hail_congestion_acked takes note that bytes sent at `sent_ns` have arrived.
//
// was_limited  Whether the window was what kept more from being sent: else it need not grow.
void hail_congestion_acked(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                           bool was_limited);

// hail_congestion_lost takes note that bytes sent at `sent_ns` are lost.
void hail_congestion_lost(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                          uint64_t now_ns);

// hail_congestion_collapse goes back to the least window: nothing has arrived for long (RFC 9002,
// section 7.6).
void hail_congestion_collapse(struct hail_congestion *congestion);

#endif
