// test_socket.c: what the kernel is told to throw away of a flood is thrown away, and nothing else;
// and it is let go again, whatever the kernel refuses.
// SPDX-License-Identifier: MIT
#include "engine/io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include "proto/datagram.h"
#include "tests/vectors.h"

#define ALL HAIL_ADMISSION_ALL

// Each kind of datagram has a letter: h hello; 0 to 3 hello with a cookie that has this word; x, y
// with another word; f finish; p packet.
static const char kinds[] = "h0123xyfp";
static const uint32_t words[HAIL_COOKIE_WORDS] = {1, 0xfffffffe, 0x80000000, 0x01020304};

static const struct {
    const char *why;
    uint32_t lots[HAIL_ADMISSION_CLASSES];
    const char *comes;
} filters[] = {
    {"nothing is thrown away", {ALL, ALL, ALL}, "h0123xyfp"},
    {"hellos without a cookie", {0, ALL, ALL}, "0123xyfp"},
    {"hellos with a word of ours", {ALL, 0, ALL}, "hxyfp"},
    {"made-up cookies", {ALL, ALL, 0}, "h0123fp"},
    {"all but a word of ours", {0, ALL, 0}, "0123fp"},
    {"all hellos", {0, 0, 0}, "fp"},
};

// Which of the system's calls fails: a socket option, 0 none. See --wrap in tests/engine.cmake.
static int refused_option;

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len);

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    if (level == SOL_SOCKET && refused_option != 0 && option == refused_option) {
        errno = EPERM;
        return -1;
    }
    return __real_setsockopt(fd, level, option, value, len);
}

int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);

static int busy_binds; // that are refused before one is not

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    if (busy_binds-- > 0) {
        errno = EADDRINUSE;
        return -1;
    }
    return __real_bind(fd, address, len);
}

static size_t make(uint8_t datagram[HAIL_DATAGRAM_MAX], char kind)
{
    uint32_t word = kind >= '0' && kind <= '3' ? words[kind - '0'] : kind == 'x' ? 0 : 0x04030201;

    memset(datagram, 0, HAIL_DATAGRAM_MAX);
    datagram[0] = kind == 'f' ? HAIL_DATAGRAM_FINISH : kind == 'p' ? 0xc0 : HAIL_DATAGRAM_HELLO;
    if (kind != 'h') { // in a finish and a packet it means nothing
        datagram[HAIL_HELLO_COOKIE_LEN_AT] = HAIL_COOKIE_LEN;
        for (int i = 0; i < 4; i++)
            datagram[HAIL_HELLO_COOKIE_LEN_AT + 1 + i] = (uint8_t)(word >> (24 - 8 * i));
    }
    datagram[HAIL_DATAGRAM_MAX - 1] = (uint8_t)kind; // to tell them apart by
    return HAIL_DATAGRAM_MAX;
}

static void expect(int server, int client, const char *comes, const char *why)
{
    uint8_t datagram[HAIL_DATAGRAM_MAX];
    char came[sizeof kinds] = "";
    uint32_t drops = hail_socket_drops(server);

    for (const char *kind = kinds; *kind; kind++) {
        size_t len = make(datagram, *kind);
        ck_assert_int_eq(send(client, datagram, len, 0), (ssize_t)len);
    }
    // Over loopback a datagram has come, or been thrown away, when its send returns.
    for (size_t i = 0; i + 1 < sizeof came; i++) {
        if (recv(server, datagram, sizeof datagram, MSG_DONTWAIT) < 0)
            break;
        came[i] = (char)datagram[HAIL_DATAGRAM_MAX - 1];
    }
    ck_assert_msg(strcmp(came, comes) == 0, "%s: %s came instead of %s", why, came, comes);
    ck_assert_msg(hail_socket_drops(server) - drops == strlen(kinds) - strlen(comes),
                  "%s: what was thrown away is counted", why);
}

