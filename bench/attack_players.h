// attack_players.h: those for whose sake a server is to bear it: players who send on a schedule and
// time what is echoed, and others who join meanwhile. Each is a client of the library.
// SPDX-License-Identifier: MIT
//
// Threads  One conducts: it calls what is here. Players send from a thread of their own.
#ifndef HAIL_BENCH_ATTACK_PLAYERS_H
#define HAIL_BENCH_ATTACK_PLAYERS_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "engine/hail.h"
#include "tools/load/histogram.h"

enum {
    PLAYERS = 20,
    PLAYERS_SHORT_LEN = 128,
    PLAYERS_SHORT_PER_S = 50, // each, unreliable
    PLAYERS_LONG_LEN = 20000,
    PLAYERS_LONG_PER_S = 2, // each, reliable and in order
    PLAYERS_JOINS_MAX = 4096,
    PLAYERS_TRIES = 5 * 4 * 4 // five of each length on each channel
};

struct player {
    _Atomic uint64_t conn; // its name; 0: it is not connected
};

// A schedule that waits for nobody: so many a second, of all players in turn.
struct schedule {
    uint64_t begin_ns;
    uint64_t done;
    uint32_t per_s;
};

// One that joins.
struct join {
    uint64_t began_ns;
    uint64_t joined_ns; // 0: not yet
    bool failed;
};

struct players {
    struct hail_endpoint *endpoint;
    struct sockaddr_in server;
    struct player players[PLAYERS];
    pthread_t thread;
    _Atomic bool stops;
    _Atomic uint32_t mark;   // what is sent bears: the window's number; 0: it counts for nothing
    struct schedule joining; // the conductor's, as what follows
    uint64_t tries_ns;       // when tries begin; UINT64_MAX: there are none
    uint32_t tries;          // begun
    uint64_t try_until_ns;   // 0: none is under way

    pthread_mutex_t lock; // of what follows, which is of the window
    uint32_t window;
    uint64_t sent;
    uint64_t received;
    uint32_t lost_connections; // of players
    uint32_t tries_kept;
    bool try_back;
    uint32_t join_count;
    struct join joins[PLAYERS_JOINS_MAX];
    struct histogram shorts; // from when a message was due to its echo
    struct histogram longs;
};

// What a window came to.
struct players_result {
    uint64_t sent;
    uint64_t lost;
    uint32_t lost_connections;
    uint32_t absent; // who could not come back afterwards
    double short_p50_ms;
    double short_p99_ms;
    double long_p99_ms;
    uint32_t joins;        // begun
    uint32_t joins_failed; // or not done by the end, which counts for the times as well
    double join_p50_ms;
    double join_p99_ms;
    uint32_t tries_kept; // of PLAYERS_TRIES
};

// players_start joins them; players_stop ends it all. False: told on stderr.
bool players_start(struct players *players, const struct sockaddr_in *server,
                   enum hail_profile profile, bool is_signed);
void players_stop(struct players *players);

// players_begin begins to count, and to join so many a second, as long as players_tend is called
// every now and then; and from `tries_ms` on, unless that is 0, it tries messages of 128, 1,000,
// 2,000 and 50,000 bytes on each channel, five times each, of which one is under way at a time.
// players_end stops, waits for what is still on its way, has those come back who have been thrown
// out, and tells.
void players_begin(struct players *players, uint32_t joins_per_s, uint32_t tries_ms);
void players_tend(struct players *players);
void players_end(struct players *players, struct players_result *out);

#endif
