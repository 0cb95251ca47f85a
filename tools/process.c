// process.c: see process.h.
// SPDX-License-Identifier: MIT
#include "tools/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TEXT_LEN = 1024,
    NS_PER_S = 1000000000
};

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

bool process_parse_schedstat(const char *text, uint64_t *cpu_ns)
{
    uint64_t ran_ns;
    uint64_t waited_ns;

    if (!take_number(&text, &ran_ns) || !take_number(&text, &waited_ns))
        return false;
    *cpu_ns = ran_ns;
    return true;
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
    *cpu_ns = (user + system) * (NS_PER_S / ticks_per_second);
    return true;
}

static bool sum_schedstat(pid_t pid, uint64_t *cpu_ns)
{
    char path[sizeof "/proc/2147483648/task/2147483648/schedstat" + 256];
    char text[TEXT_LEN];
    uint64_t sum_ns = 0;
    bool good = true;

    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *threads = opendir(path);
    if (!threads)
        return false;
    for (const struct dirent *entry; good && (entry = readdir(threads));) {
        uint64_t ns;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%ld/task/%s/schedstat", (long)pid, entry->d_name);
        good = read_text(path, text) && process_parse_schedstat(text, &ns);
        if (good)
            sum_ns += ns;
    }
    closedir(threads);
    if (good)
        *cpu_ns = sum_ns;
    return good;
}

bool process_cpu_ns(pid_t pid, uint64_t *cpu_ns)
{
    char path[64];
    char text[TEXT_LEN];

    if (sum_schedstat(pid, cpu_ns))
        return true;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    return read_text(path, text) &&
           process_parse_stat(text, (uint64_t)sysconf(_SC_CLK_TCK), cpu_ns);
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
