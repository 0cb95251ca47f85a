// reassembly.c: see reassembly.h.
// SPDX-License-Identifier: MIT
#include "engine/reassembly.h"

#include <string.h>

#include "crypto/meter.h"

enum {
    WORD_BITS = 64,
    WORDS = (HAIL_BLOCK_MESSAGE - HAIL_REASSEMBLY_BYTES) / 8
};

// Some bytes of a message: a block.
struct leaf {
    uint64_t came[WORDS]; // a bit for each byte
    uint8_t bytes[HAIL_REASSEMBLY_BYTES];
};

// The numbers of blocks: a block.
struct index {
    uint32_t blocks[HAIL_REASSEMBLY_FAN]; // HAIL_BLOCK_NONE: nothing of what is there has come
};

_Static_assert(sizeof(struct leaf) == HAIL_BLOCK_MESSAGE, "a leaf is a block");
_Static_assert(sizeof(struct index) == HAIL_BLOCK_MESSAGE, "an index is a block");
_Static_assert(HAIL_REASSEMBLY_BYTES <= WORDS * WORD_BITS, "a bit for each byte");

void hail_reassembly_init(struct hail_reassembly *message, uint32_t total)
{
    HAIL_ASSERT(total > 0);
    HAIL_ASSERT(total <= HAIL_REASSEMBLY_MAX);
    *message = (struct hail_reassembly){.root = HAIL_BLOCK_NONE, .total = total};
}

// ---- Counting

// Indices above the leaves of a message.
static unsigned levels_of(uint32_t total)
{
    uint32_t reach = HAIL_REASSEMBLY_BYTES;
    unsigned levels = 0;

    for (; reach < total; reach *= HAIL_REASSEMBLY_FAN)
        levels++;
    return levels;
}

uint32_t hail_reassembly_most(const struct hail_reassembly *message, uint32_t offset, uint32_t len)
{
    uint32_t first = offset / HAIL_REASSEMBLY_BYTES;
    uint32_t last = (offset + len - 1) / HAIL_REASSEMBLY_BYTES;
    uint32_t blocks = last - first + 1;

    for (unsigned levels = levels_of(message->total); levels > 0; levels--) {
        first /= HAIL_REASSEMBLY_FAN;
        last /= HAIL_REASSEMBLY_FAN;
        blocks += last - first + 1;
    }
    return blocks;
}

uint64_t hail_reassembly_blocks_max(uint64_t total)
{
    uint64_t there = (total + HAIL_REASSEMBLY_BYTES - 1) / HAIL_REASSEMBLY_BYTES;
    uint64_t blocks = there;

    while (there > 1) {
        there = (there + HAIL_REASSEMBLY_FAN - 1) / HAIL_REASSEMBLY_FAN;
        blocks += there;
    }
    return blocks;
}

// Which entry of an index `levels` above the leaves leads to a leaf.
static uint32_t entry_of(uint32_t leaf, unsigned levels)
{
    while (--levels > 0)
        leaf /= HAIL_REASSEMBLY_FAN;
    return leaf % HAIL_REASSEMBLY_FAN;
}

// How many blocks on the way to a leaf, itself among them, are not there yet.
static unsigned missing_to(const struct hail_reassembly *message, const struct hail_pool *pool,
                           uint32_t leaf)
{
    unsigned levels = levels_of(message->total);
    uint32_t block = message->root;

    while (block != HAIL_BLOCK_NONE && levels > 0) {
        const struct index *index = hail_pool_at(pool, block);
        block = index->blocks[entry_of(leaf, levels)];
        levels--;
    }
    return block == HAIL_BLOCK_NONE ? levels + 1 : 0;
}

// Of so many missing on the way to a leaf, how many are missing on the way to the one before it.
static unsigned shared_with_last(uint32_t leaf, unsigned missing)
{
    uint32_t before = leaf - 1;
    unsigned shared = 0;

    for (unsigned level = 1; level < missing; level++) {
        before /= HAIL_REASSEMBLY_FAN;
        leaf /= HAIL_REASSEMBLY_FAN;
        shared += before == leaf;
    }
    return shared;
}

uint32_t hail_reassembly_needs(const struct hail_reassembly *message, const struct hail_pool *pool,
                               uint32_t offset, uint32_t len)
{
    uint32_t first = offset / HAIL_REASSEMBLY_BYTES;
    uint32_t last = (offset + len - 1) / HAIL_REASSEMBLY_BYTES;
    uint32_t blocks = 0;

    for (uint32_t leaf = first; leaf <= last; leaf++) {
        unsigned missing = missing_to(message, pool, leaf);
        blocks += missing - (leaf > first ? shared_with_last(leaf, missing) : 0);
    }
    return blocks;
}

// ---- Putting together

static uint32_t take_block(struct hail_reassembly *message, struct hail_pool *pool, bool is_leaf)
{
    uint32_t block = hail_pool_take(pool);

    if (is_leaf)
        memset(((struct leaf *)hail_pool_at(pool, block))->came, 0, WORDS * sizeof(uint64_t));
    else
        memset(hail_pool_at(pool, block), 0xff, sizeof(struct index)); // HAIL_BLOCK_NONE each
    message->blocks++;
    return block;
}

