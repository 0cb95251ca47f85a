// recount.c: see recount.h.
// SPDX-License-Identifier: MIT
#include "tests/sim/recount.h"

uint32_t sim_recount_arrivals(struct sim *sim, const struct hail_shard *shard, uint32_t slot,
                              uint8_t channel, uint32_t *records, uint64_t *charge)
{
    uint32_t first = hail_arrivals_inlets(shard, slot)[channel].first;
    uint32_t index = first;
    uint32_t blocks = 0;

    while (index != HAIL_SLAB_NONE) {
        const struct hail_arrival *one = hail_arrivals_at(shard, index);
        blocks += one->message.blocks;
        *charge += hail_arrivals_charge(one->message.blocks, 1);
        if (hail_arrivals_find(shard, slot, channel, one->id) != index)
            sim_fail(sim, "an arrival is not found by its name");
        if (++*records > shard->native.arrivals.records.used_count) {
            sim_fail(sim, "arrivals have leaked, or a channel's ring has no end");
            return blocks;
        }
        index = one->after == first ? HAIL_SLAB_NONE : one->after;
    }
    return blocks;
}
