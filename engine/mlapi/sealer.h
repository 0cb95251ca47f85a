// sealer.h: mlapi: messages are queued as they are sent, and protected where they lie in the queue
// before the backend sees it: those of a turn together, whatever connections they are for.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MLAPI_SEALER_H
#define HAIL_ENGINE_MLAPI_SEALER_H

#include "engine/memory/arena.h"
#include "engine/memory/pool.h"
#include "proto/mlapi/packer.h"

struct hail_sealer {
    void *memory;             // of the lanes
    struct hail_batch *batch; // NULL: there are none, so nothing ever waits
    size_t count;
    struct hail_mlapi_bare waiting[HAIL_BATCH_MAX];
};

// hail_sealer_reserve takes the memory for lanes; without it nothing ever waits.
// hail_sealer_init makes them.
void hail_sealer_reserve(struct hail_sealer *sealer, struct hail_arena *arena);
void hail_sealer_init(struct hail_sealer *sealer);

// hail_sealer_cleanup wipes. Nothing waits.
void hail_sealer_cleanup(struct hail_sealer *sealer);

// hail_sealer_waits says whether a message may wait that is about to be appended to `chain`,
// `framed` bytes with its frame. Otherwise it is protected before.
bool hail_sealer_waits(const struct hail_sealer *sealer, const struct hail_mlapi_bare *message,
                       const struct hail_chain *chain, const struct hail_pool *pool, size_t framed);

// hail_sealer_add takes a message whose buffer is where it lies in its queue now.
void hail_sealer_add(struct hail_sealer *sealer, const struct hail_mlapi_bare *message);

// hail_sealer_run protects all that wait. It comes before anything is sent, and before a queue or
// key is given up.
void hail_sealer_run(struct hail_sealer *sealer);

#endif
