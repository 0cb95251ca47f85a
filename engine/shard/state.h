// state.h: everything one worker owns, and what is counted of it. DESIGN.md, "Threads".
// SPDX-License-Identifier: MIT
//
// A shard is everything one worker owns -- connections, timers, pools, counters. The parts of the
// engine above this file work on it; shard.h drives it from outside.
//
// Threads  All of a shard's calls are made by one thread, but where it says otherwise.
#ifndef HAIL_ENGINE_SHARD_STATE_H
#define HAIL_ENGINE_SHARD_STATE_H

#include "engine/client/target.h"
#include "engine/context/context.h"
#include "engine/context/stats.h"
#include "engine/delivery/delivery.h"
#include "engine/memory/mailbox.h"
#include "engine/memory/pool.h"
#include "engine/memory/queue.h"
#include "engine/shard/group.h"
#include "engine/shard/sources.h"
#include "engine/shard/table.h"
#include "engine/shard/timer.h"
#include "proto/message.h"

struct hail_command;
struct hail_mlapi_session;
struct hail_mlapi_shard;
struct hail_native_shard;
struct hail_open_call;
struct hail_profile_ops;

enum hail_conn_state {
    HAIL_CONN_FREE,
    HAIL_CONN_WAITING,    // client: until it is time to connect anew
    HAIL_CONN_CONNECTING, // client: until the backend says that it is connected
    HAIL_CONN_OPEN,
    HAIL_CONN_FLUSHING, // to be closed when everything is sent
    HAIL_CONN_CLOSING,  // the backend has been told to close it
    HAIL_CONN_CLOSED,   // the backend is done with it; the application may still have to be told
    HAIL_CONN_STATE_COUNT
};

// Whether a client's connection is to have another source.
enum hail_conn_follow {
    HAIL_CONN_STAYS,
    HAIL_CONN_FOLLOWS_IF_MOVED, // if the kernel would choose another for it now
    HAIL_CONN_FOLLOWS
};

// One connection. Written by its shard alone; what others may read is in the table.
struct hail_conn_slot {
    enum hail_conn_state state : 8;
    enum hail_close_reason reason : 8; // from FLUSHING on
    bool announced;                    // the application knows of it, and will be told of its end
    bool connected_pending;            // the application is to be told that it is connected
    bool proven;        // server: the client has proven its keys, and has a place of conns_max
    bool has_text;      // of why it was closed, in the shard's texts
    bool explained;     // the text says why it has not joined yet
    bool joined;        // messages are the application's
    bool held;          // its input waits for room among the events
    bool paused;        // the backend has been told to receive no more
    bool pause_changed; // and has not heard of the last change
    bool waits;         // mlapi, server: for its hail or its key; what comes meanwhile is kept
    bool close_told;    // the backend has been given the task to close it
    bool again;         // client: it takes the place of one that was lost
    bool resumed;       // profile hail: by a ticket
    bool rebinds;       // client: its socket is to have another port, as if nobody knew
    enum hail_conn_follow follow : 8; // client
    bool server_gone;                 // client: the server goes down, or is full
    uint16_t close_code;              // an application's, of either end; 0: none
    uint32_t in_flight;               // bytes at the start of `out` that the backend is sending
    uint64_t tag;
    uint64_t client_id;
    uint64_t calls_made;
    uint64_t calls_ns; // when the next open call is to be given up; UINT64_MAX: never
    uint64_t opened_ns;
    uint64_t heard_ns;     // when bytes last came
    uint64_t in_since_ns;  // when the first byte of an unfinished message came
    uint64_t out_since_ns; // when what is to be sent last became shorter, or began to wait
    struct hail_chain in;  // of an unfinished message, or held
    struct hail_chain
        out; // framed bytes to be sent; hail, server: the welcome, in a pool of its own
    struct hail_mlapi_session *session; // profile mlapi
};

struct hail_shard_text {
    char text[HAIL_FAULT_TEXT_MAX];
};

struct hail_shard {
    const struct hail_profile_ops *profile;
    const struct hail_context *context;
    struct hail_context *shared; // the same, for what is atomic in it
    uint8_t index;
    bool stopping;
    bool owned;          // by a thread that has entered it: see hail_shard_enter
    size_t per_conn_len; // bytes reserved for each connection
    uint64_t now_ns;     // the time of this turn, by a clock that only goes forward
    int64_t unix_ns;     // its date, by one that may be set
    uint64_t limited_ns; // until then nothing more is said of limits on joining
    uint64_t stop_at_ns; // when stopping: flush no longer than this
    struct hail_arena arena;
    struct hail_conn_slot *conns;
    struct hail_open_call *calls;        // calls_max for each connection
    struct hail_shard_target *targets;   // client: one for each connection
    struct hail_shard_text *texts;       // one for each connection
    _Atomic uint64_t *handler_drops;     // one for each handler
    struct hail_channel_stats *channels; // one for each channel
    struct hail_table table;
    struct hail_timers timers;
    struct hail_pool pool;
    struct hail_quota quota; // of what waits in `pool` and in records: the holders are slots
    struct hail_groups groups;
    struct hail_queue output; // connections with work for the backend
    struct hail_queue held;   // waiting for room among the events
    struct hail_sources sources;
    uint32_t unknown_calls;   // of methods that nobody has, in this packet
    uint32_t handshake_count; // unfinished, by who has proven nothing
    uint32_t proven_count;    // server: of conns_max
    struct hail_random random;
    struct hail_stats stats;
    void *profile_state;              // one of the next two
    struct hail_native_shard *native; // profile hail
    struct hail_delivery delivery;    // profile hail: what connections have to send and receive
    struct hail_mlapi_shard *mlapi;   // profile mlapi
    struct hail_mailbox commands;
    _Atomic uint64_t *refused;         // a bit for each slot: `commands` had no room for it
    _Atomic bool refuses;              // one of them is set
    _Atomic uint64_t commands_refused; // how often that was
    struct hail_command *command_held; // read from `commands`, waiting for room among the events
    _Atomic uint32_t conns_promised;   // client: slots taken or promised to hail_connect
    _Atomic bool wants_room;           // hail_poll should wake us when it has made room
    int wake_fd;                       // eventfd to write to after a post, when the shard sleeps
};

// hail_shard_drop counts what came and is not taken, for a connection or, HAIL_SLOT_NONE, nobody's.
void hail_shard_drop(struct hail_shard *shard, uint32_t slot, enum hail_verdict verdict);

// hail_shard_allows says whether a connection may have `bytes` more of what waits: blocks, and
// records of them. False is counted.
HAIL_MUST_USE bool hail_shard_allows(struct hail_shard *shard, uint32_t slot, size_t bytes);

// hail_shard_message counts a message of a connection.
void hail_shard_message(struct hail_shard *shard, uint32_t slot,
                        const struct hail_message_view *message, bool is_incoming);

// hail_shard_current returns the shard whose callbacks this thread runs, or NULL.
// Threads  Any.
struct hail_shard *hail_shard_current(void);

// hail_shard_enter makes `shard` this thread's current one for as long as the thread lives. From
// here on the shard's calls are this thread's, and assert that they are.
void hail_shard_enter(struct hail_shard *shard);

// hail_shard_wake wakes the shard if it sleeps.
// Threads  Any.
void hail_shard_wake(struct hail_shard *shard);

// hail_shard_unix_s returns the date in seconds since 1970; 0: before that.
static inline uint64_t hail_shard_unix_s(const struct hail_shard *shard)
{
    return shard->unix_ns > 0 ? (uint64_t)shard->unix_ns / 1000000000 : 0;
}

#endif
