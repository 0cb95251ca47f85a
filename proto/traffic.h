// traffic.h: the keys of packets, by direction, purpose and epoch (WIRE.md, sections 2.6 and 4.1).
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_TRAFFIC_H
#define HAIL_PROTO_TRAFFIC_H

#include "crypto/aead.h"
#include "crypto/mac.h"

enum {
    HAIL_STRETCHED_LEN = 32,
    HAIL_TOKEN_LEN = 8
};

enum hail_direction {
    HAIL_TO_SERVER,
    HAIL_TO_CLIENT
};

// One direction's keys for one epoch, ready to use. A secret: hail_traffic_cleanup.
struct hail_traffic_keys {
    uint32_t epoch;
    uint8_t iv[HAIL_AEAD_NONCE_LEN];
    uint8_t token[HAIL_TOKEN_LEN]; // of plain packets, the same in every epoch
    struct hail_mac_key mac;
    struct hail_aead aead;
};

// hail_traffic_derive makes the keys of one direction and epoch. Fails only without memory.
HAIL_MUST_USE bool hail_traffic_derive(struct hail_traffic_keys *keys,
                                       const uint8_t stretched[HAIL_STRETCHED_LEN],
                                       enum hail_direction direction, uint32_t epoch);
void hail_traffic_cleanup(struct hail_traffic_keys *keys);

#endif
