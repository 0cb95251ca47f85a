// socket.c: see socket.h.
// SPDX-License-Identifier: MIT
#include "engine/io/socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/datagram.h"
#include "proto/path.h"

enum {
    BACKLOG = 4096,
    BUFFER_LEN = 8 << 20,        // of a server's UDP socket, in each direction
    CLIENT_BUFFER_LEN = 2 << 20, // of a client's, for what comes
    BUFFER_LEN_POOR = 1 << 20,   // below this a flood of some milliseconds drives players' out
    FIRST_OF_PACKETS = 1 << 6,   // first bytes from here on are a packet's
    HELLO_TOKEN_AT = 4,          // WIRE.md, section 2.1
    BUSY_PAUSE_MS = 20,
    BUSY_TRIES = 1000 / BUSY_PAUSE_MS
};

static void set(int fd, int level, int option, int value)
{
    // Best effort: an option that a kernel lacks costs comfort, never correctness.
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

// SO_REUSEPORT would let a second server of the same user share the port unseen: a socket without
// it finds out whether somebody listens there already.
static bool probe_port(const struct hail_listen *at)
{
    const struct sockaddr *address = (const struct sockaddr *)&at->address;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    int result = bind(fd, address, at->address_len);
    int error = errno;
    close(fd);
    errno = error;
    return result == 0;
}

// What to do about it.
static const char *way_out(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another process has the port, for a second now: end it, or choose another one "
               "(config "
               "field port)";
    case EADDRNOTAVAIL:
        return "this machine has no such address: see config field address";
    case EACCES:
        return "ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    case EAFNOSUPPORT:
        return "this machine has no IPv6: give an IPv4 address";
    default:
        return "see config fields address and port";
    }
}

// Says which call failed, and closes the socket.
static int refuse(int fd, const char *call, const char *way, const struct hail_log *log)
{
    hail_log_line(log, HAIL_LOG_ERROR, "%s: %s; %s", call, strerrordesc_np(errno),
                  way ? way : way_out(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

// Opens and binds a socket of the shards that share a port. Returns it, or -1, and which call
// failed.
static int try_bound(const struct hail_listen *at, bool is_first, int type, const char **call)
{
    const struct sockaddr *address = (const struct sockaddr *)&at->address;
    // A UDP socket that may share its port is given one that others share already, even when it
    // lets the kernel choose. So the first is bound alone, and shares from then on.
    bool alone = is_first && type == SOCK_DGRAM;
    bool shares = at->shard_count > 1;

    *call = "bind";
    if (is_first && !alone && !probe_port(at))
        return -1;
    *call = "socket";
    int fd = socket(address->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM) // for a UDP socket it would mean to share the port with anybody
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, SOL_SOCKET, SO_REUSEPORT, shares && !alone);
    if (address->sa_family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    *call = "bind";
    if (bind(fd, address, at->address_len) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    set(fd, SOL_SOCKET, SO_REUSEPORT, shares);
    return fd;
}

// The same, again while the port is in use, and says so when it cannot.
static int open_bound(struct hail_listen *at, bool is_first, int type, const struct hail_log *log)
{
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000L};
    const char *call;
    int fd = try_bound(at, is_first, type, &call);

    for (int i = 0; fd < 0 && is_first && errno == EADDRINUSE && i < BUSY_TRIES; i++) {
        nanosleep(&pause, NULL);
        fd = try_bound(at, is_first, type, &call);
    }
    if (fd < 0)
        return refuse(-1, call, NULL, log);
    // Shards after the first have the port that the kernel chose for it.
    getsockname(fd, (struct sockaddr *)&at->address, &at->address_len);
    return fd;
}

static int steer_by(int fd, struct sock_filter *steps, size_t count)
{
    const struct sock_fprog program = {(unsigned short)count, steps};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

static const char one_shard[] =
    "without it strangers' sockets could share the port; to do without, set shard_count to 1";

// Has the kernel choose among the shards' sockets, and no others that were bound to the port since:
// theirs come after ours.
static int steer_streams(int fd, uint32_t shard_count)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, shard_count),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };

    return steer_by(fd, steps, sizeof steps / sizeof steps[0]);
}

int hail_socket_listen(struct hail_listen *at, bool is_first, const struct hail_log *log)
{
    int fd = open_bound(at, is_first, SOCK_STREAM, log);

    if (fd < 0)
        return -1;
    // Accepted sockets inherit these.
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (listen(fd, BACKLOG) < 0)
        return refuse(fd, "listen", NULL, log);
    return !is_first && steer_streams(fd, at->shard_count) < 0
               ? refuse(fd, "setsockopt(SO_ATTACH_REUSEPORT_CBPF)", one_shard, log)
               : fd;
}

// Has the kernel choose among the shards' sockets, and no others: by the connection's name in the
// datagram, and among hellos by their token, so that one that is sent again comes to the same
// shard. The salt and the kernel's hash of the addresses keep an attacker from choosing it.
static int steer_datagrams(int fd, const struct hail_listen *at)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HAIL_DATAGRAM_HELLO, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_OF_PACKETS, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HAIL_DATAGRAM_FINISH, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 1), // the shard: the first byte of the name
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, at->shard_count, 0, 8),
        BPF_STMT(BPF_RET | BPF_K, 0), // what there is no shard for is nobody's
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RXHASH)),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, HELLO_TOKEN_AT),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, at->salt),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, at->shard_count),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };

    return steer_by(fd, steps, sizeof steps / sizeof steps[0]);
}

