// segments.c: see segments.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/segments.h"

#include <string.h>

#include "crypto/meter.h"

enum {
    WORD_BITS = 64,
    WORDS = (HAIL_BLOCK_MESSAGE - HAIL_SEGMENTS_BYTES) / 8,
    FAN_BITS = 6
};

// Some bytes of a message: a block.
struct leaf {
    uint64_t came[WORDS]; // a bit for each byte
    uint8_t bytes[HAIL_SEGMENTS_BYTES];
};

// The numbers of blocks: a block.
struct index {
    uint32_t blocks[HAIL_SEGMENTS_FAN]; // HAIL_BLOCK_NONE: nothing of what is there has come
};

_Static_assert(sizeof(struct leaf) == HAIL_BLOCK_MESSAGE, "a leaf is a block");
_Static_assert(sizeof(struct index) == HAIL_BLOCK_MESSAGE, "an index is a block");
_Static_assert(HAIL_SEGMENTS_FAN == 1 << FAN_BITS, "entries are found by shifting");
_Static_assert(HAIL_SEGMENTS_BYTES <= WORDS * WORD_BITS, "a bit for each byte");

void hail_segments_init(struct hail_segments *message, uint32_t total)
{
    HAIL_ASSERT(total > 0);
    HAIL_ASSERT(total <= HAIL_SEGMENTS_MAX);
    *message = (struct hail_segments){.root = HAIL_BLOCK_NONE, .total = total};
}

// ---- Counting

// Indices above the leaves of a message.
static unsigned levels_of(uint32_t total)
{
    uint32_t reach = HAIL_SEGMENTS_BYTES;
    unsigned levels = 0;

    for (; reach < total; reach *= HAIL_SEGMENTS_FAN)
        levels++;
    return levels;
}

uint32_t hail_segments_most(uint32_t total, uint32_t offset, uint32_t len)
{
    uint32_t first = offset / HAIL_SEGMENTS_BYTES;
    uint32_t last = (offset + len - 1) / HAIL_SEGMENTS_BYTES;
    uint32_t blocks = last - first + 1;

    for (unsigned levels = levels_of(total); levels > 0; levels--) {
        first /= HAIL_SEGMENTS_FAN;
        last /= HAIL_SEGMENTS_FAN;
        blocks += last - first + 1;
    }
    return blocks;
}

uint64_t hail_segments_blocks_max(uint64_t total)
{
    uint64_t there = (total + HAIL_SEGMENTS_BYTES - 1) / HAIL_SEGMENTS_BYTES;
    uint64_t blocks = there;

    while (there > 1) {
        there = (there + HAIL_SEGMENTS_FAN - 1) / HAIL_SEGMENTS_FAN;
        blocks += there;
    }
    return blocks;
}

// Which entry of an index `levels` above the leaves leads to a leaf.
static uint32_t entry_of(uint32_t leaf, unsigned levels)
{
    return leaf >> (FAN_BITS * (levels - 1)) & (HAIL_SEGMENTS_FAN - 1);
}

// How many blocks on the way to a leaf, itself among them, are not there yet.
static unsigned missing_to(const struct hail_segments *message, const struct hail_pool *pool,
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
        before /= HAIL_SEGMENTS_FAN;
        leaf /= HAIL_SEGMENTS_FAN;
        shared += before == leaf;
    }
    return shared;
}

uint32_t hail_segments_needs(const struct hail_segments *message, const struct hail_pool *pool,
                             uint32_t offset, uint32_t len)
{
    uint32_t first = offset / HAIL_SEGMENTS_BYTES;
    uint32_t last = (offset + len - 1) / HAIL_SEGMENTS_BYTES;
    uint32_t blocks = 0;

    for (uint32_t leaf = first; leaf <= last; leaf++) {
        unsigned missing = missing_to(message, pool, leaf);
        blocks += missing - (leaf > first ? shared_with_last(leaf, missing) : 0);
    }
    return blocks;
}

// ---- Putting together

static uint32_t take_block(struct hail_segments *message, struct hail_pool *pool, bool is_leaf)
{
    uint32_t block = hail_pool_take(pool);

    if (is_leaf)
        memset(((struct leaf *)hail_pool_at(pool, block))->came, 0, WORDS * sizeof(uint64_t));
    else
        memset(hail_pool_at(pool, block), 0xff, sizeof(struct index)); // HAIL_BLOCK_NONE each
    message->blocks++;
    return block;
}

// Where the block of a leaf is named, in an index that is made if it is not there.
static uint32_t *name_of(struct hail_segments *message, struct hail_pool *pool, uint32_t leaf)
{
    uint32_t *block = &message->root;

    for (unsigned levels = levels_of(message->total); levels > 0; levels--) {
        if (*block == HAIL_BLOCK_NONE)
            *block = take_block(message, pool, false);
        block = &((struct index *)hail_pool_at(pool, *block))->blocks[entry_of(leaf, levels)];
    }
    return block;
}

// Which bits of a word stand for bytes from `at` up to `end`, of the block's, which has some there.
static uint64_t mask_of(uint32_t word, uint32_t at, uint32_t end)
{
    uint32_t low = word == at / WORD_BITS ? at % WORD_BITS : 0;
    uint32_t high = word == (end - 1) / WORD_BITS ? (end - 1) % WORD_BITS : WORD_BITS - 1;

    return UINT64_MAX << low & UINT64_MAX >> (WORD_BITS - 1 - high);
}

