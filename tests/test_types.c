// test_types.c: C#'s types as arguments of RPCs: each row of MLAPI.md's table says what is written
// here, and what was written is read again.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/hail.h"
#include "tests/vectors.h"

// Each writes its row's value; the reader takes it back and says whether it is the same.
static void write_bool(struct hail_writer *w)
{
    hail_write_bool(w, true);
}
static bool read_bool(struct hail_reader *r)
{
    return hail_read_bool(r);
}
static void write_byte(struct hail_writer *w)
{
    hail_write_byte(w, 250);
}
static bool read_byte(struct hail_reader *r)
{
    return hail_read_byte(r) == 250;
}
static void write_sbyte(struct hail_writer *w)
{
    hail_write_byte(w, (uint8_t)-3);
}
static bool read_sbyte(struct hail_reader *r)
{
    return (int8_t)hail_read_byte(r) == -3;
}
static void write_ushort(struct hail_writer *w)
{
    hail_write_uint(w, 250);
}
static bool read_ushort(struct hail_reader *r)
{
    return hail_read_uint(r) == 250;
}
static void write_ulong(struct hail_writer *w)
{
    hail_write_uint(w, 70000);
}
static bool read_ulong(struct hail_reader *r)
{
    return hail_read_uint(r) == 70000;
}
static void write_char(struct hail_writer *w)
{
    hail_write_uint(w, 0xe9);
}
static bool read_char(struct hail_reader *r)
{
    return hail_read_uint(r) == 0xe9;
}
static void write_int(struct hail_writer *w)
{
    hail_write_int(w, -2);
}
static bool read_int(struct hail_reader *r)
{
    return hail_read_int(r) == -2;
}
static void write_long(struct hail_writer *w)
{
    hail_write_int(w, 1000);
}
static bool read_long(struct hail_reader *r)
{
    return hail_read_int(r) == 1000;
}
static void write_float(struct hail_writer *w)
{
    hail_write_float(w, 1.0F);
}
static bool read_float(struct hail_reader *r)
{
    float one = 1.0F;
    float got = hail_read_float(r);

    return memcmp(&got, &one, sizeof got) == 0;
}
static void write_double(struct hail_writer *w)
{
    hail_write_double(w, 1.0);
}
static bool read_double(struct hail_reader *r)
{
    double one = 1.0;
    double got = hail_read_double(r);

    return memcmp(&got, &one, sizeof got) == 0;
}
static void write_string(struct hail_writer *w)
{
    hail_write_string(w, "hi");
}
static bool read_string(struct hail_reader *r)
{
    char text[8];

    return hail_read_string(r, text, sizeof text) && strcmp(text, "hi") == 0;
}
static void write_null(struct hail_writer *w)
{
    hail_write_string(w, NULL);
}
static bool read_null(struct hail_reader *r)
{
    char text[8] = "x";

    return !hail_read_string(r, text, sizeof text) && !r->failed && text[0] == 0;
}
static void write_bytes(struct hail_writer *w)
{
    hail_write_bytes(w, "\x01\xfa", 2);
}
static bool read_bytes(struct hail_reader *r)
{
    uint8_t got[4];

    return hail_read_bytes(r, got, sizeof got) == 2 && got[1] == 0xfa;
}
static void write_no_bytes(struct hail_writer *w)
{
    hail_write_bytes(w, NULL, 0);
}
static bool read_no_bytes(struct hail_reader *r)
{
    uint8_t got[4];

    return hail_read_bytes(r, got, sizeof got) == 0;
}
static void write_ints(struct hail_writer *w)
{
    hail_write_array(w, 2);
    hail_write_int(w, 1);
    hail_write_int(w, -1);
}
static bool read_ints(struct hail_reader *r)
{
    size_t count;

    return hail_read_array(r, &count) && count == 2 && hail_read_int(r) == 1 &&
           hail_read_int(r) == -1;
}
static void write_bools(struct hail_writer *w)
{
    hail_write_array(w, 3);
    hail_write_bool(w, true);
    hail_write_bool(w, false);
    hail_write_bool(w, true);
}
static bool read_bools(struct hail_reader *r)
{
    size_t count;

    return hail_read_array(r, &count) && count == 3 && hail_read_bool(r) && !hail_read_bool(r) &&
           hail_read_bool(r);
}
static void write_strings(struct hail_writer *w)
{
    hail_write_array(w, 2);
    hail_write_string(w, "a");
    hail_write_string(w, NULL);
}
static bool read_strings(struct hail_reader *r)
{
    size_t count;
    char text[4];

    return hail_read_array(r, &count) && count == 2 && hail_read_string(r, text, sizeof text) &&
           !hail_read_string(r, text, sizeof text) && !r->failed;
}
static void write_nullable(struct hail_writer *w)
{
    hail_write_present(w);
    hail_write_int(w, 5);
}
static bool read_nullable(struct hail_reader *r)
{
    return hail_read_present(r) && hail_read_int(r) == 5;
}
static void write_no_value(struct hail_writer *w)
{
    hail_write_null(w);
}
static bool read_no_value(struct hail_reader *r)
{
    return !hail_read_present(r) && !r->failed;
}
static void write_vector(struct hail_writer *w)
{
    for (int i = 0; i < 3; i++)
        hail_write_float(w, (float)i);
}
static bool read_vector(struct hail_reader *r)
{
    int sum = 0;

    for (int i = 0; i < 3; i++)
        sum += (int)hail_read_float(r);
    return sum == 3;
}
static void write_object(struct hail_writer *w)
{
    hail_write_present(w);
    hail_write_uint(w, 3);
}
static bool read_object(struct hail_reader *r)
{
    return hail_read_present(r) && hail_read_uint(r) == 3;
}
static void write_behaviour(struct hail_writer *w)
{
    hail_write_present(w);
    hail_write_uint(w, 3);
    hail_write_uint(w, 1);
}
static bool read_behaviour(struct hail_reader *r)
{
    return hail_read_present(r) && hail_read_uint(r) == 3 && hail_read_uint(r) == 1;
}
static void write_stream_bytes(struct hail_writer *w)
{
    hail_write_stream_bytes(w, "\x01\xfa", 2);
}
static bool read_stream_bytes(struct hail_reader *r)
{
    uint8_t got[4];

    return hail_read_stream_bytes(r, got, sizeof got) == 2 && got[1] == 0xfa;
}
static void write_stream_string(struct hail_writer *w)
{
    hail_write_stream_string(w, "hi");
}
static bool read_stream_string(struct hail_reader *r)
{
    char text[8];

    return hail_read_stream_string(r, text, sizeof text) && strcmp(text, "hi") == 0;
}

