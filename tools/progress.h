// progress.h: a line that tells how far a long run is: once a second in a terminal, where it
// overwrites itself, every five in a log.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_PROGRESS_H
#define HAIL_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_quiet;
    bool is_terminal;
    bool has_line; // the terminal shows one
    uint64_t next_ns;
};

// progress_init begins to tell on stderr, or keeps quiet.
void progress_init(struct progress *progress, bool is_quiet);

// progress_due returns whether it is time for a line; `now_ns` is monotonic.
bool progress_due(struct progress *progress, uint64_t now_ns);

__attribute__((format(printf, 2, 3))) void progress_tell(struct progress *progress,
                                                         const char *format, ...);

// progress_end clears the line, so that what comes next begins on an empty one.
void progress_end(struct progress *progress);

// clock_ns returns CLOCK_MONOTONIC.
uint64_t clock_ns(void);

#endif
