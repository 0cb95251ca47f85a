// prefixes.h: a list of networks, in which addresses are looked up.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_PREFIXES_H
#define HAIL_PROTO_PREFIXES_H

#include "proto/path.h"

enum {
    HAIL_PREFIXES_MAX = 64
};

struct hail_prefixes {
    uint32_t count;
    struct {
        uint8_t address[16]; // IPv4 mapped into IPv6
        uint8_t bits;        // of it that count
    } list[HAIL_PREFIXES_MAX];
};

// hail_prefixes_add adds a network in the notation of CIDR, such as "192.0.2.0/24" or
// "2001:db8::/32", or one address. False: it is none, has bits set behind its length, or the list
// is full.
HAIL_MUST_USE bool hail_prefixes_add(struct hail_prefixes *prefixes, const char *text);

// hail_prefixes_has says whether a path's other end lies in one of the networks.
bool hail_prefixes_has(const struct hail_prefixes *prefixes, const struct hail_path *path);

#endif
