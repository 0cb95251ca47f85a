// fuzz_bits.c: bit-packed values, as a script says: each byte of the first half is what to read.
// SPDX-License-Identifier: MIT
//
// Holds  the reader never reads outside its bytes; what it read is written and read again the same.
#include "proto/mlapi/bits.h"
#include "tests/fuzz/fuzz.h"

static void check_varint(uint64_t value)
{
    uint8_t bytes[9];
    struct hail_bits_writer writer = hail_bits_writer(bytes, sizeof bytes);

    hail_bits_write_varint(&writer, value);
    fuzz_holds(!writer.failed && hail_bits_len(&writer) == hail_bits_varint_len(value));
    struct hail_bits_reader reader = hail_bits_reader(bytes, hail_bits_len(&writer));
    fuzz_holds(hail_bits_read_varint(&reader) == value && !reader.failed);
}

static void check_string(const char *text)
{
    uint8_t bytes[1024];
    char again[512];
    struct hail_bits_writer writer = hail_bits_writer(bytes, sizeof bytes);

    hail_bits_write_string(&writer, text);
    fuzz_holds(!writer.failed);
    struct hail_bits_reader reader = hail_bits_reader(bytes, hail_bits_len(&writer));
    hail_bits_read_string(&reader, again, sizeof again);
    fuzz_holds(!reader.failed && strcmp(again, text) == 0);
}

static void step(struct hail_bits_reader *reader, uint8_t what)
{
    uint8_t bytes[64];
    char text[128];
    size_t len;

    switch (what % 8) {
    case 0:
        hail_bits_read_bit(reader);
        return;
    case 1:
        hail_bits_read_bits(reader, what / 8 * 2);
        return;
    case 2:
        check_varint(hail_bits_read_varint(reader));
        return;
    case 3:
        check_varint((uint64_t)hail_bits_read_zigzag(reader));
        return;
    case 4:
        hail_bits_read_float(reader);
        return;
    case 5:
        hail_bits_read_bytes(reader, bytes, what / 8);
        return;
    case 6:
        hail_bits_read_string(reader, text, sizeof text);
        if (!reader->failed)
            check_string(text);
        return;
    default:
        hail_bits_view_bytes(reader, &len);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hail_bits_reader reader = hail_bits_reader(data + size / 2, size - size / 2);
    size_t len;

    for (size_t i = 0; i < size / 2; i++) {
        step(&reader, data[i]);
        fuzz_holds(reader.bit <= 8 * reader.len);
    }
    hail_bits_rest(&reader, &len);
    fuzz_holds(len <= reader.len);
    return 0;
}
