// cookie.c: a cookie is the time it was made at, in milliseconds, and a MAC over that time, the
// sender and its token.
// SPDX-License-Identifier: MIT
#include "proto/cookie.h"

#include <string.h>

#include "crypto/secret.h"

enum {
    TIME_LEN = 8,
    INPUT_LEN = TIME_LEN + HAIL_ADDRESS_KEY_LEN + HAIL_CLIENT_TOKEN_LEN
};
_Static_assert(HAIL_COOKIE_LEN - TIME_LEN == 16, "half of an HMAC-SHA256");

void hail_cookie_key_init(struct hail_cookie_key *key, struct hail_random *random)
{
    uint8_t secret[32];

    hail_random_bytes(random, secret, sizeof secret);
    hail_mac_key_init(&key->mac, secret, sizeof secret);
    hail_wipe(secret, sizeof secret);
}

static void make_at(uint8_t cookie[HAIL_COOKIE_LEN], const struct hail_cookie_key *key,
                    const struct hail_address *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                    uint64_t ms)
{
    uint8_t input[INPUT_LEN];
    uint8_t mac[HAIL_MAC_LEN];

    for (int i = 0; i < TIME_LEN; i++)
        input[i] = (uint8_t)(ms >> (56 - 8 * i));
    hail_address_key(input + TIME_LEN, from);
    memcpy(input + TIME_LEN + HAIL_ADDRESS_KEY_LEN, token, HAIL_CLIENT_TOKEN_LEN);
    hail_mac_sha256(&key->mac, mac, input, sizeof input);
    memcpy(cookie, input, TIME_LEN);
    memcpy(cookie + TIME_LEN, mac, HAIL_COOKIE_LEN - TIME_LEN);
}

void hail_cookie_make(uint8_t cookie[HAIL_COOKIE_LEN], const struct hail_cookie_key *key,
                      const struct hail_address *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                      uint64_t now_ns)
{
    make_at(cookie, key, from, token, now_ns / 1000000);
}

bool hail_cookie_check(const uint8_t cookie[HAIL_COOKIE_LEN], const struct hail_cookie_key *key,
                       const struct hail_address *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                       uint64_t now_ns)
{
    uint8_t own[HAIL_COOKIE_LEN];
    uint64_t now_ms = now_ns / 1000000;
    uint64_t made_ms = 0;

    for (int i = 0; i < TIME_LEN; i++)
        made_ms = made_ms << 8 | cookie[i];
    if (made_ms > now_ms || now_ms - made_ms >= HAIL_COOKIE_LIFE_MS)
        return false;
    make_at(own, key, from, token, made_ms);
    return hail_equal(own, cookie, sizeof own);
}
