// limits.h: what no configuration goes beyond.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_LIMITS_H
#define HAIL_ENGINE_CONTEXT_LIMITS_H

#include <stdint.h>

enum {
    HAIL_WIRE_EXTRA = 128, // a message's longest on the wire: message_max and this
    HAIL_SLOTS_MAX = 1 << 21,
    HAIL_SHARDS_MAX = 255,
    HAIL_LIMIT_CONNS_MAX = 1 << 20, // also of handshakes, and of those of one prefix
    HAIL_LIMIT_PER_S_MAX = 1000000,
    HAIL_LIMIT_MESSAGE_MIN = 16,
    HAIL_LIMIT_MESSAGE_MAX = 16 << 20,
    HAIL_LIMIT_UNSENT_MIN = 4096,
    HAIL_LIMIT_UNSENT_MAX = 1 << 30,
    HAIL_LIMIT_CALLS_MAX = 4096,
    HAIL_LIMIT_QUEUE_MIN = 4096,
    HAIL_LIMIT_QUEUE_MAX = 1 << 29,
    HAIL_LIMIT_COALESCE_US_MAX = 100000
};

// What the indices of blocks reach: just below 512 GiB.
#define HAIL_LIMIT_BUFFERS_MAX ((UINT64_C(1) << 39) - 1)

#endif
