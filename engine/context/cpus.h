// cpus.h: how many CPUs this process may use.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_CPUS_H
#define HAIL_ENGINE_CONTEXT_CPUS_H

#include <stddef.h>

// hail_cpus_usable returns the least of the CPUs that the process may run on and what the quotas of
// its control groups come to, rounded up; 1 or more.
size_t hail_cpus_usable(void);

// hail_cpus_of_quota does the part about control groups (cgroups(7), version 2, and version 1's
// cpu controller): `cgroup_file` is a process's /proc/PID/cgroup, `root` where they are mounted. 0:
// there is no quota, or it cannot be read.
size_t hail_cpus_of_quota(const char *cgroup_file, const char *root);

#endif
