// peer.h: one remote end of a connection whose key is agreed on: numbers, epochs, replays, paths,
// and what we owe it (WIRE.md, sections 4 and 5.2). What packets carry is the caller's affair.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_PEER_H
#define HAIL_PROTO_PEER_H

#include "crypto/random.h"
#include "proto/epochs.h"
#include "proto/frames.h"
#include "proto/packet.h"
#include "proto/path.h"
#include "proto/replay.h"

enum {
    HAIL_EPOCH_PACKETS_MAX = 1 << 23, // under one key (RFC 9001, section 6.6)
    HAIL_EPOCH_PACKETS_MIN = 1 << 10, // before the next may begin, or HAIL_EPOCH_MIN_MS
    HAIL_EPOCH_MIN_MS = 10000,
    HAIL_EPOCH_MAX_MS = 3600000,
    HAIL_EPOCH_KEPT_MS = 3000, // the one before, for packets that are late
    HAIL_CHALLENGE_RESEND_MS = 250,
    HAIL_CHALLENGES_MAX = 8, // or turns to send one; then the new address is forgotten
    HAIL_CONTROL_MAX = 64    // bytes of the longest control frame that a peer owes
};

// What is to be sent as soon as possible; each at most once.
enum hail_owed {
    HAIL_OWED_PING = 1u << 0,
    HAIL_OWED_PONG = 1u << 1,
    HAIL_OWED_RESPONSE = 1u << 2,  // to a path challenge, by the path that it came by
    HAIL_OWED_CHALLENGE = 1u << 3, // to `candidate`
    HAIL_OWED_WAIT = 1u << 4,
    HAIL_OWED_APPROVED = 1u << 5,
    HAIL_OWED_UPDATE = 1u << 6,
    HAIL_OWED_TICKET = 1u << 7
};

// Secret: hail_peer_cleanup.
struct hail_peer {
    bool is_server; // our end
    bool has_candidate;
    bool keeps_before; // packets of the receiving epoch before are taken until `before_until_ns`
    bool response_elsewhere; // the challenge came by the candidate path
    bool update_pending;     // begin a new sending epoch as soon as it may be
    uint8_t owed;            // enum hail_owed
    uint8_t challenges;      // sent to the candidate
    uint32_t conn_id;
    uint32_t candidate_room; // bytes that may go there before it is proven
    uint32_t ping_ms;        // client: after so long without a protected packet of ours; 0: never
    uint64_t client_id;      // in approved
    uint64_t next_number;
    uint64_t sent_ns;        // a protected packet: a plain one keeps nothing alive
    uint64_t epoch_since_ns; // of `send`
    uint64_t epoch_packets;
    uint64_t epoch_bytes;
    uint64_t before_until_ns;
    uint64_t challenge_ns; // when the next one is due
    uint8_t stretched[HAIL_STRETCHED_LEN];
    uint8_t pong[HAIL_FRAME_ECHO_LEN];
    uint8_t response[HAIL_FRAME_ECHO_LEN];
    uint8_t challenge[HAIL_FRAME_ECHO_LEN];
    struct hail_path address;   // to send to
    struct hail_path candidate; // a new one, not proven
    struct hail_replay protected_seen;
    struct hail_replay plain_seen;
    struct hail_traffic_keys send;
    struct hail_traffic_keys receive;
};

// hail_peer_init begins; fails only without memory.
//
// ping_ms  Client: time without a protected packet of our own after which a ping is owed; server:
// 0.
HAIL_MUST_USE bool hail_peer_init(struct hail_peer *peer, bool is_server, uint32_t conn_id,
                                  const uint8_t stretched[HAIL_STRETCHED_LEN],
                                  const struct hail_path *address, uint32_t ping_ms,
                                  uint64_t now_ns);
void hail_peer_cleanup(struct hail_peer *peer);

// A packet that has been opened.
struct hail_opened {
    uint32_t flags; // HAIL_FLAG_*: how it came; encrypted is authenticated as well
    uint64_t number;
    const uint8_t *frames;
    size_t frames_len;
};

// hail_peer_open opens a packet in place, and takes note of its number, its epoch, and where it
// came from. HAIL_ACCEPT, or a drop that changed nothing: HAIL_DROP_SHORT, _MALFORMED, _FORGED,
// _REPLAY, _EPOCH.
//
// epochs  Where keys of epochs other than the peer's are kept.
enum hail_verdict hail_peer_open(struct hail_peer *peer, struct hail_opened *opened,
                                 uint8_t *datagram, size_t len, const struct hail_path *from,
                                 struct hail_epochs *epochs, struct hail_random *random,
                                 uint64_t now_ns);

// hail_peer_control acts on a control frame of a protected packet: ping, pong, path, update,
// padding. The rest (close, approved, wait) mean something to the caller alone.
void hail_peer_control(struct hail_peer *peer, const struct hail_native_frame *frame,
                       const struct hail_path *from);

// hail_peer_heard says whether a protected packet has come from the peer yet.
bool hail_peer_heard(const struct hail_peer *peer);

// hail_peer_overhead returns what a packet to the peer has beside its frames.
size_t hail_peer_overhead(const struct hail_peer *peer, enum hail_protection protection);

// hail_peer_seal finishes a packet whose frames lie where hail_packet_frames_at says, under the
// next number and the current epoch. Returns the datagram's length; 0: the numbers are used up
// (never) or there is no memory for new keys.
size_t hail_peer_seal(struct hail_peer *peer, uint8_t *datagram, size_t frames_len,
                      enum hail_protection protection, uint64_t now_ns);

// hail_peer_owes says which of what is owed goes in a packet to `*to`; 0: nothing is. What is
// returned has been taken off the books.
uint8_t hail_peer_owes(struct hail_peer *peer, struct hail_path *to);

// hail_peer_frame fills in the frame for one bit of what is owed; of a ticket, the type alone.
void hail_peer_frame(const struct hail_peer *peer, enum hail_owed owed,
                     struct hail_native_frame *frame);

// hail_peer_update asks for a new sending epoch, and the other end for one of its own.
void hail_peer_update(struct hail_peer *peer);

// hail_peer_tick does what is due; hail_peer_next_ns returns when that is: UINT64_MAX never.
void hail_peer_tick(struct hail_peer *peer, uint64_t now_ns);
uint64_t hail_peer_next_ns(const struct hail_peer *peer);

#endif
