// test_document.c: MLAPI.md's examples, read out of the document and compared with what the code
// does.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/kex.h"
#include "proto/mlapi/bits.h"
#include "proto/mlapi/frame.h"
#include "proto/mlapi/network.h"
#include "proto/mlapi/packer.h"
#include "tests/vectors.h"

static const char document[] = "proto/mlapi/MLAPI.md";

static void compare(const char *name, const uint8_t *bytes, size_t len)
{
    struct vector_bytes example = vector_document(document, name);

    ck_assert_msg(example.len == len && memcmp(example.data, bytes, len) == 0,
                  "the document's example %s is not what the code does", name);
    free(example.data);
}

START_TEST(test_frame)
{
    uint8_t framed[7] = {0, 0, 0, 0, 0x50, 'h', 'i'};

    hail_mlapi_frame_write(framed, 3);
    compare("frame", framed, sizeof framed);
}
END_TEST

START_TEST(test_varints)
{
    uint8_t bytes[64];
    struct hail_bits_writer writer = hail_bits_writer(bytes, sizeof bytes);
    const uint64_t values[] = {240, 241, 2288, 67824, UINT64_C(1) << 32};

    for (size_t i = 0; i < HAIL_COUNTOF(values); i++)
        hail_bits_write_varint(&writer, values[i]);
    compare("varints", bytes, hail_bits_len(&writer));
}
END_TEST

START_TEST(test_protection)
{
    static const char *const names[] = {"plain", "encrypted", "authenticated", "both"};
    struct hail_mlapi_keys keys;
    uint8_t key[32];
    uint8_t iv[16];
    uint8_t message[128];

    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = i;
    for (uint8_t i = 0; i < sizeof iv; i++)
        iv[i] = (uint8_t)(16 + i);
    hail_mlapi_keys_init(&keys, key);
    for (uint32_t flags = 0; flags <= HAIL_FLAGS_BOTH; flags++) {
        memcpy(message + hail_mlapi_body_offset(flags), "hi", 2);
        size_t len = hail_mlapi_wrap(message, 2, HAIL_MLAPI_UNNAMED, flags, &keys, iv);
        compare(names[flags], message, len);
    }
}
END_TEST

START_TEST(test_public_part)
{
    struct vector_bytes example = vector_document(document, "public");
    uint8_t key[HAIL_X25519_LEN];

    ck_assert(hail_affine_parse(key, example.data, example.len));
    ck_assert_uint_eq(key[0], 9);
    for (size_t i = 1; i < sizeof key; i++)
        ck_assert_uint_eq(key[i], 0);
    free(example.data);
}
END_TEST

START_TEST(test_names)
{
    uint8_t bytes[14];
    size_t len = 0;

    for (enum hail_mlapi_hash_size size = HAIL_MLAPI_HASH_16; size <= HAIL_MLAPI_HASH_64; size++) {
        uint64_t hash;
        ck_assert(hail_mlapi_name_hash(&hash, "ChatMessage", size));
        for (size_t i = 2u << size; i-- > 0;)
            bytes[len++] = (uint8_t)(hash >> 8 * i);
    }
    compare("names", bytes, len);
}
END_TEST

START_TEST(test_config)
{
    struct hail_mlapi_network network;
    uint8_t bytes[8];
    uint64_t hash;

    hail_mlapi_network_init(&network);
    network.enable_encryption = true;
    ck_assert(hail_mlapi_network_hash(&network, &hash));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(hash >> 8 * (7 - i));
    compare("config", bytes, sizeof bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("document");
    TCase *tests = tcase_create("document");

    tcase_add_test(tests, test_frame);
    tcase_add_test(tests, test_varints);
    tcase_add_test(tests, test_protection);
    tcase_add_test(tests, test_public_part);
    tcase_add_test(tests, test_names);
    tcase_add_test(tests, test_config);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
