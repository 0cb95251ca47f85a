// attack_wire.h: one socket of an attacker on loopback, through which it sends from thousands of
// addresses, and hears what is sent to each.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_WIRE_H
#define HAIL_BENCH_ATTACK_WIRE_H

#include <netinet/in.h>

#include "proto/packet.h"

enum {
    WIRE_BURST = 64,    // datagrams for one system call
    WIRE_SOURCES = 4096 // addresses, each in a /24 of its own
};

struct wire_datagram {
    uint32_t source;
    size_t len;
    uint8_t bytes[HAIL_PACKET_MAX];
};

struct wire {
    int fd;
    bool gso; // equal ones from one address leave as one, for the server's kernel to take so
    struct sockaddr_in server;
    uint32_t queued;
    uint64_t datagrams_out; // all four since wire_count_anew
    uint64_t bytes_out;
    uint64_t datagrams_in;
    uint64_t bytes_in;
    struct wire_datagram out[WIRE_BURST];
};

// wire_open opens it towards a server on loopback. False: told on stderr.
HAIL_MUST_USE bool wire_open(struct wire *wire, const struct sockaddr_in *server, bool gso);
void wire_close(struct wire *wire);

// wire_address returns the address of a source, below WIRE_SOURCES, in host byte order.
uint32_t wire_address(uint32_t source);

// wire_room returns where the next datagram is to be written, HAIL_PACKET_MAX bytes; wire_put
// queues it, and wire_flush sends what is queued. What the kernel does not take is dropped.
uint8_t *wire_room(struct wire *wire);
void wire_put(struct wire *wire, uint32_t source, size_t len);
void wire_flush(struct wire *wire);

// wire_hear hands over what has come from the server, each with the source that it came to.
void wire_hear(struct wire *wire,
               void (*take)(void *user, uint32_t source, uint8_t *data, size_t len), void *user);

// wire_count_anew sets the counts to 0.
void wire_count_anew(struct wire *wire);

#endif
