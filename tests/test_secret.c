// test_secret.c: wiping and comparing.
// SPDX-License-Identifier: MIT
#include "crypto/secret.h"

#include <string.h>

#include "tests/vectors.h"

START_TEST(test_equal_against_model)
{
    uint64_t dice = test_seed();

    for (int round = 0; round < 2000; round++) {
        uint8_t a[70];
        uint8_t b[70];
        size_t len = test_next(&dice) % sizeof a;
        for (size_t i = 0; i < len; i++)
            a[i] = b[i] = (uint8_t)test_next(&dice);
        ck_assert(hail_equal(a, b, len));
        if (len > 0) {
            b[test_next(&dice) % len] ^= (uint8_t)(1u << test_next(&dice) % 8);
            ck_assert(!hail_equal(a, b, len));
        }
    }
}
END_TEST

START_TEST(test_equal_looks_no_further)
{
    ck_assert(hail_equal("abcX", "abcY", 3));
    ck_assert(hail_equal("a", "b", 0));
}
END_TEST

START_TEST(test_wipe)
{
    for (size_t len = 0; len < 80; len++) {
        uint8_t bytes[96];
        memset(bytes, 0xaa, sizeof bytes);
        hail_wipe(bytes + 8, len);
        for (size_t i = 0; i < sizeof bytes; i++)
            ck_assert_uint_eq(bytes[i], i >= 8 && i < 8 + len ? 0 : 0xaa);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secret");
    TCase *tests = tcase_create("secret");

    tcase_add_test(tests, test_equal_against_model);
    tcase_add_test(tests, test_equal_looks_no_further);
    tcase_add_test(tests, test_wipe);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
