// audit.c: see audit.h. Connections, and what a shard lists and counts them by.
// SPDX-License-Identifier: MIT
#include "tests/audit.h"

#include "engine/handshake/server.h"
#include "engine/native/native.h"
#include "engine/native/state.h"
#include "tests/audit_stores.h"

// What connections add up to.
struct sums {
    uint32_t used;
    uint32_t handshakes;
    uint32_t proven;
    uint32_t timers;
    uint32_t known; // to the lookup of handshakes
    uint32_t rated; // by the quota: they hold HAIL_QUOTA_LEAST at least
};

static bool is_native(const struct hail_shard *shard)
{
    return shard->context->config.profile == HAIL_PROFILE_HAIL;
}

static bool lives(const struct hail_conn_slot *conn)
{
    return conn->state == HAIL_CONN_OPEN || conn->state == HAIL_CONN_FLUSHING;
}

// ---- One connection

// Work for the backend has the slot in the queue `output`, what waits for room among the events has
// it in `held`.
static void check_queued(struct audit *audit, uint32_t slot)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_conn_slot *conn = &shard->conns[slot];
    bool sends = !is_native(shard) && conn->out.len > 0 && conn->in_flight == 0;
    bool works = (conn->state == HAIL_CONN_CLOSING && !conn->close_told) ||
                 (lives(conn) && (sends || conn->rebinds || conn->pause_changed));
    bool waits = conn->state == HAIL_CONN_CLOSED ||
                 (conn->state == HAIL_CONN_OPEN && (conn->held || conn->connected_pending));

    if (works && !shard->output.waiting[slot])
        audit_fail(audit, "slot %u has work for the backend, which is not told", slot);
    if (waits && !shard->held.waiting[slot])
        audit_fail(audit, "slot %u waits to tell the application, and is not tried again", slot);
}

// A timer rings when something is due at the latest.
static void check_timer(struct audit *audit, uint32_t slot, struct sums *sums)
{
    const struct hail_shard *shard = audit->shard;
    uint32_t place = shard->timers.place[slot];
    uint64_t at_ns = hail_timers_deadline(&shard->timers, slot);
    uint64_t due_ns = hail_conn_next_ns(shard, slot);

    sums->timers += place != 0;
    if (place != 0 && (place > shard->timers.count || shard->timers.heap[place - 1].slot != slot)) {
        audit_fail(audit, "slot %u has another one's timer", slot);
        return;
    }
    if (at_ns > due_ns)
        audit_fail(audit, "slot %u: something is due at %llu ns, and the timer rings at %llu", slot,
                   (unsigned long long)due_ns, (unsigned long long)at_ns);
    if (due_ns == UINT64_MAX && shard->conns[slot].state >= HAIL_CONN_CLOSING && place != 0)
        audit_fail(audit, "slot %u ends, and has a timer", slot);
}

// Whether the states of a connection and of its handshake fit, and what each of them has.
static void check_handshake(struct audit *audit, uint32_t slot, struct sums *sums)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_conn_slot *conn = &shard->conns[slot];
    const struct hail_native *native = &shard->native->conns[slot];
    bool is_server = shard->context->is_server;
    bool greeted =
        native->state == HAIL_NATIVE_EXPECT_FINISH || native->state == HAIL_NATIVE_EXPECT_TURN;
    bool keyed = native->state == HAIL_NATIVE_EXPECT_DECISION ||
                 native->state == HAIL_NATIVE_EXPECT_ANSWER ||
                 native->state == HAIL_NATIVE_CONNECTED;
    uint32_t welcome = is_server ? audit_chain(audit, AUDIT_WELCOMES, &native->welcome) : 0;

    if (native->state != HAIL_NATIVE_CONNECTED &&
        is_server != (greeted || native->state == HAIL_NATIVE_EXPECT_DECISION))
        audit_fail(audit, "slot %u: a handshake has the other end's state", slot);
    if (native->keyed != (lives(conn) && keyed))
        audit_fail(audit, "slot %u has a key in the states %u and %u, or none", slot, conn->state,
                   native->state);
    if (lives(conn) && conn->joined != (native->state == HAIL_NATIVE_CONNECTED))
        audit_fail(audit, "slot %u has joined and its handshake goes on, or the reverse", slot);
    if (is_server && (welcome > 0) != (lives(conn) && greeted))
        audit_fail(audit, "slot %u has a welcome in the states %u and %u, or none", slot,
                   conn->state, native->state);
    if (is_server && lives(conn) && hail_native_find(shard, native->conn_id) != slot)
        audit_fail(audit, "slot %u is not found by its id on the wire", slot);
    if (shard->delivery.conns[slot].out_first != HAIL_OUTGOING_NONE ||
        shard->delivery.conns[slot].out_last != HAIL_OUTGOING_NONE)
        audit_fail(audit, "slot %u has a datagram in an empty outbox", slot);
    sums->known += is_server && lives(conn);
}

