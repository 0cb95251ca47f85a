// reconnect.h: whether and when a client's connection that was lost is made anew.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CLIENT_RECONNECT_H
#define HAIL_ENGINE_CLIENT_RECONNECT_H

#include "crypto/base.h"
#include "engine/client/target.h"
#include "engine/hail.h"

enum {
    HAIL_RECONNECT_FIRST_MS = 500, // of pause, and so many more or less
    HAIL_RECONNECT_MAX_MS = 8000,
    HAIL_RECONNECT_LEAST_MS = 50 // of time that is left, or it is given up
};

// How a connection ended.
struct hail_reconnect_end {
    enum hail_close_reason reason;
    bool server_gone; // the server goes down, or is full
    bool joined;
    bool again; // it was an attempt to take the place of one that was lost
};

// hail_reconnect_wants says whether a connection to `target` that has ended is to be made anew: it
// was lost, or was an attempt to do that and there is time for another, and nothing that time does
// not mend is in the way.
bool hail_reconnect_wants(const struct hail_shard_target *target,
                          const struct hail_reconnect_end *end, uint64_t now_ns);

// hail_reconnect_plan sets when the next attempt is. `lost`: it is the first.
void hail_reconnect_plan(struct hail_shard_target *target, bool lost, uint32_t dice,
                         uint64_t now_ns);

// hail_reconnect_by returns the earlier of a deadline and the moment to give up.
uint64_t hail_reconnect_by(const struct hail_shard_target *target, uint64_t deadline_ns);

#endif
