// native.h: packets, timers and keys of the hail profile inside a shard. Sans-IO, as all of the
// shard. proto/WIRE.md has what travels, conn.h what a connection is.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_NATIVE_H
#define HAIL_ENGINE_NATIVE_NATIVE_H

#include "engine/native/state.h"

// hail_native_reserve takes or adds up the memory of each connection; called twice: see arena.h.
void hail_native_reserve(struct hail_shard *shard, const struct hail_context *context);

void hail_native_init(struct hail_shard *shard);

// hail_native_begin prepares the slot of a connection that is to be.
void hail_native_begin(struct hail_shard *shard, uint32_t slot);

// hail_native_unanswered says whether a client has heard nothing from its server yet.
bool hail_native_unanswered(const struct hail_shard *shard, uint32_t slot);

// hail_native_approve tells a client that it is in.
void hail_native_approve(struct hail_shard *shard, uint32_t slot);

// hail_native_lives says whether packets come and go: the connection has a key, and has not ended.
HAIL_MUST_USE bool hail_native_lives(const struct hail_shard *shard, uint32_t slot);

// hail_native_update asks for fresh traffic keys in both directions. HAIL_OK or HAIL_ENOKEY.
HAIL_MUST_USE enum hail_status hail_native_update(struct hail_shard *shard, uint32_t slot);

// hail_native_end says goodbye, if there is a key to say it with, and lets go of everything.
void hail_native_end(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                     const char *text);

// hail_native_due does what the connection's timer is for, but for what a client's handshake says
// again; false: the connection has ended. hail_native_next_ns says when that is.
HAIL_MUST_USE bool hail_native_due(struct hail_shard *shard, uint32_t slot);
uint64_t hail_native_next_ns(const struct hail_shard *shard, uint32_t slot);

// hail_native_enter is the only place where a handshake's state changes, and asserts that the new
// state may follow.
void hail_native_enter(struct hail_native *native, enum hail_native_state next);

// hail_native_find returns the slot that a connection id names; HAIL_SLOT_NONE: none of ours.
uint32_t hail_native_find(const struct hail_shard *shard, uint32_t conn_id);

// hail_native_is_open says whether a connection's datagrams are taken.
HAIL_MUST_USE bool hail_native_is_open(const struct hail_shard *shard, uint32_t slot);

// hail_native_packet takes in a packet of an open connection.
void hail_native_packet(struct hail_shard *shard, uint32_t slot, const struct hail_path *from,
                        uint8_t *data, size_t len);

// hail_native_ticket_scope tells what a ticket of a client's connection is good for.
void hail_native_ticket_scope(const struct hail_shard *shard, uint32_t slot,
                              uint8_t scope[HAIL_TICKET_SCOPE_LEN]);

// hail_native_flush turns what the peer is owed into packets.
void hail_native_flush(struct hail_shard *shard, uint32_t slot);

// hail_native_key makes the connection's keys from the stretched key. False: no memory.
HAIL_MUST_USE bool hail_native_key(struct hail_shard *shard, uint32_t slot,
                                   const uint8_t stretched[HAIL_STRETCHED_LEN],
                                   const struct hail_path *address);

#endif
