// packet.h: packets (WIRE.md, section 4): their header, and their protection under given keys.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_PACKET_H
#define HAIL_PROTO_PACKET_H

#include "proto/traffic.h"
#include "proto/verdict.h"

enum {
    HAIL_DATAGRAM_MAX = 1200, // of the handshake's, and of packets on a path not known to take more
    HAIL_PACKET_MAX = 1452,   // that every end takes: what Ethernet's 1,500 leave over IPv6 and UDP
    HAIL_PACKET_TO_SERVER_LEN = 1 + 4 + 3, // headers
    HAIL_PACKET_TO_CLIENT_LEN = 1 + 3,
    HAIL_PACKET_TAG_LEN = HAIL_AEAD_TAG_LEN // and of the truncated HMAC
};

// Values as they lie in the first byte's top bits.
enum hail_protection {
    HAIL_PROTECTION_PLAIN = 1,
    HAIL_PROTECTION_AUTHENTICATED = 2,
    HAIL_PROTECTION_ENCRYPTED = 3
};

struct hail_packet_header {
    enum hail_protection protection;
    uint8_t epoch_low; // modulo 4; 0 in plain packets
    uint32_t conn_id;  // to the server; else 0
    uint32_t low24;    // of the number
};

// hail_packet_header_len returns the bytes of a header in this direction.
size_t hail_packet_header_len(enum hail_direction direction);

// hail_packet_overhead returns all that a packet has beside its frames: header, and token or tag.
size_t hail_packet_overhead(enum hail_direction direction, enum hail_protection protection);

// hail_packet_frames_at returns where in a packet its frames begin.
size_t hail_packet_frames_at(enum hail_direction direction, enum hail_protection protection);

// hail_packet_decode reads the header of a datagram that is a packet. HAIL_ACCEPT, HAIL_DROP_SHORT
// (no room for a frame with its protection) or HAIL_DROP_MALFORMED (a handshake message, reserved
// bits, too long); `header` is written on HAIL_ACCEPT only.
enum hail_verdict hail_packet_decode(struct hail_packet_header *header,
                                     enum hail_direction direction, const uint8_t *datagram,
                                     size_t len);

// hail_packet_seal finishes a packet: the frames lie at hail_packet_frames_at in `datagram`, which
// has room for hail_packet_overhead bytes more than `frames_len`.
//
// number   The 64-bit packet number; never the same twice in a direction of a connection.
//
// Returns  The datagram's length.
// Cost     No allocation.
size_t hail_packet_seal(uint8_t *datagram, size_t frames_len, enum hail_direction direction,
                        enum hail_protection protection, uint32_t conn_id, uint64_t number,
                        const struct hail_traffic_keys *keys);

// hail_packet_open checks a decoded packet and decrypts it in place. HAIL_ACCEPT, and the frames
// are at hail_packet_frames_at, `*frames_len` bytes; or HAIL_DROP_FORGED.
enum hail_verdict hail_packet_open(uint8_t *datagram, size_t len, size_t *frames_len,
                                   enum hail_direction direction,
                                   const struct hail_packet_header *header, uint64_t number,
                                   const struct hail_traffic_keys *keys);

#endif
