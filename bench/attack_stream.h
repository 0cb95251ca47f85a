// attack_stream.h: TCP connections of an attacker: many at a time, from addresses of loopback, and
// none of them kept for longer than it serves.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_STREAM_H
#define HAIL_BENCH_ATTACK_STREAM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STREAMS_MAX = 8192
};

struct streams {
    struct sockaddr_in server;
    uint32_t room; // how many this process may have
    uint32_t at;   // where the next one goes
    uint64_t connected;
    uint64_t bytes_out;
    int *fds; // -1: none
};

// streams_open makes room for connections to a server on loopback. False: told on stderr.
bool streams_open(struct streams *streams, const struct sockaddr_in *server);
void streams_close(struct streams *streams);

// streams_connect begins a connection from a source (see wire_address) in place of the oldest,
// which is reset. Returns its place; the connection need not have come about.
uint32_t streams_connect(struct streams *streams, uint32_t source);

// streams_send sends what a connection takes at once.
void streams_send(struct streams *streams, uint32_t place, const uint8_t *data, size_t len);

#endif
