// flood.c: hellos that lead nowhere, at a rate, from many addresses of the loopback network: what a
// server of the hail profile has to bear while others play.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crypto/random.h"
#include "proto/datagram.h"
#include "proto/noise.h"
#include "proto/policy.h"

enum {
    EXIT_USAGE = 2,
    SOURCES = 250, // each an address of its own
    BURST = 64
};

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void open_sources(int fds[SOURCES], uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (uint32_t i = 0; i < SOURCES; i++) {
        const struct sockaddr_in from = {.sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(0x7f070002 + 256 * i)};
        int least = 1; // of what is answered nothing is read: let the kernel drop it early
        fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fds[i] < 0 || bind(fds[i], (const struct sockaddr *)&from, sizeof from) < 0 ||
            connect(fds[i], (const struct sockaddr *)&to, sizeof to) < 0 ||
            setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &least, sizeof least) < 0) {
            fprintf(stderr, "flood: socket: %s\n", strerror(errno));
            exit(EXIT_FAILURE);
        }
    }
}

// A hello of a server without a certificate and without names, as hail-load sends it.
static void make_hello(struct hail_hello *hello, struct hail_random *random)
{
    static struct hail_policy policy; // large
    uint8_t hash[HAIL_POLICY_HASH_LEN];

    policy.takes_unknown = true;
    hail_policy_hash(&policy, hash);
    *hello = (struct hail_hello){.version = HAIL_WIRE_VERSION, .pattern = HAIL_NOISE_NN};
    memcpy(hello->policy_hash, hash, sizeof hello->policy_hash);
    hail_random_bytes(random, hello->noise, HAIL_X25519_LEN);
}

// Each hello is another client's; a made-up cookie is made up anew.
static size_t make_one(uint8_t datagram[HAIL_HELLO_LEN], struct hail_hello *hello,
                       struct hail_random *random)
{
    hail_random_bytes(random, hello->token, sizeof hello->token);
    if (hello->has_cookie)
        hail_random_bytes(random, hello->cookie, sizeof hello->cookie);
    return hail_hello_encode(datagram, hello);
}

static uint64_t flood(const int fds[SOURCES], uint32_t rate, double seconds, bool cookies)
{
    uint8_t datagrams[BURST][HAIL_HELLO_LEN];
    struct iovec views[BURST];
    struct mmsghdr headers[BURST] = {0};
    struct hail_random random;
    struct hail_hello hello;
    uint64_t begin_ns = clock_ns();
    uint64_t sent = 0;
    uint32_t source = 0;

    hail_random_init_system(&random);
    make_hello(&hello, &random);
    hello.has_cookie = cookies;
    while ((double)(clock_ns() - begin_ns) < seconds * 1e9) {
        uint64_t due = (uint64_t)((double)(clock_ns() - begin_ns) / 1e9 * rate);
        if (due < sent + BURST) {
            usleep(100);
            continue;
        }
        for (int i = 0; i < BURST; i++) {
            views[i] = (struct iovec){datagrams[i], make_one(datagrams[i], &hello, &random)};
            headers[i].msg_hdr = (struct msghdr){.msg_iov = &views[i], .msg_iovlen = 1};
        }
        int taken = sendmmsg(fds[source], headers, BURST, 0);
        sent += taken > 0 ? (uint64_t)taken : BURST;
        source = (source + 1) % SOURCES;
    }
    return sent;
}

int main(int argc, char **argv)
{
    static const char usage[] =
        "usage: flood --port N [--rate N] [--duration SECONDS] [--cookies]\n"
        "Sends hellos to a server of the hail profile on 127.0.0.1 whose exchange is unsigned and\n"
        "which has no floors, from 250 addresses, and prints how many; with cookies that are made "
        "up.\n"
        "example: flood --port 7777 --rate 100000 --duration 5\n";
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},     {"rate", required_argument, NULL, 'r'},
        {"duration", required_argument, NULL, 'd'}, {"cookies", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},           {0},
    };
    int fds[SOURCES];
    long port = 0;
    long rate = 100000;
    double seconds = 5;
    bool cookies = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            port = strtol(optarg, NULL, 10);
        else if (option == 'r')
            rate = strtol(optarg, NULL, 10);
        else if (option == 'd')
            seconds = strtod(optarg, NULL);
        else if (option == 'c')
            cookies = true;
        else
            port = -1;
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
    }
    if (port <= 0 || port > 65535 || rate <= 0 || rate > 10000000 || seconds <= 0 ||
        seconds > 3600) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    open_sources(fds, (uint16_t)port);
    uint64_t sent = flood(fds, (uint32_t)rate, seconds, cookies);
    printf("{\"hellos\": %llu, \"per_second\": %.0f}\n", (unsigned long long)sent,
           (double)sent / seconds);
    return EXIT_SUCCESS;
}
