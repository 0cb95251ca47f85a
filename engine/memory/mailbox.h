// mailbox.h: a bounded queue of records of any length, from many threads to one, without locks. A
// producer reserves room, fills it in place and commits; the consumer reads in place and releases.
// Records come out in the order in which they were reserved, so one that is being filled holds up
// those behind it: fill it at once.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MEMORY_MAILBOX_H
#define HAIL_ENGINE_MEMORY_MAILBOX_H

#include <stdatomic.h>

#include "engine/memory/arena.h"

// Where the consumer is. A wake-up that finds it awake is kept, or one between its last look around
// and its sleep would be lost.
enum hail_mailbox_state {
    HAIL_MAILBOX_AWAKE,
    HAIL_MAILBOX_ASLEEP,
    HAIL_MAILBOX_WOKEN // since it last went to sleep, or tried to
};

struct hail_mailbox {
    // Set by init, constant after.
    uint8_t *ring;
    size_t capacity; // a power of two

    // Producers' line: bytes ever reserved.
    _Alignas(HAIL_CACHE_LINE) _Atomic uint64_t tail;

    // Consumer's line: bytes ever released, read by producers; and the consumer's own place.
    _Alignas(HAIL_CACHE_LINE) _Atomic uint64_t head;
    uint64_t read;

    // An enum hail_mailbox_state.
    _Alignas(HAIL_CACHE_LINE) _Atomic uint32_t state;
};

// hail_mailbox_init takes `capacity` bytes, a power of two of at least 4096, from `arena`.
void hail_mailbox_init(struct hail_mailbox *box, struct hail_arena *arena, size_t capacity);

// hail_mailbox_record_max returns the longest record that always fits into an empty mailbox.
size_t hail_mailbox_record_max(const struct hail_mailbox *box);

// hail_mailbox_reserve returns room for a record of `len` bytes, aligned to 8, or NULL when the
// mailbox is full.
// Threads  Any.
HAIL_MUST_USE void *hail_mailbox_reserve(struct hail_mailbox *box, size_t len);

// hail_mailbox_reserve_leaving does the same, and leaves `spare` bytes for those who have less.
// Threads  Any.
HAIL_MUST_USE void *hail_mailbox_reserve_leaving(struct hail_mailbox *box, size_t len,
                                                 size_t spare);

// hail_mailbox_has_half says whether half of the mailbox is free.
// Threads  Any.
bool hail_mailbox_has_half(const struct hail_mailbox *box);

// hail_mailbox_commit hands over a reserved record; hail_mailbox_abandon gives the room up instead.
// Threads  The one that reserved it.
void hail_mailbox_commit(void *record);
void hail_mailbox_abandon(void *record);

// hail_mailbox_wake says whether the consumer sleeps and the caller is the one who has to wake it.
// Call it after a commit, or after anything else that the consumer is to see before it sleeps.
HAIL_MUST_USE bool hail_mailbox_wake(struct hail_mailbox *box);

// hail_mailbox_next reads the next record; NULL: there is none.
// Threads  The consumer's, as all below.
void *hail_mailbox_next(struct hail_mailbox *box, size_t *len);

// hail_mailbox_release gives back the room of every record read so far.
void hail_mailbox_release(struct hail_mailbox *box);

// hail_mailbox_sleep announces sleep. Returns false when a record waits or somebody has called
// hail_mailbox_wake since the last time: look around again instead of sleeping.
HAIL_MUST_USE bool hail_mailbox_sleep(struct hail_mailbox *box);

// hail_mailbox_rest announces sleep of a consumer that cannot take another record now, whatever
// waits. Returns false when somebody has called hail_mailbox_wake since the last time.
HAIL_MUST_USE bool hail_mailbox_rest(struct hail_mailbox *box);

#endif
