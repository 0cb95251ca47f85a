// peer.h: what all that hail is measured against has in common: a process that echoes, pinned, and
// a load for it that keeps as many messages under way on each connection as it is told to.
// SPDX-License-Identifier: MIT
//
// A peer is a program of its own, since their libraries do not go together. It describes itself
// with struct peer and leaves the rest to peer_main, whose line of JSON hail-load matrix reads.
#ifndef HAIL_BENCH_PEER_H
#define HAIL_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PEER_SIZE_MAX = 1400,
    PEER_CONNECTIONS_MAX = 4000,
    PEER_BATCH = 64 // datagrams a server takes at once
};

// What is asked for.
struct peer_wanted {
    bool uring;
    uint32_t connections;
    uint32_t size;
    uint32_t outstanding; // messages under way on each connection
    uint32_t rate;        // messages a second over all, on schedule; 0: as many as come back
    bool ordered;         // reliable messages, in order
    uint32_t handshakes;  // instead of messages; 0: messages
    uint32_t concurrent;
    double seconds;
    double warmup;
    int server_core; // -1: any
    int load_core;
};

struct peer {
    const char *name;
    const char *about;  // version, and what protects its messages
    bool has_uring;     // its server can be told to use io_uring
    bool has_ordered;   // it can be told to send reliably and in order
    bool has_handshake; // else it has nothing to join by, or nothing that compares

    // serve echoes until it is killed. It calls peer_ready first.
    void (*serve)(const struct peer_wanted *wanted);

    // open begins a connection to loopback and returns its socket. It may end up joined by then.
    int (*open)(uint32_t conn, uint16_t port);
    // receive takes all that has come, and calls peer_joined and peer_echo.
    void (*receive)(uint32_t conn);
    void (*send)(uint32_t conn, const uint8_t *message, size_t len);
    // flush sends what send has kept for company; NULL: it keeps nothing.
    void (*flush)(uint32_t conn);
    // tick repeats what may have been lost while joining; NULL: nothing is.
    void (*tick)(uint32_t conn);
    // close ends a connection politely, and closes its socket.
    void (*close)(uint32_t conn);
};

// peer_main is main.
int peer_main(const struct peer *peer, int argc, char **argv);

// peer_wanted returns what the load was asked for.
const struct peer_wanted *peer_wanted(void);

// peer_ready tells the load where to connect to.
void peer_ready(uint16_t port);

// peer_joined and peer_echo tell what became of a connection.
void peer_joined(uint32_t conn);
void peer_echo(uint32_t conn, const uint8_t *message, size_t len);

// peer_die prints which call failed, and how, and ends the process.
_Noreturn void peer_die(const char *call);

// peer_bind opens the server's UDP socket on loopback, with room for what the load has under way.
int peer_bind(uint16_t *port);

// peer_connect opens a client's UDP socket.
int peer_connect(uint16_t port);

// A server that answers datagrams one by one, by recvmmsg and sendmmsg: `answer` gets what came
// from the client with this port, and writes what goes back into `out`, which has room for
// PEER_SIZE_MAX and 600 bytes. It returns how much that is; 0: nothing.
void peer_serve_datagrams(int fd, size_t (*answer)(uint16_t from, const uint8_t *datagram,
                                                   size_t len, uint8_t *out));

#endif
