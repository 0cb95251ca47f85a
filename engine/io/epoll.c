// epoll.c: the backend for where io_uring is refused: non-blocking sockets, level-triggered. A send
// is tried at once, and its connection watched for room only when the kernel would not take it. So
// nothing is ever in flight, and a socket is closed as soon as the shard says so.
// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "crypto/meter.h"
#include "crypto/time.h"
#include "engine/io/backend.h"

enum {
    EVENTS_PER_TURN = 256,
    ACCEPTS_PER_TURN = 64,        // so that players are served in between
    ACCEPTS_SEEN_PER_TURN = 1024, // with those that are reset, which cost little
    RECV_BUFFER_LEN = 65536,
    DRAINS_MAX = 64,    // pieces of RECV_BUFFER_LEN that a closing peer may have sent unread
    DATAGRAM_BATCH = 64 // of a server's UDP socket, received by one call, or sent
};

// What an event is about: the source in the top byte of its data, the slot below.
enum source {
    SOURCE_LISTENER = 1,
    SOURCE_WAKE,
    SOURCE_WATCH,
    SOURCE_SOCKET
};

// A slot's socket.
struct socket {
    int fd;           // -1: none
    uint32_t watched; // the events that epoll looks for; 0: epoll does not have it
    bool connecting;
    bool blocked; // the shard's send waits until the kernel has room
    bool paused;
    bool ended; // nothing more will come
};

// What one call receives from a server's UDP socket.
struct batch {
    struct mmsghdr headers[DATAGRAM_BATCH];
    struct iovec views[DATAGRAM_BATCH];
    struct sockaddr_in6 names[DATAGRAM_BATCH];
    _Alignas(struct cmsghdr) uint8_t controls[DATAGRAM_BATCH][HAIL_IO_CONTROL_LEN];
};

struct epoll {
    struct hail_io io;
    int fd;
    bool accepting;         // epoll has the listener
    struct socket *sockets; // one for each slot
    uint8_t *recv_buffer;
    // Of a server's UDP socket.
    struct batch *batch;
    uint8_t *batch_buffers;
    struct hail_gso_batch *gso_batches; // to send
    struct mmsghdr *gso_headers;
    uint32_t gso_count;
};

static struct epoll *epoll_of(struct hail_io *io)
{
    return (struct epoll *)io;
}

// Has epoll watch a descriptor for `events`, where it watched for `before`; 0: not at all. Returns
// 0 or -errno: the system may be short of memory or have a limit of watches.
static int control(struct epoll *epoll, int fd, enum source source, uint32_t slot, uint32_t before,
                   uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)source << 56 | slot};
    int op = before == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (before == events || epoll_ctl(epoll->fd, op, fd, &event) == 0)
        return 0;
    HAIL_ASSERT(errno == ENOMEM || errno == ENOSPC);
    return -errno;
}

// Brings what epoll watches a socket for up to date. Of what is paused or over epoll must not know
// at all: it would report a reset for ever.
static void watch(struct epoll *epoll, uint32_t slot)
{
    struct socket *socket = &epoll->sockets[slot];
    bool reads = !socket->connecting && !socket->paused && !socket->ended;
    bool writes = socket->connecting || socket->blocked;
    uint32_t events = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
    uint32_t before = socket->watched;

    int result = control(epoll, socket->fd, SOURCE_SOCKET, slot, before, events);
    if (result == 0)
        socket->watched = events;
    else
        hail_shard_ended(epoll->io.shard, slot, result);
}

static void listen_again(struct epoll *epoll)
{
    int result = control(epoll, epoll->io.listen_fd, SOURCE_LISTENER, 0, 0, EPOLLIN);

    epoll->accepting = result == 0;
    if (result < 0)
        hail_io_accept_failed(&epoll->io, -result);
}

// After an error the listener is left alone for a while.
static void rest(struct epoll *epoll)
{
    epoll->accepting = control(epoll, epoll->io.listen_fd, SOURCE_LISTENER, 0, EPOLLIN, 0) < 0;
}

// A server's UDP socket has something.
static void on_server_datagrams(struct epoll *epoll)
{
    struct hail_io *io = &epoll->io;
    struct batch *batch = epoll->batch;

    for (int i = 0; i < DATAGRAM_BATCH; i++) {
        batch->views[i] = (struct iovec){epoll->batch_buffers + (size_t)i * HAIL_IO_DATAGRAM_LEN,
                                         HAIL_IO_DATAGRAM_LEN};
        batch->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->names[i],
            .msg_namelen = sizeof batch->names[i],
            .msg_iov = &batch->views[i],
            .msg_iovlen = 1,
            .msg_control = batch->controls[i],
            .msg_controllen = HAIL_IO_CONTROL_LEN,
        };
    }
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);
    int got = recvmmsg(io->listen_fd, batch->headers, DATAGRAM_BATCH, 0, NULL);
    hail_meter_leave(before);
    if (got < 0 && errno != EAGAIN && !hail_io_accept_failed(io, errno))
        rest(epoll);
    for (int i = 0; i < got; i++)
        hail_io_datagrams(io, HAIL_SLOT_NONE, &batch->headers[i].msg_hdr, batch->views[i].iov_base,
                          batch->headers[i].msg_len);
}

