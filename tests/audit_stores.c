// audit_stores.c: whether each piece of memory has one owner, or is free: see audit.h.
// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/handshake/server.h"
#include "engine/native/state.h"
#include "tests/audit_stores.h"

void audit_fail(struct audit *audit, const char *format, ...)
{
    va_list values;

    if (audit->why[0])
        return;
    va_start(values, format);
    vsnprintf(audit->why, sizeof audit->why, format, values);
    va_end(values);
}

// A store, be it a pool or a slab. Where a piece is free, it begins with the number of the next
// free one.
struct view {
    const char *name;
    const uint8_t *memory;
    size_t piece_len;
    uint32_t fresh;
    uint32_t free_first;
    uint32_t used_count;
};

static struct view view_pool(const char *name, const struct hail_pool *pool)
{
    return (struct view){name,        pool->memory,     pool->block_size,
                         pool->fresh, pool->free_first, pool->used_count};
}

static struct view view_slab(const char *name, const struct hail_slab *slab)
{
    return (struct view){name,        slab->memory,     slab->record_len,
                         slab->fresh, slab->free_first, slab->used_count};
}

static struct view view_of(const struct hail_shard *shard, enum audit_store store)
{
    static const struct hail_native_shard none; // of another profile
    static const struct hail_server_handshakes nobody;
    const struct hail_native_shard *native = shard->native ? shard->native : &none;
    const struct hail_server_handshakes *server = native->server ? native->server : &nobody;

    switch (store) {
    case AUDIT_BLOCKS:
        return view_pool("block", &shard->pool);
    case AUDIT_WELCOMES:
        return view_pool("block of a welcome", &server->welcomes);
    case AUDIT_MESSAGES:
        return view_slab("send message", &shard->delivery.messages);
    case AUDIT_RANGES:
        return view_slab("send range", &shard->delivery.ranges);
    case AUDIT_SENT_PACKETS:
        return view_slab("sent packet", &shard->delivery.sent_packets);
    case AUDIT_REASSEMBLIES:
        return view_slab("reassembly", &shard->delivery.reassemblies.records);
    case AUDIT_SOURCES:
        return view_slab("source", &shard->sources.list);
    case AUDIT_SIMULATED:
        return view_slab("simulated datagram", &native->netsim.held);
    case AUDIT_STORES:
        break;
    }
    HAIL_UNREACHABLE("every store has its case");
}

void audit_stores_begin(struct audit *audit)
{
    memset(audit->taken, 0, sizeof audit->taken);
    for (int store = 0; store < AUDIT_STORES && audit->deep; store++) {
        uint32_t len = view_of(audit->shard, (enum audit_store)store).fresh;
        if (len > audit->marks_len[store]) {
            free(audit->marks[store]);
            audit->marks[store] = malloc(len);
            audit->marks_len[store] = len;
            HAIL_ASSERT(audit->marks[store]);
        }
        if (len > 0)
            memset(audit->marks[store], 0, len);
    }
}

bool audit_take(struct audit *audit, enum audit_store store, uint32_t index)
{
    struct view view = view_of(audit->shard, store);

    audit->taken[store]++;
    if (index >= view.fresh || audit->taken[store] > view.fresh) {
        audit_fail(audit, "%s %u was never handed out, or a list has no end", view.name, index);
        return false;
    }
    if (!audit->deep)
        return true;
    if (audit->marks[store][index]) {
        audit_fail(audit, "%s %u has two owners", view.name, index);
        return false;
    }
    audit->marks[store][index] = 1;
    return true;
}

uint32_t audit_chain(struct audit *audit, enum audit_store store, const struct hail_chain *chain)
{
    struct view view = view_of(audit->shard, store);
    uint32_t block = chain->first;
    uint64_t room = 0;
    uint32_t count = 0;

    if ((chain->len == 0) != (block == HAIL_BLOCK_NONE))
        audit_fail(audit, "a chain of %u bytes begins with %s %u", chain->len, view.name, block);
    for (; room < (uint64_t)chain->start + chain->len; count++) {
        if (!audit_take(audit, store, block))
            return count;
        room += view.piece_len - HAIL_BLOCK_LINK;
        if (room >= (uint64_t)chain->start + chain->len && block != chain->last)
            audit_fail(audit, "a chain ends with %s %u and not %u", view.name, block, chain->last);
        memcpy(&block, view.memory + block * view.piece_len, sizeof block);
    }
    return count;
}

// Follows a store's free list: with what has an owner, it is all that was ever handed out.
static void check_free(struct audit *audit, enum audit_store store)
{
    struct view view = view_of(audit->shard, store);
    uint32_t index = view.free_first;
    uint32_t count = 0;

    for (; index != HAIL_SLAB_NONE; count++) {
        if (index >= view.fresh || audit->marks[store][index]) {
            audit_fail(audit, "%s %u is free, and has an owner or is free twice", view.name, index);
            return;
        }
        audit->marks[store][index] = 1;
        memcpy(&index, view.memory + index * view.piece_len, sizeof index);
    }
    if (count + audit->taken[store] != view.fresh)
        audit_fail(audit, "of %u of the kind %s %u have an owner and %u are free", view.fresh,
                   view.name, audit->taken[store], count);
}

void audit_stores_end(struct audit *audit)
{
    for (int store = 0; store < AUDIT_STORES; store++) {
        struct view view = view_of(audit->shard, (enum audit_store)store);
        if (audit->taken[store] != view.used_count)
            audit_fail(audit, "of %u of the kind %s that are in use, %u have an owner",
                       view.used_count, view.name, audit->taken[store]);
        if (audit->deep && view.memory && !audit->why[0])
            check_free(audit, (enum audit_store)store);
    }
}

void audit_cleanup(struct audit *audit)
{
    for (int store = 0; store < AUDIT_STORES; store++) {
        free(audit->marks[store]);
        audit->marks[store] = NULL;
        audit->marks_len[store] = 0;
    }
}
