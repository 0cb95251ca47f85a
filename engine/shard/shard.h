// shard.h: everything one worker owns, driven from outside.
// SPDX-License-Identifier: MIT
//
// A shard is everything one worker owns -- connections, timers, pools, counters -- and no
// way to reach the outside. Time and bytes come in as arguments, work for the outside is pulled
// with hail_shard_output. An I/O backend drives it in production, a test or simulator elsewhere,
// and it cannot tell which.
//
// Threads  All of a shard's calls are made by one thread, but where it says otherwise.
#ifndef HAIL_ENGINE_SHARD_SHARD_H
#define HAIL_ENGINE_SHARD_SHARD_H

#include <sys/uio.h>

#include "engine/context/context.h"
#include "engine/context/stats.h"
#include "engine/delivery/quota.h"
#include "engine/memory/pool.h"
#include "engine/memory/queue.h"
#include "engine/mlapi/mlapi.h"
#include "engine/native/native.h"
#include "engine/shard/calls.h"
#include "engine/shard/command.h"
#include "engine/shard/group.h"
#include "engine/shard/sources.h"
#include "engine/shard/table.h"
#include "engine/shard/timer.h"

enum {
    HAIL_WIRE_EXTRA = 128, // a message's longest on the wire: message_max and this
    HAIL_VIEWS_MAX = 16    // pieces of one send
};

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

