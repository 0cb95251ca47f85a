// conn.c: how a connection begins, sends, times out and ends. What it receives is the profile's.
// SPDX-License-Identifier: MIT
#include "engine/shard/conn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/client/reconnect.h"
#include "engine/context/refusal.h"
#include "engine/shard/calls.h"
#include "engine/shard/events.h"

static const uint64_t LIMITED_EVERY_NS = 60 * HAIL_NS_PER_S;

// A connection's diagram: bit `to` of row `from` says that the step is legal.
static const uint8_t legal[HAIL_CONN_STATE_COUNT] = {
    // A client that reconnects waits first, another client connects, and a server accepts.
    [HAIL_CONN_FREE] = 1u << HAIL_CONN_WAITING | 1u << HAIL_CONN_CONNECTING | 1u << HAIL_CONN_OPEN,
    // The pause is over, or the application closes it before.
    [HAIL_CONN_WAITING] = 1u << HAIL_CONN_CONNECTING | 1u << HAIL_CONN_CLOSING,
    // A failed address is followed by the next one within this state.
    [HAIL_CONN_CONNECTING] = 1u << HAIL_CONN_OPEN | 1u << HAIL_CONN_CLOSING,
    // An unanswered UDP socket may report a refusal: the next address is tried.
    [HAIL_CONN_OPEN] =
        1u << HAIL_CONN_CONNECTING | 1u << HAIL_CONN_FLUSHING | 1u << HAIL_CONN_CLOSING,
    // Nothing opens again: what is unsent is sent, or given up.
    [HAIL_CONN_FLUSHING] = 1u << HAIL_CONN_CLOSING,
    // The backend says that it uses nothing of the slot any more.
    [HAIL_CONN_CLOSING] = 1u << HAIL_CONN_CLOSED,
    // The application has been told, or need not be.
    [HAIL_CONN_CLOSED] = 1u << HAIL_CONN_FREE,
};

static bool ending(const struct hail_conn_slot *conn)
{
    return conn->state >= HAIL_CONN_FLUSHING;
}

static void count_handshakes(struct hail_shard *shard, uint32_t count)
{
    shard->handshake_count = count;
    hail_stat_set(&shard->stats, HAIL_STAT_HANDSHAKES_OPEN, count);
}

void hail_conn_limited(struct hail_shard *shard, const struct hail_path *from, const char *setting)
{
    char address[INET6_ADDRSTRLEN] = "?";
    const void *bytes = from->any.sa_family == AF_INET6 ? (const void *)&from->v6.sin6_addr
                                                        : (const void *)&from->v4.sin_addr;

    if (shard->limited_ns > 0 && shard->now_ns < shard->limited_ns)
        return;
    shard->limited_ns = shard->now_ns + LIMITED_EVERY_NS;
    (void)inet_ntop(from->any.sa_family, bytes, address, sizeof address);
    hail_log_line(&shard->context->log, HAIL_LOG_WARN,
                  "limit=%s source=%s: clients are kept out; raise it, or, if many share this "
                  "address, name its network in trusted (told once a minute)",
                  setting, address);
}

// The oldest goes, not the newest, and of the prefix that has most: somebody who opens connections
// and never finishes a handshake pushes out his own.
static void make_room(struct hail_shard *shard, const struct hail_path *from)
{
    const struct hail_config *config = &shard->context->config;
    struct hail_source_view own = hail_sources_look(&shard->sources, from);
    uint32_t out = HAIL_SLOT_NONE;

    if (own.handshakes >= config->handshakes_per_prefix &&
        !hail_prefixes_has(&shard->context->trusted, from)) {
        out = own.oldest;
        hail_conn_limited(shard, from, "handshakes_per_prefix");
        hail_stat_add(&shard->stats, HAIL_STAT_PREFIX_CROWDED_OUT, 1);
    } else if (shard->handshake_count >= config->handshakes_max) {
        out = hail_sources_crowd(&shard->sources);
    }
    if (out != HAIL_SLOT_NONE)
        hail_conn_end(shard, out, HAIL_CLOSED_CROWDED_OUT, false, NULL);
}

