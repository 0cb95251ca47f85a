// network.h: the switches of MLAPI's NetworkConfig, on which both ends must agree, and their hash
// (MLAPI.md, "Config hash").
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MLAPI_NETWORK_H
#define HAIL_PROTO_MLAPI_NETWORK_H

#include "proto/mlapi/names.h"

enum {
    HAIL_MLAPI_SCENES_MAX = 256,
    HAIL_MLAPI_PREFABS_MAX = 4096
};

// Names and defaults are MLAPI's own.
struct hail_mlapi_network {
    uint16_t protocol_version;
    const char *const *scenes; // names in UTF-8, any order; borrowed
    size_t scene_count;
    const uint64_t *prefab_hashes; // any order; borrowed
    size_t prefab_count;
    bool allow_runtime_scene_changes;
    bool enable_networked_var;
    bool force_same_prefabs;
    bool use_prefab_sync;
    bool enable_scene_management;
    bool ensure_networked_var_length_safety;
    bool enable_encryption;
    bool sign_key_exchange;
    bool connection_approval; // not hashed: whether a connection request carries data
    enum hail_mlapi_hash_size rpc_hash_size;
};

// hail_mlapi_network_init sets MLAPI's defaults, encryption off.
void hail_mlapi_network_init(struct hail_mlapi_network *network);

// hail_mlapi_scene_index tells a scene's index: its place among the names in ordinal order, as
// MLAPI sorts them. False: it is not one of them.
HAIL_MUST_USE bool hail_mlapi_scene_index(uint32_t *index, const struct hail_mlapi_network *network,
                                          const char *name);

// hail_mlapi_network_hash computes the hash. Returns false when a scene name is not valid UTF-8 or
// there are more scenes or prefabs than the maxima.
HAIL_MUST_USE bool hail_mlapi_network_hash(const struct hail_mlapi_network *network,
                                           uint64_t *hash);

#endif
