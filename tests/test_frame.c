// test_frame.c: frames on a stream, torn anywhere.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/frame.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

static const struct {
    const char *why;
    const char *stream; // in hex
    size_t payload_max;
    enum hail_mlapi_frame_state want;
    size_t payload_len;
} rows[] = {
    {"length 0", "00000000", 100, HAIL_MLAPI_FRAME_BAD, 0},
    {"length 0, and more bytes", "0000000001", 100, HAIL_MLAPI_FRAME_BAD, 0},
    {"one above the maximum", "00000065", 100, HAIL_MLAPI_FRAME_BAD, 0},
    {"2^31", "80000000", 100, HAIL_MLAPI_FRAME_BAD, 0},
    {"the largest there is", "ffffffff", 100, HAIL_MLAPI_FRAME_BAD, 0},
    {"little-endian", "01000000aa", 100, HAIL_MLAPI_FRAME_BAD, 0},
    {"nothing", "", 100, HAIL_MLAPI_FRAME_PARTIAL, 0},
    {"no whole header, though it must be bad", "ffffff", 100, HAIL_MLAPI_FRAME_PARTIAL, 0},
    {"a header of the maximum", "00000064", 100, HAIL_MLAPI_FRAME_PARTIAL, 100},
    {"a byte missing", "0000000201", 100, HAIL_MLAPI_FRAME_PARTIAL, 2},
    {"whole", "000000020102", 100, HAIL_MLAPI_FRAME_WHOLE, 2},
    {"whole, and another begins", "00000002010200", 2, HAIL_MLAPI_FRAME_WHOLE, 2},
};

START_TEST(test_row)
{
    struct vector_bytes stream = test_unhex(rows[_i].stream);
    size_t payload_len = 77;

    enum hail_mlapi_frame_state got =
        hail_mlapi_frame_next(stream.data, stream.len, rows[_i].payload_max, &payload_len);
    ck_assert_msg(got == rows[_i].want && payload_len == rows[_i].payload_len, "%s", rows[_i].why);
    free(stream.data);
}
END_TEST

// Frames written and read back, with the stream cut at every byte.
START_TEST(test_torn)
{
    static const size_t lens[] = {1, 2, 255, 256, 300};

    for (size_t i = 0; i < HAIL_COUNTOF(lens); i++) {
        size_t whole = HAIL_MLAPI_FRAME_HEADER_LEN + lens[i];
        uint8_t stream[HAIL_MLAPI_FRAME_HEADER_LEN + 300];
        memset(stream, 0xee, sizeof stream);
        hail_mlapi_frame_write(stream, lens[i]);
        for (size_t cut = 0; cut <= whole; cut++) {
            size_t payload_len;
            uint8_t *part = malloc(cut ? cut : 1); // exactly: a sanitizer sees a read behind
            ck_assert_ptr_nonnull(part);
            memcpy(part, stream, cut);
            ck_assert_int_eq(hail_mlapi_frame_next(part, cut, 300, &payload_len),
                             cut < whole ? HAIL_MLAPI_FRAME_PARTIAL : HAIL_MLAPI_FRAME_WHOLE);
            ck_assert_uint_eq(payload_len, cut < HAIL_MLAPI_FRAME_HEADER_LEN ? 0 : lens[i]);
            free(part);
        }
    }
}
END_TEST

START_TEST(test_write)
{
    uint8_t header[HAIL_MLAPI_FRAME_HEADER_LEN];

    hail_mlapi_frame_write(header, 0x01020304);
    ck_assert_mem_eq(header, "\1\2\3\4", sizeof header);
    hail_mlapi_frame_write(header, UINT32_MAX);
    ck_assert_mem_eq(header, "\xff\xff\xff\xff", sizeof header);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frame");
    TCase *tests = tcase_create("frame");

    tcase_add_loop_test(tests, test_row, 0, HAIL_COUNTOF(rows));
    tcase_add_test(tests, test_torn);
    tcase_add_test(tests, test_write);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
