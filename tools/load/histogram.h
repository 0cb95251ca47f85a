// histogram.h: latencies in constant memory: log-linear buckets, less than 1 % wide.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_HISTOGRAM_H
#define HAIL_TOOLS_LOAD_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,   // each doubling is cut into 128 buckets, so that one is 1/128 wide
    HISTOGRAM_VALUE_BITS = 42, // in nanoseconds, more than an hour; what is above counts as that
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS
};

// All zero is an empty one. One thread writes; others read when it has stopped.
struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

// histogram_merge adds all of `from` to `into`, as if each value had been added there.
void histogram_merge(struct histogram *into, const struct histogram *from);

// histogram_quantile returns the value that `quantile` (0 to 1) of all values do not exceed, within
// 1 %; 0 when there is none. 1 gives the largest, exactly.
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

#endif
