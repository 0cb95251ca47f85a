// meter.c: see meter.h.
// SPDX-License-Identifier: MIT
#include "crypto/meter.h"
#include "crypto/time.h"

#include <time.h>

_Thread_local struct hail_meter *hail_meter_mine;

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return hail_time_ns(&now);
}

// The cheapest clock there is, whatever it counts in.
static uint64_t ticks_now(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return clock_of(CLOCK_MONOTONIC);
#endif
}

void hail_meter_start(struct hail_meter *meter)
{
    *meter = (struct hail_meter){
        .kind = HAIL_SPENT_PROTOCOL,
        .since = ticks_now(),
        .cpu_ns = clock_of(CLOCK_THREAD_CPUTIME_ID),
    };
    hail_meter_mine = meter;
}

// Divides CPU time since the last call into the kernel among what was done in it.
static void share_out(struct hail_meter *meter, uint64_t ns)
{
    uint64_t sum = 0;

    for (unsigned kind = 0; kind < HAIL_SPENT_KINDS; kind++)
        sum += meter->ticks[kind];
    for (unsigned kind = 0; kind < HAIL_SPENT_KINDS && sum > 0; kind++)
        meter->spent_ns[kind] += (uint64_t)((double)ns * (double)meter->ticks[kind] / (double)sum);
}

enum hail_spent hail_meter_switch(struct hail_meter *meter, enum hail_spent kind)
{
    enum hail_spent before = meter->kind;
    uint64_t now = ticks_now();

    meter->ticks[before] += now - meter->since;
    meter->since = now;
    meter->kind = kind;
    if ((kind == HAIL_SPENT_SYSTEM) == (before == HAIL_SPENT_SYSTEM))
        return before;
    uint64_t cpu_ns = clock_of(CLOCK_THREAD_CPUTIME_ID);
    if (before == HAIL_SPENT_SYSTEM) {
        meter->spent_ns[HAIL_SPENT_SYSTEM] += cpu_ns - meter->cpu_ns;
        memset(meter->ticks, 0, sizeof meter->ticks);
        meter->since = ticks_now(); // that look at the clock is shared by all
    } else {
        share_out(meter, cpu_ns - meter->cpu_ns);
    }
    meter->cpu_ns = cpu_ns;
    return before;
}
