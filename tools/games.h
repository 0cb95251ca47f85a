// games.h: haild's built-in games.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_GAMES_H
#define HAIL_TOOLS_GAMES_H

#include <stdatomic.h>

#include "tools/load/rooms.h"

// What the games could not do, for the counters at the end.
struct games {
    struct rooms rooms;               // the relay's
    _Atomic uint64_t answers_refused; // echoes and relayed messages that hail_send did not take
};

// games_echo sends back to its sender what came, as it came: messages under their name, RPCs as
// RPCs of the same method, and RPCs that want a response get their arguments back. A callback: any
// shard's thread. `user` is the struct games.
void games_echo(struct hail_endpoint *endpoint, const struct hail_event *event, void *user);

// games_relay lets clients into the room that their connection data names, and sends what comes
// from one to everybody else in its room. Polled: one thread's.
void games_relay(struct hail_endpoint *endpoint, const struct hail_event *event,
                 struct games *games);

#endif
