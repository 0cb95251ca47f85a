// attack_stream.c: see attack_stream.h; and the attacks over TCP.
// SPDX-License-Identifier: MIT
#include "bench/attack_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/attack.h"

enum {
    RESERVED = 512, // descriptors for all else
    SLOW = 1024,    // connections that are kept open
    CLAIMED = 4000  // bytes that a slow one says it will send
};

bool streams_open(struct streams *streams, const struct sockaddr_in *server)
{
    struct rlimit limit;

    *streams = (struct streams){.server = *server};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); // as many as there may be
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * RESERVED) {
        fprintf(stderr, "attack: too few open files are allowed: ulimit -n\n");
        return false;
    }
    streams->room =
        limit.rlim_cur - RESERVED < STREAMS_MAX ? (uint32_t)limit.rlim_cur - RESERVED : STREAMS_MAX;
    streams->fds = malloc(streams->room * sizeof *streams->fds);
    if (!streams->fds)
        abort();
    for (uint32_t i = 0; i < streams->room; i++)
        streams->fds[i] = -1;
    return true;
}

// Resets it, so that the port can be used again at once.
static void drop(struct streams *streams, uint32_t place)
{
    const struct linger at_once = {.l_onoff = 1};

    if (streams->fds[place] < 0)
        return;
    setsockopt(streams->fds[place], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(streams->fds[place]);
    streams->fds[place] = -1;
}

void streams_close(struct streams *streams)
{
    for (uint32_t i = 0; i < streams->room; i++)
        drop(streams, i);
    free(streams->fds);
}

uint32_t streams_connect(struct streams *streams, uint32_t source)
{
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(wire_address(source))};
    uint32_t place = streams->at;
    int yes = 1;

    streams->at = (streams->at + 1) % streams->room;
    drop(streams, place);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return place;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)&from, sizeof from) < 0 ||
        (connect(fd, (const struct sockaddr *)&streams->server, sizeof streams->server) < 0 &&
         errno != EINPROGRESS)) {
        close(fd);
        return place;
    }
    streams->connected++;
    streams->fds[place] = fd;
    return place;
}

void streams_send(struct streams *streams, uint32_t place, const uint8_t *data, size_t len)
{
    ssize_t taken = -1;

    if (streams->fds[place] >= 0)
        taken = send(streams->fds[place], data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    streams->bytes_out += taken > 0 ? (uint64_t)taken : 0;
}

// ---- The attacks

static void put_header(uint8_t header[4], uint32_t len)
{
    for (int i = 0; i < 4; i++)
        header[i] = (uint8_t)(len >> (24 - 8 * i));
}

static void churn(struct attacker *attacker)
{
    streams_connect(&attacker->streams, 0);
}

static void churn_many(struct attacker *attacker)
{
    streams_connect(&attacker->streams, attacker_source(attacker));
}

// A frame that is begun, and goes on by a byte now and then.
static void slow(struct attacker *attacker)
{
    uint8_t header[4];

    put_header(header, CLAIMED);
    if (attacker->shots < SLOW) {
        streams_send(&attacker->streams,
                     streams_connect(&attacker->streams, attacker_source(attacker)), header,
                     sizeof header);
        return;
    }
    streams_send(&attacker->streams, (uint32_t)(attacker->shots % SLOW), header, 1);
}

// Lengths of nothing, of more than there may be, and of the most that a number holds.
static void lies(struct attacker *attacker)
{
    static const uint32_t lengths[] = {0, 1u << 24, UINT32_MAX, INT32_MAX, CLAIMED};
    uint8_t bytes[64];

    hail_random_bytes(&attacker->random, bytes, sizeof bytes);
    put_header(bytes, lengths[attacker->shots % HAIL_COUNTOF(lengths)]);
    streams_send(&attacker->streams, streams_connect(&attacker->streams, attacker_source(attacker)),
                 bytes, sizeof bytes);
}

// Frames that are what they say, of bytes that mean nothing.
static void nonsense(struct attacker *attacker)
{
    uint8_t bytes[4 + 60];

    hail_random_bytes(&attacker->random, bytes, sizeof bytes);
    put_header(bytes, sizeof bytes - 4);
    streams_send(&attacker->streams, streams_connect(&attacker->streams, attacker_source(attacker)),
                 bytes, sizeof bytes);
}

const struct attack attack_streams[] = {
    {"tcp-churn", "connections from one address", ATTACK_BY_STREAM, 0, 10000, churn, NULL},
    {"tcp-churn-many", "connections from 250 addresses", ATTACK_BY_STREAM, 0, 10000, churn_many,
     NULL},
    {"tcp-slow", "a thousand connections that send a byte now and then", ATTACK_BY_STREAM, 0, 10000,
     slow, NULL},
    {"tcp-lies", "frames whose lengths are lies", ATTACK_BY_STREAM, 0, 10000, lies, NULL},
    {"tcp-nonsense", "frames of bytes that mean nothing", ATTACK_BY_STREAM, 0, 10000, nonsense,
     NULL},
};
const size_t attack_stream_count = HAIL_COUNTOF(attack_streams);
