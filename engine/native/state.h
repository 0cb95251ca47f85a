// state.h: what a shard has on the hail profile.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_STATE_H
#define HAIL_ENGINE_NATIVE_STATE_H

#include "engine/client/follow.h"
#include "engine/native/netsim.h"
#include "engine/shard/state.h"
#include "proto/handshake.h"
#include "proto/peer.h"
#include "proto/permutation.h"
#include "proto/rate.h"
#include "proto/unpack.h"

struct hail_server_handshakes;

enum {
    HAIL_TICKET_AGAIN_S = 10, // after one that may have been lost
    HAIL_PING_PART = 3        // of the idle timeout: silence before a client pings
};

// Each state is named for what it waits for.
enum hail_native_state {
    HAIL_NATIVE_FRESH,           // nothing: the slot is being prepared
    HAIL_NATIVE_EXPECT_FINISH,   // server
    HAIL_NATIVE_EXPECT_TURN,     // server: the finish has opened, and waits with others
    HAIL_NATIVE_EXPECT_DECISION, // server: of the application
    HAIL_NATIVE_EXPECT_WELCOME,  // client
    HAIL_NATIVE_EXPECT_ANSWER,   // client: approved or close; wait means that it may take long
    HAIL_NATIVE_CONNECTED,
    HAIL_NATIVE_STATE_COUNT
};

// What a connection has on this profile beside what every connection has.
struct hail_native {
    enum hail_native_state state : 8;
    bool keyed;             // `peer` is there
    uint8_t fragment_count; // of the welcome
    uint8_t fragments;      // client: that have come, in order
    uint8_t fragments_then; // when it last asked again
    uint8_t retries;        // client: cookies it has been given
    uint32_t conn_id;
    uint32_t lookup_next; // server: the next slot in its bucket of shard->greeted
    uint32_t idle_timeout_ms;
    uint16_t resend_ms;
    uint32_t ticket_s;    // server: when to give the next ticket, in seconds of the clock; 0: never
    uint32_t finish_mark; // server: a keyed hash of the finish that has opened
    uint64_t resend_ns;   // client, in the handshake: when to say it again; server: when the finish
                          // may be answered again
    struct hail_path from; // server: where the hello came from
    struct hail_agreement agreement;
    struct hail_chain welcome; // server: until the finish is here, in a pool of its own; client:
                               // what has come of it
    uint32_t message_max; // client: the greatest payload that the server takes; 0: it did not say
    struct hail_peer peer;
    struct hail_rate received[2]; // of receive_rate: plain, which anybody can forge, and the rest
};

// A client's handshake and what it asks with.
struct hail_native_client {
    struct hail_client_handshake handshake;
    struct hail_follow follow;
    uint64_t proven_s; // when the server last proved who it is otherwise than by a ticket
    uint16_t finish_len;
    uint8_t finish[HAIL_DATAGRAM_MAX];
};

// What a shard has on this profile.
struct hail_native_shard {
    struct hail_native *conns; // one for each slot
    struct hail_netsim netsim;
    struct hail_native_client *clients;    // client: one for each slot
    struct hail_server_handshakes *server; // handshake/server.h
    uint8_t *assembled;                    // a message or welcome put together from parts
    uint8_t *welcome;                      // a welcome that is being written or opened
    struct hail_permutation conn_ids;      // server: what their low bits stand for
    struct hail_epochs epochs;
    uint8_t slot_bits; // of a slot, in what a connection id stands for
};

#endif
