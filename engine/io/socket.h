// socket.h: opening the sockets that every backend uses: what they are set to, and what is said
// when one cannot be had.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_IO_SOCKET_H
#define HAIL_ENGINE_IO_SOCKET_H

#include <stdint.h>
#include <sys/socket.h>

#include "engine/context/log.h"
#include "engine/handshake/admission.h"

// Where a server listens; family AF_UNSPEC: nowhere.
struct hail_listen {
    struct sockaddr_storage address;
    socklen_t address_len;
    enum hail_io_kind told; // the backend that the log has been told of last; AUTO: none yet
    uint16_t shard_count;   // that share the port; 1: it is not shared
    uint32_t salt;          // odd and secret: which shard has which strangers
};

// hail_socket_listen opens a listening TCP socket. The port that the kernel chose for port 0 is
// written back. `is_first`: of the shards that share the port; it makes sure that nobody else has
// it, and waits for up to a second if somebody has: the kernel closes the sockets of a process that
// was killed some time after it is gone. Another process of the same user may share the port of
// several shards, but is given nothing of what comes to it.
// Returns  -1 on failure; a line in the log says what failed, and the way out.
HAIL_MUST_USE int hail_socket_listen(struct hail_listen *at, bool is_first,
                                     const struct hail_log *log);

// hail_socket_bind opens a UDP socket that receives at `at`, likewise. Shards share the port: what
// names a connection comes to the shard whose number is in the name, hellos by their token, the
// rest to the first.
HAIL_MUST_USE int hail_socket_bind(struct hail_listen *at, bool is_first,
                                   const struct hail_log *log);

// hail_socket_filter has the kernel throw away hellos that come to a server's UDP socket, as the
// filter says. Returns 0, or -errno: then all are let through, if the kernel does as much.
HAIL_MUST_USE int hail_socket_filter(int fd, const struct hail_admission_filter *filter);

// hail_socket_drops returns how many datagrams that came to a UDP socket the kernel has thrown
// away, by a filter or for lack of room, modulo 2^32; 0 where it does not tell.
uint32_t hail_socket_drops(int fd);

// hail_socket_connecting opens a TCP or UDP socket, by `type`, to be connected to `to`. Returns
// -errno on failure.
HAIL_MUST_USE int hail_socket_connecting(const struct sockaddr *to, int type);

// hail_socket_rebind has a connected UDP socket go on from another port. Best effort.
void hail_socket_rebind(int fd, const struct sockaddr *to);

// hail_socket_has_source says whether the machine still has the address that a socket sends from.
bool hail_socket_has_source(int fd);

// hail_socket_moved says whether the kernel would now choose another source address to send from to
// `to` than a socket has.
bool hail_socket_moved(int fd, const struct sockaddr *to);

// hail_socket_reset has a TCP connection be reset when it is closed: its peer hears of it at once,
// and the kernel keeps nothing of it, as it does of what ends in good order for a minute.
void hail_socket_reset(int fd);

// hail_socket_address_len returns the length of an IPv4 or IPv6 address.
socklen_t hail_socket_address_len(const struct sockaddr *address);

#endif
