// SPDX-License-Identifier: MIT
#include "engine/io/watch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

int hail_watch_open(void)
{
    const struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                     RTMGRP_IPV6_ROUTE,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

// What has changed is not looked at: each connection asks the kernel for its own source anyway.
bool hail_watch_read(int fd)
{
    char messages[4096];
    bool any = false;
    ssize_t got;

    // ENOBUFS says that some were lost, which is news as well.
    while ((got = recv(fd, messages, sizeof messages, MSG_DONTWAIT)) > 0 ||
           (got < 0 && (errno == ENOBUFS || errno == EINTR)))
        any = true;
    return any;
}
