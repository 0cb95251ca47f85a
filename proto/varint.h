// varint.h: numbers of 1, 2, 4 or 8 bytes (RFC 9000, section 16), in the fewest bytes only.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_VARINT_H
#define HAIL_PROTO_VARINT_H

#include "crypto/base.h"

enum {
    HAIL_VARINT_LEN_MAX = 8
};
#define HAIL_VARINT_MAX ((UINT64_C(1) << 62) - 1)

// hail_varint_len returns the bytes of `value`, at most HAIL_VARINT_MAX.
size_t hail_varint_len(uint64_t value);

// hail_varint_write writes `value`, at most HAIL_VARINT_MAX, and returns its bytes.
size_t hail_varint_write(uint8_t *out, uint64_t value);

// hail_varint_read reads the number at the beginning of `len` bytes and returns its bytes; 0: it is
// cut off, or longer than need be.
HAIL_MUST_USE size_t hail_varint_read(uint64_t *value, const uint8_t *in, size_t len);

#endif
