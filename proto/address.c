// address.c: see address.h.
// SPDX-License-Identifier: MIT
#include "proto/address.h"

#include <string.h>

#include "crypto/secret.h"

void hail_address_set(struct hail_address *address, const struct sockaddr *from)
{
    memset(address, 0, sizeof *address);
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = v4->sin_port;
        address->v4.sin_addr = v4->sin_addr;
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = v6->sin6_port;
        address->v6.sin6_addr = v6->sin6_addr;
        address->v6.sin6_scope_id = v6->sin6_scope_id;
    }
}

socklen_t hail_address_len(const struct hail_address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

bool hail_address_equal(const struct hail_address *a, const struct hail_address *b)
{
    return hail_equal(a, b, sizeof *a);
}

void hail_address_key(uint8_t key[HAIL_ADDRESS_KEY_LEN], const struct hail_address *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (address->any.sa_family == AF_INET) {
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + 12, &address->v4.sin_addr, 4);
        memcpy(key + 16, &address->v4.sin_port, 2);
    } else {
        memcpy(key, &address->v6.sin6_addr, 16);
        memcpy(key + 16, &address->v6.sin6_port, 2);
    }
}

void hail_prefix_key(uint8_t key[HAIL_PREFIX_KEY_LEN], const struct hail_address *address)
{
    uint8_t whole[HAIL_ADDRESS_KEY_LEN];

    hail_address_key(whole, address);
    memset(key, 0, HAIL_PREFIX_KEY_LEN);
    key[0] = address->any.sa_family == AF_INET ||
             (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr));
    memcpy(key + 1, key[0] ? whole + 12 : whole, key[0] ? 4 : 7);
}