static void handshake_begin(struct hail_shard *shard, uint32_t slot, const struct hail_path *from)
{
    static const struct hail_path own; // all of a client's are of one prefix

    make_room(shard, from ? from : &own);
    hail_sources_begin(&shard->sources, slot, from ? from : &own);
    count_handshakes(shard, shard->handshake_count + 1);
}

// Does nothing where it has ended already.
static void handshake_end(struct hail_shard *shard, uint32_t slot)
{
    if (shard->conns[slot].proven || !hail_sources_end(&shard->sources, slot))
        return;
    HAIL_ASSERT(shard->handshake_count > 0);
    count_handshakes(shard, shard->handshake_count - 1);
}

// Whether every place is taken. Those who are about to leave have not left.
static bool is_full(const struct hail_shard *shard)
{
    return shard->proven_count >= shard->context->config.conns_max;
}

enum hail_verdict hail_conn_take(struct hail_shard *shard, uint32_t *slot,
                                 const struct hail_path *from)
{
    uint32_t most = shard->context->config.conns_per_prefix;

    if (most > 0 && !hail_prefixes_has(&shard->context->trusted, from) &&
        hail_sources_look(&shard->sources, from).conns >= most)
        return HAIL_DROP_PREFIX;
    *slot = shard->stopping || is_full(shard) ? HAIL_SLOT_NONE : hail_table_take(&shard->table);
    if (*slot != HAIL_SLOT_NONE)
        return HAIL_ACCEPT;
    hail_stat_add(&shard->stats, HAIL_STAT_CONNS_REFUSED, 1);
    return HAIL_DROP_BUDGET;
}

bool hail_conn_prove(struct hail_shard *shard, uint32_t slot)
{
    const char *text = NULL;

    HAIL_ASSERT(shard->context->is_server);
    HAIL_ASSERT(!shard->conns[slot].proven);
    HAIL_ASSERT(shard->handshake_count > 0);
    if (is_full(shard)) {
        hail_stat_add(&shard->stats, HAIL_STAT_CONNS_REFUSED, 1);
        text = "the server is full";
    } else if (!hail_sources_join(&shard->sources, slot, shard->context->config.conns_per_prefix)) {
        hail_shard_drop(shard, slot, HAIL_DROP_PREFIX);
        text = hail_refusal_text(HAIL_REFUSAL_PREFIX);
    }
    if (text) {
        hail_conn_end(shard, slot, HAIL_CLOSED_DENIED, true, text);
        return false;
    }
    shard->conns[slot].proven = true;
    shard->proven_count++;
    count_handshakes(shard, shard->handshake_count - 1);
    return true;
}

void hail_conn_enter(struct hail_conn_slot *conn, enum hail_conn_state next)
{
    HAIL_ASSERT(next < HAIL_CONN_STATE_COUNT);
    HAIL_ASSERT(legal[conn->state] & 1u << next);
    conn->state = next;
}

void hail_conn_begin(struct hail_shard *shard, uint32_t slot, enum hail_conn_state state,
                     const struct hail_path *from)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    HAIL_ASSERT(conn->state == HAIL_CONN_FREE);
    HAIL_ASSERT(slot < shard->table.fresh);
    HAIL_ASSERT(shard->quota.holders[slot].held == 0); // the one before has given all back
    *conn = (struct hail_conn_slot){
        .opened_ns = shard->now_ns,
        .heard_ns = shard->now_ns,
    };
    hail_conn_enter(conn, state);
    hail_chain_init(&conn->in);
    hail_chain_init(&conn->out);
    hail_calls_begin(shard, slot);
    shard->profile->begin(shard, slot);
    if (state != HAIL_CONN_WAITING)
        handshake_begin(shard, slot, from);
    hail_stat_set(&shard->stats, HAIL_STAT_CONNS_OPEN, shard->table.used_count);
    hail_conn_arm(shard, slot);
}

