// compare.h: hail-load compare: what changed between two files that hail-load matrix wrote, and
// what may be chance.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_COMPARE_H
#define HAIL_TOOLS_LOAD_COMPARE_H

#include "tools/load/record.h"

enum {
    COMPARE_SAME = 0, // exit status: nothing became worse
    COMPARE_WORSE = 1,
    COMPARE_FAILED = 2 // wrong usage, or a file that cannot be read
};

// What counts as a change.
struct compare_limits {
    double p_max;   // of the rank test
    double least;   // share by which the median must have moved
    bool shows_all; // rows that did not change as well
};

// compare_records prints what changed from `before` to `after`. Returns COMPARE_SAME or
// COMPARE_WORSE; COMPARE_FAILED, told on `errors`, when they have no row in common.
int compare_records(const struct record *before, const struct record *after,
                    const struct compare_limits *limits, FILE *out, FILE *errors);

// compare_main does what "hail-load compare" is asked for; argv[1] is "compare". Returns the exit
// status.
int compare_main(int argc, char **argv, FILE *out, FILE *errors);

#endif
