// congestion.h: how much may be under way to a peer, and how fast it may leave: NewReno as in RFC
// 9002, section 7, that looks at what a loss means, and pacing. Another controller would have these
// functions.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_CONGESTION_H
#define HAIL_PROTO_CONGESTION_H

#include "crypto/base.h"
#include "proto/rtt.h"

enum {
    HAIL_CONGESTION_DATAGRAM = 1200,
    HAIL_CONGESTION_INITIAL = 10 * HAIL_CONGESTION_DATAGRAM,
    HAIL_CONGESTION_LEAST = 2 * HAIL_CONGESTION_DATAGRAM,
    HAIL_CONGESTION_MOST = 1 << 30, // of the window
    HAIL_CONGESTION_RECENT = 8,     // acknowledgements that tell whether there is a queue
    HAIL_CONGESTION_BURST = 10 * HAIL_CONGESTION_DATAGRAM // may leave at once, after a pause
};

// NewReno takes every loss for a full queue, and on a path that loses at random gets nowhere. Here
// the window is cut when round trips have become longer, so there is a queue, or when much is lost;
// else the loss is the path's, and nothing that a smaller window would mend. It is cut to what
// arrives in the shortest round trip (as TCP Westwood+ does) and an eighth, to half at the least,
// so that the queue empties and the path does not. And slow start ends when a queue begins (as RFC
// 9406 has it).
//
// Bytes are those of datagrams.
struct hail_congestion {
    uint32_t window;
    uint32_t threshold;   // of slow start
    uint32_t in_flight;   // sent, and neither acknowledged nor taken for lost
    uint32_t gathered;    // acknowledged since the window last grew
    uint32_t credit;      // of pacing: bytes that may leave now
    uint32_t recent;      // the place of the last round trip in recent_us
    uint64_t credit_ns;   // when the credit was reckoned
    uint64_t recovery_ns; // what was sent before tells nothing new about losses; 0: none yet

    // What the path is like. Round trips here are those of single packets, without smoothing.
    uint64_t answered_ns; // when the last acknowledgement came; 0: none has
    uint64_t rate_ns;     // since when rate_bytes have arrived
    uint32_t rate_bytes;
    uint32_t rate;                              // bytes a second that arrive; 0: not known
    uint32_t arrived;                           // bytes, of late: older ones count less
    uint32_t lost;                              // likewise
    uint32_t least_us;                          // the shortest round trip; 0: none is known
    uint32_t recent_us[HAIL_CONGESTION_RECENT]; // by the last acknowledgements, in a ring
};

void hail_congestion_init(struct hail_congestion *congestion, uint64_t now_ns);

// hail_congestion_open says whether a datagram may leave now. If it may not, `*at_ns` is when
// pacing would let it, or UINT64_MAX: not before something is acknowledged.
HAIL_MUST_USE bool hail_congestion_open(struct hail_congestion *congestion,
                                        const struct hail_rtt *rtt, uint64_t now_ns,
                                        uint64_t *at_ns);

// hail_congestion_sent takes note of bytes on their way.
void hail_congestion_sent(struct hail_congestion *congestion, size_t len);

// hail_congestion_moved forgets what the path was like: it is another one.
void hail_congestion_moved(struct hail_congestion *congestion);

// hail_congestion_acked takes note that bytes sent at `sent_ns` have arrived.
//
// was_limited  Whether the window was what kept more from being sent: else it need not grow.
void hail_congestion_acked(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                           uint64_t now_ns, bool was_limited);

// hail_congestion_lost takes note that bytes sent at `sent_ns` are lost.
void hail_congestion_lost(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                          uint64_t now_ns);

// hail_congestion_collapse goes back to the least window: nothing has arrived for long (RFC 9002,
// section 7.6).
void hail_congestion_collapse(struct hail_congestion *congestion);

#endif
