// native.c: the hail profile, as a shard sees it: over UDP, with handshakes of its own. Datagrams
// go to what they are for by their type, and timers to what is due.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "crypto/bytes.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/send_messages.h"
#include "engine/delivery/sender.h"
#include "engine/handshake/client.h"
#include "engine/handshake/server.h"
#include "engine/native/datagrams.h"
#include "engine/native/incoming.h"
#include "engine/native/native.h"
#include "engine/native/simulate.h"
#include "engine/native/source.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/inbound.h"
#include "proto/mlapi/frame.h"

struct state {
    struct hail_native_shard native;
    struct hail_server_handshakes server;
};

static void attach(struct hail_shard *shard, void *memory)
{
    struct state *state = memory;

    shard->native = &state->native;
    shard->native->server = &state->server;
}

static void reserve_conns(struct hail_shard *shard, const struct hail_context *context)
{
    if (!context->is_server)
        hail_table_keep_tickets(&shard->table, &shard->arena);
    hail_native_reserve(shard, context);
    hail_server_handshake_reserve_conns(shard, context);
}

static void reserve(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_native_shard *native = shard->native;
    struct hail_arena *arena = &shard->arena;
    uint32_t slots = context->slots;
    size_t message_max =
        HAIL_MLAPI_FRAME_HEADER_LEN + context->config.message_max + HAIL_WIRE_EXTRA;
    size_t len = message_max > HAIL_WELCOME_MAX ? message_max : HAIL_WELCOME_MAX;

    hail_epochs_init(&native->epochs,
                     hail_arena_take(arena, hail_epochs_count(slots), sizeof(struct hail_epoch)),
                     hail_epochs_count(slots));
    hail_netsim_init(&native->netsim, arena, slots, context->config.native.simulated_max);
    hail_delivery_reserve(&shard->delivery, arena);
    hail_server_handshake_reserve(shard, context);
    native->assembled = hail_arena_take(arena, len, 1);
    native->welcome = hail_arena_take(arena, HAIL_WELCOME_MAX, 1);
}

static void init(struct hail_shard *shard)
{
    hail_native_init(shard);
    hail_server_handshake_init(shard);
}

static void cleanup(struct hail_shard *shard)
{
    hail_handshake_queue_cleanup(&shard->native->server->finishes);
}

// ---- In

// A datagram whose connection lives on another shard: its address had changed, and the kernel does
// not steer here.
static void pass_on(struct hail_shard *shard, uint8_t owner, const struct hail_path *from,
                    const uint8_t *data, size_t len)
{
    const struct hail_context *context = shard->context;
    struct hail_shard *other =
        context->shards && owner < context->config.shard_count ? context->shards[owner] : NULL;
    const struct hail_command command = {
        .op = HAIL_COMMAND_DATAGRAM,
        .view = {.body = data, .body_len = len},
        .from = from,
    };

    if (!other || other == shard || hail_command_post(other, &command) != HAIL_OK) {
        hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_CONNECTION);
        return;
    }
    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_PASSED, 1);
}

// Whether a datagram that came to a server's port is a packet of a connection of this shard: the
// slot that it is for. All else goes to what it is for, or is counted: HAIL_SLOT_NONE.
static uint32_t sort(struct hail_shard *shard, enum hail_datagram_type type,
                     const struct hail_path *from, uint8_t *data, size_t len)
{
    uint32_t slot = HAIL_SLOT_NONE;

    if (type == HAIL_DATAGRAM_HELLO) {
        hail_server_handshake_hello(shard, from, data, len);
    } else if (type != HAIL_DATAGRAM_FINISH && type != HAIL_DATAGRAM_PACKET) {
        hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_UNEXPECTED);
    } else if (len < HAIL_PACKET_TO_SERVER_LEN) {
        hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_SHORT);
    } else if (data[1] != shard->index) {
        pass_on(shard, data[1], from, data, len);
    } else if (type == HAIL_DATAGRAM_FINISH) {
        hail_server_handshake_finish(shard, from, data, len);
    } else {
        slot = hail_native_find(shard, (uint32_t)hail_get_be(data + 1, 4));
        if (slot == HAIL_SLOT_NONE)
            hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_CONNECTION);
    }
    return slot;
}

