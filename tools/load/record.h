// record.h: what a matrix measured: rows, each with samples of what was measured of it; to JSON and
// from it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_RECORD_H
#define HAIL_TOOLS_LOAD_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/load/sample.h"

enum {
    RECORD_WORD_LEN = 24,
    RECORD_NAME_LEN = 200,
    RECORD_FAULT_LEN = 512
};

#define RECORD_CONFIDENCE 0.95 // of intervals, where there are repeats enough

// What a row is about.
enum record_kind {
    RECORD_CLOSED,     // echoes: the next message when one is back
    RECORD_OPEN,       // echoes on a schedule
    RECORD_HANDSHAKES, // connections made and closed
    RECORD_KINDS
};

// What is measured of it, in each repeat once. Times are in microseconds.
enum record_metric {
    RECORD_RATE,      // messages or handshakes a second
    RECORD_SERVER_US, // CPU time of the server for each
    RECORD_BUSY,      // share of a core that the server used
    RECORD_P50,       // latency, there and back
    RECORD_P90,
    RECORD_P99,
    RECORD_P999,
    RECORD_MAX,
    RECORD_WIRE_BYTES, // for each message, the mean of both directions
    RECORD_LOST,       // datagrams
    RECORD_LATE,       // due, and not sent in the window
    RECORD_SYSTEM,     // what the server's CPU time goes to, measured apart: calls into the kernel,
    RECORD_COPY,       // copies of messages,
    RECORD_CRYPTO,     // cryptography,
    RECORD_PROTOCOL,   // and the rest;
    RECORD_SPLIT_CPU,  // and what it was in all by the process's clock
    RECORD_METRICS
};

struct record_row {
    enum record_kind kind;
    char who[RECORD_WORD_LEN];   // hail, mlapi, or another's name
    char io[RECORD_WORD_LEN];    // uring or epoll; another's own
    char flags[RECORD_WORD_LEN]; // of messages; of handshakes how they are made: signed, ...
    bool is_ordered;             // datagrams: reliable and in order, where others may be lost
    uint32_t size;               // bytes; 0 of handshakes
    uint32_t connections;        // of handshakes: under way at once
    uint32_t burst;              // messages under way on each connection; 0 where that says nothing
    uint32_t rate;               // open loop: messages a second over all connections; else 0
    struct sample samples[RECORD_METRICS]; // empty: not known of this row
};

struct record {
    json_t *about; // an object of texts: the machine, versions, how it was measured
    bool is_complete;
    char fault[RECORD_FAULT_LEN]; // why it is not; empty: none
    struct record_row *rows;
    size_t row_count;
};

// record_cleanup frees what a record has.
void record_cleanup(struct record *record);

// record_kind_name returns what a kind is called in files and on the command line.
const char *record_kind_name(enum record_kind kind);

// What is known of a metric.
struct record_measure {
    const char *key;   // in files
    const char *label; // for people, unit and all
    int better;        // 1: more is, -1: less is, 0: neither
    int precision;     // digits behind the point
};

const struct record_measure *record_measure(enum record_metric metric);

// record_flags writes a row's flags and whether it is ordered, for a column of a table.
void record_flags(const struct record_row *row, char text[RECORD_WORD_LEN + 16]);

// record_name writes what a row is about, in words: no two rows of a record have the same.
void record_name(const struct record_row *row, char name[RECORD_NAME_LEN]);

// What a row's server CPU can be told against: the same of the same server in plaintext, or of
// nothing but system calls.
enum record_base {
    RECORD_TO_PLAIN,
    RECORD_TO_BASELINE
};

// record_ratio writes, for each repeat, the row's server CPU divided by its base's in that repeat.
// Empty: the record has no such base, or the row is it.
void record_ratio(const struct record *record, const struct record_row *row, enum record_base base,
                  struct sample *ratio);

// record_parts returns the sum of what the server's CPU time went to, which should be about
// RECORD_SPLIT_CPU; 0: it was not measured.
double record_parts(const struct record_row *row);

// record_print prints all rows as tables.
void record_print(const struct record *record, FILE *out);

// record_write writes it as JSON. False: the file cannot be written; errno.
bool record_write(const struct record *record, FILE *file);

// record_read reads a file that record_write wrote. False: it is none, or cannot be read, which is
// told on `errors` in one line with the place.
bool record_read(struct record *record, const char *path, FILE *errors);

#endif
