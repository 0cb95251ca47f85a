// events.h: telling the application, by callback or through the queue of events. Room is reserved
// before a message is opened, so that no event can be lost for lack of it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_EVENTS_H
#define HAIL_ENGINE_SHARD_EVENTS_H

#include "engine/shard/state.h"

// Room for one event. With callbacks there is nothing to reserve.
struct hail_event_room {
    void *record;
};

// hail_event_reserve gets room for an event whose data and text have `len` bytes at most. False:
// the application is behind; hold what you have, and the shard will be woken.
HAIL_MUST_USE bool hail_event_reserve(struct hail_shard *shard, struct hail_event_room *reserved,
                                      size_t len);

// hail_event_commit tells the application. `event` and what it points to are copied; conn, tag
// and type are the caller's to fill in (hail_event_of).
void hail_event_commit(struct hail_shard *shard, struct hail_event_room *reserved,
                       const struct hail_event *event);

// hail_event_abandon gives the room back.
void hail_event_abandon(struct hail_event_room *reserved);

// hail_event_of returns an event about a connection, for the caller to complete.
struct hail_event hail_event_of(const struct hail_shard *shard, uint32_t slot,
                                enum hail_event_type type);

#endif
