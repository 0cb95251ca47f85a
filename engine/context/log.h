// log.h: lines for the application's log. A line is an event and its fields, "event key=value ...".
// Nothing that a peer can cause is logged above debug; it is counted instead. Never a secret.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_LOG_H
#define HAIL_ENGINE_CONTEXT_LOG_H

#include "crypto/base.h"
#include "engine/hail.h"

// Where lines go; `write` NULL: nowhere.
struct hail_log {
    void (*write)(void *user, enum hail_log_level level, const char *line);
    void *user;
};

// hail_log_line formats and hands over one line.
void hail_log_line(const struct hail_log *log, enum hail_log_level level, const char *format, ...)
    HAIL_FORMAT(3, 4);

#endif
