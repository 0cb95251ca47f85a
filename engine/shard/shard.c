// shard.c: see shard.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/shard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/context/keys.h"
#include "engine/delivery/send_messages.h"
#include "engine/shard/calls.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/inbound.h"

enum {
    EVICTIONS_PER_TURN = 8
};

// Whether this thread may drive the shard. Tests drive several in one thread, and enter none.
static bool is_ours(const struct hail_shard *shard)
{
    return !shard->owned || hail_shard_current() == shard;
}

// Whether a slot has ever been in use: there is something in its records.
static bool is_slot(const struct hail_shard *shard, uint32_t slot)
{
    return slot < shard->table.fresh;
}

static size_t power_of_two_at_least(size_t len)
{
    size_t power = 4096;

    while (power < len)
        power *= 2;
    return power;
}

// What a connection that is alone must be able to have waiting: what the limits of one allow, and
// what holds it.
static uint64_t one_max(const struct hail_config *config)
{
    uint64_t most = 2 * (uint64_t)config->message_max;

    if (most < HAIL_STORE_LEAST)
        most = HAIL_STORE_LEAST;
    if (most < config->unsent_max)
        most = config->unsent_max;
    return most + most / 4;
}

// Adds up or carves the shard's memory: see arena.h. Called twice.
static void reserve(struct hail_shard *shard, const struct hail_context *context)
{
    const struct hail_profile_ops *profile = shard->profile;
    const struct hail_config *config = &context->config;
    struct hail_arena *arena = &shard->arena;
    uint32_t slots = context->slots;
    uint32_t blocks = (uint32_t)(config->buffers_max / profile->block_size);

    shard->conns = hail_arena_take(arena, slots, sizeof(struct hail_conn_slot));
    shard->calls =
        hail_arena_take(arena, (size_t)slots * config->calls_max, sizeof(struct hail_open_call));
    shard->texts = hail_arena_take(arena, slots, sizeof(struct hail_shard_text));
    shard->targets =
        hail_arena_take(arena, context->is_server ? 0 : slots, sizeof(struct hail_shard_target));
    hail_table_init(&shard->table, arena, slots, shard->index);
    hail_timers_init(&shard->timers, arena, slots);
    hail_queue_init(&shard->output, arena, slots);
    hail_queue_init(&shard->held, arena, slots);
    hail_sources_init(&shard->sources, arena, slots, config->handshakes_max,
                      config->conns_per_prefix > 0 ? config->conns_max : 0);
    hail_quota_init(&shard->quota, arena, slots, (uint64_t)blocks * profile->block_size,
                    one_max(config));
    profile->reserve_conns(shard, context);
    shard->per_conn_len = (arena->used + slots - 1) / slots; // all of it until here

    hail_pool_init(&shard->pool, arena, profile->block_size, blocks);
    hail_quota_watch(&shard->quota, &shard->pool.used_count, blocks);
    profile->reserve(shard, context);
    hail_groups_init(&shard->groups, arena, config->groups_max, config->memberships_max, slots);
    hail_mailbox_init(&shard->commands, arena, power_of_two_at_least(config->command_queue_bytes));
    shard->refused = hail_arena_take(arena, (slots + 63) / 64, sizeof *shard->refused);
    shard->handler_drops = hail_arena_take(arena, config->handler_count, sizeof(uint64_t));
    shard->channels = hail_arena_take(arena, hail_policy_channel_count(&context->policy),
                                      sizeof(struct hail_channel_stats));
}

bool hail_shard_init(struct hail_shard *shard, struct hail_context *context,
                     const struct hail_profile_ops *profile, uint8_t index,
                     const struct hail_random *random)
{
    void *state = hail_heap_take(&context->heap, profile->state_len);

    shard->profile = profile;
    shard->index = index;
    if (state) {
        profile->attach(shard, state);
        reserve(shard, context);
    }
    if (!state || !hail_arena_reserve_from(&shard->arena, &context->heap)) {
        hail_heap_give(&context->heap, state, profile->state_len);
        memset(shard, 0, sizeof *shard);
        return false;
    }
    reserve(shard, context);
    shard->profile_state = state;
    shard->context = context;
    shard->shared = context;
    shard->wake_fd = -1;
    shard->table.shard = index;
    shard->random = *random;
    shard->now_ns = context->start_ns;
    shard->unix_ns = context->start_unix_ns;
    hail_sources_seed(&shard->sources, &shard->random);
    profile->init(shard);
    return true;
}

