// net.h: a network for one test, of hosts that are network namespaces, and links that are pairs of
// virtual Ethernet devices between them. A thread enters a host, and so do those that it starts: an
// endpoint that is started there lives there. All of it is gone with the process, however it ends.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_NET_NET_H
#define HAIL_TESTS_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    NET_HOSTS_MAX = 8,
    NET_COMMAND_MAX = 256
};

struct net {
    pid_t hosts[NET_HOSTS_MAX]; // a process of each, which does nothing but be there
    size_t host_count;
    int home; // the namespace that the test came from
};

// net_begin says whether networks can be made here; if not, it has printed why, and the program is
// to end with NET_SKIPPED. Called first in main, while there is one thread.
bool net_begin(void);

enum {
    NET_SKIPPED = 77 // see SKIP_RETURN_CODE
};

void net_init(struct net *net);
void net_cleanup(struct net *net);

// net_host adds a host whose loopback device is up, and returns its number.
size_t net_host(struct net *net);

// net_link connects two hosts: device `name_a` on `a`, `name_b` on `b`, both up.
void net_link(struct net *net, size_t a, const char *name_a, size_t b, const char *name_b);

// net_run runs a program on a host, such as "ip address add 10.0.0.1/24 dev eth0"; it succeeds, or
// the test fails.
__attribute__((format(printf, 3, 4))) void net_run(struct net *net, size_t host, const char *format,
                                                   ...);

// net_enter moves this thread to a host; net_leave, back to where the test came from.
void net_enter(struct net *net, size_t host);
void net_leave(struct net *net);

// net_deny_netlink has the kernel refuse this thread, and those that it starts from here on,
// sockets by which it tells of addresses and routes, as some sandboxes do.
void net_deny_netlink(void);

#endif
