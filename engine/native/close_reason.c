// close_reason.c: see close_reason.h.
// SPDX-License-Identifier: MIT
#include "engine/native/close_reason.h"

enum hail_close_reason hail_close_reason_read(uint8_t wire)
{
    switch (wire) {
    case HAIL_WIRE_CLOSE_DENIED:
        return HAIL_CLOSED_DENIED;
    case HAIL_WIRE_CLOSE_IDLE:
        return HAIL_CLOSED_IDLE;
    case HAIL_WIRE_CLOSE_PROTOCOL:
        return HAIL_CLOSED_PROTOCOL;
    case HAIL_WIRE_CLOSE_STALLED:
        return HAIL_CLOSED_SLOW_WRITER;
    case HAIL_WIRE_CLOSE_HOLDS_TOO_MUCH:
        return HAIL_CLOSED_HOLDS_TOO_MUCH;
    case HAIL_WIRE_CLOSE_TOO_LONG:
        return HAIL_CLOSED_CONFIG;
    case HAIL_WIRE_CLOSE_NOT_TAKEN:
        return HAIL_CLOSED_SLOW_READER;
    default:
        return HAIL_CLOSED_BY_PEER;
    }
}

uint8_t hail_close_reason_write(enum hail_close_reason reason)
{
    switch (reason) {
    case HAIL_CLOSED_DENIED:
        return HAIL_WIRE_CLOSE_DENIED;
    case HAIL_CLOSED_IDLE:
        return HAIL_WIRE_CLOSE_IDLE;
    case HAIL_CLOSED_SHUTDOWN:
        return HAIL_WIRE_CLOSE_GOING_DOWN;
    case HAIL_CLOSED_PROTOCOL:
        return HAIL_WIRE_CLOSE_PROTOCOL;
    case HAIL_CLOSED_SLOW_WRITER:
        return HAIL_WIRE_CLOSE_STALLED;
    case HAIL_CLOSED_HOLDS_TOO_MUCH:
        return HAIL_WIRE_CLOSE_HOLDS_TOO_MUCH;
    case HAIL_CLOSED_SLOW_READER:
        return HAIL_WIRE_CLOSE_NOT_TAKEN;
    case HAIL_CLOSED_CONFIG:
        return HAIL_WIRE_CLOSE_TOO_LONG; // nothing else of the configuration is found out by then
    case HAIL_CLOSED_BY_APPLICATION:
    case HAIL_CLOSED_BY_PEER:
    case HAIL_CLOSED_HANDSHAKE_TIMEOUT:
    case HAIL_CLOSED_CERTIFICATE:
    case HAIL_CLOSED_CROWDED_OUT:
    case HAIL_CLOSED_NO_BUFFER:
    case HAIL_CLOSED_ERROR:
    case HAIL_CLOSED_CONNECT:
    case HAIL_CLOSE_REASON_COUNT:
        break;
    }
    return HAIL_WIRE_CLOSE_APPLICATION;
}
