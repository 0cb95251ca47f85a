// shed.h: how much of a flood to look at. Under more hellos than a shard should spend its time on,
// it has the kernel throw most of them away unseen, by lot, so that those who play lose nothing in
// the queue behind them. Honest clients ask again.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHED_H
#define HAIL_ENGINE_SHED_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HAIL_SHED_WINDOW_MS = 100,
    HAIL_SHED_PER_WINDOW = 2000 // that a shard wants to see
};

#define HAIL_SHED_NONE UINT32_MAX // all are let through

// One kind of hello.
struct hail_shed {
    uint32_t admits; // so many of 2^32, and one, are let through
    uint32_t count;  // that came through in this window
    uint64_t until_ns;
};

// hail_shed_count counts one that came through.
void hail_shed_count(struct hail_shed *shed);

// hail_shed_turn sets what is let through by what came in the window that has passed, if one has.
void hail_shed_turn(struct hail_shed *shed, uint64_t now_ns);

// hail_shed_next_ns returns when hail_shed_turn has to be called although nothing comes.
uint64_t hail_shed_next_ns(const struct hail_shed *shed);

#endif
