// reconnect.h: a client's connection that was lost, and the one that takes its place.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CLIENT_RECONNECT_H
#define HAIL_ENGINE_CLIENT_RECONNECT_H

#include "engine/shard/shard.h"

enum {
    HAIL_RECONNECT_FIRST_MS = 500, // of pause, and so many more or less
    HAIL_RECONNECT_MAX_MS = 8000,
    HAIL_RECONNECT_LEAST_MS = 50 // of time that is left, or it is given up
};

// hail_reconnect_wants says whether a connection that has ended is to be made anew: it was lost, or
// was an attempt to do that and there is time for another, and nothing that time does not mend is
// in the way.
bool hail_reconnect_wants(const struct hail_shard *shard, uint32_t slot);

// hail_reconnect_wait has a slot, whose last connection hail_reconnect_wants was asked about and
// has been let go, wait for the next attempt, with the same tag.
void hail_reconnect_wait(struct hail_shard *shard, uint32_t slot);

// hail_reconnect_by returns the earlier of a deadline and the moment to give up.
uint64_t hail_reconnect_by(const struct hail_shard *shard, uint32_t slot, uint64_t deadline_ns);

#endif