// One connection. Written by its shard alone; what others may read is in the table.
struct hail_conn_slot {
    enum hail_conn_state state : 8;
    enum hail_close_reason reason : 8; // from FLUSHING on
    bool announced;                    // the application knows of it, and will be told of its end
    bool connected_pending;            // the application is to be told that it is connected
    bool proven;        // server: the client has proven its keys, and has a place of conns_max
    bool has_text;      // of why it was closed, in the shard's texts
    bool joined;        // messages are the application's
    bool held;          // its input waits for room among the events
    bool paused;        // the backend has been told to receive no more
    bool pause_changed; // and has not heard of the last change
    bool waits;         // mlapi, server: for its hail or its key; what comes meanwhile is kept
    bool close_told;    // the backend has been given the task to close it
    bool again;         // client: it takes the place of one that was lost
    bool rebinds;       // client: its socket is to have another port
    bool server_gone;   // client: the server goes down, or is full
    uint32_t in_flight; // bytes at the start of `out` that the backend is sending
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

// A client's copy of where it connects to.
struct hail_shard_target {
    struct hail_addresses addresses;
    uint8_t tried;     // addresses that have failed
    uint32_t pause_ms; // before the next attempt to come back, more or less
    uint64_t retry_ns; // when that is
    uint64_t give_up_ns;
    size_t conn_data_len;
    uint8_t conn_data[HAIL_MLAPI_CONN_DATA_MAX];
};

struct hail_shard_text {
    char text[HAIL_FAULT_TEXT_MAX];
};

struct hail_shard {
    const struct hail_context *context;
    struct hail_context *shared; // the same, for what is atomic in it
    uint8_t index;
    bool stopping;
    bool owned;          // by a thread that has entered it: see hail_shard_enter
    size_t per_conn_len; // bytes reserved for each connection
    uint64_t now_ns;     // the time of this turn
    uint64_t stop_at_ns; // when stopping: flush no longer than this
    struct hail_arena arena;
    struct hail_conn_slot *conns;
    struct hail_open_call *calls;        // calls_max for each connection
    struct hail_shard_target *targets;   // client: one for each connection
    struct hail_shard_text *texts;       // one for each connection
    _Atomic uint64_t *handler_drops;     // one for each handler
    struct hail_channel_stats *channels; // one for each channel
    uint8_t *scratch_in;                 // a message put together from pieces
    uint8_t *scratch_out;                // a message being written
    struct hail_table table;
    struct hail_timers timers;
    struct hail_pool pool;
    struct hail_quota quota; // of what waits in `pool` and in records: the holders are slots
    struct hail_groups groups;
    struct hail_queue output; // connections with work for the backend
    struct hail_queue held;   // waiting for room among the events
    struct hail_sources sources;
    uint32_t handshake_count; // unfinished, by who has proven nothing
    uint32_t proven_count;    // server: of conns_max
    struct hail_random random;
    struct hail_stats stats;
    struct hail_native_shard *native; // profile hail
    struct hail_mlapi_shard *mlapi;   // profile mlapi
    struct hail_mailbox commands;
    struct hail_command *command_held; // read from `commands`, waiting for room among the events
    _Atomic uint32_t conns_promised;   // client: slots taken or promised to hail_connect
    _Atomic bool wants_room;           // hail_poll should wake us when it has made room
    int wake_fd;                       // eventfd to write to after a post, when the shard sleeps
};

// hail_shard_init reserves all that a shard will use, and makes it ready; it was zero. `random` is
// moved in. Returns false, and errno says why, when the memory cannot be had; then it stays zero.
HAIL_MUST_USE bool hail_shard_init(struct hail_shard *shard, struct hail_context *context,
                                   uint8_t index, const struct hail_random *random);

// hail_shard_cleanup wipes it and gives its memory back; the zero state is allowed. Every
// connection is closed.
void hail_shard_cleanup(struct hail_shard *shard);

// hail_shard_accept begins a connection that a peer made. Returns its slot, or HAIL_SLOT_NONE when
// there is no room, or its prefix has used up its own: the caller resets the connection.
uint32_t hail_shard_accept(struct hail_shard *shard, const struct sockaddr *peer,
                           socklen_t peer_len);

// hail_shard_connected says how a connection that the shard asked for went: 0 or -errno.
void hail_shard_connected(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_input takes in stream bytes that came for a connection. They are decrypted in place.
void hail_shard_input(struct hail_shard *shard, uint32_t slot, uint8_t *data, size_t len);

// hail_shard_datagram takes in one datagram, on the hail profile. It is decrypted in place.
//
// slot     A client's connection, whose socket it came to; HAIL_SLOT_NONE: a server's port.
// from     Where it came from; of a client's, whose socket takes nothing from elsewhere, not used.
void hail_shard_datagram(struct hail_shard *shard, uint32_t slot, const struct sockaddr *from,
                         uint8_t *data, size_t len);

// hail_shard_crowded says whether the datagrams that wait for the backend leave little room for the
// answers to more.
bool hail_shard_crowded(const struct hail_shard *shard);

// hail_shard_refused says that the socket of a client's connection on the hail profile reported
// -errno, such as that nobody listens there. Returns whether to go on with it nevertheless; if not,
// the backend closes it, and may be asked to connect anew.
HAIL_MUST_USE bool hail_shard_refused(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_ended says that a connection's peer has closed (0) or its socket failed (-errno).
void hail_shard_ended(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_sent says how the last send task went: bytes, or -errno.
void hail_shard_sent(struct hail_shard *shard, uint32_t slot, int result);

// hail_shard_closed says that the backend has done a close task: nothing of the connection is
// in flight any more, and the slot is the shard's again.
void hail_shard_closed(struct hail_shard *shard, uint32_t slot);

// hail_shard_turn does what is due: commands, hails to be made, timeouts, what had to wait.
void hail_shard_turn(struct hail_shard *shard, uint64_t now_ns);

// hail_shard_next_ns returns when hail_shard_turn next has work of its own: 0 at once, UINT64_MAX
// never.
uint64_t hail_shard_next_ns(const struct hail_shard *shard);

enum hail_task_op {
    HAIL_TASK_CONNECT, // to `address`
    HAIL_TASK_REBIND,  // client, profile hail: to `address` from another port
    HAIL_TASK_SEND,    // `views`; the next one for this slot comes after hail_shard_sent
    HAIL_TASK_PAUSE,   // receive no more
    HAIL_TASK_RESUME,
    HAIL_TASK_CLOSE,    // let go of everything, then hail_shard_closed
    HAIL_TASK_DATAGRAMS // `views`: a datagram each, all as long as the first but the last, which
                        // may be shorter; to `address`, or if NULL through the socket of `slot`
};

// Work for the backend. What it points to holds until the task is done; of HAIL_TASK_DATAGRAMS,
// until hail_shard_handed_over.
struct hail_task {
    enum hail_task_op op;
    uint32_t slot;
    const struct sockaddr *address;
    bool resets; // HAIL_TASK_CLOSE: without a word, so that the kernel keeps nothing of it either
    size_t view_count;
    struct iovec views[HAIL_VIEWS_MAX];
};

// hail_shard_output gives the next piece of work; false: there is none.
HAIL_MUST_USE bool hail_shard_output(struct hail_shard *shard, struct hail_task *task);

// hail_shard_handed_over says that the kernel has copied the datagrams of all tasks so far.
void hail_shard_handed_over(struct hail_shard *shard);

// hail_shard_stop begins to close every connection; what is queued may be sent until `stop_at_ns`.
void hail_shard_stop(struct hail_shard *shard, uint64_t stop_at_ns);

// hail_shard_stopped says whether no connection is left.
bool hail_shard_stopped(const struct hail_shard *shard);

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

#endif
