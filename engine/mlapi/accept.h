// accept.h: a server of the mlapi profile and those who join it: hails are made, and keys agreed
// on, for several at a time, since many cost little more than one (MLAPI.md, "A session").
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MLAPI_ACCEPT_H
#define HAIL_ENGINE_MLAPI_ACCEPT_H

#include "engine/memory/queue.h"
#include "proto/limit.h"
#include "proto/mlapi/session.h"

enum {
    HAIL_HAILS_PER_TURN = 8 // fresh keys, and signatures, made before others get their turn
};

struct hail_mlapi_accept {
    struct hail_limit accepts;  // by source
    struct hail_queue unhailed; // accepted, and not yet greeted with a hail
    struct hail_queue answered; // hail responses that wait their turn, and for each other
    uint64_t answered_ns;       // since when
    struct hail_mlapi_hail hail;
    uint64_t hail_until_ns; // it may be reused until then; 0: there is none
};

struct hail_shard;

// hail_mlapi_accept_reserve takes or adds up the memory; called twice: see arena.h.
void hail_mlapi_accept_reserve(struct hail_shard *shard, uint32_t slots);

void hail_mlapi_accept_init(struct hail_shard *shard);

// hail_mlapi_accept_cleanup wipes.
void hail_mlapi_accept_cleanup(struct hail_mlapi_accept *accept);

// hail_mlapi_accept_queue_hail has a connection wait for its hail, hail_mlapi_accept_queue_key for
// its key: its hail response has come. What else comes from it waits as well.
void hail_mlapi_accept_queue_hail(struct hail_shard *shard, uint32_t slot);
void hail_mlapi_accept_queue_key(struct hail_shard *shard, uint32_t slot);

// hail_mlapi_accept_turn does for those who wait what they wait for; hail_mlapi_accept_next_ns says
// when it next has to: 0 at once, UINT64_MAX never.
void hail_mlapi_accept_turn(struct hail_shard *shard);
uint64_t hail_mlapi_accept_next_ns(const struct hail_shard *shard);

#endif
