// attack_run.c: see attack_run.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_run.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/attack_far.h"
#include "crypto/time.h"
#include "tools/process.h"
#include "tools/progress.h"

enum {
    NAP_NS = 500000,
    BURST_MAX = 512, // shots between two looks around
    FAR_PART = 2     // of the window: in its first half the far clients begin
};

static _Atomic bool interrupted;

static void on_interrupt(int number)
{
    (void)number;
    atomic_store(&interrupted, true);
}

void run_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool run_interrupted(void)
{
    return atomic_load(&interrupted);
}

// ---- The window

// What is under way.
struct window {
    struct run_place *place;
    const struct run_wanted *wanted;
    uint64_t begin_ns;
    size_t open;
    uint64_t done[RUN_PARTS_MAX]; // of what was due
    struct attacker attackers[RUN_PARTS_MAX];
    struct far far;
};

static bool open_attackers(struct window *window)
{
    const struct run_wanted *wanted = window->wanted;

    for (window->open = 0; window->open < wanted->part_count; window->open++) {
        const struct run_part *part = &wanted->parts[window->open];
        struct attacker *attacker = &window->attackers[window->open];
        if (!attacker_open(attacker, part->attack, &window->place->server,
                           window->place->is_signed ? HAIL_HELLO_NX : HAIL_HELLO_NN, part->clients,
                           wanted->gso))
            return false;
        attacker->source_count = part->sources ? part->sources : attacker->source_count;
    }
    return true;
}

static void close_attackers(struct window *window)
{
    while (window->open > 0)
        attacker_close(&window->attackers[--window->open]);
}

// Sends what is due by now, of each part at its rate.
static void shoot_due(struct window *window)
{
    double passed_s = (double)(clock_ns() - window->begin_ns) / HAIL_NS_PER_S;

    for (size_t i = 0; i < window->wanted->part_count; i++) {
        struct attacker *attacker = &window->attackers[i];
        uint64_t due = (uint64_t)(passed_s * window->wanted->parts[i].rate);
        // What could not be sent in time is not made up for later: the machine does not do more.
        uint64_t first = due > BURST_MAX ? due - BURST_MAX : 0;
        uint64_t at = window->done[i] > first ? window->done[i] : first;
        for (; at < due; at++)
            attacker_shoot(attacker);
        window->done[i] = due;
        attacker_hear(attacker);
    }
}

static void go_on(struct window *window)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    const struct run_wanted *wanted = window->wanted;

    while (!run_interrupted() &&
           (double)(clock_ns() - window->begin_ns) < wanted->seconds * HAIL_NS_PER_S) {
        shoot_due(window);
        players_tend(&window->place->players);
        if (wanted->far)
            far_tend(&window->far);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    }
}

static void count_up(const struct window *window, struct run_result *result)
{
    uint64_t bytes_out = 0;
    uint64_t bytes_in = 0;

    for (size_t i = 0; i < window->open; i++) {
        const struct attacker *attacker = &window->attackers[i];
        bool is_stream = attacker->attack->by == ATTACK_BY_STREAM;
        result->by = attacker->attack->by;
        result->count += is_stream ? attacker->shots : attacker->wire.datagrams_out;
        bytes_out += attacker->wire.bytes_out;
        bytes_in += attacker->wire.bytes_in;
        result->closed += attacker->closed_count;
        result->closed_of[i] = attacker->closed_count;
        result->close_reason =
            attacker->closed_count ? attacker->close_reason : result->close_reason;
    }
    result->amplification = bytes_out > 0 ? (double)bytes_in / (double)bytes_out : 0;
}

// What the server has used so far.
struct used {
    uint64_t at_ns;
    struct process_cpu cpu;
    uint64_t memory;
};

static struct used used_by(const struct run_place *place)
{
    struct used used = {.at_ns = clock_ns()};

    if (place->pid > 0 && (!process_cpu_read(place->pid, &used.cpu) ||
                           !process_resident_bytes(place->pid, &used.memory)))
        fprintf(stderr, "attack: process %ld cannot be looked at\n", (long)place->pid);
    return used;
}

