// histogram.c: see histogram.h.
// SPDX-License-Identifier: MIT
#include "tools/load/histogram.h"

#include <math.h>
#include <stddef.h>

#define STEPS (UINT64_C(1) << HISTOGRAM_STEP_BITS)
#define LAST  ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

// Values below STEPS have a bucket each. Above, the highest bit picks the doubling, and the bits
// after it the bucket in that doubling.
static size_t bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (size_t)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return (size_t)((shift + 1) * STEPS + ((value >> shift) - STEPS));
}

// The middle of a bucket.
static uint64_t value_of(size_t bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = (unsigned)(bucket / STEPS) - 1;
    uint64_t low = (STEPS + bucket % STEPS) << shift;
    return low + ((UINT64_C(1) << shift) >> 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    if (value > LAST)
        value = LAST;
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->count);
    uint64_t seen = 0;

    if (wanted >= histogram->count)
        return histogram->max;
    if (wanted == 0)
        wanted = 1;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted) // the middle of the last bucket in use may be above all values
            return value_of(i) < histogram->max ? value_of(i) : histogram->max;
    }
    return histogram->max;
}
