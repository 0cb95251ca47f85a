// pool.c: see pool.h.
// SPDX-License-Identifier: MIT
#include "engine/memory/pool.h"

#include "crypto/meter.h"

// A block begins with the number of the next one, in a chain or the free list.
static uint32_t *next_of(const struct hail_pool *pool, uint32_t block)
{
    return hail_pool_at(pool, block);
}

static uint8_t *bytes_of(const struct hail_pool *pool, uint32_t block)
{
    return pool->memory + (size_t)block * pool->block_size + HAIL_BLOCK_LINK;
}

static uint32_t bytes_per_block(const struct hail_pool *pool)
{
    return pool->block_size - HAIL_BLOCK_LINK;
}

void hail_pool_init(struct hail_pool *pool, struct hail_arena *arena, uint32_t block_size,
                    uint32_t block_count)
{
    HAIL_ASSERT(block_size % HAIL_BLOCK_LINK == 0);
    HAIL_ASSERT(block_size > HAIL_BLOCK_LINK);
    *pool = (struct hail_pool){
        .memory = hail_arena_take(arena, block_count, block_size),
        .block_size = block_size,
        .block_count = block_count,
        .free_first = HAIL_BLOCK_NONE,
    };
}

size_t hail_pool_need(const struct hail_pool *pool, size_t len)
{
    return (len + bytes_per_block(pool) - 1) / bytes_per_block(pool) * pool->block_size;
}

uint32_t hail_pool_take(struct hail_pool *pool)
{
    uint32_t block = pool->free_first;

    HAIL_ASSERT(pool->used_count < pool->block_count);
    if (block != HAIL_BLOCK_NONE)
        pool->free_first = *next_of(pool, block);
    else
        block = pool->fresh++;
    HAIL_ASSERT(block < pool->fresh); // a free block that was written to leads anywhere
    pool->used_count++;
    *next_of(pool, block) = HAIL_BLOCK_NONE;
    return block;
}

void hail_pool_give(struct hail_pool *pool, uint32_t block)
{
    HAIL_ASSERT(block < pool->fresh);
    HAIL_ASSERT(pool->used_count > 0);
    pool->used_count--;
    *next_of(pool, block) = pool->free_first;
    pool->free_first = block;
}

void hail_chain_init(struct hail_chain *chain)
{
    *chain = (struct hail_chain){.first = HAIL_BLOCK_NONE, .last = HAIL_BLOCK_NONE};
}

// Bytes that the last block has room for.
static size_t room_in(const struct hail_chain *chain, const struct hail_pool *pool)
{
    return chain->last == HAIL_BLOCK_NONE ? 0 : bytes_per_block(pool) - chain->end;
}

size_t hail_chain_need(const struct hail_chain *chain, const struct hail_pool *pool, size_t len)
{
    size_t room = room_in(chain, pool);

    return len <= room ? 0 : hail_pool_need(pool, len - room);
}

bool hail_chain_append(struct hail_chain *chain, struct hail_pool *pool, const void *data,
                       size_t len)
{
    const uint8_t *bytes = data;
    size_t whole = bytes_per_block(pool);
    size_t room = room_in(chain, pool);
    size_t blocks = len <= room ? 0 : (len - room + whole - 1) / whole;

    HAIL_ASSERT(len <= UINT32_MAX - chain->len);
    if (blocks > hail_pool_left(pool))
        return false;

    chain->len += (uint32_t)len;
    while (len > 0) {
        if (room == 0) {
            uint32_t block = hail_pool_take(pool);
            if (chain->last == HAIL_BLOCK_NONE) {
                chain->first = block;
                chain->start = 0;
            } else {
                *next_of(pool, chain->last) = block;
            }
            chain->last = block;
            chain->end = 0;
            room = whole;
        }
        size_t part = len < room ? len : room;
        hail_meter_copy(bytes_of(pool, chain->last) + chain->end, bytes, part);
        chain->end += (uint32_t)part;
        bytes += part;
        len -= part;
        room -= part;
    }
    return true;
}

bool hail_chain_fits(const struct hail_chain *chain, const struct hail_pool *pool, size_t len)
{
    size_t whole = bytes_per_block(pool);
    size_t room = room_in(chain, pool);

    return len <= (room == 0 ? whole : room);
}

uint8_t *hail_chain_last(const struct hail_chain *chain, const struct hail_pool *pool, size_t len)
{
    HAIL_ASSERT(chain->last != HAIL_BLOCK_NONE);
    HAIL_ASSERT(len <= chain->end);
    return bytes_of(pool, chain->last) + chain->end - len;
}

// The bytes of `block` that belong to the chain.
static struct iovec view(const struct hail_chain *chain, const struct hail_pool *pool,
                         uint32_t block)
{
    size_t start = block == chain->first ? chain->start : 0;
    size_t end = block == chain->last ? chain->end : bytes_per_block(pool);

    return (struct iovec){bytes_of(pool, block) + start, end - start};
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
        hail_meter_copy(bytes, piece.iov_base, part);
        bytes += part;
        len -= part;
        block = *next_of(pool, block);
    }
}

void hail_chain_mark_init(struct hail_chain_mark *mark)
{
    *mark = (struct hail_chain_mark){HAIL_BLOCK_NONE, 0};
}

void hail_chain_read(const struct hail_chain *chain, const struct hail_pool *pool,
                     struct hail_chain_mark *mark, size_t offset, void *out, size_t len)
{
    uint8_t *bytes = out;

    HAIL_ASSERT(offset + len <= chain->len);
    if (mark->block == HAIL_BLOCK_NONE || offset < mark->at)
        *mark = (struct hail_chain_mark){chain->first, 0};
    while (len > 0) {
        struct iovec piece = view(chain, pool, mark->block);
        size_t skip = offset - mark->at;
        if (skip >= piece.iov_len) {
            mark->at += (uint32_t)piece.iov_len;
            mark->block = *next_of(pool, mark->block);
            continue;
        }
        size_t part = piece.iov_len - skip < len ? piece.iov_len - skip : len;
        hail_meter_copy(bytes, (uint8_t *)piece.iov_base + skip, part);
        bytes += part;
        offset += part;
        len -= part;
    }
}

// Frees all blocks at once: they hang together as free ones do.
static void free_all(struct hail_chain *chain, struct hail_pool *pool)
{
    uint32_t whole = bytes_per_block(pool);
    uint32_t blocks = (chain->start + chain->len + whole - chain->end) / whole;

    HAIL_ASSERT(blocks <= pool->used_count);
    HAIL_ASSERT(chain->first < pool->fresh);
    HAIL_ASSERT(chain->last < pool->fresh);
    pool->used_count -= blocks;
    *next_of(pool, chain->last) = pool->free_first;
    pool->free_first = chain->first;
    hail_chain_init(chain);
}

void hail_chain_consume(struct hail_chain *chain, struct hail_pool *pool, size_t len)
{
    HAIL_ASSERT(len <= chain->len);
    if (len == chain->len) {
        if (len > 0)
            free_all(chain, pool);
        return;
    }
    chain->len -= (uint32_t)len;
    for (;;) {
        uint32_t block = chain->first;
        size_t here = view(chain, pool, block).iov_len;

        if (len < here) {
            chain->start += (uint32_t)len;
            return;
        }
        len -= here;
        chain->first = *next_of(pool, block);
        chain->start = 0;
        hail_pool_give(pool, block);
    }
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
        block = *next_of(pool, block);
    }
    return count;
}
