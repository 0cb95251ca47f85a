// group.h: named sets of a shard's connections, on memory reserved at start. A group is there while
// it has members. Each membership is in two lists, its group's and its connection's, so sending
// walks members only and a connection that ends takes its memberships with it.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_GROUP_H
#define HAIL_ENGINE_SHARD_GROUP_H

#include <stdatomic.h>

#include "engine/hail.h"
#include "engine/memory/slab.h"

struct hail_groups {
    struct hail_slab groups;
    struct hail_slab memberships;
    _Atomic uint32_t *buckets; // the first group of each, plus one; 0: none
    uint32_t bucket_mask;
    uint32_t *first_of;       // for each slot: its first membership, plus one; 0: none
    _Atomic uint32_t version; // odd while the chains of groups are being changed
};

// hail_groups_init takes memory for so many groups, memberships and slots.
void hail_groups_init(struct hail_groups *groups, struct hail_arena *arena, uint32_t groups_max,
                      uint32_t memberships_max, uint32_t slots);

// hail_groups_join makes the connection in `slot` a member. Returns HAIL_OK, also when it is one
// already, or HAIL_EFULL.
// Cost  A look at each membership that the connection has.
HAIL_MUST_USE enum hail_status hail_groups_join(struct hail_groups *groups, struct hail_group group,
                                                uint32_t slot);

// hail_groups_leave ends a membership; of a group that it is not in, it does nothing. Costs as
// joining.
void hail_groups_leave(struct hail_groups *groups, struct hail_group group, uint32_t slot);

// hail_groups_leave_all ends every membership of a connection.
void hail_groups_leave_all(struct hail_groups *groups, uint32_t slot);

// A walk through a group's members. The member just given may leave meanwhile, no other.
struct hail_group_walk {
    uint32_t next; // HAIL_SLAB_NONE: nobody is left
};

// hail_groups_walk begins a walk.
struct hail_group_walk hail_groups_walk(const struct hail_groups *groups, struct hail_group group);

// hail_groups_next gives the next member's slot; false: there is none.
HAIL_MUST_USE bool hail_groups_next(const struct hail_groups *groups, struct hail_group_walk *walk,
                                    uint32_t *slot);

// hail_groups_count returns how many members a group has, as it was at some moment of the call.
// Threads  Any.
uint32_t hail_groups_count(const struct hail_groups *groups, struct hail_group group);

#endif
