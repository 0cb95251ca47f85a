// arena.c: see arena.h.
// SPDX-License-Identifier: MIT
#include "engine/arena.h"

#include <sys/mman.h>

void *hail_arena_take(struct hail_arena *arena, size_t count, size_t element)
{
    size_t start = (arena->used + HAIL_CACHE_LINE - 1) / HAIL_CACHE_LINE * HAIL_CACHE_LINE;

    arena->used = start + count * element;
    if (!arena->base)
        return NULL;
    HAIL_ASSERT(arena->used <= arena->size);
    return arena->base + start;
}

bool hail_arena_reserve(struct hail_arena *arena)
{
    HAIL_ASSERT(!arena->base);
    void *base = mmap(NULL, arena->used, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    *arena = (struct hail_arena){.base = base, .size = arena->used};
    return true;
}

void hail_arena_cleanup(struct hail_arena *arena)
{
    if (arena->base)
        munmap(arena->base, arena->size);
    *arena = (struct hail_arena){0};
}
