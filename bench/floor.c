// floor.c: the least that an echo of datagrams costs here: a server that sends back what it gets
// and does nothing else, by the same system calls as the library. What hail costs is told against
// it. SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <liburing.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    SIZE_MAX_BYTES = 1400,
    CONNECTIONS_MAX = 4096,
    BUFFERS = 256, // a power of two
    BUFFER_LEN = 65536 + 320,
    CONTROL_LEN = 24,
    BATCH = 64,
    RECV_GROUP = 1,
    SOCKET_BUFFER_LEN = 8 << 20
};

// What is asked for.
struct wanted {
    bool uring;
    uint32_t connections;
    uint32_t size;
    double seconds;
    int server_core; // -1: any
    int load_core;
};

static void die(const char *call)
{
    fprintf(stderr, "floor: %s: %s\n", call, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        die("clock_gettime");
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void stay_on(int core)
{
    cpu_set_t cores;

    if (core < 0)
        return;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) < 0)
        die("sched_setaffinity");
}

static int open_server(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int buffer = SOCKET_BUFFER_LEN;
    int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        die("bind");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    *port = ntohs(at.sin_port);
    return fd;
}

// ---- The server, by io_uring

struct uring {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *memory;
    struct msghdr header;
    unsigned short to_give_back[BUFFERS]; // sent from, until the submission
    uint32_t to_give_back_count;
    int fd;
    bool receiving;
};

static void give_back(struct uring *uring)
{
    for (uint32_t i = 0; i < uring->to_give_back_count; i++) {
        unsigned short id = uring->to_give_back[i];
        io_uring_buf_ring_add(uring->buffers, uring->memory + (size_t)id * BUFFER_LEN, BUFFER_LEN,
                              id, io_uring_buf_ring_mask(BUFFERS), (int)i);
    }
    io_uring_buf_ring_advance(uring->buffers, (int)uring->to_give_back_count);
    uring->to_give_back_count = 0;
}

static void open_uring(struct uring *uring, int fd)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = 16384,
    };
    struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = RECV_GROUP};

    memset(uring, 0, sizeof *uring);
    uring->fd = fd;
    uring->header.msg_namelen = sizeof(struct sockaddr_in6);
    uring->header.msg_controllen = CONTROL_LEN;
    uring->buffers = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
    uring->memory = aligned_alloc(64, (size_t)BUFFERS * BUFFER_LEN);
    if (!uring->buffers || !uring->memory)
        die("aligned_alloc");
    memset(uring->buffers, 0, BUFFERS * sizeof(struct io_uring_buf));
    errno = -io_uring_queue_init_params(1024, &uring->ring, &params);
    if (errno != 0)
        die("io_uring_setup");
    reg.ring_addr = (uint64_t)(uintptr_t)uring->buffers;
    errno = -io_uring_register_buf_ring(&uring->ring, &reg, 0);
    if (errno != 0)
        die("io_uring_register");
    io_uring_buf_ring_init(uring->buffers);
    for (unsigned short id = 0; id < BUFFERS; id++)
        uring->to_give_back[uring->to_give_back_count++] = id;
    give_back(uring);
}

static struct io_uring_sqe *next_sqe(struct uring *uring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

    if (sqe)
        return sqe;
    io_uring_submit(&uring->ring);
    return io_uring_get_sqe(&uring->ring);
}

static void echo_by_uring(struct uring *uring, const struct io_uring_cqe *cqe)
{
    unsigned short id = (unsigned short)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(
        uring->memory + (size_t)id * BUFFER_LEN, cqe->res, &uring->header);
    struct io_uring_sqe *sqe = next_sqe(uring);

    io_uring_prep_send(sqe, uring->fd, io_uring_recvmsg_payload(out, &uring->header),
                       io_uring_recvmsg_payload_length(out, cqe->res, &uring->header),
                       MSG_DONTWAIT);
    io_uring_prep_send_set_addr(sqe, io_uring_recvmsg_name(out), sizeof(struct sockaddr_in));
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 1;
    uring->to_give_back[uring->to_give_back_count++] = id;
}

static void serve_by_uring(int fd)
{
    struct uring uring;

    open_uring(&uring, fd);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned seen = 0;
        if (!uring.receiving) {
            struct io_uring_sqe *sqe = next_sqe(&uring);
            io_uring_prep_recvmsg_multishot(sqe, fd, &uring.header, 0);
            sqe->flags |= IOSQE_BUFFER_SELECT;
            sqe->buf_group = RECV_GROUP;
            sqe->user_data = 0;
            uring.receiving = true;
        }
        // Sends are done when they are submitted, so then their buffers are free.
        io_uring_submit(&uring.ring);
        give_back(&uring);
        io_uring_submit_and_wait(&uring.ring, 1);
        io_uring_for_each_cqe(&uring.ring, head, cqe)
        {
            if (cqe->user_data == 0 && cqe->res >= 0)
                echo_by_uring(&uring, cqe);
            if (cqe->user_data == 0 && !(cqe->flags & IORING_CQE_F_MORE))
                uring.receiving = false;
            seen++;
        }
        io_uring_cq_advance(&uring.ring, seen);
    }
}

// ---- The server, by epoll

