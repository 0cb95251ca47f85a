// measure.c: see measure.h.
// SPDX-License-Identifier: MIT
#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "crypto/time.h"
#include "engine/hail.h"

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return hail_time_ns(&now);
}

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a;
    double other = *(const double *)b;

    return one < other ? -1 : one > other;
}

static double window(void (*work)(void *user), void *user, uint64_t least_ns)
{
    uint64_t begin = cpu_ns();
    uint64_t count = 0;
    uint64_t batch = 1;

    while (cpu_ns() - begin < least_ns) { // in growing batches, so that the clock costs nothing
        for (uint64_t i = 0; i < batch; i++)
            work(user);
        count += batch;
        batch = batch < 1024 ? 2 * batch : batch;
    }
    return (double)(cpu_ns() - begin) / (double)count;
}

struct measure measure_run(void (*work)(void *user), void *user, uint32_t window_ms)
{
    double windows[MEASURE_WINDOWS];

    window(work, user, window_ms * HAIL_NS_PER_MS);
    for (int i = 0; i < MEASURE_WINDOWS; i++)
        windows[i] = window(work, user, window_ms * HAIL_NS_PER_MS);
    qsort(windows, MEASURE_WINDOWS, sizeof *windows, compare);
    return (struct measure){windows[MEASURE_WINDOWS / 2], windows[0], windows[MEASURE_WINDOWS - 1]};
}

static void print_cpu(void)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");

    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "model name", 10) == 0) {
            printf("cpu      %s", strchr(line, ':') + 2);
            break;
        }
    }
    if (file)
        fclose(file);
}

void measure_machine(int argc, char **argv)
{
    struct utsname name;

    uname(&name);
    print_cpu();
    printf("kernel   %s %s\n", name.sysname, name.release);
    printf("compiler %s\n", __VERSION__);
    printf("hail     %s\n", hail_version());
    printf("command ");
    for (int i = 0; i < argc; i++)
        printf(" %s", argv[i]);
    printf("\nus of CPU: median (least to most) of %d windows\n\n", MEASURE_WINDOWS);
    fflush(stdout);
}

void measure_print(const char *what, const struct measure *measure)
{
    printf("%-44s %10.3f  (%.3f to %.3f)\n", what, measure->median_ns / 1e3,
           measure->least_ns / 1e3, measure->most_ns / 1e3);
    fflush(stdout);
}
