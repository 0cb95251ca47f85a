// group.c: see group.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/group.h"

// A group. What other threads count lies behind `first`, where a free record's link is.
struct record {
    uint32_t first;        // its newest membership
    _Atomic uint32_t next; // group of the same bucket, plus one
    _Atomic uint32_t count;
    uint32_t unused;
    _Atomic uint64_t id;
};

struct membership {
    uint32_t group;
    uint32_t slot;
    uint32_t group_prev; // HAIL_SLAB_NONE: it is the first or the last
    uint32_t group_next;
    uint32_t conn_prev;
    uint32_t conn_next;
};

static struct record *record_at(const struct hail_groups *groups, uint32_t index)
{
    return hail_slab_at(&groups->groups, index);
}

static struct membership *membership_at(const struct hail_groups *groups, uint32_t index)
{
    return hail_slab_at(&groups->memberships, index);
}

static uint32_t load(const _Atomic uint32_t *value)
{
    // Acquired, so that a reader who sees part of a change sees its version as well.
    return atomic_load_explicit(value, memory_order_acquire);
}

static void store(_Atomic uint32_t *value, uint32_t what)
{
    atomic_store_explicit(value, what, memory_order_release);
}

static _Atomic uint32_t *bucket_of(const struct hail_groups *groups, struct hail_group group)
{
    // Ids are often small numbers, or two packed into one: the product's upper bits depend on all.
    uint64_t mixed = (group.id ^ group.id >> 32) * UINT64_C(0x9e3779b97f4a7c15);

    return &groups->buckets[mixed >> 32 & groups->bucket_mask];
}

void hail_groups_init(struct hail_groups *groups, struct hail_arena *arena, uint32_t groups_max,
                      uint32_t memberships_max, uint32_t slots)
{
    uint32_t buckets = 1;

    while (buckets < groups_max)
        buckets *= 2;
    hail_slab_init(&groups->groups, arena, groups_max, sizeof(struct record));
    hail_slab_init(&groups->memberships, arena, memberships_max, sizeof(struct membership));
    groups->buckets = hail_arena_take(arena, buckets, sizeof *groups->buckets);
    groups->bucket_mask = buckets - 1;
    groups->first_of = hail_arena_take(arena, slots, sizeof *groups->first_of);
}

// Looks a group up; HAIL_SLAB_NONE: it has no members. Bounded for readers in other threads, whom a
// change may lead astray.
static uint32_t find(const struct hail_groups *groups, struct hail_group group)
{
    uint32_t link = load(bucket_of(groups, group));

    for (uint32_t i = 0; link != 0 && i < groups->groups.count; i++) {
        const struct record *record = record_at(groups, link - 1);
        if (atomic_load_explicit(&record->id, memory_order_acquire) == group.id)
            return link - 1;
        link = load(&record->next);
    }
    return HAIL_SLAB_NONE;
}

static void begin_change(struct hail_groups *groups)
{
    HAIL_ASSERT(!(load(&groups->version) & 1));
    store(&groups->version, load(&groups->version) + 1);
}

static void end_change(struct hail_groups *groups)
{
    HAIL_ASSERT(load(&groups->version) & 1);
    store(&groups->version, load(&groups->version) + 1);
}

static uint32_t add_group(struct hail_groups *groups, struct hail_group group)
{
    uint32_t index = hail_slab_take(&groups->groups);
    _Atomic uint32_t *bucket = bucket_of(groups, group);

    if (index == HAIL_SLAB_NONE)
        return HAIL_SLAB_NONE;
    struct record *record = record_at(groups, index);
    record->first = HAIL_SLAB_NONE;
    begin_change(groups);
    atomic_store_explicit(&record->id, group.id, memory_order_release);
    store(&record->count, 0);
    store(&record->next, load(bucket));
    store(bucket, index + 1);
    end_change(groups);
    return index;
}

static void remove_group(struct hail_groups *groups, uint32_t index)
{
    struct record *record = record_at(groups, index);
    struct hail_group group = {atomic_load_explicit(&record->id, memory_order_relaxed)};
    _Atomic uint32_t *link = bucket_of(groups, group);

    HAIL_ASSERT(record->first == HAIL_SLAB_NONE);
    HAIL_ASSERT(load(&record->count) == 0);
    while (load(link) != index + 1)
        link = &record_at(groups, load(link) - 1)->next;
    begin_change(groups);
    store(link, load(&record->next));
    end_change(groups);
    hail_slab_free(&groups->groups, index);
}

