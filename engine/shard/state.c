// state.c: see state.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/state.h"

#include <unistd.h>

static _Thread_local struct hail_shard *current;

struct hail_shard *hail_shard_current(void)
{
    return current;
}

void hail_shard_enter(struct hail_shard *shard)
{
    current = shard;
    shard->owned = true;
}

void hail_shard_wake(struct hail_shard *shard)
{
    uint64_t one = 1;

    if (!hail_mailbox_wake(&shard->commands))
        return;
    ssize_t written = write(shard->wake_fd, &one, sizeof one);
    HAIL_ASSERT(written == sizeof one); // an eventfd whose reader is never 2^64 behind
}

void hail_shard_drop(struct hail_shard *shard, uint32_t slot, enum hail_verdict verdict)
{
    HAIL_ASSERT(verdict != HAIL_ACCEPT);
    hail_stat_add(&shard->stats, HAIL_STAT_DROPPED_FIRST + verdict, 1);
    if (slot != HAIL_SLOT_NONE)
        hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_DROPPED, 1);
}

bool hail_shard_allows(struct hail_shard *shard, uint32_t slot, size_t bytes)
{
    if (hail_quota_allows(&shard->quota, slot, bytes))
        return true;
    hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
    return false;
}

void hail_shard_message(struct hail_shard *shard, uint32_t slot,
                        const struct hail_message_view *message, bool is_incoming)
{
    enum hail_conn_figure traffic =
        is_incoming ? HAIL_CONN_FIGURE_MESSAGES_IN : HAIL_CONN_FIGURE_MESSAGES_OUT;
    unsigned stat = is_incoming ? HAIL_STAT_MESSAGES_IN_PLAIN : HAIL_STAT_MESSAGES_OUT_PLAIN;
    struct hail_channel_stats *channel = &shard->channels[message->channel];

    HAIL_ASSERT(message->flags <= HAIL_FLAGS_BOTH); // it picks a counter
    hail_stat_add(&shard->stats, stat + message->flags, 1);
    hail_table_count(&shard->table, slot, (enum hail_conn_figure)(traffic + message->flags), 1);
    hail_counter_add(&channel->messages[!is_incoming], 1);
    hail_counter_add(&channel->bytes[!is_incoming], message->body_len);
}
