// test_bits.c: MLAPI's numbers, strings and arrays: as it wrote them, aligned or not, and cut
// anywhere.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/bits.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

// Runs `check` over every row of a list of the vectors' "serialization".
static void each(const char *list, void (*check)(const json_t *row))
{
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "serialization"), list), i, row)
        check(row);
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}

static void check_written(const struct hail_bits_writer *writer, const struct vector_bytes *want)
{
    ck_assert(!writer->failed);
    ck_assert_uint_eq(hail_bits_len(writer), want->len);
    ck_assert_mem_eq(writer->data, want->data, want->len);
}

// A varint reads right, and cut anywhere it fails and gives 0.
static void check_varint(const struct vector_bytes *bytes, uint64_t value)
{
    uint8_t out[9];
    struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);

    hail_bits_write_varint(&writer, value);
    check_written(&writer, bytes);
    ck_assert_uint_eq(hail_bits_varint_len(value), bytes->len);
    for (size_t len = 0; len <= bytes->len; len++) {
        struct hail_bits_reader reader = hail_bits_reader(bytes->data, len);
        uint64_t got = hail_bits_read_varint(&reader);
        ck_assert_int_eq(reader.failed, len < bytes->len);
        if (!reader.failed)
            ck_assert_uint_eq(got, value);
    }
}

static void check_unsigned(const json_t *row)
{
    struct vector_bytes bytes = vector_hex(row, "bytes");

    check_varint(&bytes, strtoull(vector_text(row, "value"), NULL, 10));
    free(bytes.data);
}

static void check_signed(const json_t *row)
{
    struct vector_bytes bytes = vector_hex(row, "bytes");
    int64_t value = strtoll(vector_text(row, "value"), NULL, 10);
    struct hail_bits_reader reader = hail_bits_reader(bytes.data, bytes.len);
    uint8_t out[9];
    struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);

    check_varint(&bytes, strtoull(vector_text(row, "zigzag"), NULL, 10));
    ck_assert_int_eq(hail_bits_read_zigzag(&reader), value);
    ck_assert(!reader.failed);
    hail_bits_write_zigzag(&writer, value);
    check_written(&writer, &bytes);
    free(bytes.data);
}

static void check_float(const json_t *row)
{
    struct vector_bytes bytes = vector_hex(row, "bytes");
    float value = strtof(vector_text(row, "value"), NULL);
    struct hail_bits_reader reader = hail_bits_reader(bytes.data, bytes.len);
    uint8_t out[9];
    struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);

    float got = hail_bits_read_float(&reader);
    ck_assert_mem_eq(&got, &value, sizeof got);
    hail_bits_write_float(&writer, value);
    check_written(&writer, &bytes);
    free(bytes.data);
}

static void check_array(const json_t *row)
{
    struct vector_bytes prefix = vector_hex(row, "prefix");
    size_t len = (size_t)vector_int(row, "length");

    check_varint(&prefix, len);
    if (!json_is_null(json_object_get(row, "array"))) {
        struct vector_bytes array = vector_hex(row, "array");
        struct vector_bytes bytes = vector_hex(row, "bytes");
        struct hail_bits_reader reader = hail_bits_reader(bytes.data, bytes.len);
        uint8_t out[64];
        struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);
        size_t got_len;
        const uint8_t *got = hail_bits_view_bytes(&reader, &got_len);

        ck_assert(!reader.failed);
        ck_assert_uint_eq(got_len, array.len);
        ck_assert_ptr_eq(got, bytes.data + prefix.len);
        hail_bits_write_array(&writer, array.data, array.len);
        check_written(&writer, &bytes);
        for (size_t cut = 0; cut < bytes.len; cut++) {
            reader = hail_bits_reader(bytes.data, cut);
            got = hail_bits_view_bytes(&reader, &got_len);
            ck_assert(reader.failed && !got && got_len == 0);
        }
        free(array.data);
        free(bytes.data);
    }
    free(prefix.data);
}

