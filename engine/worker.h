// worker.h: a thread that turns one shard and its I/O until it is told to stop.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_WORKER_H
#define HAIL_ENGINE_WORKER_H

#include <pthread.h>
#include <semaphore.h>

#include "crypto/meter.h"
#include "engine/io/io.h"

struct hail_worker {
    struct hail_shard shard;
    struct hail_io *io;
    pthread_t thread;
    sem_t started;
    enum hail_status status; // of the start
    bool running;
    bool is_measured; // config.measures_cost
    struct hail_meter meter;
    _Atomic uint64_t stop_at_ns; // 0: run on; else close everything, and flush until then
};

// hail_worker_open reserves everything and opens the sockets; no thread yet. On failure
// hail_worker_close cleans up.
HAIL_MUST_USE enum hail_status hail_worker_open(struct hail_worker *worker,
                                                struct hail_context *context, uint8_t index,
                                                struct hail_listen *listen);

// hail_worker_start starts the thread and waits until it receives.
HAIL_MUST_USE enum hail_status hail_worker_start(struct hail_worker *worker);

// hail_worker_stop asks the thread to end, flushing until `stop_at_ns`; hail_worker_join waits
// until it has; hail_worker_close frees everything. All accept a worker that was never opened or
// started.
void hail_worker_stop(struct hail_worker *worker, uint64_t stop_at_ns);
void hail_worker_join(struct hail_worker *worker);
void hail_worker_close(struct hail_worker *worker);

#endif
