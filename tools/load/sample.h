// sample.h: what the repeats of one measurement say: their median, the bounds it lies between, and
// whether two samples differ. By ranks alone: nothing is known of how a shared machine errs.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_SAMPLE_H
#define HAIL_TOOLS_LOAD_SAMPLE_H

#include <stddef.h>

enum {
    SAMPLE_MAX = 32
};

// All zero is an empty one.
struct sample {
    size_t count;
    double values[SAMPLE_MAX]; // in the order in which they were measured
};

// sample_add keeps a value; beyond SAMPLE_MAX it keeps none.
void sample_add(struct sample *sample, double value);

// sample_median returns the middle value, or the mean of the two; 0 of an empty sample.
double sample_median(const struct sample *sample);

// Two of a sample's values, and how likely the median of what was sampled lies between them.
struct sample_interval {
    double low;
    double high;
    double confidence;
};

// sample_interval returns the narrowest pair, as far from the one end as from the other, that has
// at least this confidence; where there are too few values for it, the least and the most, with the
// confidence that they have: 1 - 2 / 2^count. All 0 of an empty sample.
struct sample_interval sample_interval(const struct sample *sample, double confidence);

// sample_p returns how likely two samples of the same thing differ in their ranks as much as these
// do, or more: the Mann-Whitney test, two-sided and exact, ties counted as they are. 1 when one is
// empty.
//
// Threads  One at a time.
double sample_p(const struct sample *a, const struct sample *b);

#endif
