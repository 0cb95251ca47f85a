// inbound.c: see inbound.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/inbound.h"

#include "engine/delivery/send_messages.h"
#include "engine/shard/calls.h"
#include "engine/shard/conn.h"

enum {
    UNKNOWN_CALLS = 8 // in one packet that are answered
};

void hail_inbound_request(struct hail_shard *shard, uint32_t slot, struct hail_event_room *reserved,
                          struct hail_bytes data, uint32_t flags)
{
    HAIL_ASSERT(shard->context->is_server);
    HAIL_ASSERT(shard->conns[slot].state == HAIL_CONN_OPEN);
    if (!hail_conn_prove(shard, slot))
        return;
    hail_stat_add(&shard->stats, HAIL_STAT_REQUESTS, 1);
    if (shard->context->config.approves_all) {
        hail_conn_approve(shard, slot, NULL);
        return;
    }
    struct hail_event event = hail_event_of(shard, slot, HAIL_EVENT_REQUEST);
    event.flags = flags;
    event.data = data.data;
    event.len = data.len;
    shard->conns[slot].announced = true;
    hail_event_commit(shard, reserved, &event);
}

// The other end is told that there is no such method, where the wire has words for it; of a packet
// full of such calls, for the first ones, since an answer that has to wait costs more than a call.
static void refuse_unknown(struct hail_shard *shard, uint32_t slot,
                           const struct hail_message_view *request)
{
    const struct hail_message_view error = {
        .kind = HAIL_MESSAGE_ERROR,
        .flags = request->flags,
        .call_id = request->call_id,
        .error = HAIL_CALL_UNKNOWN,
        .channel = request->channel,
    };

    if (shard->profile->has_errors && shard->unknown_calls++ < UNKNOWN_CALLS)
        (void)!hail_conn_send(shard, slot, &error); // without room the caller's time runs out
}

// A message below a floor ends its connection, if the application wants that. A plain one does not:
// anybody could have sent it.
static void punish(struct hail_shard *shard, uint32_t slot, const struct hail_message_view *message,
                   const char *text)
{
    if (shard->context->config.native.floor_closes && message->flags != 0)
        hail_conn_end(shard, slot, HAIL_CLOSED_PROTOCOL, false, text);
}

// Whether the application takes the message; if not, it has been counted.
static bool admit(struct hail_shard *shard, uint32_t slot, struct hail_message_view *message,
                  const struct hail_handler **handler)
{
    const struct hail_context *context = shard->context;
    uint16_t index = HAIL_POLICY_NO_HANDLER;

    *handler = NULL;
    if (hail_message_answers(message->kind)) {
        if (hail_calls_settle(shard, slot, message, &message->call_id))
            return true;
        hail_shard_drop(shard, slot, HAIL_DROP_CALL);
        return false;
    }
    enum hail_verdict verdict = hail_policy_check(&context->policy, &index, message);
    if (index != HAIL_POLICY_NO_HANDLER)
        *handler = &context->handlers[index];
    if (verdict == HAIL_ACCEPT)
        return true;
    hail_shard_drop(shard, slot, verdict);
    if (verdict == HAIL_DROP_NAME && message->kind == HAIL_MESSAGE_REQUEST)
        refuse_unknown(shard, slot, message);
    if (verdict == HAIL_DROP_FLOOR && index != HAIL_POLICY_NO_HANDLER)
        atomic_fetch_add_explicit(&shard->handler_drops[index], 1, memory_order_relaxed);
    if (verdict == HAIL_DROP_FLOOR)
        punish(shard, slot, message, "a message came with less protection than its name demands");
    return false;
}

void hail_inbound_below_channel(struct hail_shard *shard, uint32_t slot,
                                const struct hail_message_view *message)
{
    hail_counter_add(&shard->channels[message->channel].below_floor, 1);
    punish(shard, slot, message, "a message came with less protection than its channel demands");
}

static enum hail_status status_of(const struct hail_message_view *message)
{
    if (message->kind != HAIL_MESSAGE_ERROR)
        return HAIL_OK;
    switch (message->error) {
    case HAIL_CALL_UNKNOWN:
        return HAIL_EUNKNOWN;
    case HAIL_CALL_ARGUMENTS:
        return HAIL_EARGUMENTS;
    default:
        return HAIL_EREFUSED;
    }
}

bool hail_inbound_message(struct hail_shard *shard, uint32_t slot,
                          const struct hail_message_view *came, struct hail_event *event)
{
    struct hail_message_view own = *came; // a response's id becomes the application's
    struct hail_message_view *message = &own;
    const struct hail_handler *handler;

    // A frame has room for the longest form of message_max bytes, so other forms can bring more.
    if (message->body_len > shard->context->config.message_max) {
        hail_shard_drop(shard, slot, HAIL_DROP_TOO_LARGE);
        return false;
    }
    if (!admit(shard, slot, message, &handler))
        return false;
    enum hail_event_type type =
        hail_message_answers(message->kind)   ? HAIL_EVENT_RESPONSE
        : message->kind == HAIL_MESSAGE_SCENE ? HAIL_EVENT_SCENE
        : message->kind == HAIL_MESSAGE_CALL || message->kind == HAIL_MESSAGE_REQUEST
            ? HAIL_EVENT_CALL
            : HAIL_EVENT_MESSAGE;
    *event = hail_event_of(shard, slot, type);
    event->flags = message->flags;
    event->data = message->body;
    event->len = message->body_len;
    event->handler = handler;
    event->named = message->kind == HAIL_MESSAGE_NAMED;
    event->wants_response = message->kind == HAIL_MESSAGE_REQUEST;
    event->behaviour = message->behaviour;
    event->name_hash = message->name_hash;
    event->network_id = message->network_id;
    event->call_id = message->call_id;
    event->status = status_of(message);
    event->channel = message->channel;
    event->scene_type = message->scene_type;
    hail_shard_message(shard, slot, message, true);
    return true;
}

bool hail_inbound_connected(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_event_room reserved;

    HAIL_ASSERT(conn->connected_pending); // it is told once
    HAIL_ASSERT(conn->joined);
    if (!hail_event_reserve(shard, &reserved, 0))
        return false;
    struct hail_event event = hail_event_of(shard, slot, HAIL_EVENT_CONNECTED);
    event.resumed = conn->resumed;
    event.client_id = conn->client_id;
    conn->connected_pending = false;
    conn->announced = true;
    hail_event_commit(shard, &reserved, &event);
    return true;
}

bool hail_inbound_writable(struct hail_shard *shard, uint32_t slot)
{
    struct hail_event_room reserved;

    if (!hail_event_reserve(shard, &reserved, 0))
        return false;
    struct hail_event event = hail_event_of(shard, slot, HAIL_EVENT_WRITABLE);
    hail_send_messages_told(&shard->delivery, slot); // first: he may fill it at once
    hail_event_commit(shard, &reserved, &event);
    return true;
}
