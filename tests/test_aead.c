// test_aead.c: AES-256-GCM: wycheproof, in place, and every byte that is changed.
// SPDX-License-Identifier: MIT
#include "crypto/aead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

enum {
    TEXT_MAX = 4096
};

static void check_row(const json_t *row)
{
    struct vector_bytes key = vector_hex(row, "key");
    struct vector_bytes iv = vector_hex(row, "iv");
    struct vector_bytes ad = vector_hex(row, "aad");
    struct vector_bytes text = vector_hex(row, "msg");
    struct vector_bytes sealed = vector_hex(row, "ct");
    struct vector_bytes tag = vector_hex(row, "tag");
    bool valid = strcmp(vector_text(row, "result"), "invalid") != 0;
    uint8_t buffer[TEXT_MAX + HAIL_AEAD_TAG_LEN];
    struct hail_aead aead;
    int id = (int)vector_int(row, "tcId");

    ck_assert(hail_aead_init(&aead, key.data));
    memcpy(buffer, sealed.data, sealed.len);
    memcpy(buffer + sealed.len, tag.data, tag.len);
    bool opened = hail_aead_open(&aead, iv.data, ad.data, ad.len, buffer, sealed.len + tag.len);
    ck_assert_msg(opened == valid, "tcId %d: %s", id, vector_text(row, "comment"));
    if (valid) {
        ck_assert_msg(memcmp(buffer, text.data, text.len) == 0, "tcId %d", id);
        hail_aead_seal(&aead, iv.data, ad.data, ad.len, buffer, text.len);
        ck_assert_msg(memcmp(buffer, sealed.data, sealed.len) == 0, "tcId %d", id);
        ck_assert_msg(memcmp(buffer + sealed.len, tag.data, tag.len) == 0, "tcId %d", id);
    }
    hail_aead_cleanup(&aead);
    free(key.data);
    free(iv.data);
    free(ad.data);
    free(text.data);
    free(sealed.data);
    free(tag.data);
}

START_TEST(test_wycheproof)
{
    json_t *root = vectors_optional("wycheproof/aes_gcm_test.json");
    json_t *group;
    json_t *row;
    size_t i;
    size_t j;
    int skipped = 0;

    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        bool ours = vector_int(group, "keySize") == 256 && vector_int(group, "ivSize") == 96 &&
                    vector_int(group, "tagSize") == 128;
        json_array_foreach(json_object_get(group, "tests"), j, row)
        {
            if (ours)
                check_row(row);
            else
                skipped++;
        }
    }
    printf("skipped: %d cases of other key, nonce or tag sizes\n", skipped);
    json_decref(root);
}
END_TEST

START_TEST(test_tampered)
{
    const uint8_t key[HAIL_AEAD_KEY_LEN] = {1};
    const uint8_t nonce[HAIL_AEAD_NONCE_LEN] = {2};
    const uint8_t other_nonce[HAIL_AEAD_NONCE_LEN] = {3};
    uint8_t ad[5] = "abcd";
    uint8_t sealed[37 + HAIL_AEAD_TAG_LEN] = "some text";
    uint8_t tried[sizeof sealed];
    struct hail_aead aead;
    struct hail_aead copy;

    ck_assert(hail_aead_init(&aead, key));
    hail_aead_seal(&aead, nonce, ad, sizeof ad, sealed, 37);
    for (size_t i = 0; i < sizeof sealed + sizeof ad; i++) {
        memcpy(tried, sealed, sizeof tried);
        uint8_t *byte = i < sizeof sealed ? &tried[i] : &ad[i - sizeof sealed];
        *byte ^= 1;
        ck_assert_msg(!hail_aead_open(&aead, nonce, ad, sizeof ad, tried, sizeof tried), "byte %zu",
                      i);
        *byte ^= 1;
    }
    memcpy(tried, sealed, sizeof tried);
    ck_assert(!hail_aead_open(&aead, other_nonce, ad, sizeof ad, tried, sizeof tried));
    for (size_t len = 0; len < sizeof sealed; len++) {
        memcpy(tried, sealed, sizeof tried);
        ck_assert_msg(!hail_aead_open(&aead, nonce, ad, sizeof ad, tried, len), "%zu bytes", len);
    }
    copy = aead; // a key may be moved
    hail_aead_cleanup(&aead);
    memcpy(tried, sealed, sizeof tried);
    ck_assert(hail_aead_open(&copy, nonce, ad, sizeof ad, tried, sizeof tried));
    ck_assert_str_eq((char *)tried, "some text");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aead");
    TCase *tests = tcase_create("aead");

    tcase_add_test(tests, test_tampered);
    tcase_add_test(tests, test_wycheproof);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
