// packer.h: MLAPI's message header and its four protections (MLAPI.md, "Protection"), in place.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MLAPI_PACKER_H
#define HAIL_PROTO_MLAPI_PACKER_H

#include "crypto/batch.h"
#include "proto/message.h"
#include "proto/verdict.h"

enum hail_mlapi_type {
    HAIL_MLAPI_HAIL = 0,
    HAIL_MLAPI_HAIL_RESPONSE = 1,
    HAIL_MLAPI_GREETINGS = 2,
    HAIL_MLAPI_CONNECTION_REQUEST = 3,
    HAIL_MLAPI_CONNECTION_APPROVED = 4,
    HAIL_MLAPI_ADD_OBJECT = 5,
    HAIL_MLAPI_DESTROY_OBJECT = 6,
    HAIL_MLAPI_SWITCH_SCENE = 7,
    HAIL_MLAPI_SCENE_SWITCHED = 8,
    HAIL_MLAPI_CHANGE_OWNER = 9,
    HAIL_MLAPI_ADD_OBJECTS = 10,
    HAIL_MLAPI_TIME_SYNC = 11,
    HAIL_MLAPI_VAR_DELTA = 12,
    HAIL_MLAPI_VAR_UPDATE = 13,
    HAIL_MLAPI_SERVER_RPC = 14,
    HAIL_MLAPI_SERVER_RPC_REQUEST = 15,
    HAIL_MLAPI_SERVER_RPC_RESPONSE = 16,
    HAIL_MLAPI_CLIENT_RPC = 17,
    HAIL_MLAPI_CLIENT_RPC_REQUEST = 18,
    HAIL_MLAPI_CLIENT_RPC_RESPONSE = 19,
    HAIL_MLAPI_UNNAMED = 20,
    HAIL_MLAPI_DESTROY_OBJECTS = 21,
    HAIL_MLAPI_NAMED = 22,
    HAIL_MLAPI_SYNCED_VAR = 23,
    HAIL_MLAPI_TYPE_LAST = 24,    // 25 and up are not recognised
    HAIL_MLAPI_OVERHEAD_MAX = 66, // what both flags add at most: 50 in front, 16 of padding
    HAIL_MLAPI_TYPE_CLEAR_MAX = 63
};

// Everything made from a session's one key. A secret: wipe it.
struct hail_mlapi_keys {
    struct hail_mac_key mac;
    struct hail_cbc_key cbc;
};

void hail_mlapi_keys_init(struct hail_mlapi_keys *keys, const uint8_t key[32]);

// hail_mlapi_body_offset returns where the body of a message with `flags` lies in its buffer.
size_t hail_mlapi_body_offset(uint32_t flags);

// hail_mlapi_wrapped_len returns a whole message's length for a body of `body_len` bytes.
size_t hail_mlapi_wrapped_len(uint32_t flags, size_t body_len);

// A message that has everything but its protection. It may be moved, and protected later.
struct hail_mlapi_bare {
    uint8_t *buffer; // with room for hail_mlapi_wrapped_len bytes
    size_t body_len;
    uint32_t flags;
    const struct hail_mlapi_keys *keys; // may be NULL when `flags` is 0
};

// hail_mlapi_prepare writes what surrounds a body that lies at hail_mlapi_body_offset(flags) of the
// message's buffer.
//
// iv       Read when the flags have HAIL_FLAG_ENCRYPTED: 16 bytes never used with this key before.
//
// Returns  The message's length.
size_t hail_mlapi_prepare(const struct hail_mlapi_bare *message, uint8_t type, const uint8_t *iv);

// hail_mlapi_protect encrypts and authenticates at most HAIL_BATCH_MAX messages that have been
// prepared, each as its flags say.
//
// batch    May be NULL: then one by one.
//
// Cost     No allocation.
void hail_mlapi_protect(struct hail_batch *batch, const struct hail_mlapi_bare *messages,
                        size_t count);

// hail_mlapi_wrap prepares and protects one message.
size_t hail_mlapi_wrap(uint8_t *buffer, size_t body_len, uint8_t type, uint32_t flags,
                       const struct hail_mlapi_keys *keys, const uint8_t *iv);

// A message whose protection has been checked and taken off. `body` points into its buffer.
struct hail_mlapi_packet {
    uint8_t type; // any value: that it is known and expected here is for the session to say
    uint32_t flags;
    uint8_t *body;
    size_t body_len;
};

// hail_mlapi_unwrap checks and decrypts `len` bytes in place.
//
// keys     NULL when there is no key yet: then anything protected is HAIL_DROP_NO_KEY.
//
// Returns  HAIL_ACCEPT, HAIL_DROP_SHORT, HAIL_DROP_NO_KEY, HAIL_DROP_FORGED, HAIL_DROP_PADDING or
//          HAIL_DROP_TYPE (32, which MLAPI calls INVALID). On any but the first `out` is untouched
//          and the buffer of no further use.
// Cost     No allocation.
enum hail_verdict hail_mlapi_unwrap(struct hail_mlapi_packet *out, uint8_t *buffer, size_t len,
                                    const struct hail_mlapi_keys *keys);

#endif
