// body.c: see body.h.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/body.h"

#include <string.h>

#include "crypto/meter.h"
#include "proto/mlapi/bits.h"

enum {
    GUID_LEN = 16,
    FIELDS_MAX = 40 // of an RPC in front of its arguments: four varints
};

static struct hail_bytes read_array(struct hail_bits_reader *reader)
{
    struct hail_bytes bytes;

    bytes.data = hail_bits_view_bytes(reader, &bytes.len);
    return bytes;
}

static size_t written(const struct hail_bits_writer *writer)
{
    return writer->failed ? 0 : hail_bits_len(writer);
}

bool hail_mlapi_hail_read(struct hail_mlapi_hail_body *hail, bool is_signed, struct hail_bytes body)
{
    struct hail_bits_reader reader = hail_bits_reader(body.data, body.len);
    struct hail_mlapi_hail_body own = {0};

    if (is_signed)
        own.certificate = read_array(&reader);
    own.public_part = read_array(&reader);
    if (is_signed) {
        own.signature_type = (uint8_t)hail_bits_read_bits(&reader, 8);
        own.signature = read_array(&reader);
    }
    if (!reader.failed)
        *hail = own;
    return !reader.failed;
}

size_t hail_mlapi_hail_write(uint8_t *out, size_t capacity, const struct hail_mlapi_hail_body *hail,
                             bool is_signed)
{
    struct hail_bits_writer writer = hail_bits_writer(out, capacity);

    if (is_signed)
        hail_bits_write_array(&writer, hail->certificate.data, hail->certificate.len);
    hail_bits_write_array(&writer, hail->public_part.data, hail->public_part.len);
    if (is_signed) {
        hail_bits_write_bits(&writer, hail->signature_type, 8);
        hail_bits_write_array(&writer, hail->signature.data, hail->signature.len);
    }
    return written(&writer);
}

bool hail_mlapi_hail_response_read(struct hail_bytes *public_part, struct hail_bytes body)
{
    struct hail_bits_reader reader = hail_bits_reader(body.data, body.len);
    struct hail_bytes own = read_array(&reader);

    // Nothing may follow: no client sends more.
    if (reader.failed || reader.bit != 8 * reader.len)
        return false;
    *public_part = own;
    return true;
}

size_t hail_mlapi_hail_response_write(uint8_t *out, size_t capacity, struct hail_bytes public_part)
{
    struct hail_bits_writer writer = hail_bits_writer(out, capacity);

    hail_bits_write_array(&writer, public_part.data, public_part.len);
    return written(&writer);
}

bool hail_mlapi_request_read(struct hail_mlapi_request_body *request, bool has_data,
                             struct hail_bytes body)
{
    struct hail_bits_reader reader = hail_bits_reader(body.data, body.len);
    struct hail_mlapi_request_body own = {.config_hash = hail_bits_read_varint(&reader)};

    if (has_data)
        own.data = read_array(&reader);
    if (!reader.failed)
        *request = own;
    return !reader.failed;
}

size_t hail_mlapi_request_write(uint8_t *out, size_t capacity,
                                const struct hail_mlapi_request_body *request, bool has_data)
{
    struct hail_bits_writer writer = hail_bits_writer(out, capacity);

    hail_bits_write_varint(&writer, request->config_hash);
    if (has_data)
        hail_bits_write_array(&writer, request->data.data, request->data.len);
    return written(&writer);
}

bool hail_mlapi_approved_read(struct hail_mlapi_approved_body *approved, bool scene_management,
                              struct hail_bytes body)
{
    struct hail_bits_reader reader = hail_bits_reader(body.data, body.len);
    struct hail_mlapi_approved_body own = {.client_id = hail_bits_read_varint(&reader)};

    if (scene_management) {
        uint64_t index = hail_bits_read_varint(&reader);
        reader.failed |= index > UINT32_MAX;
        own.scene.index = (uint32_t)index;
        if (read_array(&reader).len != GUID_LEN)
            return false;
    }
    own.server_time_s = hail_bits_read_float(&reader);
    hail_bits_read_varint(&reader); // how many objects follow
    if (!reader.failed)
        *approved = own;
    return !reader.failed;
}

size_t hail_mlapi_approved_write(uint8_t *out, size_t capacity,
                                 const struct hail_mlapi_approved_body *approved,
                                 bool scene_management)
{
    static const uint8_t guid[GUID_LEN] = {0};
    struct hail_bits_writer writer = hail_bits_writer(out, capacity);

    hail_bits_write_varint(&writer, approved->client_id);
    if (scene_management) {
        hail_bits_write_varint(&writer, approved->scene.index);
        hail_bits_write_array(&writer, guid, sizeof guid); // nobody waits for who is where
    }
    hail_bits_write_float(&writer, approved->server_time_s);
    hail_bits_write_varint(&writer, approved->scene.object_count);
    hail_bits_write_bytes(&writer, approved->scene.objects.data, approved->scene.objects.len);
    return written(&writer);
}