static void open_both(int *server, int *client)
{
    static const struct hail_log silent;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct hail_listen at = {.address_len = sizeof here};

    memcpy(&at.address, &here, sizeof here);
    *server = hail_socket_bind(&at, true, &silent);
    ck_assert_int_ge(*server, 0);
    memcpy(&here, &at.address, sizeof here);
    *client = hail_socket_connecting((const struct sockaddr *)&here, SOCK_DGRAM);
    ck_assert_int_ge(*client, 0);
    ck_assert_int_eq(connect(*client, (const struct sockaddr *)&here, sizeof here), 0);
}

static int tell(int fd, const uint32_t lots[HAIL_ADMISSION_CLASSES])
{
    struct hail_admission_filter filter;

    memcpy(filter.lots, lots, sizeof filter.lots);
    memcpy(filter.words, words, sizeof filter.words);
    return hail_socket_filter(fd, &filter);
}

START_TEST(test_filter)
{
    int server;
    int client;

    open_both(&server, &client);
    ck_assert_int_eq(tell(server, filters[_i].lots), 0);
    expect(server, client, filters[_i].comes, filters[_i].why);
    ck_assert_int_eq(tell(server, filters[0].lots), 0);
    expect(server, client, kinds, "the flood is over");
    close(client);
    close(server);
}
END_TEST

// What the kernel refuses when it is to throw away less.
static const struct {
    const char *why;
    int option;
    uint32_t lots[HAIL_ADMISSION_CLASSES];
    int result;
    const char *comes;
} refusals[] = {
    {"to let go of a filter", SO_DETACH_FILTER, {ALL, ALL, ALL}, 0, kinds},
    {"another filter", SO_ATTACH_FILTER, {ALL, ALL, 0}, -EPERM, kinds},
    {"another filter, when there is to be none", SO_ATTACH_FILTER, {ALL, ALL, ALL}, 0, kinds},
};

START_TEST(test_refusal)
{
    int server;
    int client;

    open_both(&server, &client);
    ck_assert_int_eq(tell(server, (const uint32_t[HAIL_ADMISSION_CLASSES]){0}), 0);
    expect(server, client, "fp", "a flood");
    refused_option = refusals[_i].option;
    ck_assert_int_eq(tell(server, refusals[_i].lots), refusals[_i].result);
    refused_option = 0;
    expect(server, client, refusals[_i].comes, refusals[_i].why);
    ck_assert_int_eq(tell(server, filters[3].lots), 0);
    expect(server, client, filters[3].comes, "and it goes on");
    close(client);
    close(server);
}
END_TEST

static char logged[512];

static void on_log(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    (void)level;
    snprintf(logged, sizeof logged, "%s", line);
}

static const struct {
    const char *why;
    int busy;
    bool streams;
    bool binds;
} crowds[] = {
    {"the kernel still closes a killed server's socket", 3, false, true},
    {"of a TCP server's as well", 3, true, true},
    {"somebody has it for good", 1 << 20, false, false},
    {"likewise, over TCP", 1 << 20, true, false},
};

START_TEST(test_busy)
{
    const struct hail_log log = {on_log, NULL};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct hail_listen at = {.address_len = sizeof any, .shard_count = 1, .salt = 1};

    memcpy(&at.address, &any, sizeof any);
    busy_binds = crowds[_i].busy;
    int fd = (crowds[_i].streams ? hail_socket_listen : hail_socket_bind)(&at, true, &log);
    busy_binds = 0;
    ck_assert_msg((fd >= 0) == crowds[_i].binds, "%s", crowds[_i].why);
    if (fd >= 0)
        close(fd);
    else
        ck_assert_msg(strstr(logged, "another process has the port, for a second now") != NULL,
                      "%s", logged);
}
END_TEST