static void compare(const struct run_place *place, const struct used *before,
                    const struct used *after, struct run_result *result)
{
    uint64_t used_ns;

    result->seconds = (double)(after->at_ns - before->at_ns) / HAIL_NS_PER_S;
    if (!process_cpu_used(&before->cpu, &after->cpu, &used_ns))
        used_ns = 0;
    result->server_cores = (double)used_ns / HAIL_NS_PER_S / result->seconds;
    double beyond = result->server_cores - place->calm_cores;
    if (result->count > 0)
        result->us_each = (beyond > 0 ? beyond : 0) * result->seconds * 1e6 / (double)result->count;
}

bool run_window(struct run_place *place, const struct run_wanted *wanted, struct run_result *result)
{
    struct window *window = calloc(1, sizeof *window); // large
    bool good = false;

    if (!window)
        abort();
    *result = (struct run_result){.wanted = wanted};
    window->place = place;
    window->wanted = wanted;
    struct used first = used_by(place);
    result->is_refused = !open_attackers(window);
    if (result->is_refused) {
        good = !run_interrupted();
        goto out;
    }
    players_begin(&place->players, wanted->joins_per_s,
                  wanted->tries ? (uint32_t)(wanted->seconds * 500) : 0);
    if (wanted->far)
        far_init(&window->far, &place->server,
                 (uint32_t)(wanted->seconds * 1000 / (double)FAR_PART));
    struct used before = used_by(place);
    window->begin_ns = clock_ns();
    go_on(window);
    struct used after = used_by(place);
    count_up(window, result);
    result->far_joined = wanted->far ? far_cleanup(&window->far) : 0;
    compare(place, &before, &after, result);
    players_end(&place->players, &result->players);
    good = !run_interrupted() && result->players.absent < PLAYERS;
    if (result->players.absent == PLAYERS)
        fprintf(stderr, "attack: %s: the server is gone, or lets no player in\n", wanted->name);
    result->memory_mb = ((double)after.memory - (double)first.memory) / 1e6;
out:
    close_attackers(window);
    free(window);
    return good;
}

void run_settle(struct run_place *place)
{
    enum {
        LOOKS = 8
    };
    const struct run_wanted calm = {.name = "settling", .seconds = 0.3};
    struct run_result result;

    for (int i = 0; i < LOOKS && !run_interrupted(); i++) {
        if (!run_window(place, &calm, &result))
            return;
        if (result.players.lost == 0 && result.players.absent == 0 &&
            result.players.short_p99_ms <= 2 * place->calm_p99_ms + 2)
            return;
    }
}

// ---- What is promised

void run_bar_add(struct run_result *result, const struct run_bar *bar)
{
    HAIL_ASSERT(result->bar_count < RUN_BARS_MAX);
    result->bars[result->bar_count++] = *bar;
}

bool run_bar_kept(const struct run_bar *bar)
{
    return bar->is_least ? bar->value >= bar->bar : bar->value <= bar->bar;
}

void run_bars(struct run_result *result, const struct run_place *place)
{
    enum {
        STRANGER_GETS = 3, // bytes for each of his
        CLIENT_US = 20,    // of the server's time, for a datagram of any content
        COUNTED_PER_S = 1000
    };
    const struct players_result *players = &result->players;
    double p99_most_ms = 2 * place->calm_p99_ms + 2;

    run_bar_add(result,
                &(struct run_bar){"players' messages lost", "", (double)players->lost, 0, false});
    run_bar_add(result, &(struct run_bar){"players thrown out", "",
                                          (double)players->lost_connections, 0, false});
    run_bar_add(result,
                &(struct run_bar){"players' p99", "ms", players->short_p99_ms, p99_most_ms, false});
    if (result->by == ATTACK_BY_STRANGER)
        run_bar_add(result, &(struct run_bar){"amplification", "", result->amplification,
                                              STRANGER_GETS, false});
    if (result->by == ATTACK_BY_FORGER)
        run_bar_add(result,
                    &(struct run_bar){"amplification", "", result->amplification, 1, false});
    // Of an attack that is ended at once there are too few to tell them from the calm.
    if (result->by == ATTACK_BY_CLIENT && place->pid > 0 &&
        (double)result->count >= result->seconds * (double)COUNTED_PER_S)
        run_bar_add(result,
                    &(struct run_bar){"server CPU", "us", result->us_each, CLIENT_US, false});
}
