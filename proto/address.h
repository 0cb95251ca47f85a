// address.h: where a datagram comes from or goes to, in as few bytes as a connection can spare.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_ADDRESS_H
#define HAIL_PROTO_ADDRESS_H

#include <netinet/in.h>

#include "crypto/base.h"

// An IPv4 or IPv6 socket address. All bytes that its family does not use are 0.
struct hail_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

enum {
    HAIL_ADDRESS_KEY_LEN = 18, // address, IPv4 mapped into IPv6, and port
    HAIL_PREFIX_KEY_LEN = 8    // family, and the part that one customer of a network has
};

// hail_address_set copies an address and leaves out what does not name a path. Another family than
// the two gives AF_UNSPEC.
void hail_address_set(struct hail_address *address, const struct sockaddr *from);

// hail_address_len returns the bytes of it that system calls want.
socklen_t hail_address_len(const struct hail_address *address);

// hail_address_equal compares family, address, port and, for IPv6, scope.
bool hail_address_equal(const struct hail_address *a, const struct hail_address *b);

// hail_address_key writes address and port as bytes that are the same for the same sender whether
// he is seen as IPv4 or as IPv4 mapped into IPv6.
void hail_address_key(uint8_t key[HAIL_ADDRESS_KEY_LEN], const struct hail_address *address);

// hail_prefix_key writes what a single sender cannot vary at will: an IPv4 address, or an IPv6 /56.
// Networks give a customer a /64, a /56 or a /48. Counted by /64, whoever has a /48 would be 65,536
// sources; by /48, many customers would share one where each has a /64. By /56 it is 256, for both.
void hail_prefix_key(uint8_t key[HAIL_PREFIX_KEY_LEN], const struct hail_address *address);

#endif
