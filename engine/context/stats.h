// stats.h: what a shard counts. One thread writes, any thread reads.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_STATS_H
#define HAIL_ENGINE_CONTEXT_STATS_H

#include <stdatomic.h>

#include "crypto/meter.h"
#include "engine/hail.h"
#include "proto/verdict.h"

// Counters by name, then one for each reason to close, then one for each verdict. Gauges can fall.
enum hail_stat {
    HAIL_STAT_CONNS_OPEN, // gauge
    HAIL_STAT_CONNS_ACCEPTED,
    HAIL_STAT_CONNS_REFUSED, // conns_max was reached, or the server is stopping
    HAIL_STAT_ACCEPT_ERRORS,
    HAIL_STAT_HANDSHAKES_OPEN,    // gauge: by who has not proven any keys
    HAIL_STAT_PREFIX_CROWDED_OUT, // of closed_crowded_out: handshakes_per_prefix was reached
    HAIL_STAT_HANDSHAKES_DONE,
    HAIL_STAT_HANDSHAKES_RESUMED, // of them with a ticket
    HAIL_STAT_TICKETS_ISSUED,
    HAIL_STAT_RECONNECTS, // attempts of clients to come back by themselves
    HAIL_STAT_HAILS_MADE, // fresh keys, and signatures if signing
    HAIL_STAT_REQUESTS,
    HAIL_STAT_MESSAGES_IN_PLAIN, // the next three: index plus flags
    HAIL_STAT_MESSAGES_IN_ENCRYPTED,
    HAIL_STAT_MESSAGES_IN_AUTHENTICATED,
    HAIL_STAT_MESSAGES_IN_BOTH,
    HAIL_STAT_MESSAGES_OUT_PLAIN,
    HAIL_STAT_MESSAGES_OUT_ENCRYPTED,
    HAIL_STAT_MESSAGES_OUT_AUTHENTICATED,
    HAIL_STAT_MESSAGES_OUT_BOTH,
    HAIL_STAT_BYTES_IN,
    HAIL_STAT_BYTES_OUT,
    HAIL_STAT_BYTES_WAITING, // gauge: of buffers_max
    HAIL_STAT_SENDS_FAILED,  // sends from other threads that could not be done when their turn came
    HAIL_STAT_COMMANDS_REFUSED, // calls from other threads that command_queue_bytes had no room for
    HAIL_STAT_BUFFERS_FULL,     // times that buffers_max, or one's share of it, stood in the way
    HAIL_STAT_GROUPS_FULL,      // times that groups_max or memberships_max stood in the way
    HAIL_STAT_EVENTS_HELD,      // times that hail_poll was behind and a connection had to wait
    HAIL_STAT_DATAGRAMS_IN,
    HAIL_STAT_DATAGRAMS_OUT,
    HAIL_STAT_DATAGRAMS_UNSENT, // the kernel would not take them, or the shard had no room
    HAIL_STAT_DATAGRAMS_PASSED, // came to another shard than their connection's, and were passed on
    HAIL_STAT_RETRIES,          // hellos answered with a cookie
    HAIL_STAT_HELLOS_ADMITTED,  // gauge: of 1,000 without a cookie; the kernel drops the others
    HAIL_STAT_COOKIES_ADMITTED, // gauge: of 1,000 with a cookie that may be good; likewise
    HAIL_STAT_SOCKET_DROPS,     // datagrams that the kernel dropped: hellos, or for lack of room
    HAIL_STAT_KEYS_STRETCHED,
    HAIL_STAT_PATHS_CHANGED,   // peers whose address changed
    HAIL_STAT_SOURCES_CHANGED, // client: connections that took another source address
    HAIL_STAT_PATH_PROBES,     // packets of nothing but padding, to find how long they may be
    HAIL_STAT_PATH_FALLS,      // long packets no longer passed
    HAIL_STAT_PACKETS_LOST,    // that were not acknowledged and others overtook
    HAIL_STAT_BYTES_RESENT,    // of reliable messages
    HAIL_STAT_PROBES,          // sent when no acknowledgement came
    HAIL_STAT_SIMULATED_LOST,  // datagrams, by hail_simulate
    HAIL_STAT_CALLS_TIMED_OUT,
    HAIL_STAT_MESSAGES_LATE,   // unreliable, and not sent since they had waited for too long
    HAIL_STAT_MESSAGES_TORN,   // unreliable, and given up with parts missing
    HAIL_STAT_PACKETS_USELESS, // with parts of messages, none of which was new or had room
    HAIL_STAT_RECV_STARVED,    // times that the kernel had no receive buffer
    HAIL_STAT_WAKEUPS,
    HAIL_STAT_SPENT_PROTOCOL, // CPU time in nanoseconds, with measures_cost: in the order of
    HAIL_STAT_SPENT_CRYPTO,   // enum hail_spent
    HAIL_STAT_SPENT_COPY,
    HAIL_STAT_SPENT_SYSTEM,
    HAIL_STAT_OF_THEIR_OWN // how many there are but for those below
};

// And one for each reason to close, and for each verdict, which are added to these.
enum {
    HAIL_STAT_CLOSED_FIRST = HAIL_STAT_OF_THEIR_OWN,
    HAIL_STAT_DROPPED_FIRST = (int)HAIL_STAT_CLOSED_FIRST + (int)HAIL_CLOSE_REASON_COUNT,
    HAIL_STAT_COUNT = (int)HAIL_STAT_DROPPED_FIRST + (int)HAIL_VERDICT_COUNT
};

_Static_assert(HAIL_STAT_SPENT_SYSTEM - HAIL_STAT_SPENT_PROTOCOL == HAIL_SPENT_SYSTEM,
               "one counter for each part");

struct hail_stats {
    _Atomic uint64_t counts[HAIL_STAT_COUNT];
};

// What a channel counts, over all connections of a shard.
struct hail_channel_stats {
    _Atomic uint64_t messages[2]; // in, out
    _Atomic uint64_t bytes[2];    // of their payloads
    _Atomic uint64_t below_floor;
    _Atomic uint64_t late;
    _Atomic uint64_t waited; // messages that did not leave at once
    _Atomic uint64_t waited_us;
    _Atomic uint64_t waited_max_us;
};

// hail_counter_add adds to a counter that one thread writes and any reads: a load and a store, not
// an atomic addition.
static inline void hail_counter_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

// hail_stat_add adds to a counter; hail_stat_set sets a gauge.
// Threads  The writer's.
static inline void hail_stat_add(struct hail_stats *stats, unsigned stat, uint64_t amount)
{
    hail_counter_add(&stats->counts[stat], amount);
}

static inline void hail_stat_set(struct hail_stats *stats, unsigned stat, uint64_t value)
{
    atomic_store_explicit(&stats->counts[stat], value, memory_order_relaxed);
}

static inline uint64_t hail_stat_get(const struct hail_stats *stats, unsigned stat)
{
    return atomic_load_explicit(&stats->counts[stat], memory_order_relaxed);
}

// hail_stat_name returns a counter's stable name; never NULL.
const char *hail_stat_name(unsigned stat);

#endif
