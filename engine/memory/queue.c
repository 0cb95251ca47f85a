// queue.c: see queue.h.
// SPDX-License-Identifier: MIT
#include "engine/memory/queue.h"

void hail_queue_init(struct hail_queue *queue, struct hail_arena *arena, uint32_t slot_count)
{
    *queue = (struct hail_queue){
        .slots = hail_arena_take(arena, slot_count, sizeof(uint32_t)),
        .waiting = hail_arena_take(arena, slot_count, sizeof(bool)),
        .slot_count = slot_count,
    };
}

void hail_queue_push(struct hail_queue *queue, uint32_t slot)
{
    HAIL_ASSERT(slot < queue->slot_count);
    if (queue->waiting[slot])
        return;
    HAIL_ASSERT(queue->count < queue->slot_count);
    uint32_t at = queue->first + queue->count;
    queue->slots[at < queue->slot_count ? at : at - queue->slot_count] = slot;
    queue->waiting[slot] = true;
    queue->count++;
}

bool hail_queue_pop(struct hail_queue *queue, uint32_t *slot)
{
    if (queue->count == 0)
        return false;
    *slot = queue->slots[queue->first];
    HAIL_ASSERT(queue->waiting[*slot]);
    queue->waiting[*slot] = false;
    queue->count--;
    queue->first = queue->first + 1 < queue->slot_count ? queue->first + 1 : 0;
    return true;
}
