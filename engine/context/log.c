// log.c: see log.h.
// SPDX-License-Identifier: MIT
#include "engine/context/log.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    LINE_MAX_LEN = 1024
};

void hail_log_line(const struct hail_log *log, enum hail_log_level level, const char *format, ...)
{
    char line[LINE_MAX_LEN];
    va_list args;

    if (!log->write)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log->write(log->user, level, line);
}
