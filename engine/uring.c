// uring.c: the io_uring backend. One multishot accept, one multishot receive for each connection
// into a shared ring of buffers, one send at a time for each connection, and one wait that also
// serves the timers. The kernel owns what an operation points to until its completion is here: a
// socket is closed, and its slot given back, when nothing of it is in flight.
// SPDX-License-Identifier: MIT
#include "engine/io.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    SQ_ENTRIES = 1024,
    CQ_ENTRIES = 16384,
    RECV_BUFFERS = 256, // a power of two; few enough to stay in the second-level cache
    RECV_BUFFER_LEN = 8192,
    RECV_GROUP = 1,
    SENDS_PER_SUBMIT = 256,
    BACKLOG = 4096,
    ACCEPT_PAUSE_MS = 100 // after an error, before the listener is tried again
};

// What a completion is about: the op in the top byte of user_data, the slot below. No pointers, so
// a late completion can never name freed memory.
enum ring_op {
    OP_ACCEPT = 1,
    OP_WAKE,
    OP_CONNECT,
    OP_RECV,
    OP_SEND,
    OP_CANCEL,       // of a slot's operations
    OP_CANCEL_ACCEPT // of the listener's
};

// A slot's socket.
struct socket {
    int fd;             // -1: none
    uint32_t in_flight; // operations that the kernel has not finished
    bool receiving;     // the multishot receive is armed
    bool paused;        // and is not to be armed again
    bool closing;
    bool cancelling; // the receive has been told to end
};

// One send's header and pieces, which have to stay until the submission.
struct send_slot {
    struct msghdr header;
    struct iovec views[HAIL_VIEWS_MAX];
};

struct hail_io {
    struct io_uring ring;
    struct hail_shard *shard;
    struct socket *sockets; // one for each slot
    struct io_uring_buf_ring *recv_ring;
    uint8_t *recv_buffers;
    struct send_slot *sends;
    uint32_t send_count; // of `sends`, since the last submission
    int listen_fd;       // -1: none
    int wake_fd;
    bool accepting;             // the multishot accept is armed
    uint64_t accept_resumes_ns; // after an error; 0: at once
    uint32_t accept_in_flight;  // the accept, and what cancels it
    struct hail_arena arena;
};

static uint64_t tag(enum ring_op op, uint32_t slot)
{
    return (uint64_t)op << 56 | slot;
}

static uint64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void submit(struct hail_io *io)
{
    int result;

    do {
        result = io_uring_submit(&io->ring);
    } while (result == -EINTR || result == -EAGAIN || result == -EBUSY);
    HAIL_ASSERT(result >= 0);
    io->send_count = 0;
}

static struct io_uring_sqe *prepare(struct hail_io *io, enum ring_op op, uint32_t slot)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

    if (!sqe) { // the submission ring is full: hand it over early
        submit(io);
        sqe = io_uring_get_sqe(&io->ring);
    }
    HAIL_ASSERT(sqe);
    memset(sqe, 0, sizeof *sqe);
    sqe->user_data = tag(op, slot);
    return sqe;
}

