// paths.h: paths for tests, in a word.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_PATHS_H
#define HAIL_TESTS_PATHS_H

#include <arpa/inet.h>

#include "proto/path.h"

#define PATHS_CLIENT 0xc0000201u // 192.0.2.1

// path_from returns the path from an IPv4 address and port to wherever.
static inline struct hail_path path_from(uint32_t address, uint16_t port)
{
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
    struct hail_path path;

    hail_path_set(&path, (const struct sockaddr *)&v4);
    return path;
}

#endif
