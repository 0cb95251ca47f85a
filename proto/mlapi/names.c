// names.c: see names.h.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/names.h"

static const uint64_t fnv_basis_64 = 0xcbf29ce484222325u;
static const uint64_t fnv_prime_64 = 0x100000001b3u;
static const uint32_t fnv_basis_32 = 0x811c9dc5u;
static const uint32_t fnv_prime_32 = 0x01000193u;

uint32_t hail_utf8_next(const char **text)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    uint32_t value = bytes[0];
    uint32_t least = 0;
    int more = 0;

    if (value >= 0xf0 && value < 0xf5) {
        value &= 7;
        least = 0x10000;
        more = 3;
    } else if (value >= 0xe0 && value < 0xf0) {
        value &= 15;
        least = 0x800;
        more = 2;
    } else if (value >= 0xc2 && value < 0xe0) {
        value &= 31;
        least = 0x80;
        more = 1;
    } else if (value >= 0x80) {
        return UINT32_MAX;
    }
    for (int i = 1; i <= more; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    if (value < least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return UINT32_MAX;
    *text += value == 0 ? 0 : 1 + more;
    return value;
}

// Both hashes at once, a UTF-16 unit a step.
struct fnv {
    uint32_t hash32;
    uint64_t hash64;
};

static void step(struct fnv *fnv, uint32_t unit)
{
    fnv->hash32 = (fnv->hash32 * fnv_prime_32) ^ unit;
    fnv->hash64 = (fnv->hash64 * fnv_prime_64) ^ unit;
}

bool hail_mlapi_name_hash(uint64_t *hash, const char *name, enum hail_mlapi_hash_size size)
{
    struct fnv fnv = {fnv_basis_32, fnv_basis_64};
    uint32_t character;

    while ((character = hail_utf8_next(&name)) != 0) {
        if (character == UINT32_MAX)
            return false;
        if (character >= 0x10000) {
            step(&fnv, 0xd800 + ((character - 0x10000) >> 10));
            step(&fnv, 0xdc00 + ((character - 0x10000) & 0x3ff));
        } else {
            step(&fnv, character);
        }
    }
    switch (size) {
    case HAIL_MLAPI_HASH_16:
        *hash = (fnv.hash32 >> 16) ^ (fnv.hash32 & 0xffff);
        return true;
    case HAIL_MLAPI_HASH_32:
        *hash = fnv.hash32;
        return true;
    case HAIL_MLAPI_HASH_64:
        *hash = fnv.hash64;
        return true;
    }
    HAIL_UNREACHABLE("every size has its case");
}

uint64_t hail_fnv1_64(const uint8_t *data, size_t len)
{
    uint64_t hash = fnv_basis_64;

    for (size_t i = 0; i < len; i++)
        hash = (hash * fnv_prime_64) ^ data[i];
    return hash;
}
