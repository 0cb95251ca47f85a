// report.h: what hail-load found, as a table for people and as JSON for programs.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_REPORT_H
#define HAIL_TOOLS_LOAD_REPORT_H

#include <stdio.h>

#include "tools/load/traffic.h"

enum {
    REPORT_ROWS_MAX = PLAN_SIZES_MAX * PLAN_FLAGS_MAX
};

// Parts that were not asked for or not reached are empty.
struct report {
    const struct plan *plan;
    uint64_t server_step_ns; // what the server's CPU time is counted in; 0: not known
    bool is_complete;
    char fault[LAB_FAULT_LEN];   // why it is not; empty: none, or told on stderr before a run
    struct lab_handshakes joins; // before messages
    struct traffic_result rows[REPORT_ROWS_MAX];
    size_t row_count;
    struct lab_handshakes handshakes;
    struct lab_idle idle;
};

void report_print(const struct report *report, FILE *out);

// report_write_json writes the same, and what is needed to repeat it, to plan->json_path. False:
// told on stderr.
bool report_write_json(const struct report *report, int argc, char **argv);

#endif
