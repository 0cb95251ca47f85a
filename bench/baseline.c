// baseline.c: the least that an echo of datagrams costs here: a server that sends back what it gets
// and does nothing else, by the same system calls as the library. What hail costs is told against
// it.
// SPDX-License-Identifier: MIT
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peer.h"

enum {
    BUFFERS = 256, // a power of two
    BUFFER_LEN = 65536 + 320,
    CONTROL_LEN = 24,
    RECV_GROUP = 1
};

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
        peer_die("aligned_alloc");
    memset(uring->buffers, 0, BUFFERS * sizeof(struct io_uring_buf));
    errno = -io_uring_queue_init_params(1024, &uring->ring, &params);
    if (errno != 0)
        peer_die("io_uring_setup");
    reg.ring_addr = (uint64_t)(uintptr_t)uring->buffers;
    errno = -io_uring_register_buf_ring(&uring->ring, &reg, 0);
    if (errno != 0)
        peer_die("io_uring_register");
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

// ---- The server, by recvmmsg and sendmmsg

static size_t answer(uint16_t from, const uint8_t *datagram, size_t len, uint8_t *out)
{
    (void)from;
    memcpy(out, datagram, len);
    return len;
}

static void serve(const struct peer_wanted *wanted)
{
    uint16_t port;
    int fd = peer_bind(&port);
    int on = 1;

    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    peer_ready(port);
    if (wanted->uring)
        serve_by_uring(fd);
    else
        peer_serve_datagrams(fd, answer);
}

// ---- The load

static int fds[PEER_CONNECTIONS_MAX];

static int open_conn(uint32_t conn, uint16_t port)
{
    fds[conn] = peer_connect(port);
    peer_joined(conn);
    return fds[conn];
}

static void receive(uint32_t conn)
{
    uint8_t message[PEER_SIZE_MAX];
    ssize_t len;

    while ((len = recv(fds[conn], message, sizeof message, 0)) >= 0)
        peer_echo(conn, message, (size_t)len);
}

static void send_message(uint32_t conn, const uint8_t *message, size_t len)
{
    send(fds[conn], message, len, 0);
}

static void close_conn(uint32_t conn)
{
    close(fds[conn]);
}

int main(int argc, char **argv)
{
    static const struct peer baseline = {
        .name = "baseline",
        .about = "nothing but system calls, in the clear",
        .has_uring = true,
        .serve = serve,
        .open = open_conn,
        .receive = receive,
        .send = send_message,
        .close = close_conn,
    };

    return peer_main(&baseline, argc, argv);
}