// As the document has them. The bytes were worked out by hand: a bool shifts all that follows.
static const struct {
    const char *type;
    const char *calls;
    const char *value;
    const char *hex;
    void (*write)(struct hail_writer *writer);
    bool (*read)(struct hail_reader *reader);
} rows[] = {
    {"`bool`", "`bool`", "`true`", "01", write_bool, read_bool},
    {"`byte`", "`byte`", "250", "fa", write_byte, read_byte},
    {"`sbyte`", "`byte`", "-3", "fd", write_sbyte, read_sbyte},
    {"`ushort`", "`uint`", "250", "f10a", write_ushort, read_ushort},
    {"`uint`, `ulong`", "`uint`", "70000", "fa701101", write_ulong, read_ulong},
    {"`char`", "`uint`", "`'é'`", "e9", write_char, read_char},
    {"`short`, `int`, enums", "`int`", "-2", "03", write_int, read_int},
    {"`long`", "`int`", "1000", "f7e0", write_long, read_long},
    {"`float`", "`float`", "1", "fb0000803f", write_float, read_float},
    {"`double`", "`double`", "1", "ff000000000000f03f", write_double, read_double},
    {"`string`", "`string`", "`\"hi\"`", "04d0d200", write_string, read_string},
    {"`string`", "`string` with NULL", "`null`", "01", write_null, read_null},
    {"`byte[]`", "`bytes`", "1, 250", "0802f401", write_bytes, read_bytes},
    {"`byte[]`", "`bytes` with NULL", "`null`", "01", write_no_bytes, read_no_bytes},
    {"`int[]`", "`array`, then `int`s", "1, -1", "08040200", write_ints, read_ints},
    {"`bool[]`", "`array`, then `bool`s", "`true`, `false`, `true`", "0c0a", write_bools,
     read_bools},
    {"`string[]`", "`array`, then `string`s", "`\"a\"`, `null`", "08048405", write_strings,
     read_strings},
    {"`int?`", "`present`, then `int`", "5", "1400", write_nullable, read_nullable},
    {"`int?`", "`null`", "`null`", "01", write_no_value, read_no_value},
    {"`Vector3`", "`float` thrice", "0, 1, 2", "00fb0000803ffb00000040", write_vector, read_vector},
    {"`GameObject`, `NetworkedObject`", "`present`, `uint`", "network id 3", "0600", write_object,
     read_object},
    {"`NetworkedBehaviour`", "`present`, `uint`, `uint`", "of 3, order 1", "060200",
     write_behaviour, read_behaviour},
    {"`WriteByteArray`", "`stream_bytes`", "1, 250", "0201fa", write_stream_bytes,
     read_stream_bytes},
    {"`WriteStringPacked`", "`stream_string`", "`\"hi\"`", "026869", write_stream_string,
     read_stream_string},
};