void hail_shard_cleanup(struct hail_shard *shard)
{
    if (!shard->context)
        return;
    HAIL_ASSERT(shard->table.used_count == 0);
    HAIL_ASSERT(shard->pool.used_count == 0);
    shard->profile->cleanup(shard);
    hail_random_cleanup(&shard->random);
    hail_heap_give(&shard->context->heap, shard->profile_state, shard->profile->state_len);
    hail_arena_cleanup(&shard->arena);
}

// Where a client's connection goes, or will try next.
static const struct sockaddr *target_of(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_shard_target *target = &shard->targets[slot];

    return (const struct sockaddr *)&target->addresses.list[target->tried];
}

uint32_t hail_shard_accept(struct hail_shard *shard, const struct sockaddr *peer,
                           socklen_t peer_len)
{
    struct hail_path from;
    uint32_t slot;

    HAIL_ASSERT(is_ours(shard));
    hail_path_set(&from, peer);
    enum hail_verdict verdict =
        shard->profile->admit(shard, &from) ? hail_conn_take(shard, &slot, &from) : HAIL_DROP_RATE;
    if (verdict == HAIL_DROP_RATE || verdict == HAIL_DROP_PREFIX)
        hail_shard_drop(shard, HAIL_SLOT_NONE, verdict);
    if (verdict != HAIL_ACCEPT)
        hail_conn_limited(shard, &from,
                          verdict == HAIL_DROP_RATE     ? "accepts_per_s"
                          : verdict == HAIL_DROP_PREFIX ? "conns_per_prefix"
                                                        : "conns_max");
    if (verdict != HAIL_ACCEPT)
        return HAIL_SLOT_NONE;
    hail_stat_add(&shard->stats, HAIL_STAT_CONNS_ACCEPTED, 1);
    hail_table_publish_peer(&shard->table, slot, peer, peer_len);
    hail_conn_begin(shard, slot, HAIL_CONN_OPEN, &from);
    shard->profile->accepted(shard, slot);
    return slot;
}

void hail_shard_connected(struct hail_shard *shard, uint32_t slot, int result)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    char text[128];

    HAIL_ASSERT(is_ours(shard));
    HAIL_ASSERT(is_slot(shard, slot));
    HAIL_ASSERT(result <= 0);
    if (conn->state != HAIL_CONN_CONNECTING)
        return;
    if (result < 0 && shard->targets[slot].tried + 1 < shard->targets[slot].addresses.count) {
        shard->targets[slot].tried++;
        hail_queue_push(&shard->output, slot);
        return;
    }
    if (result < 0) {
        bool no_port = result == -EAGAIN || result == -EADDRNOTAVAIL;
        snprintf(text, sizeof text, "cannot connect: %s",
                 no_port ? "no local port is free; widen the sysctl net.ipv4.ip_local_port_range"
                         : strerrordesc_np(-result));
        hail_conn_end(shard, slot, HAIL_CLOSED_CONNECT, false, text);
        return;
    }
    hail_conn_enter(conn, HAIL_CONN_OPEN);
    shard->profile->open(shard, slot);
}

void hail_shard_input(struct hail_shard *shard, uint32_t slot, uint8_t *data, size_t len)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    HAIL_ASSERT_SLOW(is_ours(shard));
    HAIL_ASSERT(is_slot(shard, slot));
    hail_stat_add(&shard->stats, HAIL_STAT_BYTES_IN, len);
    if (conn->state != HAIL_CONN_OPEN)
        return;
    conn->heard_ns = shard->now_ns;
    hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_BYTES_IN, len);
    shard->profile->input(shard, slot, data, len);
}

