// body.h: what lies inside MLAPI's messages, each kind read and written (MLAPI.md, "A session").
// Reading never looks beyond the body; views point into it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MLAPI_BODY_H
#define HAIL_PROTO_MLAPI_BODY_H

#include "crypto/kdf.h"
#include "proto/message.h"
#include "proto/mlapi/names.h"
#include "proto/mlapi/packer.h"

// A server's hail. The certificate and signature are there when the key exchange is signed.
struct hail_mlapi_hail_body {
    struct hail_bytes certificate;
    struct hail_bytes public_part;
    struct hail_bytes signature;
    uint8_t signature_type;
};

HAIL_MUST_USE bool hail_mlapi_hail_read(struct hail_mlapi_hail_body *hail, bool is_signed,
                                        struct hail_bytes body);

// hail_mlapi_hail_write returns the length, or 0 when `capacity` is too small.
size_t hail_mlapi_hail_write(uint8_t *out, size_t capacity, const struct hail_mlapi_hail_body *hail,
                             bool is_signed);

// hail_mlapi_hail_response_read and _write: a hail response is one byte array, the client's public
// part.
HAIL_MUST_USE bool hail_mlapi_hail_response_read(struct hail_bytes *public_part,
                                                 struct hail_bytes body);
size_t hail_mlapi_hail_response_write(uint8_t *out, size_t capacity, struct hail_bytes public_part);

// A client's wish to join. `data` is there with connection approval.
struct hail_mlapi_request_body {
    uint64_t config_hash;
    struct hail_bytes data;
};

HAIL_MUST_USE bool hail_mlapi_request_read(struct hail_mlapi_request_body *request, bool has_data,
                                           struct hail_bytes body);
size_t hail_mlapi_request_write(uint8_t *out, size_t capacity,
                                const struct hail_mlapi_request_body *request, bool has_data);

// Where a client is to be, and what it finds there.
struct hail_mlapi_scene {
    uint32_t index;
    uint32_t object_count;
    struct hail_bytes objects; // one after another, as WriteSpawnCallForObject has them
};

// A server's answer. A reader does not look at the objects.
struct hail_mlapi_approved_body {
    uint64_t client_id;
    float server_time_s;
    struct hail_mlapi_scene scene;
};

HAIL_MUST_USE bool hail_mlapi_approved_read(struct hail_mlapi_approved_body *approved,
                                            bool scene_management, struct hail_bytes body);
size_t hail_mlapi_approved_write(uint8_t *out, size_t capacity,
                                 const struct hail_mlapi_approved_body *approved,
                                 bool scene_management);

// hail_mlapi_scene_type says whether a server, or a client, sends messages of this type about
// objects, scenes and variables.
bool hail_mlapi_scene_type(uint8_t type, bool from_server);

// hail_mlapi_message_type returns the message type for a kind sent by a server or a client; of
// HAIL_MESSAGE_SCENE there are many.
enum hail_mlapi_type hail_mlapi_message_type(enum hail_message_kind kind, bool from_server);

// hail_mlapi_message_kind does the reverse; false: an application's messages from that side have no
// such type.
HAIL_MUST_USE bool hail_mlapi_message_kind(enum hail_message_kind *kind, uint8_t type,
                                           bool from_server);

// hail_mlapi_message_read reads an application message of view->kind, which the caller has set, and
// sets the other fields but the flags.
HAIL_MUST_USE bool hail_mlapi_message_read(struct hail_message_view *view, struct hail_bytes body);

// hail_mlapi_message_body_len returns the length of an application message's body, header fields
// included; hail_mlapi_message_body_write writes it.
size_t hail_mlapi_message_body_len(const struct hail_message_view *view);
void hail_mlapi_message_body_write(uint8_t *out, const struct hail_message_view *view);

#endif
