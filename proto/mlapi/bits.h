// bits.h: MLAPI's bit-packed numbers, strings and byte arrays (MLAPI.md, "Numbers"). Bits fill each
// byte from the least significant up. A reader or writer that ran out of room stays failed and
// gives zeros; check once at the end.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MLAPI_BITS_H
#define HAIL_PROTO_MLAPI_BITS_H

#include "crypto/base.h"

struct hail_bits_reader {
    const uint8_t *data; // borrowed
    size_t len;
    size_t bit;  // next bit to read
    bool failed; // something was asked for that is not there
};

struct hail_bits_writer {
    uint8_t *data; // borrowed
    size_t capacity;
    size_t bit;  // next bit to write
    bool failed; // something did not fit
};

struct hail_bits_reader hail_bits_reader(const uint8_t *data, size_t len);
bool hail_bits_read_bit(struct hail_bits_reader *reader);
uint64_t hail_bits_read_bits(struct hail_bits_reader *reader, unsigned count); // at most 64
uint64_t hail_bits_read_varint(struct hail_bits_reader *reader);
int64_t hail_bits_read_zigzag(struct hail_bits_reader *reader);
float hail_bits_read_float(struct hail_bits_reader *reader);   // 32 bits, packed
double hail_bits_read_double(struct hail_bits_reader *reader); // 64 bits, packed

// hail_bits_read_bytes copies `len` bytes, aligned or not.
void hail_bits_read_bytes(struct hail_bits_reader *reader, uint8_t *out, size_t len);

// hail_bits_view_bytes reads a byte array (length, bytes) without copying it, where the reader
// stands on a whole byte after the length; fails elsewhere. `*len` is checked against what is
// there.
const uint8_t *hail_bits_view_bytes(struct hail_bits_reader *reader, size_t *len);

// hail_bits_read_length reads a byte array's length and fails unless that many bytes follow.
size_t hail_bits_read_length(struct hail_bits_reader *reader);

// hail_bits_read_string reads WriteStringPacked's form into UTF-8, terminated; fails when it needs
// more than `capacity` bytes or is not valid UTF-16. Returns the length without the terminator.
size_t hail_bits_read_string(struct hail_bits_reader *reader, char *out, size_t capacity);

// hail_bits_rest views what follows, where the reader stands on a whole byte; fails elsewhere.
const uint8_t *hail_bits_rest(struct hail_bits_reader *reader, size_t *len);

struct hail_bits_writer hail_bits_writer(uint8_t *data, size_t capacity);
void hail_bits_write_bit(struct hail_bits_writer *writer, bool bit);
void hail_bits_write_bits(struct hail_bits_writer *writer, uint64_t value, unsigned count);
void hail_bits_write_varint(struct hail_bits_writer *writer, uint64_t value);
void hail_bits_write_zigzag(struct hail_bits_writer *writer, int64_t value);
void hail_bits_write_float(struct hail_bits_writer *writer, float value);
void hail_bits_write_double(struct hail_bits_writer *writer, double value);
void hail_bits_write_bytes(struct hail_bits_writer *writer, const uint8_t *data, size_t len);
void hail_bits_write_array(struct hail_bits_writer *writer, const uint8_t *data, size_t len);

// hail_bits_write_string writes UTF-8 as WriteStringPacked does: count, then each UTF-16 unit as a
// varint. Fails on invalid UTF-8.
void hail_bits_write_string(struct hail_bits_writer *writer, const char *text);

// hail_bits_write_string_wide writes UTF-8 as WriteString does: count, then 16-bit units.
void hail_bits_write_string_wide(struct hail_bits_writer *writer, const char *text);

// hail_bits_len returns the bytes written, a started one included; its unused bits are zero.
size_t hail_bits_len(const struct hail_bits_writer *writer);

// hail_bits_varint_len returns the bytes a varint of `value` takes, 1 to 9.
size_t hail_bits_varint_len(uint64_t value);

#endif
