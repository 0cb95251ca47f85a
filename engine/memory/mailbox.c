// mailbox.c: the ring behind a mailbox. Each record has a header word: 0 while it is being filled,
// then its length and what it is. A consumer zeroes what it releases, so that a producer's room is
// always zero and a header is never a leftover.
// SPDX-License-Identifier: MIT
#include "engine/memory/mailbox.h"

#include <string.h>

enum {
    HEADER_LEN = 8,
    ALIGN = 8
};

// The header's kind, in the low bits: lengths are multiples of 8.
#define KIND_RECORD  1u
#define KIND_SKIPPED 2u
#define KIND_MASK    7u

// In front of each record. `len` is the record's own length; the room it takes is in `state`.
struct header {
    _Atomic uint32_t state; // room with the header, and a kind; 0: not committed
    uint32_t len;
};
_Static_assert(sizeof(struct header) == HEADER_LEN, "records stay aligned");

static size_t room_for(size_t len)
{
    return HEADER_LEN + (len + ALIGN - 1) / ALIGN * ALIGN;
}

static struct header *header_at(const struct hail_mailbox *box, uint64_t position)
{
    return (struct header *)(void *)(box->ring + (position & (box->capacity - 1)));
}

void hail_mailbox_init(struct hail_mailbox *box, struct hail_arena *arena, size_t capacity)
{
    HAIL_ASSERT(capacity >= 4096);
    HAIL_ASSERT((capacity & (capacity - 1)) == 0);
    HAIL_ASSERT(capacity <= 1u << 30);
    box->ring = hail_arena_take(arena, capacity, 1);
    box->capacity = capacity;
    atomic_init(&box->tail, 0);
    atomic_init(&box->head, 0);
    atomic_init(&box->state, HAIL_MAILBOX_AWAKE);
    box->read = 0;
}

size_t hail_mailbox_record_max(const struct hail_mailbox *box)
{
    // Half, since a record never wraps: the end of the ring may have to be skipped before it.
    return box->capacity / 2 - HEADER_LEN;
}

void *hail_mailbox_reserve_leaving(struct hail_mailbox *box, size_t len, size_t spare)
{
    size_t room = room_for(len);
    uint64_t tail = atomic_load_explicit(&box->tail, memory_order_relaxed);
    uint64_t skipped;

    if (len > hail_mailbox_record_max(box))
        return NULL;
    do {
        size_t to_end = box->capacity - (tail & (box->capacity - 1));
        skipped = to_end < room ? to_end : 0;
        // Acquire: pairs with the release in release(), so that the zeroes are there before us.
        uint64_t head = atomic_load_explicit(&box->head, memory_order_acquire);
        if (head > tail)
            continue; // `tail` is stale, so the exchange fails and brings a fresh one
        if (tail - head + skipped + room + spare > box->capacity)
            return NULL;
        // Relaxed: the place is ours by the exchange alone; its content is published by commit.
    } while (!atomic_compare_exchange_weak_explicit(&box->tail, &tail, tail + skipped + room,
                                                    memory_order_relaxed, memory_order_relaxed));

    if (skipped > 0) {
        // Release: pairs with the acquire in next().
        atomic_store_explicit(&header_at(box, tail)->state, (uint32_t)skipped | KIND_SKIPPED,
                              memory_order_release);
    }
    struct header *header = header_at(box, tail + skipped);
    // What was released was zeroed, or a consumer would take it for a record.
    HAIL_ASSERT(atomic_load_explicit(&header->state, memory_order_relaxed) == 0);
    header->len = (uint32_t)len;
    return header + 1;
}

void *hail_mailbox_reserve(struct hail_mailbox *box, size_t len)
{
    return hail_mailbox_reserve_leaving(box, len, 0);
}

bool hail_mailbox_has_half(const struct hail_mailbox *box)
{
    uint64_t head = atomic_load_explicit(&box->head, memory_order_relaxed);

    return atomic_load_explicit(&box->tail, memory_order_relaxed) - head <= box->capacity / 2;
}

static void publish(void *record, uint32_t kind)
{
    struct header *header = (struct header *)record - 1;

    HAIL_ASSERT(atomic_load_explicit(&header->state, memory_order_relaxed) == 0); // once
    // Release: pairs with the acquire in next(), so the record is whole before it can be seen.
    atomic_store_explicit(&header->state, (uint32_t)room_for(header->len) | kind,
                          memory_order_release);
}

void hail_mailbox_commit(void *record)
{
    publish(record, KIND_RECORD);
}

void hail_mailbox_abandon(void *record)
{
    publish(record, KIND_SKIPPED);
}

bool hail_mailbox_wake(struct hail_mailbox *box)
{
    // Acquire and release: whichever exchange of `state` comes second sees what was done before the
    // first. So either we see that the consumer sleeps, or it sees that it has been woken.
    return atomic_exchange_explicit(&box->state, HAIL_MAILBOX_WOKEN, memory_order_acq_rel) ==
           HAIL_MAILBOX_ASLEEP;
}

void *hail_mailbox_next(struct hail_mailbox *box, size_t *len)
{
    // A full ring read to its end: the header at `read` is that of a record not yet released.
    while (box->read - atomic_load_explicit(&box->head, memory_order_relaxed) < box->capacity) {
        struct header *header = header_at(box, box->read);
        // Acquire: pairs with the release in publish() and reserve().
        uint32_t state = atomic_load_explicit(&header->state, memory_order_acquire);
        if (state == 0)
            return NULL;
        HAIL_ASSERT((state & ~KIND_MASK) <= box->capacity);
        box->read += state & ~KIND_MASK;
        if ((state & KIND_MASK) == KIND_RECORD) {
            HAIL_ASSERT(room_for(header->len) == (state & ~KIND_MASK));
            *len = header->len;
            return header + 1;
        }
    }
    return NULL;
}

void hail_mailbox_release(struct hail_mailbox *box)
{
    uint64_t head = atomic_load_explicit(&box->head, memory_order_relaxed);
    uint64_t len = box->read - head;
    size_t start = head & (box->capacity - 1);
    size_t first = len < box->capacity - start ? (size_t)len : box->capacity - start;

    if (len == 0)
        return;
    HAIL_ASSERT(len <= box->capacity);
    memset(box->ring + start, 0, first);
    memset(box->ring, 0, (size_t)len - first);
    // Release: pairs with the acquire in reserve(), so the zeroes come before the room is taken.
    atomic_store_explicit(&box->head, box->read, memory_order_release);
}

bool hail_mailbox_sleep(struct hail_mailbox *box)
{
    bool full = box->read - atomic_load_explicit(&box->head, memory_order_relaxed) >= box->capacity;
    // See wake().
    uint32_t before =
        atomic_exchange_explicit(&box->state, HAIL_MAILBOX_ASLEEP, memory_order_acq_rel);

    if (before != HAIL_MAILBOX_WOKEN &&
        (full ||
         atomic_load_explicit(&header_at(box, box->read)->state, memory_order_acquire) == 0))
        return true;
    atomic_exchange_explicit(&box->state, HAIL_MAILBOX_AWAKE, memory_order_acq_rel);
    return false;
}

bool hail_mailbox_rest(struct hail_mailbox *box)
{
    // See wake().
    if (atomic_exchange_explicit(&box->state, HAIL_MAILBOX_ASLEEP, memory_order_acq_rel) !=
        HAIL_MAILBOX_WOKEN)
        return true;
    atomic_exchange_explicit(&box->state, HAIL_MAILBOX_AWAKE, memory_order_acq_rel);
    return false;
}