static void on_acceptable(struct epoll *epoll)
{
    struct hail_io *io = &epoll->io;
    int taken = 0;

    for (int i = 0; i < ACCEPTS_SEEN_PER_TURN && taken < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(io->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EAGAIN)
                return;
            if (hail_io_accept_failed(io, errno))
                continue;
            rest(epoll);
            return;
        }
        uint32_t slot = hail_io_accepted(io, fd);
        if (slot != HAIL_SLOT_NONE) {
            HAIL_ASSERT(epoll->sockets[slot].fd < 0); // the one before it was closed
            epoll->sockets[slot].fd = fd;
            watch(epoll, slot);
            taken++;
        }
    }
}

static void on_connectable(struct epoll *epoll, uint32_t slot)
{
    struct socket *socket = &epoll->sockets[slot];
    int error = 0;
    socklen_t len = sizeof error;

    getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0) {
        socket->connecting = false;
        watch(epoll, slot);
    } else {
        close(socket->fd); // the shard may have another address to try
        *socket = (struct socket){.fd = -1};
    }
    hail_shard_connected(epoll->io.shard, slot, -error);
}

// A client's UDP socket has something.
static void on_client_datagrams(struct epoll *epoll, uint32_t slot)
{
    struct hail_shard *shard = epoll->io.shard;
    struct socket *socket = &epoll->sockets[slot];

    for (int i = 0; i < DATAGRAM_BATCH; i++) {
        _Alignas(struct cmsghdr) uint8_t control[HAIL_IO_CONTROL_LEN];
        struct iovec view = {epoll->recv_buffer, HAIL_IO_DATAGRAM_LEN};
        struct msghdr header = {.msg_iov = &view,
                                .msg_iovlen = 1,
                                .msg_control = control,
                                .msg_controllen = sizeof control};
        ssize_t got = recvmsg(socket->fd, &header, 0);
        if (got >= 0) {
            hail_io_datagrams(&epoll->io, slot, &header, epoll->recv_buffer, (size_t)got);
        } else if (errno == EAGAIN) {
            return;
        } else if (!hail_shard_refused(shard, slot, -errno)) {
            close(socket->fd);
            *socket = (struct socket){.fd = -1};
            return;
        }
    }
}

static void on_readable(struct epoll *epoll, uint32_t slot)
{
    struct socket *socket = &epoll->sockets[slot];
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);
    ssize_t got = recv(socket->fd, epoll->recv_buffer, RECV_BUFFER_LEN, 0);

    hail_meter_leave(before);
    if (got > 0) {
        hail_shard_input(epoll->io.shard, slot, epoll->recv_buffer, (size_t)got);
    } else if (got == 0 || errno != EAGAIN) {
        int error = got == 0 ? 0 : errno;
        socket->ended = true;
        watch(epoll, slot);
        hail_shard_ended(epoll->io.shard, slot, -error);
    }
}

static void on_socket(struct epoll *epoll, uint32_t slot, uint32_t events)
{
    struct socket *socket = &epoll->sockets[slot];

    HAIL_ASSERT(slot < epoll->io.shard->context->slots);
    if (socket->connecting) {
        on_connectable(epoll, slot);
        return;
    }
    if (socket->blocked && (events & ~(uint32_t)EPOLLIN)) {
        socket->blocked = false; // epoll hears of it when the shard has tried again
        hail_shard_sent(epoll->io.shard, slot, 0);
    }
    if (epoll->io.datagrams)
        on_client_datagrams(epoll, slot);
    else if (!socket->paused && !socket->ended && (events & ~(uint32_t)EPOLLOUT))
        on_readable(epoll, slot);
}

static int timeout_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = deadline_ns == 0 || deadline_ns == UINT64_MAX ? 0 : hail_io_clock();

    if (deadline_ns == UINT64_MAX)
        return -1;
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    uint64_t wait_ms = wait_ns / HAIL_NS_PER_MS + (wait_ns % HAIL_NS_PER_MS != 0);
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

