// simulation.c: see simulation.h.
// SPDX-License-Identifier: MIT
#include "engine/context/simulation.h"

enum {
    DELAY_MAX_US = 60000000,
    MILLION = 1000000
};

bool hail_simulation_check(const struct hail_simulation *how)
{
    return how->size == sizeof *how && how->delay_us <= DELAY_MAX_US &&
           how->jitter_us <= DELAY_MAX_US && how->reorder_us <= DELAY_MAX_US &&
           how->queue_us <= DELAY_MAX_US && how->loss <= MILLION && how->duplication <= MILLION &&
           how->reordering <= MILLION;
}