// Of a client: what came to a connection's socket.
static void on_client_datagram(struct hail_shard *shard, uint32_t slot,
                               const struct hail_path *from, uint8_t *data, size_t len)
{
    enum hail_datagram_type type;
    enum hail_verdict verdict = hail_datagram_type_of(&type, data, len);

    if (verdict != HAIL_ACCEPT)
        hail_shard_drop(shard, slot, verdict);
    else if (type == HAIL_DATAGRAM_PACKET)
        hail_native_packet(shard, slot, from, data, len);
    else
        hail_client_handshake_input(shard, slot, type, data, len);
}

// A datagram that the simulated network had kept.
static void arrived(struct hail_shard *shard, uint32_t slot, const struct hail_path *from,
                    uint8_t *data, size_t len)
{
    if (!hail_native_is_open(shard, slot))
        hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_CONNECTION);
    else if (shard->context->is_server)
        hail_native_packet(shard, slot, from, data, len);
    else
        on_client_datagram(shard, slot, from, data, len);
}

static void datagram(struct hail_shard *shard, uint32_t slot, const struct hail_path *from,
                     uint8_t *data, size_t len)
{
    enum hail_datagram_type type;

    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_IN, 1);
    hail_stat_add(&shard->stats, HAIL_STAT_BYTES_IN, len);
    hail_datagrams_show(shard, slot, false, data, len);
    if (!shard->context->is_server) {
        if (!hail_native_is_open(shard, slot))
            hail_shard_drop(shard, HAIL_SLOT_NONE, HAIL_DROP_CONNECTION);
        else if (!hail_simulate_takes(shard, slot, HAIL_NETSIM_IN, from, data, len))
            on_client_datagram(shard, slot, from, data, len);
        return;
    }
    enum hail_verdict verdict = hail_datagram_type_of(&type, data, len);
    if (verdict != HAIL_ACCEPT) {
        hail_shard_drop(shard, slot, verdict);
        return;
    }
    slot = sort(shard, type, from, data, len);
    if (slot != HAIL_SLOT_NONE &&
        !hail_simulate_takes(shard, slot, HAIL_NETSIM_IN, from, data, len))
        hail_native_packet(shard, slot, from, data, len);
}

// Whether the connection that it was held for still has the slot.
static bool is_current(const struct hail_shard *shard, const struct hail_netsim_held *held)
{
    return hail_table_find(&shard->table, held->conn) == held->slot;
}

static void release(struct hail_shard *shard, struct hail_netsim_held *held)
{
    if (held->rebinds) {
        if (is_current(shard, held)) {
            shard->conns[held->slot].rebinds = true;
            hail_queue_push(&shard->output, held->slot);
        }
    } else if (held->way == HAIL_NETSIM_IN) {
        if (is_current(shard, held))
            arrived(shard, held->slot, &held->address, held->data, held->len);
    } else if (shard->context->is_server) { // whose last words outlive the connection
        hail_datagrams_whole(shard, HAIL_SLOT_NONE, &held->address, held->data, held->len);
    } else if (is_current(shard, held)) {
        hail_datagrams_simulated(shard, held->slot, held->data, held->len);
    }
}

// Has what is due arrive, or leave.
static void arrive(struct hail_shard *shard)
{
    struct hail_netsim_held *held;

    if (!shard->native->netsim.paths)
        return;
    while ((held = hail_netsim_take(&shard->native->netsim, shard->now_ns))) {
        release(shard, held);
        hail_netsim_free(&shard->native->netsim, held);
    }
}

// ---- A turn

static void greet(struct hail_shard *shard)
{
    if (shard->context->is_server)
        hail_server_handshake_turn(shard);
}

