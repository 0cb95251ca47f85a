// arena.h: one reservation that everything a shard owns is carved from. Carving with no memory
// behind it gives the sum, carving with memory gives the pieces: the same lines of code do both, so
// the sum cannot be wrong.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MEMORY_ARENA_H
#define HAIL_ENGINE_MEMORY_ARENA_H

#include "engine/memory/heap.h"

struct hail_arena {
    uint8_t *base; // NULL: only counting
    size_t used;
    size_t size;
    struct hail_heap heap; // where it is from
};

// hail_arena_take returns `count` zeroed elements of `element` bytes on a cache line of their own;
// NULL while counting.
void *hail_arena_take(struct hail_arena *arena, size_t count, size_t element);

// hail_arena_reserve gets memory for what a counting arena has added up, and starts it again.
// Returns false, and errno says why, when it cannot be had. hail_arena_reserve_from gets it from
// where the endpoint has its memory.
HAIL_MUST_USE bool hail_arena_reserve(struct hail_arena *arena);
HAIL_MUST_USE bool hail_arena_reserve_from(struct hail_arena *arena, const struct hail_heap *heap);

// hail_arena_cleanup gives it back; the zero state is allowed. Secrets in it have been wiped
// before.
void hail_arena_cleanup(struct hail_arena *arena);

#endif