// The leaf with this number, which is made if it is not there.
static struct leaf *leaf_at(struct hail_reassembly *message, struct hail_pool *pool, uint32_t leaf)
{
    unsigned levels = levels_of(message->total);
    uint32_t *block = &message->root;

    for (;;) {
        if (*block == HAIL_BLOCK_NONE)
            *block = take_block(message, pool, levels == 0);
        if (levels == 0)
            return hail_pool_at(pool, *block);
        struct index *index = hail_pool_at(pool, *block);
        block = &index->blocks[entry_of(leaf, levels)];
        levels--;
    }
}

// Which bits of a word stand for bytes from `at` up to `end`, of the block's.
static uint64_t mask_of(size_t word, uint32_t at, uint32_t end)
{
    uint32_t first = (uint32_t)word * WORD_BITS;
    uint32_t low = at > first ? at - first : 0;
    uint32_t high = end > first ? end - first : 0;

    if (low >= WORD_BITS || high <= low)
        return 0;
    uint64_t below_high = high >= WORD_BITS ? UINT64_MAX : (UINT64_C(1) << high) - 1;
    return below_high & ~((UINT64_C(1) << low) - 1);
}

// Copies the bytes that are new of one word's, if some of them have come and others have not.
static void copy_some(struct leaf *leaf, size_t word, uint64_t fresh, const uint8_t *data,
                      uint32_t at)
{
    while (fresh != 0) {
        uint32_t place = (uint32_t)(word * WORD_BITS) + (uint32_t)__builtin_ctzll(fresh);
        leaf->bytes[place] = data[place - at];
        fresh &= fresh - 1;
    }
}

// Adds bytes to a leaf, from `at` up to `end` of its own. Returns how many are new.
static uint32_t fill(struct leaf *leaf, uint32_t at, uint32_t end, const uint8_t *data)
{
    uint64_t fresh[WORDS];
    uint64_t there = 0;
    uint32_t count = 0;

    for (size_t word = 0; word < WORDS; word++) {
        uint64_t mask = mask_of(word, at, end);
        there |= leaf->came[word] & mask;
        fresh[word] = mask & ~leaf->came[word];
        leaf->came[word] |= mask;
    }
    if (there == 0) { // as nearly always
        hail_meter_copy(leaf->bytes + at, data, end - at);
        return end - at;
    }
    for (size_t word = 0; word < WORDS; word++) {
        copy_some(leaf, word, fresh[word], data, at);
        count += (uint32_t)__builtin_popcountll(fresh[word]);
    }
    return count;
}

uint32_t hail_reassembly_add(struct hail_reassembly *message, struct hail_pool *pool,
                             uint32_t offset, const uint8_t *data, uint32_t len)
{
    uint32_t fresh = 0;

    HAIL_ASSERT(pool->block_size == HAIL_BLOCK_MESSAGE);
    HAIL_ASSERT(len > 0);
    HAIL_ASSERT(offset < message->total);
    HAIL_ASSERT(len <= message->total - offset);
    while (len > 0) {
        uint32_t at = offset % HAIL_REASSEMBLY_BYTES;
        uint32_t room = HAIL_REASSEMBLY_BYTES - at;
        uint32_t part = len < room ? len : room;
        struct leaf *leaf = leaf_at(message, pool, offset / HAIL_REASSEMBLY_BYTES);
        fresh += fill(leaf, at, at + part, data);
        data += part;
        offset += part;
        len -= part;
    }
    message->got += fresh;
    return fresh;
}

// ---- Taking apart

// Gives back a block, `levels` above the leaves, and all that it leads to. Where `out` is not NULL
// it gets the bytes from `offset` on, which have all come.
static void give_back(const struct hail_reassembly *message, struct hail_pool *pool, uint32_t block,
                      unsigned levels, uint32_t offset, uint8_t *out)
{
    if (levels == 0) {
        const struct leaf *leaf = hail_pool_at(pool, block);
        uint32_t left = message->total - offset;
        if (out)
            hail_meter_copy(out + offset, leaf->bytes,
                            left < HAIL_REASSEMBLY_BYTES ? left : HAIL_REASSEMBLY_BYTES);
        hail_pool_give(pool, block);
        return;
    }
    const struct index *index = hail_pool_at(pool, block);
    uint32_t reach = HAIL_REASSEMBLY_BYTES;
    for (unsigned level = 1; level < levels; level++)
        reach *= HAIL_REASSEMBLY_FAN;
    for (size_t i = 0; i < HAIL_REASSEMBLY_FAN; i++, offset += reach) {
        if (index->blocks[i] != HAIL_BLOCK_NONE)
            give_back(message, pool, index->blocks[i], levels - 1, offset, out);
    }
    hail_pool_give(pool, block);
}

void hail_reassembly_take(struct hail_reassembly *message, struct hail_pool *pool, uint8_t *out)
{
    HAIL_ASSERT(message->got == message->total);
    give_back(message, pool, message->root, levels_of(message->total), 0, out);
    hail_reassembly_init(message, message->total);
}

void hail_reassembly_clear(struct hail_reassembly *message, struct hail_pool *pool)
{
    if (message->root != HAIL_BLOCK_NONE)
        give_back(message, pool, message->root, levels_of(message->total), 0, NULL);
    hail_reassembly_init(message, message->total);
}
