// table.c: see table.h. The sequence lock is written without fences, with release stores and
// acquire loads of the words themselves: on x86 they cost the same, and tools that watch for races
// understand them.
// SPDX-License-Identifier: MIT
#include "engine/shard/table.h"

#include <netinet/in.h>
#include <string.h>

#include "crypto/secret.h"

_Static_assert(sizeof(struct sockaddr_in6) <= 32, "an address fits into the published words");
_Static_assert(HAIL_SLOTS_MAX <= 1 << HAIL_SLOT_BITS, "a slot fits into its part of a name");

void hail_table_init(struct hail_table *table, struct hail_arena *arena, uint32_t slot_count,
                     uint8_t shard)
{
    HAIL_ASSERT(slot_count <= HAIL_SLOTS_MAX);
    *table = (struct hail_table){
        .slots = hail_arena_take(arena, slot_count, sizeof(struct hail_slot_public)),
        .next_free = hail_arena_take(arena, slot_count, sizeof(uint32_t)),
        .free_first = HAIL_SLOT_NONE,
        .slot_count = slot_count,
        .shard = shard,
    };
}

void hail_table_keep_tickets(struct hail_table *table, struct hail_arena *arena)
{
    table->tickets = hail_arena_take(arena, table->slot_count, sizeof(struct hail_slot_ticket));
}

static bool is_used(const struct hail_table *table, uint32_t slot)
{
    return slot < table->fresh &&
           (atomic_load_explicit(&table->slots[slot].generation, memory_order_relaxed) & 1);
}

static void begin_write(struct hail_slot_public *slot)
{
    uint32_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);

    HAIL_ASSERT(!(sequence & 1)); // one writer at a time
    // The stores of the words that follow are releases, so none of them is seen before this one.
    atomic_store_explicit(&slot->sequence, sequence + 1, memory_order_relaxed);
}

static void end_write(struct hail_slot_public *slot)
{
    uint32_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);

    HAIL_ASSERT(sequence & 1);
    // Release: pairs with the acquire that begins hail_table_read.
    atomic_store_explicit(&slot->sequence, sequence + 1, memory_order_release);
}

static void write_words(_Atomic uint64_t *words, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = 0;
        if (bytes)
            memcpy(&word, (const uint8_t *)bytes + 8 * i, 8);
        atomic_store_explicit(&words[i], word, memory_order_release); // see begin_write
    }
}

static void write_ticket(struct hail_slot_ticket *own, const uint8_t *ticket, size_t len)
{
    uint8_t whole[HAIL_TICKET_MAX] = {0};

    if (len > 0)
        memcpy(whole, ticket, len);
    atomic_store_explicit(&own->len, (uint32_t)len, memory_order_release);
    write_words(own->words, whole, HAIL_COUNTOF(own->words));
    hail_wipe(whole, sizeof whole);
}

static void clear(struct hail_table *table, uint32_t index)
{
    struct hail_slot_public *slot = &table->slots[index];

    atomic_store_explicit(&slot->facts, 0, memory_order_release);
    write_words(slot->key, NULL, HAIL_COUNTOF(slot->key));
    write_words(slot->peer, NULL, HAIL_COUNTOF(slot->peer));
    write_words(slot->traffic, NULL, HAIL_COUNTOF(slot->traffic));
    if (table->tickets)
        write_ticket(&table->tickets[index], NULL, 0);
}

static void step_generation(struct hail_table *table, uint32_t index)
{
    struct hail_slot_public *slot = &table->slots[index];
    uint32_t generation = atomic_load_explicit(&slot->generation, memory_order_relaxed);

    begin_write(slot);
    clear(table, index);
    atomic_store_explicit(&slot->generation, generation + 1, memory_order_release);
    end_write(slot);
}

uint32_t hail_table_take(struct hail_table *table)
{
    uint32_t slot = table->free_first;

    if (slot != HAIL_SLOT_NONE)
        table->free_first = table->next_free[slot];
    else if (table->fresh < table->slot_count)
        slot = table->fresh++;
    else
        return HAIL_SLOT_NONE;
    table->used_count++;
    HAIL_ASSERT(!is_used(table, slot));
    step_generation(table, slot);
    return slot;
}

void hail_table_free(struct hail_table *table, uint32_t slot)
{
    HAIL_ASSERT(table->used_count > 0);
    HAIL_ASSERT(is_used(table, slot));
    step_generation(table, slot);
    table->used_count--;
    table->next_free[slot] = table->free_first;
    table->free_first = slot;
}

void hail_table_renew(struct hail_table *table, uint32_t slot)
{
    HAIL_ASSERT(is_used(table, slot));
    step_generation(table, slot);
    step_generation(table, slot);
}

void hail_table_clear(struct hail_table *table, uint32_t slot)
{
    HAIL_ASSERT(is_used(table, slot));
    begin_write(&table->slots[slot]);
    clear(table, slot);
    end_write(&table->slots[slot]);
}

struct hail_conn hail_table_name(const struct hail_table *table, uint32_t slot)
{
    return hail_name_pack((struct hail_name){
        .shard = table->shard,
        .generation = atomic_load_explicit(&table->slots[slot].generation, memory_order_relaxed),
        .slot = slot,
    });
}

