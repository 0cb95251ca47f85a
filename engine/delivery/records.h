// records.h: the records that delivery keeps: messages and packets on their way out, messages on
// their way in, and what a channel and a sender know.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_RECORDS_H
#define HAIL_ENGINE_DELIVERY_RECORDS_H

#include "engine/delivery/segments.h"
#include "engine/memory/slab.h"
#include "proto/congestion.h"
#include "proto/pmtu.h"
#include "proto/rate.h"

// ---- Out

enum {
    HAIL_AHEAD_MAX = 1024, // messages of a reliable channel beyond the oldest not acknowledged
    // Of frames of reliable messages and fragments, a packet has so many; one that goes on with no
    // other before it, and does not hold its message's whole, counts as HAIL_PART_APART.
    HAIL_PARTS_MAX = 64,
    HAIL_PART_APART = 8,
    HAIL_STORE_LEAST = 1 << 20,    // bytes of a connection that may wait for their turn, at least
    HAIL_SENT_PACKETS_PER_SLOT = 4 // records of packets under way that a connection is sure of
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

// Some bytes of a send message. Each byte that has been sent and is not acknowledged is in one
// range, of the packet that it was last in or among the lost.
struct hail_send_range {
    uint32_t next;
    uint32_t message;
    uint32_t offset;
    uint32_t len;
};

// A packet under way.
struct hail_sent_packet {
    uint32_t next;
    uint32_t range_first; // HAIL_SLAB_NONE: nothing reliable
    uint32_t bytes;       // that congestion control counts; a probe's none
    uint16_t len;         // of its datagram
    bool is_probe;        // of the path's MTU: its loss says nothing else
    uint64_t number;
    uint64_t sent_ns;
};

struct hail_sender {
    struct hail_rtt rtt;
    struct hail_congestion congestion;
    struct hail_pmtu pmtu;
    struct hail_rate rate; // of send_rate
    uint32_t bytes;        // of all send messages
    uint32_t sent_packets; // packets under way
    uint64_t largest;      // number that has been acknowledged, plus one
    uint64_t skipped;      // the last number that was left out; 0: none yet
    uint64_t left_ns;      // when a packet with messages last left
    uint64_t loss_ns;      // when the next packet is taken for lost; UINT64_MAX: none is suspected
    uint64_t again_ns;     // when to try again what pacing or want of records held up
    uint64_t progress_ns;  // when reliable bytes last arrived, or began to wait
    uint64_t gather_ns;    // until when what was never sent may wait for more; 0: nothing does
    uint32_t gathered;     // bytes of it
    uint32_t sent_first;
    uint32_t sent_last;
    uint32_t lost_first;
    uint32_t lost_last;
    uint32_t unasked;         // bytes sent since an acknowledgement came or was asked for
    uint32_t unasked_packets; // and packets
    uint32_t probe_room;      // bytes that may be sent whatever the window says
    uint32_t pass;            // of the channel that was last served
    uint8_t probes;           // in a row, without an acknowledgement
    bool limited;             // window or pace have kept something from being sent
    uint16_t skip_in;         // packets until the next is; 0: the last one is under way still
};

// ---- In

// A message that has not all come, or whose turn it is not: one cache line.
struct hail_reassembly {
    _Alignas(HAIL_CACHE_LINE) struct hail_segments message;
    uint64_t number;      // of the packet that brought the last part
    uint32_t next;        // in its bucket, plus one; 0: the last
    uint32_t before;      // on its channel: a ring
    uint32_t after;       // likewise
    uint32_t slot;        // of its connection
    uint32_t id;          // on its channel
    uint32_t progress_ms; // of the clock: when something new of it last came
    uint8_t channel;
    uint8_t flags;  // that every part came with
    bool is_listed; // in its bucket, as all are but perhaps a channel's first
};

// What one channel of a connection receives.
struct hail_receive_channel {
    uint32_t next;     // the first id that has not been delivered; unreliable: that may come
    uint32_t first;    // reassemblies; HAIL_SLAB_NONE: none
    uint32_t waits_ms; // of the clock: since when it is `next` that reassemblies wait for
};

enum {
    HAIL_REASSEMBLY_NEIGHBOURS = 16 // ids in a row whose buckets share a cache line
};

// The reassemblies of all connections.
struct hail_reassembly_table {
    struct hail_slab records;
    uint32_t *buckets;     // indices plus one; 0: empty
    uint32_t bucket_count; // a power of two
    uint64_t key[2];
};

#endif
