// io.h: what moves a shard's bytes: it brings what came into the shard, and carries out the work
// that the shard has for it, in batches, with one wait for everything. By io_uring (uring.c) where
// the system lets us, else by epoll (epoll.c).
// SPDX-License-Identifier: MIT
//
// Threads  Opened by any thread and then used by one.
#ifndef HAIL_ENGINE_IO_IO_H
#define HAIL_ENGINE_IO_IO_H

#include "engine/io/socket.h"
#include "engine/shard/shard.h"

struct hail_io;

// hail_io_open opens the I/O of `shard` by the backend that its config asks for, listening already
// if it is to. The port that the kernel chose for port 0 is written back to `listen`. A line in the
// log says which backend it is and why, once for shards that agree; or what failed, and the way
// out.
HAIL_MUST_USE enum hail_status hail_io_open(struct hail_io **out, struct hail_shard *shard,
                                            struct hail_listen *listen);

// hail_io_start begins to receive, on the thread that will use it from here on.
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

// hail_io_close frees it; NULL is allowed.
void hail_io_close(struct hail_io *io);

// hail_io_memory returns the bytes reserved beside the shard's.
size_t hail_io_memory(const struct hail_io *io);

#endif