uint32_t hail_table_find(const struct hail_table *table, struct hail_conn conn)
{
    struct hail_name name = hail_name_unpack(conn);

    if (name.shard != table->shard || name.slot >= table->slot_count || !(name.generation & 1))
        return HAIL_SLOT_NONE;
    if (atomic_load_explicit(&table->slots[name.slot].generation, memory_order_relaxed) !=
        name.generation)
        return HAIL_SLOT_NONE;
    return name.slot;
}

bool hail_table_facts(const struct hail_table *table, struct hail_conn conn, uint32_t *facts)
{
    uint32_t slot = hail_table_find(table, conn);

    if (slot == HAIL_SLOT_NONE)
        return false;
    *facts = atomic_load_explicit(&table->slots[slot].facts, memory_order_relaxed);
    return true;
}

uint64_t hail_table_figure(const struct hail_table *table, struct hail_conn conn,
                           enum hail_conn_figure which)
{
    uint32_t slot = hail_table_find(table, conn);

    return slot == HAIL_SLOT_NONE
               ? 0
               : atomic_load_explicit(&table->slots[slot].traffic[which], memory_order_relaxed);
}

void hail_table_publish_peer(struct hail_table *table, uint32_t slot, const struct sockaddr *peer,
                             socklen_t peer_len)
{
    uint8_t bytes[32] = {0};

    HAIL_ASSERT(is_used(table, slot));
    memcpy(bytes, peer, peer_len < sizeof bytes ? peer_len : sizeof bytes);
    begin_write(&table->slots[slot]);
    write_words(table->slots[slot].peer, bytes, HAIL_COUNTOF(table->slots[slot].peer));
    end_write(&table->slots[slot]);
}

static void publish_fact(struct hail_slot_public *slot, uint32_t fact)
{
    uint32_t facts = atomic_load_explicit(&slot->facts, memory_order_relaxed);

    atomic_store_explicit(&slot->facts, facts | fact, memory_order_release); // see begin_write
}

void hail_table_publish_key(struct hail_table *table, uint32_t slot,
                            const uint8_t key[HAIL_KEY_LEN])
{
    HAIL_ASSERT(is_used(table, slot));
    begin_write(&table->slots[slot]);
    write_words(table->slots[slot].key, key, HAIL_COUNTOF(table->slots[slot].key));
    publish_fact(&table->slots[slot], HAIL_FACT_KEY);
    end_write(&table->slots[slot]);
}

void hail_table_publish_connected(struct hail_table *table, uint32_t slot)
{
    HAIL_ASSERT(is_used(table, slot));
    begin_write(&table->slots[slot]);
    publish_fact(&table->slots[slot], HAIL_FACT_CONNECTED);
    end_write(&table->slots[slot]);
}

void hail_table_publish_ticket(struct hail_table *table, uint32_t slot, const uint8_t *ticket,
                               size_t len)
{
    HAIL_ASSERT(table->tickets);
    HAIL_ASSERT(is_used(table, slot));
    HAIL_ASSERT(len <= HAIL_TICKET_MAX);
    begin_write(&table->slots[slot]);
    write_ticket(&table->tickets[slot], ticket, len);
    end_write(&table->slots[slot]);
}

static void read_words(void *bytes, const _Atomic uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        // Acquire: the second look at the sequence must not come before this load.
        uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);
        memcpy((uint8_t *)bytes + 8 * i, &word, 8);
    }
}

bool hail_table_read(const struct hail_table *table, struct hail_conn conn,
                     struct hail_slot_view *view)
{
    struct hail_name name = hail_name_unpack(conn);

    if (name.shard != table->shard || name.slot >= table->slot_count || !(name.generation & 1))
        return false;

    const struct hail_slot_public *slot = &table->slots[name.slot];
    for (;;) {
        // Acquire: pairs with the release in end_write.
        uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
        uint32_t generation = atomic_load_explicit(&slot->generation, memory_order_acquire);
        if (before & 1)
            continue;
        if (generation != name.generation) {
            hail_wipe(view, sizeof *view); // an earlier round may have read another's key
            return false;
        }
        memset(&view->peer, 0, sizeof view->peer);
        view->facts = atomic_load_explicit(&slot->facts, memory_order_acquire);
        read_words(view->key, slot->key, HAIL_COUNTOF(slot->key));
        read_words(&view->peer, slot->peer, HAIL_COUNTOF(slot->peer));
        read_words(view->traffic, slot->traffic, HAIL_COUNTOF(slot->traffic));
        if (atomic_load_explicit(&slot->sequence, memory_order_relaxed) == before)
            return true;
    }
}

bool hail_table_read_ticket(const struct hail_table *table, struct hail_conn conn,
                            uint8_t ticket[HAIL_TICKET_MAX], size_t *len)
{
    uint32_t slot = hail_table_find(table, conn);
    uint32_t before;

    if (slot == HAIL_SLOT_NONE)
        return false;
    *len = 0;
    if (!table->tickets)
        return true;
    const struct hail_slot_public *facts = &table->slots[slot];
    const struct hail_slot_ticket *own = &table->tickets[slot];
    do {
        // Acquire: pairs with the release in end_write.
        before = atomic_load_explicit(&facts->sequence, memory_order_acquire);
        *len = atomic_load_explicit(&own->len, memory_order_acquire);
        read_words(ticket, own->words, HAIL_COUNTOF(own->words));
    } while (before & 1 || atomic_load_explicit(&facts->sequence, memory_order_relaxed) != before);
    if (hail_table_find(table, conn) == slot)
        return true;
    hail_wipe(ticket, HAIL_TICKET_MAX); // another's
    return false;
}
