// arena.c: see arena.h.
// SPDX-License-Identifier: MIT
#include "engine/memory/arena.h"

void *hail_arena_take(struct hail_arena *arena, size_t count, size_t element)
{
    size_t start = (arena->used + HAIL_CACHE_LINE - 1) / HAIL_CACHE_LINE * HAIL_CACHE_LINE;

    HAIL_ASSERT(element == 0 || count <= (SIZE_MAX - start) / element);
    arena->used = start + count * element;
    if (!arena->base)
        return NULL;
    HAIL_ASSERT(arena->used <= arena->size);
    return arena->base + start;
}

bool hail_arena_reserve_from(struct hail_arena *arena, const struct hail_heap *heap)
{
    HAIL_ASSERT(!arena->base);
    void *base = hail_heap_take(heap, arena->used);
    if (!base)
        return false;
    *arena = (struct hail_arena){.base = base, .size = arena->used, .heap = *heap};
    return true;
}

bool hail_arena_reserve(struct hail_arena *arena)
{
    return hail_arena_reserve_from(arena, &(struct hail_heap){0});
}

void hail_arena_cleanup(struct hail_arena *arena)
{
    hail_heap_give(&arena->heap, arena->base, arena->size);
    *arena = (struct hail_arena){0};
}
