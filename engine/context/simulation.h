// simulation.h: whether what an application asks of a simulated network can be had.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CONTEXT_SIMULATION_H
#define HAIL_ENGINE_CONTEXT_SIMULATION_H

#include "engine/hail.h"

// hail_simulation_check says whether a simulation's fields are within their ranges.
bool hail_simulation_check(const struct hail_simulation *how);

#endif
