// simulation.h: a bad network as people write it: delay=25ms,jitter=5ms,loss=1%.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_SIMULATION_H
#define HAIL_TOOLS_SIMULATION_H

#include "engine/hail.h"

enum {
    SIMULATION_FAULT_LEN = 256
};

// simulation_read reads a list of KEY=VALUE, separated by commas, each at most once. Times have a
// unit (us, ms or s), shares of all datagrams a % sign; a value that the simulation cannot have to
// the last digit is refused, not rounded. `out` is set on success only. False: `fault` says what is
// wrong and what would be right, in one line.
bool simulation_read(struct hail_simulation *out, const char *text,
                     char fault[SIMULATION_FAULT_LEN]);

// simulation_way_us returns by how long one direction of it keeps a datagram at most.
uint64_t simulation_way_us(const struct hail_simulation *simulation);

#endif
