// delivery.c: see delivery.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/delivery.h"

enum {
    SENT_PACKETS_EXTRA = 65536, // records of packets beside HAIL_SENT_PACKETS_PER_SLOT
    NEIGHBOURS = HAIL_REASSEMBLY_NEIGHBOURS
};

void hail_delivery_reserve_conns(struct hail_delivery *delivery, struct hail_arena *arena)
{
    size_t slots = delivery->limits.slots;
    size_t channels = slots * hail_policy_channel_count(delivery->policy);

    delivery->conns = hail_arena_take(arena, slots, sizeof(struct hail_delivery_conn));
    delivery->unordered_count = hail_policy_unordered_before(delivery->policy, SIZE_MAX);
    delivery->newest = hail_arena_take(arena, channels, sizeof(uint64_t));
    delivery->send_channels = hail_arena_take(arena, channels, sizeof(struct hail_send_channel));
    delivery->receive_channels =
        hail_arena_take(arena, channels, sizeof(struct hail_receive_channel));
    delivery->taken = hail_arena_take(arena, slots * delivery->unordered_count, HAIL_AHEAD_MAX / 8);
    delivery->claimed = hail_arena_take(arena, slots, sizeof(uint32_t));
    hail_queue_init(&delivery->ready, arena, delivery->limits.slots);
}

static void reserve_reassemblies(struct hail_reassembly_table *reassemblies,
                                 struct hail_arena *arena, uint32_t count)
{
    hail_slab_init(&reassemblies->records, arena, count, sizeof(struct hail_reassembly));
    reassemblies->bucket_count = HAIL_REASSEMBLY_NEIGHBOURS;
    while (reassemblies->bucket_count < count)
        reassemblies->bucket_count *= 2;
    reassemblies->buckets = hail_arena_take(arena, reassemblies->bucket_count, sizeof(uint32_t));
}

void hail_delivery_reserve(struct hail_delivery *delivery, struct hail_arena *arena)
{
    uint32_t slots = delivery->limits.slots;
    uint32_t blocks = (uint32_t)(delivery->limits.buffers_max / HAIL_BLOCK_MESSAGE);

    hail_outbox_init(&delivery->outbox, arena, slots);
    // Blocks are what is short first, but where messages are tiny.
    hail_slab_init(&delivery->messages, arena, blocks / 2, sizeof(struct hail_send_message));
    hail_slab_init(&delivery->ranges, arena, blocks, sizeof(struct hail_send_range));
    hail_slab_init(&delivery->sent_packets, arena,
                   slots * HAIL_SENT_PACKETS_PER_SLOT + SENT_PACKETS_EXTRA,
                   sizeof(struct hail_sent_packet));
    reserve_reassemblies(&delivery->reassemblies, arena, blocks / 2);
    hail_quota_watch(delivery->quota, &delivery->messages.used_count, delivery->messages.count);
    hail_quota_watch(delivery->quota, &delivery->reassemblies.records.used_count,
                     delivery->reassemblies.records.count);
}

void hail_delivery_begin(struct hail_delivery *delivery, uint32_t slot)
{
    struct hail_delivery_conn *conn = &delivery->conns[slot];

    HAIL_ASSERT(conn->stored == 0);
    *conn = (struct hail_delivery_conn){
        .out_first = HAIL_OUTGOING_NONE,
        .out_last = HAIL_OUTGOING_NONE,
    };
    hail_acks_init(&conn->acks);
}

void hail_delivery_drop(struct hail_delivery *delivery, uint32_t slot, enum hail_verdict verdict)
{
    hail_stat_add(delivery->stats, HAIL_STAT_DROPPED_FIRST + verdict, 1);
    hail_figure_count(&delivery->published[slot], HAIL_CONN_FIGURE_DROPPED, 1);
}
