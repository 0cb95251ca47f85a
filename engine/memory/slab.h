// slab.h: records of one size that come and go, on memory reserved at start. A record is named by
// its index, which is good until it is given back.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MEMORY_SLAB_H
#define HAIL_ENGINE_MEMORY_SLAB_H

#include "engine/memory/arena.h"

#define HAIL_SLAB_NONE UINT32_MAX

struct hail_slab {
    uint8_t *memory;
    uint32_t record_len;
    uint32_t count;
    uint32_t fresh; // records from here on were never used, and their pages never touched
    uint32_t free_first;
    uint32_t used_count;
};

// hail_slab_init takes memory for `count` records of `record_len` bytes, 4 at least.
void hail_slab_init(struct hail_slab *slab, struct hail_arena *arena, uint32_t count,
                    size_t record_len);

// hail_slab_take returns a record whose content is not defined; HAIL_SLAB_NONE: all are taken.
uint32_t hail_slab_take(struct hail_slab *slab);
void hail_slab_free(struct hail_slab *slab, uint32_t index);

// hail_slab_left returns how many more can be taken.
static inline uint32_t hail_slab_left(const struct hail_slab *slab)
{
    return slab->count - slab->used_count;
}

// hail_slab_at returns where a record lies.
static inline void *hail_slab_at(const struct hail_slab *slab, uint32_t index)
{
    return slab->memory + (size_t)index * slab->record_len;
}

#endif
