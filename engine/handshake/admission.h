// admission.h: how much of a flood of hellos a shard looks at. It may spend a share of its time on
// strangers, as far as those who play leave it any. What comes above that the kernel throws away
// unseen, by lot, so that it takes no room in the queue that players' datagrams are in. Honest
// clients ask again.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_HANDSHAKE_ADMISSION_H
#define HAIL_ENGINE_HANDSHAKE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/cookie.h"

enum {
    HAIL_ADMISSION_WINDOW_MS = 100,
    HAIL_ADMISSION_HOLD_MS = 1000, // before more is let through again
    // Of a shard's time, in eighths: what strangers may take, and what is left free for those who
    // play to take more of than just now.
    HAIL_ADMISSION_SHARE = 3,
    HAIL_ADMISSION_FREE = 1,
    // What each class may come at always: more than a shard can shake hands with in that time, so
    // that a crowd of clients is no flood, however busy the shard.
    HAIL_ADMISSION_LEAST_PER_S = 20000,
    // Hellos with a made-up cookie: so few that they cost nothing, and it is seen when they end.
    HAIL_ADMISSION_MADE_UP_PER_S = 1000
};

#define HAIL_ADMISSION_ALL UINT32_MAX // of a class are let through

// Each has a lot of its own: those who do not know what only who receives at his address is told
// take nothing from those who do.
enum hail_admission_class {
    HAIL_ADMISSION_UNPROVEN, // without a cookie
    HAIL_ADMISSION_PROVEN,   // with a word of ours, or somebody's who has received it
    HAIL_ADMISSION_MADE_UP,  // with another word
    HAIL_ADMISSION_CLASSES
};

// What the kernel is told.
struct hail_admission_filter {
    uint32_t lots[HAIL_ADMISSION_CLASSES]; // so many of 2^32, and one, are let through
    uint32_t words[HAIL_COOKIE_WORDS];
};

struct hail_admission {
    struct hail_admission_filter filter;
    uint32_t counts[HAIL_ADMISSION_CLASSES]; // that have come through in this window
    uint64_t since_ns;                       // when it began; 0: there has been none
    uint64_t until_ns;
    uint64_t changed_ns; // when the lots last did
    uint64_t cpu_ns;     // at the window's beginning
    uint64_t datagrams;  // likewise
    uint64_t each_ns;    // what a datagram costs; 0: not known yet
};

// What a shard has done since it began.
struct hail_admission_spent {
    uint64_t cpu_ns;    // time that its thread has spent
    uint64_t datagrams; // that have come, strangers' and others'
};

void hail_admission_init(struct hail_admission *admission);

// hail_admission_count counts a hello that has come through; cookie NULL: it has none.
void hail_admission_count(struct hail_admission *admission, const uint8_t *cookie);

// hail_admission_turn sets what is let through by what came in the window that has passed, if one
// has, and what that cost. `words`: those of good cookies. Returns whether the kernel is to be told
// of another filter.
HAIL_MUST_USE bool hail_admission_turn(struct hail_admission *admission,
                                       const uint32_t words[HAIL_COOKIE_WORDS],
                                       const struct hail_admission_spent *spent, uint64_t now_ns);

// hail_admission_next_ns returns when hail_admission_turn has to be called although nothing comes.
uint64_t hail_admission_next_ns(const struct hail_admission *admission);

// hail_admission_passes_all says whether a filter lets everything through.
bool hail_admission_passes_all(const struct hail_admission_filter *filter);

#endif
