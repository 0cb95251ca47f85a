// fuzz_cookie.c: a cookie that somebody shows, whose address and token are his choice as well.
// SPDX-License-Identifier: MIT
//
// An input is a cookie (24 bytes), the token (8), the age at which it is shown in ms (3), whether
// the address is IPv4, and its port (2) and address (4 or 16); what is missing is zeros.
//
// Holds  a cookie that the server did not make is never good; one that he made is, as long as it
//        should be; with any bit of it or of its token or port changed, or with another server's
//        secret, it is not.
// Seeds  made by tests/fuzz/make_handshake_seeds.
#include "crypto/time.h"
#include "proto/cookie.h"
#include "tests/fuzz/fuzz.h"

enum {
    INPUT_LEN = HAIL_COOKIE_LEN + HAIL_CLIENT_TOKEN_LEN + 3 + 1 + 2 + 16
};

static const uint64_t made_ns = 1000000000000;

static void address_from(struct hail_path *address, const uint8_t *bytes)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};

    memcpy(&v6.sin6_port, bytes + 1, 2);
    memcpy(&v4.sin_port, bytes + 1, 2);
    memcpy(&v6.sin6_addr, bytes + 3, 16);
    memcpy(&v4.sin_addr, bytes + 3, 4);
    hail_path_set(address, bytes[0] % 2 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t input[INPUT_LEN] = {0};
    uint8_t cookie[HAIL_COOKIE_LEN];
    const uint8_t *shown = input;
    uint8_t *token = input + HAIL_COOKIE_LEN;
    uint8_t *rest = token + HAIL_CLIENT_TOKEN_LEN;
    struct hail_cookie_key secrets[2];
    const struct hail_cookie_keys keys[2] = {{&secrets[0], &secrets[0]},
                                             {&secrets[1], &secrets[1]}};
    struct hail_path from;
    struct hail_random dice;

    if (size > 0)
        memcpy(input, data, size < sizeof input ? size : sizeof input);
    hail_random_init_seeded(&dice, 1);
    hail_cookie_key_init(&secrets[0], 0, &dice);
    hail_cookie_key_init(&secrets[1], 0, &dice);
    uint64_t age_ms = (uint64_t)(rest[0] << 16 | rest[1] << 8 | rest[2]);
    uint64_t now_ns = made_ns + age_ms * HAIL_NS_PER_MS;
    address_from(&from, rest + 3);

    hail_cookie_make(cookie, keys[0], &from, token, made_ns);
    bool is_own = memcmp(cookie, shown, sizeof cookie) == 0;
    fuzz_holds(!hail_cookie_check(shown, keys[0], &from, token, now_ns) || is_own);
    bool good = hail_cookie_check(cookie, keys[0], &from, token, now_ns);
    fuzz_holds(good == (age_ms < HAIL_COOKIE_LIFE_MS));
    fuzz_holds(!hail_cookie_check(cookie, keys[0], &from, token, made_ns - HAIL_NS_PER_MS));
    fuzz_holds(!hail_cookie_check(cookie, keys[1], &from, token, made_ns));
    cookie[shown[0] % sizeof cookie] ^= (uint8_t)(1 << shown[1] % 8);
    fuzz_holds(!hail_cookie_check(cookie, keys[0], &from, token, now_ns));
    cookie[shown[0] % sizeof cookie] ^= (uint8_t)(1 << shown[1] % 8);
    token[shown[2] % HAIL_CLIENT_TOKEN_LEN] ^= (uint8_t)(1 << shown[3] % 8);
    fuzz_holds(!hail_cookie_check(cookie, keys[0], &from, token, made_ns));
    token[shown[2] % HAIL_CLIENT_TOKEN_LEN] ^= (uint8_t)(1 << shown[3] % 8);
    rest[4] ^= (uint8_t)(1 << shown[4] % 8);
    address_from(&from, rest + 3);
    fuzz_holds(!hail_cookie_check(cookie, keys[0], &from, token, made_ns));
    return 0;
}
