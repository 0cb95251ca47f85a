// congestion.c: see congestion.h.
// SPDX-License-Identifier: MIT
#include "proto/congestion.h"

enum {
    PACE_NUMERATOR = 5,  // a quarter faster than a window a round trip, so that pacing alone never
    PACE_DENOMINATOR = 4 // keeps the window from being used
};

void hail_congestion_init(struct hail_congestion *congestion, uint64_t now_ns)
{
    *congestion = (struct hail_congestion){
        .window = HAIL_CONGESTION_INITIAL,
        .threshold = UINT64_MAX,
        .credit = HAIL_CONGESTION_BURST,
        .credit_ns = now_ns,
    };
}

// The most that may leave at once. A timer is late by up to a millisecond: what a fast path would
// have carried meanwhile is made up for.
static uint64_t burst(const struct hail_congestion *congestion, const struct hail_rtt *rtt)
{
    uint64_t per_ms = congestion->window * 1000000 / rtt->smoothed;

    if (per_ms > congestion->window)
        per_ms = congestion->window;
    return per_ms > HAIL_CONGESTION_BURST ? per_ms : HAIL_CONGESTION_BURST;
}

bool hail_congestion_open(struct hail_congestion *congestion, const struct hail_rtt *rtt,
                          uint64_t now_ns, uint64_t *at_ns)
{
    *at_ns = UINT64_MAX;
    if (congestion->in_flight >= congestion->window)
        return false;
    if (congestion->credit >= HAIL_CONGESTION_DATAGRAM)
        return true;

    // A window a round trip; the products stay far below 2^64 for times of some seconds.
    uint64_t paced = congestion->window * PACE_NUMERATOR / PACE_DENOMINATOR;
    uint64_t since_ns = now_ns - congestion->credit_ns;
    uint64_t most = burst(congestion, rtt);
    uint64_t gained = since_ns >= rtt->smoothed
                          ? most
                          : (uint64_t)((double)paced * (double)since_ns / (double)rtt->smoothed);
    congestion->credit += gained;
    congestion->credit_ns = now_ns;
    if (congestion->credit > most)
        congestion->credit = most;
    if (congestion->credit >= HAIL_CONGESTION_DATAGRAM)
        return true;
    uint64_t lacks = HAIL_CONGESTION_DATAGRAM - congestion->credit;
    *at_ns = now_ns + (uint64_t)((double)lacks * (double)rtt->smoothed / (double)paced) + 1;
    return false;
}

void hail_congestion_sent(struct hail_congestion *congestion, size_t len)
{
    congestion->in_flight += len;
    congestion->credit -= len < congestion->credit ? len : congestion->credit;
}

static void leave(struct hail_congestion *congestion, size_t len)
{
    HAIL_ASSERT(congestion->in_flight >= len);
    congestion->in_flight -= len;
}

void hail_congestion_acked(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                           bool was_limited)
{
    leave(congestion, len);
    if (!was_limited || sent_ns <= congestion->recovery_ns)
        return;
    if (congestion->window < congestion->threshold) {
        congestion->window += len;
        return;
    }
    congestion->gathered += len;
    if (congestion->gathered >= congestion->window) {
        congestion->gathered -= congestion->window;
        congestion->window += HAIL_CONGESTION_DATAGRAM;
    }
}

void hail_congestion_lost(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                          uint64_t now_ns)
{
    leave(congestion, len);
    if (sent_ns <= congestion->recovery_ns)
        return;
    congestion->recovery_ns = now_ns;
    congestion->window /= 2;
    if (congestion->window < HAIL_CONGESTION_LEAST)
        congestion->window = HAIL_CONGESTION_LEAST;
    congestion->threshold = congestion->window;
    congestion->gathered = 0;
}

void hail_congestion_collapse(struct hail_congestion *congestion)
{
    congestion->window = HAIL_CONGESTION_LEAST;
    congestion->recovery_ns = 0;
    congestion->gathered = 0;
}
