// whole.c: see whole.h.
// SPDX-License-Identifier: MIT
#include "tests/sim/whole.h"

static uint32_t blocks_of(const struct hail_chain *chain, const struct hail_pool *pool)
{
    size_t block_len = pool->block_size - HAIL_BLOCK_LINK;

    return (uint32_t)((chain->start + chain->len + block_len - 1) / block_len);
}

// What one channel of a connection has waiting. `*held` grows by what it counts as.
static uint32_t blocks_waiting(const struct hail_shard *shard, size_t channel, size_t *held)
{
    const struct hail_native_shard *native = &shard->native;
    uint32_t blocks = 0;

    for (uint32_t message = native->send_channels[channel].first; message != HAIL_SLAB_NONE;) {
        const struct hail_send_message *one = hail_slab_at(&native->messages, message);
        blocks += blocks_of(&one->content, &shard->pool);
        *held += sizeof *one;
        message = one->after;
    }
    *held += blocks * (HAIL_BLOCK_MESSAGE + sizeof(struct hail_send_range));
    return blocks;
}

// The blocks of what one channel of a connection has received in part or before its turn. Each of
// it is found by its name. `*charge` grows by what it counts as.
static uint32_t blocks_arriving(struct sim *sim, const struct hail_shard *shard, uint32_t slot,
                                uint8_t channel, uint32_t *records, uint64_t *charge)
{
    uint32_t first = hail_reassembly_channels(shard, slot)[channel].first;
    uint32_t index = first;
    uint32_t blocks = 0;

    while (index != HAIL_SLAB_NONE) {
        const struct hail_reassembly *one = hail_reassembly_at(shard, index);
        blocks += one->message.blocks;
        *charge += hail_reassembly_charge(one->message.blocks, 1);
        if (hail_reassembly_find(shard, slot, channel, one->id) != index)
            sim_fail(sim, "a reassembly is not found by its name");
        if (++*records > shard->native.reassemblies.records.used_count) {
            sim_fail(sim, "reassemblies have leaked, or a channel's ring has no end");
            return blocks;
        }
        index = one->after == first ? HAIL_SLAB_NONE : one->after;
    }
    return blocks;
}

// A connection's packets under way, which it has counted; UINT32_MAX: it has not.
static uint32_t flights_of(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_sender *sender = &shard->native.conns[slot].sender;
    uint32_t count = 0;

    for (uint32_t index = sender->sent_first; index != HAIL_SLAB_NONE; count++)
        index = ((struct hail_sent_packet *)hail_slab_at(&shard->native.sent_packets, index))->next;
    return count == sender->sent_packets ? count : UINT32_MAX;
}

// A connection's own sums. `*records` grows by its reassemblies. Returns its blocks.
static uint32_t check_holding(struct sim *sim, const struct hail_shard *shard, uint32_t slot,
                              uint32_t *records)
{
    const struct hail_native *native = &shard->native.conns[slot];
    uint32_t blocks = blocks_of(&shard->conns[slot].in, &shard->pool);
    size_t held = blocks * HAIL_BLOCK_MESSAGE;
    uint64_t charge = 0;

    for (uint8_t i = 0; i < SIM_CHANNEL_COUNT; i++) {
        blocks += blocks_waiting(shard, slot * SIM_CHANNEL_COUNT + i, &held);
        blocks += blocks_arriving(sim, shard, slot, i, records, &charge);
    }
    if (charge != native->stored || held + charge != shard->quota.holders[slot].held)
        sim_fail(sim, "a connection holds more or less than it is charged with");
    if (charge > 0 && native->stall_ms == 0)
        sim_fail(sim, "something has begun to come and nobody looks after it");
    return blocks;
}

void sim_whole_check(struct sim *sim, const struct hail_shard *shard)
{
    uint32_t used = 0;
    uint32_t blocks = 0;
    uint32_t records = 0;
    uint32_t welcomes = 0;
    uint32_t sent_packets = 0;
    uint32_t handshakes = 0;
    uint32_t listed = 0;
    uint32_t proven = 0;

    for (uint32_t slot = 0; slot < shard->table.fresh; slot++) {
        const struct hail_conn_slot *conn = &shard->conns[slot];
        bool is_used = conn->state != HAIL_CONN_FREE;
        if (is_used != (atomic_load(&shard->table.slots[slot].generation) % 2 == 1))
            sim_fail(sim, "a slot and its name disagree on whether it is in use");
        if (!is_used && shard->quota.holders[slot].held != 0)
            sim_fail(sim, "a connection that has ended is charged with something");
        if (!is_used)
            continue;
        used++;
        sent_packets += flights_of(shard, slot);
        handshakes += !conn->proven && !conn->joined && conn->state > HAIL_CONN_WAITING &&
                      conn->state < HAIL_CONN_FLUSHING;
        listed += shard->sources.members[slot].source != 0;
        proven += conn->proven;
        welcomes += blocks_of(&conn->out, &shard->native.welcomes);
        blocks += check_holding(sim, shard, slot, &records);
    }
    if (used != shard->table.used_count)
        sim_fail(sim, "the table has lost count of its slots");
    if (blocks != shard->pool.used_count)
        sim_fail(sim, "blocks have leaked, or have two owners");
    if (records != shard->native.reassemblies.records.used_count)
        sim_fail(sim, "reassemblies have leaked, or have two owners");
    if (welcomes != shard->native.welcomes.used_count || welcomes > shard->handshake_count)
        sim_fail(sim, "welcomes have leaked, or are kept for those who need none");
    if (sent_packets != shard->native.sent_packets.used_count)
        sim_fail(sim, "records of packets have leaked");
    if (handshakes != shard->handshake_count || listed != handshakes)
        sim_fail(sim, "the list of handshakes is not whole");
    if (proven != shard->proven_count)
        sim_fail(sim, "places of conns_max have been lost count of");
    if (shard->outbox.count != 0)
        sim_fail(sim, "a datagram was left behind");
}
