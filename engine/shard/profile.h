// profile.h: what a shard asks of the profile that its endpoint speaks. Each profile is one
// constant table (profiles/profiles.h); nothing in this folder asks which one it is.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_PROFILE_H
#define HAIL_ENGINE_SHARD_PROFILE_H

#include "crypto/base.h"
#include "engine/hail.h"
#include "engine/shard/task.h"
#include "proto/message.h"
#include "proto/path.h"

struct hail_context;
struct hail_mlapi_scene;
struct hail_shard;

// A profile. Functions that are marked "or NULL" may be missing. `slot` is a connection's.
struct hail_profile_ops {
    size_t state_len; // of what a shard has on it
    uint32_t block_size;
    bool datagrams;  // a server has one socket, which is not closed with a connection
    bool has_errors; // a response may say that a call failed
    bool claims;     // that a reliable message is taken is a promise

    // ---- A shard's life

    // The state is zero, and stays until `cleanup` has been called.
    void (*attach)(struct hail_shard *shard, void *state);
    // Adds up or carves what each connection has, and what they share: see arena.h. Called twice.
    void (*reserve_conns)(struct hail_shard *shard, const struct hail_context *context);
    void (*reserve)(struct hail_shard *shard, const struct hail_context *context);
    void (*init)(struct hail_shard *shard);
    void (*cleanup)(struct hail_shard *shard); // wipes

    // ---- A turn, in this order

    void (*arrive)(struct hail_shard *shard); // or NULL: what a simulated network had kept
    void (*greet)(struct hail_shard *shard);  // handshakes that wait their turn
    void (*pump)(struct hail_shard *shard);   // or NULL: connections that had more to send
    uint64_t (*next_ns)(const struct hail_shard *shard); // when there is any of it
    // Or NULL: datagrams that are to leave, and that the kernel has copied them all.
    bool (*output)(struct hail_shard *shard, struct hail_task *task);
    void (*handed_over)(struct hail_shard *shard);
    bool (*crowded)(const struct hail_shard *shard); // or NULL: they leave little room for more

    // ---- A connection's life

    // Over streams: whether a peer may connect now; then that it has.
    bool (*admit)(struct hail_shard *shard, const struct hail_path *from);
    void (*accepted)(struct hail_shard *shard, uint32_t slot);
    void (*begin)(struct hail_shard *shard, uint32_t slot);
    void (*connect)(struct hail_shard *shard, uint32_t slot); // or NULL: it is to be made
    void (*open)(struct hail_shard *shard, uint32_t slot);    // a client's socket is there
    // Whether a client that knows its server is told that nobody listens there should believe it.
    // Client: the kernel would not send, for which error; the source has changed. Or NULL.
    void (*unsent)(struct hail_shard *shard, uint32_t slot, int error);
    void (*followed)(struct hail_shard *shard, uint32_t slot);
    bool (*unanswered)(const struct hail_shard *shard, uint32_t slot);
    bool (*asks)(const struct hail_shard *shard, uint32_t slot); // for the application's decision
    // Ends the handshake. `scene`: mlapi's alone, or NULL.
    void (*approve)(struct hail_shard *shard, uint32_t slot, const struct hail_mlapi_scene *scene);
    void (*joined)(struct hail_shard *shard, uint32_t slot);                      // or NULL
    enum hail_status (*update_keys)(struct hail_shard *shard, uint32_t slot);     // or NULL
    void (*simulate)(struct hail_shard *shard, uint32_t slot, const void *order); // or NULL
    void (*end)(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                const char *text);                           // or NULL: says goodbye
    void (*let_go)(struct hail_shard *shard, uint32_t slot); // or NULL

    // ---- What comes and goes

    void (*input)(struct hail_shard *shard, uint32_t slot, uint8_t *data, size_t len);
    void (*datagram)(struct hail_shard *shard, uint32_t slot, const struct hail_path *from,
                     uint8_t *data, size_t len);
    // Tries again what waited for room among the events.
    void (*retry)(struct hail_shard *shard, uint32_t slot);
    enum hail_status (*send)(struct hail_shard *shard, uint32_t slot,
                             const struct hail_message_view *view);
    void (*flush)(struct hail_shard *shard, uint32_t slot); // or NULL
    // Whether anything has yet to be sent, or to arrive where that can be known.
    bool (*has_unsent)(const struct hail_shard *shard, uint32_t slot);
    void (*seal)(struct hail_shard *shard); // or NULL: before a stream's bytes leave

    // When the connection has something due, beside a handshake that takes too long; and what to do
    // then, which begins with hail_conn_timed_out.
    uint64_t (*deadline)(const struct hail_shard *shard, uint32_t slot);
    void (*due)(struct hail_shard *shard, uint32_t slot);
};

#endif