static int bound_to(uint16_t port, bool shares)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    int on = shares;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    if (__real_bind(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static size_t waiting(int fd)
{
    uint8_t datagram[HAIL_DATAGRAM_MAX];
    size_t count = 0;

    while (recv(fd, datagram, sizeof datagram, MSG_DONTWAIT) > 0)
        count++;
    return count;
}

// A stranger's socket, of the same user, cannot be bound to the port of one shard; to the port of
// several it can, and gets nothing of what comes there: each hello goes to one of them, the same
// one when it is sent again, and a packet to the shard of its name.
START_TEST(test_strangers_socket)
{
    enum {
        SHARDS = 3,
        HELLOS = 300
    };
    const struct hail_log log = {on_log, NULL};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct hail_listen at = {
        .address_len = sizeof any, .shard_count = (uint16_t)_i, .salt = 0x9e3779b1};
    int fds[SHARDS];
    size_t got[SHARDS];
    uint64_t dice = test_seed();

    memcpy(&at.address, &any, sizeof any);
    for (int i = 0; i < _i; i++) {
        fds[i] = hail_socket_bind(&at, i == 0, &log);
        ck_assert_int_ge(fds[i], 0);
    }
    const struct sockaddr_in *bound = (const struct sockaddr_in *)&at.address;
    int stranger = bound_to(bound->sin_port, true);
    ck_assert_int_eq(stranger >= 0, _i > 1);
    int client = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)bound, sizeof *bound), 0);
    for (int i = 0; i < HELLOS; i++) {
        uint8_t hello[HAIL_DATAGRAM_MAX];
        make(hello, 'h');
        for (size_t at_byte = 4; at_byte < 12; at_byte++)
            hello[at_byte] = (uint8_t)test_next(&dice);
        for (int again = 0; again < 2; again++)
            ck_assert_int_eq(send(client, hello, sizeof hello, 0), (ssize_t)sizeof hello);
        uint8_t packet[40] = {0xc0, (uint8_t)test_next(&dice)};
        ck_assert_int_eq(send(client, packet, sizeof packet, 0), (ssize_t)sizeof packet);
        size_t packets = 0;
        size_t hellos = 0;
        for (int s = 0; s < _i; s++) {
            got[s] = waiting(fds[s]);
            packets += got[s];
            hellos += got[s] >= 2; // both to one
        }
        ck_assert_uint_eq(packets, 3);
        ck_assert_uint_eq(hellos, 1);
    }
    if (stranger >= 0) {
        ck_assert_uint_eq(waiting(stranger), 0);
        close(stranger);
    }
    for (int i = 0; i < _i; i++)
        close(fds[i]);
    close(client);
}
END_TEST

static int option_of(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof value;

    ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

// A client's socket takes what the kernel has joined, and has more room than a socket as it comes,
// where the system gives it: by privilege or by net.core.rmem_max.
START_TEST(test_client)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int plain = socket(AF_INET, SOCK_DGRAM, 0);

    refused_option = _i ? SO_RCVBUFFORCE : 0;
    int fd = hail_socket_connecting((const struct sockaddr *)&to, SOCK_DGRAM);
    refused_option = 0;
    ck_assert_int_ge(plain, 0);
    ck_assert_int_ge(fd, 0);
    int asked = 2 << 20;
    bool may =
        setsockopt(plain, SOL_SOCKET, _i ? SO_RCVBUF : SO_RCVBUFFORCE, &asked, sizeof asked) == 0;
    ck_assert_int_eq(option_of(fd, IPPROTO_UDP, UDP_GRO), 1);
    if (may)
        ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_RCVBUF),
                         option_of(plain, SOL_SOCKET, SO_RCVBUF));
    close(fd);
    close(plain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("socket");
    TCase *tests = tcase_create("socket");

    tcase_add_loop_test(tests, test_filter, 0, sizeof filters / sizeof filters[0]);
    tcase_add_loop_test(tests, test_refusal, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_loop_test(tests, test_client, 0, 2);
    tcase_add_loop_test(tests, test_busy, 0, sizeof crowds / sizeof crowds[0]);
    tcase_add_loop_test(tests, test_strangers_socket, 1, 4);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
