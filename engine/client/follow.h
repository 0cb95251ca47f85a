// follow.h: when a client's connection takes another source address, as its machine moves from one
// network to another: because the kernel says so, or because nothing comes back.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CLIENT_FOLLOW_H
#define HAIL_ENGINE_CLIENT_FOLLOW_H

#include "crypto/base.h"

enum {
    HAIL_FOLLOW_SILENCE_MS = 300, // after something was sent, before the first probe
    HAIL_FOLLOW_PROBES = 3,       // without an answer; then the source is another
    HAIL_FOLLOW_PROBE_MAX_MS = 3000,
    HAIL_FOLLOW_AGAIN_MS = 100, // between two changes of the source, at first
    HAIL_FOLLOW_AGAIN_MAX_MS = 6400
};

// What a client's connection knows of its own path. The zero state is that of a new one.
struct hail_follow {
    uint64_t since_ns; // what is heard from here on counts as an answer
    uint64_t probe_ns; // when it is overdue; 0: none is awaited
    uint64_t again_ns; // when the source may change once more
    uint8_t probes;    // in a row that were not answered
    uint8_t changes;   // in a row that nothing was heard after
};

enum hail_follow_act {
    HAIL_FOLLOW_STAY,
    HAIL_FOLLOW_PROBE, // ask the server for a sign of life
    HAIL_FOLLOW_CHANGE // take another source, then ask
};

// When protected packets last went and came, and how long an answer may take.
struct hail_follow_signs {
    uint64_t sent_ns;
    uint64_t heard_ns;
    uint64_t answer_ns;
};

// hail_follow_sent takes note that a packet was sent. Returns whether an answer is awaited now and
// was not before.
bool hail_follow_sent(struct hail_follow *follow, uint64_t now_ns);

// hail_follow_due says what to do now; hail_follow_next_ns returns when there may be something;
// UINT64_MAX: never.
enum hail_follow_act hail_follow_due(struct hail_follow *follow,
                                     const struct hail_follow_signs *signs, uint64_t now_ns);
uint64_t hail_follow_next_ns(const struct hail_follow *follow);

// hail_follow_refused says whether an error of sending asks for another source, and whether it is
// time for one.
bool hail_follow_refused(struct hail_follow *follow, int error, uint64_t now_ns);

// hail_follow_changed takes note that the source has changed.
void hail_follow_changed(struct hail_follow *follow, uint64_t answer_ns, uint64_t now_ns);

#endif
