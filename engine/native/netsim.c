// netsim.c: see netsim.h.
// SPDX-License-Identifier: MIT
#include "engine/native/netsim.h"
#include "crypto/time.h"

#include <string.h>

enum {
    MILLION = 1000000,
    QUEUE_US = 100000
};

void hail_netsim_init(struct hail_netsim *netsim, struct hail_arena *arena, uint32_t slots,
                      uint32_t max)
{
    *netsim = (struct hail_netsim){0};
    if (max == 0)
        return;
    netsim->paths = hail_arena_take(arena, slots, sizeof *netsim->paths);
    netsim->heap = hail_arena_take(arena, max, sizeof *netsim->heap);
    hail_slab_init(&netsim->held, arena, max, sizeof(struct hail_netsim_held));
}

// SplitMix64's step and output (Steele, Lea, Flood, 2014).
static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t roll(struct hail_netsim_path *path)
{
    return mix(path->dice += golden);
}

uint64_t hail_netsim_seed(uint64_t seed, bool is_server, struct hail_conn conn)
{
    return mix(mix(seed + golden) + conn.id * 2 + is_server);
}

static bool happens(struct hail_netsim_path *path, uint32_t in_a_million)
{
    return in_a_million > 0 && roll(path) % MILLION < in_a_million;
}

// ---- What is held

static struct hail_netsim_held *held_at(const struct hail_netsim *netsim, uint32_t index)
{
    return hail_slab_at(&netsim->held, index);
}

static bool is_before(const struct hail_netsim *netsim, uint32_t a, uint32_t b)
{
    const struct hail_netsim_held *first = held_at(netsim, a);
    const struct hail_netsim_held *second = held_at(netsim, b);

    return first->due_ns < second->due_ns ||
           (first->due_ns == second->due_ns && first->order < second->order);
}

