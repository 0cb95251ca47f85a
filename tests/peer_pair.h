// peer_pair.h: two joined peers, and packets between them.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_PEER_PAIR_H
#define HAIL_TESTS_PEER_PAIR_H

#include "proto/peer.h"

enum {
    PAIR_CONN_ID = 0x05060708
};

static const uint64_t pair_start_ns = 1000000000;

// A packet as it was sealed.
struct packet {
    uint8_t bytes[HAIL_PACKET_MAX];
    size_t len;
    uint64_t number;
    enum hail_protection protection;
    uint32_t epoch;
};

// Both ends of one connection.
struct pair {
    struct hail_peer server;
    struct hail_peer client;
    struct hail_epochs epochs; // of both
    struct hail_epoch kept[HAIL_EPOCHS_WAYS * 2];
    struct hail_random dice;
    struct hail_path home;  // the client's
    struct hail_path there; // the server's
    uint64_t now_ns;
};

// pair_address returns 192.0.2.`last`.
struct hail_path pair_address(uint8_t last, uint16_t port);

// pair_init makes both ends from a fixed key, pair_from from a given one.
void pair_init(struct pair *pair);
void pair_from(struct pair *pair, const uint8_t stretched[HAIL_STRETCHED_LEN], uint64_t seed);
void pair_cleanup(struct pair *pair);

// pair_seal has an end seal a packet with a message "hi".
void pair_seal(struct pair *pair, bool by_server, enum hail_protection protection,
               struct packet *packet);

// pair_arrive has a copy of a datagram arrive, in memory of exactly its length; pair_deliver a
// packet, from where it should come.
enum hail_verdict pair_arrive(struct pair *pair, bool at_server, const uint8_t *bytes, size_t len,
                              const struct hail_path *from);
enum hail_verdict pair_deliver(struct pair *pair, bool at_server, const struct packet *packet);

// pair_say_owed seals a packet with all that an end owes to one address. False: nothing is.
bool pair_say_owed(struct pair *pair, bool by_server, struct packet *packet, struct hail_path *to);

// pair_hear has a packet of control frames arrive and be acted on. Returns which types it had, as
// bits from HAIL_FRAME_PING on.
unsigned pair_hear(struct pair *pair, bool at_server, const struct packet *packet,
                   const struct hail_path *from);

#endif
