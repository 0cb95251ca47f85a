// test_socket.c: what the kernel is told to throw away of a flood is thrown away, and nothing else.
// SPDX-License-Identifier: MIT
#include "engine/socket.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "proto/datagram.h"
#include "tests/vectors.h"

#define ALL UINT32_MAX

static const struct {
    const char *why;
    uint32_t hellos;
    uint32_t cookies;
    const char *comes; // of: h hello, c hello with a cookie, f finish, p packet
} filters[] = {
    {"nothing is thrown away", ALL, ALL, "hcfp"},
    {"hellos without a cookie", 0, ALL, "cfp"},
    {"hellos with a cookie", ALL, 0, "hfp"},
    {"all hellos", 0, 0, "fp"},
};

static size_t make(uint8_t datagram[HAIL_DATAGRAM_MAX], char kind)
{
    memset(datagram, 0, HAIL_DATAGRAM_MAX);
    datagram[0] = kind == 'f' ? HAIL_DATAGRAM_FINISH : kind == 'p' ? 0xc0 : HAIL_DATAGRAM_HELLO;
    if (kind == 'c')
        datagram[HAIL_HELLO_COOKIE_LEN_AT] = HAIL_COOKIE_LEN;
    datagram[HAIL_DATAGRAM_MAX - 1] = (uint8_t)kind; // to tell them apart by
    return HAIL_DATAGRAM_MAX;
}

static void expect(int server, int client, const char *comes, const char *why)
{
    uint8_t datagram[HAIL_DATAGRAM_MAX];
    char came[8] = "";

    for (const char *kind = "hcfp"; *kind; kind++) {
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
}

START_TEST(test_shed)
{
    static const struct hail_log silent;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct hail_listen at = {.address_len = sizeof here};

    memcpy(&at.address, &here, sizeof here);
    int server = hail_socket_bind(&at, true, &silent);
    ck_assert_int_ge(server, 0);
    memcpy(&here, &at.address, sizeof here);
    int client = hail_socket_connecting((const struct sockaddr *)&here, SOCK_DGRAM);
    ck_assert_int_ge(client, 0);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&here, sizeof here), 0);
    hail_socket_shed(server, filters[_i].hellos, filters[_i].cookies);
    expect(server, client, filters[_i].comes, filters[_i].why);
    hail_socket_shed(server, ALL, ALL);
    expect(server, client, "hcfp", "the flood is over");
    close(client);
    close(server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("socket");
    TCase *tests = tcase_create("socket");

    tcase_add_loop_test(tests, test_shed, 0, sizeof filters / sizeof filters[0]);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
