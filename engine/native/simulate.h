// simulate.h: where a shard's datagrams go through its bad network (netsim.h), for connections that
// hail_simulate has switched it on for.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_SIMULATE_H
#define HAIL_ENGINE_NATIVE_SIMULATE_H

#include "engine/native/netsim.h"

// What hail_simulate asks for, as it crosses threads.
struct hail_simulate_order {
    bool on[HAIL_NETSIM_WAYS];
    struct hail_simulation how[HAIL_NETSIM_WAYS];
};

struct hail_shard;

// hail_simulate_begin has a connection that begins go through what the config says for all.
void hail_simulate_begin(struct hail_shard *shard, uint32_t slot);

// hail_simulate_end takes note that a slot's connection has ended.
void hail_simulate_end(struct hail_shard *shard, uint32_t slot);

// hail_simulate_set carries out what hail_simulate asks for.
void hail_simulate_set(struct hail_shard *shard, uint32_t slot,
                       const struct hail_simulate_order *order);

// hail_simulate_takes says whether it has taken a datagram of a connection, which is then to go no
// further; it comes back when it is due.
HAIL_MUST_USE bool hail_simulate_takes(struct hail_shard *shard, uint32_t slot,
                                       enum hail_netsim_way way, const struct hail_path *address,
                                       const uint8_t *data, size_t len);

#endif
