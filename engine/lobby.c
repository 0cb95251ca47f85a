// lobby.c: see lobby.h.
// SPDX-License-Identifier: MIT
#include "engine/lobby.h"

#include <string.h>

#include "crypto/secret.h"

void hail_lobby_init(struct hail_lobby *lobby, struct hail_arena *arena, bool greets)
{
    lobby->guests = hail_arena_take(arena, greets ? HAIL_LOBBY_MAX : 0, sizeof(struct hail_guest));
    lobby->first = 0;
    lobby->count = 0;
}

void hail_lobby_cleanup(struct hail_lobby *lobby)
{
    struct hail_guest *guest;

    while ((guest = hail_lobby_next(lobby)))
        hail_wipe(guest->data, guest->len);
}

bool hail_lobby_add(struct hail_lobby *lobby, const struct hail_address *from, const uint8_t *data,
                    size_t len)
{
    if (lobby->count == HAIL_LOBBY_MAX)
        return false;
    if (lobby->count == 0)
        lobby->first = 0; // so that the rest of the ring stays untouched, and takes no memory
    struct hail_guest *guest = &lobby->guests[(lobby->first + lobby->count++) % HAIL_LOBBY_MAX];
    guest->from = *from;
    guest->len = (uint16_t)len;
    memcpy(guest->data, data, len);
    return true;
}

struct hail_guest *hail_lobby_next(struct hail_lobby *lobby)
{
    if (lobby->count == 0)
        return NULL;
    struct hail_guest *guest = &lobby->guests[lobby->first];
    lobby->first = (lobby->first + 1) % HAIL_LOBBY_MAX;
    lobby->count--;
    return guest;
}