// What it is charged with.
static void check_charge(struct audit *audit, uint32_t slot, struct sums *sums)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_conn_slot *conn = &shard->conns[slot];
    uint32_t held = shard->quota.holders[slot].held;
    uint64_t charge = audit_chain(audit, AUDIT_BLOCKS, &conn->in) * shard->pool.block_size;

    if (is_native(shard) && !shard->context->is_server)
        charge += audit_chain(audit, AUDIT_BLOCKS, &shard->native->conns[slot].welcome) *
                  shard->pool.block_size;
    if (is_native(shard))
        charge += audit_delivery(audit, slot);
    else
        charge += audit_chain(audit, AUDIT_BLOCKS, &conn->out) * shard->pool.block_size;
    if (charge != held)
        audit_fail(audit, "slot %u holds %llu bytes, and is charged with %u", slot,
                   (unsigned long long)charge, held);
    sums->rated += held >= HAIL_QUOTA_LEAST;
}

static void check_conn(struct audit *audit, uint32_t slot, struct sums *sums)
{
    const struct hail_shard *shard = audit->shard;
    const struct hail_conn_slot *conn = &shard->conns[slot];
    bool shakes = !conn->proven && !conn->joined &&
                  (conn->state == HAIL_CONN_CONNECTING || conn->state == HAIL_CONN_OPEN);
    bool counts = conn->proven && shard->context->config.conns_per_prefix > 0;
    uint64_t unsent = atomic_load(&shard->table.slots[slot].traffic[HAIL_CONN_FIGURE_UNSENT]);

    sums->used++;
    sums->handshakes += shakes;
    sums->proven += conn->proven;
    check_queued(audit, slot);
    check_timer(audit, slot, sums);
    check_charge(audit, slot, sums);
    if (is_native(shard))
        check_handshake(audit, slot, sums);
    if ((shard->sources.members[slot].source != 0) != (shakes || counts))
        audit_fail(audit, "slot %u is listed with its prefix in the state %u, or is not", slot,
                   conn->state);
    if (unsent != (is_native(shard) ? shard->delivery.conns[slot].sender.bytes : conn->out.len))
        audit_fail(audit, "slot %u shows %llu bytes that it has not sent", slot,
                   (unsigned long long)unsent);
    if (conn->state >= HAIL_CONN_CLOSING && shard->groups.first_of[slot] != 0)
        audit_fail(audit, "slot %u ends, and is in a group", slot);
    if (conn->in_flight > (is_native(shard) ? 0 : conn->out.len))
        audit_fail(audit, "slot %u has %u bytes with the backend, of %u", slot, conn->in_flight,
                   conn->out.len);
}

// A slot that is free has nothing.
static void check_free(struct audit *audit, uint32_t slot)
{
    const struct hail_shard *shard = audit->shard;

    if (shard->quota.holders[slot].held != 0 || shard->timers.place[slot] != 0 ||
        shard->sources.members[slot].source != 0 || shard->groups.first_of[slot] != 0)
        audit_fail(audit, "slot %u is free, and has something", slot);
}

// ---- Lists of connections

static void check_queue(struct audit *audit, const char *name, const struct hail_queue *queue)
{
    uint32_t waiting = 0;

    for (uint32_t slot = 0; slot < queue->slot_count; slot++)
        waiting += queue->waiting[slot];
    for (uint32_t i = 0; i < queue->count; i++) {
        if (!queue->waiting[queue->slots[(queue->first + i) % queue->slot_count]])
            audit_fail(audit, "the queue %s has somebody twice", name);
    }
    if (waiting != queue->count)
        audit_fail(audit, "the queue %s has %u, and %u know it", name, queue->count, waiting);
}

