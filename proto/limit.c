// limit.c: see limit.h. A bucket is kept as the time at which it will be full: taking moves it on,
// and nothing has to be refilled.
// SPDX-License-Identifier: MIT
#include "proto/limit.h"

#include <string.h>

#include "crypto/siphash.h"
#include "crypto/time.h"

void hail_limit_init(struct hail_limit *limit, uint32_t rate, struct hail_random *random)
{
    HAIL_ASSERT(rate > 0);
    memset(limit, 0, sizeof *limit);
    hail_random_bytes(random, limit->hash_key, sizeof limit->hash_key);
    limit->cost_ns = HAIL_NS_PER_S / rate;
    limit->burst_ns = HAIL_NS_PER_S;
}

bool hail_limit_take(struct hail_limit *limit, const struct hail_path *from, uint64_t now_ns,
                     uint64_t *wait_ns)
{
    uint8_t prefix[HAIL_PREFIX_KEY_LEN];

    hail_prefix_key(prefix, from);
    uint64_t hash = hail_siphash(limit->hash_key, prefix, sizeof prefix);
    struct hail_limit_bucket *bucket = &limit->buckets[hash % HAIL_LIMIT_BUCKETS];
    uint64_t full_ns = bucket->full_ns > now_ns ? bucket->full_ns : now_ns;
    if (full_ns + limit->cost_ns > now_ns + limit->burst_ns) {
        if (wait_ns)
            *wait_ns = full_ns + limit->cost_ns - now_ns - limit->burst_ns;
        return false;
    }
    bucket->full_ns = full_ns + limit->cost_ns;
    return true;
}
