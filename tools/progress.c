// progress.c: see progress.h.
// SPDX-License-Identifier: MIT
#include "tools/progress.h"
#include "crypto/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void progress_init(struct progress *progress, bool is_quiet)
{
    *progress = (struct progress){.is_quiet = is_quiet, .is_terminal = isatty(STDERR_FILENO) == 1};
    progress->next_ns = clock_ns() + (progress->is_terminal ? 1 : 5) * HAIL_NS_PER_S;
}

bool progress_due(struct progress *progress, uint64_t now_ns)
{
    if (progress->is_quiet || now_ns < progress->next_ns)
        return false;
    progress->next_ns = now_ns + (progress->is_terminal ? 1 : 5) * HAIL_NS_PER_S;
    return true;
}

void progress_tell(struct progress *progress, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    fputs(progress->is_terminal ? "\r" : "hail-load: ", stderr);
    vfprintf(stderr, format, values);
    fputs(progress->is_terminal ? "\033[K" : "\n", stderr);
    va_end(values);
    progress->has_line = progress->is_terminal;
}

void progress_end(struct progress *progress)
{
    if (progress->has_line)
        fputs("\r\033[K", stderr);
    progress->has_line = false;
}

uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return hail_time_ns(&now);
}
