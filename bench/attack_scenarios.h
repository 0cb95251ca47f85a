// attack_scenarios.h: attacks together, each with a server of its own and promises of its own.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_SCENARIOS_H
#define HAIL_BENCH_ATTACK_SCENARIOS_H

#include "bench/attack_run.h"

enum {
    SCENARIO_ATTACKS = 2
};

struct scenario {
    const char *name;
    const char *what; // it does, for --list
    struct attacked_wanted server;
    struct {
        const char *attack;
        uint32_t rate;
        uint32_t clients;
        uint32_t sources;
    } parts[SCENARIO_ATTACKS];
    double seconds;
    uint32_t joins_per_s;
    bool tries;
    bool far;
    void (*bars)(struct run_result *result);
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

// scenario_wanted fills in what a scenario wants to be run.
void scenario_wanted(struct run_wanted *wanted, const struct scenario *scenario);

#endif
