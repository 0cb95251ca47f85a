// malloc_count.h: the heap's functions, replaced in the program that links trap.c by ones that can
// tell of every call. Not for programs under a sanitizer, which replaces them itself.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_MALLOC_COUNT_H
#define HAIL_TESTS_MALLOC_COUNT_H

#include <stddef.h>

// malloc_count_start begins to count calls that any thread makes to malloc and its like, from 0 on.
void malloc_count_start(void);

// malloc_count_stop ends that, and returns how many there were.
size_t malloc_count_stop(void);

// malloc_count_print writes the first such call's stack to stderr, for addr2line.
void malloc_count_print(void);

#endif
