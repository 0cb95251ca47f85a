// lobby.h: handshake datagrams that wait their turn: what they ask for is costly, so those who play
// are served first. First come, first served; bounded.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_LOBBY_H
#define HAIL_ENGINE_LOBBY_H

#include "engine/arena.h"
#include "proto/address.h"
#include "proto/datagram.h"

enum {
    HAIL_LOBBY_MAX = 1024
};

struct hail_guest {
    struct hail_address from;
    uint16_t len;
    uint8_t data[HAIL_DATAGRAM_MAX];
};

struct hail_lobby {
    struct hail_guest *guests; // a ring
    uint32_t first;
    uint32_t count;
};

// hail_lobby_init takes the memory from `arena`; of a shard that greets nobody, none.
void hail_lobby_init(struct hail_lobby *lobby, struct hail_arena *arena, bool greets);

// hail_lobby_cleanup wipes what those who wait have said. The zero state is allowed.
void hail_lobby_cleanup(struct hail_lobby *lobby);

// hail_lobby_add has a datagram wait. False: there is no room.
HAIL_MUST_USE bool hail_lobby_add(struct hail_lobby *lobby, const struct hail_address *from,
                                  const uint8_t *data, size_t len);

// hail_lobby_next returns who has waited longest; NULL: nobody waits. It holds until the next
// hail_lobby_add.
struct hail_guest *hail_lobby_next(struct hail_lobby *lobby);

#endif