// The deadlines are a heap.
static void check_timers(struct audit *audit, const struct sums *sums)
{
    const struct hail_timers *timers = &audit->shard->timers;

    for (uint32_t i = 1; i < timers->count; i++) {
        if (timers->heap[i].deadline_ns < timers->heap[(i - 1) / 2].deadline_ns)
            audit_fail(audit, "slot %u: its timer rings after a later one", timers->heap[i].slot);
    }
    if (timers->count != sums->timers)
        audit_fail(audit, "there are %u timers, and %u have one", timers->count, sums->timers);
}

// The unfinished handshakes of a prefix, the oldest first. Returns how many there are.
static uint32_t check_source(struct audit *audit, uint32_t source)
{
    const struct hail_sources *sources = &audit->shard->sources;
    const struct hail_source *own = hail_slab_at(&sources->list, source - 1);
    uint32_t before = 0;
    uint32_t count = 0;

    for (uint32_t slot = own->oldest; slot != 0 && count <= own->handshakes; count++) {
        const struct hail_source_member *member = &sources->members[slot - 1];
        if (member->source != source || member->prev != before)
            audit_fail(audit, "slot %u is in the list of another prefix", slot - 1);
        before = slot;
        slot = member->next;
    }
    if (own->newest != before || own->handshakes != count)
        audit_fail(audit, "a prefix has %u handshakes, and %u are counted", count, own->handshakes);
    if (own->handshakes == 0 && own->conns == 0)
        audit_fail(audit, "a prefix is kept that has nothing");
    return count;
}

// Those prefixes that have so many handshakes. Returns how many there are.
static uint32_t check_rank(struct audit *audit, uint32_t handshakes)
{
    const struct hail_sources *sources = &audit->shard->sources;
    const struct hail_source_rank *rank = &sources->ranks[handshakes];
    uint32_t before = 0;
    uint32_t count = 0;

    for (uint32_t source = rank->first; source != 0 && count <= sources->list.used_count; count++) {
        const struct hail_source *own = hail_slab_at(&sources->list, source - 1);
        if (own->handshakes != handshakes || own->rank_prev != before)
            audit_fail(audit, "a prefix with %u handshakes is among those with %u", own->handshakes,
                       handshakes);
        before = source;
        source = own->rank_next;
    }
    if (rank->last != before)
        audit_fail(audit, "the list of those with %u handshakes has no end", handshakes);
    return count;
}

static void check_sources(struct audit *audit, const struct sums *sums)
{
    const struct hail_sources *sources = &audit->shard->sources;
    uint32_t handshakes = 0;
    uint32_t conns = 0;
    uint32_t ranked = 0;
    uint32_t expected = 0;

    for (uint32_t bucket = 0; bucket < sources->bucket_count; bucket++) {
        for (uint32_t source = sources->buckets[bucket]; source != 0;) {
            if (!audit_take(audit, AUDIT_SOURCES, source - 1))
                return;
            const struct hail_source *own = hail_slab_at(&sources->list, source - 1);
            handshakes += check_source(audit, source);
            conns += own->conns;
            expected += own->handshakes > 0;
            source = own->next;
        }
    }
    for (uint32_t rank = 1; rank <= sources->most; rank++)
        ranked += check_rank(audit, rank);
    if (sources->most > 0 && sources->ranks[sources->most].first == 0)
        audit_fail(audit, "no prefix has most handshakes");
    if (ranked != expected)
        audit_fail(audit, "%u prefixes have handshakes, and %u are listed", expected, ranked);
    if (handshakes != sums->handshakes)
        audit_fail(audit, "%u handshakes go on, and prefixes have %u", sums->handshakes,
                   handshakes);
    if (conns != (audit->shard->context->config.conns_per_prefix > 0 ? sums->proven : 0))
        audit_fail(audit, "%u connections are proven, and prefixes have %u", sums->proven, conns);
}

