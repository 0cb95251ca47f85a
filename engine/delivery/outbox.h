// outbox.h: the datagrams of one turn: packets being filled, connection by connection, and
// handshake datagrams, until the backend takes them. Messages of one connection and one protection
// that are sent in the same turn share a packet; packets of one connection share a send.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_OUTBOX_H
#define HAIL_ENGINE_DELIVERY_OUTBOX_H

#include "engine/memory/slab.h"
#include "proto/packet.h"
#include "proto/path.h"

enum {
    HAIL_OUTBOX_CROWDED = 2048, // datagrams; before more comes in, these go out
    HAIL_OUTBOX_EXTRA = 4096,   // beside one for each slot, so that a message to all finds room
    HAIL_OUTBOX_ROOM = 1472,    // bytes for each: whole cache lines
    HAIL_OUTGOING_WHOLE = 0     // beside the values of enum hail_protection: nothing is to be done
};

#define HAIL_OUTGOING_NONE UINT32_MAX

// One datagram.
struct hail_outgoing {
    uint32_t slot;      // its connection; HAIL_SLOT_NONE: a stranger
    uint32_t next;      // of the same connection; HAIL_OUTGOING_NONE: the last
    uint16_t len;       // of its frames so far; once it is whole, of the datagram
    uint16_t last;      // where its last frame begins
    uint8_t protection; // enum hail_protection, or HAIL_OUTGOING_WHOLE
    uint8_t parts;      // of messages in it, as HAIL_PARTS_MAX counts them
    bool elsewhere;     // to `to`, and not to the connection's address
    bool given;         // to the backend
    bool simulated;     // it has been through the simulated network
    bool alone;         // in no GSO batch: the kernel may not take so long a one
    uint32_t sent;      // the sender's record of it; HAIL_SLAB_NONE: it has none
    struct hail_path to;
};

struct hail_outbox {
    struct hail_outgoing *list;
    uint8_t *bytes; // HAIL_OUTBOX_ROOM for each
    uint32_t max;
    uint32_t count;
    uint32_t read; // the first that may not have been given
};

// hail_outbox_init takes the outbox's memory from `arena`, for a shard with so many slots.
void hail_outbox_init(struct hail_outbox *outbox, struct hail_arena *arena, uint32_t slots);

// hail_outbox_add begins a datagram and returns its index; HAIL_OUTGOING_NONE: the outbox is full.
uint32_t hail_outbox_add(struct hail_outbox *outbox, uint32_t slot, uint8_t protection);

// hail_outbox_bytes returns where a datagram lies.
uint8_t *hail_outbox_bytes(const struct hail_outbox *outbox, uint32_t index);

// hail_outbox_next returns the next datagram to give to the backend; HAIL_OUTGOING_NONE: there is
// none.
uint32_t hail_outbox_next(struct hail_outbox *outbox);

// hail_outbox_clear empties an outbox of which everything was given, and is gone.
void hail_outbox_clear(struct hail_outbox *outbox);

#endif
