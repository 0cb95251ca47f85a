// timer.c: see timer.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/timer.h"

void hail_timers_init(struct hail_timers *timers, struct hail_arena *arena, uint32_t slot_count)
{
    *timers = (struct hail_timers){
        .heap = hail_arena_take(arena, slot_count, sizeof(struct hail_timer)),
        .place = hail_arena_take(arena, slot_count, sizeof(uint32_t)),
        .slot_count = slot_count,
    };
}

static void put(struct hail_timers *timers, uint32_t at, struct hail_timer timer)
{
    timers->heap[at] = timer;
    timers->place[timer.slot] = at + 1;
}

static void sift_up(struct hail_timers *timers, uint32_t at)
{
    struct hail_timer timer = timers->heap[at];

    while (at > 0 && timers->heap[(at - 1) / 2].deadline_ns > timer.deadline_ns) {
        put(timers, at, timers->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(timers, at, timer);
}

static void sift_down(struct hail_timers *timers, uint32_t at)
{
    struct hail_timer timer = timers->heap[at];

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count &&
            timers->heap[child + 1].deadline_ns < timers->heap[child].deadline_ns)
            child++;
        if (timers->heap[child].deadline_ns >= timer.deadline_ns)
            break;
        put(timers, at, timers->heap[child]);
        at = child;
    }
    put(timers, at, timer);
}

static void take_out(struct hail_timers *timers, uint32_t at)
{
    struct hail_timer last = timers->heap[--timers->count];

    HAIL_ASSERT(at <= timers->count);
    timers->place[timers->heap[at].slot] = 0;
    if (at == timers->count)
        return;
    put(timers, at, last);
    sift_down(timers, at);
    sift_up(timers, timers->place[last.slot] - 1);
}

void hail_timers_set(struct hail_timers *timers, uint32_t slot, uint64_t deadline_ns)
{
    HAIL_ASSERT(slot < timers->slot_count);
    if (timers->place[slot] != 0)
        take_out(timers, timers->place[slot] - 1);
    if (deadline_ns == UINT64_MAX)
        return;
    HAIL_ASSERT(timers->count < timers->slot_count);
    put(timers, timers->count, (struct hail_timer){deadline_ns, slot});
    sift_up(timers, timers->count++);
}

uint64_t hail_timers_deadline(const struct hail_timers *timers, uint32_t slot)
{
    uint32_t place = timers->place[slot];

    HAIL_ASSERT(place <= timers->count);
    HAIL_ASSERT(place == 0 || timers->heap[place - 1].slot == slot);
    return place == 0 ? UINT64_MAX : timers->heap[place - 1].deadline_ns;
}

uint64_t hail_timers_next(const struct hail_timers *timers)
{
    return timers->count == 0 ? UINT64_MAX : timers->heap[0].deadline_ns;
}

bool hail_timers_due(struct hail_timers *timers, uint64_t now_ns, uint32_t *slot)
{
    if (timers->count == 0 || timers->heap[0].deadline_ns > now_ns)
        return false;
    *slot = timers->heap[0].slot;
    HAIL_ASSERT(timers->place[*slot] == 1);
    take_out(timers, 0);
    return true;
}
