// sealer.c: see sealer.h.
// SPDX-License-Identifier: MIT
#include "engine/mlapi/sealer.h"

void hail_sealer_reserve(struct hail_sealer *sealer, struct hail_arena *arena)
{
    size_t size = hail_batch_size();

    sealer->memory = size > 0 ? hail_arena_take(arena, size, 1) : NULL;
}

void hail_sealer_init(struct hail_sealer *sealer)
{
    sealer->batch = sealer->memory ? hail_batch_init(sealer->memory) : NULL;
}

void hail_sealer_cleanup(struct hail_sealer *sealer)
{
    HAIL_ASSERT(sealer->count == 0);
    hail_batch_cleanup(sealer->batch);
}

bool hail_sealer_waits(const struct hail_sealer *sealer, const struct hail_mlapi_bare *message,
                       const struct hail_chain *chain, const struct hail_pool *pool, size_t framed)
{
    return sealer->batch && message->flags != 0 && hail_chain_fits(chain, pool, framed);
}

void hail_sealer_add(struct hail_sealer *sealer, const struct hail_mlapi_bare *message)
{
    HAIL_ASSERT(sealer->batch); // else nothing waits, and nothing would run it
    HAIL_ASSERT(sealer->count < HAIL_COUNTOF(sealer->waiting));
    sealer->waiting[sealer->count++] = *message;
    if (sealer->count == HAIL_COUNTOF(sealer->waiting))
        hail_sealer_run(sealer);
}

void hail_sealer_run(struct hail_sealer *sealer)
{
    hail_mlapi_protect(sealer->batch, sealer->waiting, sealer->count);
    sealer->count = 0;
}
