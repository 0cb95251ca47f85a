// targets.h: what hail promises of its own cost, and whether what was measured keeps it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_TARGETS_H
#define HAIL_TOOLS_LOAD_TARGETS_H

#include "tools/load/record.h"

enum {
    TARGETS_TEXT_LEN = 120
};

// One promise, and what became of it.
struct bar {
    char
        text[TARGETS_TEXT_LEN]; // "encrypted echo, 128 bytes, 100 connections: server CPU to floor"
    double most;                // what it may be
    struct sample measured;     // a value for each repeat
    bool is_kept;               // by the median
};

// targets_wants says whether a row is one that a bar is judged by.
bool targets_wants(const struct record_row *row);

// targets_count returns how many bars there are; targets_judge writes number `index` of them, as
// the record's rows on io_uring have it. False: the record lacks rows for it.
size_t targets_count(void);
bool targets_judge(const struct record *record, size_t index, struct bar *bar);

// targets_print prints those that can be judged, as a table; nothing when none can.
void targets_print(const struct record *record, FILE *out);

#endif
