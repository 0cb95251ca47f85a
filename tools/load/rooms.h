// rooms.h: who is in which room, for the relay. Rooms are named by their members' connection data,
// and are there as long as somebody is in them. One thread's.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_ROOMS_H
#define HAIL_TOOLS_LOAD_ROOMS_H

#include "engine/hail.h"

struct room {
    uint8_t *name;
    size_t name_len;
    struct hail_conn *members;
    size_t member_count;
    size_t capacity;
};

struct rooms {
    void *tree; // of rooms by name
    size_t room_count;
};

// rooms_join puts a connection into the room of that name, making it if it is not there. Returns
// NULL when memory is short.
struct room *rooms_join(struct rooms *rooms, const void *name, size_t name_len,
                        struct hail_conn conn);

// rooms_leave takes a connection out; an empty room ends, and `room` with it.
void rooms_leave(struct rooms *rooms, struct room *room, struct hail_conn conn);

// rooms_forget takes a connection out of whichever room it is in. Cost: looks through all of them.
void rooms_forget(struct rooms *rooms, struct hail_conn conn);

// rooms_others returns everybody in the room but `conn`, in any order, valid until somebody joins
// or leaves.
const struct hail_conn *rooms_others(struct room *room, struct hail_conn conn, size_t *count);

void rooms_cleanup(struct rooms *rooms);

#endif
