// refusal.c: see refusal.h.
// SPDX-License-Identifier: MIT
#include "engine/context/refusal.h"

#include "proto/datagram.h"

const char *hail_refusal_text(uint8_t reason)
{
    switch ((enum hail_refusal)reason) {
    case HAIL_REFUSAL_VERSION:
        return "the server speaks another version of the protocol: bring both up to date";
    case HAIL_REFUSAL_PATTERN:
        return "the server is set up for another key exchange: compare native.exchange at both "
               "ends";
    case HAIL_REFUSAL_POLICY:
        return "the server has other message names, floors or channels: both ends need the same "
               "handlers, default_floor and channels";
    case HAIL_REFUSAL_STATIC:
        return "the server does not have the pinned static key any more: ask for the present one";
    case HAIL_REFUSAL_FULL:
        return "the server is full";
    case HAIL_REFUSAL_GOING_DOWN:
        return "the server is going down";
    case HAIL_REFUSAL_TICKET:
        return "the server does not take the ticket";
    case HAIL_REFUSAL_RATE:
        return "the server takes no more handshakes of this address or network in a second: raise "
               "source_per_s there, or name the network in trusted";
    case HAIL_REFUSAL_PREFIX:
        return "the server has as many connections from this network as it takes from one";
    }
    return "the server refused for a reason that this version does not know";
}
