// prefixes.c: see prefixes.h.
// SPDX-License-Identifier: MIT
#include "proto/prefixes.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"

enum {
    MAPPED_BITS = 96
};

// Whether the first `bits` of two addresses are the same.
static bool same_bits(const uint8_t a[16], const uint8_t b[16], uint8_t bits)
{
    size_t whole = bits / 8;
    unsigned rest = 0xff00u >> bits % 8 & 0xffu; // 0: a whole number of bytes

    return hail_equal(a, b, whole) && (rest == 0 || ((unsigned)(a[whole] ^ b[whole]) & rest) == 0);
}

static bool read_address(const char *text, uint8_t address[16], bool *is_v4)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    memcpy(address, mapped, sizeof mapped);
    *is_v4 = inet_pton(AF_INET, text, address + sizeof mapped) == 1;
    return *is_v4 || inet_pton(AF_INET6, text, address) == 1;
}

static bool read_length(const char *text, unsigned most, unsigned *length)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != 0 || value > most)
        return false;
    *length = (unsigned)value;
    return true;
}

bool hail_prefixes_add(struct hail_prefixes *prefixes, const char *text)
{
    static const uint8_t zero[16] = {0};
    char address_text[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    uint8_t address[16];
    uint8_t cut[16];
    bool is_v4;

    if (prefixes->count == HAIL_PREFIXES_MAX || len >= sizeof address_text)
        return false;
    memcpy(address_text, text, len);
    address_text[len] = 0;
    if (!read_address(address_text, address, &is_v4))
        return false;
    unsigned most = is_v4 ? 32 : 128;
    unsigned length = most;
    if (slash && !read_length(slash + 1, most, &length))
        return false;
    unsigned bits = length + (is_v4 ? MAPPED_BITS : 0);
    memcpy(cut, address, sizeof cut);
    for (unsigned bit = 0; bit < bits; bit++)
        cut[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    if (!hail_equal(cut, zero, sizeof cut))
        return false;
    memcpy(prefixes->list[prefixes->count].address, address, sizeof address);
    prefixes->list[prefixes->count++].bits = (uint8_t)bits;
    return true;
}

bool hail_prefixes_has(const struct hail_prefixes *prefixes, const struct hail_path *path)
{
    uint8_t key[HAIL_PATH_KEY_LEN];

    if (prefixes->count == 0)
        return false;
    hail_path_key(key, path);
    for (uint32_t i = 0; i < prefixes->count; i++) {
        if (same_bits(prefixes->list[i].address, key, prefixes->list[i].bits))
            return true;
    }
    return false;
}
