// bits.c: see bits.h.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/bits.h"

#include <string.h>

#include "proto/mlapi/names.h"

struct hail_bits_reader hail_bits_reader(const uint8_t *data, size_t len)
{
    return (struct hail_bits_reader){.data = data, .len = len};
}

// Whether `count` more bits are there; if not, the reader has failed.
static bool have(struct hail_bits_reader *reader, size_t count)
{
    if (reader->failed || count > reader->len * 8 - reader->bit)
        reader->failed = true;
    return !reader->failed;
}

bool hail_bits_read_bit(struct hail_bits_reader *reader)
{
    return hail_bits_read_bits(reader, 1) != 0;
}

uint64_t hail_bits_read_bits(struct hail_bits_reader *reader, unsigned count)
{
    uint64_t value = 0;

    HAIL_ASSERT(count <= 64);
    if (!have(reader, count))
        return 0;
    for (unsigned done = 0; done < count;) {
        unsigned offset = (unsigned)(reader->bit & 7);
        unsigned part = 8 - offset < count - done ? 8 - offset : count - done;
        uint64_t bits = (uint64_t)(reader->data[reader->bit / 8] >> offset) & ((1u << part) - 1);
        value |= bits << done;
        done += part;
        reader->bit += part;
    }
    return value;
}

static uint64_t read_byte(struct hail_bits_reader *reader)
{
    return hail_bits_read_bits(reader, 8);
}

uint64_t hail_bits_read_varint(struct hail_bits_reader *reader)
{
    uint64_t first = read_byte(reader);

    if (first <= 240)
        return first;
    if (first <= 248)
        return 240 + 256 * (first - 241) + read_byte(reader);
    if (first == 249) {
        uint64_t high = read_byte(reader);
        return 2288 + 256 * high + read_byte(reader);
    }
    return hail_bits_read_bits(reader, 8 * (unsigned)(first - 247));
}

