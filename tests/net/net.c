// SPDX-License-Identifier: MIT
#include "tests/net/net.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

// Becomes root of a user namespace of its own, where one may be made by anybody.
static bool become_root(void)
{
    char map[64];
    unsigned user = geteuid();
    unsigned group = getegid();

    if (unshare(CLONE_NEWUSER) < 0)
        return false;
    (void)snprintf(map, sizeof map, "0 %u 1", user);
    if (!write_file("/proc/self/uid_map", map))
        return false;
    (void)write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "0 %u 1", group);
    return write_file("/proc/self/gid_map", map);
}

// A process tries, so that this one stays where it is.
static bool can_unshare(bool as_user)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit((!as_user || become_root()) && unshare(CLONE_NEWNET) == 0 ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

bool net_begin(void)
{
    if (access("/usr/sbin/ip", X_OK) < 0 && access("/sbin/ip", X_OK) < 0 &&
        access("/usr/bin/ip", X_OK) < 0) {
        printf("skipped: there is no program called ip, of the package iproute2\n");
        return false;
    }
    if (can_unshare(false) || (can_unshare(true) && become_root()))
        return true;
    printf("skipped: network namespaces may not be made here (%s)\n", strerror(errno));
    return false;
}

void net_init(struct net *net)
{
    *net = (struct net){.home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    ck_assert_int_ge(net->home, 0);
}

void net_cleanup(struct net *net)
{
    for (size_t i = 0; i < net->host_count; i++) {
        kill(net->hosts[i], SIGKILL);
        waitpid(net->hosts[i], NULL, 0);
    }
    close(net->home);
    net->host_count = 0;
}

static void hold(pid_t parent, int told)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || unshare(CLONE_NEWNET) < 0 || write(told, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

size_t net_host(struct net *net)
{
    pid_t parent = getpid();
    int told[2];
    char byte;

    ck_assert_uint_lt(net->host_count, NET_HOSTS_MAX);
    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        hold(parent, told[1]);
    close(told[1]);
    net->hosts[net->host_count] = child;
    size_t host = net->host_count++;
    ck_assert_msg(read(told[0], &byte, 1) == 1, "a network namespace could not be made");
    close(told[0]);
    net_run(net, host, "ip link set lo up");
    return host;
}

static void enter(int fd)
{
    ck_assert_msg(setns(fd, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
}

void net_enter(struct net *net, size_t host)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)net->hosts[host]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    enter(fd);
    close(fd);
}

void net_leave(struct net *net)
{
    enter(net->home);
}

void net_run(struct net *net, size_t host, const char *format, ...)
{
    char command[NET_COMMAND_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof command, format, args);
    va_end(args);
    net_enter(net, host);
    int status = system(command);
    net_leave(net);
    ck_assert_msg(status == 0, "%s: status %d", command, status);
}

void net_link(struct net *net, size_t a, const char *name_a, size_t b, const char *name_b)
{
    net_run(net, a, "ip link add %s type veth peer name %s netns %d", name_a, name_b,
            (int)net->hosts[b]);
    net_run(net, a, "ip link set %s up", name_a);
    net_run(net, b, "ip link set %s up", name_b);
}

void net_deny_netlink(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof steps / sizeof steps[0], steps};

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}
