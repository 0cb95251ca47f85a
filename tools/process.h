// process.h: what the kernel tells of another process: the CPU time it has used and its memory.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_PROCESS_H
#define HAIL_TOOLS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// CPU time of a whole process: of the threads that it has and of those that have ended, so that it
// never falls.
struct process_cpu {
    uint64_t ns;
    uint64_t step_ns; // what it is counted in; tells the two ways to read it apart
};

// process_cpu_read reads it from the process's CPU clock or, where the kernel has none for other
// processes, from /proc/PID/stat, in ticks. False: there is no such process.
bool process_cpu_read(pid_t pid, struct process_cpu *cpu);

// process_cpu_read_clock and process_cpu_read_stat are the two ways. Cost: a system call; three.
bool process_cpu_read_clock(pid_t pid, struct process_cpu *cpu);
bool process_cpu_read_stat(pid_t pid, struct process_cpu *cpu);

// process_cpu_used subtracts two readings. False: they do not compare, being read in different
// ways, or of two processes that had the same number one after the other.
bool process_cpu_used(const struct process_cpu *before, const struct process_cpu *after,
                      uint64_t *used_ns);

// process_resident_bytes reads how much of its memory is in use.
bool process_resident_bytes(pid_t pid, uint64_t *bytes);

// process_parse_stat reads the CPU time out of the text of /proc/PID/stat.
bool process_parse_stat(const char *text, uint64_t ticks_per_second, uint64_t *cpu_ns);

#endif
