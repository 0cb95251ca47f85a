// trap.h: the heap's functions, replaced in the program that links trap.c by ones that can tell of
// every call. Not for programs under a sanitizer, which replaces them itself.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_TRAP_H
#define HAIL_TESTS_TRAP_H

#include <stddef.h>

// trap_set begins to count calls that any thread makes to malloc and its like, from 0 on.
void trap_set(void);

// trap_open ends that, and returns how many there were.
size_t trap_open(void);

// trap_tell writes the first such call's stack to stderr, for addr2line.
void trap_tell(void);

#endif
