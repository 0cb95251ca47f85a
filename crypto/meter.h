// meter.h: what a thread spends its time on. A thread that is to be measured has a meter; where the
// kind of work changes, a line says so, which costs the others a look at a pointer.
// SPDX-License-Identifier: MIT
//
// It lies at the bottom, since all layers do the work: but only the thread's owner starts it, and
// nothing depends on what it says.
#ifndef HAIL_CRYPTO_METER_H
#define HAIL_CRYPTO_METER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Everything is protocol that is nothing else: parsing, tables, timers, and the application's
// callbacks.
enum hail_spent {
    HAIL_SPENT_PROTOCOL,
    HAIL_SPENT_CRYPTO, // of messages
    HAIL_SPENT_COPY,   // of messages, in our memory; the kernel's are its own
    HAIL_SPENT_SYSTEM, // calls into the kernel, by CPU time: waiting there costs nothing
    HAIL_SPENT_KINDS
};

// Between two calls into the kernel a clock that is cheap counts ticks by kind; at the calls the
// thread's CPU clock says how long it was, which the ticks then share: so a thread that was made to
// wait in between does not count the wait.
struct hail_meter {
    enum hail_spent kind;             // the present one
    uint64_t since;                   // when it began, in ticks
    uint64_t ticks[HAIL_SPENT_KINDS]; // since the last call
    uint64_t cpu_ns;                  // the thread's CPU time as that call began or ended
    uint64_t spent_ns[HAIL_SPENT_KINDS];
};

// What this thread is measured by; NULL: it is not.
extern _Thread_local struct hail_meter *hail_meter_mine;

// hail_meter_start begins to measure the calling thread, for as long as it runs.
void hail_meter_start(struct hail_meter *meter);

// hail_meter_switch tells that other work begins, and returns what it was before.
enum hail_spent hail_meter_switch(struct hail_meter *meter, enum hail_spent kind);

// hail_meter_enter does so if the thread is measured; hail_meter_leave returns to what
// hail_meter_enter returned.
static inline enum hail_spent hail_meter_enter(enum hail_spent kind)
{
    struct hail_meter *meter = hail_meter_mine;

    return meter ? hail_meter_switch(meter, kind) : kind;
}

static inline void hail_meter_leave(enum hail_spent before)
{
    struct hail_meter *meter = hail_meter_mine;

    if (meter)
        hail_meter_switch(meter, before);
}

// hail_meter_copy is memcpy, counted as a copy.
static inline void hail_meter_copy(void *to, const void *from, size_t len)
{
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_COPY);

    memcpy(to, from, len);
    hail_meter_leave(before);
}

#endif