static void arm_accept(struct hail_io *io)
{
    struct io_uring_sqe *sqe = prepare(io, OP_ACCEPT, 0);

    io_uring_prep_multishot_accept(sqe, io->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    sqe->user_data = tag(OP_ACCEPT, 0);
    io->accepting = true;
    io->accept_in_flight++;
}

static void arm_wake(struct hail_io *io)
{
    struct io_uring_sqe *sqe = prepare(io, OP_WAKE, 0);

    io_uring_prep_poll_multishot(sqe, io->wake_fd, POLLIN);
    sqe->user_data = tag(OP_WAKE, 0);
}

static void arm_recv(struct hail_io *io, uint32_t slot)
{
    struct io_uring_sqe *sqe = prepare(io, OP_RECV, slot);

    io_uring_prep_recv_multishot(sqe, io->sockets[slot].fd, NULL, 0, 0);
    sqe->user_data = tag(OP_RECV, slot);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RECV_GROUP;
    io->sockets[slot].receiving = true;
    io->sockets[slot].in_flight++;
}

// Calls off one kind of operation of a slot.
static void push_cancel(struct hail_io *io, uint32_t slot, enum ring_op op)
{
    struct io_uring_sqe *sqe = prepare(io, OP_CANCEL, slot);

    io_uring_prep_cancel64(sqe, tag(op, slot), 0);
    sqe->user_data = tag(OP_CANCEL, slot);
    io->sockets[slot].in_flight++;
}

// Gives the slot back if its socket is to be closed and the kernel is done with it.
static void finish_close(struct hail_io *io, uint32_t slot)
{
    struct socket *socket = &io->sockets[slot];

    if (!socket->closing || socket->in_flight > 0)
        return;
    if (socket->fd >= 0)
        close(socket->fd);
    *socket = (struct socket){.fd = -1};
    hail_shard_closed(io->shard, slot);
}

static void on_accept(struct hail_io *io, const struct io_uring_cqe *cqe)
{
    if (cqe->res >= 0) {
        struct sockaddr_storage peer = {0};
        socklen_t peer_len = sizeof peer;
        getpeername(cqe->res, (struct sockaddr *)&peer, &peer_len); // gone already: no address
        uint32_t slot = hail_shard_accept(io->shard, (struct sockaddr *)&peer, peer_len);
        if (slot == HAIL_SLOT_NONE) {
            close(cqe->res);
        } else {
            io->sockets[slot].fd = cqe->res;
            arm_recv(io, slot);
        }
    } else if (io->listen_fd >= 0) {
        // Out of file descriptors or memory, or a peer that went away while it waited.
        hail_stat_add(&io->shard->stats, HAIL_STAT_ACCEPT_ERRORS, 1);
        if (cqe->res != -ECONNABORTED)
            io->accept_resumes_ns = clock_now() + ACCEPT_PAUSE_MS * UINT64_C(1000000);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        io->accepting = false;
        io->accept_in_flight--;
    }
}

static void give_back_buffer(struct hail_io *io, uint32_t id)
{
    io_uring_buf_ring_add(io->recv_ring, io->recv_buffers + (size_t)id * RECV_BUFFER_LEN,
                          RECV_BUFFER_LEN, (unsigned short)id, io_uring_buf_ring_mask(RECV_BUFFERS),
                          0);
    io_uring_buf_ring_advance(io->recv_ring, 1);
}

static void on_recv(struct hail_io *io, uint32_t slot, const struct io_uring_cqe *cqe)
{
    struct socket *socket = &io->sockets[slot];

    if (cqe->flags & IORING_CQE_F_BUFFER) {
        uint32_t id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        if (cqe->res > 0)
            hail_shard_input(io->shard, slot, io->recv_buffers + (size_t)id * RECV_BUFFER_LEN,
                             (size_t)cqe->res);
        give_back_buffer(io, id); // the shard has copied what it wants to keep
    }
    if (cqe->res == -ENOBUFS)
        hail_stat_add(&io->shard->stats, HAIL_STAT_RECV_STARVED, 1); // armed again below
    else if (cqe->res <= 0 && cqe->res != -ECANCELED)
        hail_shard_ended(io->shard, slot, cqe->res);

    if (cqe->flags & IORING_CQE_F_MORE) {
        if (socket->closing &&
            !socket->cancelling) { // a peer that goes on sending does not hold us up
            socket->cancelling = true;
            push_cancel(io, slot, OP_RECV);
        }
        return;
    }
    socket->receiving = false;
    socket->in_flight--;
    // Called off, and resumed before that had come through: on it goes as well.
    bool goes_on = cqe->res > 0 || cqe->res == -ENOBUFS || cqe->res == -ECANCELED;
    if (!socket->closing && !socket->paused && goes_on)
        arm_recv(io, slot);
}

static void on_connect(struct hail_io *io, uint32_t slot, const struct io_uring_cqe *cqe)
{
    struct socket *socket = &io->sockets[slot];

    socket->in_flight--;
    if (socket->closing)
        return;
    if (cqe->res == 0) {
        arm_recv(io, slot);
    } else {
        close(socket->fd); // the shard may have another address to try
        socket->fd = -1;
    }
    hail_shard_connected(io->shard, slot, cqe->res);
}

static void on_wake(struct hail_io *io, const struct io_uring_cqe *cqe)
{
    uint64_t count;
    ssize_t got = read(io->wake_fd, &count, sizeof count);

    HAIL_ASSERT(got == sizeof count || errno == EAGAIN);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm_wake(io);
}

static void on_cqe(struct hail_io *io, const struct io_uring_cqe *cqe)
{
    uint32_t slot = (uint32_t)cqe->user_data;

    switch ((enum ring_op)(cqe->user_data >> 56)) {
    case OP_ACCEPT:
        on_accept(io, cqe);
        return;
    case OP_WAKE:
        on_wake(io, cqe);
        return;
    case OP_CONNECT:
        on_connect(io, slot, cqe);
        finish_close(io, slot);
        return;
    case OP_RECV:
        on_recv(io, slot, cqe);
        finish_close(io, slot);
        return;
    case OP_SEND:
        io->sockets[slot].in_flight--;
        hail_shard_sent(io->shard, slot, cqe->res);
        finish_close(io, slot);
        return;
    case OP_CANCEL:
        io->sockets[slot].in_flight--;
        finish_close(io, slot);
        return;
    case OP_CANCEL_ACCEPT:
        io->accept_in_flight--;
        return;
    }
    HAIL_UNREACHABLE("every operation is tagged by tag()");
}

void hail_io_turn(struct hail_io *io, uint64_t deadline_ns)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned seen = 0;
    uint64_t now_ns = deadline_ns == 0 ? 0 : clock_now();

    if (io->listen_fd >= 0 && !io->accepting && now_ns >= io->accept_resumes_ns)
        arm_accept(io);
    else if (io->listen_fd >= 0 && !io->accepting && io->accept_resumes_ns < deadline_ns)
        deadline_ns = io->accept_resumes_ns;

    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct __kernel_timespec timeout = {(int64_t)(wait_ns / 1000000000u),
                                        (long long)(wait_ns % 1000000000u)};
    // Any result is as good as another: what has come is in the ring, and the time is looked up.
    int result = io_uring_submit_and_wait_timeout(
        &io->ring, &cqe, 1, deadline_ns == UINT64_MAX ? NULL : &timeout, NULL);
    HAIL_ASSERT(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
                result == -EBUSY);
    io->send_count = 0;

    io->shard->now_ns = clock_now();
    io_uring_for_each_cqe(&io->ring, head, cqe)
    {
        on_cqe(io, cqe);
        seen++;
    }
    io_uring_cq_advance(&io->ring, seen);
}

