// path.h: the two ends that a datagram travels between, in as few bytes as a connection can spare.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_PATH_H
#define HAIL_PROTO_PATH_H

#include <netinet/in.h>

#include "crypto/base.h"

enum {
    HAIL_PATH_LOCAL_LEN = 16,
    HAIL_PATH_KEY_LEN = 18, // remote address, IPv4 mapped into IPv6, and port
    HAIL_PREFIX_KEY_LEN = 8 // family, and the part that one customer of a network has
};

// A path: the other end's IPv4 or IPv6 socket address, of which all bytes that its family does not
// use are 0, and our own address. That is an IPv6 address, or an IPv4 address mapped into one; all
// 0: the socket has but one, or the kernel chooses. Our port is the socket's.
struct hail_path {
    union { // the remote end
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    uint8_t local[HAIL_PATH_LOCAL_LEN];
};

// hail_path_set copies the remote end, leaves out what does not name a path, and makes our own end
// the kernel's to choose. Another family than the two gives AF_UNSPEC.
void hail_path_set(struct hail_path *path, const struct sockaddr *remote);

// hail_path_set_local4 sets our own end to an IPv4 address; hail_path_local4 gets it.
void hail_path_set_local4(struct hail_path *path, const struct in_addr *local);
void hail_path_local4(const struct hail_path *path, struct in_addr *local);

// hail_path_has_local says whether our own end is given.
bool hail_path_has_local(const struct hail_path *path);

// hail_path_len returns the bytes of the remote end that system calls want.
socklen_t hail_path_len(const struct hail_path *path);

// hail_path_equal compares both ends: family, address, port and, for IPv6, scope.
bool hail_path_equal(const struct hail_path *a, const struct hail_path *b);

// hail_path_key writes the remote address and port as bytes that are the same for the same sender
// whether he is seen as IPv4 or as IPv4 mapped into IPv6, and whichever address he sends to.
void hail_path_key(uint8_t key[HAIL_PATH_KEY_LEN], const struct hail_path *path);

// hail_prefix_key writes what a single sender cannot vary at will: an IPv4 address, or an IPv6 /56.
// Networks give a customer a /64, a /56 or a /48. Counted by /64, whoever has a /48 would be 65,536
// sources; by /48, many customers would share one where each has a /64. By /56 it is 256, for both.
void hail_prefix_key(uint8_t key[HAIL_PREFIX_KEY_LEN], const struct hail_path *path);

#endif
