// games.c: see games.h.
// SPDX-License-Identifier: MIT
#include "tools/games.h"

static struct hail_message message_of(const struct hail_event *event)
{
    return (struct hail_message){
        .data = event->data,
        .len = event->len,
        .flags = event->flags,
        .channel = event->channel,
        .named = event->named,
        .name_hash = event->name_hash,
    };
}

static struct hail_rpc call_of(const struct hail_event *event)
{
    return (struct hail_rpc){
        .network_id = event->network_id,
        .behaviour = event->behaviour,
        .name_hash = event->name_hash,
        .args = event->data,
        .len = event->len,
        .flags = event->flags,
        .channel = event->channel,
    };
}

static void count(struct games *games, enum hail_status status)
{
    // A connection that has ended meanwhile needs no answer.
    if (status != HAIL_OK && status != HAIL_EGONE)
        atomic_fetch_add_explicit(&games->answers_refused, 1, memory_order_relaxed);
}

void games_echo(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct games *games = user;

    if (event->type == HAIL_EVENT_REQUEST) {
        count(games, hail_approve(endpoint, event->conn, 0));
    } else if (event->type == HAIL_EVENT_MESSAGE) {
        const struct hail_message message = message_of(event);
        count(games, hail_send(endpoint, event->conn, &message));
    } else if (event->type == HAIL_EVENT_CALL && event->wants_response) {
        const struct hail_response response = {.call_id = event->call_id,
                                               .flags = event->flags,
                                               .channel = event->channel,
                                               .result = event->data,
                                               .len = event->len};
        count(games, hail_respond(endpoint, event->conn, &response));
    } else if (event->type == HAIL_EVENT_CALL) {
        const struct hail_rpc call = call_of(event);
        count(games, hail_call(endpoint, event->conn, &call));
    }
}

static void relay_join(struct hail_endpoint *endpoint, const struct hail_event *event,
                       struct games *games)
{
    struct room *room = rooms_join(&games->rooms, event->data, event->len, event->conn);

    if (!room)
        count(games, hail_deny(endpoint, event->conn, "no memory for another room"));
    else if (hail_approve(endpoint, event->conn, (uint64_t)(uintptr_t)room) != HAIL_OK)
        rooms_leave(&games->rooms, room, event->conn);
}

static void relay(struct hail_endpoint *endpoint, const struct hail_event *event,
                  struct games *games)
{
    struct room *room = (struct room *)(uintptr_t)event->tag;
    size_t other_count;
    const struct hail_conn *others = rooms_others(room, event->conn, &other_count);

    if (event->type == HAIL_EVENT_MESSAGE) {
        const struct hail_message message = message_of(event);
        count(games, hail_send_many(endpoint, others, other_count, &message, NULL));
        return;
    }
    const struct hail_rpc call = call_of(event);
    for (size_t i = 0; i < other_count; i++)
        count(games, hail_call(endpoint, others[i], &call));
}

void games_relay(struct hail_endpoint *endpoint, const struct hail_event *event,
                 struct games *games)
{
    switch (event->type) {
    case HAIL_EVENT_REQUEST:
        relay_join(endpoint, event, games);
        return;
    case HAIL_EVENT_MESSAGE:
        relay(endpoint, event, games);
        return;
    case HAIL_EVENT_CALL:
        if (!event->wants_response)
            relay(endpoint, event, games);
        else // nobody can give it: it times out at the caller
            count(games, HAIL_ESTATE);
        return;
    case HAIL_EVENT_CLOSED:
        if (event->tag != 0)
            rooms_leave(&games->rooms, (struct room *)(uintptr_t)event->tag, event->conn);
        else // it went before the approval, which brings the tag, could take effect
            rooms_forget(&games->rooms, event->conn);
        return;
    case HAIL_EVENT_CONNECTED:
    case HAIL_EVENT_RESPONSE:
    case HAIL_EVENT_WRITABLE:
    case HAIL_EVENT_SCENE: // a server's to answer, not another client's
        return;
    }
}