static void push_send(struct hail_io *io, const struct hail_task *task)
{
    struct socket *socket = &io->sockets[task->slot];

    if (io->send_count == SENDS_PER_SUBMIT)
        submit(io);
    struct io_uring_sqe *sqe = prepare(io, OP_SEND, task->slot);
    if (task->view_count == 1) {
        io_uring_prep_send(sqe, socket->fd, task->views[0].iov_base, task->views[0].iov_len,
                           MSG_NOSIGNAL);
    } else {
        struct send_slot *send = &io->sends[io->send_count++];
        memcpy(send->views, task->views, task->view_count * sizeof *task->views);
        send->header = (struct msghdr){.msg_iov = send->views, .msg_iovlen = task->view_count};
        io_uring_prep_sendmsg(sqe, socket->fd, &send->header, MSG_NOSIGNAL);
    }
    sqe->user_data = tag(OP_SEND, task->slot);
    socket->in_flight++;
}

static void push_connect(struct hail_io *io, const struct hail_task *task)
{
    struct socket *own = &io->sockets[task->slot];
    const struct sockaddr *address = (const struct sockaddr *)task->address;
    socklen_t len =
        address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int on = 1;

    own->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (own->fd < 0) {
        hail_shard_connected(io->shard, task->slot, -errno);
        return;
    }
    setsockopt(own->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct io_uring_sqe *sqe = prepare(io, OP_CONNECT, task->slot);
    io_uring_prep_connect(sqe, own->fd, address, len);
    sqe->user_data = tag(OP_CONNECT, task->slot);
    own->in_flight++;
}

static void push_close(struct hail_io *io, uint32_t slot)
{
    struct socket *socket = &io->sockets[slot];

    socket->closing = true;
    if (socket->fd >= 0 && socket->in_flight > 0) {
        // Once the socket is shut, sends fail and the receive ends, after what has come already: so
        // nothing is left unread, and the peer sees an orderly end. A connect has to be called off.
        if (shutdown(socket->fd, SHUT_RDWR) < 0)
            push_cancel(io, slot, OP_CONNECT);
    }
    finish_close(io, slot);
}

void hail_io_push(struct hail_io *io)
{
    struct hail_task task;

    while (hail_shard_output(io->shard, &task)) {
        switch (task.op) {
        case HAIL_TASK_CONNECT:
            push_connect(io, &task);
            break;
        case HAIL_TASK_SEND:
            push_send(io, &task);
            break;
        case HAIL_TASK_PAUSE:
            io->sockets[task.slot].paused = true;
            if (io->sockets[task.slot].receiving)
                push_cancel(io, task.slot, OP_RECV);
            break;
        case HAIL_TASK_RESUME:
            io->sockets[task.slot].paused = false;
            if (!io->sockets[task.slot].receiving)
                arm_recv(io, task.slot);
            break;
        case HAIL_TASK_CLOSE:
            push_close(io, task.slot);
            break;
        }
    }
}

// SO_REUSEPORT would let a second server of the same user share the port unseen: a socket without
// it finds out whether somebody listens there already.
static int probe_port(const struct hail_listen *listen_at)
{
    const struct sockaddr *address = (const struct sockaddr *)&listen_at->address;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int result = bind(fd, address, listen_at->address_len);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static enum hail_status listen_on(struct hail_io *io, struct hail_listen *listen_at)
{
    const struct hail_log *log = &io->shard->context->log;
    struct sockaddr *address = (struct sockaddr *)&listen_at->address;
    int on = 1;
    int off = 0;
    const char *call = "bind";

    if (io->shard->index == 0 && probe_port(listen_at) < 0)
        goto failed;
    call = "socket";
    io->listen_fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (io->listen_fd < 0)
        goto failed;
    // Accepted sockets inherit these.
    setsockopt(io->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(io->listen_fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(io->listen_fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(io->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (address->sa_family == AF_INET6)
        setsockopt(io->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    call = "bind";
    if (bind(io->listen_fd, address, listen_at->address_len) < 0)
        goto failed;
    call = "listen";
    if (listen(io->listen_fd, BACKLOG) < 0)
        goto failed;
    // Shards after the first listen on the port that the kernel chose for it.
    getsockname(io->listen_fd, address, &listen_at->address_len);
    return HAIL_OK;
failed:
    hail_log_line(log, HAIL_LOG_ERROR, "%s: %s; see config fields address and port", call,
                  strerrordesc_np(errno));
    return HAIL_ESYS;
}

static void log_refused(const struct hail_io *io, const char *call, int error)
{
    hail_log_line(&io->shard->context->log, HAIL_LOG_ERROR,
                  "%s: %s; io_uring is needed, from Linux 6.1 on: containers have to allow the "
                  "io_uring_* system calls in their seccomp profile, and the sysctl "
                  "kernel.io_uring_disabled has to be 0",
                  call, strerrordesc_np(error));
}

static enum hail_status open_ring(struct hail_io *io)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = CQ_ENTRIES,
    };
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)io->recv_ring,
        .ring_entries = RECV_BUFFERS,
        .bgid = RECV_GROUP,
    };
    int result = io_uring_queue_init_params(SQ_ENTRIES, &io->ring, &params);

    if (result < 0) {
        io->ring.ring_fd = -1;
        log_refused(io, "io_uring_setup", -result);
        return result == -ENOMEM ? HAIL_ENOMEM : HAIL_ESYS;
    }
    result = io_uring_register_buf_ring(&io->ring, &reg, 0);
    if (result < 0) {
        log_refused(io, "io_uring_register(IORING_REGISTER_PBUF_RING)", -result);
        return HAIL_ESYS;
    }
    io_uring_buf_ring_init(io->recv_ring);
    for (uint32_t id = 0; id < RECV_BUFFERS; id++)
        give_back_buffer(io, id);
    return HAIL_OK;
}

static void reserve(struct hail_io *io)
{
    uint32_t slots = io->shard->context->config.conns_max;

    // A page first: the buffer ring has to begin on one, and so does the arena.
    io->recv_ring = hail_arena_take(&io->arena, RECV_BUFFERS, sizeof(struct io_uring_buf));
    io->recv_buffers = hail_arena_take(&io->arena, RECV_BUFFERS, RECV_BUFFER_LEN);
    io->sends = hail_arena_take(&io->arena, SENDS_PER_SUBMIT, sizeof(struct send_slot));
    io->sockets = hail_arena_take(&io->arena, slots, sizeof(struct socket));
}

enum hail_status hail_io_open(struct hail_io **out, struct hail_shard *shard,
                              struct hail_listen *listen_at)
{
    const struct hail_config *config = &shard->context->config;
    struct hail_io *io = calloc(1, sizeof *io);
    enum hail_status status = HAIL_ENOMEM;

    if (!io)
        return HAIL_ENOMEM;
    io->shard = shard;
    io->listen_fd = -1;
    io->wake_fd = -1;
    io->ring.ring_fd = -1;
    reserve(io);
    if (!hail_arena_reserve(&io->arena))
        goto failed;
    reserve(io);
    for (uint32_t slot = 0; slot < config->conns_max; slot++)
        io->sockets[slot].fd = -1;

    status = HAIL_ESYS;
    io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->wake_fd < 0)
        goto failed;
    shard->wake_fd = io->wake_fd;
    status = open_ring(io);
    if (status == HAIL_OK && listen_at->address.ss_family != AF_UNSPEC)
        status = listen_on(io, listen_at);
    if (status != HAIL_OK)
        goto failed;
    *out = io;
    return HAIL_OK;
failed:
    hail_io_close(io);
    return status;
}

enum hail_status hail_io_start(struct hail_io *io)
{
    // Not io_uring_enable_rings: liburing 2.3's shared library does not export it.
    int result =
        io_uring_register((unsigned)io->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

    if (result < 0) {
        log_refused(io, "io_uring_register(IORING_REGISTER_ENABLE_RINGS)", -result);
        return HAIL_ESYS;
    }
    arm_wake(io);
    return HAIL_OK;
}

void hail_io_stop_listening(struct hail_io *io)
{
    if (io->listen_fd < 0)
        return;
    if (io->accepting) {
        struct io_uring_sqe *sqe = prepare(io, OP_CANCEL_ACCEPT, 0);
        io_uring_prep_cancel64(sqe, tag(OP_ACCEPT, 0), 0);
        sqe->user_data = tag(OP_CANCEL_ACCEPT, 0);
        io->accept_in_flight++;
    }
    close(io->listen_fd);
    io->listen_fd = -1;
}

bool hail_io_idle(const struct hail_io *io)
{
    return io->accept_in_flight == 0;
}

void hail_io_close(struct hail_io *io)
{
    if (!io)
        return;
    if (io->ring.ring_fd >= 0)
        io_uring_queue_exit(&io->ring);
    if (io->listen_fd >= 0)
        close(io->listen_fd);
    if (io->wake_fd >= 0)
        close(io->wake_fd);
    hail_arena_cleanup(&io->arena);
    free(io);
}

size_t hail_io_memory(const struct hail_io *io)
{
    return io->arena.size;
}
