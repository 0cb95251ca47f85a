// cookie.c: a cookie is its period's word, the low half of the time it was made at, in
// milliseconds, and a MAC over the word, the time, the sender and its token.
// SPDX-License-Identifier: MIT
#include "proto/cookie.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/secret.h"
#include "crypto/time.h"

enum {
    WORD_LEN = 4,
    HALF_LEN = 4, // of the time; a cookie lives for less than what that can tell apart
    TIME_LEN = 8,
    MAC_AT = WORD_LEN + HALF_LEN,
    INPUT_LEN = WORD_LEN + TIME_LEN + HAIL_PATH_KEY_LEN + HAIL_CLIENT_TOKEN_LEN
};
_Static_assert(HAIL_COOKIE_LEN - MAC_AT == 16, "half of an HMAC-SHA256");

uint64_t hail_cookie_period(uint64_t now_ns)
{
    return now_ns / (HAIL_COOKIE_PERIOD_MS * HAIL_NS_PER_MS);
}

void hail_cookie_key_init(struct hail_cookie_key *key, uint64_t first, struct hail_random *random)
{
    uint8_t secret[32];

    hail_random_bytes(random, secret, sizeof secret);
    hail_mac_key_init(&key->mac, secret, sizeof secret);
    key->first = first;
    hail_wipe(secret, sizeof secret);
}

static const struct hail_mac_key *key_of(struct hail_cookie_keys keys, uint64_t period)
{
    return period >= keys.newest->first ? &keys.newest->mac : &keys.before->mac;
}

static void word_of(uint8_t word[WORD_LEN], struct hail_cookie_keys keys, uint64_t period)
{
    static const uint8_t label[] = "hail cookie word";
    uint8_t input[sizeof label + TIME_LEN];
    uint8_t mac[HAIL_MAC_LEN];

    memcpy(input, label, sizeof label);
    hail_put_be(input + sizeof label, period, TIME_LEN);
    hail_mac_sha256(key_of(keys, period), mac, input, sizeof input);
    memcpy(word, mac, WORD_LEN);
}

// Writes the cookie of a moment, whose word is there.
static void make_at(uint8_t cookie[HAIL_COOKIE_LEN], struct hail_cookie_keys keys,
                    const struct hail_path *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                    uint64_t ms)
{
    uint8_t input[INPUT_LEN];
    uint8_t mac[HAIL_MAC_LEN];
    uint8_t *at = input;

    memcpy(at, cookie, WORD_LEN);
    at += WORD_LEN;
    hail_put_be(at, ms, TIME_LEN);
    memcpy(cookie + WORD_LEN, at + TIME_LEN - HALF_LEN, HALF_LEN);
    at += TIME_LEN;
    hail_path_key(at, from);
    memcpy(at + HAIL_PATH_KEY_LEN, token, HAIL_CLIENT_TOKEN_LEN);
    hail_mac_sha256(key_of(keys, ms / HAIL_COOKIE_PERIOD_MS), mac, input, sizeof input);
    memcpy(cookie + MAC_AT, mac, HAIL_COOKIE_LEN - MAC_AT);
}

void hail_cookie_make(uint8_t cookie[HAIL_COOKIE_LEN], struct hail_cookie_keys keys,
                      const struct hail_path *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                      uint64_t now_ns)
{
    word_of(cookie, keys, hail_cookie_period(now_ns));
    make_at(cookie, keys, from, token, now_ns / HAIL_NS_PER_MS);
}

bool hail_cookie_check(const uint8_t cookie[HAIL_COOKIE_LEN], struct hail_cookie_keys keys,
                       const struct hail_path *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                       uint64_t now_ns)
{
    uint8_t own[HAIL_COOKIE_LEN];
    uint64_t now_ms = now_ns / HAIL_NS_PER_MS;
    uint32_t age_ms = (uint32_t)now_ms - (uint32_t)hail_get_be(cookie + WORD_LEN, HALF_LEN);

    if (age_ms >= HAIL_COOKIE_LIFE_MS || age_ms > now_ms)
        return false;
    memcpy(own, cookie, WORD_LEN); // the MAC says whether it is right
    make_at(own, keys, from, token, now_ms - age_ms);
    return hail_equal(own, cookie, sizeof own);
}

uint32_t hail_cookie_word(const uint8_t cookie[HAIL_COOKIE_LEN])
{
    return (uint32_t)hail_get_be(cookie, HALF_LEN);
}

void hail_cookie_words(uint32_t words[HAIL_COOKIE_WORDS], struct hail_cookie_keys keys,
                       uint64_t now_ns)
{
    uint64_t period = hail_cookie_period(now_ns) + 1;
    uint8_t word[WORD_LEN];

    for (uint32_t age = 0; age < HAIL_COOKIE_WORDS; age++) {
        word_of(word, keys, period > age ? period - age : 0);
        words[age] = (uint32_t)hail_get_be(word, HALF_LEN);
    }
}
