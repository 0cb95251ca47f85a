// bars.h: what hail promises of its own cost, and whether what was measured keeps it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_BARS_H
#define HAIL_TOOLS_BARS_H

#include "tools/record.h"

enum {
    BARS_TEXT_LEN = 120
};

// One promise, and what became of it.
struct bar {
    char text[BARS_TEXT_LEN]; // "encrypted echo, 128 bytes, 100 connections: server CPU to floor"
    double most;              // what it may be
    struct sample measured;   // a value for each repeat
    bool is_kept;             // by the median
};

// bars_wants says whether a row is one that a bar is judged by.
bool bars_wants(const struct record_row *row);

// bars_count returns how many bars there are; bars_judge writes number `index` of them, as the
// record's rows on io_uring have it. False: the record lacks rows for it.
size_t bars_count(void);
bool bars_judge(const struct record *record, size_t index, struct bar *bar);

// bars_print prints those that can be judged, as a table; nothing when none can.
void bars_print(const struct record *record, FILE *out);

#endif
