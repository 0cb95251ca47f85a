// command.h: what an application tells a connection to do, as one struct: carried out at once on
// the shard's own thread, or copied through the shard's mailbox from any other.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_COMMAND_H
#define HAIL_ENGINE_SHARD_COMMAND_H

#include "engine/client/target.h"
#include "engine/hail.h"
#include "engine/memory/mailbox.h"
#include "proto/message.h"
#include "proto/path.h"

enum hail_command_op {
    HAIL_COMMAND_CONNECT,
    HAIL_COMMAND_APPROVE,
    HAIL_COMMAND_DENY,
    HAIL_COMMAND_CLOSE,
    HAIL_COMMAND_SET_TAG,
    HAIL_COMMAND_UPDATE_KEYS,
    HAIL_COMMAND_FLUSH,
    HAIL_COMMAND_SIMULATE, // the view's body is a struct hail_simulate_order
    HAIL_COMMAND_JOIN_GROUP,
    HAIL_COMMAND_LEAVE_GROUP,
    HAIL_COMMAND_DATAGRAM, // from another shard of this server, where it arrived
    HAIL_COMMAND_SEND,
    HAIL_COMMAND_SEND_MANY,
    HAIL_COMMAND_SEND_ALL_BUT,  // conn 0: to all
    HAIL_COMMAND_SEND_GROUP_BUT // conn 0: to all of it
};

// Fields that an op does not have are 0.
struct hail_command {
    enum hail_command_op op;
    struct hail_conn conn;
    uint64_t tag;                  // CONNECT, APPROVE, SET_TAG; CLOSE: the code
    struct hail_group group;       // *_GROUP*
    struct hail_message_view view; // SEND*; CONNECT, DENY: body is connection data or reason
    const struct hail_conn *conns; // SEND_MANY
    size_t conn_count;
    const struct hail_addresses *addresses; // CONNECT
    const struct hail_path *from;           // DATAGRAM
    struct hail_mlapi_scene scene;          // APPROVE, has_scene: the view's body is its objects
    bool has_scene;
    uint32_t timeout_ms; // SEND* of a call that wants a response; 0: the config's
    bool posted;         // it has crossed threads, and whoever made it is not told how it went
};

struct hail_shard;

// hail_command_run carries out a command on the shard's own thread. SEND_MANY tries every
// connection and counts those that took it in `*done`.
HAIL_MUST_USE enum hail_status hail_command_run(struct hail_shard *shard,
                                                const struct hail_command *command, size_t *done);

// hail_command_post copies a command, and all it points to, into a shard's mailbox. HAIL_EFULL: it
// did not fit.
// Threads  Any.
HAIL_MUST_USE enum hail_status hail_command_post(struct hail_shard *shard,
                                                 const struct hail_command *command);

// hail_command_drain carries out what has been posted. Failures have nobody to answer to: they are
// counted, and for a call that wants a response become its RESPONSE event.
void hail_command_drain(struct hail_shard *shard);

#endif