// Who holds much is listed by how much.
static void check_quota(struct audit *audit, const struct sums *sums)
{
    const struct hail_quota *quota = &audit->shard->quota;
    uint32_t listed = 0;

    for (unsigned k = 0; k <= HAIL_QUOTA_MOST_BITS; k++) {
        uint32_t before = HAIL_QUOTA_NONE;
        if ((quota->first[k] != HAIL_QUOTA_NONE) != (quota->listed >> k & 1))
            audit_fail(audit, "the quota's list %u is empty, or not", k);
        for (uint32_t slot = quota->first[k]; slot != HAIL_QUOTA_NONE && listed <= sums->rated;) {
            const struct hail_holder *holder = &quota->holders[slot];
            if (holder->held >> k != 1 || holder->prev != before)
                audit_fail(audit, "slot %u holds %u bytes, and is in the list %u", slot,
                           holder->held, k);
            listed++;
            before = slot;
            slot = holder->next;
        }
    }
    if (listed != sums->rated)
        audit_fail(audit, "%u hold much, and the quota lists %u", sums->rated, listed);
}

// Handshakes by token and address, which a server finds them by until they end.
static void check_greeted(struct audit *audit, const struct sums *sums)
{
    const struct hail_native_shard *native = audit->shard->native;
    uint32_t known = 0;

    for (uint32_t bucket = 0; bucket < native->server->greeted_count; bucket++) {
        for (uint32_t slot = native->server->greeted[bucket]; slot != 0 && known <= sums->known;
             known++) {
            if (!lives(&audit->shard->conns[slot - 1]))
                audit_fail(audit, "slot %u has ended, and its handshake is known", slot - 1);
            slot = native->conns[slot - 1].lookup_next;
        }
    }
    if (known != sums->known)
        audit_fail(audit, "%u connections live, and %u are known by their hellos", sums->known,
                   known);
}

static void check_simulated(struct audit *audit)
{
    const struct hail_netsim *netsim = &audit->shard->native->netsim;

    for (uint32_t i = 0; i < netsim->count; i++)
        audit_take(audit, AUDIT_SIMULATED, netsim->heap[i]);
}

static void check_sums(struct audit *audit, const struct sums *sums)
{
    const struct hail_shard *shard = audit->shard;

    if (sums->used != shard->table.used_count)
        audit_fail(audit, "%u slots are used, and %u counted", sums->used, shard->table.used_count);
    if (sums->handshakes != shard->handshake_count)
        audit_fail(audit, "%u handshakes go on, and %u are counted", sums->handshakes,
                   shard->handshake_count);
    if (sums->proven != shard->proven_count)
        audit_fail(audit, "%u places of conns_max are taken, and %u counted", sums->proven,
                   shard->proven_count);
    if (hail_stat_get(&shard->stats, HAIL_STAT_CONNS_OPEN) != sums->used ||
        hail_stat_get(&shard->stats, HAIL_STAT_HANDSHAKES_OPEN) != sums->handshakes)
        audit_fail(audit, "a metric shows another number than %u connections and %u handshakes",
                   sums->used, sums->handshakes);
}

bool audit_shard(struct audit *audit, const struct hail_shard *shard)
{
    struct sums sums = {0};

    audit->shard = shard;
    audit->deep = audit->count++ % AUDIT_DEEP_EVERY == 0;
    audit_stores_begin(audit);
    if (is_native(shard) && shard->delivery.outbox.count != 0)
        audit_fail(audit, "a datagram was left behind");
    for (uint32_t slot = 0; slot < shard->table.fresh && !audit->why[0]; slot++) {
        bool is_used = shard->conns[slot].state != HAIL_CONN_FREE;
        if (is_used != (atomic_load(&shard->table.slots[slot].generation) % 2 == 1))
            audit_fail(audit, "slot %u and its name disagree on whether it is in use", slot);
        if (is_used)
            check_conn(audit, slot, &sums);
        else
            check_free(audit, slot);
    }
    check_queue(audit, "output", &shard->output);
    check_queue(audit, "held", &shard->held);
    check_timers(audit, &sums);
    check_sources(audit, &sums);
    check_quota(audit, &sums);
    if (is_native(shard) && shard->context->is_server)
        check_greeted(audit, &sums);
    check_simulated(audit);
    check_sums(audit, &sums);
    audit_stores_end(audit);
    return !audit->why[0];
}
