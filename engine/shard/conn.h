// conn.h: the life of a connection inside its shard: begun, fed, told to send, ended. Used by the
// shard and its commands.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_CONN_H
#define HAIL_ENGINE_SHARD_CONN_H

#include "engine/shard/profile.h"
#include "engine/shard/state.h"

// hail_conn_take takes a slot for somebody at `from` who wants to join a server. HAIL_DROP_PREFIX:
// his prefix has conns_per_prefix. HAIL_DROP_BUDGET, and counted: conns_max places are taken, or it
// is stopping. Those who have not proven their keys yet have slots of their own, handshakes_max of
// them, so that strangers cannot keep players out.
HAIL_MUST_USE enum hail_verdict hail_conn_take(struct hail_shard *shard, uint32_t *slot,
                                               const struct hail_path *from);

// hail_conn_enter is the only place where a connection's state changes, and asserts that the new
// state may follow.
void hail_conn_enter(struct hail_conn_slot *conn, enum hail_conn_state next);

// hail_conn_begin makes a fresh connection in `slot`, which has just been taken. Where it would be
// an unfinished handshake too many, another one ends.
//
// from  Whose handshake it is; NULL: a client's own.
void hail_conn_begin(struct hail_shard *shard, uint32_t slot, enum hail_conn_state state,
                     const struct hail_path *from);

// hail_conn_prove takes note that a client has proven its keys: it gets a place of conns_max, and
// nobody can crowd it out any more. False: there is none for it; it is told, and its connection
// ends.
HAIL_MUST_USE bool hail_conn_prove(struct hail_shard *shard, uint32_t slot);

// hail_conn_connect has a client connect that has waited.
void hail_conn_connect(struct hail_shard *shard, uint32_t slot);

// hail_conn_end begins to end a connection: flushes it if that makes sense and `flush` says so, and
// then has the backend close it. Does nothing when that has begun already.
//
// text  For a person; copied; NULL: none.
void hail_conn_end(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                   bool flush, const char *text);

// hail_conn_limited says in the log, once a minute, that a limit on joining keeps somebody out.
void hail_conn_limited(struct hail_shard *shard, const struct hail_path *from, const char *setting);

// hail_conn_explain keeps what a connection that does not join in time ends with: how far it came,
// or what stood in its way.
void hail_conn_explain(struct hail_shard *shard, uint32_t slot, const char *text);

// hail_conn_release frees a slot that the backend has let go of, once the application is told.
void hail_conn_release(struct hail_shard *shard, uint32_t slot);

// hail_conn_approve lets a client in that has asked; on mlapi into this scene, or, NULL, the one of
// all.
void hail_conn_approve(struct hail_shard *shard, uint32_t slot,
                       const struct hail_mlapi_scene *scene);

// hail_conn_append adds bytes to a chain of the connection, which then holds them; false, and
// counted: there is no room for them. hail_conn_consume drops the first `len` of them.
HAIL_MUST_USE bool hail_conn_append(struct hail_shard *shard, uint32_t slot,
                                    struct hail_chain *chain, const void *data, size_t len);
void hail_conn_consume(struct hail_shard *shard, uint32_t slot, struct hail_chain *chain,
                       size_t len);

// hail_conn_send protects and queues an application message. Checks key, state and limits.
HAIL_MUST_USE enum hail_status hail_conn_send(struct hail_shard *shard, uint32_t slot,
                                              const struct hail_message_view *view);

// hail_conn_timer_due does what the connection's deadline was for, or sets the next one.
void hail_conn_timer_due(struct hail_shard *shard, uint32_t slot);

// hail_conn_timed_out ends a connection whose handshake has taken too long; false: it has not.
HAIL_MUST_USE bool hail_conn_timed_out(struct hail_shard *shard, uint32_t slot);

// hail_conn_next_ns returns when something about the connection is due; UINT64_MAX: nothing is.
uint64_t hail_conn_next_ns(const struct hail_shard *shard, uint32_t slot);

// hail_conn_arm sets the connection's timer if its deadline is earlier than what is set.
void hail_conn_arm(struct hail_shard *shard, uint32_t slot);

// hail_conn_joined ends the handshake: from here on messages are the application's.
void hail_conn_joined(struct hail_shard *shard, uint32_t slot);

#endif
