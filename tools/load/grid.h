// grid.h: what hail-load matrix was asked to measure: its command line, and the rows that come of
// it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_GRID_H
#define HAIL_TOOLS_LOAD_GRID_H

#include "engine/hail.h"
#include "tools/load/plan.h"
#include "tools/load/record.h"

enum {
    GRID_NUMBERS_MAX = 16,
    GRID_ROWS_MAX = 10000
};

// Sets of choices, by their bits.
enum {
    GRID_HAIL = 1u << 0, // profiles
    GRID_MLAPI = 1u << 1,
    GRID_URING = 1u << 0, // backends
    GRID_EPOLL = 1u << 1
};

struct grid_numbers {
    uint32_t values[GRID_NUMBERS_MAX];
    size_t count;
};

// Pointers are to the command line.
struct grid {
    uint32_t kinds; // 1u << enum record_kind
    uint32_t profiles;
    uint32_t ios;
    uint32_t flags;     // 1u << security flags
    bool has_unordered; // hail: unreliable messages
    bool has_ordered;   // hail, closed: reliable and ordered ones, with both flags
    struct grid_numbers sizes;
    struct grid_numbers connections;
    struct grid_numbers bursts;
    uint32_t rate;
    uint32_t handshakes; // in a repeat
    uint32_t concurrent;
    uint32_t repeats;
    double duration_s;
    double warmup_s;
    int server_core; // -1: none of its own
    int load_core;
    const char *peers_dir; // where programs to compare with are; NULL: none
    const char *json_path; // NULL: none
    const char *html_path;
    bool only_bars; // only what a bar is judged by
    bool splits;    // tell what the server's time goes to
    bool is_quiet;
};

// grid_read reads the command line behind "hail-load matrix": argv[0] is "matrix". `out` gets what
// --help answers, `errors` what is wrong, in one line.
enum plan_result grid_read(struct grid *grid, int argc, char **argv, FILE *out, FILE *errors);

// grid_rows writes the rows, without figures: those that one client can measure after the other
// stand together. Returns how many there are; `rows` may be NULL, to count.
size_t grid_rows(const struct grid *grid, struct record_row *rows);

// grid_most returns the largest of `numbers`.
uint32_t grid_most(const struct grid_numbers *numbers);

#endif
