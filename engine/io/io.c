// io.c: which backend it is, and what is the same for each.
// SPDX-License-Identifier: MIT
#include "engine/io/io.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "crypto/time.h"
#include "engine/handshake/server.h"
#include "engine/io/backend.h"
#include "engine/io/watch.h"

enum {
    ACCEPT_PAUSE_MS = 100 // after an error, before the listener is tried again
};

// Why a backend cannot be had; error 0: it can.
struct refusal {
    const char *call;
    int error;
};

uint64_t hail_io_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return hail_time_ns(&now);
}

int64_t hail_io_date(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)hail_time_ns(&now);
}

static enum hail_status open_backend(struct hail_io **out, const struct hail_backend *backend,
                                     struct hail_shard *shard, struct hail_listen *listen_at,
                                     struct refusal *refusal)
{
    const struct hail_log *log = &shard->context->log;
    const struct hail_heap *heap = &shard->context->heap;
    struct hail_io *io = hail_heap_take(heap, backend->size);

    if (!io)
        return HAIL_ENOMEM;
    *io = (struct hail_io){
        .backend = backend,
        .shard = shard,
        .datagrams = shard->profile->datagrams,
        .listen_fd = -1,
        .wake_fd = -1,
        .watch_fd = -1,
    };
    backend->reserve(io);
    if (!hail_arena_reserve_from(&io->arena, heap)) {
        hail_log_line(log, HAIL_LOG_ERROR, "memory for I/O: %s; lower conns_max",
                      strerrordesc_np(errno));
        hail_heap_give(heap, io, backend->size);
        return HAIL_ENOMEM;
    }
    backend->reserve(io);

    refusal->error = -backend->open(io, &refusal->call);
    if (refusal->error != 0)
        goto failed;
    io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->wake_fd < 0) {
        hail_log_line(log, HAIL_LOG_ERROR, "eventfd: %s", strerrordesc_np(errno));
        goto failed;
    }
    // Without it, silence and the errors of sending have to tell.
    if (io->datagrams && !shard->context->is_server)
        io->watch_fd = hail_watch_open();
    if (listen_at->address.ss_family != AF_UNSPEC) {
        io->listen_fd = (io->datagrams ? hail_socket_bind
                                       : hail_socket_listen)(listen_at, shard->index == 0, log);
        if (io->listen_fd < 0)
            goto failed;
    }
    shard->wake_fd = io->wake_fd;
    *out = io;
    return HAIL_OK;
failed:
    hail_io_close(io);
    return HAIL_ESYS;
}

// What to do about an error of io_uring's.
static const char *way_out(int error)
{
    switch (error) {
    case EPERM:
    case EACCES:
    case ENOSYS:
        return "allow the io_uring_* system calls in the container's seccomp profile or the unit's "
               "SystemCallFilter=, and set the sysctl kernel.io_uring_disabled to 0, or to 1 with "
               "this process in kernel.io_uring_group";
    case ENOMEM:
        return "raise the limit of locked memory (ulimit -l)";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files (ulimit -n)";
    default:
        return "use Linux 6.1 or later";
    }
}

// Says which backend a shard has got, unless the shard before had the same to say.
static void tell(const struct hail_log *log, struct hail_listen *listen_at, enum hail_io_kind kind,
                 const struct refusal *refusal)
{
    if (listen_at->told == kind)
        return;
    listen_at->told = kind;
    if (refusal->error != 0)
        hail_log_line(log, HAIL_LOG_WARN, "io=epoll: io_uring is refused (%s: %s); to allow it, %s",
                      refusal->call, strerrordesc_np(refusal->error), way_out(refusal->error));
    else
        hail_log_line(log, HAIL_LOG_INFO, "io=%s", kind == HAIL_IO_URING ? "uring" : "epoll");
}

enum hail_status hail_io_open(struct hail_io **out, struct hail_shard *shard,
                              struct hail_listen *listen_at)
{
    const struct hail_log *log = &shard->context->log;
    enum hail_io_kind kind = shard->context->config.io;
    struct refusal refusal = {0};
    struct refusal refusal_of_epoll = {0};
    enum hail_status status;

    if (kind != HAIL_IO_EPOLL) {
        status = open_backend(out, &hail_uring, shard, listen_at, &refusal);
        if (status == HAIL_OK)
            tell(log, listen_at, HAIL_IO_URING, &refusal);
        // Without file descriptors epoll would come no further.
        bool exhausted = refusal.error == EMFILE || refusal.error == ENFILE;
        if (refusal.error != 0 && (kind == HAIL_IO_URING || exhausted))
            hail_log_line(log, HAIL_LOG_ERROR, "io=uring: %s: %s; to allow it, %s", refusal.call,
                          strerrordesc_np(refusal.error), way_out(refusal.error));
        if (refusal.error == 0 || kind == HAIL_IO_URING || exhausted)
            return status;
    }
    status = open_backend(out, &hail_epoll, shard, listen_at, &refusal_of_epoll);
    if (status == HAIL_OK)
        tell(log, listen_at, HAIL_IO_EPOLL, &refusal);
    else if (refusal_of_epoll.error != 0)
        hail_log_line(log, HAIL_LOG_ERROR, "io=epoll: %s: %s", refusal_of_epoll.call,
                      strerrordesc_np(refusal_of_epoll.error));
    return status;
}

