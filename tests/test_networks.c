// test_networks.c: lists of networks: what is one, and which addresses are in it, against a slow
// model.
// SPDX-License-Identifier: MIT
#include "proto/prefixes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "tests/vectors.h"

static const struct {
    const char *text;
    bool good;
    const char *why;
} texts[] = {
    {"192.0.2.0/24", true, "a network"},
    {"192.0.2.7", true, "an address"},
    {"192.0.2.7/32", true, "the same"},
    {"0.0.0.0/0", true, "all of IPv4"},
    {"2001:db8::/32", true, "IPv6"},
    {"2001:db8::1", true, "an IPv6 address"},
    {"::/0", true, "everybody"},
    {"192.0.2.7/24", false, "bits behind the length: which of the two is meant?"},
    {"2001:db8::1/32", false, "likewise"},
    {"192.0.2.0/33", false, "longer than an address"},
    {"2001:db8::/129", false, "likewise"},
    {"192.0.2.0/", false, "no length"},
    {"192.0.2.0/-1", false, "a negative one"},
    {"192.0.2.0/24x", false, "a tail"},
    {"192.0.2/24", false, "a part of an address"},
    {"example.net", false, "a name"},
    {"/24", false, "no address"},
    {"", false, "nothing"},
};

START_TEST(test_text)
{
    struct hail_prefixes prefixes = {0};

    ck_assert_msg(hail_prefixes_add(&prefixes, texts[_i].text) == texts[_i].good, "%s",
                  texts[_i].why);
    ck_assert_uint_eq(prefixes.count, texts[_i].good);
}
END_TEST

static struct hail_path path_to(const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct hail_path path;

    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
        hail_path_set(&path, (const struct sockaddr *)&v4);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
        hail_path_set(&path, (const struct sockaddr *)&v6);
    }
    return path;
}

static const struct {
    const char *network;
    const char *address;
    bool in;
} members[] = {
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.0/24", "::ffff:192.0.2.1", true}, // as a socket for both sees it
    {"192.0.2.0/23", "192.0.3.255", true},
    {"192.0.2.0/31", "192.0.2.2", false},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"0.0.0.0/0", "203.0.113.1", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"2001:db8::/32", "2001:db8:ffff::", true},
    {"2001:db8::/32", "2001:db9::", false},
    {"::/0", "2001:db8::1", true},
};

START_TEST(test_member)
{
    struct hail_prefixes prefixes = {0};
    const struct hail_path path = path_to(members[_i].address);

    ck_assert(!hail_prefixes_has(&prefixes, &path));
    ck_assert(hail_prefixes_add(&prefixes, members[_i].network));
    ck_assert_msg(hail_prefixes_has(&prefixes, &path) == members[_i].in, "%s in %s",
                  members[_i].address, members[_i].network);
}
END_TEST

START_TEST(test_model)
{
    uint64_t dice = test_seed();

    for (int round = 0; round < 20000; round++) {
        uint32_t address = (uint32_t)test_next(&dice);
        unsigned length = (unsigned)(test_next(&dice) % 33);
        uint32_t mask = length == 0 ? 0 : UINT32_MAX << (32 - length);
        uint32_t network = (uint32_t)(test_next(&dice) & 1 ? address : test_next(&dice)) & mask;
        struct hail_prefixes prefixes = {0};
        char text[32];

        snprintf(text, sizeof text, "%u.%u.%u.%u/%u", network >> 24, network >> 16 & 255,
                 network >> 8 & 255, network & 255, length);
        ck_assert_msg(hail_prefixes_add(&prefixes, text), "%s", text);
        const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
        struct hail_path path;
        hail_path_set(&path, (const struct sockaddr *)&v4);
        ck_assert_int_eq(hail_prefixes_has(&prefixes, &path), (address & mask) == network);
    }
}
END_TEST

START_TEST(test_full)
{
    struct hail_prefixes prefixes = {0};

    for (int i = 0; i < HAIL_PREFIXES_MAX; i++)
        ck_assert(hail_prefixes_add(&prefixes, "192.0.2.1"));
    ck_assert(!hail_prefixes_add(&prefixes, "192.0.2.1"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("networks");
    TCase *tests = tcase_create("networks");

    tcase_add_loop_test(tests, test_text, 0, sizeof texts / sizeof *texts);
    tcase_add_loop_test(tests, test_member, 0, sizeof members / sizeof *members);
    tcase_add_test(tests, test_model);
    tcase_add_test(tests, test_full);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
