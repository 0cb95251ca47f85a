// queue.h: a first-in first-out queue of slots, in which a slot stands at most once.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MEMORY_QUEUE_H
#define HAIL_ENGINE_MEMORY_QUEUE_H

#include "engine/memory/arena.h"

struct hail_queue {
    uint32_t *slots;
    bool *waiting; // of each slot: it stands in the queue
    uint32_t slot_count;
    uint32_t first;
    uint32_t count;
};

void hail_queue_init(struct hail_queue *queue, struct hail_arena *arena, uint32_t slot_count);

// hail_queue_push adds a slot at the end, unless it stands in the queue already.
void hail_queue_push(struct hail_queue *queue, uint32_t slot);

// hail_queue_pop takes the first slot; false: the queue is empty.
HAIL_MUST_USE bool hail_queue_pop(struct hail_queue *queue, uint32_t *slot);

#endif