// Sends what is queued for a server's UDP socket. What the kernel does not take is lost.
static void send_gso_batches(struct epoll *epoll)
{
    struct hail_io *io = &epoll->io;
    uint32_t done = 0;

    while (done < epoll->gso_count) {
        enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);
        int sent = sendmmsg(io->listen_fd, epoll->gso_headers + done, epoll->gso_count - done,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        hail_meter_leave(before);
        if (sent < 0) {
            hail_io_unsent(io, &(struct hail_unsent){
                                   .count = epoll->gso_headers[done].msg_hdr.msg_iovlen,
                                   .slot = HAIL_SLOT_NONE,
                                   .fd = io->listen_fd,
                                   .error = errno,
                               });
            sent = 1;
        }
        done += (uint32_t)sent;
        HAIL_ASSERT(done <= epoll->gso_count);
    }
    epoll->gso_count = 0;
}

static void hand_over(struct hail_io *io)
{
    send_gso_batches(epoll_of(io));
    hail_shard_handed_over(io->shard);
}

static void turn(struct hail_io *io, uint64_t deadline_ns)
{
    struct epoll *epoll = epoll_of(io);
    struct epoll_event events[EVENTS_PER_TURN];

    hand_over(io);
    if (!epoll->accepting && hail_io_may_accept(io, &deadline_ns))
        listen_again(epoll);
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);
    int count = epoll_wait(epoll->fd, events, EVENTS_PER_TURN, timeout_ms(deadline_ns));
    hail_meter_leave(before);
    HAIL_ASSERT(count >= 0 || errno == EINTR);

    hail_shard_wakes(io->shard, hail_io_clock(), hail_io_date());
    for (int i = 0; i < count; i++) {
        switch ((enum source)(events[i].data.u64 >> 56)) {
        case SOURCE_LISTENER:
            if (io->datagrams)
                on_server_datagrams(epoll);
            else
                on_acceptable(epoll);
            break;
        case SOURCE_WAKE:
            hail_io_woken(io);
            break;
        case SOURCE_WATCH:
            hail_io_changed(io);
            break;
        case SOURCE_SOCKET:
            on_socket(epoll, (uint32_t)events[i].data.u64, events[i].events);
            break;
        }
    }
}

static void push_connect(struct epoll *epoll, const struct hail_task *task)
{
    struct socket *socket = &epoll->sockets[task->slot];
    const struct sockaddr *address = (const struct sockaddr *)task->address;
    int fd = hail_socket_connecting(address, epoll->io.datagrams ? SOCK_DGRAM : SOCK_STREAM);

    if (fd >= 0 && connect(fd, address, hail_socket_address_len(address)) < 0 &&
        errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        fd = -error;
    }
    if (fd < 0) {
        hail_shard_connected(epoll->io.shard, task->slot, fd);
        return;
    }
    HAIL_ASSERT(socket->fd < 0);
    *socket = (struct socket){.fd = fd, .connecting = true};
    watch(epoll, task->slot);
}

static void push_send(struct epoll *epoll, const struct hail_task *task)
{
    struct socket *socket = &epoll->sockets[task->slot];
    struct iovec views[HAIL_VIEWS_MAX];
    struct msghdr header = {.msg_iov = views, .msg_iovlen = task->view_count};

    HAIL_ASSERT(task->view_count <= HAIL_VIEWS_MAX);
    HAIL_ASSERT(socket->fd >= 0);
    HAIL_ASSERT(!socket->blocked);
    memcpy(views, task->views, task->view_count * sizeof *views);
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_SYSTEM);
    ssize_t sent = sendmsg(socket->fd, &header, MSG_NOSIGNAL);
    int error = sent < 0 ? errno : 0;
    hail_meter_leave(before);
    socket->blocked = error == EAGAIN;
    watch(epoll, task->slot);
    if (!socket->blocked)
        hail_shard_sent(epoll->io.shard, task->slot, sent < 0 ? -error : (int)sent);
}

