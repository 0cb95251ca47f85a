// sample.c: see sample.h.
// SPDX-License-Identifier: MIT
#include "tools/load/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BOTH_MAX = 2 * SAMPLE_MAX,
    RANK_SUM_MAX = BOTH_MAX * (BOTH_MAX + 1) // of all ranks, doubled
};

void sample_add(struct sample *sample, double value)
{
    if (sample->count < SAMPLE_MAX)
        sample->values[sample->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a;
    double other = *(const double *)b;

    return one < other ? -1 : one > other;
}

static void sort(const struct sample *sample, double sorted[SAMPLE_MAX])
{
    memcpy(sorted, sample->values, sample->count * sizeof sorted[0]);
    qsort(sorted, sample->count, sizeof sorted[0], compare);
}

double sample_median(const struct sample *sample)
{
    double sorted[SAMPLE_MAX];
    size_t middle = sample->count / 2;

    if (sample->count == 0)
        return 0;
    sort(sample, sorted);
    return sample->count % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

struct sample_interval sample_interval(const struct sample *sample, double confidence)
{
    double sorted[SAMPLE_MAX];
    size_t last = sample->count - 1;
    double all = ldexp(1, (int)sample->count); // ways for the values to lie about the true median
    double outside = 1;                        // of them, those that put it below the low end
    double choose = 1;
    size_t cut = 0; // values left out at each end

    if (sample->count == 0)
        return (struct sample_interval){0};
    sort(sample, sorted);
    while (2 * (cut + 1) < sample->count) {
        choose *= (double)(sample->count - cut) / (double)(cut + 1);
        if (1 - 2 * (outside + choose) / all < confidence)
            break;
        outside += choose;
        cut++;
    }
    return (struct sample_interval){
        .low = sorted[cut], .high = sorted[last - cut], .confidence = 1 - 2 * outside / all};
}

// A value and which sample it is from.
struct ranked {
    double value;
    size_t doubled_rank;
    int is_first;
};

static int compare_ranked(const void *a, const void *b)
{
    return compare(&((const struct ranked *)a)->value, &((const struct ranked *)b)->value);
}

// Ranks from 1, and equal values their mean; doubled, so that they are whole. Returns the first
// sample's sum.
static size_t rank(struct ranked *all, size_t count)
{
    size_t sum = 0;

    qsort(all, count, sizeof all[0], compare_ranked);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && all[to].value <= all[from].value;)
            to++;
        for (size_t i = from; i < to; i++) {
            all[i].doubled_rank = from + 1 + to;
            sum += all[i].is_first ? all[i].doubled_rank : 0;
        }
    }
    return sum;
}

double sample_p(const struct sample *a, const struct sample *b)
{
    // ways[n][sum]: how many choices of n of the values have that sum of doubled ranks.
    static double ways[SAMPLE_MAX + 1][RANK_SUM_MAX + 1];
    struct ranked all[BOTH_MAX];
    size_t count = a->count + b->count;
    double sums = 0;
    double as_far = 0;

    if (a->count == 0 || b->count == 0)
        return 1;
    for (size_t i = 0; i < count; i++)
        all[i] = i < a->count ? (struct ranked){.value = a->values[i], .is_first = 1}
                              : (struct ranked){.value = b->values[i - a->count]};
    size_t got = rank(all, count);
    size_t mean = a->count * (count + 1);
    size_t distance = got > mean ? got - mean : mean - got;
    memset(ways, 0, sizeof ways);
    ways[0][0] = 1;
    for (size_t i = 0; i < count; i++) {
        size_t step = all[i].doubled_rank;
        for (size_t n = a->count; n > 0; n--) {
            for (size_t sum = count * (count + 1); sum >= step; sum--)
                ways[n][sum] += ways[n - 1][sum - step];
        }
    }
    for (size_t sum = 0; sum <= count * (count + 1); sum++) {
        sums += ways[a->count][sum];
        if ((sum > mean ? sum - mean : mean - sum) >= distance)
            as_far += ways[a->count][sum];
    }
    return as_far / sums;
}