void hail_conn_connect(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    HAIL_ASSERT(conn->state == HAIL_CONN_WAITING);
    hail_conn_enter(conn, HAIL_CONN_CONNECTING);
    conn->opened_ns = shard->now_ns;
    conn->heard_ns = shard->now_ns;
    handshake_begin(shard, slot, NULL);
    hail_conn_arm(shard, slot);
    hail_queue_push(&shard->output, slot);
}

void hail_conn_joined(struct hail_shard *shard, uint32_t slot)
{
    HAIL_ASSERT(shard->conns[slot].state == HAIL_CONN_OPEN);
    HAIL_ASSERT(!shard->conns[slot].joined);
    handshake_end(shard, slot); // a client's
    shard->conns[slot].joined = true;
    hail_conn_arm(shard, slot); // silence may end it sooner than the handshake would have
    hail_table_publish_connected(&shard->table, slot);
    hail_table_gauge(&shard->table, slot, HAIL_CONN_FIGURE_HANDSHAKE_US,
                     (shard->now_ns - shard->conns[slot].opened_ns) / 1000);
    hail_stat_add(&shard->stats, HAIL_STAT_HANDSHAKES_DONE, 1);
    if (shard->conns[slot].resumed)
        hail_stat_add(&shard->stats, HAIL_STAT_HANDSHAKES_RESUMED, 1);
    shard->conns[slot].connected_pending = true;
    hail_queue_push(&shard->held, slot); // told before this turn's end, or when there is room
    if (shard->profile->joined)
        shard->profile->joined(shard, slot);
}

void hail_conn_approve(struct hail_shard *shard, uint32_t slot,
                       const struct hail_mlapi_scene *scene)
{
    HAIL_ASSERT(shard->context->is_server);
    HAIL_ASSERT(shard->conns[slot].proven);
    shard->conns[slot].client_id =
        atomic_fetch_add_explicit(&shard->shared->client_ids, 1, memory_order_relaxed) + 1;
    shard->profile->approve(shard, slot, scene);
}

bool hail_conn_append(struct hail_shard *shard, uint32_t slot, struct hail_chain *chain,
                      const void *data, size_t len)
{
    size_t need = hail_chain_need(chain, &shard->pool, len);

    if (need > 0 && !hail_shard_allows(shard, slot, need))
        return false;
    if (!hail_chain_append(chain, &shard->pool, data, len)) {
        hail_stat_add(&shard->stats, HAIL_STAT_BUFFERS_FULL, 1);
        return false;
    }
    hail_quota_add(&shard->quota, slot, (uint32_t)need);
    return true;
}

void hail_conn_consume(struct hail_shard *shard, uint32_t slot, struct hail_chain *chain,
                       size_t len)
{
    uint32_t before = shard->pool.used_count;

    hail_chain_consume(chain, &shard->pool, len);
    HAIL_ASSERT(shard->pool.used_count <= before);
    hail_quota_sub(&shard->quota, slot, (before - shard->pool.used_count) * shard->pool.block_size);
}

enum hail_status hail_conn_send(struct hail_shard *shard, uint32_t slot,
                                const struct hail_message_view *view)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    if (ending(conn))
        return HAIL_EGONE;
    if (conn->state != HAIL_CONN_OPEN || !conn->joined)
        return HAIL_ESTATE;
    HAIL_ASSERT(view->body_len <= shard->context->config.message_max);

    enum hail_status status = shard->profile->send(shard, slot, view);
    if (status == HAIL_OK)
        hail_shard_message(shard, slot, view, false);
    return status;
}

// Whether the connection is on its way in, be it that the application has yet to decide.
static bool is_joining(const struct hail_conn_slot *conn)
{
    return !conn->joined && !ending(conn);
}

// When a handshake has taken too long.
static uint64_t handshake_deadline(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];
    uint64_t at = conn->opened_ns + shard->context->config.handshake_timeout_ms * HAIL_NS_PER_MS;

    return conn->again ? hail_reconnect_by(&shard->targets[slot], at) : at;
}

