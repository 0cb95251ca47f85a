// source.h: a client's source address, which follows its machine from network to network. When is
// client/follow.h's to decide.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_SOURCE_H
#define HAIL_ENGINE_NATIVE_SOURCE_H

#include "engine/native/state.h"

// hail_source_due does what is due for a connected client, and may owe the peer a ping, as
// hail_source_followed does. hail_source_next_ns says when something is due.
void hail_source_due(struct hail_shard *shard, uint32_t slot);
uint64_t hail_source_next_ns(const struct hail_shard *shard, uint32_t slot);

// hail_source_unsent and hail_source_followed: see hail_shard_unsent.
void hail_source_unsent(struct hail_shard *shard, uint32_t slot, int error);
void hail_source_followed(struct hail_shard *shard, uint32_t slot);

#endif
