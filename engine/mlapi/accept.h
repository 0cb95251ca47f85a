// accept.h: a server of the mlapi profile and those who join it: hails are made, and keys agreed
// on, for several at a time, since many cost little more than one (MLAPI.md, "A session").
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MLAPI_ACCEPT_H
#define HAIL_ENGINE_MLAPI_ACCEPT_H

#include "engine/shard/state.h"

enum {
    HAIL_HAILS_PER_TURN = 8 // fresh keys, and signatures, made before others get their turn
};

// hail_mlapi_accept_turn does for those who wait what they wait for; hail_mlapi_accept_next_ns says
// when it next has to: 0 at once, UINT64_MAX never.
void hail_mlapi_accept_turn(struct hail_shard *shard);
uint64_t hail_mlapi_accept_next_ns(const struct hail_shard *shard);

#endif
