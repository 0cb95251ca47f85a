// path.c: see path.h.
// SPDX-License-Identifier: MIT
#include "proto/path.h"

#include <string.h>

#include "crypto/secret.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void hail_path_set(struct hail_path *path, const struct sockaddr *remote)
{
    memset(path, 0, sizeof *path);
    if (remote->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)remote;
        path->v4.sin_family = AF_INET;
        path->v4.sin_port = v4->sin_port;
        path->v4.sin_addr = v4->sin_addr;
    } else if (remote->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)remote;
        path->v6.sin6_family = AF_INET6;
        path->v6.sin6_port = v6->sin6_port;
        path->v6.sin6_addr = v6->sin6_addr;
        path->v6.sin6_scope_id = v6->sin6_scope_id;
    }
}

void hail_path_set_local4(struct hail_path *path, const struct in_addr *local)
{
    memcpy(path->local, mapped, sizeof mapped);
    memcpy(path->local + sizeof mapped, local, sizeof *local);
}

void hail_path_local4(const struct hail_path *path, struct in_addr *local)
{
    memcpy(local, path->local + sizeof mapped, sizeof *local);
}

bool hail_path_has_local(const struct hail_path *path)
{
    static const uint8_t none[HAIL_PATH_LOCAL_LEN];

    return !hail_equal(path->local, none, sizeof none);
}

socklen_t hail_path_len(const struct hail_path *path)
{
    return path->any.sa_family == AF_INET ? sizeof path->v4 : sizeof path->v6;
}

bool hail_path_equal(const struct hail_path *a, const struct hail_path *b)
{
    return hail_equal(a, b, sizeof *a);
}

void hail_path_key(uint8_t key[HAIL_PATH_KEY_LEN], const struct hail_path *path)
{
    if (path->any.sa_family == AF_INET) {
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + 12, &path->v4.sin_addr, 4);
        memcpy(key + 16, &path->v4.sin_port, 2);
    } else {
        memcpy(key, &path->v6.sin6_addr, 16);
        memcpy(key + 16, &path->v6.sin6_port, 2);
    }
}

void hail_prefix_key(uint8_t key[HAIL_PREFIX_KEY_LEN], const struct hail_path *path)
{
    uint8_t whole[HAIL_PATH_KEY_LEN];

    hail_path_key(whole, path);
    memset(key, 0, HAIL_PREFIX_KEY_LEN);
    key[0] = path->any.sa_family == AF_INET ||
             (path->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&path->v6.sin6_addr));
    memcpy(key + 1, key[0] ? whole + 12 : whole, key[0] ? 4 : 7);
}