// The membership of `slot` in a group, among all that it has; HAIL_SLAB_NONE: it is no member.
static uint32_t find_membership(const struct hail_groups *groups, uint32_t group, uint32_t slot)
{
    uint32_t index = groups->first_of[slot] - 1; // none is HAIL_SLAB_NONE

    while (index != HAIL_SLAB_NONE && membership_at(groups, index)->group != group)
        index = membership_at(groups, index)->conn_next;
    return index;
}

static void link_membership(struct hail_groups *groups, uint32_t index, uint32_t group,
                            uint32_t slot)
{
    struct record *record = record_at(groups, group);
    struct membership *membership = membership_at(groups, index);

    HAIL_ASSERT(index != HAIL_SLAB_NONE); // there was one left
    *membership = (struct membership){
        .group = group,
        .slot = slot,
        .group_prev = HAIL_SLAB_NONE,
        .group_next = record->first,
        .conn_prev = HAIL_SLAB_NONE,
        .conn_next = groups->first_of[slot] - 1,
    };
    if (membership->group_next != HAIL_SLAB_NONE)
        membership_at(groups, membership->group_next)->group_prev = index;
    if (membership->conn_next != HAIL_SLAB_NONE)
        membership_at(groups, membership->conn_next)->conn_prev = index;
    record->first = index;
    groups->first_of[slot] = index + 1;
    store(&record->count, load(&record->count) + 1);
}

enum hail_status hail_groups_join(struct hail_groups *groups, struct hail_group group,
                                  uint32_t slot)
{
    uint32_t found = find(groups, group);

    if (found != HAIL_SLAB_NONE && find_membership(groups, found, slot) != HAIL_SLAB_NONE)
        return HAIL_OK;
    if (hail_slab_left(&groups->memberships) == 0)
        return HAIL_EFULL;
    if (found == HAIL_SLAB_NONE)
        found = add_group(groups, group);
    if (found == HAIL_SLAB_NONE)
        return HAIL_EFULL;
    link_membership(groups, hail_slab_take(&groups->memberships), found, slot);
    return HAIL_OK;
}

static void end_membership(struct hail_groups *groups, uint32_t index)
{
    const struct membership *membership = membership_at(groups, index);
    struct record *record = record_at(groups, membership->group);
    uint32_t group = membership->group;

    HAIL_ASSERT(load(&record->count) > 0);
    if (membership->group_prev != HAIL_SLAB_NONE)
        membership_at(groups, membership->group_prev)->group_next = membership->group_next;
    else
        record->first = membership->group_next;
    if (membership->group_next != HAIL_SLAB_NONE)
        membership_at(groups, membership->group_next)->group_prev = membership->group_prev;
    if (membership->conn_prev != HAIL_SLAB_NONE)
        membership_at(groups, membership->conn_prev)->conn_next = membership->conn_next;
    else
        groups->first_of[membership->slot] = membership->conn_next + 1;
    if (membership->conn_next != HAIL_SLAB_NONE)
        membership_at(groups, membership->conn_next)->conn_prev = membership->conn_prev;
    store(&record->count, load(&record->count) - 1);
    hail_slab_free(&groups->memberships, index);
    if (record->first == HAIL_SLAB_NONE)
        remove_group(groups, group);
}

void hail_groups_leave(struct hail_groups *groups, struct hail_group group, uint32_t slot)
{
    uint32_t found = find(groups, group);
    uint32_t index =
        found == HAIL_SLAB_NONE ? HAIL_SLAB_NONE : find_membership(groups, found, slot);

    if (index != HAIL_SLAB_NONE)
        end_membership(groups, index);
}

void hail_groups_leave_all(struct hail_groups *groups, uint32_t slot)
{
    while (groups->first_of[slot] != 0)
        end_membership(groups, groups->first_of[slot] - 1);
}

struct hail_group_walk hail_groups_walk(const struct hail_groups *groups, struct hail_group group)
{
    uint32_t found = find(groups, group);

    return (struct hail_group_walk){found == HAIL_SLAB_NONE ? found
                                                            : record_at(groups, found)->first};
}

bool hail_groups_next(const struct hail_groups *groups, struct hail_group_walk *walk,
                      uint32_t *slot)
{
    if (walk->next == HAIL_SLAB_NONE)
        return false;
    const struct membership *membership = membership_at(groups, walk->next);
    *slot = membership->slot;
    walk->next = membership->group_next;
    return true;
}

uint32_t hail_groups_count(const struct hail_groups *groups, struct hail_group group)
{
    for (;;) {
        uint32_t before = load(&groups->version);
        uint32_t found = find(groups, group);
        uint32_t count = found == HAIL_SLAB_NONE ? 0 : load(&record_at(groups, found)->count);
        // What was read was acquired, so this is not read before it.
        if (!(before & 1) && atomic_load_explicit(&groups->version, memory_order_relaxed) == before)
            return count;
    }
}
