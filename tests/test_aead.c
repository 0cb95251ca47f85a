// test_aead.c: AES-256-GCM: wycheproof, in place, every byte that is changed, and both libraries
// against each other.
// SPDX-License-Identifier: MIT
#include "crypto/aead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

enum {
    TEXT_MAX = 4096,
    RANDOM_MAX = 16384, // bytes of a random message
    ROUNDS = 500000
};

// Each test is run with either library, where this machine has both.
static void use(int library)
{
    hail_aead_allow(library == 0);
}

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
    use(_i);
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

    use(_i);
    ck_assert(hail_aead_init(&aead, key));
    ck_assert(!aead.is_gcm || _i == 0);
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

// A length that is short more often than not.
static size_t any_length(uint64_t *dice)
{
    static const size_t most[] = {17, 65, 130, 257, 1300, 1300, RANDOM_MAX};

    return test_next(dice) % most[test_next(dice) % HAIL_COUNTOF(most)];
}

static void fill(uint8_t *data, size_t len, uint64_t *dice)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = test_next(dice);
        memcpy(data + i, &word, len - i < 8 ? len - i : 8);
    }
}

// A bit of ciphertext, tag or additional data, of which the ends are likelier.
static void flip(uint8_t *sealed, size_t sealed_len, uint8_t *ad, size_t ad_len, uint64_t *dice)
{
    size_t all = sealed_len + ad_len;
    size_t near = test_next(dice) % 20 % all;
    size_t at = test_next(dice) % 3 == 0   ? test_next(dice) % all
                : test_next(dice) % 2 == 0 ? near
                                           : all - 1 - near;
    uint8_t *byte = at < sealed_len ? &sealed[at] : &ad[at - sealed_len];

    *byte ^= (uint8_t)(1u << test_next(dice) % 8);
}

// A message as both libraries see it.
struct both {
    struct hail_aead keys[2];
    uint8_t nonce[HAIL_AEAD_NONCE_LEN];
    uint8_t ad[64];
    size_t ad_len;
    size_t len;
    uint8_t sealed[2][RANDOM_MAX + HAIL_AEAD_TAG_LEN];
};

// Whether both made the same of `text`, and both take it, or refuse it when it is forged and leave
// no plaintext behind.
static bool agree(struct both *both, const uint8_t *text, bool forged, uint64_t *dice)
{
    size_t all = both->len + HAIL_AEAD_TAG_LEN;
    bool good = true;

    for (int i = 0; i < 2; i++) {
        memcpy(both->sealed[i], text, both->len);
        hail_aead_seal(&both->keys[i], both->nonce, both->ad, both->ad_len, both->sealed[i],
                       both->len);
    }
    good = memcmp(both->sealed[0], both->sealed[1], all) == 0;
    if (forged) {
        flip(both->sealed[0], all, both->ad, both->ad_len, dice);
        memcpy(both->sealed[1], both->sealed[0], all);
    }
    for (int i = 0; i < 2; i++)
        good = good && hail_aead_open(&both->keys[i], both->nonce, both->ad, both->ad_len,
                                      both->sealed[i], all) == !forged;
    return good && memcmp(both->sealed[0], both->sealed[1], both->len) == 0 &&
           (forged || memcmp(both->sealed[0], text, both->len) == 0);
}

START_TEST(test_libraries_agree)
{
    static uint8_t text[RANDOM_MAX];
    static struct both both;
    uint8_t key[HAIL_AEAD_KEY_LEN];
    uint64_t dice = test_seed();

    fill(text, sizeof text, &dice);
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 64 == 0) {
            fill(key, sizeof key, &dice);
            for (int library = 0; library < 2; library++) {
                use(library);
                ck_assert(hail_aead_init(&both.keys[library], key));
            }
            if (!both.keys[0].is_gcm)
                return; // there is only one
        }
        both.len = any_length(&dice);
        both.ad_len = test_next(&dice) % (sizeof both.ad + 1);
        fill(both.nonce, sizeof both.nonce, &dice);
        fill(both.ad, both.ad_len, &dice);
        if (!agree(&both, text, test_next(&dice) % 4 == 0, &dice))
            ck_abort_msg("round %d: %zu bytes, %zu of additional data", round, both.len,
                         both.ad_len);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aead");
    TCase *tests = tcase_create("aead");

    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, test_tampered, 0, 2);
    tcase_add_loop_test(tests, test_wycheproof, 0, 2);
    tcase_add_loop_test(tests, test_libraries_agree, 0, 4);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
