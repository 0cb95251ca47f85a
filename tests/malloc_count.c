// malloc_count.c: see malloc_count.h.
// SPDX-License-Identifier: MIT
#include "tests/malloc_count.h"

#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FRAMES_MAX = 32
};

// glibc's own, under the names that it keeps for such replacements.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static atomic_bool is_set;
static atomic_size_t calls;
static void *frames[FRAMES_MAX]; // of the first call: only its thread writes
static int frame_count;

static void note(void)
{
    if (atomic_load(&is_set) && atomic_fetch_add(&calls, 1) == 0)
        frame_count = backtrace(frames, FRAMES_MAX);
}

// The program is built with hidden symbols, and these are for the libraries as well.
#pragma GCC visibility push(default)

void *malloc(size_t size)
{
    note();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    note();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    note();
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    note();
    return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    note();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    note();
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}

void free(void *memory)
{
    if (memory)
        note();
    __libc_free(memory);
}

#pragma GCC visibility pop

void malloc_count_start(void)
{
    void *any[1];

    (void)!backtrace(any, 1); // allocates, but only the first time
    atomic_store(&calls, 0);
    atomic_store(&is_set, true);
}

size_t malloc_count_stop(void)
{
    atomic_store(&is_set, false);
    return atomic_load(&calls);
}

void malloc_count_print(void)
{
    backtrace_symbols_fd(frames, frame_count, STDERR_FILENO);
}
