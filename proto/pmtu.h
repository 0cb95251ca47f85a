// pmtu.h: how long packets to a peer may be: the path is searched with probes that may get lost,
// and what has passed is used until it no longer does. After RFC 8899 (DPLPMTUD); WIRE.md, section
// 5.4.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_PMTU_H
#define HAIL_PROTO_PMTU_H

#include "crypto/base.h"

enum {
    HAIL_PMTU_TRIES = 3,  // of one length, before it is taken not to pass (MAX_PROBES)
    HAIL_PMTU_LOSSES = 3, // flights in a row, of packets above the base: they do not pass now
    HAIL_PMTU_STEP = 16,  // a search that would gain less ends
    HAIL_PMTU_RAISE_MS = 600000, // after a search until the next (PMTU_RAISE_TIMER)
    HAIL_PMTU_RECOVER_MS = 30000 // likewise after packets no longer passed
};

// Lengths are those of datagrams.
struct hail_pmtu {
    uint16_t size;    // packets may be as long: it has passed, or is the base
    uint16_t most;    // that we would send
    uint16_t ceiling; // the least that has not passed; above `most`: none
    uint16_t probing; // the length of the probe under way; 0: none
    uint8_t tries;    // of the length that is probed, that got lost
    uint8_t losses;   // flights in a row that have lost packets above the base
    bool wanted;      // longer packets would be used
    uint64_t next_ns; // not to be searched before
    // Of the clock, modulo 2^32: when the newest packet above the base that has arrived was sent,
    // and when the last flight that lost some was over.
    uint32_t arrived_ms;
    uint32_t lost_ms;
};

// A datagram, a probe or not.
struct hail_pmtu_packet {
    size_t len;
    bool is_probe;
    uint64_t sent_ns;
};

// hail_pmtu_init begins anew at the base, HAIL_DATAGRAM_MAX: also when the path has changed.
//
// most  The longest datagram that is ever to be sent: HAIL_DATAGRAM_MAX to HAIL_PACKET_MAX.
void hail_pmtu_init(struct hail_pmtu *pmtu, uint16_t most);

// hail_pmtu_probe returns the length of the probe that should leave now, which is then under way;
// 0: none should.
uint16_t hail_pmtu_probe(struct hail_pmtu *pmtu, uint64_t now_ns);

// hail_pmtu_arrived and hail_pmtu_lost take note of a datagram. When flight after flight has lost
// long ones, and none that was sent later has arrived, they are taken not to pass any more: true,
// and it is back at the base. A flight is all that was sent before the loss of one was noticed, so
// a queue that overflows once says nothing of the path.
void hail_pmtu_arrived(struct hail_pmtu *pmtu, const struct hail_pmtu_packet *packet,
                       uint64_t now_ns);
bool hail_pmtu_lost(struct hail_pmtu *pmtu, const struct hail_pmtu_packet *packet, uint64_t now_ns);

// hail_pmtu_fall goes back to the base: nothing has arrived for a while, and the length may be why.
// False: it is there already.
bool hail_pmtu_fall(struct hail_pmtu *pmtu, uint64_t now_ns);

#endif
