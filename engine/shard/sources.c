// sources.c: see sources.h. Prefixes with the same number of handshakes are in one list, and
// numbers change by one: so the prefix that has most is found, and kept up to date, without a
// search.
// SPDX-License-Identifier: MIT
#include "engine/shard/sources.h"

#include "crypto/siphash.h"
#include "engine/shard/table.h"

// In place of a neighbour in the list of handshakes: the slot has a connection.
#define IS_CONN UINT32_MAX

void hail_sources_init(struct hail_sources *sources, struct hail_arena *arena, uint32_t slot_count,
                       uint32_t handshakes_max, uint32_t conns_max)
{
    uint32_t count = handshakes_max + conns_max;
    uint32_t buckets = 1;

    while (buckets < count)
        buckets *= 2;
    hail_slab_init(&sources->list, arena, count, sizeof(struct hail_source));
    sources->members = hail_arena_take(arena, slot_count, sizeof(struct hail_source_member));
    sources->ranks =
        hail_arena_take(arena, (size_t)handshakes_max + 1, sizeof(struct hail_source_rank));
    sources->buckets = hail_arena_take(arena, buckets, sizeof(uint32_t));
    sources->bucket_count = buckets;
    sources->most = 0;
}

void hail_sources_seed(struct hail_sources *sources, struct hail_random *random)
{
    hail_random_bytes(random, (uint8_t *)sources->hash_key, sizeof sources->hash_key);
}

static struct hail_source *source_at(const struct hail_sources *sources, uint32_t source)
{
    HAIL_ASSERT(source - 1 < sources->list.fresh);
    return hail_slab_at(&sources->list, source - 1);
}

// The hash stands for the prefix: that two of them have the same is not to be feared.
static uint64_t hash_of(const struct hail_sources *sources, const struct hail_path *from)
{
    uint8_t prefix[HAIL_PREFIX_KEY_LEN];

    hail_prefix_key(prefix, from);
    return hail_siphash(sources->hash_key, prefix, sizeof prefix);
}

static uint32_t *bucket_of(const struct hail_sources *sources, uint64_t hash)
{
    return &sources->buckets[hash & (sources->bucket_count - 1)];
}

static uint32_t find(const struct hail_sources *sources, uint64_t hash)
{
    uint32_t source = *bucket_of(sources, hash);

    while (source != 0 && source_at(sources, source)->hash != hash)
        source = source_at(sources, source)->next;
    return source;
}

static uint32_t find_or_add(struct hail_sources *sources, uint64_t hash)
{
    uint32_t source = find(sources, hash);

    if (source != 0)
        return source;
    uint32_t index = hail_slab_take(&sources->list);
    HAIL_ASSERT(index != HAIL_SLAB_NONE); // there is a place for each handshake and connection
    uint32_t *bucket = bucket_of(sources, hash);
    source = index + 1;
    *source_at(sources, source) = (struct hail_source){.hash = hash, .next = *bucket};
    *bucket = source;
    return source;
}

static void forget_if_empty(struct hail_sources *sources, uint32_t source)
{
    const struct hail_source *own = source_at(sources, source);
    uint32_t *place = bucket_of(sources, own->hash);

    if (own->handshakes > 0 || own->conns > 0)
        return;
    while (*place != source)
        place = &source_at(sources, *place)->next;
    *place = own->next;
    hail_slab_free(&sources->list, source - 1);
}

static void leave_rank(struct hail_sources *sources, uint32_t source)
{
    const struct hail_source *own = source_at(sources, source);
    struct hail_source_rank *rank = &sources->ranks[own->handshakes];

    if (own->handshakes == 0)
        return;
    if (own->rank_prev != 0)
        source_at(sources, own->rank_prev)->rank_next = own->rank_next;
    else
        rank->first = own->rank_next;
    if (own->rank_next != 0)
        source_at(sources, own->rank_next)->rank_prev = own->rank_prev;
    else
        rank->last = own->rank_prev;
}

