// flights.h: the records of a connection's packets under way, which its sender makes and its
// recovery settles. SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_FLIGHTS_H
#define HAIL_ENGINE_FLIGHTS_H

#include "engine/shard.h"

static inline struct hail_sender *hail_sender_of(const struct hail_shard *shard, uint32_t slot)
{
    return &shard->native.conns[slot].sender;
}

static inline struct hail_range *hail_range_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native.ranges, index);
}

static inline struct hail_flight *hail_flight_at(const struct hail_shard *shard, uint32_t index)
{
    return hail_slab_at(&shard->native.flights, index);
}

// hail_flights_allowed says whether a connection may have one more packet under way that is looked
// after: of FLIGHTS_PER_SLOT it is sure, of the others it has a share. hail_flights_take returns a
// record for one; HAIL_SLAB_NONE: it may not. hail_flights_free gives it back.
HAIL_MUST_USE bool hail_flights_allowed(const struct hail_shard *shard, uint32_t slot);
uint32_t hail_flights_take(struct hail_shard *shard, uint32_t slot);
void hail_flights_free(struct hail_shard *shard, uint32_t slot, uint32_t index);

// hail_flights_lose has what a flight carried be sent again.
void hail_flights_lose(struct hail_shard *shard, struct hail_sender *sender,
                       struct hail_flight *flight);

// hail_flights_is_older says whether the bytes of range `a` are to arrive before those of `b`.
HAIL_MUST_USE bool hail_flights_is_older(const struct hail_shard *shard, uint32_t a, uint32_t b);

#endif