// When something about the connection itself is next due, or too late.
static uint64_t own_deadline(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];

    if (conn->state == HAIL_CONN_FREE || conn->state >= HAIL_CONN_CLOSING)
        return UINT64_MAX;
    if (conn->state == HAIL_CONN_WAITING)
        return shard->targets[slot].retry_ns;
    uint64_t next = shard->profile->deadline(shard, slot);
    uint64_t handshake = is_joining(conn) ? handshake_deadline(shard, slot) : UINT64_MAX;
    return handshake < next ? handshake : next;
}

uint64_t hail_conn_next_ns(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];
    uint64_t own = own_deadline(shard, slot);

    return conn->state == HAIL_CONN_OPEN && conn->calls_ns < own ? conn->calls_ns : own;
}

void hail_conn_arm(struct hail_shard *shard, uint32_t slot)
{
    uint64_t next = hail_conn_next_ns(shard, slot);

    // Later deadlines are looked at when the earlier one rings.
    if (next < hail_timers_deadline(&shard->timers, slot))
        hail_timers_set(&shard->timers, slot, next);
}

bool hail_conn_timed_out(struct hail_shard *shard, uint32_t slot)
{
    if (!is_joining(&shard->conns[slot]) || handshake_deadline(shard, slot) > shard->now_ns)
        return false;
    const struct hail_conn_slot *conn = &shard->conns[slot];
    const char *text = conn->explained                       ? shard->texts[slot].text
                       : shard->context->is_server           ? NULL
                       : conn->state == HAIL_CONN_CONNECTING ? "the address does not answer to TCP"
                                                             : "the server took the TCP "
                                                               "connection, and says nothing";
    hail_conn_end(shard, slot, HAIL_CLOSED_HANDSHAKE_TIMEOUT, false, text);
    return true;
}

void hail_conn_timer_due(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    if (conn->state == HAIL_CONN_OPEN && conn->calls_ns <= shard->now_ns)
        hail_calls_due(shard, slot);
    uint64_t next = hail_conn_next_ns(shard, slot);
    if (next > shard->now_ns) {
        hail_timers_set(&shard->timers, slot, next);
        return;
    }
    if (conn->state == HAIL_CONN_WAITING) {
        hail_conn_connect(shard, slot);
        return;
    }
    shard->profile->due(shard, slot);
    if (conn->state < HAIL_CONN_CLOSING)
        hail_timers_set(&shard->timers, slot, hail_conn_next_ns(shard, slot));
}

static void keep_text(struct hail_shard *shard, uint32_t slot, const char *text)
{
    char *own = shard->texts[slot].text;

    if (text != own)
        snprintf(own, sizeof shard->texts[slot].text, "%s", text);
}

void hail_conn_explain(struct hail_shard *shard, uint32_t slot, const char *text)
{
    keep_text(shard, slot, text);
    shard->conns[slot].explained = true;
}

void hail_conn_end(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                   bool flush, const char *text)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    bool can_flush =
        flush && conn->state == HAIL_CONN_OPEN && shard->profile->has_unsent(shard, slot);

    HAIL_ASSERT(reason < HAIL_CLOSE_REASON_COUNT);
    if (conn->state == HAIL_CONN_FREE || conn->state >= HAIL_CONN_CLOSING)
        return;
    if (conn->state == HAIL_CONN_FLUSHING && flush)
        return;
    if (conn->state != HAIL_CONN_FLUSHING) { // the first reason is the one that counts
        conn->reason = reason;
        hail_stat_add(&shard->stats, HAIL_STAT_CLOSED_FIRST + reason, 1);
        conn->has_text = text != NULL;
        if (text)
            keep_text(shard, slot, text);
    }
    handshake_end(shard, slot);
    hail_groups_leave_all(&shard->groups, slot);
    if (!can_flush && shard->profile->end)
        shard->profile->end(shard, slot, conn->reason,
                            conn->has_text ? shard->texts[slot].text : NULL);
    hail_conn_enter(conn, can_flush ? HAIL_CONN_FLUSHING : HAIL_CONN_CLOSING);
    if (can_flush)
        hail_conn_arm(shard, slot);
    else
        hail_timers_set(&shard->timers, slot, UINT64_MAX);
    hail_queue_push(&shard->output, slot);
}

