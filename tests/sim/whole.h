// whole.h: what a shard keeps in more than one place agrees: slots and their names, blocks and who
// has them, what each connection holds, handshakes and their lists.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_SIM_WHOLE_H
#define HAIL_TESTS_SIM_WHOLE_H

#include "tests/sim/sim.h"

// sim_whole_check counts again, and says with sim_fail what does not agree. Between two turns.
void sim_whole_check(struct sim *sim, const struct hail_shard *shard);

#endif