enum hail_status hail_io_start(struct hail_io *io)
{
    return io->backend->start(io);
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return hail_time_ns(&spent);
}

// Once in a while: tells the shard what its work has cost, the kernel how much of a flood the shard
// wants to see, and counts what was thrown away.
static void admit(struct hail_io *io)
{
    struct hail_shard *shard = io->shard;

    if (shard->now_ns < shard->native->server->admission.until_ns)
        return;
    if (hail_server_handshake_admit(shard, thread_cpu_ns())) {
        int result = hail_socket_filter(io->listen_fd, &shard->native->server->admission.filter);
        if (result < 0 && !io->no_filter)
            hail_log_line(&shard->context->log, HAIL_LOG_WARN,
                          "setsockopt(SO_ATTACH_FILTER): %s; a flood of hellos will take room and "
                          "time from those who play",
                          strerrordesc_np(-result));
        io->no_filter |= result < 0;
    }
    uint32_t drops = hail_socket_drops(io->listen_fd);
    hail_stat_add(&shard->stats, HAIL_STAT_SOCKET_DROPS, drops - io->drops);
    io->drops = drops;
}

void hail_io_turn(struct hail_io *io, uint64_t deadline_ns)
{
    io->backend->turn(io, deadline_ns);
    if (io->datagrams && io->listen_fd >= 0)
        admit(io);
}

// A task of several datagrams as one for each, where that is all that the kernel takes.
static void carry_out(struct hail_io *io, struct hail_task *task)
{
    if (task->op != HAIL_TASK_DATAGRAMS || task->view_count == 1 || !io->no_gso) {
        io->backend->carry_out(io, task);
        return;
    }
    HAIL_ASSERT(task->view_count <= HAIL_VIEWS_MAX);
    size_t count = task->view_count;
    task->view_count = 1;
    for (size_t i = 0; i < count; i++) {
        task->views[0] = task->views[i];
        io->backend->carry_out(io, task);
    }
}

void hail_io_push(struct hail_io *io)
{
    struct hail_task task;

    while (hail_shard_output(io->shard, &task))
        carry_out(io, &task);
}

void hail_io_stop_listening(struct hail_io *io)
{
    if (io->listen_fd < 0 || io->closed_door)
        return;
    io->closed_door = true;
    io->backend->stop_listening(io);
    if (io->datagrams)
        return; // there is something to be sent through it
    close(io->listen_fd);
    io->listen_fd = -1;
}

bool hail_io_idle(const struct hail_io *io)
{
    return io->backend->idle(io);
}

void hail_io_close(struct hail_io *io)
{
    if (!io)
        return;
    io->backend->close(io);
    if (io->listen_fd >= 0)
        close(io->listen_fd);
    if (io->wake_fd >= 0)
        close(io->wake_fd);
    if (io->watch_fd >= 0)
        close(io->watch_fd);
    hail_arena_cleanup(&io->arena);
    hail_heap_give(&io->shard->context->heap, io, io->backend->size);
}

size_t hail_io_memory(const struct hail_io *io)
{
    return io->arena.size;
}

uint32_t hail_io_accepted(struct hail_io *io, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_len = sizeof peer;

    HAIL_ASSERT(fd >= 0);
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0) { // it is gone already
        close(fd);
        (void)hail_io_accept_failed(io, ECONNABORTED);
        return HAIL_SLOT_NONE;
    }
    uint32_t slot = hail_shard_accept(io->shard, (struct sockaddr *)&peer, peer_len);
    if (slot == HAIL_SLOT_NONE) {
        hail_socket_reset(fd);
        close(fd);
    }
    return slot;
}

bool hail_io_accept_failed(struct hail_io *io, int error)
{
    hail_stat_add(&io->shard->stats, HAIL_STAT_ACCEPT_ERRORS, 1);
    if (error == ECONNABORTED) // a peer that went away while it waited
        return true;
    // Out of file descriptors or memory.
    io->accept_resumes_ns = hail_io_clock() + ACCEPT_PAUSE_MS * HAIL_NS_PER_MS;
    return false;
}

bool hail_io_may_accept(const struct hail_io *io, uint64_t *deadline_ns)
{
    if (io->listen_fd < 0 || io->closed_door)
        return false;
    if (io->accept_resumes_ns == 0 || hail_io_clock() >= io->accept_resumes_ns)
        return true;
    if (io->accept_resumes_ns < *deadline_ns)
        *deadline_ns = io->accept_resumes_ns;
    return false;
}

