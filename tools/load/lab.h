// lab.h: the clients that make the load: joining, handshakes by the thousand, idle connections.
// What they send and check once they have joined is in traffic.h.
// SPDX-License-Identifier: MIT
//
// Threads  One thread conducts: it connects, starts and ends a run, and waits. Events arrive on the
//          client's shards. Each shard has a lane, which it alone writes while something runs; each
//          connection's state belongs to its shard, but for what is atomic.
#ifndef HAIL_TOOLS_LOAD_LAB_H
#define HAIL_TOOLS_LOAD_LAB_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "engine/hail.h"
#include "tools/load/dump.h"
#include "tools/load/histogram.h"
#include "tools/load/plan.h"
#include "tools/process.h"
#include "tools/progress.h"

enum {
    LAB_FAULT_LEN = 512
};

// What a shard of the client writes.
struct lab_lane {
    struct histogram latency;
    _Atomic uint64_t arrived; // messages or handshakes; the shard writes, the conductor reads
    uint8_t *message;         // room to make one in
};

// A connection, by its tag minus one.
struct lab_player {
    struct hail_conn conn;
    bool has_joined;
    uint64_t joined_ns;
    size_t ticket_len; // with which to come back; 0: none
    uint8_t ticket[HAIL_TICKET_MAX];
    uint64_t called_ns;          // before hail_connect
    _Atomic uint64_t started_ns; // after it, when the name has been looked up; 0: not yet
    _Atomic uint64_t sent;       // of this run
    _Atomic uint64_t received;
    // Profile hail: which of the latest 64 have come, by the distance to the newest.
    uint64_t window;
    uint64_t newest;  // and one
    uint64_t seen;    // the conductor's: as many received
    uint64_t seen_ns; // when it last saw more
};

enum lab_phase {
    LAB_JOINING, // connections are made and kept
    LAB_STORM,   // connections are made and closed at once
    LAB_RUNNING, // they are there and may not end
    LAB_ENDING   // they may
};

struct lab {
    const struct plan *plan;
    struct progress *progress;
    struct hail_endpoint *endpoint;
    struct lab_player *players;
    uint32_t player_count;
    struct lab_lane *lanes; // one a shard
    _Atomic uint32_t lane_count;
    _Atomic int phase; // enum lab_phase
    sem_t news;        // posted when a connection has joined or ended while they are being made
    struct traffic *traffic; // the run
    struct dump *dump;       // NULL: none

    // Under `lock`.
    pthread_mutex_t lock;
    uint32_t *free_players; // storm: a stack of those that can connect again
    uint32_t free_count;
    char fault[LAB_FAULT_LEN]; // the first; empty: none

    _Atomic uint32_t joined;
    _Atomic uint32_t resumed; // by a ticket
    _Atomic uint32_t lost;    // after they joined
    _Atomic uint64_t fault_count;
};

// lab_open starts a client with room for `player_count` connections. `dump` may be NULL. False:
// told on stderr.
bool lab_open(struct lab *lab, const struct plan *plan, struct progress *progress,
              struct dump *dump, uint32_t player_count);
void lab_close(struct lab *lab);

// What a storm, or many joins, came to.
struct lab_handshakes {
    uint32_t wanted;
    uint32_t count; // done; fewer when there was a fault, and 0 leaves the rest empty
    uint32_t concurrent;
    uint32_t resumed; // of those that were done
    double seconds;
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t max_ns;
    bool has_server_cpu;
    double server_us; // CPU time each
};

// lab_join makes all connections and waits until they have joined, at most PLAN_CONCURRENT_MAX at a
// time. False: there is a fault, and not all have joined.
bool lab_join(struct lab *lab, struct lab_handshakes *out);

// lab_storm connects, joins and closes `count` times, over the players there are. False: a fault.
bool lab_storm(struct lab *lab, uint32_t count, struct lab_handshakes *out);

// What keeping idle connections came to.
struct lab_idle {
    uint32_t count;
    struct lab_handshakes joins;
    double seconds;  // kept; 0: they could not all join
    uint32_t stayed; // to the end
    bool has_server_memory;
    uint64_t server_before; // resident bytes
    uint64_t server_after;
    bool has_server_cpu;
    double server_cpu_share; // of one core, while they idle
};

// lab_keep_idle joins all players and keeps them for plan->duration_s, or until the last is lost.
// False: a fault, of which a connection lost is one.
bool lab_keep_idle(struct lab *lab, struct lab_idle *out);

// lab_fault notes what went wrong; the first is kept for lab_report_fault. Any thread.
__attribute__((format(printf, 2, 3))) void lab_fault(struct lab *lab, const char *format, ...);
bool lab_has_fault(struct lab *lab);

// lab_report_fault tells it on stderr and copies it, or nothing at all when there is none.
void lab_report_fault(struct lab *lab, char fault[LAB_FAULT_LEN]);

// lab_halt ends all connections and the shards' threads, so that what they wrote can be read after
// a fault.
void lab_halt(struct lab *lab);

// lab_latency adds all lanes' histograms into `out` and empties them; lab_arrived sums their
// counts. The first only while nothing runs.
void lab_latency(struct lab *lab, struct histogram *out);
uint64_t lab_arrived(const struct lab *lab);

// lab_server_cpu reads the server's CPU time, if its process is known.
bool lab_server_cpu(const struct lab *lab, struct process_cpu *cpu);

#endif