static void serve_by_epoll(int fd)
{
    static uint8_t buffers[BATCH][BUFFER_LEN];
    static uint8_t controls[BATCH][CONTROL_LEN];
    struct sockaddr_in names[BATCH];
    struct iovec views[BATCH];
    struct mmsghdr headers[BATCH];
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll");
    for (;;) {
        epoll_wait(epoll, &event, 1, -1);
        for (int i = 0; i < BATCH; i++) {
            views[i] = (struct iovec){buffers[i], BUFFER_LEN};
            headers[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
                                                 .msg_namelen = sizeof names[i],
                                                 .msg_iov = &views[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = controls[i],
                                                 .msg_controllen = CONTROL_LEN};
        }
        int got = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            views[i].iov_len = headers[i].msg_len;
            headers[i].msg_hdr.msg_controllen = 0;
        }
        if (got > 0)
            sendmmsg(fd, headers, (unsigned)got, MSG_DONTWAIT);
    }
}

// ---- The load: each connection sends its next datagram when one is back

static void open_load(const struct wanted *wanted, uint16_t port, int epoll, int *fds)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (uint32_t i = 0; i < wanted->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fds[i] < 0 || connect(fds[i], (const struct sockaddr *)&to, sizeof to) < 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
            die("connect");
    }
}

static uint64_t run_load(const struct wanted *wanted, int epoll, const int *fds, double seconds)
{
    static uint8_t message[SIZE_MAX_BYTES];
    struct epoll_event events[256];
    uint64_t end_ns = clock_of(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
    uint64_t echoes = 0;

    for (uint32_t i = 0; i < wanted->connections; i++)
        send(fds[i], message, wanted->size, 0);
    while (clock_of(CLOCK_MONOTONIC) < end_ns) {
        int count = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < count; i++) {
            int fd = fds[events[i].data.u32];
            if (recv(fd, message, sizeof message, 0) < 0)
                continue;
            echoes++;
            send(fd, message, wanted->size, 0);
        }
    }
    usleep(50000); // the last ones come back, and are not the next run's
    for (uint32_t i = 0; i < wanted->connections; i++) {
        while (recv(fds[i], message, sizeof message, 0) >= 0)
            continue;
    }
    return echoes;
}

static int measure(const struct wanted *wanted)
{
    static int fds[CONNECTIONS_MAX];
    uint16_t port;
    int server = open_server(&port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    clockid_t cpu;
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stay_on(wanted->server_core);
        if (wanted->uring)
            serve_by_uring(server);
        else
            serve_by_epoll(server);
    }
    stay_on(wanted->load_core);
    open_load(wanted, port, epoll, fds);
    if (clock_getcpuclockid(child, &cpu) != 0)
        die("clock_getcpuclockid");
    run_load(wanted, epoll, fds, 0.2);
    uint64_t cpu_before = clock_of(cpu);
    uint64_t before = clock_of(CLOCK_MONOTONIC);
    uint64_t echoes = run_load(wanted, epoll, fds, wanted->seconds);
    double cpu_ns = (double)(clock_of(cpu) - cpu_before);
    double wall_ns = (double)(clock_of(CLOCK_MONOTONIC) - before);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (echoes == 0) {
        fprintf(stderr, "floor: nothing came back\n");
        return EXIT_FAILURE;
    }
    printf("{\"io\": \"%s\", \"connections\": %u, \"size\": %u, \"messages_per_second\": %.0f, "
           "\"server_us_per_message\": %.4f}\n",
           wanted->uring ? "uring" : "epoll", wanted->connections, wanted->size,
           (double)echoes * 1e9 / wall_ns, cpu_ns / 1000 / (double)echoes);
    return EXIT_SUCCESS;
}

static long number(const char *text, long min, long max)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end == 0 && end != text && value >= min && value <= max)
        return value;
    fprintf(stderr, "floor: %s: must be a number from %ld to %ld; see floor --help\n", text, min,
            max);
    exit(EXIT_USAGE);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"io", required_argument, NULL, 'i'},
        {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 's'},
        {"duration", required_argument, NULL, 'd'},
        {"server-core", required_argument, NULL, 'S'},
        {"load-core", required_argument, NULL, 'L'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    static const char usage[] =
        "usage: floor [--io uring|epoll] [--connections N] [--size BYTES] [--duration SECONDS]\n"
        "             [--server-core N] [--load-core N]\n"
        "Echoes datagrams over loopback with nothing but system calls, and prints what one costs\n"
        "the server as a line of JSON.\n"
        "example: floor --io uring --connections 100 --size 128 --server-core 1 --load-core 0\n";
    struct wanted wanted = {.uring = true,
                            .connections = 100,
                            .size = 128,
                            .seconds = 3,
                            .server_core = -1,
                            .load_core = -1};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'i':
            wanted.uring = strcmp(optarg, "epoll") != 0;
            break;
        case 'c':
            wanted.connections = (uint32_t)number(optarg, 1, CONNECTIONS_MAX);
            break;
        case 's':
            wanted.size = (uint32_t)number(optarg, 1, SIZE_MAX_BYTES);
            break;
        case 'd':
            wanted.seconds = (double)number(optarg, 1, 3600);
            break;
        case 'S':
            wanted.server_core = (int)number(optarg, 0, CPU_SETSIZE - 1);
            break;
        case 'L':
            wanted.load_core = (int)number(optarg, 0, CPU_SETSIZE - 1);
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    return measure(&wanted);
}
