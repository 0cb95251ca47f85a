// process.h: what the kernel tells of another process: the CPU time it has used and its memory.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_PROCESS_H
#define HAIL_TOOLS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// process_cpu_ns reads the CPU time of all threads that process `pid` has, in nanoseconds: from
// /proc/PID/task/*/schedstat, or where that is missing from /proc/PID/stat, which counts in ticks
// of 10 ms. Returns false when there is no such process. Cost: a few system calls per thread.
bool process_cpu_ns(pid_t pid, uint64_t *cpu_ns);

// process_resident_bytes reads how much of its memory is in use.
bool process_resident_bytes(pid_t pid, uint64_t *bytes);

// process_parse_schedstat and process_parse_stat read the CPU time out of such a file's text.
bool process_parse_schedstat(const char *text, uint64_t *cpu_ns);
bool process_parse_stat(const char *text, uint64_t ticks_per_second, uint64_t *cpu_ns);

#endif