void hail_shard_datagram(struct hail_shard *shard, uint32_t slot, const struct hail_path *path,
                         uint8_t *data, size_t len)
{
    struct hail_path own;

    HAIL_ASSERT_SLOW(is_ours(shard));
    HAIL_ASSERT(slot == HAIL_SLOT_NONE || is_slot(shard, slot));
    if (slot != HAIL_SLOT_NONE) {
        hail_path_set(&own, target_of(shard, slot));
        path = &own;
    }
    shard->profile->datagram(shard, slot, path, data, len);
}

bool hail_shard_crowded(const struct hail_shard *shard)
{
    return shard->profile->crowded && shard->profile->crowded(shard);
}

bool hail_shard_refused(struct hail_shard *shard, uint32_t slot, int result)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    HAIL_ASSERT(is_ours(shard));
    HAIL_ASSERT(is_slot(shard, slot));
    // Anybody can say so. It is believed while nobody has said anything else.
    if (conn->state != HAIL_CONN_OPEN || !shard->profile->unanswered(shard, slot))
        return true;
    hail_conn_enter(conn, HAIL_CONN_CONNECTING);
    hail_shard_connected(shard, slot, result);
    return false;
}

static bool can_follow(const struct hail_shard *shard, uint32_t slot)
{
    HAIL_ASSERT(is_ours(shard));
    HAIL_ASSERT(is_slot(shard, slot));
    HAIL_ASSERT(!shard->context->is_server);
    enum hail_conn_state state = shard->conns[slot].state;
    return shard->profile->followed && (state == HAIL_CONN_OPEN || state == HAIL_CONN_FLUSHING);
}

void hail_shard_unsent(struct hail_shard *shard, uint32_t slot, int error)
{
    if (can_follow(shard, slot))
        shard->profile->unsent(shard, slot, error);
}

void hail_shard_followed(struct hail_shard *shard, uint32_t slot)
{
    if (!can_follow(shard, slot))
        return;
    hail_stat_add(&shard->stats, HAIL_STAT_SOURCES_CHANGED, 1);
    shard->profile->followed(shard, slot);
}

void hail_shard_network_changed(struct hail_shard *shard)
{
    for (uint32_t slot = 0; slot < shard->context->slots; slot++) {
        struct hail_conn_slot *conn = &shard->conns[slot];
        if (conn->state == HAIL_CONN_FREE || conn->follow != HAIL_CONN_STAYS ||
            !can_follow(shard, slot))
            continue;
        conn->follow = HAIL_CONN_FOLLOWS_IF_MOVED;
        hail_queue_push(&shard->output, slot);
    }
}

void hail_shard_ended(struct hail_shard *shard, uint32_t slot, int result)
{
    const char *text = result < 0 ? strerrordesc_np(-result) : NULL;
    bool by_peer = result == 0 || result == -ECONNRESET || result == -EPIPE;

    HAIL_ASSERT(is_ours(shard));
    HAIL_ASSERT(is_slot(shard, slot));
    hail_conn_end(shard, slot, by_peer ? HAIL_CLOSED_BY_PEER : HAIL_CLOSED_ERROR, false, text);
}

void hail_shard_sent(struct hail_shard *shard, uint32_t slot, int result)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    size_t sent = result > 0 ? (size_t)result : 0;

    HAIL_ASSERT_SLOW(is_ours(shard));
    HAIL_ASSERT(is_slot(shard, slot));
    HAIL_ASSERT(conn->in_flight > 0);
    HAIL_ASSERT(sent <= conn->in_flight);
    HAIL_ASSERT(conn->in_flight <= conn->out.len);
    conn->in_flight = 0;
    if (sent > 0) {
        hail_conn_consume(shard, slot, &conn->out, sent);
        conn->out_since_ns = shard->now_ns;
        hail_stat_add(&shard->stats, HAIL_STAT_BYTES_OUT, sent);
        hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_BYTES_OUT, sent);
        hail_table_gauge(&shard->table, slot, HAIL_CONN_FIGURE_UNSENT, conn->out.len);
    }
    if (result < 0 && conn->state != HAIL_CONN_CLOSING)
        hail_shard_ended(shard, slot, result);
    if (conn->state == HAIL_CONN_FLUSHING && conn->out.len == 0)
        hail_conn_end(shard, slot, conn->reason, false, NULL);
    if (conn->out.len > 0)
        hail_queue_push(&shard->output, slot);
}

