// epochs.h: keys of epochs that connections have not come to, or have left: derived once and kept,
// so that a forged packet with another epoch's bits costs no more than one with its own's (WIRE.md,
// section 4.1; RFC 9001, section 6.3). They are kept for all connections together, since next to
// none needs them at a time.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_EPOCHS_H
#define HAIL_PROTO_EPOCHS_H

#include "proto/traffic.h"

enum {
    HAIL_EPOCHS_WAYS = 4, // keys side by side: more than the epochs of a connection that are tried
    HAIL_EPOCHS_MOST = 1024,  // keys kept
    HAIL_EPOCHS_PER_S = 20000 // derived; each takes some 2 us
};

// The keys of one epoch of one connection. Secret.
struct hail_epoch {
    bool used;
    enum hail_direction direction;
    uint8_t stretched[HAIL_STRETCHED_LEN]; // the connection
    struct hail_traffic_keys keys;
};

struct hail_epochs {
    struct hail_epoch *list; // HAIL_EPOCHS_WAYS for each hash of a connection
    uint32_t count;          // a power of two, at least HAIL_EPOCHS_WAYS
    uint32_t victim;         // of the ways: which gives way next
    uint32_t derived;        // since `since_ns`
    uint64_t since_ns;       // when this second began
};

// hail_epochs_count returns for how many keys to reserve memory, for so many connections.
uint32_t hail_epochs_count(uint32_t connections);

// hail_epochs_init takes `count` zeroed places.
void hail_epochs_init(struct hail_epochs *epochs, struct hail_epoch *list, uint32_t count);

// hail_epochs_find returns the keys of an epoch, which are good until the next call. NULL: so many
// were derived in this second that no more are, or there is no memory.
const struct hail_traffic_keys *hail_epochs_find(struct hail_epochs *epochs,
                                                 const uint8_t stretched[HAIL_STRETCHED_LEN],
                                                 enum hail_direction direction, uint32_t epoch,
                                                 uint64_t now_ns);

// hail_epochs_forget wipes what is kept of a connection.
void hail_epochs_forget(struct hail_epochs *epochs, const uint8_t stretched[HAIL_STRETCHED_LEN]);

#endif
