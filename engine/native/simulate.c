// simulate.c: see simulate.h.
// SPDX-License-Identifier: MIT
#include "engine/native/simulate.h"

#include "engine/native/packets.h"

static void set(struct hail_shard *shard, uint32_t slot, enum hail_netsim_way way,
                const struct hail_simulation *how)
{
    uint64_t seed;

    hail_random_bytes(&shard->random, &seed, sizeof seed);
    hail_netsim_set(&shard->native->netsim, slot, hail_table_name(&shard->table, slot), way, how,
                    seed, shard->now_ns);
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
                         const struct hail_address *address, const uint8_t *data, size_t len)
{
    if (!hail_netsim_on(&shard->native->netsim, slot, way))
        return false;
    hail_netsim_put(&shard->native->netsim, slot, hail_table_name(&shard->table, slot), way,
                    address, data, len, shard->now_ns);
    hail_stat_set(&shard->stats, HAIL_STAT_SIMULATED_LOST, shard->native->netsim.lost);
    return true;
}

// Whether the connection that it was held for still has the slot.
static bool is_current(const struct hail_shard *shard, const struct hail_netsim_held *held)
{
    return hail_table_find(&shard->table, held->conn) == held->slot;
}

static void release(struct hail_shard *shard, struct hail_netsim_held *held)
{
    if (held->rebinds) {
        if (is_current(shard, held)) {
            shard->conns[held->slot].rebinds = true;
            hail_queue_push(&shard->output, held->slot);
        }
    } else if (held->way == HAIL_NETSIM_IN) {
        if (is_current(shard, held))
            hail_native_arrived(shard, held->slot, &held->address, held->data, held->len);
    } else if (shard->context->is_server) { // whose last words outlive the connection
        hail_packets_whole(shard, HAIL_SLOT_NONE, &held->address, held->data, held->len);
    } else if (is_current(shard, held)) {
        hail_packets_simulated(shard, held->slot, held->data, held->len);
    }
}

void hail_simulate_turn(struct hail_shard *shard)
{
    struct hail_netsim_held *held;

    if (!shard->native->netsim.paths)
        return;
    while ((held = hail_netsim_take(&shard->native->netsim, shard->now_ns))) {
        release(shard, held);
        hail_netsim_free(&shard->native->netsim, held);
    }
}
