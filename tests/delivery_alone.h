// delivery_alone.h: a struct hail_delivery without a shard: its memory, counters and clock are the
// test's, and "sealing" is to read what a packet has and to give it a number.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_DELIVERY_ALONE_H
#define HAIL_TESTS_DELIVERY_ALONE_H

#include "crypto/random.h"
#include "engine/delivery/delivery.h"
#include "proto/peer.h"
#include "tests/vectors.h"

enum {
    ALONE_SLOTS = 4,
    ALONE_PARTS_MAX = 128, // of messages in one packet
    ALONE_PACKETS_MAX = 1024
};

// A packet that has left.
struct alone_packet {
    uint64_t number;
    uint16_t len;
    uint16_t frame_count;
    uint16_t part_count;
    uint8_t protection;
    bool asks;
    bool acknowledges;
    struct {
        uint8_t channel;
        uint16_t id;
        uint32_t offset;
        uint32_t len;
    } parts[ALONE_PARTS_MAX];
};

struct alone {
    struct hail_delivery delivery;
    struct hail_policy policy;
    struct hail_arena arena;
    struct hail_pool pool;
    struct hail_quota quota;
    struct hail_queue held;
    struct hail_random random;
    struct hail_stats stats;
    struct hail_channel_stats channels[HAIL_POLICY_CHANNELS_MAX];
    struct hail_slot_public *published;
    uint64_t now_ns;
    uint64_t next_number;
    struct alone_packet packets[ALONE_PACKETS_MAX]; // by number, the newest
};

// alone_limits returns what a shard would have by default, with a small pool.
struct hail_delivery_limits alone_limits(void);

// alone_begin prepares everything, and all slots as joined connections. The policy may have been
// set; it has four channels otherwise.
void alone_begin(struct alone *alone, const struct hail_delivery_limits *limits);

// alone_end gives back what connections hold, and checks that nothing is left.
void alone_end(struct alone *alone);

// alone_send sends a message of `len` bytes, encrypted.
enum hail_status alone_send(struct alone *alone, uint32_t slot, uint8_t channel, size_t len);

// alone_leave has a connection's packets leave, and returns how many there were. The last one has
// number `next_number - 1`; those that carry nothing that is looked after have a number as well.
uint32_t alone_leave(struct alone *alone, uint32_t slot);

// alone_packet returns what the packet of a number had.
const struct alone_packet *alone_packet(const struct alone *alone, uint64_t number);

// alone_acked gives the connection an acknowledgement of ranges, the largest first.
enum hail_verdict alone_acked(struct alone *alone, uint32_t slot,
                              const struct hail_ack_range *ranges, size_t count);

// alone_counted returns a counter.
uint64_t alone_counted(const struct alone *alone, unsigned stat);

#endif
