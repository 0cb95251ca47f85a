// test_network.c: the config hash, by whose value two ends know that they agree.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

enum {
    LIST_MAX = 8
};

static bool is_true(const json_t *row, const char *key)
{
    return json_is_true(json_object_get(row, key));
}

// Splits at commas, last first: the order in which they are given may not count.
static size_t split(char *text, const char *out[LIST_MAX])
{
    const char *words[LIST_MAX];
    size_t count = 0;
    char *rest = text;

    while (rest && *rest) {
        ck_assert_uint_lt(count, LIST_MAX);
        words[count++] = strsep(&rest, ",");
    }
    for (size_t i = 0; i < count; i++)
        out[i] = words[count - 1 - i];
    return count;
}

static void check_row(const json_t *row)
{
    char scenes[200];
    char prefabs[200];
    const char *scene_list[LIST_MAX];
    const char *prefab_list[LIST_MAX];
    static const char *const any_scenes[] = {"Main", "Arena"};
    uint64_t prefab_hashes[LIST_MAX];
    struct hail_mlapi_network network;
    struct vector_bytes input = vector_hex(row, "input");
    uint64_t want = strtoull(vector_text(row, "hash"), NULL, 16);
    uint64_t got;

    snprintf(scenes, sizeof scenes, "%s", vector_text(row, "scenes_hashed"));
    snprintf(prefabs, sizeof prefabs, "%s", vector_text(row, "prefab_hashes_sorted"));
    hail_mlapi_network_init(&network);
    network.protocol_version = (uint16_t)vector_int(row, "protocol_version");
    network.scene_count = split(scenes, scene_list);
    network.scenes = scene_list;
    if (strstr(vector_text(row, "what"), "AllowRuntimeSceneChanges")) {
        network.allow_runtime_scene_changes = true;
        network.scene_count = HAIL_COUNTOF(any_scenes);
        network.scenes = any_scenes;
    }
    network.prefab_count = split(prefabs, prefab_list);
    for (size_t i = 0; i < network.prefab_count; i++)
        prefab_hashes[i] = strtoull(prefab_list[i], NULL, 10);
    network.prefab_hashes = prefab_hashes;
    network.enable_networked_var = is_true(row, "EnableNetworkedVar");
    network.force_same_prefabs = is_true(row, "ForceSamePrefabs");
    network.use_prefab_sync = is_true(row, "UsePrefabSync");
    network.enable_scene_management = is_true(row, "EnableSceneManagement");
    network.ensure_networked_var_length_safety = is_true(row, "EnsureNetworkedVarLengthSafety");
    network.enable_encryption = is_true(row, "EnableEncryption");
    network.sign_key_exchange = is_true(row, "SignKeyExchange");
    network.rpc_hash_size = (enum hail_mlapi_hash_size)vector_int(row, "RpcHashSize");
    ck_assert(hail_mlapi_network_hash(&network, &got));
    ck_assert_msg(got == want, "%s: %" PRIx64, vector_text(row, "what"), got);
    ck_assert_uint_eq(hail_fnv1_64(input.data, input.len), want);
    network.connection_approval = true; // is not hashed
    ck_assert(hail_mlapi_network_hash(&network, &got));
    ck_assert_uint_eq(got, want);
    free(input.data);
}

START_TEST(test_vectors)
{
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "config_hash"), "cases"), i, row)
        check_row(row);
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}
END_TEST

static uint64_t hash_of(const struct hail_mlapi_network *network)
{
    uint64_t hash;

    ck_assert(hail_mlapi_network_hash(network, &hash));
    return hash;
}

// Ordinal order is that of UTF-16 units: U+10000 begins with D800 and comes before U+E000.
START_TEST(test_scene_order)
{
    static const char *const scenes[] = {"\xee\x80\x80", "b", "\xf0\x90\x80\x80", "a", "ab", ""};
    const char *reversed[HAIL_COUNTOF(scenes)];
    struct vector_bytes input = test_unhex("0006310032002e0030002e003000"
                                           "00"
                                           "016100"
                                           "0261006200"
                                           "016200"
                                           "0200d800dc"
                                           "0100e0"
                                           "0b00");
    struct hail_mlapi_network network;

    hail_mlapi_network_init(&network);
    network.scenes = scenes;
    network.scene_count = HAIL_COUNTOF(scenes);
    ck_assert_uint_eq(hash_of(&network), hail_fnv1_64(input.data, input.len));
    for (size_t i = 0; i < HAIL_COUNTOF(scenes); i++)
        reversed[i] = scenes[HAIL_COUNTOF(scenes) - 1 - i];
    network.scenes = reversed;
    ck_assert_uint_eq(hash_of(&network), hail_fnv1_64(input.data, input.len));
    network.enable_scene_management = false;
    uint64_t without = hash_of(&network);
    network.scene_count = 0;
    ck_assert_uint_eq(hash_of(&network), without);
    free(input.data);
}
END_TEST

START_TEST(test_prefab_order)
{
    static const uint64_t prefabs[] = {UINT64_MAX, 5, 0, 5, UINT64_MAX, 0};
    struct vector_bytes input = test_unhex("0006310032002e0030002e003000"
                                           "00000505"
                                           "ffffffffffffffffff"
                                           "ffffffffffffffffff"
                                           "0b00");
    struct hail_mlapi_network network;

    hail_mlapi_network_init(&network);
    network.prefab_hashes = prefabs;
    network.prefab_count = HAIL_COUNTOF(prefabs);
    ck_assert_uint_eq(hash_of(&network), hail_fnv1_64(input.data, input.len));
    network.force_same_prefabs = false;
    uint64_t without = hash_of(&network);
    network.prefab_count = 0;
    ck_assert_uint_eq(hash_of(&network), without);
    free(input.data);
}
END_TEST

START_TEST(test_refused)
{
    static const char *scenes[HAIL_MLAPI_SCENES_MAX + 1];
    static uint64_t prefabs[HAIL_MLAPI_PREFABS_MAX + 1];
    struct hail_mlapi_network network;
    uint64_t hash;

    for (size_t i = 0; i < HAIL_COUNTOF(scenes); i++)
        scenes[i] = "same";
    hail_mlapi_network_init(&network);
    network.scenes = scenes;
    network.prefab_hashes = prefabs;
    network.scene_count = HAIL_MLAPI_SCENES_MAX;
    network.prefab_count = HAIL_MLAPI_PREFABS_MAX;
    ck_assert(hail_mlapi_network_hash(&network, &hash));
    network.scene_count++;
    ck_assert(!hail_mlapi_network_hash(&network, &hash));
    network.scene_count = 2;
    network.prefab_count++;
    ck_assert(!hail_mlapi_network_hash(&network, &hash));
    network.prefab_count = 0;
    scenes[1] = "no UTF-8: \xff";
    ck_assert(!hail_mlapi_network_hash(&network, &hash));
    scenes[1] = "right";
    ck_assert(hail_mlapi_network_hash(&network, &hash));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network");
    TCase *tests = tcase_create("network");

    tcase_add_test(tests, test_vectors);
    tcase_add_test(tests, test_scene_order);
    tcase_add_test(tests, test_prefab_order);
    tcase_add_test(tests, test_refused);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
