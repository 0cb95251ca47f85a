// attack_client.h: a client that says what an attacker wants it to: the project's handshake and
// peer, and nothing of the engine's manners.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_CLIENT_H
#define HAIL_BENCH_ATTACK_CLIENT_H

#include "bench/attack_wire.h"
#include "proto/acks.h"
#include "proto/handshake.h"
#include "proto/peer.h"
#include "proto/ticket.h"

enum client_stage {
    CLIENT_GREETING,  // waits for the welcome
    CLIENT_FINISHING, // and to be let in
    CLIENT_JOINED,
    CLIENT_CLOSED
};

struct client {
    enum client_stage stage;
    uint32_t source;
    uint32_t conn_id;
    uint32_t step; // its attack's own count
    uint8_t close_reason;
    uint8_t fragments; // of the welcome that have come
    uint64_t newest;   // number of the server's packets, plus 1
    size_t heard_len;  // bytes that came
    struct hail_client_handshake handshake;
    struct hail_agreement agreement;
    struct hail_peer peer; // from CLIENT_FINISHING on
    size_t finish_len;
    uint8_t finish[HAIL_DATAGRAM_MAX];
    size_t welcome_len;
    uint8_t welcome[HAIL_WELCOME_MAX];
    size_t ticket_len;
    uint8_t ticket[HAIL_TICKET_LEN_MAX];
};

// client_init begins a handshake from a source; client_say sends what is to be said next, or again,
// until it is let in. client_cleanup forgets it.
HAIL_MUST_USE bool client_init(struct client *client, uint32_t source,
                               const struct hail_client_setup *setup, struct hail_random *random);
void client_say(struct client *client, struct wire *wire);
void client_cleanup(struct client *client);

// client_take acts on a datagram that came for it: the handshake, tickets, close; of packets it
// keeps the newest number, and throws away what is in them.
void client_take(struct client *client, struct wire *wire, const struct hail_client_setup *setup,
                 uint8_t *data, size_t len, struct hail_random *random, uint64_t now_ns);

// client_frames returns where the frames of a packet to the server are to be written, and
// client_send sends as many of them: CLIENT_FRAMES_MAX at most.
enum {
    CLIENT_FRAMES_MAX = HAIL_PACKET_MAX - HAIL_PACKET_TO_SERVER_LEN - HAIL_PACKET_TAG_LEN
};
uint8_t *client_frames(struct wire *wire);
void client_send(struct client *client, struct wire *wire, size_t frames_len, uint64_t now_ns);

// client_send_from sends them from another address than its own.
void client_send_from(struct client *client, struct wire *wire, uint32_t source, size_t frames_len,
                      uint64_t now_ns);

// client_frame writes a frame with its length and returns its bytes.
size_t client_frame(uint8_t *out, const struct hail_native_frame *frame);

// client_part writes a frame with `len` bytes of a message of `total` from `offset` on, and returns
// its length: a reliable one if that is all of it.
size_t client_part(uint8_t *out, uint8_t channel, uint32_t id, uint32_t total, uint32_t offset,
                   const uint8_t *bytes, size_t len);

// client_policy returns what names mean to us: there are none, and all are taken.
const struct hail_policy *client_policy(void);

#endif
