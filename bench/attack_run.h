// attack_run.h: one window of attacks, at a rate, on a server that others play and join on; and
// what it came to.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_RUN_H
#define HAIL_BENCH_ATTACK_RUN_H

#include "bench/attack.h"
#include "bench/attack_players.h"
#include "bench/attack_server.h"

enum {
    RUN_PARTS_MAX = 2,
    RUN_BARS_MAX = 12
};

// Where: a server, and those who play there.
struct run_place {
    struct sockaddr_in server;
    pid_t pid;      // of the server; 0: not known, and its CPU time and memory are not
    bool is_signed; // its key exchange
    struct players players;
    double calm_cores; // of the server, without an attack
    double calm_p99_ms;
};

struct run_part {
    const struct attack *attack;
    uint32_t rate;
    uint32_t clients; // 0: as the attack says
    uint32_t sources; // 0: likewise
};

struct run_wanted {
    const char *name;
    size_t part_count; // 0: calm
    struct run_part parts[RUN_PARTS_MAX];
    double seconds;
    uint32_t joins_per_s;
    bool tries; // messages of all lengths on all channels
    bool far;   // clients of the mlapi profile from far away
    bool gso;
};

// A promise, and whether it is kept.
struct run_bar {
    const char *name;
    const char *unit;
    double value;
    double bar;
    bool is_least; // the bar is the least there may be, not the most
};

struct run_result {
    const struct run_wanted *wanted;
    enum attack_by by;
    bool is_refused; // its clients could not join, and it did not take place
    double seconds;
    uint64_t count; // datagrams, or connections
    double server_cores;
    double us_each; // of the server's CPU time, beyond the calm one
    double amplification;
    double memory_mb; // by which the server's grew
    uint32_t closed;  // times that one of its clients was sent away
    uint32_t closed_of[RUN_PARTS_MAX];
    uint8_t close_reason;
    uint32_t far_joined;
    struct players_result players;
    size_t bar_count;
    struct run_bar bars[RUN_BARS_MAX];
};

// run_window does it. False: told on stderr, or interrupted: run_interrupted.
bool run_window(struct run_place *place, const struct run_wanted *wanted,
                struct run_result *result);

// run_settle waits, for some seconds at most, until nothing of an attack is left to be noticed.
void run_settle(struct run_place *place);

// run_bar_add adds a promise to a result; run_bar_kept says whether one is kept.
void run_bar_add(struct run_result *result, const struct run_bar *bar);
bool run_bar_kept(const struct run_bar *bar);

// run_bars adds what is promised of every attack of its kind.
void run_bars(struct run_result *result, const struct run_place *place);

// run_catch_interrupts has Ctrl-C end the window under way; run_interrupted says whether it did.
void run_catch_interrupts(void);
bool run_interrupted(void);

#endif
