// sender.h: what a connection has to send and has sent: messages that wait for their turn, packets
// under way, and what of them is lost and goes again. After RFC 9002; DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_SENDER_H
#define HAIL_ENGINE_DELIVERY_SENDER_H

#include "engine/delivery/send_messages.h"
#include "engine/memory/slab.h"
#include "proto/congestion.h"
#include "proto/pmtu.h"
#include "proto/rate.h"

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

struct hail_bytes;
struct hail_context;
struct hail_shard;

// hail_sender_reserve takes or adds up what all senders of a shard share.
void hail_sender_reserve(struct hail_shard *shard, const struct hail_context *context);

// hail_sender_begin prepares a connection's; hail_sender_clear lets go of everything, after the
// packets have been released.
void hail_sender_begin(struct hail_shard *shard, uint32_t slot);
void hail_sender_clear(struct hail_shard *shard, uint32_t slot);

// hail_sender_send takes a message, which is sent at once if it may be.
//
// Returns  HAIL_OK, and what was claimed for it is used; HAIL_EINVAL: a number in it that the wire
//          has no form for; HAIL_EFULL: unsent_max or buffers_max is reached, or this turn's outbox
//          for what cannot wait.
HAIL_MUST_USE enum hail_status hail_sender_send(struct hail_shard *shard, uint32_t slot,
                                                const struct hail_message_view *view);

// hail_sender_moved takes note that the path to the peer is another one.
void hail_sender_moved(struct hail_shard *shard, uint32_t slot);

// hail_sender_pump sends what waits and may be sent now.
void hail_sender_pump(struct hail_shard *shard, uint32_t slot);

// hail_sender_flush does the same for what waits for more to share its packet.
void hail_sender_flush(struct hail_shard *shard, uint32_t slot);

// hail_sender_number leaves out a packet number now and then, before one is taken for a sent
// packet: who acknowledges without having received cannot know which (RFC 9000, section 21.4).
void hail_sender_number(struct hail_shard *shard, uint32_t slot);

// hail_sender_left takes note that the packet of a sent packet is sealed, under this number, as a
// datagram of `len` bytes.
void hail_sender_left(struct hail_shard *shard, uint32_t slot, uint32_t sent, uint64_t number,
                      size_t len);

// hail_sender_asks says whether the next packet should ask for an acknowledgement at once;
// hail_sender_asked takes note that it does. hail_sender_ask has it do so.
HAIL_MUST_USE bool hail_sender_asks(const struct hail_sender *sender);
void hail_sender_ask(struct hail_sender *sender);
void hail_sender_asked(struct hail_sender *sender);

// hail_sender_busy says whether something reliable has not arrived yet, or anything waits.
HAIL_MUST_USE bool hail_sender_busy(const struct hail_sender *sender);

#endif
