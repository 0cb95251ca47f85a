// native.h: the hail profile inside a shard: strangers, handshakes, packets, paths. Sans-IO, as all
// of the shard. What travels is proto/WIRE.md's affair; what a connection is, conn.h's.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_NATIVE_H
#define HAIL_ENGINE_NATIVE_NATIVE_H

#include "engine/delivery/receiver.h"
#include "engine/delivery/sender.h"
#include "engine/hail.h"
#include "engine/handshake/admission.h"
#include "engine/handshake/handshake_queue.h"
#include "engine/memory/queue.h"
#include "engine/native/netsim.h"
#include "engine/native/outbox.h"
#include "proto/acks.h"
#include "proto/handshake.h"
#include "proto/limit.h"
#include "proto/peer.h"
#include "proto/permutation.h"
#include "proto/unpack.h"

enum {
    HAIL_RESEND_FIRST_MS = 250,
    HAIL_RESEND_MAX_MS = 2000,
    HAIL_HELLOS_PER_TURN = 8, // key exchanges before those who play are served
    HAIL_FINISHES_MAX = 16,   // stretched side by side; likewise
    HAIL_UNKNOWN_CALLS = 8,   // in one packet that are answered
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
    bool resumed;           // by a ticket
    bool holds;             // a reassembly that is whole waits for room among the events
    uint32_t conn_id;
    uint32_t lookup_next; // server: the next slot in its bucket of shard->greeted
    uint32_t out_first;   // of its datagrams in the outbox
    uint32_t out_last;
    uint32_t idle_timeout_ms;
    uint16_t resend_ms;
    uint16_t useless;     // what packets cost that brought nothing: see HAIL_USELESS_MAX
    uint32_t ticket_s;    // server: when to give the next ticket, in seconds of the clock; 0: never
    uint32_t finish_mark; // server: a keyed hash of the finish that has opened
    uint64_t resend_ns;   // client, in the handshake: when to say it again; server: when the finish
                          // may be answered again
    struct hail_address from; // server: where the hello came from
    struct hail_agreement agreement;
    uint32_t message_max; // client: the greatest payload that the server takes; 0: it did not say
    uint32_t stored;      // bytes that reassemblies occupy: blocks and records
    uint32_t stall_ms;    // of the clock: when to look at them next; 0: nothing has to come
    uint32_t held_ms;     // of the clock: until when they waited for room that we had to make
    struct hail_peer peer;
    struct hail_acks acks;
    struct hail_rate received[2]; // of receive_rate: plain, which anybody can forge, and the rest
    struct hail_sender sender;
};

// A client's handshake and what it asks with.
struct hail_native_client {
    struct hail_client_handshake handshake;
    uint64_t proven_s; // when the server last proved who it is otherwise than by a ticket
    uint16_t finish_len;
    uint8_t finish[HAIL_DATAGRAM_MAX];
};

// What a shard has on this profile.
struct hail_native_shard {
    struct hail_native *conns; // one for each slot
    struct hail_outbox outbox;
    struct hail_netsim netsim;
    uint64_t *newest; // by channel for each slot: see newest_of in receiver.c
    struct hail_send_channel *send_channels;       // by channel for each slot
    struct hail_receive_channel *receive_channels; // likewise
    uint64_t *taken;                               // for each slot and unordered channel
    _Atomic uint32_t *claimed; // for each slot: of unsent_max, what is used or promised; any
                               // thread's
    uint32_t unordered_count;  // channels
    struct hail_pool welcomes; // server: of handshakes under way
    struct hail_slab messages; // of all connections, as the next two
    struct hail_slab ranges;
    struct hail_slab sent_packets;
    struct hail_reassembly_table reassemblies;
    struct hail_queue ready; // connections that could send more when the outbox has room again
    struct hail_native_client *clients; // client: one for each slot
    uint32_t *greeted;                  // server: handshakes by token and address, heads of lists
    uint32_t greeted_count;             // a power of two
    uint64_t greeted_key[2];
    struct hail_admission admission;
    struct hail_permutation conn_ids; // server: what their low bits stand for
    struct hail_epochs epochs;
    uint32_t unknown_calls;               // that have come in this packet
    uint8_t slot_bits;                    // of a slot, in what a connection id stands for
    struct hail_handshake_queue hellos;   // server: hellos that wait their turn
    struct hail_handshake_queue finishes; // server: that wait their turn, and for each other
    uint64_t finishes_ns;                 // since when
    uint32_t load;                        // handshakes begun in this second
    uint64_t load_ns;                     // when it began
    struct hail_limit unproven;           // by source, of hellos without a cookie
    struct hail_limit proven;
};

struct hail_context;
struct hail_shard;
struct hail_task;

// hail_native_reserve takes or adds up the memory; called twice: see arena.h.
void hail_native_reserve(struct hail_shard *shard, const struct hail_context *context);

