// uring.c: the io_uring backend: multishot accept and receives, one send at a time for each
// connection, one wait that also serves the timers. The kernel owns what an operation points to
// until its completion is here: a socket is closed, and its slot given back, when nothing of it is
// in flight. Datagrams are sent as the ring is handed over, never later: nothing waits for
// them.
// SPDX-License-Identifier: MIT
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "crypto/meter.h"
#include "crypto/time.h"
#include "engine/io/backend.h"

enum {
    SQ_ENTRIES = 1024,
    CQ_ENTRIES = 16384,
    RECV_BUFFERS = 256, // a power of two; few enough to stay in the second-level cache
    RECV_BUFFER_LEN = 8192,
    RECV_GROUP = 1,
    PAGE_LEN = 65536, // of any system that the kernel knows
    SENDS_PER_SUBMIT = 256,
    NAME_LEN = 32,   // an address, and so much that what lies behind it is aligned
    COUNT_SHIFT = 32 // of the datagrams of a send, in user_data
};

// What a completion is about: the op in the top byte of user_data, the slot below. No pointers, so
// a late completion can never name freed memory.
enum ring_op {
    OP_ACCEPT = 1,
    OP_RECV_SERVER, // datagrams of a server's UDP socket
    OP_WAKE,
    OP_WATCH,
    OP_CONNECT,
    OP_RECV,
    OP_SEND,
    OP_DATAGRAMS,    // only heard of when it fails
    OP_CANCEL,       // of a slot's operations
    OP_CANCEL_LISTEN // of the listening socket's
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

struct uring {
    struct hail_io io;
    struct io_uring ring;
    struct socket *sockets; // one for each slot
    struct io_uring_buf_ring *recv_ring;
    uint8_t *recv_buffers;
    size_t recv_buffer_len;
    struct msghdr recv_header;    // what a UDP socket receives beside the datagram
    struct hail_gso_batch *sends; // what their headers point to has to stay until the submission
    uint32_t send_count;          // of `sends`, since the last submission
    bool has_datagrams;           // to submit
    bool listening;               // OP_ACCEPT or OP_RECV_SERVER is armed
    uint32_t listen_in_flight;    // it, and what cancels it
};

static struct uring *uring_of(struct hail_io *io)
{
    return (struct uring *)io;
}

static uint64_t tag(enum ring_op op, uint32_t slot)
{
    return (uint64_t)op << 56 | slot;
}

static void submit(struct uring *uring)
{
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);

    do { // the kernel may take a part only, while it is short of memory
        int result = io_uring_submit(&uring->ring);
        HAIL_ASSERT(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY);
    } while (io_uring_sq_ready(&uring->ring) > 0);
    hail_meter_leave(before);
    uring->send_count = 0;
    uring->has_datagrams = false;
}

static struct io_uring_sqe *prepare(struct uring *uring, enum ring_op op, uint32_t slot)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

    if (!sqe) { // the submission ring is full: hand it over early
        submit(uring);
        sqe = io_uring_get_sqe(&uring->ring);
    }
    HAIL_ASSERT(sqe);
    memset(sqe, 0, sizeof *sqe);
    sqe->user_data = tag(op, slot);
    return sqe;
}

// An operation of a slot has completed.
static void landed(struct socket *socket)
{
    HAIL_ASSERT(socket->in_flight > 0);
    socket->in_flight--;
}

// What is armed on the socket that a server listens on.
static enum ring_op listen_op(const struct uring *uring)
{
    return uring->io.datagrams ? OP_RECV_SERVER : OP_ACCEPT;
}