// Those who had more to send than the outbox had room for.
static void pump(struct hail_shard *shard)
{
    uint32_t slot;

    for (uint32_t left = shard->delivery.ready.count;
         left > 0 && hail_queue_pop(&shard->delivery.ready, &slot); left--) {
        if (!hail_native_lives(shard, slot))
            continue;
        hail_sender_pump(&shard->delivery, slot);
        if (hail_sender_waits(&shard->delivery, slot))
            hail_conn_arm(shard, slot);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_ns(const struct hail_shard *shard)
{
    uint64_t next = hail_admission_next_ns(&shard->native->server->admission);

    if (shard->delivery.ready.count > 0)
        return 0;
    next = earlier(next, hail_server_handshake_next_ns(shard));
    return earlier(next, hail_netsim_next_ns(&shard->native->netsim));
}

static void handed_over(struct hail_shard *shard)
{
    hail_outbox_clear(&shard->delivery.outbox);
}

static bool crowded(const struct hail_shard *shard)
{
    return shard->delivery.outbox.count >= HAIL_OUTBOX_CROWDED;
}

// ---- A connection's life

static bool asks(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native->conns[slot].state == HAIL_NATIVE_EXPECT_DECISION;
}

static void approve(struct hail_shard *shard, uint32_t slot, const struct hail_mlapi_scene *scene)
{
    (void)scene;
    hail_native_approve(shard, slot);
    hail_conn_joined(shard, slot);
}

static void flush(struct hail_shard *shard, uint32_t slot)
{
    hail_sender_flush(&shard->delivery, slot);
    if (hail_sender_waits(&shard->delivery, slot))
        hail_conn_arm(shard, slot);
}

static void joined(struct hail_shard *shard, uint32_t slot)
{
    hail_sender_joined(&shard->delivery, slot);
}

static void simulate(struct hail_shard *shard, uint32_t slot, const void *bytes)
{
    struct hail_simulate_order order;

    memcpy(&order, bytes, sizeof order);
    hail_simulate_set(shard, slot, &order);
}

static void end(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                const char *text)
{
    if (shard->context->is_server)
        hail_server_handshake_forget(shard, slot);
    hail_native_end(shard, slot, reason, text);
}

// What has come of a welcome that will not be finished.
static void let_go(struct hail_shard *shard, uint32_t slot)
{
    struct hail_chain *welcome = &shard->native->conns[slot].welcome;

    if (!shard->context->is_server)
        hail_conn_consume(shard, slot, welcome, welcome->len);
}

static void retry(struct hail_shard *shard, uint32_t slot)
{
    if (hail_send_messages_freed(&shard->delivery, slot) && !hail_inbound_writable(shard, slot))
        hail_queue_push(&shard->held, slot);
    hail_incoming_retry(shard, slot);
}

// On a channel with a guarantee a message is authenticated at least.
static enum hail_status send_message(struct hail_shard *shard, uint32_t slot,
                                     const struct hail_message_view *view)
{
    uint32_t message_max = shard->native->conns[slot].message_max;

    if (message_max > 0 && view->body_len > message_max)
        return HAIL_ETOOLONG;
    enum hail_status status = hail_sender_send(&shard->delivery, slot, view);
    if (hail_sender_waits(&shard->delivery, slot))
        hail_conn_arm(shard, slot);
    return status;
}

static bool has_unsent(const struct hail_shard *shard, uint32_t slot)
{
    return hail_sender_busy(&shard->delivery.conns[slot].sender);
}

static void due(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];
    bool connected = native->state == HAIL_NATIVE_CONNECTED;

    if (hail_conn_timed_out(shard, slot) || !hail_native_due(shard, slot))
        return;
    if (!shard->context->is_server && !connected && native->resend_ms > 0 &&
        shard->now_ns >= native->resend_ns)
        hail_client_handshake_resend(shard, slot);
}

static void followed(struct hail_shard *shard, uint32_t slot)
{
    hail_source_followed(shard, slot);
    hail_native_flush(shard, slot);
}

const struct hail_profile_ops hail_native_profile = {
    .state_len = sizeof(struct state),
    .block_size = HAIL_BLOCK_MESSAGE,
    .datagrams = true,
    .has_errors = true,
    .claims = true,
    .attach = attach,
    .reserve_conns = reserve_conns,
    .reserve = reserve,
    .init = init,
    .cleanup = cleanup,
    .arrive = arrive,
    .greet = greet,
    .pump = pump,
    .next_ns = next_ns,
    .output = hail_datagrams_task,
    .handed_over = handed_over,
    .crowded = crowded,
    .begin = hail_native_begin,
    .open = hail_client_handshake_open,
    .unsent = hail_source_unsent,
    .followed = followed,
    .unanswered = hail_native_unanswered,
    .asks = asks,
    .approve = approve,
    .update_keys = hail_native_update,
    .simulate = simulate,
    .end = end,
    .let_go = let_go,
    .datagram = datagram,
    .retry = retry,
    .send = send_message,
    .flush = flush,
    .joined = joined,
    .has_unsent = has_unsent,
    .deadline = hail_native_next_ns,
    .due = due,
};
