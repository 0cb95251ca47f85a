// server.h: an echoing server of our own to measure: a process beside this one, on a core of its
// own.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_SERVER_H
#define HAIL_TOOLS_LOAD_SERVER_H

#include "engine/hail.h"
#include "tools/beside.h"

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

// server_start forks a server that listens on loopback and echoes everything; beside_stop ends it.
// False: it could not start, and its log on stderr says why.
//
// Threads  The calling process has no other.
bool server_start(struct beside *server, const struct server_wanted *wanted);

// server_spent asks a server with measures_cost. False: it is gone.
bool server_spent(const struct beside *server, struct server_spent *spent);

#endif
