// output.c: see output.h.
// SPDX-License-Identifier: MIT
#include "tools/daemon/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_LEN = 1024
};

static _Atomic unsigned long lines_lost; // since the last that was taken

void output_begin(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGPIPE, &ignore, NULL);
}

static int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Waits until PIPE_BUF bytes can be written without waiting (poll(2), pipe(7)).
static bool has_room(int fd, int64_t deadline_ms)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int64_t left_ms = deadline_ms - clock_ms();

    int ready = poll(&room, 1, left_ms > 0 ? (int)left_ms : 0);
    return ready == 1 && !(room.revents & (POLLERR | POLLNVAL));
}

bool output_write(int fd, const char *text, size_t len, int patience_ms)
{
    int64_t deadline_ms = clock_ms() + patience_ms;

    while (len > 0) {
        if (!has_room(fd, deadline_ms))
            return false;
        ssize_t written = write(fd, text, len < PIPE_BUF ? len : PIPE_BUF);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
    return true;
}

void output_line(const char *format, ...)
{
    char line[LINE_MAX_LEN];
    char lost[96];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (len < 0)
        return;
    if (len > LINE_MAX_LEN - 2)
        len = LINE_MAX_LEN - 2;
    line[len++] = '\n';
    unsigned long before = atomic_exchange_explicit(&lines_lost, 0, memory_order_relaxed);
    if (before > 0) {
        int lost_len =
            snprintf(lost, sizeof lost,
                     "haild: warn: %lu lines before this were lost: nobody read stderr\n", before);
        if (!output_write(STDERR_FILENO, lost, (size_t)lost_len, 0)) {
            atomic_fetch_add_explicit(&lines_lost, before + 1, memory_order_relaxed);
            return;
        }
    }
    if (!output_write(STDERR_FILENO, line, (size_t)len, 0))
        atomic_fetch_add_explicit(&lines_lost, 1, memory_order_relaxed);
}
