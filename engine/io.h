// io.h: what moves a shard's bytes: it brings what came into the shard, and carries out the work
// that the shard has for it, in batches, with one wait for everything. Implemented by uring.c.
//
// Threads  A backend is opened by any thread and then used by one.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_IO_H
#define HAIL_ENGINE_IO_H

#include "engine/shard.h"

struct hail_io;

// Where a server listens; family AF_UNSPEC: nowhere.
struct hail_listen {
    struct sockaddr_storage address;
    socklen_t address_len;
};

// hail_io_open makes a backend for `shard`, listening already if it is to. The port that the kernel
// chose for port 0 is written back to `listen`. A line in the log says what failed, and the way
// out.
HAIL_MUST_USE enum hail_status hail_io_open(struct hail_io **out, struct hail_shard *shard,
                                            struct hail_listen *listen);

// hail_io_start begins to receive, on the thread that will use the backend from here on.
HAIL_MUST_USE enum hail_status hail_io_start(struct hail_io *io);

// hail_io_turn submits what was prepared, waits until something happens or `deadline_ns` (0: does
// not wait), and brings what came into the shard.
void hail_io_turn(struct hail_io *io, uint64_t deadline_ns);

// hail_io_push takes the shard's work and prepares it for the next turn.
void hail_io_push(struct hail_io *io);

// hail_io_stop_listening lets go of the listening socket.
void hail_io_stop_listening(struct hail_io *io);

// hail_io_idle says whether nothing is in flight but the wake-up: only then may it be closed.
bool hail_io_idle(const struct hail_io *io);

// hail_io_close frees the backend; NULL is allowed.
void hail_io_close(struct hail_io *io);

// hail_io_memory returns the bytes a backend reserves beside the shard's.
size_t hail_io_memory(const struct hail_io *io);

#endif
