// args.c: RPC arguments and results for applications, in MLAPI's bit packing.
// SPDX-License-Identifier: MIT
#include "engine/hail.h"
#include "proto/mlapi/bits.h"

// The public structs have the protocol's fields under a name of their own, so that the one public
// header needs no other.
static struct hail_bits_writer begin_write(const struct hail_writer *writer)
{
    return (struct hail_bits_writer){writer->data, writer->capacity, writer->bit, writer->failed};
}

static void end_write(struct hail_writer *writer, const struct hail_bits_writer *bits)
{
    writer->bit = bits->bit;
    writer->failed = bits->failed;
}

static struct hail_bits_reader begin_read(const struct hail_reader *reader)
{
    return (struct hail_bits_reader){reader->data, reader->len, reader->bit, reader->failed};
}

static void end_read(struct hail_reader *reader, const struct hail_bits_reader *bits)
{
    reader->bit = bits->bit;
    reader->failed = bits->failed;
}

void hail_writer_init(struct hail_writer *writer, void *data, size_t capacity)
{
    *writer = (struct hail_writer){.data = data, .capacity = capacity};
}

void hail_write_bool(struct hail_writer *writer, bool value)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_bit(&bits, value);
    end_write(writer, &bits);
}

void hail_write_uint(struct hail_writer *writer, uint64_t value)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_varint(&bits, value);
    end_write(writer, &bits);
}

void hail_write_int(struct hail_writer *writer, int64_t value)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_zigzag(&bits, value);
    end_write(writer, &bits);
}

void hail_write_byte(struct hail_writer *writer, uint8_t value)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_bits(&bits, value, 8);
    end_write(writer, &bits);
}

void hail_write_float(struct hail_writer *writer, float value)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_float(&bits, value);
    end_write(writer, &bits);
}

void hail_write_double(struct hail_writer *writer, double value)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_double(&bits, value);
    end_write(writer, &bits);
}

void hail_write_string(struct hail_writer *writer, const char *text)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_bit(&bits, !text); // a null bit comes first
    if (text)
        hail_bits_write_string(&bits, text);
    end_write(writer, &bits);
}

void hail_write_bytes(struct hail_writer *writer, const void *data, size_t len)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_bit(&bits, !data);
    if (data) {
        hail_bits_write_zigzag(&bits, (int64_t)len);
        hail_bits_write_bytes(&bits, data, len);
    }
    end_write(writer, &bits);
}

void hail_write_array(struct hail_writer *writer, size_t count)
{
    hail_write_present(writer);
    hail_write_int(writer, (int64_t)count);
}

void hail_write_null(struct hail_writer *writer)
{
    hail_write_bool(writer, true);
}

void hail_write_present(struct hail_writer *writer)
{
    hail_write_bool(writer, false);
}

void hail_write_stream_bytes(struct hail_writer *writer, const void *data, size_t len)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_array(&bits, data, len);
    end_write(writer, &bits);
}

void hail_write_stream_string(struct hail_writer *writer, const char *text)
{
    struct hail_bits_writer bits = begin_write(writer);

    hail_bits_write_string(&bits, text);
    end_write(writer, &bits);
}

size_t hail_writer_len(const struct hail_writer *writer)
{
    struct hail_bits_writer bits = begin_write(writer);

    return hail_bits_len(&bits);
}

void hail_reader_init(struct hail_reader *reader, const void *data, size_t len)
{
    *reader = (struct hail_reader){.data = data, .len = len};
}

bool hail_read_bool(struct hail_reader *reader)
{
    struct hail_bits_reader bits = begin_read(reader);
    bool value = hail_bits_read_bit(&bits);

    end_read(reader, &bits);
    return value;
}

uint64_t hail_read_uint(struct hail_reader *reader)
{
    struct hail_bits_reader bits = begin_read(reader);
    uint64_t value = hail_bits_read_varint(&bits);

    end_read(reader, &bits);
    return value;
}

int64_t hail_read_int(struct hail_reader *reader)
{
    struct hail_bits_reader bits = begin_read(reader);
    int64_t value = hail_bits_read_zigzag(&bits);

    end_read(reader, &bits);
    return value;
}

uint8_t hail_read_byte(struct hail_reader *reader)
{
    struct hail_bits_reader bits = begin_read(reader);
    uint8_t value = (uint8_t)hail_bits_read_bits(&bits, 8);

    end_read(reader, &bits);
    return value;
}

float hail_read_float(struct hail_reader *reader)
{
    struct hail_bits_reader bits = begin_read(reader);
    float value = hail_bits_read_float(&bits);

    end_read(reader, &bits);
    return value;
}

double hail_read_double(struct hail_reader *reader)
{
    struct hail_bits_reader bits = begin_read(reader);
    double value = hail_bits_read_double(&bits);

    end_read(reader, &bits);
    return value;
}

bool hail_read_present(struct hail_reader *reader)
{
    return !hail_read_bool(reader) && !reader->failed;
}

bool hail_read_array(struct hail_reader *reader, size_t *count)
{
    *count = 0;
    if (!hail_read_present(reader))
        return false;
    int64_t said = hail_read_int(reader);
    if (said < 0 || (uint64_t)said > 8 * reader->len - reader->bit)
        reader->failed = true;
    if (!reader->failed)
        *count = (size_t)said;
    return !reader->failed;
}

bool hail_read_stream_string(struct hail_reader *reader, char *out, size_t capacity)
{
    struct hail_bits_reader bits = begin_read(reader);

    if (capacity > 0)
        out[0] = 0;
    hail_bits_read_string(&bits, out, capacity);
    end_read(reader, &bits);
    return !bits.failed;
}

bool hail_read_string(struct hail_reader *reader, char *out, size_t capacity)
{
    if (capacity > 0)
        out[0] = 0;
    return hail_read_present(reader) && hail_read_stream_string(reader, out, capacity);
}

// The bytes of an array whose length has been read.
static size_t read_elements(struct hail_reader *reader, void *out, size_t capacity, size_t len)
{
    struct hail_bits_reader bits = begin_read(reader);

    if (len > capacity)
        bits.failed = true;
    else if (!bits.failed)
        hail_bits_read_bytes(&bits, out, len);
    end_read(reader, &bits);
    return bits.failed ? 0 : len;
}

size_t hail_read_bytes(struct hail_reader *reader, void *out, size_t capacity)
{
    size_t len;

    return hail_read_array(reader, &len) ? read_elements(reader, out, capacity, len) : 0;
}

size_t hail_read_stream_bytes(struct hail_reader *reader, void *out, size_t capacity)
{
    struct hail_bits_reader bits = begin_read(reader);
    size_t len = hail_bits_read_length(&bits);

    end_read(reader, &bits);
    return read_elements(reader, out, capacity, len);
}
