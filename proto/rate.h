// rate.h: how many bytes a second may pass: a token bucket for one connection and direction.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_RATE_H
#define HAIL_PROTO_RATE_H

#include "crypto/base.h"

// What has passed is paid for by time: nothing has to be refilled. Zero: nothing has passed yet.
struct hail_rate {
    uint64_t paid_ns; // when what has passed will be paid for; in the past: it is
};

// hail_rate_open_ns returns when more may pass, of which `burst_ns` worth may at once: not after
// `now_ns` if it may now.
uint64_t hail_rate_open_ns(const struct hail_rate *rate, uint64_t burst_ns);

// hail_rate_passed takes note that `len` bytes have passed, at a rate of `per_s`, which is not 0.
void hail_rate_passed(struct hail_rate *rate, size_t len, uint32_t per_s, uint64_t now_ns);

#endif
