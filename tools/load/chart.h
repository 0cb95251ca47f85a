// chart.h: rows of a record as pictures.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_CHART_H
#define HAIL_TOOLS_LOAD_CHART_H

#include "tools/load/record.h"

// chart_bars draws one bar for each row: the median of `metric`, with its interval. Rows of the
// same server stand together. All have samples of it.
void chart_bars(FILE *out, const char *title, const struct record_row *const *rows, size_t count,
                enum record_metric metric);

// chart_parts draws one bar for each row, of the parts that its server's CPU time goes to. All have
// samples of them. chart_part_class returns the page's class for the colour of one.
void chart_parts(FILE *out, const char *title, const struct record_row *const *rows, size_t count);
const char *chart_part_class(enum record_metric part);

// chart_latencies draws one line for each row, from its p50 to its maximum, over a scale of powers
// of ten from `least_us` to `most_us`.
void chart_latencies(FILE *out, const char *title, const struct record_row *const *rows,
                     size_t count, double least_us, double most_us);

// chart_class returns the page's class for the colour of `flags`; the same everywhere.
const char *chart_class(const char *flags);

#endif