static void check_string(const json_t *row)
{
    struct vector_bytes wide = vector_hex(row, "WriteString");
    struct vector_bytes packed = vector_hex(row, "WriteStringPacked");
    const char *text = vector_text(row, "text");
    uint8_t out[64];
    char got[64];
    struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);

    hail_bits_write_string_wide(&writer, text);
    check_written(&writer, &wide);
    writer = hail_bits_writer(out, sizeof out);
    hail_bits_write_string(&writer, text);
    check_written(&writer, &packed);
    for (size_t cut = 0; cut <= packed.len; cut++) {
        struct hail_bits_reader reader = hail_bits_reader(packed.data, cut);
        size_t len = hail_bits_read_string(&reader, got, sizeof got);
        ck_assert_int_eq(reader.failed, cut < packed.len);
        ck_assert_str_eq(got, reader.failed ? "" : text);
        ck_assert_uint_eq(len, strlen(got));
    }
    for (size_t capacity = 0; capacity <= strlen(text); capacity++) { // no room for the terminator
        struct hail_bits_reader reader = hail_bits_reader(packed.data, packed.len);
        ck_assert_uint_eq(hail_bits_read_string(&reader, got, capacity), 0);
        ck_assert(reader.failed);
    }
    free(wide.data);
    free(packed.data);
}

static const struct {
    const char *list;
    void (*check)(const json_t *row);
} lists[] = {
    {"uint64_packed", check_unsigned}, {"int64_packed", check_signed},
    {"single_packed", check_float},    {"byte_array", check_array},
    {"strings", check_string},
};

START_TEST(test_list)
{
    each(lists[_i].list, lists[_i].check);
}
END_TEST

// The calls of the vectors' "bit_order", by the text they have there: w writes `value` in `bits`,
// v a varint, a the array 01 02 ff.
static const struct {
    const char *calls;
    const char *steps;
    struct {
        uint64_t value;
        unsigned bits;
    } arguments[4];
} orders[] = {
    {"bit(1)", "w", {{1, 1}}},
    {"bit(0) bit(1)", "ww", {{0, 1}, {1, 1}}},
    {"bit(1) bit(0) bits(20,6)", "www", {{1, 1}, {0, 1}, {20, 6}}},
    {"bit(1) UInt64Packed(300) pad", "wv", {{1, 1}, {300, 0}}},
    {"bits(5,3) byte(0xab) byte(0xcd) pad", "www", {{5, 3}, {0xab, 8}, {0xcd, 8}}},
    {"WriteBits(ulong 0x1ABCD, 17) pad", "w", {{0x1abcd, 17}}},
    {"UInt16(0x1234) UInt32(0x12345678)", "ww", {{0x1234, 16}, {0x12345678, 32}}},
    {"bit(1) bytearray(01 02 ff) bit(1) pad", "waw", {{1, 1}, {0, 0}, {1, 1}}},
};

static void check_order(const json_t *row)
{
    static const uint8_t array[] = {1, 2, 0xff};
    struct vector_bytes want = vector_hex(row, "bytes");
    size_t which = 0;
    uint8_t out[16];
    struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);
    struct hail_bits_reader reader = hail_bits_reader(want.data, want.len);

    while (which < HAIL_COUNTOF(orders) &&
           strcmp(orders[which].calls, vector_text(row, "calls")) != 0)
        which++;
    ck_assert_uint_lt(which, HAIL_COUNTOF(orders));
    for (size_t i = 0; orders[which].steps[i]; i++) {
        uint64_t value = orders[which].arguments[i].value;
        unsigned bits = orders[which].arguments[i].bits;
        switch (orders[which].steps[i]) {
        case 'w':
            hail_bits_write_bits(&writer, value, bits);
            ck_assert_uint_eq(hail_bits_read_bits(&reader, bits), value);
            break;
        case 'v':
            hail_bits_write_varint(&writer, value);
            ck_assert_uint_eq(hail_bits_read_varint(&reader), value);
            break;
        default: {
            uint8_t got[sizeof array];
            hail_bits_write_array(&writer, array, sizeof array);
            ck_assert_uint_eq(hail_bits_read_length(&reader), sizeof array);
            hail_bits_read_bytes(&reader, got, sizeof got);
            ck_assert_mem_eq(got, array, sizeof array);
        }
        }
    }
    check_written(&writer, &want);
    ck_assert(!reader.failed);
    free(want.data);
}