int64_t hail_bits_read_zigzag(struct hail_bits_reader *reader)
{
    uint64_t value = hail_bits_read_varint(reader);

    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

float hail_bits_read_float(struct hail_bits_reader *reader)
{
    uint64_t packed = hail_bits_read_varint(reader);
    uint32_t bits = (uint32_t)packed;
    float value;

    if (packed > UINT32_MAX)
        reader->failed = true;
    memcpy(&value, &bits, sizeof value);
    return reader->failed ? 0 : value;
}

double hail_bits_read_double(struct hail_bits_reader *reader)
{
    uint64_t bits = hail_bits_read_varint(reader);
    double value;

    memcpy(&value, &bits, sizeof value);
    return reader->failed ? 0 : value;
}

void hail_bits_read_bytes(struct hail_bits_reader *reader, uint8_t *out, size_t len)
{
    if (len > SIZE_MAX / 8 || !have(reader, 8 * len)) {
        reader->failed = true;
        memset(out, 0, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)read_byte(reader);
}

size_t hail_bits_read_length(struct hail_bits_reader *reader)
{
    uint64_t len = hail_bits_read_varint(reader);

    if (len > reader->len || !have(reader, 8 * (size_t)len)) {
        reader->failed = true;
        return 0;
    }
    return (size_t)len;
}

const uint8_t *hail_bits_view_bytes(struct hail_bits_reader *reader, size_t *len)
{
    *len = hail_bits_read_length(reader);
    if (reader->failed || reader->bit % 8 != 0) {
        reader->failed = true;
        *len = 0;
        return NULL;
    }
    const uint8_t *view = reader->data + reader->bit / 8;
    reader->bit += 8 * *len;
    return view;
}

// Writes one character as UTF-8. Returns its length, 0 when there is no room for it and a
// terminator.
static size_t put_utf8(char *out, size_t capacity, uint32_t character)
{
    size_t len = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    if (len >= capacity)
        return 0;
    for (size_t i = len; i-- > 1; character >>= 6)
        out[i] = (char)(0x80 | (character & 0x3f));
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[len] | character);
    return len;
}

size_t hail_bits_read_string(struct hail_bits_reader *reader, char *out, size_t capacity)
{
    uint64_t units = hail_bits_read_varint(reader);
    uint32_t high = 0; // a first surrogate that waits for its second
    size_t len = 0;

    for (uint64_t i = 0; i < units && !reader->failed; i++) {
        uint64_t unit = hail_bits_read_varint(reader);
        bool is_low = unit >= 0xdc00 && unit < 0xe000;
        if (unit == 0 || unit > 0xffff || is_low != (high != 0)) {
            reader->failed = true;
        } else if (unit >= 0xd800 && unit < 0xdc00) {
            high = (uint32_t)unit;
        } else {
            uint32_t character = (uint32_t)unit;
            if (high != 0)
                character = 0x10000 + ((high - 0xd800) << 10) + ((uint32_t)unit - 0xdc00);
            high = 0;
            size_t part = put_utf8(out + len, capacity - len, character);
            len += part;
            reader->failed |= part == 0;
        }
    }
    reader->failed |= high != 0 || capacity == 0;
    if (reader->failed)
        len = 0;
    if (capacity > 0)
        out[len] = 0;
    return len;
}

const uint8_t *hail_bits_rest(struct hail_bits_reader *reader, size_t *len)
{
    *len = 0;
    if (reader->bit % 8 != 0)
        reader->failed = true;
    if (reader->failed)
        return NULL;
    const uint8_t *rest = reader->data + reader->bit / 8;
    *len = reader->len - reader->bit / 8;
    reader->bit = reader->len * 8;
    return rest;
}

struct hail_bits_writer hail_bits_writer(uint8_t *data, size_t capacity)
{
    return (struct hail_bits_writer){.data = data, .capacity = capacity};
}

void hail_bits_write_bit(struct hail_bits_writer *writer, bool bit)
{
    hail_bits_write_bits(writer, bit, 1);
}

void hail_bits_write_bits(struct hail_bits_writer *writer, uint64_t value, unsigned count)
{
    HAIL_ASSERT(count <= 64);
    if (writer->failed || count > writer->capacity * 8 - writer->bit) {
        writer->failed = true;
        return;
    }
    for (unsigned done = 0; done < count;) {
        unsigned offset = (unsigned)(writer->bit & 7);
        unsigned part = 8 - offset < count - done ? 8 - offset : count - done;
        uint8_t *byte = &writer->data[writer->bit / 8];
        uint8_t bits = (uint8_t)((value >> done & ((1u << part) - 1)) << offset);
        *byte = offset == 0 ? bits : *byte | bits; // a started byte's unused bits are zero
        done += part;
        writer->bit += part;
    }
}

void hail_bits_write_varint(struct hail_bits_writer *writer, uint64_t value)
{
    if (value <= 240) {
        hail_bits_write_bits(writer, value, 8);
    } else if (value <= 2287) {
        hail_bits_write_bits(writer, 241 + ((value - 240) >> 8), 8);
        hail_bits_write_bits(writer, (value - 240) & 255, 8);
    } else if (value <= 67823) {
        hail_bits_write_bits(writer, 249, 8);
        hail_bits_write_bits(writer, (value - 2288) >> 8, 8);
        hail_bits_write_bits(writer, (value - 2288) & 255, 8);
    } else {
        unsigned count = (unsigned)hail_bits_varint_len(value) - 1;
        hail_bits_write_bits(writer, 247 + count, 8);
        hail_bits_write_bits(writer, value, 8 * count);
    }
}

void hail_bits_write_zigzag(struct hail_bits_writer *writer, int64_t value)
{
    hail_bits_write_varint(writer, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void hail_bits_write_float(struct hail_bits_writer *writer, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    hail_bits_write_varint(writer, bits);
}

void hail_bits_write_double(struct hail_bits_writer *writer, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    hail_bits_write_varint(writer, bits);
}

void hail_bits_write_bytes(struct hail_bits_writer *writer, const uint8_t *data, size_t len)
{
    if (writer->failed || len > (writer->capacity * 8 - writer->bit) / 8) {
        writer->failed = true;
        return;
    }
    for (size_t i = 0; i < len; i++)
        hail_bits_write_bits(writer, data[i], 8);
}

void hail_bits_write_array(struct hail_bits_writer *writer, const uint8_t *data, size_t len)
{
    hail_bits_write_varint(writer, len);
    hail_bits_write_bytes(writer, data, len);
}

// The UTF-16 units of a UTF-8 text; false: it is none.
static bool count_units(const char *text, uint64_t *units)
{
    uint32_t character;

    *units = 0;
    while ((character = hail_utf8_next(&text)) != 0) {
        if (character == UINT32_MAX)
            return false;
        *units += character >= 0x10000 ? 2 : 1;
    }
    return true;
}

static void write_unit(struct hail_bits_writer *writer, uint32_t unit, bool wide)
{
    if (wide)
        hail_bits_write_bits(writer, unit, 16);
    else
        hail_bits_write_varint(writer, unit);
}

static void write_string(struct hail_bits_writer *writer, const char *text, bool wide)
{
    uint64_t units;
    uint32_t character;

    if (!count_units(text, &units)) {
        writer->failed = true;
        return;
    }
    hail_bits_write_varint(writer, units);
    while ((character = hail_utf8_next(&text)) != 0) {
        if (character >= 0x10000) {
            write_unit(writer, 0xd800 + ((character - 0x10000) >> 10), wide);
            write_unit(writer, 0xdc00 + ((character - 0x10000) & 0x3ff), wide);
        } else {
            write_unit(writer, character, wide);
        }
    }
}

void hail_bits_write_string(struct hail_bits_writer *writer, const char *text)
{
    write_string(writer, text, false);
}

void hail_bits_write_string_wide(struct hail_bits_writer *writer, const char *text)
{
    write_string(writer, text, true);
}

size_t hail_bits_len(const struct hail_bits_writer *writer)
{
    return (writer->bit + 7) / 8;
}

size_t hail_bits_varint_len(uint64_t value)
{
    size_t len = 4; // the least that the long form takes

    if (value <= 240)
        return 1;
    if (value <= 2287)
        return 2;
    if (value <= 67823)
        return 3;
    while (len < 9 && value >> 8 * (len - 1) != 0)
        len++;
    return len;
}
