// dump.h: a session of the hail profile, datagram by datagram, for people to read: what travelled,
// and with the session's key what was in it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_DUMP_H
#define HAIL_TOOLS_LOAD_DUMP_H

#include <pthread.h>
#include <stdio.h>

#include "engine/hail.h"
#include "proto/packet.h"
#include "proto/replay.h"

// One direction of the session.
struct dump_way {
    struct hail_replay protected_seen;
    struct hail_replay plain_seen;
    uint32_t epoch;
};

struct dump {
    FILE *file;
    pthread_mutex_t lock;  // shards come with their connections' datagrams
    struct hail_conn conn; // the first that there was; the others are left out
    uint64_t begin_ns;
    struct dump_way ways[2]; // sent, received
};

// dump_open begins a file. False: told on stderr.
bool dump_open(struct dump *dump, const char *path);
void dump_close(struct dump *dump);

// dump_datagram writes what a datagram of a client's is, if it is of the session that is shown.
// `endpoint` is asked for the key: only from its callbacks.
void dump_datagram(struct dump *dump, struct hail_endpoint *endpoint, struct hail_conn conn,
                   bool sent, const uint8_t *data, size_t len);

#endif
