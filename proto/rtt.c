// rtt.c: see rtt.h.
// SPDX-License-Identifier: MIT
#include "proto/rtt.h"
#include "crypto/time.h"

static uint64_t at_least_granularity(uint64_t ns)
{
    uint64_t least = HAIL_RTT_GRANULARITY_MS * HAIL_NS_PER_MS;

    return ns < least ? least : ns;
}

void hail_rtt_init(struct hail_rtt *rtt)
{
    *rtt = (struct hail_rtt){
        .smoothed = HAIL_RTT_INITIAL_MS * HAIL_NS_PER_MS,
        .variation = HAIL_RTT_INITIAL_MS * HAIL_NS_PER_MS / 2,
    };
}

void hail_rtt_sample(struct hail_rtt *rtt, uint64_t taken_ns, uint64_t delay_ns)
{
    bool is_first = rtt->latest == 0;

    rtt->latest = taken_ns > 0 ? taken_ns : 1;
    if (is_first) {
        rtt->least = rtt->latest;
        rtt->smoothed = rtt->latest;
        rtt->variation = rtt->latest / 2;
        return;
    }
    if (rtt->latest < rtt->least)
        rtt->least = rtt->latest;
    uint64_t adjusted = rtt->latest;
    if (adjusted >= rtt->least + delay_ns) // what it says it waited cannot be more than there is
        adjusted -= delay_ns;
    uint64_t off = rtt->smoothed > adjusted ? rtt->smoothed - adjusted : adjusted - rtt->smoothed;
    rtt->variation = (3 * rtt->variation + off) / 4;
    rtt->smoothed = (7 * rtt->smoothed + adjusted) / 8;
}

uint64_t hail_rtt_probe_ns(const struct hail_rtt *rtt, uint64_t delay_max_ns)
{
    return rtt->smoothed + at_least_granularity(4 * rtt->variation) + delay_max_ns;
}

uint64_t hail_rtt_loss_ns(const struct hail_rtt *rtt)
{
    uint64_t longer = rtt->latest > rtt->smoothed ? rtt->latest : rtt->smoothed;

    return at_least_granularity(longer + longer / 8);
}
