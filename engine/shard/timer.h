// timer.h: at most one deadline for each slot, the earliest at hand: a binary heap with a way back
// from a slot to its place. Connections move their deadlines lazily (they are looked at when they
// ring), so the heap is touched a few times in a connection's life, not once a message.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_TIMER_H
#define HAIL_ENGINE_SHARD_TIMER_H

#include "engine/memory/arena.h"

struct hail_timer {
    uint64_t deadline_ns;
    uint32_t slot;
};

struct hail_timers {
    struct hail_timer *heap;
    uint32_t *place; // of a slot in the heap, plus 1; 0: not set
    uint32_t count;
    uint32_t slot_count;
};

void hail_timers_init(struct hail_timers *timers, struct hail_arena *arena, uint32_t slot_count);

// hail_timers_set sets or moves a slot's deadline; UINT64_MAX takes it away.
void hail_timers_set(struct hail_timers *timers, uint32_t slot, uint64_t deadline_ns);

// hail_timers_deadline returns a slot's deadline, or UINT64_MAX.
uint64_t hail_timers_deadline(const struct hail_timers *timers, uint32_t slot);

// hail_timers_next returns the earliest deadline of all, or UINT64_MAX.
uint64_t hail_timers_next(const struct hail_timers *timers);

// hail_timers_due takes out a slot whose deadline is at or before `now_ns`; false: there is none.
HAIL_MUST_USE bool hail_timers_due(struct hail_timers *timers, uint64_t now_ns, uint32_t *slot);

#endif
