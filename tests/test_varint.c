// test_varint.c: numbers in the fewest bytes.
// SPDX-License-Identifier: MIT
#include "proto/varint.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

// len 0: refused.
static const struct {
    const char *why;
    const char *hex;
    size_t len;
    uint64_t value;
} rows[] = {
    {"nothing", "", 0, 0},
    {"0", "00", 1, 0},
    {"63", "3f", 1, 63},
    {"0 in two bytes", "4000", 0, 0},
    {"63 in two bytes", "403f", 0, 0},
    {"64", "4040", 2, 64},
    {"two bytes, cut off", "40", 0, 0},
    {"16383", "7fff", 2, 16383},
    {"16383 in four bytes", "80003fff", 0, 0},
    {"16384", "80004000", 4, 16384},
    {"four bytes, cut off", "800040", 0, 0},
    {"2^30 - 1", "bfffffff", 4, (1u << 30) - 1},
    {"2^30 - 1 in eight bytes", "c00000003fffffff", 0, 0},
    {"2^30", "c000000040000000", 8, 1u << 30},
    {"eight bytes, cut off", "c0000000400000", 0, 0},
    {"the largest", "ffffffffffffffff", 8, HAIL_VARINT_MAX},
    {"RFC 9000's example of eight bytes", "c2197c5eff14e88c", 8, UINT64_C(151288809941952652)},
    {"of four", "9d7f3e7d", 4, 494878333},
    {"of two", "7bbd", 2, 15293},
    {"of one", "25", 1, 37},
    {"of one, and more behind it", "25ffff", 1, 37},
};

START_TEST(test_row)
{
    struct vector_bytes bytes = test_unhex(rows[_i].hex);
    uint64_t value = 77;

    ck_assert_msg(hail_varint_read(&value, bytes.data, bytes.len) == rows[_i].len, "%s",
                  rows[_i].why);
    ck_assert_msg(value == (rows[_i].len == 0 ? 77 : rows[_i].value), "%s", rows[_i].why);
    free(bytes.data);
}
END_TEST

START_TEST(test_round_trip)
{
    uint64_t dice = test_seed();
    uint8_t bytes[HAIL_VARINT_LEN_MAX];

    for (int round = 0; round < 20000; round++) {
        uint64_t value = test_next(&dice) >> (2 + test_next(&dice) % 62);
        uint64_t read;
        size_t len = hail_varint_write(bytes, value);
        ck_assert_uint_eq(len, hail_varint_len(value));
        ck_assert_uint_eq(hail_varint_read(&read, bytes, sizeof bytes), len);
        ck_assert_uint_eq(read, value);
        for (size_t cut = 0; cut < len; cut++)
            ck_assert_uint_eq(hail_varint_read(&read, bytes, cut), 0);
    }
}
END_TEST

// Whatever is read is written back as it came.
START_TEST(test_one_form)
{
    uint64_t dice = test_seed();
    uint8_t again[HAIL_VARINT_LEN_MAX];

    for (int round = 0; round < 20000; round++) {
        uint64_t draw = test_next(&dice) & test_next(&dice);
        uint8_t bytes[HAIL_VARINT_LEN_MAX];
        uint64_t value;
        memcpy(bytes, &draw, sizeof bytes);
        size_t len = hail_varint_read(&value, bytes, sizeof bytes);
        if (len == 0)
            continue;
        ck_assert_uint_eq(hail_varint_write(again, value), len);
        ck_assert_mem_eq(again, bytes, len);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("varint");
    TCase *tests = tcase_create("varint");

    tcase_add_loop_test(tests, test_row, 0, HAIL_COUNTOF(rows));
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_one_form);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
