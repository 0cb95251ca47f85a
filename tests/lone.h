// lone.h: one shard of the hail profile, and what it has sent since the test last looked: the test
// is the network, and the other end.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_LONE_H
#define HAIL_TESTS_LONE_H

#include "engine/shard/conn.h"
#include "tests/vectors.h"

enum {
    LONE_SENT_MAX = 256,
    LONE_PORT = 1000
};

struct lone_sent {
    uint8_t bytes[HAIL_DATAGRAM_MAX];
    size_t len;
};

struct lone {
    struct hail_context context;
    struct hail_shard shard;
    uint64_t now_ns;
    struct lone_sent sent[LONE_SENT_MAX];
    size_t sent_count;
    size_t events[HAIL_EVENT_CLOSED + 1];
    struct hail_conn conn; // of the last event
    uint8_t conn_data[64];
    size_t conn_data_len;
    char text[HAIL_FAULT_TEXT_MAX];
};

// lone_init makes a shard of 8 connections, at 1,000 ms; it begins with dice of this seed. Messages
// have 16 bytes, so that a welcome is longer than any. lone_cleanup ends it: nothing has leaked.
void lone_init(struct lone *end, const struct hail_native_config *native, bool is_server,
               uint64_t seed);
void lone_cleanup(struct lone *end);

// lone_run lets the shard work until nothing more happens at this moment, and keeps what it sends.
void lone_run(struct lone *end);

// lone_arrive has a copy of a datagram arrive, in memory of exactly its length, and runs: `sent` is
// what the shard has to say to it. slot HAIL_SLOT_NONE: at a server's port, from 192.0.2.1 and this
// port.
void lone_arrive(struct lone *end, uint32_t slot, uint16_t port, const uint8_t *bytes, size_t len);

// lone_drops returns how many datagrams were dropped for a reason.
uint64_t lone_drops(const struct lone *end, enum hail_verdict verdict);

#endif