static void push_datagrams(struct epoll *epoll, const struct hail_task *task)
{
    struct hail_gso_batch batch;

    if (task->path) {
        if (epoll->gso_count == DATAGRAM_BATCH)
            send_gso_batches(epoll);
        HAIL_ASSERT(epoll->gso_count < DATAGRAM_BATCH);
        uint32_t place = epoll->gso_count++;
        hail_io_gso_batch(&epoll->gso_batches[place], task);
        epoll->gso_headers[place].msg_hdr = epoll->gso_batches[place].header;
        return;
    }
    hail_io_gso_batch(&batch, task);
    int fd = epoll->sockets[task->slot].fd;
    if (sendmsg(fd, &batch.header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        hail_io_unsent(&epoll->io, &(struct hail_unsent){task->view_count, task->slot, fd, errno});
}

// Shut first, then emptied: nothing is left unread, which would turn the end into a reset that
// destroys what the peer has not read yet. A peer that goes on sending does not hold us up.
static void push_close(struct epoll *epoll, uint32_t slot, bool resets)
{
    struct socket *socket = &epoll->sockets[slot];

    if (socket->fd >= 0 && epoll->io.datagrams) {
        hail_io_close_datagrams(&epoll->io, socket->fd);
    } else if (socket->fd >= 0 && resets) {
        hail_socket_reset(socket->fd);
        close(socket->fd);
    } else if (socket->fd >= 0) {
        shutdown(socket->fd, SHUT_RDWR);
        for (int i = 0; i < DRAINS_MAX; i++) {
            if (recv(socket->fd, epoll->recv_buffer, RECV_BUFFER_LEN, MSG_DONTWAIT) <= 0)
                break;
        }
        close(socket->fd);
    }
    *socket = (struct socket){.fd = -1};
    hail_shard_closed(epoll->io.shard, slot);
}

static void carry_out(struct hail_io *io, const struct hail_task *task)
{
    struct epoll *epoll = epoll_of(io);

    switch (task->op) {
    case HAIL_TASK_CONNECT:
        push_connect(epoll, task);
        return;
    case HAIL_TASK_REBIND:
        hail_socket_rebind(epoll->sockets[task->slot].fd, task->address);
        return;
    case HAIL_TASK_FOLLOW:
        hail_io_follow(io, task, epoll->sockets[task->slot].fd);
        return;
    case HAIL_TASK_SEND:
        push_send(epoll, task);
        return;
    case HAIL_TASK_PAUSE:
    case HAIL_TASK_RESUME:
        epoll->sockets[task->slot].paused = task->op == HAIL_TASK_PAUSE;
        watch(epoll, task->slot);
        return;
    case HAIL_TASK_CLOSE:
        push_close(epoll, task->slot, task->resets);
        return;
    case HAIL_TASK_DATAGRAMS:
        push_datagrams(epoll, task);
        return;
    }
    HAIL_UNREACHABLE("a task has one of these operations");
}

static void reserve(struct hail_io *io)
{
    struct epoll *epoll = epoll_of(io);

    size_t batch = io->datagrams && io->shard->context->is_server ? DATAGRAM_BATCH : 0;
    epoll->recv_buffer =
        hail_arena_take(&io->arena, 1, io->datagrams ? HAIL_IO_DATAGRAM_LEN : RECV_BUFFER_LEN);
    epoll->batch = hail_arena_take(&io->arena, batch > 0, sizeof(struct batch));
    epoll->batch_buffers = hail_arena_take(&io->arena, batch, HAIL_IO_DATAGRAM_LEN);
    epoll->gso_batches = hail_arena_take(&io->arena, batch, sizeof(struct hail_gso_batch));
    epoll->gso_headers = hail_arena_take(&io->arena, batch, sizeof(struct mmsghdr));
    epoll->sockets = hail_arena_take(&io->arena, io->shard->context->slots, sizeof(struct socket));
}

static int open_epoll(struct hail_io *io, const char **call)
{
    struct epoll *epoll = epoll_of(io);

    for (uint32_t slot = 0; slot < io->shard->context->slots; slot++)
        epoll->sockets[slot].fd = -1;
    *call = "epoll_create1";
    epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll->fd < 0 ? -errno : 0;
}

static enum hail_status start(struct hail_io *io)
{
    struct epoll *epoll = epoll_of(io);

    int result = control(epoll, io->wake_fd, SOURCE_WAKE, 0, 0, EPOLLIN);

    if (result == 0 && io->watch_fd >= 0)
        result = control(epoll, io->watch_fd, SOURCE_WATCH, 0, 0, EPOLLIN);
    if (result < 0)
        hail_log_line(&io->shard->context->log, HAIL_LOG_ERROR, "epoll_ctl: %s",
                      strerrordesc_np(-result));
    return result < 0 ? HAIL_ESYS : HAIL_OK;
}

static void stop_listening(struct hail_io *io)
{
    struct epoll *epoll = epoll_of(io);

    // Closing a listening TCP socket takes it out of epoll.
    if (io->datagrams && epoll->accepting)
        (void)control(epoll, io->listen_fd, SOURCE_LISTENER, 0, EPOLLIN, 0);
}

static bool idle(const struct hail_io *io)
{
    return ((const struct epoll *)io)->gso_count == 0;
}

static void close_epoll(struct hail_io *io)
{
    struct epoll *epoll = epoll_of(io);

    if (epoll->fd >= 0)
        close(epoll->fd);
}

const struct hail_backend hail_epoll = {
    .size = sizeof(struct epoll),
    .reserve = reserve,
    .open = open_epoll,
    .start = start,
    .turn = turn,
    .carry_out = carry_out,
    .hand_over = hand_over,
    .stop_listening = stop_listening,
    .idle = idle,
    .close = close_epoll,
};
