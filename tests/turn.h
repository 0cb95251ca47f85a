// turn.h: a shard's turn in tests, where nobody sets the clock unless the test does.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_TURN_H
#define HAIL_TESTS_TURN_H

#include "engine/shard/shard.h"

static inline void test_turn(struct hail_shard *shard, uint64_t now_ns)
{
    const struct hail_context *context = shard->context;

    hail_shard_turn(shard, now_ns, context->start_unix_ns + (int64_t)(now_ns - context->start_ns));
}

#endif
