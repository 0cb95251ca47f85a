#!/bin/bash
# io-uring-exit-interrupts.sh: after io_uring_queue_exit, a later blocking call of the same thread
# returns EINTR, though no signal was sent.
# SPDX-License-Identifier: MIT
#
# A thread makes a ring, uses it for nothing, and gives it up. The kernel takes the ring apart later,
# and interrupts the threads that have had to do with it. A receive without a time limit is begun
# anew and shows nothing of it; one with SO_RCVTIMEO returns -1 with EINTR, as socket(7) says of
# signals. So code that has no signal handler, and relies on that, fails now and then, long after a
# library has closed its ring.
#
# Seen: Linux 6.18, liburing 2.3-3 (Debian 12): EINTR in most of 200 rounds, and in none without a
# ring or without a time limit.
#
# usage: findings/io-uring-exit-interrupts.sh    exits with 1 if that has changed
set -euo pipefail

version=2.3-3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q "liburing2=$version" "liburing-dev=$version" >/dev/null
for package in ./*.deb; do
    dpkg-deb -x "$package" root
done

cat >rounds.c <<'C'
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 200, WAIT_MS = 10 };

static int port_of(int fd)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;

    if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 ||
        getsockname(fd, (struct sockaddr *)&here, &len) < 0)
        exit(2);
    return here.sin_port;
}

// Ends a receive that has no time limit: a datagram comes a while later.
static void *answer(void *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = (in_port_t)(size_t)port,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    usleep(WAIT_MS * 1000);
    sendto(fd, "", 1, 0, (struct sockaddr *)&to, sizeof to);
    close(fd);
    return NULL;
}

static int interrupted(int has_ring, int has_limit)
{
    int count = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct io_uring ring;
        pthread_t thread;
        char byte;
        if (has_ring && io_uring_queue_init(8, &ring, 0) < 0)
            exit(2);
        if (has_ring)
            io_uring_queue_exit(&ring);
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        struct timeval limit = {.tv_usec = 2 * WAIT_MS * 1000};
        if (has_limit)
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        pthread_create(&thread, NULL, answer, (void *)(size_t)port_of(fd));
        count += recv(fd, &byte, 1, 0) < 0 && errno == EINTR;
        pthread_join(thread, NULL);
        close(fd);
    }
    return count;
}

int main(void)
{
    int without = interrupted(0, 1);
    int restarted = interrupted(1, 0);
    int with = interrupted(1, 1);

    printf("EINTR in %d rounds: no ring %d; a ring, no time limit %d; a ring and a time limit %d\n",
           ROUNDS, without, restarted, with);
    return without == 0 && restarted == 0 && with > ROUNDS / 10 ? 0 : 1;
}
C
gcc -O1 -o rounds rounds.c -I root/usr/include -L root/usr/lib/x86_64-linux-gnu \
    -Wl,-rpath,"$folder/root/usr/lib/x86_64-linux-gnu" -luring -pthread
echo "kernel $(uname -sr), liburing $version"
./rounds && echo "as described" || {
    echo "changed"
    exit 1
}