enum {
    ROW_COUNT = sizeof rows / sizeof *rows
};

START_TEST(test_row)
{
    uint8_t bytes[32];
    struct hail_writer writer;
    struct hail_reader reader;
    char hex[65] = "";

    hail_writer_init(&writer, bytes, sizeof bytes);
    rows[_i].write(&writer);
    ck_assert(!writer.failed);
    size_t len = hail_writer_len(&writer);
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    ck_assert_msg(strcmp(hex, rows[_i].hex) == 0, "%s: %s, not %s", rows[_i].type, hex,
                  rows[_i].hex);
    hail_reader_init(&reader, bytes, len);
    ck_assert_msg(rows[_i].read(&reader), "%s is not read as it was written", rows[_i].type);
    ck_assert(!reader.failed);
    for (size_t cut = 0; cut < len; cut++) { // cut anywhere it fails, and nothing is read past it
        uint8_t *part = malloc(cut + 1);
        memcpy(part, bytes, cut);
        hail_reader_init(&reader, part, cut);
        (void)rows[_i].read(&reader);
        ck_assert_msg(reader.failed, "%s of %zu bytes is taken for whole", rows[_i].type, cut);
        free(part);
    }
}
END_TEST

// The document's table has these rows, and no others.
START_TEST(test_document)
{
    char *text = vector_document_text("proto/mlapi/MLAPI.md", NULL);
    char *table = strstr(text, "## Types\n");
    size_t count = 0;

    ck_assert_ptr_nonnull(table);
    char *end = strstr(table + 1, "\n## ");
    ck_assert_ptr_nonnull(end);
    *end = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char row[256];
        snprintf(row, sizeof row, "\n| %s | %s | %s | `%s` |", rows[i].type, rows[i].calls,
                 rows[i].value, rows[i].hex);
        ck_assert_msg(strstr(table, row) != NULL, "MLAPI.md lacks the row%s", row);
    }
    for (char *at = strstr(table, "` |\n"); at; at = strstr(at + 1, "` |\n"))
        count++;
    ck_assert_uint_eq(count, ROW_COUNT);
    free(text);
}
END_TEST

static const struct {
    const char *why;
    const char *hex;
} bad_arrays[] = {
    {"more elements than there are bits", "0c"},
    {"a negative count", "02"},
    {"2^62 elements", "fe01000000000000"},
    {"nothing at all", ""},
};

START_TEST(test_bad_array)
{
    struct vector_bytes bytes = test_unhex(bad_arrays[_i].hex);
    struct hail_reader reader;
    size_t count = 7;
    uint8_t out[4];

    hail_reader_init(&reader, bytes.data, bytes.len);
    ck_assert_msg(!hail_read_array(&reader, &count), "%s", bad_arrays[_i].why);
    ck_assert_uint_eq(count, 0);
    ck_assert(reader.failed);
    hail_reader_init(&reader, bytes.data, bytes.len);
    ck_assert_uint_eq(hail_read_bytes(&reader, out, sizeof out), 0);
    ck_assert(reader.failed);
    free(bytes.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("types");
    TCase *tests = tcase_create("types");

    tcase_add_loop_test(tests, test_row, 0, ROW_COUNT);
    tcase_add_test(tests, test_document);
    tcase_add_loop_test(tests, test_bad_array, 0, sizeof bad_arrays / sizeof *bad_arrays);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
