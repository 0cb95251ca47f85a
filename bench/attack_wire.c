// attack_wire.c: see attack_wire.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_wire.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECEIVE_LEN = 4 << 20,
    ROUNDS_MAX = 64 // of hearing, so that who is answered a lot still gets to send
};

static const uint32_t first_address = 0x7f400002; // 127.64.0.2

// What says which address a datagram comes from or goes to, and how a GSO batch is to be cut.
struct control {
    _Alignas(struct cmsghdr)
        uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
};

uint32_t wire_address(uint32_t source)
{
    HAIL_ASSERT(source < WIRE_SOURCES);
    return first_address + (source << 8);
}

bool wire_open(struct wire *wire, const struct sockaddr_in *server, bool gso)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    int yes = 1;
    int room = RECEIVE_LEN;

    memset(wire, 0, sizeof *wire);
    wire->server = *server;
    wire->gso = gso;
    wire->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wire->fd < 0 || setsockopt(wire->fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes) < 0 ||
        bind(wire->fd, (const struct sockaddr *)&any, sizeof any) < 0) {
        fprintf(stderr, "attack: socket: %s\n", strerror(errno));
        if (wire->fd >= 0)
            close(wire->fd);
        return false;
    }
    // Not all may force it; then it is as much as anybody may have.
    if (setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return true;
}

void wire_close(struct wire *wire)
{
    close(wire->fd);
}

uint8_t *wire_room(struct wire *wire)
{
    if (wire->queued == WIRE_BURST)
        wire_flush(wire);
    return wire->out[wire->queued].bytes;
}

void wire_put(struct wire *wire, uint32_t source, size_t len)
{
    struct wire_datagram *datagram = &wire->out[wire->queued++];

    HAIL_ASSERT(len <= sizeof datagram->bytes);
    datagram->source = source;
    datagram->len = len;
}

// How many of the queued ones from `first` on may leave as one GSO batch.
static uint32_t train_len(const struct wire *wire, uint32_t first)
{
    const struct wire_datagram *head = &wire->out[first];
    size_t len = head->len;
    uint32_t count = 1;

    while (wire->gso && head->len > 0 && first + count < wire->queued &&
           wire->out[first + count].source == head->source &&
           wire->out[first + count].len == head->len && len + head->len < UINT16_MAX - 64) {
        len += head->len;
        count++;
    }
    return count;
}

static void write_control(struct msghdr *message, struct control *control, uint32_t source,
                          size_t len, uint32_t count)
{
    const struct in_pktinfo from = {.ipi_spec_dst.s_addr = htonl(wire_address(source))};
    const uint16_t segment = (uint16_t)len;

    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof from);
    memcpy(CMSG_DATA(header), &from, sizeof from);
    message->msg_controllen = CMSG_SPACE(sizeof from);
    if (count < 2)
        return;
    message->msg_controllen = sizeof *control;
    header = CMSG_NXTHDR(message, header);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(header), &segment, sizeof segment);
}

void wire_flush(struct wire *wire)
{
    struct mmsghdr headers[WIRE_BURST];
    struct control controls[WIRE_BURST];
    struct iovec views[WIRE_BURST];
    uint32_t counts[WIRE_BURST];
    uint32_t messages = 0;

    for (uint32_t at = 0; at < wire->queued; at += counts[messages++]) {
        uint32_t count = train_len(wire, at);
        for (uint32_t i = at; i < at + count; i++)
            views[i] = (struct iovec){wire->out[i].bytes, wire->out[i].len};
        headers[messages] = (struct mmsghdr){.msg_hdr = {.msg_name = &wire->server,
                                                         .msg_namelen = sizeof wire->server,
                                                         .msg_iov = &views[at],
                                                         .msg_iovlen = count}};
        write_control(&headers[messages].msg_hdr, &controls[messages], wire->out[at].source,
                      wire->out[at].len, count);
        counts[messages] = count;
    }
    int taken = messages > 0 ? sendmmsg(wire->fd, headers, messages, 0) : 0;
    for (int i = 0; i < taken; i++) {
        wire->datagrams_out += counts[i];
        wire->bytes_out += headers[i].msg_len;
    }
    wire->queued = 0;
}

// The source whose address a datagram came to; WIRE_SOURCES: none of ours.
static uint32_t source_of(const struct msghdr *message)
{
    struct in_pktinfo to;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR((struct msghdr *)message, header)) {
        if (header->cmsg_level != IPPROTO_IP || header->cmsg_type != IP_PKTINFO)
            continue;
        memcpy(&to, CMSG_DATA(header), sizeof to);
        uint32_t distance = ntohl(to.ipi_addr.s_addr) - first_address;
        return distance % 256 == 0 && distance / 256 < WIRE_SOURCES ? distance / 256 : WIRE_SOURCES;
    }
    return WIRE_SOURCES;
}

void wire_hear(struct wire *wire,
               void (*take)(void *user, uint32_t source, uint8_t *data, size_t len), void *user)
{
    static uint8_t bytes[WIRE_BURST][HAIL_PACKET_MAX]; // one thread attacks
    struct mmsghdr headers[WIRE_BURST];
    struct control controls[WIRE_BURST];
    struct sockaddr_in from[WIRE_BURST];
    struct iovec views[WIRE_BURST];
    int got = WIRE_BURST;

    for (int round = 0; round < ROUNDS_MAX && got == WIRE_BURST; round++) {
        for (int i = 0; i < WIRE_BURST; i++) {
            views[i] = (struct iovec){bytes[i], sizeof bytes[i]};
            headers[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
                                                      .msg_namelen = sizeof from[i],
                                                      .msg_iov = &views[i],
                                                      .msg_iovlen = 1,
                                                      .msg_control = &controls[i],
                                                      .msg_controllen = sizeof controls[i]}};
        }
        got = recvmmsg(wire->fd, headers, WIRE_BURST, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            uint32_t source = source_of(&headers[i].msg_hdr);
            if (source == WIRE_SOURCES || from[i].sin_port != wire->server.sin_port ||
                from[i].sin_addr.s_addr != wire->server.sin_addr.s_addr)
                continue;
            wire->datagrams_in++;
            wire->bytes_in += headers[i].msg_len;
            take(user, source, bytes[i], headers[i].msg_len);
        }
    }
}

void wire_count_anew(struct wire *wire)
{
    wire->datagrams_out = 0;
    wire->bytes_out = 0;
    wire->datagrams_in = 0;
    wire->bytes_in = 0;
}