// Copies the bytes that are new of one word's, if some of them have come and others have not.
static uint32_t copy_some(struct leaf *leaf, uint32_t word, uint64_t fresh, const uint8_t *data,
                          uint32_t at)
{
    uint32_t count = 0;

    for (; fresh != 0; fresh &= fresh - 1, count++) {
        uint32_t place = word * WORD_BITS + (uint32_t)__builtin_ctzll(fresh);
        leaf->bytes[place] = data[place - at];
    }
    return count;
}

// Adds bytes to a leaf, from `at` up to `end` of its own. Returns how many are new.
static uint32_t fill(struct leaf *leaf, uint32_t at, uint32_t end, const uint8_t *data)
{
    uint32_t first = at / WORD_BITS;
    uint32_t last = (end - 1) / WORD_BITS;
    uint64_t fresh[WORDS];
    uint64_t there = 0;
    uint32_t count = 0;

    for (uint32_t word = first; word <= last; word++) {
        uint64_t mask = mask_of(word, at, end);
        there |= leaf->came[word] & mask;
        fresh[word] = mask & ~leaf->came[word];
        leaf->came[word] |= mask;
    }
    if (there == 0) { // as nearly always
        hail_meter_copy(leaf->bytes + at, data, end - at);
        return end - at;
    }
    for (uint32_t word = first; word <= last; word++)
        count += copy_some(leaf, word, fresh[word], data, at);
    return count;
}

// The same for a leaf of which nothing has come, and that comes as a whole: the most of what comes.
static uint32_t fill_whole(struct leaf *leaf, const uint8_t *data)
{
    memset(leaf->came, 0xff, sizeof leaf->came);
    hail_meter_copy(leaf->bytes, data, HAIL_SEGMENTS_BYTES);
    return HAIL_SEGMENTS_BYTES;
}

uint32_t hail_segments_add(struct hail_segments *message, struct hail_pool *pool, uint32_t offset,
                           const uint8_t *data, uint32_t len)
{
    uint32_t leaf = offset / HAIL_SEGMENTS_BYTES;
    uint32_t at = offset % HAIL_SEGMENTS_BYTES;
    uint32_t *name = NULL;
    uint32_t fresh = 0;

    HAIL_ASSERT(pool->block_size == HAIL_BLOCK_MESSAGE);
    HAIL_ASSERT(len > 0);
    HAIL_ASSERT(offset < message->total);
    HAIL_ASSERT(len <= message->total - offset);
    for (; len > 0; leaf++, at = 0) {
        uint32_t room = HAIL_SEGMENTS_BYTES - at;
        uint32_t part = len < room ? len : room;
        name = name && leaf % HAIL_SEGMENTS_FAN > 0 ? name + 1 : name_of(message, pool, leaf);
        bool is_new = *name == HAIL_BLOCK_NONE;
        if (is_new)
            *name = take_block(message, pool, true);
        fresh += is_new && part == HAIL_SEGMENTS_BYTES
                     ? fill_whole(hail_pool_at(pool, *name), data)
                     : fill(hail_pool_at(pool, *name), at, at + part, data);
        data += part;
        len -= part;
    }
    message->got += fresh;
    return fresh;
}

// ---- Taking apart

// Gives back a block, `levels` above the leaves, and all that it leads to. Where `out` is not NULL
// it gets the bytes from `offset` on, which have all come.
static void give_back(const struct hail_segments *message, struct hail_pool *pool, uint32_t block,
                      unsigned levels, uint32_t offset, uint8_t *out)
{
    if (levels == 0) {
        const struct leaf *leaf = hail_pool_at(pool, block);
        uint32_t left = message->total - offset;
        if (out && left >= HAIL_SEGMENTS_BYTES) // a length that the compiler knows: fewer steps
            hail_meter_copy(out + offset, leaf->bytes, HAIL_SEGMENTS_BYTES);
        else if (out)
            hail_meter_copy(out + offset, leaf->bytes, left);
        hail_pool_give(pool, block);
        return;
    }
    const struct index *index = hail_pool_at(pool, block);
    uint32_t reach = HAIL_SEGMENTS_BYTES;
    for (unsigned level = 1; level < levels; level++)
        reach *= HAIL_SEGMENTS_FAN;
    for (size_t i = 0; i < HAIL_SEGMENTS_FAN && offset < message->total; i++, offset += reach) {
        if (index->blocks[i] != HAIL_BLOCK_NONE)
            give_back(message, pool, index->blocks[i], levels - 1, offset, out);
    }
    hail_pool_give(pool, block);
}

void hail_segments_take(struct hail_segments *message, struct hail_pool *pool, uint8_t *out)
{
    HAIL_ASSERT(message->got == message->total);
    give_back(message, pool, message->root, levels_of(message->total), 0, out);
    hail_segments_init(message, message->total);
}

void hail_segments_clear(struct hail_segments *message, struct hail_pool *pool)
{
    if (message->root != HAIL_BLOCK_NONE)
        give_back(message, pool, message->root, levels_of(message->total), 0, NULL);
    hail_segments_init(message, message->total);
}
