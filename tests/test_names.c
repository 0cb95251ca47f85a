// test_names.c: the hashes of names, and UTF-8 that is none.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/names.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

START_TEST(test_vectors)
{
    static const char *const fields[] = {"hash16", "hash32", "hash64"};
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "names"), "hashes"), i, row)
    {
        for (int size = HAIL_MLAPI_HASH_16; size <= HAIL_MLAPI_HASH_64; size++) {
            uint64_t got;
            ck_assert(hail_mlapi_name_hash(&got, vector_text(row, "name"),
                                           (enum hail_mlapi_hash_size)size));
            ck_assert_uint_eq(got, strtoull(vector_text(row, fields[size]), NULL, 16));
        }
    }
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}
END_TEST

static const struct {
    const char *why;
    const char *text;
    uint32_t units[4]; // of UTF-16, up to a 0; the first 0: it is no UTF-8
} texts[] = {
    {"a byte that only follows", "\x80", {0}},
    {"it may come late", "ab\xbf", {0}},
    {"two bytes for one: C0", "\xc0\x80", {0}},
    {"two bytes for one: C1", "\xc1\xbf", {0}},
    {"three bytes for two", "\xe0\x9f\xbf", {0}},
    {"four bytes for three", "\xf0\x8f\xbf\xbf", {0}},
    {"a first surrogate", "\xed\xa0\x80", {0}},
    {"a second surrogate", "\xed\xbf\xbf", {0}},
    {"above the last character", "\xf4\x90\x80\x80", {0}},
    {"F5", "\xf5\x80\x80\x80", {0}},
    {"FF", "\xff", {0}},
    {"cut short after one of two", "\xc3", {0}},
    {"cut short after two of three", "\xe2\x82", {0}},
    {"cut short after three of four", "\xf0\x9f\x98", {0}},
    {"followed by no follower", "\xc3x", {0}},
    {"one byte", "\x7f", {0x7f}},
    {"the first of two bytes", "\xc2\x80", {0x80}},
    {"the last of two bytes", "\xdf\xbf", {0x7ff}},
    {"the first of three bytes", "\xe0\xa0\x80", {0x800}},
    {"before the surrogates", "\xed\x9f\xbf", {0xd7ff}},
    {"after the surrogates", "\xee\x80\x80", {0xe000}},
    {"the last of three bytes", "\xef\xbf\xbf", {0xffff}},
    {"the first of four bytes", "\xf0\x90\x80\x80", {0xd800, 0xdc00}},
    {"the last character", "\xf4\x8f\xbf\xbf", {0xdbff, 0xdfff}},
    {"several", "a\xc3\xa5\xf0\x9f\x98\x80", {0x61, 0xe5, 0xd83d, 0xde00}},
};

START_TEST(test_text)
{
    uint64_t got;
    uint64_t hash64 = 0xcbf29ce484222325u;
    uint32_t hash32 = 0x811c9dc5u;

    ck_assert_msg(hail_mlapi_name_hash(&got, texts[_i].text, HAIL_MLAPI_HASH_64) ==
                      (texts[_i].units[0] != 0),
                  "%s", texts[_i].why);
    if (texts[_i].units[0] == 0)
        return;
    for (size_t i = 0; i < 4 && texts[_i].units[i] != 0; i++) {
        hash64 = (hash64 * 0x100000001b3u) ^ texts[_i].units[i];
        hash32 = (hash32 * 0x01000193u) ^ texts[_i].units[i];
    }
    ck_assert_msg(got == hash64, "%s", texts[_i].why);
    ck_assert(hail_mlapi_name_hash(&got, texts[_i].text, HAIL_MLAPI_HASH_32));
    ck_assert_msg(got == hash32, "%s", texts[_i].why);
    ck_assert(hail_mlapi_name_hash(&got, texts[_i].text, HAIL_MLAPI_HASH_16));
    ck_assert_uint_le(got, UINT16_MAX);
}
END_TEST

// FNV-1's published values (multiply, then xor).
START_TEST(test_bytes)
{
    ck_assert_uint_eq(hail_fnv1_64(NULL, 0), 0xcbf29ce484222325u);
    ck_assert_uint_eq(hail_fnv1_64((const uint8_t *)"a", 1), 0xaf63bd4c8601b7beu);
    ck_assert_uint_eq(hail_fnv1_64((const uint8_t *)"foobar", 6), 0x340d8765a4dda9c2u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *tests = tcase_create("names");

    tcase_add_test(tests, test_vectors);
    tcase_add_loop_test(tests, test_text, 0, HAIL_COUNTOF(texts));
    tcase_add_test(tests, test_bytes);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
