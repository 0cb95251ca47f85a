// backend.h: what io.c and the backends behind it, uring.c and epoll.c, have in common.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_IO_BACKEND_H
#define HAIL_ENGINE_IO_BACKEND_H

#include "engine/io/socket.h"
#include "engine/shard/shard.h"

struct hail_io;

// A backend. Its state begins with a struct hail_io.
struct hail_backend {
    size_t size; // of its state
    // Adds up or carves its memory: see arena.h. Called twice.
    void (*reserve)(struct hail_io *io);
    // Returns 0, or -errno and the system call that was refused. Cleaned up by close either way.
    int (*open)(struct hail_io *io, const char **call);
    enum hail_status (*start)(struct hail_io *io);
    void (*turn)(struct hail_io *io, uint64_t deadline_ns);
    void (*carry_out)(struct hail_io *io, const struct hail_task *task);
    // Hands over the datagrams of all tasks so far; from here on their bytes are the shard's again.
    void (*hand_over)(struct hail_io *io);
    void (*stop_listening)(struct hail_io *io); // before a listening TCP socket is closed
    bool (*idle)(const struct hail_io *io);
    void (*close)(struct hail_io *io); // whatever open has opened
};

extern const struct hail_backend hail_uring;
extern const struct hail_backend hail_epoll;

struct hail_io {
    const struct hail_backend *backend;
    struct hail_shard *shard;
    bool datagrams;   // profile hail: a server has one UDP socket, a client one for each slot
    bool no_gso;      // the kernel has refused to send several datagrams at once
    bool closed_door; // no more is accepted or, by a server's UDP socket, received
    bool no_filter;   // the kernel has refused one, which has been said
    uint32_t drops;   // of the server's UDP socket, as counted so far: see hail_socket_drops
    int listen_fd;    // -1: none
    int wake_fd;
    int watch_fd;               // client, profile hail: see watch.h; -1: none
    uint64_t accept_resumes_ns; // after an error; 0: at once
    struct hail_arena arena;
};

// hail_io_clock returns the time, which goes on while the machine sleeps, and hail_io_date the
// date, which may be set.
uint64_t hail_io_clock(void);
int64_t hail_io_date(void);

// hail_io_accepted hands a new connection to the shard. Returns its slot, or HAIL_SLOT_NONE when
// the shard does not take it; then it has been reset.
uint32_t hail_io_accepted(struct hail_io *io, int fd);

// hail_io_accept_failed counts an error of accept. Returns whether the next may be accepted; if
// not, the listener has to rest.
bool hail_io_accept_failed(struct hail_io *io, int error);

// hail_io_may_accept says whether the listener is there and has rested. If it still has to,
// `*deadline_ns` becomes no later than the end of that.
bool hail_io_may_accept(const struct hail_io *io, uint64_t *deadline_ns);

enum {
    // A datagram buffer: what the kernel may join into one, and what stands before it. Not a
    // power of two, so that the buffers' beginnings do not all fall into the same cache lines.
    HAIL_IO_DATAGRAM_LEN = 65536 + 320,
    // The length of each that was joined, and where to it came: CMSG_SPACE of an int, and of a
    // struct in6_pktinfo, which is the longer of two. The same goes out.
    HAIL_IO_CONTROL_LEN = 24 + 40
};

// hail_io_datagrams hands the shard the datagrams that came joined into one buffer, to a client's
// socket or, HAIL_SLOT_NONE, a server's; how long each is stands in the header's control message.
void hail_io_datagrams(struct hail_io *io, uint32_t slot, const struct msghdr *header,
                       uint8_t *data, size_t len);

// hail_io_close_datagrams closes a client's UDP socket, and counts what its kernel has dropped.
void hail_io_close_datagrams(struct hail_io *io, int fd);

// The header of a send of one or more datagrams, which has to stay until it is handed over, as the
// task's path has.
struct hail_gso_batch {
    struct msghdr header;
    struct iovec views[HAIL_VIEWS_MAX];
    _Alignas(struct cmsghdr) uint8_t control[HAIL_IO_CONTROL_LEN];
};

// hail_io_gso_batch fills in the header for a task's datagrams.
void hail_io_gso_batch(struct hail_gso_batch *batch, const struct hail_task *task);

// Datagrams of one task that the kernel would not take.
struct hail_unsent {
    size_t count;
    uint32_t slot; // a client's; HAIL_SLOT_NONE: a server's
    int fd;        // of the socket
    int error;
};

// hail_io_unsent counts them. They are lost, as datagrams may be; if it was for their being
// several, the next ones go one by one; if it was for a client's source address, that changes.
void hail_io_unsent(struct hail_io *io, const struct hail_unsent *unsent);

// hail_io_follow carries out HAIL_TASK_FOLLOW.
void hail_io_follow(struct hail_io *io, const struct hail_task *task, int fd);

// hail_io_changed takes note of what has been said on watch_fd.
void hail_io_changed(struct hail_io *io);

// hail_io_woken takes note of a wake-up.
void hail_io_woken(struct hail_io *io);

#endif
