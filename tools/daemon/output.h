// output.h: writing to whoever reads stdout and stderr, who may be slow, or gone: a server goes on.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_DAEMON_OUTPUT_H
#define HAIL_TOOLS_DAEMON_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

// output_begin has the kernel report a reader that is gone as an error, and not kill for it.
void output_begin(void);

// output_write writes all of a text, and waits at most patience_ms in all for the reader of a pipe,
// socket or terminal. False: not all of it could be written.
// Threads  Any; a text of up to 4,096 bytes is not torn by another thread's.
bool output_write(int fd, const char *text, size_t len, int patience_ms);

// output_line writes one line to stderr without waiting. Lines that nobody took are counted, and
// told of with the next that somebody does.
// Threads  Any.
__attribute__((format(printf, 1, 2))) void output_line(const char *format, ...);

#endif
