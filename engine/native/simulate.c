// simulate.c: see simulate.h.
// SPDX-License-Identifier: MIT
#include "engine/native/simulate.h"

#include "engine/native/state.h"

static void set(struct hail_shard *shard, uint32_t slot, enum hail_netsim_way way,
                const struct hail_simulation *how)
{
    struct hail_conn conn = hail_table_name(&shard->table, slot);
    uint64_t seed;

    if (how && how->seed != 0)
        seed = hail_netsim_seed(how->seed, shard->context->is_server, conn);
    else
        hail_random_bytes(&shard->random, &seed, sizeof seed);
    hail_netsim_set(&shard->native->netsim, slot, conn, way, how, seed, shard->now_ns);
}

void hail_simulate_begin(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_simulation *how = shard->context->config.native.simulation;

    for (int way = 0; how && way < HAIL_NETSIM_WAYS; way++)
        set(shard, slot, (enum hail_netsim_way)way, how);
}

void hail_simulate_end(struct hail_shard *shard, uint32_t slot)
{
    for (int way = 0; shard->native->netsim.paths && way < HAIL_NETSIM_WAYS; way++)
        shard->native->netsim.paths[slot][way].on = false;
}

void hail_simulate_set(struct hail_shard *shard, uint32_t slot,
                       const struct hail_simulate_order *order)
{
    for (int way = 0; way < HAIL_NETSIM_WAYS; way++)
        set(shard, slot, (enum hail_netsim_way)way, order->on[way] ? &order->how[way] : NULL);
}

bool hail_simulate_takes(struct hail_shard *shard, uint32_t slot, enum hail_netsim_way way,
                         const struct hail_path *address, const uint8_t *data, size_t len)
{
    if (!hail_netsim_on(&shard->native->netsim, slot, way))
        return false;
    hail_netsim_put(&shard->native->netsim, slot, hail_table_name(&shard->table, slot), way,
                    address, data, len, shard->now_ns);
    hail_stat_set(&shard->stats, HAIL_STAT_SIMULATED_LOST, shard->native->netsim.lost);
    return true;
}
