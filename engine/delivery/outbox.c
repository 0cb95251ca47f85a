// outbox.c: see outbox.h.
// SPDX-License-Identifier: MIT
#include "engine/delivery/outbox.h"

_Static_assert((int)HAIL_OUTBOX_ROOM >= (int)HAIL_PACKET_MAX, "every datagram has room");

void hail_outbox_init(struct hail_outbox *outbox, struct hail_arena *arena, uint32_t slots)
{
    outbox->max = slots + HAIL_OUTBOX_EXTRA;
    outbox->list = hail_arena_take(arena, outbox->max, sizeof(struct hail_outgoing));
    outbox->bytes = hail_arena_take(arena, outbox->max, HAIL_OUTBOX_ROOM);
    outbox->count = 0;
    outbox->read = 0;
}

uint32_t hail_outbox_add(struct hail_outbox *outbox, uint32_t slot, uint8_t protection)
{
    if (outbox->count == outbox->max)
        return HAIL_OUTGOING_NONE;
    struct hail_outgoing *outgoing = &outbox->list[outbox->count];
    outgoing->slot = slot;
    outgoing->next = HAIL_OUTGOING_NONE;
    outgoing->len = 0;
    outgoing->last = 0;
    outgoing->protection = protection;
    outgoing->parts = 0;
    outgoing->elsewhere = false;
    outgoing->given = false;
    outgoing->simulated = false;
    outgoing->alone = false;
    outgoing->sent = HAIL_SLAB_NONE;
    return outbox->count++;
}

uint8_t *hail_outbox_bytes(const struct hail_outbox *outbox, uint32_t index)
{
    return outbox->bytes + (size_t)index * HAIL_OUTBOX_ROOM;
}

uint32_t hail_outbox_next(struct hail_outbox *outbox)
{
    while (outbox->read < outbox->count) {
        if (!outbox->list[outbox->read].given)
            return outbox->read;
        outbox->read++;
    }
    return HAIL_OUTGOING_NONE;
}

void hail_outbox_clear(struct hail_outbox *outbox)
{
    if (hail_outbox_next(outbox) != HAIL_OUTGOING_NONE)
        return;
    outbox->read = 0;
    outbox->count = 0;
}
