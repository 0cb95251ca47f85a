// calls.c: see calls.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/calls.h"

#include "crypto/time.h"
#include "engine/shard/events.h"

static struct hail_open_call *calls_of(const struct hail_shard *shard, uint32_t slot)
{
    return shard->calls + (size_t)slot * shard->context->config.calls_max;
}

void hail_calls_begin(struct hail_shard *shard, uint32_t slot)
{
    // Only where one is left over: memory that was never written takes no room.
    for (uint32_t i = 0; i < shard->context->config.calls_max; i++) {
        if (calls_of(shard, slot)[i].used)
            calls_of(shard, slot)[i].used = false;
    }
    shard->conns[slot].calls_ns = UINT64_MAX;
}

enum hail_status hail_calls_open(struct hail_shard *shard, uint32_t slot,
                                 const struct hail_message_view *view, uint32_t timeout_ms,
                                 struct hail_open_call **opened)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_open_call *calls = calls_of(shard, slot);
    struct hail_open_call *place = NULL;

    for (uint32_t i = 0; i < shard->context->config.calls_max; i++) {
        if (!calls[i].used && !place)
            place = &calls[i];
        if (calls[i].used && calls[i].id == view->call_id)
            return HAIL_EINVAL;
    }
    if (!place)
        return HAIL_EFULL;
    if (timeout_ms == 0)
        timeout_ms = shard->context->config.call_timeout_ms;
    HAIL_ASSERT(timeout_ms > 0);
    *place = (struct hail_open_call){
        .id = view->call_id,
        .wire_id = ++conn->calls_made,
        .due_ns = shard->now_ns + timeout_ms * HAIL_NS_PER_MS,
        .flags = view->flags,
        .used = true,
    };
    if (place->due_ns < conn->calls_ns)
        conn->calls_ns = place->due_ns;
    *opened = place;
    return HAIL_OK;
}

bool hail_calls_settle(struct hail_shard *shard, uint32_t slot,
                       const struct hail_message_view *response, uint64_t *id)
{
    struct hail_open_call *calls = calls_of(shard, slot);

    for (uint32_t i = 0; i < shard->context->config.calls_max; i++) {
        if (!calls[i].used || calls[i].wire_id != response->call_id)
            continue;
        if ((response->flags & calls[i].flags) != calls[i].flags)
            return false;
        calls[i].used = false;
        *id = calls[i].id;
        return true;
    }
    return false;
}

static uint64_t earliest(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_open_call *calls = calls_of(shard, slot);
    uint64_t next = UINT64_MAX;

    for (uint32_t i = 0; i < shard->context->config.calls_max; i++) {
        if (calls[i].used && calls[i].due_ns < next)
            next = calls[i].due_ns;
    }
    return next;
}

void hail_calls_due(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_open_call *calls = calls_of(shard, slot);

    for (uint32_t i = 0; i < shard->context->config.calls_max && conn->state == HAIL_CONN_OPEN;
         i++) {
        struct hail_event_room reserved;
        if (!calls[i].used || calls[i].due_ns > shard->now_ns)
            continue;
        if (!hail_event_reserve(shard, &reserved, 0)) {
            hail_stat_add(&shard->stats, HAIL_STAT_EVENTS_HELD, 1);
            hail_queue_push(&shard->held, slot); // which comes back here
            conn->calls_ns = UINT64_MAX;
            return;
        }
        struct hail_event event = hail_event_of(shard, slot, HAIL_EVENT_RESPONSE);
        event.status = HAIL_ETIMEOUT;
        event.call_id = calls[i].id;
        calls[i].used = false;
        hail_stat_add(&shard->stats, HAIL_STAT_CALLS_TIMED_OUT, 1);
        hail_event_commit(shard, &reserved, &event);
    }
    conn->calls_ns = earliest(shard, slot);
}
