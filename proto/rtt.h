// rtt.h: how long a packet's acknowledgement takes, and how long to wait for one (RFC 9002,
// sections 5 and 6.2).
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_RTT_H
#define HAIL_PROTO_RTT_H

#include "crypto/base.h"

enum {
    HAIL_RTT_INITIAL_MS = 100, // less than RFC 9002's 333: games play near by
    HAIL_RTT_GRANULARITY_MS = 1
};

// Times in ns. The zero state is hail_rtt_init's.
struct hail_rtt {
    uint64_t latest; // 0: there is no sample yet
    uint64_t smoothed;
    uint64_t variation;
    uint64_t least;
};

void hail_rtt_init(struct hail_rtt *rtt);

// hail_rtt_sample takes note that a packet's acknowledgement took `taken_ns`, of which the other
// end says that it waited `delay_ns` on purpose.
void hail_rtt_sample(struct hail_rtt *rtt, uint64_t taken_ns, uint64_t delay_ns);

// hail_rtt_probe_ns returns after what time without an acknowledgement to send a probe, when the
// other end may wait `delay_max_ns` before it acknowledges.
uint64_t hail_rtt_probe_ns(const struct hail_rtt *rtt, uint64_t delay_max_ns);

// hail_rtt_loss_ns returns how long after its sending a packet is taken for lost when a later one
// has arrived.
uint64_t hail_rtt_loss_ns(const struct hail_rtt *rtt);

#endif
