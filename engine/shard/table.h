// table.h: a shard's slots: which are in use, under which generation, and what any thread may read
// of them. Slots are never freed while the endpoint lives, so no reader can touch freed memory; a
// reader copies what it wants between two looks at the slot's sequence and generation, and tries
// again when they moved.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_TABLE_H
#define HAIL_ENGINE_SHARD_TABLE_H

#include "engine/context/figures.h"
#include "engine/context/limits.h"
#include "engine/hail.h"
#include "engine/memory/arena.h"

enum {
    HAIL_SLOT_BITS = 24
};

// A connection's name: shard 8 bits, generation 32, slot 24. Generations begin at 1, so 0 is no
// name.
struct hail_name {
    uint8_t shard;
    uint32_t generation;
    uint32_t slot;
};

static inline struct hail_conn hail_name_pack(struct hail_name name)
{
    return (struct hail_conn){(uint64_t)name.shard << 56 |
                              (uint64_t)name.generation << HAIL_SLOT_BITS | name.slot};
}

static inline struct hail_name hail_name_unpack(struct hail_conn conn)
{
    return (struct hail_name){
        .shard = (uint8_t)(conn.id >> 56),
        .generation = (uint32_t)(conn.id >> HAIL_SLOT_BITS),
        .slot = (uint32_t)(conn.id & ((1u << HAIL_SLOT_BITS) - 1)),
    };
}

enum {
    HAIL_FACT_CONNECTED = 1u << 0,
    HAIL_FACT_KEY = 1u << 1
};

// A client's newest ticket, published likewise under the slot's sequence.
struct hail_slot_ticket {
    _Atomic uint32_t len; // 0: none
    _Atomic uint64_t words[HAIL_TICKET_MAX / 8];
};

struct hail_table {
    struct hail_slot_public *slots;
    struct hail_slot_ticket *tickets; // one for each slot; NULL: this end keeps none
    uint32_t *next_free;
    uint32_t free_first;
    uint32_t fresh; // slots from here on were never used
    uint32_t slot_count;
    uint32_t used_count;
    uint8_t shard;
};

void hail_table_init(struct hail_table *table, struct hail_arena *arena, uint32_t slot_count,
                     uint8_t shard);

// hail_table_keep_tickets makes room for tickets.
void hail_table_keep_tickets(struct hail_table *table, struct hail_arena *arena);

// hail_table_take takes a free slot under a fresh generation; HAIL_SLOT_NONE: there is none.
uint32_t hail_table_take(struct hail_table *table);

// hail_table_free ends the slot's name and wipes what was published.
void hail_table_free(struct hail_table *table, uint32_t slot);

// hail_table_renew ends the slot's name and gives it another, without giving up the slot;
// hail_table_clear takes back what was published, and leaves the name.
void hail_table_renew(struct hail_table *table, uint32_t slot);
void hail_table_clear(struct hail_table *table, uint32_t slot);

// hail_table_name returns the name of a slot in use.
struct hail_conn hail_table_name(const struct hail_table *table, uint32_t slot);

// hail_table_find returns the slot that `conn` names, or HAIL_SLOT_NONE when it is stale or no name
// of this table.
// Threads  Any; but only the shard's own can rely on it for longer than the call.
uint32_t hail_table_find(const struct hail_table *table, struct hail_conn conn);

// hail_table_facts returns what is known of the connection that `conn` names, as it was at some
// moment of the call; false: it is stale. Threads  Any.
HAIL_MUST_USE bool hail_table_facts(const struct hail_table *table, struct hail_conn conn,
                                    uint32_t *facts);

// hail_table_publish_peer, _key and _connected publish facts of a slot in use.
void hail_table_publish_peer(struct hail_table *table, uint32_t slot, const struct sockaddr *peer,
                             socklen_t peer_len);
void hail_table_publish_key(struct hail_table *table, uint32_t slot,
                            const uint8_t key[HAIL_KEY_LEN]);
void hail_table_publish_connected(struct hail_table *table, uint32_t slot);

// hail_table_publish_ticket publishes a ticket of at most HAIL_TICKET_MAX bytes.
void hail_table_publish_ticket(struct hail_table *table, uint32_t slot, const uint8_t *ticket,
                               size_t len);

// hail_table_count adds to a traffic counter, hail_table_gauge sets one.
static inline void hail_table_count(struct hail_table *table, uint32_t slot,
                                    enum hail_conn_figure which, uint64_t amount)
{
    hail_figure_count(&table->slots[slot], which, amount);
}
static inline void hail_table_gauge(struct hail_table *table, uint32_t slot,
                                    enum hail_conn_figure which, uint64_t value)
{
    hail_figure_gauge(&table->slots[slot], which, value);
}

// hail_table_figure returns a figure of the connection that `conn` names; 0: the name is stale.
// Threads  Any.
uint64_t hail_table_figure(const struct hail_table *table, struct hail_conn conn,
                           enum hail_conn_figure which);

// A copy of what is published.
struct hail_slot_view {
    uint32_t facts;
    uint8_t key[HAIL_KEY_LEN];
    struct sockaddr_storage peer;
    uint64_t traffic[HAIL_CONN_FIGURE_COUNT];
};

// hail_table_read copies what is published of the connection that `conn` names. False: it is stale.
// The view may hold a key: wipe it.
// Threads  Any. Never waits for longer than the writer takes for a few stores.
HAIL_MUST_USE bool hail_table_read(const struct hail_table *table, struct hail_conn conn,
                                   struct hail_slot_view *view);

// hail_table_read_ticket copies the newest ticket of the connection that `conn` names; `*len` is 0
// when it has none. False: the name is stale. As hail_table_read otherwise.
HAIL_MUST_USE bool hail_table_read_ticket(const struct hail_table *table, struct hail_conn conn,
                                          uint8_t ticket[HAIL_TICKET_MAX], size_t *len);

#endif
