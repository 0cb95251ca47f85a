// scene.c: MLAPI's objects and scenes for applications: where clients begin, and the bytes of
// messages about objects (MLAPI.md, "Objects and scenes").
// SPDX-License-Identifier: MIT
#include "engine/endpoint.h"

enum hail_status hail_set_scene(struct hail_endpoint *endpoint, uint32_t index)
{
    struct hail_context *context = &endpoint->context;
    const struct hail_mlapi_config *mlapi = &context->config.mlapi;

    if (!context->is_server || context->config.profile != HAIL_PROFILE_MLAPI ||
        (!mlapi->allow_runtime_scene_changes && index > 0 && index >= mlapi->scene_count))
        return HAIL_EINVAL;
    atomic_store_explicit(&context->scene, index, memory_order_relaxed);
    return HAIL_OK;
}

uint32_t hail_scene_index(const struct hail_mlapi_config *mlapi, const char *name)
{
    const struct hail_mlapi_network network = {.scenes = mlapi->scenes,
                                               .scene_count = mlapi->scene_count};
    uint32_t index;

    return hail_mlapi_scene_index(&index, &network, name) ? index : UINT32_MAX;
}

static void write_floats(struct hail_writer *writer, const float values[3])
{
    for (size_t i = 0; i < 3; i++)
        hail_write_float(writer, values[i]);
}

// Bits that another writer wrote.
static void write_bits(struct hail_writer *writer, const struct hail_writer *bits)
{
    struct hail_reader reader;

    writer->failed |= bits->failed;
    hail_reader_init(&reader, bits->data, hail_writer_len(bits));
    for (size_t bit = 0; bit < bits->bit && !writer->failed; bit++)
        hail_write_bool(writer, hail_read_bool(&reader));
}

// What an object is made of. The objects of a new scene are its own, and say no more of it.
static void write_source(const struct hail_mlapi_setup *setup, struct hail_writer *writer,
                         bool of_new_scene, const struct hail_object *object)
{
    if (!setup->prefab_hashes && !of_new_scene)
        hail_write_bool(writer, object->is_scene_object);
    hail_write_uint(writer, object->hash);
    if (!setup->prefab_hashes && of_new_scene)
        return;
    hail_write_bool(writer, object->has_transform);
    if (object->has_transform) {
        write_floats(writer, object->position);
        write_floats(writer, object->rotation);
    }
}

void hail_write_object(const struct hail_endpoint *endpoint, struct hail_writer *writer, int type,
                       const struct hail_object *object)
{
    const struct hail_mlapi_setup *setup = &endpoint->context.setup;
    bool is_added = type == HAIL_ADD_OBJECT || type == HAIL_ADD_OBJECTS;

    writer->failed |= !is_added && type != HAIL_SWITCH_SCENE && type != HAIL_APPROVED;
    hail_write_bool(writer, object->is_player);
    hail_write_uint(writer, object->network_id);
    hail_write_uint(writer, object->owner);
    hail_write_bool(writer, object->has_parent);
    if (object->has_parent)
        hail_write_uint(writer, object->parent);
    write_source(setup, writer, type == HAIL_SWITCH_SCENE, object);
    if (is_added) {
        hail_write_bool(writer, object->payload != NULL);
        if (object->payload)
            hail_write_int(writer, (int64_t)object->payload_len);
    }
    if (setup->networked_var && object->variables)
        write_bits(writer, object->variables);
    const uint8_t *payload = object->payload;
    for (size_t i = 0; is_added && payload && i < object->payload_len && !writer->failed; i++)
        hail_write_byte(writer, payload[i]);
}

void hail_write_scene_switch(struct hail_writer *writer, uint32_t scene,
                             const uint8_t id[HAIL_SCENE_SWITCH_LEN], uint32_t object_count)
{
    hail_write_uint(writer, scene);
    hail_write_stream_bytes(writer, id, HAIL_SCENE_SWITCH_LEN);
    hail_write_uint(writer, object_count);
}
