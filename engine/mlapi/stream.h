// stream.h: what a connection of the mlapi profile receives, frame by frame.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MLAPI_STREAM_H
#define HAIL_ENGINE_MLAPI_STREAM_H

#include "engine/shard/state.h"

// hail_stream_feed takes in `len` bytes that came, after those that wait already; none: tries again
// those that wait.
void hail_stream_feed(struct hail_shard *shard, uint32_t slot, uint8_t *data, size_t len);

// hail_stream_retry goes on with what waited for room among the events.
void hail_stream_retry(struct hail_shard *shard, uint32_t slot);

#endif
