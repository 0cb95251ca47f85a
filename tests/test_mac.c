// test_mac.c: HMAC-SHA256: RFC 4231, wycheproof, and where the result may lie.
// SPDX-License-Identifier: MIT
#include "crypto/mac.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

// A key or text is `text`, or, if that is NULL, `fill` repeated `len` times.
static const struct {
    const char *why;
    const char *key;
    uint8_t key_fill;
    size_t key_len;
    const char *text;
    uint8_t text_fill;
    size_t text_len;
    const char *mac; // in hex; a prefix where the RFC truncates
} rfc4231[] = {
    {"case 1", NULL, 0x0b, 20, "Hi There", 0, 8,
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"case 2: a short key", "Jefe", 0, 4, "what do ya want for nothing?", 0, 28,
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"case 3", NULL, 0xaa, 20, NULL, 0xdd, 50,
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"case 4", "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31", 0, 25, NULL,
     0xcd, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {"case 5: truncated", NULL, 0x0c, 20, "Test With Truncation", 0, 20,
     "a3b6167473100ee06e0c796c2955552b"},
    {"case 6: a key longer than a block", NULL, 0xaa, 131,
     "Test Using Larger Than Block-Size Key - Hash Key First", 0, 54,
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"case 7: both longer than a block", NULL, 0xaa, 131,
     "This is a test using a larger than block-size key and a larger than block-size data. The key "
     "needs to be hashed before being used by the HMAC algorithm.",
     0, 152, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static void fill(uint8_t *out, const char *text, uint8_t filler, size_t len)
{
    if (text)
        memcpy(out, text, len);
    else
        memset(out, filler, len);
}

START_TEST(test_rfc4231)
{
    struct vector_bytes want = test_unhex(rfc4231[_i].mac);
    uint8_t secret[200];
    uint8_t text[200];
    uint8_t got[HAIL_MAC_LEN];
    struct hail_mac_key key;

    fill(secret, rfc4231[_i].key, rfc4231[_i].key_fill, rfc4231[_i].key_len);
    fill(text, rfc4231[_i].text, rfc4231[_i].text_fill, rfc4231[_i].text_len);
    hail_mac_key_init(&key, secret, rfc4231[_i].key_len);
    hail_mac_sha256(&key, got, text, rfc4231[_i].text_len);
    ck_assert_msg(memcmp(got, want.data, want.len) == 0, "%s", rfc4231[_i].why);
    free(want.data);
}
END_TEST

START_TEST(test_wycheproof)
{
    json_t *root = vectors_optional("wycheproof/hmac_sha256_test.json");
    json_t *group;
    json_t *row;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        json_array_foreach(json_object_get(group, "tests"), j, row)
        {
            struct vector_bytes secret = vector_hex(row, "key");
            struct vector_bytes text = vector_hex(row, "msg");
            struct vector_bytes tag = vector_hex(row, "tag");
            bool valid = strcmp(vector_text(row, "result"), "valid") == 0;
            uint8_t got[HAIL_MAC_LEN];
            struct hail_mac_key key;

            hail_mac_key_init(&key, secret.data, secret.len);
            hail_mac_sha256(&key, got, text.data, text.len);
            ck_assert_msg((memcmp(got, tag.data, tag.len) == 0) == valid, "tcId %d: %s",
                          (int)vector_int(row, "tcId"), vector_text(row, "comment"));
            free(secret.data);
            free(text.data);
            free(tag.data);
        }
    }
    json_decref(root);
}
END_TEST

// The result may be written over any part of the text, and the key serves again.
START_TEST(test_result_inside_text)
{
    struct hail_mac_key key;
    uint8_t text[100];
    uint8_t want[HAIL_MAC_LEN];

    hail_mac_key_init(&key, (const uint8_t *)"key", 3);
    memset(text, 0x5a, sizeof text);
    hail_mac_sha256(&key, want, text, sizeof text);
    for (size_t at = 0; at + HAIL_MAC_LEN <= sizeof text; at++) {
        memset(text, 0x5a, sizeof text);
        hail_mac_sha256(&key, text + at, text, sizeof text);
        ck_assert_mem_eq(text + at, want, sizeof want);
    }
}
END_TEST

START_TEST(test_no_key_no_text)
{
    struct vector_bytes want =
        test_unhex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    uint8_t got[HAIL_MAC_LEN];
    struct hail_mac_key key;

    hail_mac_key_init(&key, NULL, 0);
    hail_mac_sha256(&key, got, NULL, 0);
    ck_assert_mem_eq(got, want.data, sizeof got);
    free(want.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mac");
    TCase *tests = tcase_create("mac");

    tcase_add_loop_test(tests, test_rfc4231, 0, HAIL_COUNTOF(rfc4231));
    tcase_add_test(tests, test_wycheproof);
    tcase_add_test(tests, test_result_inside_text);
    tcase_add_test(tests, test_no_key_no_text);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