// Makes a buffer of the socket large: without privilege, as large as the system allows.
static int enlarge(int fd, int forced, int option, int wanted)
{
    int len = wanted;
    socklen_t len_len = sizeof len;

    if (setsockopt(fd, SOL_SOCKET, forced, &len, sizeof len) < 0)
        set(fd, SOL_SOCKET, option, wanted);
    getsockopt(fd, SOL_SOCKET, option, &len, &len_len);
    return len / 2; // the kernel counts its own costs as well
}

// Datagrams are never fragmented, nor kept short by what the kernel believes of the path: we find
// out for ourselves (proto/pmtu.h).
static void search_paths(int fd, int family)
{
    if (family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE); // of a dual-stack socket as well
}

static bool is_any(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    return address->ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY)
                                         : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

// Has the kernel say which of the machine's addresses each datagram came to.
static void tell_local(int fd, int family)
{
    if (family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1); // of IPv4 as well, mapped
    else
        set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

int hail_socket_bind(struct hail_listen *at, bool is_first, const struct hail_log *log)
{
    int fd = open_bound(at, is_first, SOCK_DGRAM, log);

    if (fd < 0)
        return -1;
    set(fd, IPPROTO_UDP, UDP_GRO, 1);
    if (is_any(&at->address))
        tell_local(fd, at->address.ss_family);
    search_paths(fd, at->address.ss_family);
    (void)enlarge(fd, SO_SNDBUFFORCE, SO_SNDBUF, BUFFER_LEN);
    int len = enlarge(fd, SO_RCVBUFFORCE, SO_RCVBUF, BUFFER_LEN);
    if (is_first && len < BUFFER_LEN_POOR)
        hail_log_line(log, HAIL_LOG_WARN,
                      "the kernel keeps only %d KiB of datagrams for us; to lose none in a burst, "
                      "set the sysctl net.core.rmem_max to %d",
                      len / 1024, BUFFER_LEN);
    // With one shard there is nothing to choose.
    return !is_first && steer_datagrams(fd, at) < 0
               ? refuse(fd, "setsockopt(SO_ATTACH_REUSEPORT_CBPF)", one_shard, log)
               : fd;
}

static int attach(int fd, struct sock_filter *steps, size_t count)
{
    const struct sock_fprog program = {(unsigned short)count, steps};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

static int let_all_through(int fd)
{
    struct sock_filter step = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);

    // Not every kernel lets go of a filter that it has taken.
    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)) == 0 ||
        errno == ENOENT)
        return 0;
    return attach(fd, &step, 1);
}

