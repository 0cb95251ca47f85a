// hailer.h: a server of the mlapi profile and those who join it: hails are made, and keys agreed
// on, for several at a time, since many cost little more than one (MLAPI.md, "A session").
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_HAILER_H
#define HAIL_ENGINE_HAILER_H

#include "engine/queue.h"
#include "proto/limit.h"
#include "proto/mlapi/session.h"

enum {
    HAIL_HAILS_PER_TURN = 8 // fresh keys, and signatures, made before others get their turn
};

struct hail_hailer {
    struct hail_limit accepts;  // by source
    struct hail_queue unhailed; // accepted, and not yet greeted with a hail
    struct hail_queue answered; // hail responses that wait their turn, and for each other
    uint64_t answered_ns;       // since when
    struct hail_mlapi_hail hail;
    uint64_t hail_until_ns; // it may be reused until then; 0: there is none
};

struct hail_shard;

// hail_hailer_reserve takes or adds up the memory; called twice: see arena.h.
void hail_hailer_reserve(struct hail_shard *shard, uint32_t slots);

void hail_hailer_init(struct hail_shard *shard);

// hail_hailer_cleanup wipes.
void hail_hailer_cleanup(struct hail_hailer *hailer);

// hail_hailer_accepted has a connection wait for its hail, hail_hailer_answered for its key: its
// hail response has come. What else comes from it waits as well.
void hail_hailer_accepted(struct hail_shard *shard, uint32_t slot);
void hail_hailer_answered(struct hail_shard *shard, uint32_t slot);

// hail_hailer_turn does for those who wait what they wait for; hail_hailer_next_ns says when it
// next has to: 0 at once, UINT64_MAX never.
void hail_hailer_turn(struct hail_shard *shard);
uint64_t hail_hailer_next_ns(const struct hail_shard *shard);

#endif
