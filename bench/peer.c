// peer.c: see peer.h.
// SPDX-License-Identifier: MIT
#include "bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/time.h"
#include "tools/load/histogram.h"

enum {
    EXIT_USAGE = 2,
    EVENTS = 256,
    OUT_LEN = 16384,
    SOCKET_BUFFER_LEN = 16 << 20,
    CLIENT_BUFFER_LEN = 1 << 18,
    JOIN_S_MAX = 20,
    LOST_NS = 200000000, // an echo that is not back by then will not come
    TICK_NS = 50000000
};

// One connection, as the load sees it.
struct conn {
    int fd; // -1: not open
    bool is_joined;
    uint64_t opened_ns;
    uint64_t heard_ns; // when an echo last came, or it was sent to anew
};

// The load. There is one.
static struct load {
    const struct peer *peer;
    struct peer_wanted wanted;
    uint16_t port;
    int epoll;
    int ready_fd; // the server's: where it tells its port
    bool is_sending;
    uint64_t start_ns; // open loop: of the schedule
    uint64_t sent;     // by it
    uint64_t from_ns;  // messages sent from then on are timed
    uint64_t joined;
    uint64_t echoes;
    uint64_t lost;
    uint64_t faults;
    struct histogram latency;
    struct conn conns[PEER_CONNECTIONS_MAX];
} load;

_Noreturn void peer_die(const char *call)
{
    fprintf(stderr, "%s: %s: %s\n", load.peer->name, call, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        peer_die("clock_gettime");
    return hail_time_ns(&now);
}

static uint64_t now(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

static void stay_on(int core)
{
    cpu_set_t cores;

    if (core < 0)
        return;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) < 0)
        peer_die("sched_setaffinity");
}

// ---- For servers

void peer_ready(uint16_t port)
{
    if (write(load.ready_fd, &port, sizeof port) != sizeof port)
        peer_die("write");
}

int peer_bind(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int buffer = SOCKET_BUFFER_LEN;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        peer_die("bind");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    *port = ntohs(at.sin_port);
    return fd;
}

void peer_serve_datagrams(int fd, size_t (*answer)(uint16_t from, const uint8_t *datagram,
                                                   size_t len, uint8_t *out))
{
    static uint8_t in[PEER_BATCH][OUT_LEN];
    static uint8_t out[PEER_BATCH][OUT_LEN];
    struct sockaddr_in names[PEER_BATCH];
    struct iovec views[PEER_BATCH];
    struct mmsghdr headers[PEER_BATCH];
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        peer_die("epoll");
    for (;;) {
        unsigned answers = 0;
        epoll_wait(epoll, &event, 1, -1);
        for (int i = 0; i < PEER_BATCH; i++) {
            views[i] = (struct iovec){in[i], OUT_LEN};
            headers[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
                                                 .msg_namelen = sizeof names[i],
                                                 .msg_iov = &views[i],
                                                 .msg_iovlen = 1};
        }
        int got = recvmmsg(fd, headers, PEER_BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            size_t len = answer(ntohs(names[i].sin_port), in[i], headers[i].msg_len, out[answers]);
            if (len == 0)
                continue;
            names[answers] = names[i]; // never ahead of what is read
            views[answers] = (struct iovec){out[answers], len};
            answers++;
        }
        if (answers > 0)
            sendmmsg(fd, headers, answers, MSG_DONTWAIT);
    }
}

// ---- The load

const struct peer_wanted *peer_wanted(void)
{
    return &load.wanted;
}

int peer_connect(uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int buffer = CLIENT_BUFFER_LEN;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
        peer_die("connect");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    return fd;
}

// Sends a message whose time counts from `begin_ns`.
static void send_one(uint32_t index, uint64_t begin_ns)
{
    static uint8_t message[PEER_SIZE_MAX];

    memcpy(message, &begin_ns, sizeof begin_ns);
    load.peer->send(index, message, load.wanted.size);
}

static void flush(uint32_t index)
{
    if (load.peer->flush)
        load.peer->flush(index);
}

