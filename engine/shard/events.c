// events.c: see events.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/events.h"

#include <string.h>
#include <unistd.h>

static void wake_poller(struct hail_shard *shard)
{
    uint64_t one = 1;

    if (!hail_mailbox_wake(&shard->shared->events))
        return;
    ssize_t written = write(shard->context->events_fd, &one, sizeof one);
    HAIL_ASSERT(written == sizeof one); // an eventfd whose reader is never 2^64 behind
}

bool hail_event_reserve(struct hail_shard *shard, struct hail_event_room *reserved, size_t len)
{
    reserved->record = NULL;
    if (shard->context->config.on_event)
        return true;

    struct hail_mailbox *events = &shard->shared->events;
    reserved->record = hail_mailbox_reserve(events, sizeof(struct hail_event) + len);
    if (reserved->record)
        return true;

    // Say that we wait, then look again; hail_poll makes room, then looks for waiters. Whichever
    // exchange comes second sees what was done before the first.
    atomic_exchange_explicit(&shard->wants_room, true, memory_order_acq_rel);
    reserved->record = hail_mailbox_reserve(events, sizeof(struct hail_event) + len);
    // What is in the way may be records that were given up, which nobody was woken for.
    if (!reserved->record)
        wake_poller(shard);
    return reserved->record != NULL;
}

static void put_in_queue(struct hail_shard *shard, void *record, const struct hail_event *event)
{
    struct hail_event *own = record;
    uint8_t *tail = (uint8_t *)(own + 1);

    HAIL_ASSERT(event->len == 0 || event->data);
    *own = *event;
    if (event->len > 0) {
        hail_meter_copy(tail, event->data, event->len);
        own->data = tail;
    }
    if (event->text) {
        memcpy(tail + event->len, event->text, strlen(event->text) + 1);
        own->text = (char *)tail + event->len;
    }
    hail_mailbox_commit(record);
    wake_poller(shard);
}

void hail_event_commit(struct hail_shard *shard, struct hail_event_room *reserved,
                       const struct hail_event *event)
{
    const struct hail_context *context = shard->context;

    if (reserved->record) {
        put_in_queue(shard, reserved->record, event);
        reserved->record = NULL;
        return;
    }
    HAIL_ASSERT(context->config.on_event); // else there was no room, and it would be lost
    if (event->handler && event->handler->on_event)
        event->handler->on_event(context->endpoint, event, event->handler->user);
    else
        context->config.on_event(context->endpoint, event, context->config.user);
}

void hail_event_abandon(struct hail_event_room *reserved)
{
    if (reserved->record)
        hail_mailbox_abandon(reserved->record);
    reserved->record = NULL;
}

struct hail_event hail_event_of(const struct hail_shard *shard, uint32_t slot,
                                enum hail_event_type type)
{
    return (struct hail_event){
        .type = type,
        .conn = hail_table_name(&shard->table, slot),
        .tag = shard->conns[slot].tag,
    };
}
