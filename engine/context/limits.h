// limits.h: what no configuration goes beyond.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_LIMITS_H
#define HAIL_ENGINE_CONTEXT_LIMITS_H

enum {
    HAIL_WIRE_EXTRA = 128, // a message's longest on the wire: message_max and this
    HAIL_SLOTS_MAX = 1 << 21,
    HAIL_SHARDS_MAX = 255
};

#endif