bool hail_mlapi_scene_type(uint8_t type, bool from_server)
{
    switch (type) {
    case HAIL_MLAPI_ADD_OBJECT:
    case HAIL_MLAPI_DESTROY_OBJECT:
    case HAIL_MLAPI_SWITCH_SCENE:
    case HAIL_MLAPI_CHANGE_OWNER:
    case HAIL_MLAPI_ADD_OBJECTS:
    case HAIL_MLAPI_DESTROY_OBJECTS:
    case HAIL_MLAPI_SYNCED_VAR:
        return from_server;
    case HAIL_MLAPI_SCENE_SWITCHED:
        return !from_server;
    case HAIL_MLAPI_VAR_DELTA:
    case HAIL_MLAPI_VAR_UPDATE:
        return true;
    default:
        return false;
    }
}

enum hail_mlapi_type hail_mlapi_message_type(enum hail_message_kind kind, bool from_server)
{
    switch (kind) {
    case HAIL_MESSAGE_UNNAMED:
        return HAIL_MLAPI_UNNAMED;
    case HAIL_MESSAGE_NAMED:
        return HAIL_MLAPI_NAMED;
    case HAIL_MESSAGE_CALL:
        return from_server ? HAIL_MLAPI_CLIENT_RPC : HAIL_MLAPI_SERVER_RPC;
    case HAIL_MESSAGE_REQUEST:
        return from_server ? HAIL_MLAPI_CLIENT_RPC_REQUEST : HAIL_MLAPI_SERVER_RPC_REQUEST;
    case HAIL_MESSAGE_RESPONSE: // named after who was called
        return from_server ? HAIL_MLAPI_SERVER_RPC_RESPONSE : HAIL_MLAPI_CLIENT_RPC_RESPONSE;
    case HAIL_MESSAGE_ERROR: // this wire has none
    case HAIL_MESSAGE_SCENE:
        break; // the type is the view's
    }
    HAIL_UNREACHABLE("every kind has its case");
}

bool hail_mlapi_message_kind(enum hail_message_kind *kind, uint8_t type, bool from_server)
{
    for (enum hail_message_kind k = HAIL_MESSAGE_UNNAMED; k <= HAIL_MESSAGE_RESPONSE; k++) {
        if (hail_mlapi_message_type(k, from_server) == type) {
            *kind = k;
            return true;
        }
    }
    return false;
}

bool hail_mlapi_message_read(struct hail_message_view *view, struct hail_bytes body)
{
    struct hail_bits_reader reader = hail_bits_reader(body.data, body.len);
    bool is_call = view->kind == HAIL_MESSAGE_CALL || view->kind == HAIL_MESSAGE_REQUEST;

    view->network_id = 0;
    view->behaviour = 0;
    view->name_hash = 0;
    view->call_id = 0;
    if (is_call) {
        view->network_id = hail_bits_read_varint(&reader);
        uint64_t behaviour = hail_bits_read_varint(&reader);
        reader.failed |= behaviour > UINT16_MAX;
        view->behaviour = (uint16_t)behaviour;
    }
    if (is_call || view->kind == HAIL_MESSAGE_NAMED)
        view->name_hash = hail_bits_read_varint(&reader);
    if (view->kind == HAIL_MESSAGE_REQUEST || view->kind == HAIL_MESSAGE_RESPONSE)
        view->call_id = hail_bits_read_varint(&reader);
    view->body = hail_bits_rest(&reader, &view->body_len);
    return !reader.failed;
}

// The fields in front of the payload.
static size_t write_fields(uint8_t out[FIELDS_MAX], const struct hail_message_view *view)
{
    struct hail_bits_writer writer = hail_bits_writer(out, FIELDS_MAX);
    bool is_call = view->kind == HAIL_MESSAGE_CALL || view->kind == HAIL_MESSAGE_REQUEST;

    if (is_call) {
        hail_bits_write_varint(&writer, view->network_id);
        hail_bits_write_varint(&writer, view->behaviour);
    }
    if (is_call || view->kind == HAIL_MESSAGE_NAMED)
        hail_bits_write_varint(&writer, view->name_hash);
    if (view->kind == HAIL_MESSAGE_REQUEST || view->kind == HAIL_MESSAGE_RESPONSE)
        hail_bits_write_varint(&writer, view->call_id);
    HAIL_ASSERT(!writer.failed);
    return hail_bits_len(&writer);
}

size_t hail_mlapi_message_body_len(const struct hail_message_view *view)
{
    uint8_t fields[FIELDS_MAX];

    return write_fields(fields, view) + view->body_len;
}

void hail_mlapi_message_body_write(uint8_t *out, const struct hail_message_view *view)
{
    uint8_t fields[FIELDS_MAX];
    size_t len = write_fields(fields, view);

    memcpy(out, fields, len);
    if (view->body_len > 0)
        hail_meter_copy(out + len, view->body, view->body_len);
}