static void arm_listen(struct uring *uring)
{
    struct io_uring_sqe *sqe = prepare(uring, listen_op(uring), 0);

    if (uring->io.datagrams) {
        io_uring_prep_recvmsg_multishot(sqe, uring->io.listen_fd, &uring->recv_header, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = RECV_GROUP;
    } else {
        io_uring_prep_multishot_accept(sqe, uring->io.listen_fd, NULL, NULL,
                                       SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    sqe->user_data = tag(listen_op(uring), 0);
    uring->listening = true;
    uring->listen_in_flight++;
}

// Waits for a descriptor to be readable, again and again.
static void arm_poll(struct uring *uring, enum ring_op op, int fd)
{
    struct io_uring_sqe *sqe = prepare(uring, op, 0);

    io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    sqe->user_data = tag(op, 0);
}

static void arm_recv(struct uring *uring, uint32_t slot)
{
    struct io_uring_sqe *sqe = prepare(uring, OP_RECV, slot);

    HAIL_ASSERT(uring->sockets[slot].fd >= 0);
    HAIL_ASSERT(!uring->sockets[slot].receiving);
    if (uring->io.datagrams)
        io_uring_prep_recvmsg_multishot(sqe, uring->sockets[slot].fd, &uring->recv_header, 0);
    else
        io_uring_prep_recv_multishot(sqe, uring->sockets[slot].fd, NULL, 0, 0);
    sqe->user_data = tag(OP_RECV, slot);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RECV_GROUP;
    uring->sockets[slot].receiving = true;
    uring->sockets[slot].in_flight++;
}

// Calls off one kind of operation of a slot.
static void push_cancel(struct uring *uring, uint32_t slot, enum ring_op op)
{
    struct io_uring_sqe *sqe = prepare(uring, OP_CANCEL, slot);

    io_uring_prep_cancel64(sqe, tag(op, slot), 0);
    sqe->user_data = tag(OP_CANCEL, slot);
    uring->sockets[slot].in_flight++;
}

// Gives the slot back if its socket is to be closed and the kernel is done with it.
static void finish_close(struct uring *uring, uint32_t slot)
{
    struct socket *socket = &uring->sockets[slot];

    if (!socket->closing || socket->in_flight > 0)
        return;
    if (socket->fd >= 0 && uring->io.datagrams)
        hail_io_close_datagrams(&uring->io, socket->fd);
    else if (socket->fd >= 0)
        close(socket->fd);
    *socket = (struct socket){.fd = -1};
    hail_shard_closed(uring->io.shard, slot);
}

static void on_accepted(struct uring *uring, int fd)
{
    uint32_t slot = hail_io_accepted(&uring->io, fd);

    if (slot == HAIL_SLOT_NONE)
        return;
    HAIL_ASSERT(uring->sockets[slot].fd < 0); // the one before it was closed
    uring->sockets[slot].fd = fd;
    arm_recv(uring, slot);
}

static uint8_t *buffer_of(const struct uring *uring, uint32_t id)
{
    HAIL_ASSERT(id < RECV_BUFFERS);
    return uring->recv_buffers + id * uring->recv_buffer_len;
}

// The shard has copied what it wants to keep.
static void give_back_buffer(struct uring *uring, uint32_t id)
{
    io_uring_buf_ring_add(uring->recv_ring, buffer_of(uring, id), (unsigned)uring->recv_buffer_len,
                          (unsigned short)id, io_uring_buf_ring_mask(RECV_BUFFERS), 0);
    io_uring_buf_ring_advance(uring->recv_ring, 1);
}

// Datagrams came, joined into one buffer behind address and lengths: to a client's socket or,
// HAIL_SLOT_NONE, the server's.
static void on_datagrams(struct uring *uring, uint32_t slot, const struct io_uring_cqe *cqe)
{
    uint32_t id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    struct msghdr *expected = &uring->recv_header;
    struct io_uring_recvmsg_out *out =
        io_uring_recvmsg_validate(buffer_of(uring, id), cqe->res, expected);

    HAIL_ASSERT(out);
    const struct msghdr header = {
        .msg_name = io_uring_recvmsg_name(out),
        .msg_control = (uint8_t *)io_uring_recvmsg_name(out) + expected->msg_namelen,
        .msg_controllen = out->controllen,
    };
    hail_io_datagrams(&uring->io, slot, &header, io_uring_recvmsg_payload(out, expected),
                      io_uring_recvmsg_payload_length(out, cqe->res, expected));
    give_back_buffer(uring, id);
}

// An operation that stays armed on the listening socket has failed, or was the last of its kind.
static void on_listen(struct uring *uring, const struct io_uring_cqe *cqe)
{
    if (cqe->res == -ENOBUFS)
        hail_stat_add(&uring->io.shard->stats, HAIL_STAT_RECV_STARVED, 1); // armed again
    else if (cqe->res < 0 && !uring->io.closed_door)
        hail_io_accept_failed(&uring->io, -cqe->res);
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        uring->listening = false;
        HAIL_ASSERT(uring->listen_in_flight > 0);
        uring->listen_in_flight--;
    }
}

static void on_received(struct uring *uring, uint32_t slot, const struct io_uring_cqe *cqe)
{
    uint32_t id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

    if (uring->io.datagrams && cqe->res > 0) {
        on_datagrams(uring, slot, cqe);
        return;
    }
    if (cqe->res > 0)
        hail_shard_input(uring->io.shard, slot, buffer_of(uring, id), (size_t)cqe->res);
    give_back_buffer(uring, id);
}

// A receive has brought nothing: what that means for the connection.
static void on_recv_end(struct uring *uring, uint32_t slot, int result)
{
    struct hail_shard *shard = uring->io.shard;
    struct socket *socket = &uring->sockets[slot];

    if (result == -ENOBUFS) {
        hail_stat_add(&shard->stats, HAIL_STAT_RECV_STARVED, 1); // armed again
    } else if (!uring->io.datagrams) {
        if (result != -ECANCELED)
            hail_shard_ended(shard, slot, result);
    } else if (result < 0 && !socket->closing && !hail_shard_refused(shard, slot, result)) {
        close(socket->fd);
        socket->fd = -1;
    }
}

static void on_recv(struct uring *uring, uint32_t slot, const struct io_uring_cqe *cqe)
{
    struct socket *socket = &uring->sockets[slot];

    if (cqe->flags & IORING_CQE_F_BUFFER)
        on_received(uring, slot, cqe);
    if (cqe->res <= 0)
        on_recv_end(uring, slot, cqe->res);

    if (cqe->flags & IORING_CQE_F_MORE) {
        if (socket->closing &&
            !socket->cancelling) { // a peer that goes on sending does not hold us up
            socket->cancelling = true;
            push_cancel(uring, slot, OP_RECV);
        }
        return;
    }
    socket->receiving = false;
    landed(socket);
    // Called off, and resumed before that had come through: on it goes as well.
    bool goes_on = cqe->res > 0 || cqe->res == -ENOBUFS || cqe->res == -ECANCELED ||
                   (uring->io.datagrams && socket->fd >= 0);
    if (!socket->closing && !socket->paused && goes_on)
        arm_recv(uring, slot);
}

static void on_connect(struct uring *uring, uint32_t slot, const struct io_uring_cqe *cqe)
{
    struct socket *socket = &uring->sockets[slot];

    landed(socket);
    if (socket->closing)
        return;
    if (cqe->res == 0) {
        arm_recv(uring, slot);
    } else {
        close(socket->fd); // the shard may have another address to try
        socket->fd = -1;
    }
    hail_shard_connected(uring->io.shard, slot, cqe->res);
}

static void on_wake(struct uring *uring, const struct io_uring_cqe *cqe)
{
    hail_io_woken(&uring->io);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm_poll(uring, OP_WAKE, uring->io.wake_fd);
}

static void on_watch(struct uring *uring, const struct io_uring_cqe *cqe)
{
    hail_io_changed(&uring->io);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm_poll(uring, OP_WATCH, uring->io.watch_fd);
}

static void on_unsent(struct uring *uring, uint32_t slot, const struct io_uring_cqe *cqe)
{
    bool is_client = !uring->io.shard->context->is_server;

    hail_io_unsent(&uring->io, &(struct hail_unsent){
                                   .count = cqe->user_data >> COUNT_SHIFT & 0xff,
                                   .slot = is_client ? slot : HAIL_SLOT_NONE,
                                   .fd = is_client ? uring->sockets[slot].fd : uring->io.listen_fd,
                                   .error = -cqe->res,
                               });
}

static void on_cqe(struct uring *uring, const struct io_uring_cqe *cqe)
{
    uint32_t slot = (uint32_t)cqe->user_data;

    HAIL_ASSERT(slot < uring->io.shard->context->slots);
    switch ((enum ring_op)(cqe->user_data >> 56)) {
    case OP_ACCEPT:
        if (cqe->res >= 0)
            on_accepted(uring, cqe->res);
        on_listen(uring, cqe);
        return;
    case OP_RECV_SERVER:
        if (cqe->res >= 0)
            on_datagrams(uring, HAIL_SLOT_NONE, cqe);
        on_listen(uring, cqe);
        return;
    case OP_WAKE:
        on_wake(uring, cqe);
        return;
    case OP_WATCH:
        on_watch(uring, cqe);
        return;
    case OP_CONNECT:
        on_connect(uring, slot, cqe);
        finish_close(uring, slot);
        return;
    case OP_RECV:
        on_recv(uring, slot, cqe);
        finish_close(uring, slot);
        return;
    case OP_SEND:
        landed(&uring->sockets[slot]);
        hail_shard_sent(uring->io.shard, slot, cqe->res);
        finish_close(uring, slot);
        return;
    case OP_CANCEL:
        landed(&uring->sockets[slot]);
        finish_close(uring, slot);
        return;
    case OP_CANCEL_LISTEN:
        HAIL_ASSERT(uring->listen_in_flight > 0);
        uring->listen_in_flight--;
        return;
    case OP_DATAGRAMS:
        on_unsent(uring, slot, cqe);
        return;
    }
    HAIL_UNREACHABLE("every operation is tagged by tag()");
}

static void turn(struct hail_io *io, uint64_t deadline_ns)
{
    struct uring *uring = uring_of(io);
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned seen = 0;

    if (!uring->listening && hail_io_may_accept(io, &deadline_ns))
        arm_listen(uring);

    uint64_t now_ns = deadline_ns == 0 ? 0 : hail_io_clock();
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct __kernel_timespec timeout = {(int64_t)(wait_ns / HAIL_NS_PER_S),
                                        (long long)(wait_ns % HAIL_NS_PER_S)};
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);
    // Any result is as good as another: what has come is in the ring, and the time is looked up.
    int result = io_uring_submit_and_wait_timeout(
        &uring->ring, &cqe, 1, deadline_ns == UINT64_MAX ? NULL : &timeout, NULL);
    hail_meter_leave(before);
    HAIL_ASSERT(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
                result == -EBUSY);
    if (io_uring_sq_ready(&uring->ring) > 0)
        submit(uring);
    uring->send_count = 0;
    uring->has_datagrams = false;
    hail_shard_handed_over(io->shard);

    hail_shard_wakes(io->shard, hail_io_clock(), hail_io_date());
    io_uring_for_each_cqe(&uring->ring, head, cqe)
    {
        on_cqe(uring, cqe);
        seen++;
    }
    io_uring_cq_advance(&uring->ring, seen);
}

static void push_send(struct uring *uring, const struct hail_task *task)
{
    struct socket *socket = &uring->sockets[task->slot];

    if (uring->send_count == SENDS_PER_SUBMIT)
        submit(uring);
    HAIL_ASSERT(socket->fd >= 0);
    HAIL_ASSERT(!socket->closing);
    struct io_uring_sqe *sqe = prepare(uring, OP_SEND, task->slot);
    if (task->view_count == 1) {
        io_uring_prep_send(sqe, socket->fd, task->views[0].iov_base, task->views[0].iov_len,
                           MSG_NOSIGNAL);
    } else {
        struct hail_gso_batch *send = &uring->sends[uring->send_count++];
        memcpy(send->views, task->views, task->view_count * sizeof *task->views);
        send->header = (struct msghdr){.msg_iov = send->views, .msg_iovlen = task->view_count};
        io_uring_prep_sendmsg(sqe, socket->fd, &send->header, MSG_NOSIGNAL);
    }
    sqe->user_data = tag(OP_SEND, task->slot);
    socket->in_flight++;
}

// Without waiting: sent when the ring is handed over, or not at all.
static void push_datagrams(struct uring *uring, const struct hail_task *task)
{
    int fd = task->path ? uring->io.listen_fd : uring->sockets[task->slot].fd;
    bool has_local = task->path && hail_path_has_local(task->path);

    if (uring->send_count == SENDS_PER_SUBMIT)
        submit(uring);
    HAIL_ASSERT(task->view_count > 0);
    HAIL_ASSERT(task->view_count <= HAIL_VIEWS_MAX); // counted in a byte of user_data
    struct io_uring_sqe *sqe = prepare(uring, OP_DATAGRAMS, 0);
    if (task->view_count == 1 && !has_local) {
        io_uring_prep_send(sqe, fd, task->views[0].iov_base, task->views[0].iov_len,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (task->path)
            io_uring_prep_send_set_addr(sqe, &task->path->any, (uint16_t)hail_path_len(task->path));
    } else {
        struct hail_gso_batch *batch = &uring->sends[uring->send_count++];
        hail_io_gso_batch(batch, task);
        io_uring_prep_sendmsg(sqe, fd, &batch->header, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    sqe->user_data = tag(OP_DATAGRAMS, task->path ? 0 : task->slot) | (uint64_t)task->view_count
                                                                          << COUNT_SHIFT;
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    uring->has_datagrams = true;
}

static void hand_over(struct hail_io *io)
{
    if (!uring_of(io)->has_datagrams)
        return;
    submit(uring_of(io));
    hail_shard_handed_over(io->shard);
}

// Nothing travels, so it is done at once. In the ring a lack of local ports, which is EAGAIN, would
// be tried again for ever.
static void connect_datagrams(struct uring *uring, uint32_t slot, const struct sockaddr *to)
{
    int fd = hail_socket_connecting(to, SOCK_DGRAM);
    int result = fd < 0 ? fd : connect(fd, to, hail_socket_address_len(to)) < 0 ? -errno : 0;

    if (result == 0) {
        uring->sockets[slot].fd = fd;
        arm_recv(uring, slot);
    } else if (fd >= 0) {
        close(fd);
    }
    hail_shard_connected(uring->io.shard, slot, result);
}

static void push_connect(struct uring *uring, const struct hail_task *task)
{
    struct socket *socket = &uring->sockets[task->slot];
    const struct sockaddr *address = (const struct sockaddr *)task->address;

    if (uring->io.datagrams) {
        connect_datagrams(uring, task->slot, address);
        return;
    }
    HAIL_ASSERT(socket->fd < 0);
    HAIL_ASSERT(socket->in_flight == 0);
    int fd = hail_socket_connecting(address, SOCK_STREAM);
    if (fd < 0) {
        hail_shard_connected(uring->io.shard, task->slot, fd);
        return;
    }
    socket->fd = fd;
    struct io_uring_sqe *sqe = prepare(uring, OP_CONNECT, task->slot);
    io_uring_prep_connect(sqe, fd, address, hail_socket_address_len(address));
    sqe->user_data = tag(OP_CONNECT, task->slot);
    socket->in_flight++;
}

static void push_close(struct uring *uring, uint32_t slot, bool resets)
{
    struct socket *socket = &uring->sockets[slot];

    HAIL_ASSERT(!socket->closing);
    socket->closing = true;
    hand_over(&uring->io);
    if (socket->fd >= 0 && resets)
        hail_socket_reset(socket->fd);
    if (socket->fd >= 0 && socket->in_flight > 0) {
        // Once the socket is shut, sends fail and the receive ends, after what has come already: so
        // nothing is left unread, and the peer sees an orderly end. A connect has to be called off,
        // and so has the receive of a UDP socket, which does not end by itself.
        if (uring->io.datagrams && socket->receiving)
            push_cancel(uring, slot, OP_RECV);
        else if (shutdown(socket->fd, SHUT_RDWR) < 0)
            push_cancel(uring, slot, OP_CONNECT);
    }
    finish_close(uring, slot);
}

static void carry_out(struct hail_io *io, const struct hail_task *task)
{
    struct uring *uring = uring_of(io);
    struct socket *socket = &uring->sockets[task->slot];

    switch (task->op) {
    case HAIL_TASK_CONNECT:
        push_connect(uring, task);
        return;
    case HAIL_TASK_REBIND:
        hail_socket_rebind(socket->fd, task->address);
        return;
    case HAIL_TASK_FOLLOW:
        hail_io_follow(io, task, socket->fd);
        return;
    case HAIL_TASK_SEND:
        push_send(uring, task);
        return;
    case HAIL_TASK_PAUSE:
        socket->paused = true;
        if (socket->receiving)
            push_cancel(uring, task->slot, OP_RECV);
        return;
    case HAIL_TASK_RESUME:
        socket->paused = false;
        if (!socket->receiving)
            arm_recv(uring, task->slot);
        return;
    case HAIL_TASK_CLOSE:
        push_close(uring, task->slot, task->resets);
        return;
    case HAIL_TASK_DATAGRAMS:
        push_datagrams(uring, task);
        return;
    }
    HAIL_UNREACHABLE("a task has one of these operations");
}

static void *on_page(uint8_t *memory)
{
    uintptr_t past = (uintptr_t)memory % PAGE_LEN;

    return past == 0 ? memory : memory + (PAGE_LEN - past);
}

static void reserve(struct hail_io *io)
{
    struct uring *uring = uring_of(io);
    uint32_t slots = io->shard->context->slots;

    // The buffer ring has to begin on a page, and an application's memory need not.
    size_t ring_len = RECV_BUFFERS * sizeof(struct io_uring_buf);
    uring->recv_buffer_len = io->datagrams ? HAIL_IO_DATAGRAM_LEN : RECV_BUFFER_LEN;
    uring->recv_ring = on_page(hail_arena_take(&io->arena, 1, ring_len + PAGE_LEN));
    uring->recv_buffers = hail_arena_take(&io->arena, RECV_BUFFERS, uring->recv_buffer_len);
    uring->sends = hail_arena_take(&io->arena, SENDS_PER_SUBMIT, sizeof(struct hail_gso_batch));
    uring->sockets = hail_arena_take(&io->arena, slots, sizeof(struct socket));
}

static int open_ring(struct hail_io *io, const char **call)
{
    struct uring *uring = uring_of(io);
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL,
        .cq_entries = CQ_ENTRIES,
    };
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)uring->recv_ring,
        .ring_entries = RECV_BUFFERS,
        .bgid = RECV_GROUP,
    };

    for (uint32_t slot = 0; slot < io->shard->context->slots; slot++)
        uring->sockets[slot].fd = -1;
    uring->ring.ring_fd = -1;
    uring->recv_header =
        (struct msghdr){.msg_namelen = NAME_LEN, .msg_controllen = HAIL_IO_CONTROL_LEN};
    *call = "io_uring_setup";
    int result = io_uring_queue_init_params(SQ_ENTRIES, &uring->ring, &params);
    if (result < 0) {
        uring->ring.ring_fd = -1;
        return result;
    }
    *call = "io_uring_register";
    result = io_uring_register_buf_ring(&uring->ring, &reg, 0);
    if (result < 0)
        return result;
    // Refused by the kernel itself, since the ring is not enabled yet; by whom else is the
    // question.
    *call = "io_uring_enter";
    result = io_uring_enter((unsigned)uring->ring.ring_fd, 0, 0, 0, NULL);
    if (result < 0 && result != -EBADFD)
        return result;
    io_uring_buf_ring_init(uring->recv_ring);
    for (uint32_t id = 0; id < RECV_BUFFERS; id++)
        give_back_buffer(uring, id);
    return 0;
}

static enum hail_status start(struct hail_io *io)
{
    struct uring *uring = uring_of(io);
    // Not io_uring_enable_rings: liburing 2.3's shared library does not export it.
    int result =
        io_uring_register((unsigned)uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

    if (result < 0) {
        hail_log_line(&io->shard->context->log, HAIL_LOG_ERROR,
                      "io_uring_register(IORING_REGISTER_ENABLE_RINGS): %s; set config field io to "
                      "epoll",
                      strerrordesc_np(-result));
        return HAIL_ESYS;
    }
    arm_poll(uring, OP_WAKE, io->wake_fd);
    if (io->watch_fd >= 0)
        arm_poll(uring, OP_WATCH, io->watch_fd);
    return HAIL_OK;
}

static void stop_listening(struct hail_io *io)
{
    struct uring *uring = uring_of(io);

    if (!uring->listening)
        return;
    struct io_uring_sqe *sqe = prepare(uring, OP_CANCEL_LISTEN, 0);
    io_uring_prep_cancel64(sqe, tag(listen_op(uring), 0), 0);
    sqe->user_data = tag(OP_CANCEL_LISTEN, 0);
    uring->listen_in_flight++;
}

static bool idle(const struct hail_io *io)
{
    const struct uring *uring = (const struct uring *)io;

    return uring->listen_in_flight == 0 && !uring->has_datagrams;
}

static void close_ring(struct hail_io *io)
{
    struct uring *uring = uring_of(io);

    if (uring->ring.ring_fd >= 0)
        io_uring_queue_exit(&uring->ring);
}

const struct hail_backend hail_uring = {
    .size = sizeof(struct uring),
    .reserve = reserve,
    .open = open_ring,
    .start = start,
    .turn = turn,
    .carry_out = carry_out,
    .hand_over = hand_over,
    .stop_listening = stop_listening,
    .idle = idle,
    .close = close_ring,
};