// Each class has a lottery of its own at the end. What is too short for a load is thrown away: it
// is no hello.
static int let_some_through(int fd, const struct hail_admission_filter *filter)
{
    enum {
        PAYLOAD = 8 // a socket's filter sees the UDP header as well
    };
    const uint32_t *words = filter->words;
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, PAYLOAD),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HAIL_DATAGRAM_HELLO, 0, 13), // taken
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, PAYLOAD + HAIL_HELLO_COOKIE_LEN_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 7, 0), // unproven
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PAYLOAD + HAIL_HELLO_COOKIE_LEN_AT + 1),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, words[0], 7, 0), // proven
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, words[1], 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, words[2], 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, words[3], 4, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, filter->lots[HAIL_ADMISSION_MADE_UP], 5, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)), // unproven
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, filter->lots[HAIL_ADMISSION_UNPROVEN], 3, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)), // proven
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, filter->lots[HAIL_ADMISSION_PROVEN], 1, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), // taken
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    _Static_assert(HAIL_COOKIE_WORDS == 4, "each is compared");

    return attach(fd, steps, sizeof steps / sizeof steps[0]);
}

int hail_socket_filter(int fd, const struct hail_admission_filter *filter)
{
    if (hail_admission_passes_all(filter))
        return let_all_through(fd);
    int result = let_some_through(fd, filter);
    // The one before does not know the words of now: better none.
    if (result < 0)
        (void)let_all_through(fd);
    return result;
}

uint32_t hail_socket_drops(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;

    (void)getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len);
    return info[SK_MEMINFO_DROPS];
}

int hail_socket_connecting(const struct sockaddr *to, int type)
{
    int fd = socket(to->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM) {
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        return fd;
    }
    search_paths(fd, to->sa_family);
    // A download comes in bursts as long as the server's window, often joined: without either the
    // kernel of a client whose thread is busy elsewhere drops what the network has carried.
    set(fd, IPPROTO_UDP, UDP_GRO, 1);
    (void)enlarge(fd, SO_RCVBUFFORCE, SO_RCVBUF, CLIENT_BUFFER_LEN);
    return fd;
}

void hail_socket_rebind(int fd, const struct sockaddr *to)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    // A port that the kernel chose is given back when the socket is disconnected (Linux, udp(7)).
    (void)connect(fd, &nowhere, sizeof nowhere);
    (void)connect(fd, to, hail_socket_address_len(to));
}

// The address that a socket sends from, its port aside. False: it has none.
static bool source_of(int fd, struct hail_path *source)
{
    socklen_t len = sizeof *source;

    *source = (struct hail_path){0};
    if (getsockname(fd, &source->any, &len) < 0)
        return false;
    if (source->any.sa_family == AF_INET6)
        source->v6.sin6_port = 0;
    else
        source->v4.sin_port = 0;
    return true;
}

bool hail_socket_has_source(int fd)
{
    struct hail_path source;

    if (!source_of(fd, &source))
        return false;
    int other = socket(source.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (other < 0)
        return true; // unknown
    bool has = bind(other, &source.any, hail_path_len(&source)) == 0;
    close(other);
    return has;
}

bool hail_socket_moved(int fd, const struct sockaddr *to)
{
    struct hail_path now;
    struct hail_path then;
    int other = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (other < 0)
        return false;
    bool moved = connect(other, to, hail_socket_address_len(to)) == 0 && source_of(other, &now) &&
                 source_of(fd, &then) && !hail_path_equal(&now, &then);
    close(other);
    return moved;
}

void hail_socket_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

socklen_t hail_socket_address_len(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}
