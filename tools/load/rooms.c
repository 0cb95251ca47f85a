// rooms.c: see rooms.h.
// SPDX-License-Identifier: MIT
#include "tools/load/rooms.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const struct room *one = a;
    const struct room *other = b;

    if (one->name_len != other->name_len)
        return one->name_len < other->name_len ? -1 : 1;
    for (size_t i = 0; i < one->name_len; i++) {
        if (one->name[i] != other->name[i])
            return one->name[i] < other->name[i] ? -1 : 1;
    }
    return 0;
}

static void free_room(void *room_pointer)
{
    struct room *room = room_pointer;

    free(room->name);
    free(room->members);
    free(room);
}

static struct room *make(struct rooms *rooms, const void *name, size_t name_len)
{
    struct room *room = calloc(1, sizeof *room);

    if (!room)
        return NULL;
    room->name = malloc(name_len + 1);
    room->name_len = name_len;
    if (room->name && name_len > 0)
        memcpy(room->name, name, name_len);
    if (!room->name || !tsearch(room, &rooms->tree, compare)) {
        free_room(room);
        return NULL;
    }
    rooms->room_count++;
    return room;
}

static void end_if_empty(struct rooms *rooms, struct room *room)
{
    if (room->member_count > 0)
        return;
    tdelete(room, &rooms->tree, compare);
    rooms->room_count--;
    free_room(room);
}

struct room *rooms_join(struct rooms *rooms, const void *name, size_t name_len,
                        struct hail_conn conn)
{
    const struct room wanted = {.name = (uint8_t *)(uintptr_t)name, .name_len = name_len};
    struct room **found = tfind(&wanted, &rooms->tree, compare);
    struct room *room = found ? *found : make(rooms, name, name_len);

    if (!room)
        return NULL;
    if (room->member_count == room->capacity) {
        size_t capacity = room->capacity ? 2 * room->capacity : 8;
        struct hail_conn *members = realloc(room->members, capacity * sizeof *members);
        if (!members) {
            end_if_empty(rooms, room);
            return NULL;
        }
        room->members = members;
        room->capacity = capacity;
    }
    room->members[room->member_count++] = conn;
    return room;
}

// Moves a member to the end; false: it is not in the room.
static bool move_last(struct room *room, struct hail_conn conn)
{
    for (size_t i = 0; i < room->member_count; i++) {
        if (room->members[i].id != conn.id)
            continue;
        room->members[i] = room->members[room->member_count - 1];
        room->members[room->member_count - 1] = conn;
        return true;
    }
    return false;
}

void rooms_leave(struct rooms *rooms, struct room *room, struct hail_conn conn)
{
    if (!move_last(room, conn))
        return;
    room->member_count--;
    end_if_empty(rooms, room);
}

// What rooms_forget looks for and finds.
struct search {
    struct hail_conn conn;
    struct room *found;
};

static void look(const void *node, VISIT visit, void *search_pointer)
{
    struct room *room = *(struct room *const *)node;
    struct search *search = search_pointer;

    if ((visit == postorder || visit == leaf) && !search->found && move_last(room, search->conn))
        search->found = room;
}

void rooms_forget(struct rooms *rooms, struct hail_conn conn)
{
    struct search search = {.conn = conn};

    twalk_r(rooms->tree, look, &search);
    if (search.found)
        rooms_leave(rooms, search.found, conn);
}

const struct hail_conn *rooms_others(struct room *room, struct hail_conn conn, size_t *count)
{
    *count = room->member_count - (move_last(room, conn) ? 1 : 0);
    return room->members;
}

void rooms_cleanup(struct rooms *rooms)
{
    tdestroy(rooms->tree, free_room);
    *rooms = (struct rooms){0};
}
