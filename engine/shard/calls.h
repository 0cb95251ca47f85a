// calls.h: a connection's calls that await their responses: places for calls_max of them, under
// numbers of our own on the wire, each with a time by which it is answered or given up.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_CALLS_H
#define HAIL_ENGINE_SHARD_CALLS_H

#include "engine/hail.h"
#include "proto/message.h"

struct hail_shard;

struct hail_open_call {
    uint64_t id;      // the application's
    uint64_t wire_id; // never the same twice on a connection: a late response is nobody's
    uint64_t due_ns;
    uint32_t flags;
    bool used;
};

// hail_calls_begin prepares a connection's places.
void hail_calls_begin(struct hail_shard *shard, uint32_t slot);

// hail_calls_open takes a place for a call that is about to be sent, and gives it its number. The
// connection is to be armed.
//
// timeout_ms  0: call_timeout_ms.
//
// Returns  HAIL_OK; HAIL_EINVAL: one with this id is under way; HAIL_EFULL: no place is free.
HAIL_MUST_USE enum hail_status hail_calls_open(struct hail_shard *shard, uint32_t slot,
                                               const struct hail_message_view *view,
                                               uint32_t timeout_ms, struct hail_open_call **opened);

// hail_calls_settle gives back the place of the call that `response` answers, and the
// application's id of it. False: there is none, or the response is less protected than it was.
HAIL_MUST_USE bool hail_calls_settle(struct hail_shard *shard, uint32_t slot,
                                     const struct hail_message_view *response, uint64_t *id);

// hail_calls_due tells the application of calls whose time has passed.
void hail_calls_due(struct hail_shard *shard, uint32_t slot);

#endif