void hail_shard_closed(struct hail_shard *shard, uint32_t slot)
{
    HAIL_ASSERT(is_ours(shard));
    HAIL_ASSERT(is_slot(shard, slot));
    hail_conn_enter(&shard->conns[slot], HAIL_CONN_CLOSED);
    shard->conns[slot].in_flight = 0;
    hail_conn_release(shard, slot);
}

// Tries again what waited for room among the events.
static void retry(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];

    if (conn->state == HAIL_CONN_CLOSED) {
        hail_conn_release(shard, slot);
        return;
    }
    if (conn->state != HAIL_CONN_OPEN)
        return;
    if (conn->connected_pending && !hail_inbound_connected(shard, slot)) {
        hail_queue_push(&shard->held, slot);
        return;
    }
    if (conn->state == HAIL_CONN_OPEN)
        hail_calls_due(shard, slot);
    if (conn->state == HAIL_CONN_OPEN)
        shard->profile->retry(shard, slot);
}

static void retry_held(struct hail_shard *shard)
{
    uint32_t slot;

    // Those that still have to wait stand in the queue again: look at each once.
    for (uint32_t left = shard->held.count; left > 0 && hail_queue_pop(&shard->held, &slot); left--)
        retry(shard, slot);
}

// Whether it is the one that makes an endpoint's fresh keys.
static bool rotates_keys(const struct hail_shard *shard)
{
    return shard->index == 0 && shard->context->keys.rotate_ns != 0;
}

// Ends those who hold most, if others need some of it. Not where that is noticed: there may be a
// walk through connections under way.
static void make_room(struct hail_shard *shard)
{
    hail_quota_look(&shard->quota);
    for (int i = 0; i < EVICTIONS_PER_TURN; i++) {
        uint32_t slot = hail_quota_victim(&shard->quota);
        if (slot == HAIL_QUOTA_NONE || shard->conns[slot].state >= HAIL_CONN_CLOSING)
            return; // nobody, or the kernel has yet to let go of it
        hail_conn_end(shard, slot, HAIL_CLOSED_HOLDS_TOO_MUCH, false,
                      "it had the most messages waiting when others found no room for theirs");
    }
}

void hail_shard_wakes(struct hail_shard *shard, uint64_t now_ns, int64_t unix_ns)
{
    HAIL_ASSERT(now_ns >= shard->now_ns); // time does not go back
    shard->now_ns = now_ns;
    shard->unix_ns = unix_ns;
}

