// worker.c: see worker.h.
// SPDX-License-Identifier: MIT
#include "engine/worker.h"
#include "engine/profiles/profiles.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum hail_status hail_worker_open(struct hail_worker *worker, struct hail_context *context,
                                  uint8_t index, struct hail_listen *listen)
{
    struct hail_shard *shard = &worker->shard;
    struct hail_random random;

    worker->is_measured = context->config.measures_cost;
    hail_random_init_system(&random);
    if (!hail_shard_init(shard, context, hail_profile_of(context->config.profile), index,
                         &random)) {
        hail_log_line(&context->log, HAIL_LOG_ERROR,
                      "memory for shard %u: %s; lower shard_count, conns_max or buffers_max (with "
                      "the sysctl vm.overcommit_memory at 2 all of it counts, used or not)",
                      index, strerrordesc_np(errno));
        return HAIL_ENOMEM;
    }
    return hail_io_open(&worker->io, shard, listen);
}

// Tells what the time was spent on.
static void publish_spent(struct hail_worker *worker)
{
    for (unsigned kind = 0; kind < HAIL_SPENT_KINDS; kind++)
        hail_stat_set(&worker->shard.stats, HAIL_STAT_SPENT_PROTOCOL + kind,
                      worker->meter.spent_ns[kind]);
}

static void turn_until_stopped(struct hail_worker *worker)
{
    struct hail_shard *shard = &worker->shard;
    struct hail_io *io = worker->io;

    for (;;) {
        hail_io_push(io);
        if (hail_shard_stopped(shard) && hail_io_idle(io)) // perhaps just now, by what was pushed
            return;
        uint64_t deadline_ns = hail_shard_next_ns(shard);
        // A command that waits for room among the events has all others wait behind it.
        bool sleeps = shard->command_held ? hail_mailbox_rest(&shard->commands)
                                          : hail_mailbox_sleep(&shard->commands);
        if (!sleeps || hail_shard_stopped(shard))
            deadline_ns = 0;
        hail_io_turn(io, deadline_ns);

        // Acquire: pairs with the release in hail_worker_stop. Before the turn, which carries out
        // all commands that came before the one to stop: what was sent last is sent as well.
        uint64_t stop_at_ns = atomic_load_explicit(&worker->stop_at_ns, memory_order_acquire);
        hail_shard_turn(shard, shard->now_ns, shard->unix_ns);
        if (worker->is_measured)
            publish_spent(worker);
        if (stop_at_ns != 0 && !shard->stopping) {
            hail_io_stop_listening(io);
            hail_shard_stop(shard, stop_at_ns);
        }
    }
}

static void *run(void *argument)
{
    struct hail_worker *worker = argument;

    char name[16]; // the kernel's limit
    snprintf(name, sizeof name, "hail-%s-%u",
             worker->shard.context->is_server ? "server" : "client", worker->shard.index);
    (void)pthread_setname_np(pthread_self(), name);
    hail_shard_enter(&worker->shard);
    hail_random_enter(); // not at some later turn, among messages
    if (worker->is_measured)
        hail_meter_start(&worker->meter);
    worker->status = hail_io_start(worker->io);
    bool started = worker->status == HAIL_OK;
    sem_post(&worker->started);
    if (started)
        turn_until_stopped(worker);
    return NULL;
}

enum hail_status hail_worker_start(struct hail_worker *worker)
{
    sigset_t all;
    sigset_t before;

    HAIL_ASSERT(!worker->running);
    // Signals are the application's: none is to arrive on a thread it does not know.
    sigfillset(&all);
    sem_init(&worker->started, 0, 0);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        hail_log_line(&worker->shard.context->log, HAIL_LOG_ERROR, "pthread_create: %s; %s",
                      strerrordesc_np(error),
                      error == EAGAIN ? "a limit of threads is reached: raise TasksMax= of the "
                                        "unit, pids.max of the container or ulimit -u, or lower "
                                        "shard_count"
                                      : "see config field shard_count");
        return HAIL_ESYS;
    }
    worker->running = true;
    while (sem_wait(&worker->started) < 0 && errno == EINTR)
        continue;
    return worker->status;
}

void hail_worker_stop(struct hail_worker *worker, uint64_t stop_at_ns)
{
    HAIL_ASSERT(stop_at_ns != 0); // which would mean that it goes on
    if (!worker->running)
        return;
    atomic_store_explicit(&worker->stop_at_ns, stop_at_ns, memory_order_release);
    hail_shard_wake(&worker->shard);
}

void hail_worker_join(struct hail_worker *worker)
{
    if (worker->running)
        pthread_join(worker->thread, NULL);
    worker->running = false;
}

void hail_worker_close(struct hail_worker *worker)
{
    HAIL_ASSERT(!worker->running);
    hail_io_close(worker->io);
    hail_shard_cleanup(&worker->shard);
}
