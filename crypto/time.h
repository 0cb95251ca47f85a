// time.h: what the units of time are worth in nanoseconds, in which all clocks here count.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_TIME_H
#define HAIL_CRYPTO_TIME_H

#include <stdint.h>
#include <time.h>

#define HAIL_NS_PER_US UINT64_C(1000)
#define HAIL_NS_PER_MS UINT64_C(1000000)
#define HAIL_NS_PER_S  UINT64_C(1000000000)

// hail_time_ns returns a reading of one of the system's clocks, which is never negative.
static inline uint64_t hail_time_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * HAIL_NS_PER_S + (uint64_t)time->tv_nsec;
}

#endif
