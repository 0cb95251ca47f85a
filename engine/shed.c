// shed.c: see shed.h.
// SPDX-License-Identifier: MIT
#include "engine/shed.h"

void hail_shed_count(struct hail_shed *shed)
{
    shed->count++;
}

void hail_shed_turn(struct hail_shed *shed, uint64_t now_ns)
{
    if (now_ns < shed->until_ns)
        return;
    // As many as have come through, and those that were thrown away beside them. A window that was
    // slept through was a quiet one.
    uint64_t offered = ((uint64_t)shed->count << 32) / ((uint64_t)shed->admits + 1);
    uint64_t admits = offered <= HAIL_SHED_PER_WINDOW
                          ? HAIL_SHED_NONE
                          : ((uint64_t)HAIL_SHED_PER_WINDOW << 32) / offered - 1;

    // Chance alone moves it a little: that is not worth a system call.
    uint64_t change = admits > shed->admits ? admits - shed->admits : shed->admits - admits;
    if (change > shed->admits / 8 || admits == HAIL_SHED_NONE)
        shed->admits = (uint32_t)admits;
    shed->count = 0;
    shed->until_ns = now_ns + HAIL_SHED_WINDOW_MS * UINT64_C(1000000);
}

uint64_t hail_shed_next_ns(const struct hail_shed *shed)
{
    return shed->admits == HAIL_SHED_NONE ? UINT64_MAX : shed->until_ns;
}
