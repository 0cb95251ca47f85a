// handshake_queue.h: handshake datagrams that wait their turn: what they ask for is costly, so
// those who play are served first. First come, first served; bounded.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_HANDSHAKE_HANDSHAKE_QUEUE_H
#define HAIL_ENGINE_HANDSHAKE_HANDSHAKE_QUEUE_H

#include "engine/memory/arena.h"
#include "proto/datagram.h"
#include "proto/path.h"

enum {
    HAIL_HANDSHAKE_QUEUE_MAX = 1024
};

struct hail_queued_handshake {
    struct hail_path from;
    uint16_t len;
    uint8_t data[HAIL_DATAGRAM_MAX];
};

struct hail_handshake_queue {
    struct hail_queued_handshake *list; // a ring
    uint32_t first;
    uint32_t count;
};

// hail_handshake_queue_init takes the memory from `arena`; of a shard that greets nobody, none.
void hail_handshake_queue_init(struct hail_handshake_queue *queue, struct hail_arena *arena,
                               bool greets);

// hail_handshake_queue_cleanup wipes what those who wait have said. The zero state is allowed.
void hail_handshake_queue_cleanup(struct hail_handshake_queue *queue);

// hail_handshake_queue_add has a datagram wait. False: there is no room.
HAIL_MUST_USE bool hail_handshake_queue_add(struct hail_handshake_queue *queue,
                                            const struct hail_path *from, const uint8_t *data,
                                            size_t len);

// hail_handshake_queue_next returns who has waited longest; NULL: nobody waits. It holds until the
// next hail_handshake_queue_add.
struct hail_queued_handshake *hail_handshake_queue_next(struct hail_handshake_queue *queue);

#endif
