// figures.h: what is published of a connection: written by its shard alone, read by any thread.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_FIGURES_H
#define HAIL_ENGINE_CONTEXT_FIGURES_H

#include "crypto/base.h"
#include "engine/context/stats.h"

#define HAIL_SLOT_NONE UINT32_MAX

enum hail_conn_figure {
    HAIL_CONN_FIGURE_MESSAGES_IN,                                     // plus flags
    HAIL_CONN_FIGURE_MESSAGES_OUT = HAIL_CONN_FIGURE_MESSAGES_IN + 4, // likewise
    HAIL_CONN_FIGURE_BYTES_IN = HAIL_CONN_FIGURE_MESSAGES_OUT + 4,
    HAIL_CONN_FIGURE_BYTES_OUT,
    HAIL_CONN_FIGURE_PACKETS_IN,
    HAIL_CONN_FIGURE_PACKETS_OUT,
    HAIL_CONN_FIGURE_PACKETS_LOST,
    HAIL_CONN_FIGURE_BYTES_RESENT,
    HAIL_CONN_FIGURE_DROPPED,
    HAIL_CONN_FIGURE_UNSENT, // gauge, as those that follow
    HAIL_CONN_FIGURE_HANDSHAKE_US,
    HAIL_CONN_FIGURE_WAITED_US, // by the last message that had to
    HAIL_CONN_FIGURE_RTT_US,
    HAIL_CONN_FIGURE_JITTER_US,
    HAIL_CONN_FIGURE_DATAGRAM_MAX,
    HAIL_CONN_FIGURE_MESSAGE_MAX,
    HAIL_CONN_FIGURE_COUNT
};

// What is published of a slot: written by its shard alone, read by anybody. Facts, key and address
// change together, under `sequence` (odd while they do); traffic is a set of independent counters.
struct hail_slot_public {
    _Alignas(HAIL_CACHE_LINE) _Atomic uint32_t sequence;
    _Atomic uint32_t generation; // even while free, odd while in use
    _Atomic uint32_t facts;
    _Atomic uint64_t key[HAIL_KEY_LEN / 8];
    _Atomic uint64_t peer[4]; // a sockaddr_in6 or sockaddr_in, in words
    _Atomic uint64_t traffic[HAIL_CONN_FIGURE_COUNT];
};

// hail_figure_count adds to a traffic counter, hail_figure_gauge sets one.
static inline void hail_figure_count(struct hail_slot_public *slot, enum hail_conn_figure which,
                                     uint64_t amount)
{
    hail_counter_add(&slot->traffic[which], amount);
}

static inline void hail_figure_gauge(struct hail_slot_public *slot, enum hail_conn_figure which,
                                     uint64_t value)
{
    atomic_store_explicit(&slot->traffic[which], value, memory_order_relaxed);
}

#endif
