// congestion.c: see congestion.h.
// SPDX-License-Identifier: MIT
#include "proto/congestion.h"
#include "crypto/time.h"

#include <string.h>

enum {
    PACE_NUMERATOR = 5,   // a quarter faster than a window a round trip, so that pacing alone never
    PACE_DENOMINATOR = 4, // keeps the window from being used

    MUCH_PART = 5, // lost of what was sent: no longer the path's nature
    MUCH_LEAST = 16 * HAIL_CONGESTION_DATAGRAM, // lost before a part of it says anything
    OF_LATE = 64 * HAIL_CONGESTION_DATAGRAM,    // bytes beside two windows
    QUEUE_PART = 8, // of the shortest round trip that a longer one may take more without a queue
    QUEUE_LEAST_MS = 4, // but at least, and at most: RFC 9406, section 4.2
    QUEUE_MOST_MS = 16,
    CUT_PART = 8 // of the window that a cut takes at the least
};

static const uint64_t us_per_s = 1000000;

void hail_congestion_init(struct hail_congestion *congestion, uint64_t now_ns)
{
    *congestion = (struct hail_congestion){
        .window = HAIL_CONGESTION_INITIAL,
        .threshold = UINT32_MAX,
        .credit = HAIL_CONGESTION_BURST,
        .credit_ns = now_ns,
    };
}

// The most that may leave at once. A timer is late by up to a millisecond: what a fast path would
// have carried meanwhile is made up for.
static uint64_t burst(const struct hail_congestion *congestion, const struct hail_rtt *rtt)
{
    uint64_t per_ms = congestion->window * HAIL_NS_PER_MS / rtt->smoothed;

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
    uint64_t paced = (uint64_t)congestion->window * PACE_NUMERATOR / PACE_DENOMINATOR;
    uint64_t since_ns = now_ns - congestion->credit_ns;
    uint64_t most = burst(congestion, rtt);
    uint64_t gained = since_ns >= rtt->smoothed
                          ? most
                          : (uint64_t)((double)paced * (double)since_ns / (double)rtt->smoothed);
    gained += congestion->credit;
    congestion->credit = (uint32_t)(gained < most ? gained : most);
    congestion->credit_ns = now_ns;
    if (congestion->credit >= HAIL_CONGESTION_DATAGRAM)
        return true;
    uint64_t lacks = HAIL_CONGESTION_DATAGRAM - congestion->credit;
    *at_ns = now_ns + (uint64_t)((double)lacks * (double)rtt->smoothed / (double)paced) + 1;
    return false;
}

void hail_congestion_sent(struct hail_congestion *congestion, size_t len)
{
    congestion->in_flight += (uint32_t)len;
    congestion->credit -= len < congestion->credit ? (uint32_t)len : congestion->credit;
}

static void leave(struct hail_congestion *congestion, size_t len)
{
    HAIL_ASSERT(congestion->in_flight >= len);
    congestion->in_flight -= (uint32_t)len;
}

// ---- What the path is like

void hail_congestion_moved(struct hail_congestion *congestion)
{
    congestion->least_us = 0;
    memset(congestion->recent_us, 0, sizeof congestion->recent_us);
    congestion->answered_ns = 0;
    congestion->rate = 0;
    congestion->arrived = 0;
    congestion->lost = 0;
}

// The last acknowledgement is whole: how much arrives, by round trips. A higher rate is believed at
// once; a lower one may be that of an application which has little to send.
static void measure_rate(struct hail_congestion *congestion)
{
    uint64_t since_ns = congestion->answered_ns - congestion->rate_ns;

    if (since_ns == 0 || since_ns < congestion->recent_us[congestion->recent] * HAIL_NS_PER_US)
        return;
    double exact = (double)congestion->rate_bytes * HAIL_NS_PER_S / (double)since_ns;
    uint32_t rate = exact < UINT32_MAX ? (uint32_t)exact : UINT32_MAX;
    congestion->rate =
        rate > congestion->rate ? rate : (uint32_t)((UINT64_C(7) * congestion->rate + rate) / 8);
    congestion->rate_ns = congestion->answered_ns;
    congestion->rate_bytes = 0;
}

