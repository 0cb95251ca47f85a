// measure.h: timing a piece of work: several windows, their median and spread, and what machine it
// was.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_MEASURE_H
#define HAIL_BENCH_MEASURE_H

#include <stdint.h>

enum {
    MEASURE_WINDOWS = 7
};

// Nanoseconds of this thread's CPU for one piece of work.
struct measure {
    double median_ns;
    double least_ns;
    double most_ns;
};

// measure_run calls `work` as often as fits into a window of about `window_ms`, several times over,
// after one window to warm up.
struct measure measure_run(void (*work)(void *user), void *user, uint32_t window_ms);

// measure_machine prints CPU, kernel, compiler, version and command line.
void measure_machine(int argc, char **argv);

// measure_print prints a row: what, median and spread in microseconds.
void measure_print(const char *what, const struct measure *measure);

#endif