// Moves a prefix to the list of those that have `handshakes`, one more or one less than it had.
static void set_rank(struct hail_sources *sources, uint32_t source, uint32_t handshakes)
{
    struct hail_source *own = source_at(sources, source);
    struct hail_source_rank *rank = &sources->ranks[handshakes];

    HAIL_ASSERT(handshakes == own->handshakes + 1 || handshakes + 1 == own->handshakes);
    leave_rank(sources, source);
    own->handshakes = handshakes;
    if (handshakes > 0) {
        own->rank_prev = rank->last;
        own->rank_next = 0;
        if (rank->last != 0)
            source_at(sources, rank->last)->rank_next = source;
        else
            rank->first = source;
        rank->last = source;
    }
    if (handshakes > sources->most)
        sources->most = handshakes;
    else if (sources->ranks[sources->most].first == 0 && sources->most > 0)
        sources->most--; // it was the only one that had so many, and has one less
}

struct hail_source_view hail_sources_look(const struct hail_sources *sources,
                                          const struct hail_path *from)
{
    uint32_t source = find(sources, hash_of(sources, from));

    if (source == 0)
        return (struct hail_source_view){.oldest = HAIL_SLOT_NONE};
    const struct hail_source *own = source_at(sources, source);
    return (struct hail_source_view){
        .handshakes = own->handshakes,
        .conns = own->conns,
        .oldest = own->oldest != 0 ? own->oldest - 1 : HAIL_SLOT_NONE,
    };
}

uint32_t hail_sources_crowd(const struct hail_sources *sources)
{
    if (sources->most == 0)
        return HAIL_SLOT_NONE;
    return source_at(sources, sources->ranks[sources->most].first)->oldest - 1;
}

void hail_sources_begin(struct hail_sources *sources, uint32_t slot, const struct hail_path *from)
{
    struct hail_source_member *member = &sources->members[slot];
    uint32_t source = find_or_add(sources, hash_of(sources, from));
    struct hail_source *own = source_at(sources, source);

    HAIL_ASSERT(member->source == 0);
    *member = (struct hail_source_member){.source = source, .prev = own->newest};
    if (own->newest != 0)
        sources->members[own->newest - 1].next = slot + 1;
    else
        own->oldest = slot + 1;
    own->newest = slot + 1;
    set_rank(sources, source, own->handshakes + 1);
}

static void leave_handshakes(struct hail_sources *sources, const struct hail_source_member *member)
{
    struct hail_source *own = source_at(sources, member->source);

    if (member->prev != 0)
        sources->members[member->prev - 1].next = member->next;
    else
        own->oldest = member->next;
    if (member->next != 0)
        sources->members[member->next - 1].prev = member->prev;
    else
        own->newest = member->prev;
    set_rank(sources, member->source, own->handshakes - 1);
}

bool hail_sources_join(struct hail_sources *sources, uint32_t slot, uint32_t most)
{
    struct hail_source_member *member = &sources->members[slot];
    struct hail_source *own = source_at(sources, member->source);

    HAIL_ASSERT(member->source != 0 && member->prev != IS_CONN);
    if (most == 0) {
        hail_sources_end(sources, slot);
        return true;
    }
    if (own->conns >= most)
        return false;
    leave_handshakes(sources, member);
    own->conns++;
    member->prev = IS_CONN;
    return true;
}

bool hail_sources_end(struct hail_sources *sources, uint32_t slot)
{
    struct hail_source_member *member = &sources->members[slot];
    uint32_t source = member->source;

    if (source == 0)
        return false;
    if (member->prev == IS_CONN) {
        HAIL_ASSERT(source_at(sources, source)->conns > 0);
        source_at(sources, source)->conns--;
    } else {
        leave_handshakes(sources, member);
    }
    *member = (struct hail_source_member){0};
    forget_if_empty(sources, source);
    return true;
}
