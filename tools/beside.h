// beside.h: a server of our own as a process beside this one, which listens on loopback and ends
// with the line that it holds to us.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_BESIDE_H
#define HAIL_TOOLS_BESIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct beside {
    pid_t pid; // 0: none
    int line;  // held open: its end is the server's
    uint16_t port;
};

// beside_start forks a process that runs `serve`, which sends its port over `line`, two bytes in
// the machine's order, serves until the line ends, and returns an exit status. False: it could not
// start; why is on stderr, after `program`.
//
// Threads  The calling process has no other.
bool beside_start(struct beside *server, const char *program,
                  int (*serve)(const void *wanted, int line), const void *wanted);

// beside_stop ends it and waits until it has. One that never started is no matter.
void beside_stop(struct beside *server);

// beside_stay_on keeps the calling thread, and those that it will start, on a core; -1: no matter.
void beside_stay_on(const char *program, int core);

#endif