// What the kernel says beside datagrams: how long each of those that it joined is, and which of our
// addresses they came to.
static void read_control(const struct msghdr *header, size_t *each, struct hail_path *path)
{
    struct msghdr copy = *header;
    struct in_pktinfo v4;
    struct in6_pktinfo v6;
    int segment;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(&copy); control;
         control = CMSG_NXTHDR(&copy, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            memcpy(&segment, CMSG_DATA(control), sizeof segment);
            *each = segment > 0 ? (size_t)segment : *each;
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            memcpy(&v4, CMSG_DATA(control), sizeof v4);
            hail_path_set_local4(path, &v4.ipi_addr);
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            memcpy(&v6, CMSG_DATA(control), sizeof v6);
            memcpy(path->local, &v6.ipi6_addr, sizeof path->local);
        }
    }
}

void hail_io_close_datagrams(struct hail_io *io, int fd)
{
    hail_stat_add(&io->shard->stats, HAIL_STAT_SOCKET_DROPS, hail_socket_drops(fd));
    close(fd);
}

void hail_io_datagrams(struct hail_io *io, uint32_t slot, const struct msghdr *header,
                       uint8_t *data, size_t len)
{
    bool is_server = slot == HAIL_SLOT_NONE;
    struct hail_path path = {0};
    size_t each = len;
    size_t at = 0;

    if (is_server)
        hail_path_set(&path, header->msg_name);
    read_control(header, &each, &path);
    do { // one without a byte is one as well
        size_t left = len - at;
        hail_shard_datagram(io->shard, slot, is_server ? &path : NULL, data + at,
                            left < each ? left : each);
        at += each;
        if (!hail_shard_crowded(io->shard))
            continue;
        hail_io_push(io);
        io->backend->hand_over(io);
    } while (at < len);
}

// Adds a control message of `len` bytes to a header with room for it.
static void add_control(struct msghdr *header, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *control =
        (struct cmsghdr *)(void *)((uint8_t *)header->msg_control + header->msg_controllen);

    *control = (struct cmsghdr){.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(control), data, len);
    header->msg_controllen += CMSG_SPACE(len);
    HAIL_ASSERT(header->msg_controllen <= HAIL_IO_CONTROL_LEN);
}

// A datagram leaves from where it was asked for: left to the routing table, a machine with several
// addresses answers from another one, which the client does not know.
static void add_local(struct msghdr *header, const struct hail_path *path)
{
    struct in_pktinfo v4 = {0};
    struct in6_pktinfo v6 = {0};

    if (path->any.sa_family == AF_INET) {
        hail_path_local4(path, &v4.ipi_spec_dst);
        add_control(header, IPPROTO_IP, IP_PKTINFO, &v4, sizeof v4);
    } else { // of a dual-stack socket, the mapped ones too
        memcpy(&v6.ipi6_addr, path->local, sizeof v6.ipi6_addr);
        add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof v6);
    }
}

void hail_io_gso_batch(struct hail_gso_batch *batch, const struct hail_task *task)
{
    uint16_t each = (uint16_t)task->views[0].iov_len;
    struct msghdr *header = &batch->header;

    HAIL_ASSERT(task->view_count > 0);
    HAIL_ASSERT(task->view_count <= HAIL_VIEWS_MAX);
    HAIL_ASSERT(task->views[0].iov_len <= UINT16_MAX); // the kernel splits by it
    memcpy(batch->views, task->views, task->view_count * sizeof *task->views);
    *header = (struct msghdr){
        .msg_iov = batch->views, .msg_iovlen = task->view_count, .msg_control = batch->control};
    if (task->path) {
        header->msg_name = (void *)(uintptr_t)&task->path->any;
        header->msg_namelen = hail_path_len(task->path);
        if (hail_path_has_local(task->path))
            add_local(header, task->path);
    }
    if (task->view_count > 1)
        add_control(header, SOL_UDP, UDP_SEGMENT, &each, sizeof each);
    if (header->msg_controllen == 0)
        header->msg_control = NULL;
}

void hail_io_unsent(struct hail_io *io, const struct hail_unsent *unsent)
{
    bool is_client = unsent->slot != HAIL_SLOT_NONE;
    int error = unsent->error;

    HAIL_ASSERT(unsent->count > 0);
    hail_stat_add(&io->shard->stats, HAIL_STAT_DATAGRAMS_UNSENT, unsent->count);
    // By EINVAL IPv4 means that the source is gone, or that the datagrams are too many or too long.
    if (is_client && error == EINVAL && !hail_socket_has_source(unsent->fd))
        error = EADDRNOTAVAIL;
    if (unsent->count > 1 && (error == EINVAL || error == EIO || error == EOPNOTSUPP))
        io->no_gso = true; // by this path or device
    if (is_client)
        hail_shard_unsent(io->shard, unsent->slot, error);
}

void hail_io_follow(struct hail_io *io, const struct hail_task *task, int fd)
{
    if (task->if_moved && !hail_socket_moved(fd, task->address))
        return;
    hail_socket_rebind(fd, task->address);
    hail_shard_followed(io->shard, task->slot);
}

void hail_io_changed(struct hail_io *io)
{
    if (hail_watch_read(io->watch_fd))
        hail_shard_network_changed(io->shard);
}

void hail_io_woken(struct hail_io *io)
{
    uint64_t count;
    ssize_t got = read(io->wake_fd, &count, sizeof count);

    HAIL_ASSERT(got == sizeof count || errno == EAGAIN);
}
