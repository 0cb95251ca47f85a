// attack_scenarios.c: see attack_scenarios.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_scenarios.h"

#include "bench/attack_far.h"

enum {
    FILLERS = 50, // of each of two kinds
    STALL_MS = 3000
};

static void most(struct run_result *result, const char *name, const char *unit, double value,
                 double bar)
{
    run_bar_add(result, &(struct run_bar){name, unit, value, bar, false});
}

static void least(struct run_result *result, const char *name, double value, double bar)
{
    run_bar_add(result, &(struct run_bar){name, "", value, bar, true});
}

static void fill_bars(struct run_result *result)
{
    most(result, "joins failed", "", result->players.joins_failed, 0);
    least(result, "tries kept", result->players.tries_kept, PLAYERS_TRIES);
    least(result, "sent away from behind the hole", result->closed_of[1], FILLERS);
}

static void hello_bars(struct run_result *result)
{
    most(result, "joins' p50", "ms", result->players.join_p50_ms, 50);
    most(result, "joins' p99", "ms", result->players.join_p99_ms, 250);
    most(result, "server CPU", "cores", result->server_cores, 0.5);
}

static void approval_bars(struct run_result *result)
{
    most(result, "joins failed", "", result->players.joins_failed, 0);
}

static void welcome_bars(struct run_result *result)
{
    most(result, "joins failed", "", result->players.joins_failed, 0);
    least(result, "tries kept", result->players.tries_kept, PLAYERS_TRIES);
}

static void far_bars(struct run_result *result)
{
    least(result, "far clients joined", result->far_joined, FAR_MAX);
}

const struct scenario scenarios[] = {
    {
        .name = "fill",
        .what = "100 clients fill what they may: half with tiny pieces, half behind a hole",
        .server = {.profile = HAIL_PROFILE_HAIL, .stall_timeout_ms = STALL_MS},
        .parts = {{"pieces-memory", 5000, FILLERS, 0}, {"behind-hole", 5000, FILLERS, 0}},
        .seconds = 8,
        .joins_per_s = 20,
        .tries = true,
        .bars = fill_bars,
    },
    {
        .name = "spoofed-hellos",
        .what = "50,000 hellos a second without a cookie, and as many with one made up",
        .server = {.profile = HAIL_PROFILE_HAIL},
        .parts = {{"hello", 50000, 0, 0}, {"made-up-cookie", 50000, 0, 0}},
        .seconds = 5,
        .joins_per_s = 40,
        .bars = hello_bars,
    },
    {
        .name = "slow-approval",
        .what = "10,000 half-open handshakes a second, while who joins waits a second for approval",
        .server = {.profile = HAIL_PROFILE_HAIL, .approve_ms = 1000},
        .parts = {{"half-open", 10000, 0, 100}},
        .seconds = 3,
        .joins_per_s = 20,
        .bars = approval_bars,
    },
    {
        .name = "long-welcomes",
        .what = "10,000 half-open handshakes a second with a server whose certificate has 10 kB",
        .server = {.profile = HAIL_PROFILE_HAIL, .is_signed = true},
        .parts = {{"half-open", 10000, 0, 250}},
        .seconds = 5,
        .joins_per_s = 20,
        .tries = true,
        .bars = welcome_bars,
    },
    {
        .name = "far-clients",
        .what = "6,000 TCP connections a second from one address, while 60 join from far away",
        .server = {.profile = HAIL_PROFILE_MLAPI, .handshakes_max = 1024},
        .parts = {{"tcp-churn", 6000, 0, 0}},
        .seconds = 4,
        .joins_per_s = 0,
        .far = true,
        .bars = far_bars,
    },
};
const size_t scenario_count = HAIL_COUNTOF(scenarios);

void scenario_wanted(struct run_wanted *wanted, const struct scenario *scenario)
{
    *wanted = (struct run_wanted){
        .name = scenario->name,
        .seconds = scenario->seconds,
        .joins_per_s = scenario->joins_per_s,
        .tries = scenario->tries,
        .far = scenario->far,
    };
    for (size_t i = 0; i < SCENARIO_ATTACKS && scenario->parts[i].attack; i++) {
        wanted->parts[i] = (struct run_part){
            .attack = attacks_find(scenario->parts[i].attack),
            .rate = scenario->parts[i].rate,
            .clients = scenario->parts[i].clients,
            .sources = scenario->parts[i].sources,
        };
        HAIL_ASSERT(wanted->parts[i].attack);
        wanted->part_count++;
    }
}
