// handshake_queue.c: see handshake_queue.h.
// SPDX-License-Identifier: MIT
#include "engine/handshake/handshake_queue.h"

#include <string.h>

#include "crypto/secret.h"

void hail_handshake_queue_init(struct hail_handshake_queue *queue, struct hail_arena *arena,
                               bool greets)
{
    queue->list = hail_arena_take(arena, greets ? HAIL_HANDSHAKE_QUEUE_MAX : 0,
                                  sizeof(struct hail_queued_handshake));
    queue->first = 0;
    queue->count = 0;
}

void hail_handshake_queue_cleanup(struct hail_handshake_queue *queue)
{
    struct hail_queued_handshake *queued;

    while ((queued = hail_handshake_queue_next(queue)))
        hail_wipe(queued->data, queued->len);
}

bool hail_handshake_queue_add(struct hail_handshake_queue *queue, const struct hail_path *from,
                              const uint8_t *data, size_t len)
{
    if (queue->count == HAIL_HANDSHAKE_QUEUE_MAX)
        return false;
    HAIL_ASSERT(len <= HAIL_DATAGRAM_MAX);
    if (queue->count == 0)
        queue->first = 0; // so that the rest of the ring stays untouched, and takes no memory
    struct hail_queued_handshake *queued =
        &queue->list[(queue->first + queue->count++) % HAIL_HANDSHAKE_QUEUE_MAX];
    queued->from = *from;
    queued->len = (uint16_t)len;
    memcpy(queued->data, data, len);
    return true;
}

struct hail_queued_handshake *hail_handshake_queue_next(struct hail_handshake_queue *queue)
{
    if (queue->count == 0)
        return NULL;
    struct hail_queued_handshake *queued = &queue->list[queue->first];
    HAIL_ASSERT(queue->count <= HAIL_HANDSHAKE_QUEUE_MAX);
    queue->first = (queue->first + 1) % HAIL_HANDSHAKE_QUEUE_MAX;
    queue->count--;
    return queued;
}
