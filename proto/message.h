// message.h: a message or RPC as an application sees it, the same on every profile.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MESSAGE_H
#define HAIL_PROTO_MESSAGE_H

#include "crypto/base.h"

// How a message is protected; the values lie on the mlapi wire.
enum {
    HAIL_FLAG_ENCRYPTED = 1u << 0,
    HAIL_FLAG_AUTHENTICATED = 1u << 1,
    HAIL_FLAGS_BOTH = HAIL_FLAG_ENCRYPTED | HAIL_FLAG_AUTHENTICATED
};

enum hail_message_kind {
    HAIL_MESSAGE_UNNAMED,
    HAIL_MESSAGE_NAMED,
    HAIL_MESSAGE_CALL,    // an RPC that wants no response
    HAIL_MESSAGE_REQUEST, // an RPC that wants one
    HAIL_MESSAGE_RESPONSE,
    HAIL_MESSAGE_ERROR, // a response that says why there is none; not on mlapi
    HAIL_MESSAGE_SCENE  // one of MLAPI's own about objects, scenes and variables; on mlapi alone
};

static inline bool hail_message_answers(enum hail_message_kind kind)
{
    return kind == HAIL_MESSAGE_RESPONSE || kind == HAIL_MESSAGE_ERROR;
}

// Why; values as on the wire.
enum hail_call_error {
    HAIL_CALL_UNKNOWN = 1,   // no such name there
    HAIL_CALL_ARGUMENTS = 2, // they cannot be read
    HAIL_CALL_REFUSED = 3    // by the application
};

// One message, on its way in or out. Fields that its kind does not have are 0.
struct hail_message_view {
    enum hail_message_kind kind;
    uint32_t flags;      // HAIL_FLAG_*
    uint64_t name_hash;  // NAMED: of the name; CALL, REQUEST: of the method
    uint64_t network_id; // CALL, REQUEST: the networked object
    uint16_t behaviour;  // CALL, REQUEST: the behaviour's order on it
    uint64_t call_id;    // REQUEST, RESPONSE, ERROR: names the call, chosen by its caller
    uint8_t error;       // ERROR: enum hail_call_error
    uint8_t scene_type;  // SCENE: its MLAPI type
    uint8_t channel;     // the number of the channel it travels by; the mlapi wire has none: 0
    const uint8_t *body; // payload, arguments or result; borrowed
    size_t body_len;
    uint32_t claimed; // out: bytes of its connection's room that are set aside for it
};

#endif
