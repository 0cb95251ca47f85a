// test_unpack.c: all frames of a packet are read before any is acted on.
// SPDX-License-Identifier: MIT
#include "proto/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

enum {
    NEXT_NUMBER = 1000, // packets below it have been sent
    TYPES_MAX = 16
};

// A packet's frames, and the types that come of them, with a ! for those whose name is not there.
static const struct {
    const char *why;
    const char *hex;
    enum hail_verdict want;
    const char *types; // two digits each
} rows[] = {
    {"nothing but padding", "000000", HAIL_ACCEPT, ""},
    {"one message", "01aa", HAIL_ACCEPT, "01"},
    {"padding around it", "00008101aa0000", HAIL_ACCEPT, "01"},
    {"padding between two", "8101aa0000008101bb", HAIL_ACCEPT, "01 01"},
    {"as many as are kept", "8101aa8101bb8101cc8101dd", HAIL_ACCEPT, "01 01 01 01"},
    {"more than are kept", "8101aa8101bb8101cc8101dd99008101ee", HAIL_ACCEPT, "01 01 01 01 19 01"},
    {"a name that is not there, between two", "8101aa8201098101bb", HAIL_ACCEPT, "01 02! 01"},
    {"the same behind those that are kept", "8101aa8101bb8101cc8101dd8201098101ee", HAIL_ACCEPT,
     "01 01 01 01 02! 01"},
    {"a bad length behind a good message", "8101aa8105bb", HAIL_DROP_MALFORMED, NULL},
    {"a type that there is not behind one", "8101aa9c00", HAIL_DROP_TYPE, NULL},
    {"a type that there is not before one", "9c008101aa", HAIL_DROP_TYPE, NULL},
    {"a bad frame behind those that are kept", "8101aa8101bb8101cc8101dd900101",
     HAIL_DROP_MALFORMED, NULL},
    {"a bad type behind those and another", "8101aa8101bb8101cc8101dd8101ee9c00", HAIL_DROP_TYPE,
     NULL},
    {"an acknowledgement", "98050003e7000019", HAIL_ACCEPT, "18 19"},
    {"one without its ranges behind a message", "8101aa98030003e7", HAIL_DROP_MALFORMED, NULL},
    {"one that goes below 0 behind a message", "8101aa98050000050006", HAIL_DROP_MALFORMED, NULL},
    {"one that is false, whose form is good", "8101aa98050003e80000", HAIL_ACCEPT, "01 18"},
};

START_TEST(test_rows)
{
    static struct hail_policy policy; // no names, and the four channels
    struct vector_bytes bytes = test_unhex(rows[_i].hex);
    struct hail_unpack unpack;
    char types[4 * TYPES_MAX + 1] = "";
    struct hail_unpacked_frame *read;
    size_t len = 0;

    enum hail_verdict verdict =
        hail_unpack_begin(&unpack, &policy, bytes.data, bytes.len, NEXT_NUMBER);
    ck_assert_msg(verdict == rows[_i].want, "%s: %s", rows[_i].why, hail_verdict_name(verdict));
    while (verdict == HAIL_ACCEPT && (read = hail_unpack_next(&unpack))) {
        ck_assert_uint_lt(len, 4 * TYPES_MAX - 4);
        len += (size_t)snprintf(types + len, sizeof types - len, "%s%02x%s", len > 0 ? " " : "",
                                (unsigned)read->frame.type,
                                read->verdict == HAIL_DROP_NAME ? "!" : "");
    }
    if (rows[_i].types)
        ck_assert_msg(strcmp(types, rows[_i].types) == 0, "%s: %s", rows[_i].why, types);
    free(bytes.data);
}
END_TEST

// What is read again beyond those that are kept is the same, body and all.
START_TEST(test_bodies)
{
    static struct hail_policy policy;
    struct vector_bytes bytes = test_unhex("8101008101018101028101038101048101058101068107");
    struct hail_unpack unpack;
    struct hail_unpacked_frame *read;
    uint8_t body = 0;

    ck_assert_int_eq(hail_unpack_begin(&unpack, &policy, bytes.data, bytes.len - 2, NEXT_NUMBER),
                     HAIL_ACCEPT);
    for (; (read = hail_unpack_next(&unpack)); body++) {
        ck_assert_uint_eq(read->frame.message.body_len, 1);
        ck_assert_uint_eq(read->frame.message.body[0], body);
    }
    ck_assert_uint_eq(body, 7);
    free(bytes.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unpack");
    TCase *tests = tcase_create("unpack");

    tcase_add_loop_test(tests, test_rows, 0, HAIL_COUNTOF(rows));
    tcase_add_test(tests, test_bodies);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
