// test_hex.c: keys read from digits.
// SPDX-License-Identifier: MIT
#include "tests/vectors.h"
#include "tools/load/hex.h"

static const struct {
    const char *reason;
    const char *text;
    bool good;
} cases[] = {
    {"nothing", "", false},
    {"a digit too few", "00ff7", false},
    {"a digit too many", "00ff7f0", false},
    {"no digit", "00fg7f", false},
    {"a sign, which sscanf would take", "00+17f", false},
    {"a blank, likewise", "00 17f", false},
    {"a prefix, likewise", "0x1234", false},
    {"digits of both cases", "00fF7f", true},
};

START_TEST(test_read)
{
    uint8_t bytes[3];

    ck_assert_msg(hex_read(cases[_i].text, bytes, 3) == cases[_i].good, "%s", cases[_i].reason);
    if (cases[_i].good)
        ck_assert_mem_eq(bytes, "\x00\xff\x7f", 3);
}
END_TEST

START_TEST(test_write)
{
    char text[7];

    hex_write(text, (const uint8_t *)"\x00\xff\x7f", 3);
    ck_assert_str_eq(text, "00ff7f");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hex");
    TCase *tcase = tcase_create("hex");

    tcase_add_loop_test(tcase, test_read, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, test_write);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
