// netsim.h: a bad network inside a shard, for tests: datagrams of connections that it is switched
// on for are lost, late, doubled or out of turn, by dice that a seed rolls. Sans-IO: time comes in,
// and what is due is taken out.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_NETSIM_H
#define HAIL_ENGINE_NATIVE_NETSIM_H

#include "engine/delivery/outbox.h"
#include "engine/hail.h"
#include "engine/memory/slab.h"

enum hail_netsim_way {
    HAIL_NETSIM_IN,
    HAIL_NETSIM_OUT,
    HAIL_NETSIM_WAYS
};

// One direction of a connection.
struct hail_netsim_path {
    struct hail_simulation how;
    bool on;
    uint64_t dice;
    uint64_t free_ns; // when the rate has let through what has come so far
    uint64_t last_ns; // when the last that keeps its turn arrives
    uint64_t rebinds; // the order of what is held for the next change of the port
};

// A datagram on its way, or the time to change a client's port.
struct hail_netsim_held {
    uint64_t due_ns;
    uint64_t order; // among those due at once
    struct hail_conn conn;
    uint32_t slot;
    uint8_t way;
    bool rebinds; // no datagram: the port is to be changed
    uint16_t len;
    struct hail_path address; // in: where it came from; out: where it goes
    uint8_t data[HAIL_OUTBOX_ROOM];
};

struct hail_netsim {
    struct hail_netsim_path (*paths)[HAIL_NETSIM_WAYS]; // for each slot
    struct hail_slab held;
    uint32_t *heap; // of what is held, the earliest first
    uint32_t count;
    uint64_t made;
    uint64_t lost; // for whatever reason
};

// hail_netsim_init takes the memory for `max` datagrams; 0: none, and it is never on.
void hail_netsim_init(struct hail_netsim *netsim, struct hail_arena *arena, uint32_t slots,
                      uint32_t max);

// hail_netsim_seed returns what a connection's dice start from: each of a simulation's has its own,
// and the same again with the same seed.
uint64_t hail_netsim_seed(uint64_t seed, bool is_server, struct hail_conn conn);

// hail_netsim_set has one direction of a connection go through the simulation; NULL: not any more,
// and what is on its way still arrives.
//
// seed  What the dice of both directions start from, each in its own way; `how->seed` is not used.
void hail_netsim_set(struct hail_netsim *netsim, uint32_t slot, struct hail_conn conn,
                     enum hail_netsim_way way, const struct hail_simulation *how, uint64_t seed,
                     uint64_t now_ns);

// hail_netsim_on says whether it is on for a direction of a slot's connection.
static inline bool hail_netsim_on(const struct hail_netsim *netsim, uint32_t slot,
                                  enum hail_netsim_way way)
{
    return netsim->paths && netsim->paths[slot][way].on;
}

// hail_netsim_put takes a datagram: a copy. It is on for it.
void hail_netsim_put(struct hail_netsim *netsim, uint32_t slot, struct hail_conn conn,
                     enum hail_netsim_way way, const struct hail_path *address, const uint8_t *data,
                     size_t len, uint64_t now_ns);

// hail_netsim_take returns what is due, the earliest first; NULL: nothing is. It is the caller's
// until hail_netsim_free.
struct hail_netsim_held *hail_netsim_take(struct hail_netsim *netsim, uint64_t now_ns);
void hail_netsim_free(struct hail_netsim *netsim, struct hail_netsim_held *held);

// hail_netsim_next_ns returns when something is due next; UINT64_MAX: never.
uint64_t hail_netsim_next_ns(const struct hail_netsim *netsim);

#endif
