// pool.h: fixed blocks for bytes that wait, to be sent or for the rest of their message, and chains
// of such blocks as byte queues. The pool is a shard's only memory for them, so its size is the
// bound.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MEMORY_POOL_H
#define HAIL_ENGINE_MEMORY_POOL_H

#include <sys/uio.h>

#include "engine/memory/arena.h"

enum {
    HAIL_BLOCK_STREAM = 4096, // for streams: a page
    HAIL_BLOCK_MESSAGE = 256, // for messages, which are small: whole cache lines
    HAIL_BLOCK_LINK = 4       // of a block, for the pool's own use
};

#define HAIL_BLOCK_NONE UINT32_MAX

struct hail_pool {
    uint8_t *memory;
    uint32_t block_size;
    uint32_t block_count;
    uint32_t fresh; // blocks from here on were never used, and their pages never touched
    uint32_t free_first;
    uint32_t used_count;
};

// hail_pool_init takes the memory for blocks of `block_size` bytes, a multiple of 4.
void hail_pool_init(struct hail_pool *pool, struct hail_arena *arena, uint32_t block_size,
                    uint32_t block_count);

// hail_pool_left returns how many blocks can be taken.
static inline uint32_t hail_pool_left(const struct hail_pool *pool)
{
    return pool->block_count - pool->used_count;
}

// hail_pool_take takes one block for the caller's own use, all `block_size` bytes of it, whose
// content is not defined. There is one left. hail_pool_give gives it back.
uint32_t hail_pool_take(struct hail_pool *pool);
void hail_pool_give(struct hail_pool *pool, uint32_t block);

// hail_pool_at returns where a block lies.
static inline void *hail_pool_at(const struct hail_pool *pool, uint32_t block)
{
    return pool->memory + (size_t)block * pool->block_size;
}

// hail_pool_need returns how many bytes of blocks a chain of `len` bytes takes, and hail_chain_need
// how many more one takes that is to be longer by `len`.
size_t hail_pool_need(const struct hail_pool *pool, size_t len);

// A queue of bytes. The zero state is no queue: hail_chain_init.
struct hail_chain {
    uint32_t first;
    uint32_t last;
    uint32_t start; // of the bytes in the first block
    uint32_t end;   // of the bytes in the last block
    uint32_t len;   // below 4 GiB: nobody may have so much waiting
};

size_t hail_chain_need(const struct hail_chain *chain, const struct hail_pool *pool, size_t len);

void hail_chain_init(struct hail_chain *chain);

// hail_chain_append adds `len` bytes at the end, or nothing and returns false when the pool has not
// enough blocks. Bytes that are there already do not move: the kernel may be reading them.
HAIL_MUST_USE bool hail_chain_append(struct hail_chain *chain, struct hail_pool *pool,
                                     const void *data, size_t len);

// hail_chain_fits says whether `len` bytes more, if there are blocks for them, will lie in one
// piece. hail_chain_last returns where the last `len` bytes are, which do.
bool hail_chain_fits(const struct hail_chain *chain, const struct hail_pool *pool, size_t len);
uint8_t *hail_chain_last(const struct hail_chain *chain, const struct hail_pool *pool, size_t len);

// hail_chain_copy copies the first `len` bytes, which are there.
void hail_chain_copy(const struct hail_chain *chain, const struct hail_pool *pool, void *out,
                     size_t len);

// A place in a chain, for reading on from there.
struct hail_chain_mark {
    uint32_t block; // HAIL_BLOCK_NONE: nothing has been read yet
    uint32_t at;    // in the chain, where the block's bytes begin
};

// hail_chain_read copies `len` bytes from `offset` on, which are there. `mark` is where the last
// reading ended, or the zero mark's hail_chain_mark_init: reading on from there looks for nothing.
// Holds while nothing is consumed.
void hail_chain_read(const struct hail_chain *chain, const struct hail_pool *pool,
                     struct hail_chain_mark *mark, size_t offset, void *out, size_t len);
void hail_chain_mark_init(struct hail_chain_mark *mark);

// hail_chain_consume drops the first `len` bytes, which are there, and frees emptied blocks. All of
// them cost no more than one.
void hail_chain_consume(struct hail_chain *chain, struct hail_pool *pool, size_t len);

// hail_chain_views describes the first bytes in at most `views_max` pieces. Returns how many, and
// their sum in `*len`.
size_t hail_chain_views(const struct hail_chain *chain, const struct hail_pool *pool,
                        struct iovec *views, size_t views_max, size_t *len);

#endif
