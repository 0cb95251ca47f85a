// heap.h: where an endpoint's memory comes from: the application's functions, if its config has
// them, else the system. Everything that the engine reserves goes through here.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MEMORY_HEAP_H
#define HAIL_ENGINE_MEMORY_HEAP_H

#include "crypto/base.h"

// As in hail.h's config; allocate NULL: the system's memory, and so is the zero state.
struct hail_heap {
    void *(*allocate)(size_t size, void *user);
    void (*release)(void *memory, size_t size, void *user);
    void *user;
};

// hail_heap_take returns `size` zeroed bytes on a cache line of their own; NULL, and errno says
// why, when they cannot be had. Of the system's memory, large pieces are paid for page by page when
// they are first used.
HAIL_MUST_USE void *hail_heap_take(const struct hail_heap *heap, size_t size);

// hail_heap_give gives back what was taken with this `size`; NULL is allowed. Secrets in it have
// been wiped before.
void hail_heap_give(const struct hail_heap *heap, void *memory, size_t size);

#endif
