// mlapi.h: what a shard has on the mlapi profile, and what its connections say.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MLAPI_MLAPI_H
#define HAIL_ENGINE_MLAPI_MLAPI_H

#include "engine/memory/queue.h"
#include "engine/mlapi/sealer.h"
#include "engine/shard/state.h"
#include "proto/limit.h"
#include "proto/mlapi/session.h"

// A server's handshakes that wait (accept.h).
struct hail_mlapi_accept {
    struct hail_limit accepts;  // by source
    struct hail_queue unhailed; // accepted, and not yet greeted with a hail
    struct hail_queue answered; // hail responses that wait their turn, and for each other
    uint64_t answered_ns;       // since when
    struct hail_mlapi_hail hail;
    uint64_t hail_until_ns; // it may be reused until then; 0: there is none
};

struct hail_mlapi_shard {
    struct hail_mlapi_session *sessions; // one for each slot
    struct hail_mlapi_accept accept;     // server
    struct hail_sealer sealer;
    struct hail_mlapi_result result; // of a session's last step
    uint8_t *assembled;              // a message put together from what came
    uint8_t *framed;                 // a message being written, and before it room for its header
    size_t framed_max;               // the longest, header not counted
};

// hail_mlapi_ambient returns the dice and clocks for a session.
struct hail_mlapi_ambient hail_mlapi_ambient(struct hail_shard *shard);

// hail_mlapi_queue frames one message of `len` bytes, which lies HAIL_MLAPI_FRAME_HEADER_LEN behind
// `framed`, and queues it. When that does not fit, the answer is HAIL_EFULL, and a connection over
// its own limit is ended.
HAIL_MUST_USE enum hail_status hail_mlapi_queue(struct hail_shard *shard, uint32_t slot,
                                                uint8_t *framed, size_t len);

// hail_mlapi_reply queues the message that the session wrote by itself, if it wrote one.
void hail_mlapi_reply(struct hail_shard *shard, uint32_t slot);

// hail_mlapi_approve sends time sync and approved, and ends the handshake.
void hail_mlapi_approve(struct hail_shard *shard, uint32_t slot,
                        const struct hail_mlapi_scene *scene);

// hail_mlapi_send protects and queues an application message, or has the sealer protect it later.
HAIL_MUST_USE enum hail_status hail_mlapi_send(struct hail_shard *shard, uint32_t slot,
                                               const struct hail_message_view *view);

// hail_mlapi_wait_for_hail has a connection wait for its hail, hail_mlapi_wait_for_key for its key:
// its hail response has come. What else comes from it waits as well.
void hail_mlapi_wait_for_hail(struct hail_shard *shard, uint32_t slot);
void hail_mlapi_wait_for_key(struct hail_shard *shard, uint32_t slot);

#endif
