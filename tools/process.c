// process.c: see process.h.
// SPDX-License-Identifier: MIT
#include "tools/process.h"
#include "crypto/time.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_LEN = 1024,
    PID_LIMIT = 1 << 22 // no kernel has more (proc(5), pid_max)
};

static uint64_t ns_of(const struct timespec *time)
{
    return hail_time_ns(time);
}

// A short file of /proc, whole and terminated.
static bool read_text(const char *path, char text[TEXT_LEN])
{
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    size_t len = fread(text, 1, TEXT_LEN - 1, file);
    fclose(file);
    text[len] = 0;
    return len > 0;
}

// Reads a decimal number and moves `text` behind it.
static bool take_number(const char **text, uint64_t *number)
{
    char *end;

    while (**text == ' ')
        (*text)++;
    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *number = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

bool process_parse_stat(const char *text, uint64_t ticks_per_second, uint64_t *cpu_ns)
{
    enum {
        FIELD_USER = 14, // proc(5) counts from 1; the name is field 2 and may hold anything
        FIELD_STATE = 3
    };
    uint64_t user;
    uint64_t system;

    text = strrchr(text, ')');
    if (!text || ticks_per_second == 0)
        return false;
    text++;
    for (int field = FIELD_STATE; field < FIELD_USER; field++) {
        text += strspn(text, " ");
        text += strcspn(text, " ");
    }
    if (!take_number(&text, &user) || !take_number(&text, &system))
        return false;
    *cpu_ns = (user + system) * (HAIL_NS_PER_S / ticks_per_second);
    return true;
}

bool process_cpu_read_clock(pid_t pid, struct process_cpu *cpu)
{
    struct timespec resolution;
    struct timespec used;
    clockid_t clock;

    // A clock's number holds the pid in its upper bits, and drops what does not fit there.
    if (pid <= 0 || pid >= PID_LIMIT)
        return false;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_getres(clock, &resolution) < 0 ||
        clock_gettime(clock, &used) < 0)
        return false;
    *cpu = (struct process_cpu){.ns = ns_of(&used), .step_ns = ns_of(&resolution)};
    return true;
}

bool process_cpu_read_stat(pid_t pid, struct process_cpu *cpu)
{
    uint64_t ticks_per_second = (uint64_t)sysconf(_SC_CLK_TCK);
    char path[64];
    char text[TEXT_LEN];
    uint64_t ns;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!read_text(path, text) || !process_parse_stat(text, ticks_per_second, &ns))
        return false;
    *cpu = (struct process_cpu){.ns = ns, .step_ns = HAIL_NS_PER_S / ticks_per_second};
    return true;
}

bool process_cpu_read(pid_t pid, struct process_cpu *cpu)
{
    return process_cpu_read_clock(pid, cpu) || process_cpu_read_stat(pid, cpu);
}

bool process_cpu_used(const struct process_cpu *before, const struct process_cpu *after,
                      uint64_t *used_ns)
{
    if (before->step_ns != after->step_ns || after->ns < before->ns)
        return false;
    *used_ns = after->ns - before->ns;
    return true;
}

bool process_resident_bytes(pid_t pid, uint64_t *bytes)
{
    char path[64];
    char text[TEXT_LEN];
    const char *rest = text;
    uint64_t pages;

    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    if (!read_text(path, text) || !take_number(&rest, &pages) || !take_number(&rest, &pages))
        return false;
    *bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}
