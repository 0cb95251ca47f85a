// attack_server.h: a server of our own to attack, which echoes: a process beside this one, on a
// core of its own, with an endpoint's defaults.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_SERVER_H
#define HAIL_BENCH_ATTACK_SERVER_H

#include "engine/hail.h"
#include "tools/beside.h"

struct attacked_wanted {
    enum hail_profile profile;
    bool is_signed;            // by a certificate so long that its welcomes have ten fragments
    int core;                  // -1: any
    uint32_t approve_ms;       // after so long its application lets a client in
    uint32_t stall_timeout_ms; // 0: the default, as for what follows
    uint32_t handshakes_max;
};

// attacked_start forks it; beside_stop ends it. False: told on stderr.
// Threads  The calling process has no other.
bool attacked_start(struct beside *server, const struct attacked_wanted *wanted);

// attacked_counter reads one of its counters (hail_stats); 0: it is not ours, or gone.
uint64_t attacked_counter(const struct beside *server, const char *name);

#endif
