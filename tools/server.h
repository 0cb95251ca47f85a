// server.h: an echoing server of our own to measure: a process beside this one, on a core of its
// own.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_SERVER_H
#define HAIL_TOOLS_SERVER_H

#include <sys/types.h>

#include "engine/hail.h"

struct server_wanted {
    enum hail_profile profile;
    enum hail_io_kind io;
    const char *identity_file; // the key exchange is signed; NULL: it is not
    bool reuses_key;           // mlapi: one for all clients
    int core;                  // -1: any
    uint32_t conns_max;
    uint32_t message_max;
    bool measures_cost;
};

// What a server's shard spent its CPU time on, in nanoseconds since it started.
enum server_part {
    SERVER_SYSTEM,
    SERVER_COPY,
    SERVER_CRYPTO,
    SERVER_PROTOCOL,
    SERVER_PARTS
};

struct server_spent {
    uint64_t ns[SERVER_PARTS];
};

struct server {
    pid_t pid; // 0: none
    int line;  // held open: its end is the server's
    uint16_t port;
};

// server_start forks a server that listens on loopback and echoes everything. False: it could not
// start, and its log on stderr says why.
//
// Threads  The calling process has no other.
bool server_start(struct server *server, const struct server_wanted *wanted);

// server_spent asks a server with measures_cost. False: it is gone.
bool server_spent(const struct server *server, struct server_spent *spent);

// server_stop ends it and waits until it has. One that never started is no matter.
void server_stop(struct server *server);

// server_stay_on keeps the calling thread, and those that it will start, on a core; -1: no matter.
void server_stay_on(int core);

#endif