// Gives back what a connection has used.
static void let_go(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    if (shard->profile->let_go)
        shard->profile->let_go(shard, slot);
    hail_conn_consume(shard, slot, &conn->in, conn->in.len);
    hail_conn_consume(shard, slot, &conn->out, conn->out.len);
    hail_timers_set(&shard->timers, slot, UINT64_MAX);
    HAIL_ASSERT(shard->quota.holders[slot].held == 0);
    if (conn->proven) {
        HAIL_ASSERT(shard->proven_count > 0);
        shard->proven_count--;
        hail_sources_end(&shard->sources, slot);
    }
    hail_conn_enter(conn, HAIL_CONN_FREE);
}

// Whether a connection that has ended is to be made anew.
static bool wants_back(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];
    const struct hail_reconnect_end end = {
        .reason = conn->reason,
        .server_gone = conn->server_gone,
        .joined = conn->joined,
        .again = conn->again,
    };

    return !shard->context->is_server && !shard->stopping &&
           hail_reconnect_wants(&shard->targets[slot], &end, shard->now_ns);
}

// Has a slot, whose last connection has been let go, wait for the next attempt, with the same tag.
static void wait_for_next(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_shard_target *target = &shard->targets[slot];
    uint64_t tag = conn->tag;
    uint32_t dice;

    hail_random_bytes(&shard->random, (uint8_t *)&dice, sizeof dice);
    hail_reconnect_plan(target, conn->joined, dice, shard->now_ns);
    hail_stat_add(&shard->stats, HAIL_STAT_RECONNECTS, 1);
    hail_conn_begin(shard, slot, HAIL_CONN_WAITING, NULL);
    conn->tag = tag;
    conn->announced = true;
    conn->again = true;
    hail_table_publish_peer(&shard->table, slot,
                            (const struct sockaddr *)&target->addresses.list[0],
                            sizeof target->addresses.list[0]);
}

void hail_conn_release(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    bool returns = wants_back(shard, slot);
    struct hail_event event = hail_event_of(shard, slot, HAIL_EVENT_CLOSED);
    struct hail_shard_text text = {{0}};
    struct hail_event_room reserved = {NULL};
    bool tell = conn->announced;

    HAIL_ASSERT(conn->state == HAIL_CONN_CLOSED);
    if (returns && !conn->joined) { // an attempt, of which nobody is told
        let_go(shard, slot);
        hail_table_clear(&shard->table, slot);
        wait_for_next(shard, slot);
        return;
    }
    if (tell && !hail_event_reserve(shard, &reserved, sizeof text)) {
        hail_stat_add(&shard->stats, HAIL_STAT_EVENTS_HELD, 1);
        if (!shard->stopping) {
            hail_queue_push(&shard->held, slot);
            return;
        }
        tell = false; // nobody polls any more
    }
    event.reason = conn->reason;
    event.code = conn->close_code;
    if (conn->has_text) {
        text = shard->texts[slot];
        event.text = text.text;
    }
    let_go(shard, slot);
    if (returns) {
        hail_table_renew(&shard->table, slot);
        wait_for_next(shard, slot);
        event.next = hail_table_name(&shard->table, slot);
    } else {
        hail_table_free(&shard->table, slot);
    }
    hail_stat_set(&shard->stats, HAIL_STAT_CONNS_OPEN, shard->table.used_count);
    // Not left to the next turn: the shard may sleep long before that.
    hail_stat_set(&shard->stats, HAIL_STAT_BYTES_WAITING,
                  (uint64_t)shard->pool.used_count * shard->pool.block_size);
    if (!shard->context->is_server && !returns)
        atomic_fetch_sub_explicit(&shard->conns_promised, 1, memory_order_relaxed);

    // Last, so that an application that connects again at once finds the place free.
    if (tell)
        hail_event_commit(shard, &reserved, &event);
}
