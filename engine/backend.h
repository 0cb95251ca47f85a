// backend.h: what io.c and the backends behind it, uring.c and epoll.c, have in common.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_BACKEND_H
#define HAIL_ENGINE_BACKEND_H

#include "engine/io.h"

// A backend. Its state begins with a struct hail_io.
struct hail_backend {
    size_t size; // of its state
    // Adds up or carves its memory: see arena.h. Called twice.
    void (*reserve)(struct hail_io *io);
    // Returns 0, or -errno and the system call that was refused. Cleaned up by close either way.
    int (*open)(struct hail_io *io, const char **call);
    enum hail_status (*start)(struct hail_io *io);
    void (*turn)(struct hail_io *io, uint64_t deadline_ns);
    void (*carry_out)(struct hail_io *io, const struct hail_task *task);
    void (*stop_listening)(struct hail_io *io); // before the socket is closed
    bool (*idle)(const struct hail_io *io);
    void (*close)(struct hail_io *io); // whatever open has opened
};

extern const struct hail_backend hail_uring;
extern const struct hail_backend hail_epoll;

struct hail_io {
    const struct hail_backend *backend;
    struct hail_shard *shard;
    int listen_fd; // -1: none
    int wake_fd;
    uint64_t accept_resumes_ns; // after an error; 0: at once
    struct hail_arena arena;
};

// hail_io_clock returns the time.
uint64_t hail_io_clock(void);

// hail_io_accepted hands a new connection to the shard. Returns its slot, or HAIL_SLOT_NONE when
// there is no room; then it has been closed.
uint32_t hail_io_accepted(struct hail_io *io, int fd);

// hail_io_accept_failed counts an error of accept. Returns whether the next may be accepted; if
// not, the listener has to rest.
bool hail_io_accept_failed(struct hail_io *io, int error);

// hail_io_may_accept says whether the listener is there and has rested. If it still has to,
// `*deadline_ns` becomes no later than the end of that.
bool hail_io_may_accept(const struct hail_io *io, uint64_t *deadline_ns);

// hail_io_woken takes note of a wake-up.
void hail_io_woken(struct hail_io *io);

#endif
