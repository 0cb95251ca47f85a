// task.h: what a shard asks its I/O backend to do.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_TASK_H
#define HAIL_ENGINE_SHARD_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct hail_path;

enum {
    HAIL_VIEWS_MAX = 16 // pieces of one send
};

enum hail_task_op {
    HAIL_TASK_CONNECT, // to `address`
    HAIL_TASK_REBIND,  // client, profile hail: to `address` from another port
    HAIL_TASK_FOLLOW,  // client, profile hail: to `address` from the source address that the kernel
                       // now chooses; if it has done so, hail_shard_followed
    HAIL_TASK_SEND,    // `views`; the next one for this slot comes after hail_shard_sent
    HAIL_TASK_PAUSE,   // receive no more
    HAIL_TASK_RESUME,
    HAIL_TASK_CLOSE,    // let go of everything, then hail_shard_closed
    HAIL_TASK_DATAGRAMS // `views`: a datagram each, all as long as the first but the last, which
                        // may be shorter; by `path`, or if NULL through the socket of `slot`
};

// Work for the backend. What it points to holds until the task is done; of HAIL_TASK_DATAGRAMS,
// until hail_shard_handed_over.
struct hail_task {
    enum hail_task_op op;
    uint32_t slot;
    const struct sockaddr *address; // to connect to
    const struct hail_path *path;   // of a server's datagrams
    bool resets;   // HAIL_TASK_CLOSE: without a word, so that the kernel keeps nothing of it either
    bool if_moved; // HAIL_TASK_FOLLOW: if that is another than the socket has
    size_t view_count;
    struct iovec views[HAIL_VIEWS_MAX];
};

#endif
