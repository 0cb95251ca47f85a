// names.h: the hashes by which MLAPI names messages and methods (MLAPI.md, "Names").
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MLAPI_NAMES_H
#define HAIL_PROTO_MLAPI_NAMES_H

#include "crypto/base.h"

// MLAPI's RpcHashSize; the values are those that enter the config hash.
enum hail_mlapi_hash_size {
    HAIL_MLAPI_HASH_16 = 0,
    HAIL_MLAPI_HASH_32 = 1,
    HAIL_MLAPI_HASH_64 = 2
};

// hail_mlapi_name_hash hashes a name in UTF-8: FNV-1 over its UTF-16 units, one byte step a unit as
// MLAPI does it. Returns false when `name` is not valid UTF-8.
HAIL_MUST_USE bool hail_mlapi_name_hash(uint64_t *hash, const char *name,
                                        enum hail_mlapi_hash_size size);

// hail_fnv1_64 hashes bytes: multiply, then xor.
uint64_t hail_fnv1_64(const uint8_t *data, size_t len);

// hail_utf8_next decodes one character at `*text` and steps over it; 0 at the end, UINT32_MAX when
// the bytes are no UTF-8.
uint32_t hail_utf8_next(const char **text);

#endif
