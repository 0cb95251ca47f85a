// slab.c: see slab.h.
// SPDX-License-Identifier: MIT
#include "engine/memory/slab.h"

void hail_slab_init(struct hail_slab *slab, struct hail_arena *arena, uint32_t count,
                    size_t record_len)
{
    HAIL_ASSERT(record_len >= sizeof(uint32_t));
    HAIL_ASSERT(record_len % sizeof(uint32_t) == 0);
    *slab = (struct hail_slab){
        .memory = hail_arena_take(arena, count, record_len),
        .record_len = (uint32_t)record_len,
        .count = count,
        .free_first = HAIL_SLAB_NONE,
    };
}

uint32_t hail_slab_take(struct hail_slab *slab)
{
    uint32_t index = slab->free_first;

    if (index != HAIL_SLAB_NONE)
        slab->free_first = *(uint32_t *)hail_slab_at(slab, index); // while free: the next free one
    else if (slab->fresh < slab->count)
        index = slab->fresh++;
    else
        return HAIL_SLAB_NONE;
    HAIL_ASSERT(index < slab->fresh); // a free record that was written to leads anywhere
    slab->used_count++;
    return index;
}

void hail_slab_free(struct hail_slab *slab, uint32_t index)
{
    HAIL_ASSERT(slab->used_count > 0);
    HAIL_ASSERT(index < slab->fresh);
    slab->used_count--;
    *(uint32_t *)hail_slab_at(slab, index) = slab->free_first;
    slab->free_first = index;
}