void hail_native_init(struct hail_shard *shard);

// hail_native_begin prepares the slot of a connection that is to be.
void hail_native_begin(struct hail_shard *shard, uint32_t slot);

// hail_native_open has a client say hello: its socket is there.
void hail_native_open(struct hail_shard *shard, uint32_t slot);

// hail_native_unanswered says whether a client has heard nothing from its server yet.
bool hail_native_unanswered(const struct hail_shard *shard, uint32_t slot);

// hail_native_datagram takes in a datagram of a connection or of a stranger.
void hail_native_datagram(struct hail_shard *shard, uint32_t slot, const struct hail_address *from,
                          uint8_t *data, size_t len);

// hail_native_arrived takes in a datagram that the simulated network had kept.
void hail_native_arrived(struct hail_shard *shard, uint32_t slot, const struct hail_address *from,
                         uint8_t *data, size_t len);

// hail_native_approve tells a client that it is in.
void hail_native_approve(struct hail_shard *shard, uint32_t slot);

// hail_native_lives says whether packets come and go: the connection has a key, and has not ended.
HAIL_MUST_USE bool hail_native_lives(const struct hail_shard *shard, uint32_t slot);

// hail_native_update asks for fresh traffic keys in both directions. HAIL_OK or HAIL_ENOKEY.
HAIL_MUST_USE enum hail_status hail_native_update(struct hail_shard *shard, uint32_t slot);

// hail_native_end says goodbye, if there is a key to say it with, and lets go of everything.
void hail_native_end(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                     const char *text);

// hail_native_due does what the connection's timer is for; hail_native_next_ns says when that is.
void hail_native_due(struct hail_shard *shard, uint32_t slot);
uint64_t hail_native_next_ns(const struct hail_shard *shard, uint32_t slot);

// hail_native_refusal returns a sentence for the reason of a server's refusal.
const char *hail_native_refusal(uint8_t reason);

// ---- Between the parts of this profile

// hail_native_enter is the only place where a handshake's state changes, and asserts that the new
// state may follow.
void hail_native_enter(struct hail_native *native, enum hail_native_state next);

// hail_server_handshake_reserve takes or adds up what a server needs for handshakes alone.
void hail_server_handshake_reserve(struct hail_shard *shard, const struct hail_context *context);

// hail_server_handshake_hello and hail_server_handshake_finish are a server's side of a handshake.
// A finish is opened in place, and nothing is left of it.
void hail_server_handshake_hello(struct hail_shard *shard, const struct hail_address *from,
                                 const uint8_t *data, size_t len);
void hail_server_handshake_finish(struct hail_shard *shard, const struct hail_address *from,
                                  uint8_t *data, size_t len);

// hail_server_handshake_turn does what those who wait have asked for, for some of them;
// hail_server_handshake_next_ns says when it next has to: 0 at once, UINT64_MAX never.
void hail_server_handshake_turn(struct hail_shard *shard);
uint64_t hail_server_handshake_next_ns(const struct hail_shard *shard);

// hail_server_handshake_admit decides once in a while, by the CPU time that the shard's thread has
// spent so far, how many hellos are let in. Returns whether the kernel is to be told of another
// filter.
HAIL_MUST_USE bool hail_server_handshake_admit(struct hail_shard *shard, uint64_t cpu_ns);

// hail_server_handshake_forget takes a connection off the list of handshakes under way.
void hail_server_handshake_forget(struct hail_shard *shard, uint32_t slot);

// hail_client_handshake_input is a client's side of it: any handshake datagram.
void hail_client_handshake_input(struct hail_shard *shard, uint32_t slot,
                                 enum hail_datagram_type type, const uint8_t *data, size_t len);

// hail_server_handshake_ticket adds a ticket to a packet that has room for one.
void hail_server_handshake_ticket(struct hail_shard *shard, uint32_t slot, uint32_t index);

// hail_client_handshake_ticket takes one.
enum hail_verdict hail_client_handshake_ticket(struct hail_shard *shard, uint32_t slot,
                                               const struct hail_native_frame *frame);

// hail_client_handshake_resend says the hello or finish again.
void hail_client_handshake_resend(struct hail_shard *shard, uint32_t slot);

// hail_native_find returns the slot that a connection id names; HAIL_SLOT_NONE: none of ours.
uint32_t hail_native_find(const struct hail_shard *shard, uint32_t conn_id);

// hail_native_flush turns what the peer is owed into packets.
void hail_native_flush(struct hail_shard *shard, uint32_t slot);

// hail_native_key makes the connection's keys from the stretched key. False: no memory.
HAIL_MUST_USE bool hail_native_key(struct hail_shard *shard, uint32_t slot,
                                   const uint8_t stretched[HAIL_STRETCHED_LEN],
                                   const struct hail_address *address);

#endif
