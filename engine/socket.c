// socket.c: see socket.h.
// SPDX-License-Identifier: MIT
#include "engine/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 4096
};

static void set(int fd, int level, int option, int value)
{
    // Best effort: an option that a kernel lacks costs comfort, never correctness.
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

// SO_REUSEPORT would let a second server of the same user share the port unseen: a socket without
// it finds out whether somebody listens there already.
static bool probe_port(const struct hail_listen *at, int type)
{
    const struct sockaddr *address = (const struct sockaddr *)&at->address;
    int fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    int result = bind(fd, address, at->address_len);
    int error = errno;
    close(fd);
    errno = error;
    return result == 0;
}

int hail_socket_listen(struct hail_listen *at, bool is_first, const struct hail_log *log)
{
    struct sockaddr *address = (struct sockaddr *)&at->address;
    const char *call = "bind";
    int fd = -1;

    if (is_first && !probe_port(at, SOCK_STREAM))
        goto failed;
    call = "socket";
    fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        goto failed;
    // Accepted sockets inherit these.
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (address->sa_family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    call = "bind";
    if (bind(fd, address, at->address_len) < 0)
        goto failed;
    call = "listen";
    if (listen(fd, BACKLOG) < 0)
        goto failed;
    // Shards after the first listen on the port that the kernel chose for it.
    getsockname(fd, address, &at->address_len);
    return fd;
failed:
    hail_log_line(log, HAIL_LOG_ERROR, "%s: %s; see config fields address and port", call,
                  strerrordesc_np(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int hail_socket_connecting(const struct sockaddr *to)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd < 0)
        return -errno;
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

socklen_t hail_socket_address_len(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}
