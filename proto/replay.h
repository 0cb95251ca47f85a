// replay.h: which packet numbers have been taken (WIRE.md, section 4).
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_REPLAY_H
#define HAIL_PROTO_REPLAY_H

#include "crypto/base.h"

enum {
    HAIL_REPLAY_WINDOW = 1024
};

// A window behind the largest number taken. The zero state has taken none.
struct hail_replay {
    uint64_t next; // the largest number taken, plus one
    uint64_t seen[HAIL_REPLAY_WINDOW / 64];
};

// hail_replay_expand returns the 64-bit number that is meant by its low 24 bits.
uint64_t hail_replay_expand(const struct hail_replay *replay, uint32_t low24);

// hail_replay_fresh says whether `number` may still be taken: neither taken nor too old. It changes
// nothing: mark only what has proved genuine.
HAIL_MUST_USE bool hail_replay_fresh(const struct hail_replay *replay, uint64_t number);

// hail_replay_mark takes `number`, which is fresh.
void hail_replay_mark(struct hail_replay *replay, uint64_t number);

#endif