static void push(struct hail_netsim *netsim, uint32_t index)
{
    HAIL_ASSERT(netsim->count < netsim->held.used_count);
    uint32_t at = netsim->count++;

    while (at > 0 && is_before(netsim, index, netsim->heap[(at - 1) / 2])) {
        netsim->heap[at] = netsim->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    netsim->heap[at] = index;
}

static uint32_t pop(struct hail_netsim *netsim)
{
    HAIL_ASSERT(netsim->count > 0);
    uint32_t first = netsim->heap[0];
    uint32_t last = netsim->heap[--netsim->count];
    uint32_t at = 0;

    for (uint32_t child = 1; child < netsim->count; child = 2 * at + 1) {
        if (child + 1 < netsim->count &&
            is_before(netsim, netsim->heap[child + 1], netsim->heap[child]))
            child++;
        if (!is_before(netsim, netsim->heap[child], last))
            break;
        netsim->heap[at] = netsim->heap[child];
        at = child;
    }
    netsim->heap[at] = last;
    return first;
}

// Holds something until then. NULL: there is no room.
static struct hail_netsim_held *hold(struct hail_netsim *netsim, uint32_t slot,
                                     struct hail_conn conn, enum hail_netsim_way way,
                                     uint64_t due_ns)
{
    uint32_t index = hail_slab_take(&netsim->held);

    if (index == HAIL_SLAB_NONE)
        return NULL;
    struct hail_netsim_held *held = held_at(netsim, index);
    held->due_ns = due_ns;
    held->order = netsim->made++;
    held->conn = conn;
    held->slot = slot;
    held->way = (uint8_t)way;
    held->rebinds = false;
    held->len = 0;
    push(netsim, index);
    return held;
}

static void hold_rebind(struct hail_netsim *netsim, uint32_t slot, struct hail_conn conn,
                        uint32_t rebind_ms, uint64_t now_ns)
{
    struct hail_netsim_held *held =
        hold(netsim, slot, conn, HAIL_NETSIM_OUT, now_ns + rebind_ms * HAIL_NS_PER_MS);

    if (!held)
        return;
    held->rebinds = true;
    netsim->paths[slot][HAIL_NETSIM_OUT].rebinds = held->order;
}

// ---- Paths

void hail_netsim_set(struct hail_netsim *netsim, uint32_t slot, struct hail_conn conn,
                     enum hail_netsim_way way, const struct hail_simulation *how, uint64_t seed,
                     uint64_t now_ns)
{
    HAIL_ASSERT(netsim->paths);
    struct hail_netsim_path *path = &netsim->paths[slot][way];

    *path = (struct hail_netsim_path){.on = how != NULL};
    if (!how)
        return;
    path->how = *how;
    path->dice = mix(seed + (uint64_t)way);
    if (path->how.queue_us == 0)
        path->how.queue_us = QUEUE_US;
    if (way == HAIL_NETSIM_OUT && how->rebind_ms > 0)
        hold_rebind(netsim, slot, conn, how->rebind_ms, now_ns);
}

// When a datagram arrives; UINT64_MAX: it does not.
static uint64_t arrives_ns(struct hail_netsim_path *path, size_t len, uint64_t now_ns)
{
    const struct hail_simulation *how = &path->how;
    uint64_t from_ns = path->free_ns > now_ns ? path->free_ns : now_ns;

    if (happens(path, how->loss))
        return UINT64_MAX;
    if (how->rate > 0) {
        if (from_ns - now_ns > how->queue_us * HAIL_NS_PER_US)
            return UINT64_MAX;
        from_ns += len * HAIL_NS_PER_S / how->rate;
        path->free_ns = from_ns;
    }
    uint64_t due_ns = from_ns + how->delay_us * HAIL_NS_PER_US;
    if (how->jitter_us > 0)
        due_ns += roll(path) % (how->jitter_us * HAIL_NS_PER_US);
    if (happens(path, how->reordering))
        return due_ns + how->reorder_us * HAIL_NS_PER_US;
    path->last_ns = due_ns > path->last_ns ? due_ns : path->last_ns;
    return path->last_ns;
}

void hail_netsim_put(struct hail_netsim *netsim, uint32_t slot, struct hail_conn conn,
                     enum hail_netsim_way way, const struct hail_path *address, const uint8_t *data,
                     size_t len, uint64_t now_ns)
{
    struct hail_netsim_path *path = &netsim->paths[slot][way];
    int copies = happens(path, path->how.duplication) ? 2 : 1;

    HAIL_ASSERT(len <= HAIL_OUTBOX_ROOM);
    HAIL_ASSERT(path->on);
    for (int i = 0; i < copies; i++) {
        uint64_t due_ns = arrives_ns(path, len, now_ns);
        struct hail_netsim_held *held =
            due_ns == UINT64_MAX ? NULL : hold(netsim, slot, conn, way, due_ns);
        if (!held) {
            netsim->lost++;
            continue;
        }
        held->len = (uint16_t)len;
        held->address = *address;
        memcpy(held->data, data, len);
    }
}

// Whether a change of the port is still wanted: of this connection, by its newest simulation.
static bool is_wanted(const struct hail_netsim *netsim, const struct hail_netsim_held *held)
{
    const struct hail_netsim_path *path = &netsim->paths[held->slot][HAIL_NETSIM_OUT];

    return path->on && path->how.rebind_ms > 0 && path->rebinds == held->order;
}

struct hail_netsim_held *hail_netsim_take(struct hail_netsim *netsim, uint64_t now_ns)
{
    while (hail_netsim_next_ns(netsim) <= now_ns) {
        struct hail_netsim_held *held = held_at(netsim, pop(netsim));
        if (!held->rebinds)
            return held;
        if (is_wanted(netsim, held)) {
            uint32_t rebind_ms = netsim->paths[held->slot][HAIL_NETSIM_OUT].how.rebind_ms;
            hold_rebind(netsim, held->slot, held->conn, rebind_ms, now_ns);
            return held;
        }
        hail_netsim_free(netsim, held);
    }
    return NULL;
}

void hail_netsim_free(struct hail_netsim *netsim, struct hail_netsim_held *held)
{
    size_t offset = (size_t)((uint8_t *)held - netsim->held.memory);

    HAIL_ASSERT(offset % netsim->held.record_len == 0);
    hail_slab_free(&netsim->held, (uint32_t)(offset / netsim->held.record_len));
}

uint64_t hail_netsim_next_ns(const struct hail_netsim *netsim)
{
    return netsim->count > 0 ? held_at(netsim, netsim->heap[0])->due_ns : UINT64_MAX;
}
