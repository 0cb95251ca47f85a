// quota.h: a memory of which many hold parts: how much each holds, who may have more, and who holds
// most. Nobody may have more than a fixed part of what is free (Choudhury and Hahne, "Dynamic Queue
// Length Thresholds for Shared-Memory Packet Switches", 1998): so shares shrink as it fills, and
// few never fill it. DESIGN.md, "Memory". Knows nothing of what is
// held.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_QUOTA_H
#define HAIL_ENGINE_DELIVERY_QUOTA_H

#include "engine/memory/arena.h"

enum {
    HAIL_QUOTA_LEAST = 8192,     // bytes that anybody may hold while there are any
    HAIL_QUOTA_LEAST_BITS = 13,  // its power of two
    HAIL_QUOTA_MOST_BITS = 31,   // of the most that anybody may hold
    HAIL_QUOTA_RESERVE_PART = 8, // of the memory: kept from whoever has his share
    HAIL_QUOTA_SHIFT_MAX = 4,    // a share is a 16th of what is free, or more
    HAIL_QUOTA_STORES_MAX = 4
};

#define HAIL_QUOTA_NONE UINT32_MAX

struct hail_holder {
    uint32_t held; // bytes
    uint32_t prev; // among those with a like holding
    uint32_t next;
};

// Blocks, or records of one kind: whoever takes all of one kind stops everybody, so what is free is
// what is left of the one that is shortest.
struct hail_quota_store {
    const uint32_t *used;
    uint32_t count;
    uint32_t weight; // bytes of the memory that one stands for
};

struct hail_quota {
    struct hail_holder *holders;
    uint64_t size;
    uint64_t reserve;
    uint64_t lent;   // bytes given to those below their share when there were none for it
    uint32_t listed; // bit k: somebody holds 2^k bytes or more, and less than twice that
    uint32_t first[HAIL_QUOTA_MOST_BITS + 1]; // of each such list
    uint32_t unseen;                          // what anybody may hold without another look
    uint8_t shift;                            // a share is what is free, shifted right by it
    uint8_t store_count;
    struct hail_quota_store stores[HAIL_QUOTA_STORES_MAX];
};

// hail_quota_init takes the memory for `holders` holders, who share `size` bytes. One alone may
// have `one_max` of them, if half of them suffice for that, or the half.
void hail_quota_init(struct hail_quota *quota, struct hail_arena *arena, uint32_t holders,
                     uint64_t size, uint64_t one_max);

// hail_quota_watch has the quota look at a store of `count`, of which `*used` are in use. It stays
// where it is.
void hail_quota_watch(struct hail_quota *quota, const uint32_t *used, uint32_t count);

// hail_quota_free returns how many bytes are free.
uint64_t hail_quota_free(const struct hail_quota *quota);

// hail_quota_share returns what one of those who share may have when so much is left.
static inline uint64_t hail_quota_share(uint64_t left, uint64_t reserve, unsigned shift)
{
    return left > reserve ? (left - reserve) >> shift : 0;
}

// hail_quota_look takes note, now and then, of whether half is free: then whoever holds no more
// than a quarter of a share need not be looked at until the next time.
void hail_quota_look(struct hail_quota *quota);

// hail_quota_counts says whether a holder may have `bytes` more: up to its share of what is free;
// up to half of what the largest holds, who is then asked to go (hail_quota_victim); and up to
// HAIL_QUOTA_LEAST in any case, while there are any. Nothing is taken yet.
HAIL_MUST_USE bool hail_quota_counts(struct hail_quota *quota, uint32_t holder, uint64_t bytes);

// hail_quota_allows says the same, and looks no further while there is plenty: so what it allows
// need not be there, and whoever takes it looks.
HAIL_MUST_USE static inline bool hail_quota_allows(struct hail_quota *quota, uint32_t holder,
                                                   uint64_t bytes)
{
    return quota->holders[holder].held + bytes <= quota->unseen ||
           hail_quota_counts(quota, holder, bytes);
}

// hail_quota_victim returns who has to go now, since others need what he holds; HAIL_QUOTA_NONE:
// nobody. Whoever it is will have given all back before the next call, or it is the last one.
uint32_t hail_quota_victim(struct hail_quota *quota);

// hail_quota_largest returns who holds most, give or take a half; HAIL_QUOTA_NONE: nobody holds
// HAIL_QUOTA_LEAST.
uint32_t hail_quota_largest(const struct hail_quota *quota);

// hail_quota_moves says whether holdings, of which the second is no smaller, are in two lists:
// their highest bits differ.
static inline bool hail_quota_moves(uint32_t less, uint32_t more)
{
    return (less ^ more) > (less & more) && more >= HAIL_QUOTA_LEAST;
}

// hail_quota_move has a holder's list follow his holding, which was `before`.
void hail_quota_move(struct hail_quota *quota, uint32_t holder, uint32_t before);

// hail_quota_add and hail_quota_sub take note of what a holder has taken, or given back.
static inline void hail_quota_add(struct hail_quota *quota, uint32_t holder, uint32_t bytes)
{
    uint32_t before = quota->holders[holder].held;

    quota->holders[holder].held = before + bytes;
    if (hail_quota_moves(before, before + bytes))
        hail_quota_move(quota, holder, before);
}

static inline void hail_quota_sub(struct hail_quota *quota, uint32_t holder, uint32_t bytes)
{
    uint32_t before = quota->holders[holder].held;

    HAIL_ASSERT(bytes <= before);
    quota->holders[holder].held = before - bytes;
    if (hail_quota_moves(before - bytes, before))
        hail_quota_move(quota, holder, before);
}

#endif
