// heap.c: see heap.h.
// SPDX-License-Identifier: MIT
#include "engine/memory/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    LARGE = 64 << 10, // from here on in pages of its own
    // What the application's memory must have beside ours: room to begin on a cache line, and
    // before that for where it began.
    EXTRA = HAIL_CACHE_LINE - 1 + sizeof(void *)
};

static size_t in_lines(size_t size)
{
    return (size + HAIL_CACHE_LINE - 1) / HAIL_CACHE_LINE * HAIL_CACHE_LINE;
}

static void *take_from_system(size_t size)
{
    if (size < LARGE) {
        void *memory = aligned_alloc(HAIL_CACHE_LINE, in_lines(size));
        if (memory)
            memset(memory, 0, size);
        return memory;
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    // Most of it is reserved for what may come, and used here and there: in huge pages the first
    // touch of each part would cost 2 MiB.
    (void)madvise(memory, size, MADV_NOHUGEPAGE);
    return memory;
}

static void *take_from_application(const struct hail_heap *heap, size_t size)
{
    uint8_t *start = heap->allocate(size + EXTRA, heap->user);

    if (!start) {
        errno = ENOMEM;
        return NULL;
    }
    uint8_t *least = start + sizeof(void *);
    uint8_t *memory =
        least + (HAIL_CACHE_LINE - (uintptr_t)least % HAIL_CACHE_LINE) % HAIL_CACHE_LINE;
    memset(memory, 0, size);
    memcpy(memory - sizeof(void *), &start, sizeof(void *));
    return memory;
}

void *hail_heap_take(const struct hail_heap *heap, size_t size)
{
    return heap->allocate ? take_from_application(heap, size) : take_from_system(size);
}

void hail_heap_give(const struct hail_heap *heap, void *memory, size_t size)
{
    void *start;

    if (!memory)
        return;
    HAIL_ASSERT((uintptr_t)memory % HAIL_CACHE_LINE == 0);
    if (heap->allocate) {
        memcpy(&start, (uint8_t *)memory - sizeof(void *), sizeof(void *));
        heap->release(start, size + EXTRA, heap->user);
    } else if (size < LARGE) {
        free(memory);
    } else {
        munmap(memory, size);
    }
}
