// close_reason.h: why a connection ended, as hail's wire says it (WIRE.md, section 5.2) and as an
// application hears it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_CLOSE_REASON_H
#define HAIL_ENGINE_NATIVE_CLOSE_REASON_H

#include "engine/hail.h"

enum hail_wire_close {
    HAIL_WIRE_CLOSE_APPLICATION = 0,
    HAIL_WIRE_CLOSE_DENIED = 1,
    HAIL_WIRE_CLOSE_IDLE = 2,
    HAIL_WIRE_CLOSE_GOING_DOWN = 3,
    HAIL_WIRE_CLOSE_PROTOCOL = 4,
    HAIL_WIRE_CLOSE_HOLDS_TOO_MUCH = 5,
    HAIL_WIRE_CLOSE_STALLED = 6,
    HAIL_WIRE_CLOSE_TOO_LONG = 7,
    HAIL_WIRE_CLOSE_NOT_TAKEN = 8,
    HAIL_WIRE_CLOSE_CODE = 9 // as 0; the text begins with the application's code
};

// hail_close_reason_read returns a peer's reason as the application hears it; HAIL_CLOSED_BY_PEER:
// the application's own, or one that is unknown here.
enum hail_close_reason hail_close_reason_read(uint8_t wire);

// hail_close_reason_write returns the reason to tell the peer.
uint8_t hail_close_reason_write(enum hail_close_reason reason);

#endif
