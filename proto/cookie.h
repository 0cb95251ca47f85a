// cookie.h: proof that a client receives what is sent to its address, without a byte kept for it
// (WIRE.md, sections 2.1 and 2.2).
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_COOKIE_H
#define HAIL_PROTO_COOKIE_H

#include "crypto/mac.h"
#include "crypto/random.h"
#include "proto/datagram.h"
#include "proto/path.h"

enum {
    HAIL_COOKIE_LIFE_MS = 10000,
    // A cookie begins with a random word, which all cookies of a period have. Whoever receives
    // nothing cannot know it, and a filter in the kernel can compare it: what fails there is made
    // up. What passes is still to be checked.
    HAIL_COOKIE_PERIOD_MS = 5000,
    HAIL_COOKIE_WORDS = 4, // of the next period, this one and the two before
    // So many periods after a key was drawn the next one is: two minutes. Everything is derived
    // from a key, so what a key could tell it tells of no longer.
    HAIL_COOKIE_KEY_PERIODS = 24
};
_Static_assert(HAIL_COOKIE_LIFE_MS <= (HAIL_COOKIE_WORDS - 2) * HAIL_COOKIE_PERIOD_MS,
               "a good cookie's word is among them");

// The secret that cookies are made with; constant once made, so any thread may use it. hail_wipe.
struct hail_cookie_key {
    struct hail_mac_key mac;
    uint64_t first; // the period from which on it is used
};

// The keys in use. A period has one: the newest one, if that is used already, or the one before.
struct hail_cookie_keys {
    const struct hail_cookie_key *newest;
    const struct hail_cookie_key *before; // while there is but one, that one
};

// hail_cookie_period returns the number of the period that a time is in.
uint64_t hail_cookie_period(uint64_t now_ns);

// hail_cookie_key_init draws a key, to be used from the period `first` on.
void hail_cookie_key_init(struct hail_cookie_key *key, uint64_t first, struct hail_random *random);

// hail_cookie_make writes a cookie for a sender and its token.
void hail_cookie_make(uint8_t cookie[HAIL_COOKIE_LEN], struct hail_cookie_keys keys,
                      const struct hail_path *from, const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                      uint64_t now_ns);

// hail_cookie_check says whether a cookie was made for this sender and token, less than
// HAIL_COOKIE_LIFE_MS ago.
HAIL_MUST_USE bool hail_cookie_check(const uint8_t cookie[HAIL_COOKIE_LEN],
                                     struct hail_cookie_keys keys, const struct hail_path *from,
                                     const uint8_t token[HAIL_CLIENT_TOKEN_LEN], uint64_t now_ns);

// hail_cookie_word returns the word of a cookie: its first four bytes, as a number in network
// order. hail_cookie_words writes those that a good cookie may have, now and until the end of the
// next period.
uint32_t hail_cookie_word(const uint8_t cookie[HAIL_COOKIE_LEN]);
void hail_cookie_words(uint32_t words[HAIL_COOKIE_WORDS], struct hail_cookie_keys keys,
                       uint64_t now_ns);

#endif