START_TEST(test_bit_order)
{
    each("bit_order", check_order);
}
END_TEST

// What a peer may send and no reader may take.
static const struct {
    const char *why;
    const char *bytes;
    char reads; // v view, s string, f float
} refused[] = {
    {"an array longer than what is there", "0401ff02", 'v'},
    {"an array of 2^31", "fb0000008001", 'v'},
    {"an array of 2^64 - 1", "ffffffffffffffffff01", 'v'},
    {"an array whose length in bits wraps to 8", "ff0100000000000020aa", 'v'},
    {"a string of 2^64 - 1 characters", "ffffffffffffffffff61", 's'},
    {"a character above 16 bits", "01faf00801", 's'},
    {"a zero character", "0100", 's'},
    {"a first surrogate alone", "01f9cf10", 's'},
    {"a first surrogate, then a letter", "02f9cf1061", 's'},
    {"a second surrogate alone", "01f9d310", 's'},
    {"two first surrogates", "02f9cf10f9cf10", 's'},
    {"a float above 32 bits", "fc0000000001", 'f'},
};

START_TEST(test_refused)
{
    struct vector_bytes bytes = test_unhex(refused[_i].bytes);
    struct hail_bits_reader reader = hail_bits_reader(bytes.data, bytes.len);
    char text[64];
    size_t len;

    switch (refused[_i].reads) {
    case 'v':
        ck_assert_ptr_null(hail_bits_view_bytes(&reader, &len));
        ck_assert_uint_eq(len, 0);
        break;
    case 's':
        ck_assert_uint_eq(hail_bits_read_string(&reader, text, sizeof text), 0);
        ck_assert_str_eq(text, "");
        break;
    default:
        ck_assert(hail_bits_read_float(&reader) == 0);
    }
    ck_assert_msg(reader.failed, "%s", refused[_i].why);
    ck_assert_uint_eq(hail_bits_read_bits(&reader, 1), 0); // and stays failed
    free(bytes.data);
}
END_TEST

START_TEST(test_surrogates)
{
    uint8_t out[32];
    char text[16];
    struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);

    hail_bits_write_string(&writer, "a\xf0\x9f\x98\x80\xe2\x82\xac");
    struct hail_bits_reader reader = hail_bits_reader(out, hail_bits_len(&writer));
    ck_assert_uint_eq(hail_bits_read_string(&reader, text, sizeof text), 8);
    ck_assert_str_eq(text, "a\xf0\x9f\x98\x80\xe2\x82\xac");
    hail_bits_write_string(&writer, "\xff");
    ck_assert(writer.failed);
}
END_TEST

START_TEST(test_unaligned_views)
{
    static const uint8_t bytes[] = {0x02, 0x02, 0x02, 0x02};
    struct hail_bits_reader reader = hail_bits_reader(bytes, sizeof bytes);
    size_t len;

    hail_bits_read_bit(&reader);
    ck_assert_ptr_null(hail_bits_view_bytes(&reader, &len));
    ck_assert(reader.failed);
    reader = hail_bits_reader(bytes, sizeof bytes);
    hail_bits_read_bit(&reader);
    ck_assert_ptr_null(hail_bits_rest(&reader, &len));
    ck_assert(reader.failed);
    reader = hail_bits_reader(bytes, sizeof bytes);
    hail_bits_read_bits(&reader, 8);
    ck_assert_ptr_eq(hail_bits_rest(&reader, &len), bytes + 1);
    ck_assert_uint_eq(len, 3);
    ck_assert_ptr_eq(hail_bits_rest(&reader, &len), bytes + 4);
    ck_assert_uint_eq(len, 0);
    ck_assert(!reader.failed);
}
END_TEST

