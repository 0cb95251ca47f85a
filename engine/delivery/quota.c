// quota.c: see quota.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/quota.h"

_Static_assert(HAIL_QUOTA_LEAST == 1 << HAIL_QUOTA_LEAST_BITS, "whoever holds as much is listed");

static const uint32_t held_max = UINT32_C(1) << HAIL_QUOTA_MOST_BITS;

void hail_quota_init(struct hail_quota *quota, struct hail_arena *arena, uint32_t holders,
                     uint64_t size, uint64_t one_max)
{
    HAIL_ASSERT(holders > 0);
    *quota = (struct hail_quota){
        .holders = hail_arena_take(arena, holders, sizeof(struct hail_holder)),
        .size = size,
        .reserve = size / HAIL_QUOTA_RESERVE_PART,
        .shift = HAIL_QUOTA_SHIFT_MAX,
    };
    // Whoever is alone ends up with one part of 2^shift and one: the others are what he leaves.
    while (quota->shift > 0 && (size - quota->reserve) / ((1u << quota->shift) + 1) < one_max)
        quota->shift--;
    for (int i = 0; i <= HAIL_QUOTA_MOST_BITS; i++)
        quota->first[i] = HAIL_QUOTA_NONE;
}

void hail_quota_watch(struct hail_quota *quota, const uint32_t *used, uint32_t count)
{
    HAIL_ASSERT(quota->store_count < HAIL_QUOTA_STORES_MAX);
    HAIL_ASSERT(count > 0);
    quota->stores[quota->store_count++] = (struct hail_quota_store){
        .used = used,
        .count = count,
        .weight = (uint32_t)(quota->size / count),
    };
}

uint64_t hail_quota_free(const struct hail_quota *quota)
{
    uint64_t least = quota->size;

    for (unsigned i = 0; i < quota->store_count; i++) {
        const struct hail_quota_store *store = &quota->stores[i];
        HAIL_ASSERT(*store->used <= store->count);
        uint64_t left = (uint64_t)(store->count - *store->used) * store->weight;
        least = left < least ? left : least;
    }
    return least;
}

void hail_quota_look(struct hail_quota *quota)
{
    uint64_t free = hail_quota_free(quota);
    uint64_t share = hail_quota_share(free, quota->reserve, quota->shift) / 4;

    quota->unseen = free < quota->size / 2 ? 0 : share < held_max ? (uint32_t)share : held_max;
}

uint32_t hail_quota_largest(const struct hail_quota *quota)
{
    return quota->listed == 0 ? HAIL_QUOTA_NONE : quota->first[31 - __builtin_clz(quota->listed)];
}

// Whether who holds most holds twice as much as somebody would have.
static bool is_outdone(const struct hail_quota *quota, uint64_t held)
{
    uint32_t largest = hail_quota_largest(quota);

    return largest != HAIL_QUOTA_NONE && quota->holders[largest].held / 2 >= held;
}

bool hail_quota_counts(struct hail_quota *quota, uint32_t holder, uint64_t bytes)
{
    uint64_t free = hail_quota_free(quota);
    uint64_t held = quota->holders[holder].held + bytes;
    bool fits = bytes <= free;

    if (fits && held <= hail_quota_share(free - bytes, quota->reserve, quota->shift))
        return held < held_max;
    bool outdone = is_outdone(quota, held);
    if (outdone)
        quota->lent += bytes;
    if (held <= HAIL_QUOTA_LEAST)
        return fits;
    return fits && outdone && free - bytes >= quota->reserve / 2;
}

uint32_t hail_quota_victim(struct hail_quota *quota)
{
    if (quota->lent == 0)
        return HAIL_QUOTA_NONE;
    uint32_t largest = hail_quota_largest(quota);
    if (largest == HAIL_QUOTA_NONE || hail_quota_free(quota) >= quota->reserve) {
        quota->lent = 0; // there is enough again
        return HAIL_QUOTA_NONE;
    }
    uint32_t held = quota->holders[largest].held;
    quota->lent -= held < quota->lent ? held : quota->lent;
    return largest;
}

// The list that a holding belongs to; -1: none.
static int list_of(uint32_t held)
{
    return held < HAIL_QUOTA_LEAST ? -1 : 31 - __builtin_clz(held);
}

static void unlist(struct hail_quota *quota, uint32_t holder, int list)
{
    const struct hail_holder *own = &quota->holders[holder];

    HAIL_ASSERT(quota->listed >> list & 1);
    HAIL_ASSERT(own->prev != HAIL_QUOTA_NONE || quota->first[list] == holder);
    if (own->prev != HAIL_QUOTA_NONE)
        quota->holders[own->prev].next = own->next;
    else
        quota->first[list] = own->next;
    if (own->next != HAIL_QUOTA_NONE)
        quota->holders[own->next].prev = own->prev;
    if (quota->first[list] == HAIL_QUOTA_NONE)
        quota->listed &= ~(UINT32_C(1) << list);
}

static void enlist(struct hail_quota *quota, uint32_t holder, int list)
{
    struct hail_holder *own = &quota->holders[holder];

    own->prev = HAIL_QUOTA_NONE;
    own->next = quota->first[list];
    if (own->next != HAIL_QUOTA_NONE)
        quota->holders[own->next].prev = holder;
    quota->first[list] = holder;
    quota->listed |= UINT32_C(1) << list;
}

void hail_quota_move(struct hail_quota *quota, uint32_t holder, uint32_t before)
{
    int from = list_of(before);
    int to = list_of(quota->holders[holder].held);

    if (from == to)
        return;
    if (from >= 0)
        unlist(quota, holder, from);
    if (to >= 0)
        enlist(quota, holder, to);
}