static void open_conn(uint32_t index)
{
    struct conn *conn = &load.conns[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    *conn = (struct conn){.fd = -1, .opened_ns = now()};
    conn->fd = load.peer->open(index, load.port);
    if (conn->fd < 0 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        peer_die("open");
}

void peer_joined(uint32_t index)
{
    struct conn *conn = &load.conns[index];

    if (conn->is_joined)
        return;
    conn->is_joined = true;
    load.joined++;
    histogram_add(&load.latency, now() - conn->opened_ns);
}

void peer_echo(uint32_t index, const uint8_t *message, size_t len)
{
    uint64_t now_ns = now();
    uint64_t sent_ns;

    if (len != load.wanted.size) {
        load.faults++;
        return;
    }
    memcpy(&sent_ns, message, sizeof sent_ns);
    load.echoes++;
    load.conns[index].heard_ns = now_ns;
    if (sent_ns >= load.from_ns) {
        histogram_add(&load.latency, now_ns - sent_ns);
        load.lost -= load.wanted.rate > 0;
    }
    if (load.is_sending)
        send_one(index, now_ns);
}

// Takes what comes within a time.
static void turn_for(uint64_t ns)
{
    const struct timespec timeout = {.tv_sec = (time_t)(ns / HAIL_NS_PER_S),
                                     .tv_nsec = (long)(ns % HAIL_NS_PER_S)};
    struct epoll_event events[EVENTS];
    int count = epoll_pwait2(load.epoll, events, EVENTS, &timeout, NULL);

    for (int i = 0; i < count; i++)
        load.peer->receive(events[i].data.u32);
}

static void turn(void)
{
    turn_for(20 * 1000 * 1000);
}

static void tick_all(void)
{
    for (uint32_t i = 0; load.peer->tick && i < load.wanted.connections; i++) {
        if (load.conns[i].fd >= 0 && !load.conns[i].is_joined)
            load.peer->tick(i);
    }
}

// Joins all connections, so many at a time, and with `count` beyond them closes and joins again.
static void join(uint32_t concurrent, uint64_t count)
{
    uint64_t until_ns = now() + (uint64_t)JOIN_S_MAX * HAIL_NS_PER_S;
    uint64_t tick_ns = now() + TICK_NS;
    uint64_t begun = 0;
    bool closes = count > load.wanted.connections;

    while (load.joined < count) {
        for (uint32_t i = 0; i < load.wanted.connections && begun < count; i++) {
            struct conn *conn = &load.conns[i];
            if (begun - load.joined >= concurrent)
                break;
            if (conn->fd >= 0 && !(conn->is_joined && closes))
                continue;
            if (conn->fd >= 0)
                load.peer->close(i);
            open_conn(i);
            begun++;
        }
        turn();
        if (now() >= tick_ns) {
            tick_all();
            tick_ns = now() + TICK_NS;
        }
        if (now() > until_ns) {
            fprintf(stderr, "%s: only %llu of %llu joined\n", load.peer->name,
                    (unsigned long long)load.joined, (unsigned long long)count);
            exit(EXIT_FAILURE);
        }
    }
}

// Sends anew where nothing comes back any more.
static void begin_anew(void)
{
    uint64_t now_ns = now();

    for (uint32_t i = 0; i < load.wanted.connections; i++) {
        struct conn *conn = &load.conns[i];
        if (now_ns - conn->heard_ns < LOST_NS)
            continue;
        load.lost += conn->heard_ns > 0 ? load.wanted.outstanding : 0;
        conn->heard_ns = now_ns;
        for (uint32_t j = 0; j < load.wanted.outstanding; j++)
            send_one(i, now_ns);
        flush(i);
    }
}

static void send_until(uint64_t until_ns)
{
    uint64_t look_ns = 0;

    for (uint64_t now_ns = now(); now_ns < until_ns; now_ns = now()) {
        if (now_ns >= look_ns) {
            begin_anew();
            look_ns = now_ns + TICK_NS;
        }
        turn();
    }
}

// Open loop: sends on a schedule that waits for nobody, each connection in its turn, and counts
// from when a message was due. Goes on where the last call stopped.
static void send_on_schedule(uint64_t until_ns)
{
    const struct peer_wanted *wanted = &load.wanted;

    if (load.start_ns == 0)
        load.start_ns = now();
    for (uint64_t now_ns = now(); now_ns < until_ns; now_ns = now()) {
        uint64_t due_ns =
            load.start_ns + (uint64_t)((double)load.sent * HAIL_NS_PER_S / wanted->rate);
        if (due_ns > now_ns) {
            turn_for(due_ns < until_ns ? due_ns - now_ns : until_ns - now_ns);
            continue;
        }
        load.lost += due_ns >= load.from_ns; // until it is back
        uint32_t conn = (uint32_t)(load.sent++ % wanted->connections);
        send_one(conn, due_ns);
        flush(conn);
    }
}

static double us_at(double quantile)
{
    return (double)histogram_quantile(&load.latency, quantile) / 1000;
}

static void print_line(uint64_t count, uint64_t cpu_ns, uint64_t wall_ns)
{
    const struct peer_wanted *wanted = &load.wanted;
    const char *what = wanted->handshakes > 0 ? "handshake" : "message";

    printf("{\"about\": \"%s\", \"io\": \"%s\", \"connections\": %u, \"size\": %u, "
           "\"outstanding\": %u, ",
           load.peer->about, wanted->uring ? "uring" : "epoll", wanted->connections, wanted->size,
           wanted->outstanding);
    printf("\"%ss_per_second\": %.1f, \"server_us_per_%s\": %.4f, ", what,
           (double)count * 1e9 / (double)wall_ns, what, (double)cpu_ns / 1000 / (double)count);
    printf("\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
           "\"max_us\": %.1f, \"lost\": %llu}\n",
           us_at(0.5), us_at(0.9), us_at(0.99), us_at(0.999), us_at(1),
           (unsigned long long)load.lost);
}

static void run_until(uint64_t until_ns)
{
    if (load.wanted.rate > 0)
        send_on_schedule(until_ns);
    else
        send_until(until_ns);
}

static void measure(clockid_t cpu)
{
    const struct peer_wanted *wanted = &load.wanted;
    uint64_t cpu_before = clock_of(cpu);
    uint64_t before = now();

    if (wanted->handshakes > 0) {
        join(wanted->concurrent, wanted->handshakes);
        print_line(load.joined, clock_of(cpu) - cpu_before, now() - before);
        return;
    }
    join(wanted->concurrent, wanted->connections);
    load.latency = (struct histogram){0};
    load.is_sending = wanted->rate == 0;
    load.from_ns = UINT64_MAX;
    run_until(now() + (uint64_t)(wanted->warmup * HAIL_NS_PER_S));
    cpu_before = clock_of(cpu);
    before = now();
    load.from_ns = before;
    load.echoes = 0;
    run_until(before + (uint64_t)(wanted->seconds * HAIL_NS_PER_S));
    uint64_t wall_ns = now() - before;
    uint64_t cpu_ns = clock_of(cpu) - cpu_before;
    uint64_t echoes = load.echoes;
    for (uint64_t until_ns = now() + LOST_NS;
         wanted->rate > 0 && load.lost > 0 && now() < until_ns;)
        turn(); // what is under way still
    if (echoes > 0)
        print_line(echoes, cpu_ns, wall_ns);
}

// ---- The whole

static void start_server(pid_t *child)
{
    int ends[2];
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (pipe(ends) < 0)
        peer_die("pipe");
    *child = fork();
    if (*child < 0)
        peer_die("fork");
    if (*child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        load.ready_fd = ends[1];
        stay_on(load.wanted.server_core);
        load.peer->serve(&load.wanted);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    if (read(ends[0], &load.port, sizeof load.port) != sizeof load.port)
        peer_die("the server did not start");
    close(ends[0]);
}

static double number(const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (*end == 0 && end != text && value >= min && value <= max)
        return value;
    fprintf(stderr, "%s: %s: must be a number from %g to %g; see --help\n", load.peer->name, text,
            min, max);
    exit(EXIT_USAGE);
}

static void print_help(FILE *out)
{
    fprintf(
        out,
        "usage: %s [--connections N] [--size BYTES] [--outstanding N | --rate N]\n"
        "       [--duration SECONDS] [--warmup SECONDS] [--server-core N] [--load-core N]%s%s%s\n"
        "Echoes messages over loopback (%s), and prints what one costs the server as a line of "
        "JSON.\n"
        "example: %s --connections 100 --size 128 --server-core 1 --load-core 0\n",
        load.peer->name, load.peer->has_uring ? " [--io uring|epoll]" : "",
        load.peer->has_handshake ? " [--handshakes N] [--concurrent N]" : "",
        load.peer->has_ordered ? " [--ordered]" : "", load.peer->about, load.peer->name);
}

static void read_option(struct peer_wanted *wanted, int option)
{
    switch (option) {
    case 'i':
        wanted->uring = load.peer->has_uring && strcmp(optarg, "epoll") != 0;
        return;
    case 'c':
        wanted->connections = (uint32_t)number(optarg, 1, PEER_CONNECTIONS_MAX);
        return;
    case 's':
        wanted->size = (uint32_t)number(optarg, 8, PEER_SIZE_MAX);
        return;
    case 'O':
        wanted->ordered = true;
        return;
    case 'r':
        wanted->rate = (uint32_t)number(optarg, 1, 1e7);
        return;
    case 'o':
        wanted->outstanding = (uint32_t)number(optarg, 1, 1000);
        return;
    case 'n':
        wanted->handshakes = (uint32_t)number(optarg, 1, 1e6);
        return;
    case 'C':
        wanted->concurrent = (uint32_t)number(optarg, 1, 256);
        return;
    case 'd':
        wanted->seconds = number(optarg, 0.05, 3600);
        return;
    case 'w':
        wanted->warmup = number(optarg, 0, 3600);
        return;
    case 'S':
        wanted->server_core = (int)number(optarg, 0, CPU_SETSIZE - 1);
        return;
    case 'L':
        wanted->load_core = (int)number(optarg, 0, CPU_SETSIZE - 1);
        return;
    case 'h':
        print_help(stdout);
        exit(EXIT_SUCCESS);
    default:
        print_help(stderr);
        exit(EXIT_USAGE);
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"io", required_argument, NULL, 'i'},
        {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"ordered", no_argument, NULL, 'O'},
        {"outstanding", required_argument, NULL, 'o'},
        {"handshakes", required_argument, NULL, 'n'},
        {"concurrent", required_argument, NULL, 'C'},
        {"duration", required_argument, NULL, 'd'},
        {"warmup", required_argument, NULL, 'w'},
        {"server-core", required_argument, NULL, 'S'},
        {"load-core", required_argument, NULL, 'L'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;

    load.wanted = (struct peer_wanted){.uring = load.peer->has_uring,
                                       .connections = 100,
                                       .size = 128,
                                       .outstanding = 1,
                                       .concurrent = 64,
                                       .seconds = 3,
                                       .warmup = 0.2,
                                       .server_core = -1,
                                       .load_core = -1};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        read_option(&load.wanted, option);
    if (load.wanted.handshakes > 0 && !load.peer->has_handshake) {
        fprintf(stderr, "%s: has no handshakes that compare\n", load.peer->name);
        exit(EXIT_USAGE);
    }
    if (load.wanted.ordered && !load.peer->has_ordered) {
        fprintf(stderr, "%s: has no reliable messages\n", load.peer->name);
        exit(EXIT_USAGE);
    }
    if (load.wanted.handshakes > 0) // as many connections as are under way
        load.wanted.connections = load.wanted.concurrent;
}

int peer_main(const struct peer *peer, int argc, char **argv)
{
    clockid_t cpu;
    pid_t child;

    load.peer = peer;
    read_options(argc, argv);
    start_server(&child);
    stay_on(load.wanted.load_core);
    if (clock_getcpuclockid(child, &cpu) != 0)
        peer_die("clock_getcpuclockid");
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
        load.conns[i].fd = -1;
    measure(cpu);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    bool has_measured = load.wanted.handshakes > 0 || load.echoes > 0;
    if (!has_measured)
        fprintf(stderr, "%s: nothing came back\n", peer->name);
    if (load.faults > 0)
        fprintf(stderr, "%s: %llu echoes had another length\n", peer->name,
                (unsigned long long)load.faults);
    return has_measured && load.faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
