// test_cbc.c: AES-256-CBC: SP 800-38A, wycheproof, and every padding there is.
// SPDX-License-Identifier: MIT
#include "crypto/cbc.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

static struct hail_cbc_key some_key(void)
{
    static const uint8_t secret[HAIL_CBC_KEY_LEN] = {1, 2, 3};
    struct hail_cbc_key key;

    hail_cbc_key_init(&key, secret);
    return key;
}

static const uint8_t some_iv[HAIL_CBC_BLOCK] = {9, 8, 7};

START_TEST(test_sp800_38a)
{
    struct vector_bytes secret =
        test_unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    struct vector_bytes iv = test_unhex("000102030405060708090a0b0c0d0e0f");
    struct vector_bytes plain =
        test_unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                   "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    struct vector_bytes want =
        test_unhex("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
                   "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
    uint8_t text[80];
    struct hail_cbc_key key;
    size_t len;

    hail_cbc_key_init(&key, secret.data);
    memcpy(text, plain.data, plain.len);
    hail_cbc_encrypt(&key, iv.data, text, plain.len);
    ck_assert_mem_eq(text, want.data, want.len); // a block of padding follows
    ck_assert(hail_cbc_decrypt(&key, iv.data, text, sizeof text, &len));
    ck_assert_uint_eq(len, plain.len);
    ck_assert_mem_eq(text, plain.data, plain.len);
    free(secret.data);
    free(iv.data);
    free(plain.data);
    free(want.data);
}
END_TEST

static void check_wycheproof(const json_t *row)
{
    struct vector_bytes secret = vector_hex(row, "key");
    struct vector_bytes iv = vector_hex(row, "iv");
    struct vector_bytes plain = vector_hex(row, "msg");
    struct vector_bytes sealed = vector_hex(row, "ct");
    bool valid = strcmp(vector_text(row, "result"), "valid") == 0;
    struct hail_cbc_key key;
    size_t len;

    hail_cbc_key_init(&key, secret.data);
    if (valid) {
        uint8_t *text = malloc(hail_cbc_padded_len(plain.len));
        ck_assert_ptr_nonnull(text);
        memcpy(text, plain.data, plain.len);
        hail_cbc_encrypt(&key, iv.data, text, plain.len);
        ck_assert_uint_eq(hail_cbc_padded_len(plain.len), sealed.len);
        ck_assert_mem_eq(text, sealed.data, sealed.len);
        free(text);
    }
    bool taken = hail_cbc_decrypt(&key, iv.data, sealed.data, sealed.len, &len);
    ck_assert_msg(taken == valid, "tcId %d: %s", (int)vector_int(row, "tcId"),
                  vector_text(row, "comment"));
    if (taken) {
        ck_assert_uint_eq(len, plain.len);
        ck_assert_mem_eq(sealed.data, plain.data, len);
    }
    free(secret.data);
    free(iv.data);
    free(plain.data);
    free(sealed.data);
}

START_TEST(test_wycheproof)
{
    json_t *root = vectors_optional("wycheproof/aes_cbc_pkcs5_test.json");
    json_t *group;
    json_t *row;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        if (vector_int(group, "keySize") != 8 * HAIL_CBC_KEY_LEN)
            continue;
        json_array_foreach(json_object_get(group, "tests"), j, row) check_wycheproof(row);
    }
    json_decref(root);
}
END_TEST

// The definition, read aloud.
static bool model_padding_ok(const uint8_t block[HAIL_CBC_BLOCK])
{
    uint8_t count = block[HAIL_CBC_BLOCK - 1];

    if (count < 1 || count > HAIL_CBC_BLOCK)
        return false;
    for (size_t i = HAIL_CBC_BLOCK - count; i < HAIL_CBC_BLOCK; i++) {
        if (block[i] != count)
            return false;
    }
    return true;
}

static void check_padding(const struct hail_cbc_key *key, const uint8_t block[HAIL_CBC_BLOCK])
{
    uint8_t text[2 * HAIL_CBC_BLOCK];
    size_t len;

    memcpy(text, block, HAIL_CBC_BLOCK);
    hail_cbc_encrypt(key, some_iv, text, HAIL_CBC_BLOCK); // and our own padding, which we cut off
    bool taken = hail_cbc_decrypt(key, some_iv, text, HAIL_CBC_BLOCK, &len);
    ck_assert_int_eq(taken, model_padding_ok(block));
    if (taken)
        ck_assert_uint_eq(len, HAIL_CBC_BLOCK - (size_t)block[HAIL_CBC_BLOCK - 1]);
}

// Every length of padding, with every byte of the block set to every value.
START_TEST(test_paddings_against_model)
{
    const struct hail_cbc_key key = some_key();

    for (uint8_t count = 1; count <= HAIL_CBC_BLOCK; count++) {
        for (size_t at = 0; at < HAIL_CBC_BLOCK; at++) {
            for (unsigned value = 0; value < 256; value++) {
                uint8_t block[HAIL_CBC_BLOCK];
                memset(block, 0xee, sizeof block);
                memset(block + sizeof block - count, count, count);
                block[at] = (uint8_t)value;
                check_padding(&key, block);
            }
        }
    }
    for (unsigned fill = 0; fill < 256; fill++) { // filled with one value, 0 and 17 among them
        uint8_t block[HAIL_CBC_BLOCK];
        memset(block, (int)fill, sizeof block);
        check_padding(&key, block);
    }
}
END_TEST

START_TEST(test_lengths)
{
    const struct hail_cbc_key key = some_key();

    for (size_t len = 0; len < 100; len++) {
        uint8_t text[112];
        size_t got;
        size_t padded = hail_cbc_padded_len(len);
        ck_assert_uint_gt(padded, len);
        ck_assert_uint_le(padded, len + HAIL_CBC_BLOCK);
        ck_assert_uint_eq(padded % HAIL_CBC_BLOCK, 0);
        memset(text, 0x42, sizeof text);
        hail_cbc_encrypt(&key, some_iv, text, len);
        for (size_t i = padded; i < sizeof text; i++)
            ck_assert_uint_eq(text[i], 0x42); // nothing written behind
        ck_assert(hail_cbc_decrypt(&key, some_iv, text, padded, &got));
        ck_assert_uint_eq(got, len);
        for (size_t i = 0; i < len; i++)
            ck_assert_uint_eq(text[i], 0x42);
        if (len % HAIL_CBC_BLOCK != 0 || len == 0)
            ck_assert(!hail_cbc_decrypt(&key, some_iv, text, len, &got));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cbc");
    TCase *tests = tcase_create("cbc");

    tcase_add_test(tests, test_sp800_38a);
    tcase_add_test(tests, test_wycheproof);
    tcase_add_test(tests, test_paddings_against_model);
    tcase_add_test(tests, test_lengths);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
