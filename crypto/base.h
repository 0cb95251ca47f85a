// base.h: the few words that every layer shares.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_BASE_H
#define HAIL_CRYPTO_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// HAIL_ASSERT states what must be true if this program is right. It stays on in release builds:
// a broken invariant in a server that holds keys is worse than a restart. It is never used on
// anything a peer or a caller's file can decide; those are checked and answered.
#define HAIL_ASSERT(cond) ((cond) ? (void)0 : hail_assert_failed(#cond, __FILE__, __LINE__))

// HAIL_ASSERT_SLOW is for what costs more to check than the code that it guards. It is on where the
// sanitizers are.
#ifdef HAIL_SLOW_CHECKS
#define HAIL_ASSERT_SLOW(cond) HAIL_ASSERT(cond)
#else
#define HAIL_ASSERT_SLOW(cond) ((void)sizeof(cond))
#endif

// HAIL_UNREACHABLE marks a branch that a correct program never takes, and says why.
#define HAIL_UNREACHABLE(why) hail_assert_failed("unreachable: " why, __FILE__, __LINE__)

#define HAIL_MUST_USE          __attribute__((warn_unused_result))
#define HAIL_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#define HAIL_COUNTOF(a)        (sizeof(a) / sizeof((a)[0]))
#define HAIL_CACHE_LINE        64

_Noreturn void hail_assert_failed(const char *cond, const char *file, int line);

// A string of bytes that somebody else owns.
struct hail_bytes {
    const uint8_t *data;
    size_t len;
};

#endif
