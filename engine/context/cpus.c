// cpus.c: see cpus.h.
// SPDX-License-Identifier: MIT
#include "engine/context/cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool read_line(const char *path, char *line, int capacity)
{
    FILE *file = fopen(path, "re");
    bool done = file && fgets(line, capacity, file);

    if (file)
        fclose(file);
    return done;
}

static size_t rounded_up(long long quota, long long period)
{
    return quota > 0 && period > 0 ? (size_t)((quota + period - 1) / period) : 0;
}

// Version 2: "max 100000", or "50000 100000".
static size_t quota_of_folder(const char *folder)
{
    char path[PATH_MAX];
    char line[64];
    long long quota;
    long long period;

    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_line(path, line, sizeof line))
        return sscanf(line, "%lld %lld", &quota, &period) == 2 ? rounded_up(quota, period) : 0;
    // Version 1: a file for each, and -1 for no quota.
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &quota) != 1)
        return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &period) != 1)
        return 0;
    return rounded_up(quota, period);
}

// The least quota of a group and those that it is in.
static size_t quota_of_path(const char *root, const char *controller, char *group)
{
    size_t least = 0;

    for (;;) {
        char folder[PATH_MAX / 2];
        snprintf(folder, sizeof folder, "%s%s%s%s", root, controller, group[0] == '/' ? "" : "/",
                 group);
        size_t quota = quota_of_folder(folder);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        char *slash = strrchr(group, '/');
        if (!slash || group[0] == 0)
            return least;
        *slash = 0;
    }
}

size_t hail_cpus_of_quota(const char *cgroup_file, const char *root)
{
    FILE *file = fopen(cgroup_file, "re");
    char line[PATH_MAX];
    size_t least = 0;

    while (file && fgets(line, sizeof line, file)) { // such as 0::/a/b, or 4:cpu,cpuacct:/a/b
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        controllers++;
        if (*controllers != 0 && strncmp(controllers, "cpu", 3) != 0)
            continue;
        size_t quota = quota_of_path(root, *controllers ? "/cpu" : "", group);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
    }
    if (file)
        fclose(file);
    return least;
}

size_t hail_cpus_usable(void)
{
    cpu_set_t cpus;
    size_t count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (size_t)CPU_COUNT(&cpus) : 1;
    size_t quota = hail_cpus_of_quota("/proc/self/cgroup", "/sys/fs/cgroup");

    return quota > 0 && quota < count ? quota : count;
}
