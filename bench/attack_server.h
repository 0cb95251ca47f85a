// attack_server.h: a server of our own to attack, which echoes: a process beside this one, on a
// core of its own, with an endpoint's defaults. SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_SERVER_H
#define HAIL_BENCH_ATTACK_SERVER_H

#include <sys/types.h>

#include "engine/hail.h"

struct attacked_wanted {
    enum hail_profile profile;
    bool is_signed;            // by a certificate so long that its welcomes have ten fragments
    int core;                  // -1: any
    uint32_t approve_ms;       // after so long its application lets a client in
    uint32_t stall_timeout_ms; // 0: the default, as for what follows
    uint32_t handshakes_max;
};

struct attacked {
    pid_t pid; // 0: none of ours
    int line;  // held open: its end is the server's
    uint16_t port;
};

// attacked_start forks it; attacked_stop ends it and waits until it has. False: told on stderr.
// Threads  The calling process has no other.
bool attacked_start(struct attacked *server, const struct attacked_wanted *wanted);
void attacked_stop(struct attacked *server);

// attacked_counter reads one of its counters (hail_stats); 0: it is not ours, or gone.
uint64_t attacked_counter(const struct attacked *server, const char *name);

// attacked_stay_on keeps the calling thread, and those that it will start, on a core; -1: no
// matter.
void attacked_stay_on(int core);

#endif
