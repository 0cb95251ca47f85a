// sources.h: who begins handshakes and who has connections, by source prefix: an IPv4 address or an
// IPv6 /56 (proto/path.h). So that one source cannot crowd the others out, it says which prefix
// has the most unfinished handshakes, and which of them is the oldest. On memory that is reserved
// at start, with places for as many prefixes as there can be, in steps that do not depend on how
// many there are.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_SOURCES_H
#define HAIL_ENGINE_SHARD_SOURCES_H

#include "crypto/random.h"
#include "engine/memory/slab.h"
#include "proto/path.h"

// A prefix that has something. What names another one, here and below, is an index plus 1; 0: none.
struct hail_source {
    uint64_t hash; // of the prefix, under the key
    uint32_t next; // in its bucket of the lookup
    uint32_t handshakes;
    uint32_t conns;  // 0 where they are not counted
    uint32_t oldest; // slots with unfinished handshakes
    uint32_t newest;
    uint32_t rank_prev; // prefixes with as many handshakes
    uint32_t rank_next;
};

// What a slot is to its prefix.
struct hail_source_member {
    uint32_t source; // 0: nothing
    uint32_t prev;   // of its prefix's unfinished handshakes
    uint32_t next;
};

// The prefixes with the same number of handshakes, in the order in which they got it.
struct hail_source_rank {
    uint32_t first;
    uint32_t last;
};

struct hail_sources {
    uint64_t hash_key[2];
    struct hail_slab list;              // struct hail_source
    struct hail_source_member *members; // one for each slot
    struct hail_source_rank *ranks;     // by number of handshakes
    uint32_t *buckets;                  // the lookup
    uint32_t bucket_count;              // a power of two
    uint32_t most;                      // handshakes that a prefix has
};

// hail_sources_init takes the memory from `arena`, for at most `handshakes_max` unfinished
// handshakes at one time, and for `conns_max` connections; 0: they are not counted.
void hail_sources_init(struct hail_sources *sources, struct hail_arena *arena, uint32_t slot_count,
                       uint32_t handshakes_max, uint32_t conns_max);

// hail_sources_seed draws the key, so that nobody can choose whose bucket he fills.
void hail_sources_seed(struct hail_sources *sources, struct hail_random *random);

// What a prefix has.
struct hail_source_view {
    uint32_t handshakes;
    uint32_t conns;
    uint32_t oldest; // slot of its oldest unfinished handshake; HAIL_SLOT_NONE: it has none
};

// hail_sources_look says what the prefix of `from` has.
struct hail_source_view hail_sources_look(const struct hail_sources *sources,
                                          const struct hail_path *from);

// hail_sources_crowd returns the slot of the oldest unfinished handshake of the prefix that has the
// most of them, of several the one that has had so many for the longest; HAIL_SLOT_NONE: there is
// no handshake.
uint32_t hail_sources_crowd(const struct hail_sources *sources);

// hail_sources_begin begins a handshake in a slot that has nothing.
void hail_sources_begin(struct hail_sources *sources, uint32_t slot, const struct hail_path *from);

// hail_sources_join makes a slot's handshake a connection, unless its prefix has `most` of them
// already: then it returns false, and nothing changed. 0: connections are not counted, and the slot
// has nothing any more.
HAIL_MUST_USE bool hail_sources_join(struct hail_sources *sources, uint32_t slot, uint32_t most);

// hail_sources_end ends what a slot has. False: it has nothing.
bool hail_sources_end(struct hail_sources *sources, uint32_t slot);

#endif
