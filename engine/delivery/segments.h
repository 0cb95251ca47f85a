// segments.h: one message that comes in parts, put together: in any order, with overlaps, each
// byte as it first came. A part costs work by its own bytes, whatever has come before it, and the
// message takes memory by the blocks that it occupies. Knows no shard.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_SEGMENTS_H
#define HAIL_ENGINE_DELIVERY_SEGMENTS_H

#include "engine/memory/pool.h"

enum {
    // Of a message in one block, beside a bit for each that says whether it has come.
    HAIL_SEGMENTS_BYTES = 224,
    HAIL_SEGMENTS_FAN = HAIL_BLOCK_MESSAGE / 4, // blocks that an index block leads to
    HAIL_SEGMENTS_MAX = HAIL_SEGMENTS_BYTES * HAIL_SEGMENTS_FAN * HAIL_SEGMENTS_FAN *
                        HAIL_SEGMENTS_FAN // bytes of a message: three levels of indices
};

// The bytes of a message, in blocks of a pool of HAIL_BLOCK_MESSAGE. Blocks with bytes are found
// through blocks of their numbers, as many levels of them as the message's length needs.
struct hail_segments {
    uint32_t root;   // the topmost block; HAIL_BLOCK_NONE: nothing has come
    uint32_t total;  // bytes of the whole message
    uint32_t got;    // of them
    uint32_t blocks; // that it occupies
};

// hail_segments_init begins a message of `total` bytes, 1 to HAIL_SEGMENTS_MAX, that occupies
// nothing yet.
void hail_segments_init(struct hail_segments *message, uint32_t total);

// hail_segments_needs returns how many blocks more a part will occupy, exactly;
// hail_segments_most, of a message of `total` bytes, how many at most. The part lies in the
// message, and has one byte at least: so it is everywhere below.
uint32_t hail_segments_needs(const struct hail_segments *message, const struct hail_pool *pool,
                             uint32_t offset, uint32_t len);
uint32_t hail_segments_most(uint32_t total, uint32_t offset, uint32_t len);

// hail_segments_blocks_max returns how many blocks a message of `total` bytes occupies at most.
uint64_t hail_segments_blocks_max(uint64_t total);

// hail_segments_add takes of a part what has not come before, and returns how many bytes that
// was. The pool has the blocks that it needs.
uint32_t hail_segments_add(struct hail_segments *message, struct hail_pool *pool, uint32_t offset,
                           const uint8_t *data, uint32_t len);

// hail_segments_take moves a message that is whole to `out`, which has room for it, and gives its
// blocks back; hail_segments_clear gives them back. Afterwards it is as after init.
void hail_segments_take(struct hail_segments *message, struct hail_pool *pool, uint8_t *out);
void hail_segments_clear(struct hail_segments *message, struct hail_pool *pool);

#endif