// Takes in a packet's round trip; of those that one acknowledgement is for, the last one's stays.
static void measure(struct hail_congestion *congestion, size_t len, uint64_t took_ns,
                    uint64_t now_ns)
{
    if (now_ns != congestion->answered_ns) {
        if (congestion->answered_ns == 0) {
            congestion->rate_ns = now_ns; // what comes with the first says nothing of a rate
            congestion->rate_bytes = 0;
        } else {
            measure_rate(congestion);
        }
        congestion->answered_ns = now_ns;
        congestion->recent = (congestion->recent + 1) % HAIL_CONGESTION_RECENT;
    }
    if (congestion->rate_ns != now_ns)
        congestion->rate_bytes += (uint32_t)len;
    uint32_t took_us = (uint32_t)(took_ns / HAIL_NS_PER_US) + 1; // 0 says that there was none
    congestion->recent_us[congestion->recent] = took_us;
    if (congestion->least_us == 0 || took_us < congestion->least_us)
        congestion->least_us = took_us;
    congestion->arrived += (uint32_t)len;
    if (congestion->arrived + congestion->lost > 2 * congestion->window + OF_LATE) {
        congestion->arrived /= 2;
        congestion->lost /= 2;
    }
}

// How much longer than the shortest a round trip may be without a queue: as others have it, and
// what a burst of our own takes to pass.
static uint64_t slack_ns(const struct hail_congestion *congestion)
{
    uint64_t least_ns = congestion->least_us * HAIL_NS_PER_US;
    uint64_t slack = least_ns / QUEUE_PART;

    if (slack < QUEUE_LEAST_MS * HAIL_NS_PER_MS)
        slack = QUEUE_LEAST_MS * HAIL_NS_PER_MS;
    if (slack > QUEUE_MOST_MS * HAIL_NS_PER_MS)
        slack = QUEUE_MOST_MS * HAIL_NS_PER_MS;
    if (congestion->rate == 0)
        return slack;
    uint64_t burst_ns =
        (uint64_t)(HAIL_CONGESTION_BURST * HAIL_NS_PER_S / (double)congestion->rate);
    return slack + (burst_ns < least_ns / 2 ? burst_ns : least_ns / 2);
}

// Whether every one of the last round trips was long: a single one may be by chance.
static bool is_queued(const struct hail_congestion *congestion)
{
    uint32_t shortest_us = UINT32_MAX;

    for (size_t i = 0; i < HAIL_CONGESTION_RECENT; i++) {
        if (congestion->recent_us[i] < shortest_us)
            shortest_us = congestion->recent_us[i];
    }
    return shortest_us > congestion->least_us &&
           (shortest_us - congestion->least_us) * HAIL_NS_PER_US > slack_ns(congestion);
}

static bool loses_much(const struct hail_congestion *congestion)
{
    return congestion->lost > MUCH_LEAST &&
           congestion->lost > (congestion->lost + congestion->arrived) / MUCH_PART;
}

// ---- The window

static void widen(struct hail_congestion *congestion, uint32_t len)
{
    if (congestion->window < HAIL_CONGESTION_MOST)
        congestion->window += len;
}

void hail_congestion_acked(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                           uint64_t now_ns, bool was_limited)
{
    leave(congestion, len);
    measure(congestion, len, now_ns - sent_ns, now_ns);
    if (!was_limited || sent_ns <= congestion->recovery_ns)
        return;
    if (congestion->window < congestion->threshold) {
        widen(congestion, (uint32_t)len);
        if (is_queued(congestion))
            congestion->threshold = congestion->window;
        return;
    }
    congestion->gathered += (uint32_t)len;
    if (congestion->gathered >= congestion->window) {
        congestion->gathered -= congestion->window;
        widen(congestion, HAIL_CONGESTION_DATAGRAM);
    }
}

// What the path holds without a queue to speak of.
static uint32_t cut(const struct hail_congestion *congestion)
{
    uint32_t least = congestion->window / 2;
    uint32_t most = congestion->window - congestion->window / CUT_PART;
    uint64_t round_us = congestion->least_us + congestion->least_us / QUEUE_PART;
    uint64_t exact = congestion->rate * round_us / us_per_s;
    uint32_t holds = exact < most ? (uint32_t)exact : most;

    if (holds < least)
        holds = least;
    return holds > HAIL_CONGESTION_LEAST ? holds : HAIL_CONGESTION_LEAST;
}

void hail_congestion_lost(struct hail_congestion *congestion, size_t len, uint64_t sent_ns,
                          uint64_t now_ns)
{
    leave(congestion, len);
    if (sent_ns <= congestion->recovery_ns)
        return;
    congestion->lost += (uint32_t)len;
    if (!is_queued(congestion) && !loses_much(congestion))
        return;
    congestion->recovery_ns = now_ns;
    congestion->window = cut(congestion);
    congestion->threshold = congestion->window;
    congestion->gathered = 0;
    congestion->arrived = 0;
    congestion->lost = 0;
}

void hail_congestion_collapse(struct hail_congestion *congestion)
{
    congestion->window = HAIL_CONGESTION_LEAST;
    congestion->recovery_ns = 0;
    congestion->gathered = 0;
}
