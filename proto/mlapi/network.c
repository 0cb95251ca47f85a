// network.c: see network.h.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/network.h"

#include <string.h>

#include "proto/mlapi/bits.h"

enum {
    PIECE_MAX = 2048 // of the hashed text: a scene's name, or everything but names and prefabs
};

void hail_mlapi_network_init(struct hail_mlapi_network *network)
{
    *network = (struct hail_mlapi_network){
        .enable_networked_var = true,
        .force_same_prefabs = true,
        .enable_scene_management = true,
    };
}

// A hash that is fed piece by piece.
struct hash {
    uint64_t value;
};

static void feed(struct hash *hash, const struct hail_bits_writer *piece)
{
    for (size_t i = 0; i < hail_bits_len(piece); i++)
        hash->value = (hash->value * 0x100000001b3u) ^ piece->data[i];
}

// UTF-16 and UTF-8 order the same but above U+FFFF, where surrogates sort below U+E000.
static int compare_ordinal(const char *a, const char *b)
{
    uint32_t one;
    uint32_t other;

    do {
        one = hail_utf8_next(&a);
        other = hail_utf8_next(&b);
    } while (one == other && one != 0);
    if (one >= 0x10000 && other < 0x10000 && other >= 0xe000)
        return -1;
    if (other >= 0x10000 && one < 0x10000 && one >= 0xe000)
        return 1;
    return one < other ? -1 : one > other;
}

bool hail_mlapi_scene_index(uint32_t *index, const struct hail_mlapi_network *network,
                            const char *name)
{
    bool is_there = false;
    uint32_t before = 0;

    for (size_t i = 0; i < network->scene_count; i++) {
        int order = compare_ordinal(network->scenes[i], name);
        is_there |= order == 0;
        before += order < 0;
    }
    if (is_there)
        *index = before;
    return is_there;
}

// The scenes in ordinal order, by repeated search for the next: there are few, and nothing to
// allocate.
static bool feed_scenes(struct hash *hash, const struct hail_mlapi_network *network)
{
    uint8_t text[PIECE_MAX];
    bool used[HAIL_MLAPI_SCENES_MAX] = {false};

    if (network->scene_count > HAIL_MLAPI_SCENES_MAX)
        return false;
    for (size_t round = 0; round < network->scene_count; round++) {
        size_t least = SIZE_MAX;
        for (size_t i = 0; i < network->scene_count; i++) {
            if (!used[i] && (least == SIZE_MAX ||
                             compare_ordinal(network->scenes[i], network->scenes[least]) < 0))
                least = i;
        }
        used[least] = true;
        struct hail_bits_writer piece = hail_bits_writer(text, sizeof text);
        hail_bits_write_string_wide(&piece, network->scenes[least]);
        if (piece.failed)
            return false;
        feed(hash, &piece);
    }
    return true;
}

static bool feed_prefabs(struct hash *hash, const struct hail_mlapi_network *network)
{
    uint64_t last = 0;

    if (network->prefab_count > HAIL_MLAPI_PREFABS_MAX)
        return false;
    for (size_t done = 0; done < network->prefab_count;) {
        uint64_t least = UINT64_MAX;
        for (size_t i = 0; i < network->prefab_count; i++) {
            uint64_t prefab = network->prefab_hashes[i];
            if (prefab < least && (done == 0 || prefab > last))
                least = prefab;
        }
        for (size_t i = 0; i < network->prefab_count; i++) { // once for each that is the same
            if (network->prefab_hashes[i] != least)
                continue;
            uint8_t text[9];
            struct hail_bits_writer piece = hail_bits_writer(text, sizeof text);
            hail_bits_write_varint(&piece, least);
            feed(hash, &piece);
            done++;
        }
        last = least;
    }
    return true;
}

bool hail_mlapi_network_hash(const struct hail_mlapi_network *network, uint64_t *out)
{
    struct hash hash = {hail_fnv1_64(NULL, 0)};
    uint8_t text[PIECE_MAX];
    struct hail_bits_writer piece = hail_bits_writer(text, sizeof text);

    hail_bits_write_varint(&piece, network->protocol_version);
    hail_bits_write_string_wide(&piece, "12.0.0");
    feed(&hash, &piece);
    if (network->enable_scene_management && !network->allow_runtime_scene_changes &&
        !feed_scenes(&hash, network))
        return false;
    if (network->force_same_prefabs && !feed_prefabs(&hash, network))
        return false;

    piece = hail_bits_writer(text, sizeof text);
    hail_bits_write_bit(&piece, network->enable_networked_var);
    hail_bits_write_bit(&piece, network->force_same_prefabs);
    hail_bits_write_bit(&piece, network->use_prefab_sync);
    hail_bits_write_bit(&piece, network->enable_scene_management);
    hail_bits_write_bit(&piece, network->ensure_networked_var_length_safety);
    hail_bits_write_bit(&piece, network->enable_encryption);
    hail_bits_write_bit(&piece, network->sign_key_exchange);
    hail_bits_write_bits(&piece, network->rpc_hash_size, 2);
    feed(&hash, &piece);
    *out = hash.value;
    return true;
}
