// attack_report.h: what attacks came to, as a table and as JSON.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_REPORT_H
#define HAIL_BENCH_ATTACK_REPORT_H

#include <stdio.h>

#include "bench/attack_run.h"

// A report that is being written: the table as it comes, and JSON at once beside it.
struct report {
    FILE *json; // NULL: none
    bool has_row;
    uint32_t kept; // promises
    uint32_t missed;
};

// report_begin writes the table's head; report_end says how many promises were kept.
void report_begin(struct report *report, FILE *json);
void report_end(struct report *report);

// report_row writes what a window came to, and which of its promises were not kept.
void report_row(struct report *report, const struct run_result *result);

#endif
