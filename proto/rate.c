// rate.c: see rate.h.
// SPDX-License-Identifier: MIT
#include "proto/rate.h"
#include "crypto/time.h"

uint64_t hail_rate_open_ns(const struct hail_rate *rate, uint64_t burst_ns)
{
    return rate->paid_ns > burst_ns ? rate->paid_ns - burst_ns : 0;
}

void hail_rate_passed(struct hail_rate *rate, size_t len, uint32_t per_s, uint64_t now_ns)
{
    uint64_t from_ns = rate->paid_ns > now_ns ? rate->paid_ns : now_ns;

    rate->paid_ns = from_ns + (uint64_t)len * HAIL_NS_PER_S / per_s;
}
