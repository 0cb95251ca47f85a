// limit.h: how often the same source may ask for something that costs: a token bucket for each
// source prefix, in a table of fixed size.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_LIMIT_H
#define HAIL_PROTO_LIMIT_H

#include "crypto/random.h"
#include "proto/path.h"

enum {
    HAIL_LIMIT_BUCKETS = 4096 // a power of two
};

struct hail_limit_bucket {
    uint64_t full_ns; // when it will be full again; in the past: it is
};

// Sources share a bucket by a keyed hash, so nobody can choose whose bucket he drains. The zero
// buckets are full.
struct hail_limit {
    uint64_t hash_key[2];
    uint64_t cost_ns;  // of one request: a second divided by the rate
    uint64_t burst_ns; // what a full bucket allows at once
    struct hail_limit_bucket buckets[HAIL_LIMIT_BUCKETS];
};

// hail_limit_init allows each source `rate` requests a second (at least 1), and as many at once.
void hail_limit_init(struct hail_limit *limit, uint32_t rate, struct hail_random *random);

// hail_limit_take says whether `from` may ask once more, and takes it off its account if so.
// `*wait_ns`, if not NULL, is then how long it has to wait for the next to be allowed.
HAIL_MUST_USE bool hail_limit_take(struct hail_limit *limit, const struct hail_path *from,
                                   uint64_t now_ns, uint64_t *wait_ns);

#endif