// Random values written one after the other: the bytes are those of a list of single bits, nothing
// is written behind the capacity, and all values read back.
START_TEST(test_against_bit_list)
{
    uint64_t dice = test_seed();

    for (int round = 0; round < 500; round++) {
        bool model[1024];
        uint64_t values[64];
        unsigned widths[64];
        uint8_t out[129];
        size_t capacity = test_next(&dice) % 129;
        struct hail_bits_writer writer = hail_bits_writer(out, capacity);
        size_t bit = 0;
        size_t count = 0;

        memset(out, 0xee, sizeof out);
        while (count < 64) {
            unsigned width = (unsigned)(test_next(&dice) % 65);
            uint64_t value = test_next(&dice);
            if (width < 64)
                value &= (1ull << width) - 1;
            hail_bits_write_bits(&writer, value, width);
            ck_assert_int_eq(writer.failed, bit + width > 8 * capacity);
            if (writer.failed)
                break;
            for (unsigned i = 0; i < width; i++)
                model[bit++] = value >> i & 1;
            values[count] = value;
            widths[count++] = width;
        }
        ck_assert_uint_eq(hail_bits_len(&writer), (bit + 7) / 8);
        for (size_t i = 0; i < 8 * hail_bits_len(&writer); i++)
            ck_assert_int_eq(out[i / 8] >> i % 8 & 1, i < bit && model[i]);
        ck_assert_uint_eq(out[capacity], 0xee);

        struct hail_bits_reader reader = hail_bits_reader(out, hail_bits_len(&writer));
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(hail_bits_read_bits(&reader, widths[i]), values[i]);
        ck_assert(!reader.failed);
    }
}
END_TEST

// Numbers of every size at every bit offset.
START_TEST(test_numbers_unaligned)
{
    uint64_t dice = test_seed();

    for (unsigned offset = 0; offset < 8; offset++) {
        for (int round = 0; round < 300; round++) {
            uint64_t value = test_next(&dice) >> test_next(&dice) % 64;
            double real;
            uint8_t out[40];
            struct hail_bits_writer writer = hail_bits_writer(out, sizeof out);
            memcpy(&real, &value, sizeof real);
            hail_bits_write_bits(&writer, 0, offset);
            hail_bits_write_varint(&writer, value);
            hail_bits_write_zigzag(&writer, (int64_t)value);
            hail_bits_write_double(&writer, real);
            ck_assert(!writer.failed);
            struct hail_bits_reader reader = hail_bits_reader(out, hail_bits_len(&writer));
            ck_assert_uint_eq(hail_bits_read_bits(&reader, offset), 0);
            ck_assert_uint_eq(hail_bits_read_varint(&reader), value);
            ck_assert_int_eq(hail_bits_read_zigzag(&reader), (int64_t)value);
            double got = hail_bits_read_double(&reader);
            ck_assert_mem_eq(&got, &real, sizeof got);
            ck_assert(!reader.failed);
        }
    }
}
END_TEST

START_TEST(test_bytes_past_the_end)
{
    static const uint8_t bytes[4] = {1, 2, 3, 4};
    uint8_t got[5] = {9, 9, 9, 9, 9};
    struct hail_bits_reader reader = hail_bits_reader(bytes, sizeof bytes);

    hail_bits_read_bytes(&reader, got, sizeof got);
    ck_assert(reader.failed);
    ck_assert_mem_eq(got, "\0\0\0\0\0", sizeof got);
    struct hail_bits_writer writer = hail_bits_writer(got, 4);
    hail_bits_write_array(&writer, bytes, 4);
    ck_assert(writer.failed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bits");
    TCase *tests = tcase_create("bits");

    tcase_add_loop_test(tests, test_refused, 0, HAIL_COUNTOF(refused));
    tcase_add_test(tests, test_unaligned_views);
    tcase_add_test(tests, test_bytes_past_the_end);
    tcase_add_loop_test(tests, test_list, 0, HAIL_COUNTOF(lists));
    tcase_add_test(tests, test_bit_order);
    tcase_add_test(tests, test_surrogates);
    tcase_add_test(tests, test_against_bit_list);
    tcase_add_test(tests, test_numbers_unaligned);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
