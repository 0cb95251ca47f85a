// pool.c: see pool.h.
// SPDX-License-Identifier: MIT
#include "engine/pool.h"

#include <string.h>

void hail_pool_init(struct hail_pool *pool, struct hail_arena *arena, uint32_t block_count)
{
    *pool = (struct hail_pool){
        .blocks = hail_arena_take(arena, block_count, sizeof(struct hail_block)),
        .block_count = block_count,
        .free_first = HAIL_BLOCK_NONE,
    };
}

static uint32_t take_block(struct hail_pool *pool)
{
    uint32_t block = pool->free_first;

    HAIL_ASSERT(pool->used_count < pool->block_count);
    if (block != HAIL_BLOCK_NONE)
        pool->free_first = pool->blocks[block].next;
    else
        block = pool->fresh++;
    pool->used_count++;
    pool->blocks[block].next = HAIL_BLOCK_NONE;
    return block;
}

static void free_block(struct hail_pool *pool, uint32_t block)
{
    HAIL_ASSERT(pool->used_count > 0);
    pool->used_count--;
    pool->blocks[block].next = pool->free_first;
    pool->free_first = block;
}

void hail_chain_init(struct hail_chain *chain)
{
    *chain = (struct hail_chain){.first = HAIL_BLOCK_NONE, .last = HAIL_BLOCK_NONE};
}

bool hail_chain_append(struct hail_chain *chain, struct hail_pool *pool, const void *data,
                       size_t len)
{
    const uint8_t *bytes = data;
    size_t room = chain->last == HAIL_BLOCK_NONE ? 0 : HAIL_BLOCK_BYTES - chain->end;
    size_t blocks = len <= room ? 0 : (len - room + HAIL_BLOCK_BYTES - 1) / HAIL_BLOCK_BYTES;

    if (blocks > pool->block_count - pool->used_count)
        return false;

    chain->len += len;
    while (len > 0) {
        if (room == 0) {
            uint32_t block = take_block(pool);
            if (chain->last == HAIL_BLOCK_NONE) {
                chain->first = block;
                chain->start = 0;
            } else {
                pool->blocks[chain->last].next = block;
            }
            chain->last = block;
            chain->end = 0;
            room = HAIL_BLOCK_BYTES;
        }
        size_t part = len < room ? len : room;
        memcpy(pool->blocks[chain->last].bytes + chain->end, bytes, part);
        chain->end += (uint32_t)part;
        bytes += part;
        len -= part;
        room -= part;
    }
    return true;
}

// The bytes of `block` that belong to the chain.
static struct iovec view(const struct hail_chain *chain, const struct hail_pool *pool,
                         uint32_t block)
{
    size_t start = block == chain->first ? chain->start : 0;
    size_t end = block == chain->last ? chain->end : HAIL_BLOCK_BYTES;

    return (struct iovec){pool->blocks[block].bytes + start, end - start};
}

void hail_chain_copy(const struct hail_chain *chain, const struct hail_pool *pool, void *out,
                     size_t len)
{
    uint8_t *bytes = out;
    uint32_t block = chain->first;

    HAIL_ASSERT(len <= chain->len);
    while (len > 0) {
        struct iovec piece = view(chain, pool, block);
        size_t part = len < piece.iov_len ? len : piece.iov_len;
        memcpy(bytes, piece.iov_base, part);
        bytes += part;
        len -= part;
        block = pool->blocks[block].next;
    }
}

void hail_chain_consume(struct hail_chain *chain, struct hail_pool *pool, size_t len)
{
    HAIL_ASSERT(len <= chain->len);
    chain->len -= len;
    while (chain->first != HAIL_BLOCK_NONE) {
        uint32_t block = chain->first;
        size_t here = view(chain, pool, block).iov_len;

        if (len < here) {
            chain->start += (uint32_t)len;
            return;
        }
        len -= here;
        chain->first = pool->blocks[block].next;
        chain->start = 0;
        free_block(pool, block);
    }
    hail_chain_init(chain);
}

size_t hail_chain_views(const struct hail_chain *chain, const struct hail_pool *pool,
                        struct iovec *views, size_t views_max, size_t *len)
{
    uint32_t block = chain->first;
    size_t count = 0;

    *len = 0;
    while (block != HAIL_BLOCK_NONE && count < views_max) {
        views[count] = view(chain, pool, block);
        *len += views[count].iov_len;
        count++;
        block = pool->blocks[block].next;
    }
    return count;
}
