// recount.h: what a shard keeps, counted anew from what refers to it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_SIM_RECOUNT_H
#define HAIL_TESTS_SIM_RECOUNT_H

#include "tests/sim/sim.h"

// sim_recount_arrivals returns the blocks of what one channel of a connection has received in part
// or before its turn, and fails what is not found by its name. `*records` grows by how many there
// are, `*charge` by what they count as.
uint32_t sim_recount_arrivals(struct sim *sim, const struct hail_shard *shard, uint32_t slot,
                              uint8_t channel, uint32_t *records, uint64_t *charge);

#endif