void hail_shard_turn(struct hail_shard *shard, uint64_t now_ns, int64_t unix_ns)
{
    uint32_t slot;

    HAIL_ASSERT(is_ours(shard));
    hail_shard_wakes(shard, now_ns, unix_ns);
    hail_stat_add(&shard->stats, HAIL_STAT_WAKEUPS, 1);
    hail_command_drain(shard);
    if (shard->profile->arrive)
        shard->profile->arrive(shard);
    make_room(shard);
    shard->profile->greet(shard);
    retry_held(shard);
    if (shard->profile->pump)
        shard->profile->pump(shard);
    if (rotates_keys(shard))
        hail_keys_rotate(shard->shared, &shard->random, now_ns, hail_shard_unix_s(shard));
    while (hail_timers_due(&shard->timers, now_ns, &slot))
        hail_conn_timer_due(shard, slot);
    if (shard->stopping && now_ns >= shard->stop_at_ns)
        hail_shard_stop(shard, now_ns);
    hail_stat_set(&shard->stats, HAIL_STAT_BYTES_WAITING,
                  (uint64_t)shard->pool.used_count * shard->pool.block_size);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t hail_shard_next_ns(const struct hail_shard *shard)
{
    uint64_t next = hail_timers_next(&shard->timers);

    next = earlier(next, shard->profile->next_ns(shard));
    if (rotates_keys(shard))
        next = earlier(next, hail_keys_next_ns(&shard->context->keys));
    return shard->stopping ? earlier(next, shard->stop_at_ns) : next;
}

// The next piece of work of one connection; false: it has none.
static bool task_of(struct hail_shard *shard, uint32_t slot, struct hail_task *task)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    size_t len;

    task->slot = slot;
    switch (conn->state) {
    case HAIL_CONN_FREE:
    case HAIL_CONN_WAITING:
    case HAIL_CONN_CLOSED:
    case HAIL_CONN_STATE_COUNT:
        return false;
    case HAIL_CONN_CLOSING:
        // A server's datagrams all go through one socket: there is nothing to close.
        if (shard->context->is_server && shard->profile->datagrams) {
            hail_shard_closed(shard, slot);
            return false;
        }
        task->op = HAIL_TASK_CLOSE;
        task->resets = conn->reason == HAIL_CLOSED_CROWDED_OUT;
        return !conn->close_told && (conn->close_told = true);
    case HAIL_CONN_CONNECTING:
        task->op = HAIL_TASK_CONNECT;
        task->address = target_of(shard, slot);
        return true;
    case HAIL_CONN_OPEN:
    case HAIL_CONN_FLUSHING:
        break;
    }
    if (conn->rebinds) {
        conn->rebinds = false;
        task->op = HAIL_TASK_REBIND;
        task->address = target_of(shard, slot);
        hail_queue_push(&shard->output, slot);
        return true;
    }
    if (conn->follow != HAIL_CONN_STAYS) {
        task->op = HAIL_TASK_FOLLOW;
        task->address = target_of(shard, slot);
        task->if_moved = conn->follow == HAIL_CONN_FOLLOWS_IF_MOVED;
        conn->follow = HAIL_CONN_STAYS;
        hail_queue_push(&shard->output, slot);
        return true;
    }
    if (conn->pause_changed) {
        conn->pause_changed = false;
        task->op = conn->paused ? HAIL_TASK_PAUSE : HAIL_TASK_RESUME;
        hail_queue_push(&shard->output, slot); // there may be something to send as well
        return true;
    }
    if (conn->out.len == 0 || conn->in_flight > 0)
        return false;
    if (shard->profile->seal)
        shard->profile->seal(shard);
    task->op = HAIL_TASK_SEND;
    task->view_count =
        hail_chain_views(&conn->out, &shard->pool, task->views, HAIL_VIEWS_MAX, &len);
    HAIL_ASSERT(len > 0);
    HAIL_ASSERT(len <= conn->out.len);
    conn->in_flight = (uint32_t)len;
    return true;
}

bool hail_shard_output(struct hail_shard *shard, struct hail_task *task)
{
    uint32_t slot;

    // Datagrams first: a socket that is to be closed may have some of them to send.
    if (shard->profile->output && shard->profile->output(shard, task))
        return true;
    while (hail_queue_pop(&shard->output, &slot)) {
        if (task_of(shard, slot, task))
            return true;
    }
    return false;
}

void hail_shard_handed_over(struct hail_shard *shard)
{
    HAIL_ASSERT(is_ours(shard));
    if (shard->profile->handed_over)
        shard->profile->handed_over(shard);
}

void hail_shard_stop(struct hail_shard *shard, uint64_t stop_at_ns)
{
    bool flush = stop_at_ns > shard->now_ns;

    HAIL_ASSERT(is_ours(shard));
    shard->stopping = true;
    shard->stop_at_ns = flush ? stop_at_ns : UINT64_MAX;
    for (uint32_t slot = 0; slot < shard->table.fresh; slot++) {
        if (shard->conns[slot].state == HAIL_CONN_CLOSED)
            hail_conn_release(shard, slot);
        else
            hail_conn_end(shard, slot, HAIL_CLOSED_SHUTDOWN, flush, NULL);
    }
}

bool hail_shard_stopped(const struct hail_shard *shard)
{
    return shard->stopping && shard->table.used_count == 0;
}
