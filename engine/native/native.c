// native.c: packets and timers of the hail profile, and its part of a connection's life.
// SPDX-License-Identifier: MIT
#include "engine/native/native.h"

#include <stdio.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/context/keys.h"
#include "engine/delivery/packets.h"
#include "engine/delivery/reassembly.h"
#include "engine/delivery/receiver.h"
#include "engine/delivery/recovery.h"
#include "engine/delivery/sender.h"
#include "engine/native/close_reason.h"
#include "engine/native/datagrams.h"
#include "engine/native/incoming.h"
#include "engine/native/simulate.h"
#include "engine/native/source.h"
#include "engine/shard/conn.h"
#include "engine/shard/inbound.h"

enum {
    TICKETS_A_LIFE = 4, // of one ticket, so that some of them may be lost
    ACK_AGAIN_MS = 1,   // after the outbox was full
    CODE_LEN = 2,       // of a close frame's
    CLOSES_SENT = 2,    // packets with the close frame: one of them may be lost
    CONN_ID_LOW = (1 << HAIL_PERMUTATION_BITS) - 1 // all but the shard
};

// A handshake's diagram: bit `to` of row `from` says that the step is legal. A connection that ends
// keeps the state that it had; hail_native_begin makes the next one of its slot fresh.
static const uint8_t legal[HAIL_NATIVE_STATE_COUNT] = {
    // A server has sent a welcome, a client is about to send a hello.
    [HAIL_NATIVE_FRESH] = 1u << HAIL_NATIVE_EXPECT_FINISH | 1u << HAIL_NATIVE_EXPECT_WELCOME,
    // A genuine finish is queued.
    [HAIL_NATIVE_EXPECT_FINISH] = 1u << HAIL_NATIVE_EXPECT_TURN,
    // The key is stretched; or no event can be reserved, and the client has to repeat its finish.
    [HAIL_NATIVE_EXPECT_TURN] = 1u << HAIL_NATIVE_EXPECT_DECISION | 1u << HAIL_NATIVE_EXPECT_FINISH,
    // The application approves. A denial ends the connection instead.
    [HAIL_NATIVE_EXPECT_DECISION] = 1u << HAIL_NATIVE_CONNECTED,
    // The last fragment of the welcome is good, and the finish is sent.
    [HAIL_NATIVE_EXPECT_WELCOME] = 1u << HAIL_NATIVE_EXPECT_ANSWER,
    // The server has approved.
    [HAIL_NATIVE_EXPECT_ANSWER] = 1u << HAIL_NATIVE_CONNECTED,
};

// What delivery is lent, and what the configuration says of it.
static void lend(struct hail_shard *shard, const struct hail_context *context)
{
    const struct hail_config *config = &context->config;

    shard->delivery = (struct hail_delivery){
        .policy = &context->policy,
        .limits =
            {
                .buffers_max = config->buffers_max,
                .slots = context->slots,
                .message_max = config->message_max,
                .unsent_max = config->unsent_max,
                .stall_timeout_ms = config->stall_timeout_ms,
                .coalesce_us = config->native.coalesce_us,
                .send_rate = config->native.send_rate,
                .datagram_max = (uint16_t)config->native.datagram_max,
                .is_server = context->is_server,
            },
        .now_ns = &shard->now_ns,
        .pool = &shard->pool,
        .quota = &shard->quota,
        .random = &shard->random,
        .held = &shard->held,
        .stats = &shard->stats,
        .published = shard->table.slots,
    };
}

void hail_native_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_native_shard *native = shard->native;
    uint32_t slots = context->slots;

    native->conns = hail_arena_take(&shard->arena, slots, sizeof(struct hail_native));
    lend(shard, context);
    hail_delivery_reserve_conns(&shard->delivery, &shard->arena);
    native->clients = hail_arena_take(&shard->arena, context->is_server ? 0 : slots,
                                      sizeof(struct hail_native_client));
}

void hail_native_init(struct hail_shard *shard)
{
    struct hail_native_shard *native = shard->native;

    while (shard->context->slots > 1u << native->slot_bits)
        native->slot_bits++;
    hail_permutation_init(&native->conn_ids, &shard->random);
    shard->delivery.channel_stats = shard->channels;
    hail_reassembly_init(&shard->delivery);
}

// A connection's name on the wire: the shard, and what stands for the slot and as much of its
// generation as there is room for. So a slot's next connection has another one.
static uint32_t conn_id_of(const struct hail_shard *shard, uint32_t slot)
{
    uint32_t generation = hail_name_unpack(hail_table_name(&shard->table, slot)).generation;
    uint32_t use = generation / 2; // it is odd while the slot is in use
    uint32_t low = (use << shard->native->slot_bits | slot) & CONN_ID_LOW;

    return (uint32_t)shard->index << HAIL_PERMUTATION_BITS |
           hail_permutation_of(&shard->native->conn_ids, low);
}

bool hail_native_is_open(const struct hail_shard *shard, uint32_t slot)
{
    enum hail_conn_state state = shard->conns[slot].state;

    return state == HAIL_CONN_OPEN || state == HAIL_CONN_FLUSHING;
}

bool hail_native_lives(const struct hail_shard *shard, uint32_t slot)
{
    HAIL_ASSERT_SLOW(!shard->native->conns[slot].keyed || hail_native_is_open(shard, slot));
    return shard->native->conns[slot].keyed; // until it ends
}

uint32_t hail_native_find(const struct hail_shard *shard, uint32_t conn_id)
{
    uint32_t low = hail_permutation_back(&shard->native->conn_ids, conn_id & CONN_ID_LOW);
    uint32_t slot = low & ((1u << shard->native->slot_bits) - 1);

    if (slot >= shard->table.fresh || !hail_native_is_open(shard, slot) ||
        shard->native->conns[slot].conn_id != conn_id)
        return HAIL_SLOT_NONE;
    return slot;
}

void hail_native_enter(struct hail_native *native, enum hail_native_state next)
{
    HAIL_ASSERT(next < HAIL_NATIVE_STATE_COUNT);
    HAIL_ASSERT(legal[native->state] & 1u << next);
    native->state = next;
}

void hail_native_begin(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];

    // Nothing of the connection before it is under way.
    HAIL_ASSERT(shard->delivery.conns[slot].sender.sent_packets == 0);
    HAIL_ASSERT(shard->delivery.conns[slot].stored == 0);
    HAIL_ASSERT(!native->keyed);
    memset(native, 0, sizeof *native);
    hail_delivery_begin(&shard->delivery, slot);
    hail_chain_init(&native->welcome);
    hail_sender_begin(&shard->delivery, slot);
    hail_receiver_begin(&shard->delivery, slot);
    native->idle_timeout_ms = shard->context->config.idle_timeout_ms;
    hail_simulate_begin(shard, slot);
    if (shard->context->is_server) {
        hail_native_enter(native, HAIL_NATIVE_EXPECT_FINISH);
        native->conn_id = conn_id_of(shard, slot);
    } else {
        hail_native_enter(native, HAIL_NATIVE_EXPECT_WELCOME);
        shard->native->clients[slot].follow = (struct hail_follow){0};
    }
}

// Silence before a client pings: no longer than middle boxes remember it, nor so long that a lost
// ping or two let the idle timeout pass.
static uint32_t ping_ms_of(uint32_t keepalive_ms, uint32_t idle_timeout_ms)
{
    uint32_t part_ms = idle_timeout_ms / HAIL_PING_PART;

    if (idle_timeout_ms == 0 || keepalive_ms < part_ms)
        return keepalive_ms;
    return part_ms > 0 ? part_ms : 1;
}

bool hail_native_key(struct hail_shard *shard, uint32_t slot,
                     const uint8_t stretched[HAIL_STRETCHED_LEN], const struct hail_path *address)
{
    struct hail_native *native = &shard->native->conns[slot];
    bool is_server = shard->context->is_server;
    uint32_t ping_ms =
        ping_ms_of(shard->context->config.native.keepalive_ms, native->idle_timeout_ms);

    HAIL_ASSERT(!native->keyed);
    if (!hail_peer_init(&native->peer, is_server, native->conn_id, stretched, address,
                        is_server ? 0 : ping_ms, shard->now_ns))
        return false;
    native->keyed = true;
    hail_stat_add(&shard->stats, HAIL_STAT_KEYS_STRETCHED, 1);
    hail_table_publish_key(&shard->table, slot, stretched);
    hail_keys_log(&shard->context->keys, native->agreement.token, stretched);
    hail_wipe(native->agreement.ck, sizeof native->agreement.ck);
    hail_wipe(native->agreement.finish_key, sizeof native->agreement.finish_key);
    return true;
}

// ---- Out

// Acknowledges what is due, in the packet that is being filled or one of its own.
static void acknowledge(struct hail_shard *shard, uint32_t slot)
{
    struct hail_delivery_conn *own = &shard->delivery.conns[slot];
    uint32_t index = own->out_last;

    if (own->acks.due_ns > shard->now_ns)
        return;
    if (index == HAIL_OUTGOING_NONE || !hail_packets_takes_ack(&shard->delivery, index))
        index = hail_packets_begin(&shard->delivery, slot, HAIL_PROTECTION_ENCRYPTED);
    if (index == HAIL_OUTGOING_NONE)
        own->acks.due_ns = shard->now_ns + ACK_AGAIN_MS * HAIL_NS_PER_MS;
    else
        hail_packets_acknowledge(&shard->delivery, slot, index);
}

// What is owed shares a packet: so approved, ticket and limits arrive together.
static size_t room_for(uint8_t owed)
{
    size_t room = HAIL_CONTROL_MAX;

    if (owed & HAIL_OWED_TICKET)
        room += HAIL_FRAME_TICKET_MAX;
    if (owed & HAIL_OWED_APPROVED)
        room += HAIL_FRAME_LIMITS_LEN;
    return room;
}

// Adds a ticket to a packet that has room for one.
static void give_ticket(struct hail_shard *shard, uint32_t slot, uint32_t index)
{
    const struct hail_keys *keys = &shard->context->keys;
    struct hail_native *native = &shard->native->conns[slot];
    uint8_t ticket[HAIL_TICKET_LEN];
    const struct hail_native_frame frame = {
        .type = HAIL_FRAME_TICKET,
        .life_s = keys->ticket_life_s,
        .bytes = {ticket, sizeof ticket},
    };

    hail_keys_ticket_seal(keys, ticket, native->peer.stretched, hail_shard_unix_s(shard),
                          &shard->random);
    hail_packets_add(&shard->delivery, index, &frame);
    hail_stat_add(&shard->stats, HAIL_STAT_TICKETS_ISSUED, 1);
    // Rounded up, so that a life of a second does not mean a ticket at once and for ever.
    native->ticket_s =
        (uint32_t)(shard->now_ns / HAIL_NS_PER_S) + 1 + keys->ticket_life_s / TICKETS_A_LIFE;
}

void hail_native_flush(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];
    const struct hail_native_frame limits = {.type = HAIL_FRAME_LIMITS,
                                             .message_max = shard->context->config.message_max};
    struct hail_native_frame frame;
    struct hail_path to;
    uint8_t owed;

    if (!native->keyed)
        return;
    while ((owed = hail_peer_owes(&native->peer, &to)) != 0) {
        bool elsewhere = !hail_path_equal(&to, &native->peer.address);
        uint32_t index = elsewhere
                             ? hail_packets_begin(&shard->delivery, slot, HAIL_PROTECTION_ENCRYPTED)
                             : hail_packets_for(&shard->delivery, slot, HAIL_PROTECTION_ENCRYPTED,
                                                room_for(owed));
        if (index == HAIL_OUTGOING_NONE)
            return; // what matters is owed again when its time comes
        for (unsigned bit = 1; bit <= owed; bit <<= 1) {
            if (!(owed & bit))
                continue;
            if (bit == HAIL_OWED_TICKET) {
                give_ticket(shard, slot, index);
                continue;
            }
            hail_peer_frame(&native->peer, (enum hail_owed)bit, &frame);
            hail_packets_add(&shard->delivery, index, &frame);
        }
        if (owed & HAIL_OWED_APPROVED) // last: clients of an earlier version stop reading here
            hail_packets_add(&shard->delivery, index, &limits);
        if (elsewhere) {
            shard->delivery.outbox.list[index].elsewhere = true;
            shard->delivery.outbox.list[index].to = to;
        }
    }
    acknowledge(shard, slot);
    hail_conn_arm(shard, slot);
}

enum hail_status hail_native_update(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];

    if (!native->keyed)
        return HAIL_ENOKEY;
    hail_peer_update(&native->peer);
    hail_native_flush(shard, slot);
    return HAIL_OK;
}

// ---- In

static void on_close(struct hail_shard *shard, uint32_t slot, const struct hail_native_frame *frame)
{
    static const char going_down[] = "the server is going down";
    struct hail_bytes said = frame->text;
    char text[HAIL_FRAME_TEXT_MAX + 1];

    if (frame->reason == HAIL_WIRE_CLOSE_CODE && said.len >= CODE_LEN) {
        shard->conns[slot].close_code = (uint16_t)hail_get_be(said.data, CODE_LEN);
        said.data += CODE_LEN;
        said.len -= CODE_LEN;
    } else if (frame->reason == HAIL_WIRE_CLOSE_GOING_DOWN && said.len == 0) {
        said = (struct hail_bytes){(const uint8_t *)going_down, sizeof going_down - 1};
    }
    if (said.len > 0)
        memcpy(text, said.data, said.len);
    text[said.len] = 0;
    // It had joined, perhaps by a datagram of the same turn. Without room for that event its end is
    // all that is told.
    if (shard->conns[slot].connected_pending)
        (void)!hail_inbound_connected(shard, slot);
    shard->native->conns[slot].keyed = false; // nothing is answered to a close
    shard->conns[slot].server_gone = frame->reason == HAIL_WIRE_CLOSE_GOING_DOWN;
    hail_conn_end(shard, slot, hail_close_reason_read(frame->reason), false, text[0] ? text : NULL);
}

static enum hail_verdict on_approved(struct hail_shard *shard, uint32_t slot,
                                     const struct hail_native_frame *frame)
{
    struct hail_native *native = &shard->native->conns[slot];

    if (native->state == HAIL_NATIVE_CONNECTED)
        return HAIL_ACCEPT; // said twice
    if (native->state != HAIL_NATIVE_EXPECT_ANSWER)
        return HAIL_DROP_UNEXPECTED;
    hail_native_enter(native, HAIL_NATIVE_CONNECTED);
    shard->conns[slot].client_id = frame->client_id;
    hail_conn_joined(shard, slot);
    return HAIL_ACCEPT;
}

static enum hail_verdict on_limits(struct hail_shard *shard, uint32_t slot,
                                   const struct hail_native_frame *frame)
{
    struct hail_native *native = &shard->native->conns[slot];

    if (native->state != HAIL_NATIVE_CONNECTED)
        return HAIL_DROP_UNEXPECTED;
    native->message_max = frame->message_max;
    hail_table_gauge(&shard->table, slot, HAIL_CONN_FIGURE_MESSAGE_MAX, frame->message_max);
    return HAIL_ACCEPT;
}

static enum hail_verdict on_ack(struct hail_shard *shard, uint32_t slot,
                                const struct hail_native_frame *frame)
{
    enum hail_verdict verdict = hail_recovery_acked(&shard->delivery, slot, frame->bytes,
                                                    shard->native->conns[slot].peer.next_number);

    if (verdict == HAIL_ACCEPT)
        hail_conn_arm(shard, slot);
    if (verdict != HAIL_DROP_FALSE_ACK)
        return verdict;
    hail_shard_drop(shard, slot, verdict);
    hail_conn_end(shard, slot, HAIL_CLOSED_PROTOCOL, false,
                  "a packet was acknowledged that was never sent");
    return HAIL_ACCEPT;
}

// A path response: perhaps the peer has another address now.
static void on_path(struct hail_shard *shard, uint32_t slot, const struct hail_native_frame *frame,
                    const struct hail_path *from)
{
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_acks *acks = &shard->delivery.conns[slot].acks;
    const struct hail_path before = native->peer.address;

    hail_peer_control(&native->peer, frame, from);
    if (hail_path_equal(&before, &native->peer.address))
        return;
    hail_stat_add(&shard->stats, HAIL_STAT_PATHS_CHANGED, 1);
    hail_sender_moved(&shard->delivery, slot);
    if (acks->next > 0)
        acks->due_ns = shard->now_ns; // what was said went to where nobody was any more
    hail_recovery_moved(&shard->delivery, slot);
    hail_conn_arm(shard, slot);
    hail_table_publish_peer(&shard->table, slot, &native->peer.address.any,
                            hail_path_len(&native->peer.address));
}

void hail_native_ticket_scope(const struct hail_shard *shard, uint32_t slot,
                              uint8_t scope[HAIL_TICKET_SCOPE_LEN])
{
    const struct hail_client_setup *setup = &shard->context->keys.client;

    hail_ticket_client_scope(scope, setup->pattern, setup->policy_hash, setup->server_key,
                             shard->targets[slot].addresses.host);
}

static enum hail_verdict take_ticket(struct hail_shard *shard, uint32_t slot,
                                     const struct hail_native_frame *frame)
{
    const struct hail_native *native = &shard->native->conns[slot];
    struct hail_addresses *target = &shard->targets[slot].addresses;
    uint32_t life_s =
        frame->life_s < HAIL_TICKET_LIFE_MAX_S ? frame->life_s : HAIL_TICKET_LIFE_MAX_S;
    struct hail_resumption resumption = {
        .until_s = hail_shard_unix_s(shard) + life_s,
        .proven_s = shard->native->clients[slot].proven_s,
        .ticket_len = (uint8_t)frame->bytes.len,
    };

    if (native->state != HAIL_NATIVE_CONNECTED)
        return HAIL_DROP_UNEXPECTED;
    hail_native_ticket_scope(shard, slot, resumption.scope);
    hail_ticket_psk(resumption.psk, native->peer.stretched);
    memcpy(resumption.ticket, frame->bytes.data, frame->bytes.len);
    target->ticket_len = (uint16_t)hail_resumption_write(target->ticket, &resumption);
    hail_table_publish_ticket(&shard->table, slot, target->ticket, target->ticket_len);
    hail_wipe(&resumption, sizeof resumption);
    return HAIL_ACCEPT;
}

static enum hail_verdict on_control(struct hail_shard *shard, uint32_t slot,
                                    const struct hail_native_frame *frame, uint32_t flags,
                                    const struct hail_path *from)
{
    bool is_server = shard->context->is_server;

    if (flags == 0)
        return HAIL_DROP_UNPROTECTED;
    switch (frame->type) {
    case HAIL_FRAME_CLOSE:
        on_close(shard, slot, frame);
        return HAIL_ACCEPT;
    case HAIL_FRAME_APPROVED:
        return is_server ? HAIL_DROP_UNEXPECTED : on_approved(shard, slot, frame);
    case HAIL_FRAME_WAIT:
        return is_server ? HAIL_DROP_UNEXPECTED : HAIL_ACCEPT;
    case HAIL_FRAME_TICKET:
        return is_server ? HAIL_DROP_UNEXPECTED : take_ticket(shard, slot, frame);
    case HAIL_FRAME_LIMITS:
        return is_server ? HAIL_DROP_UNEXPECTED : on_limits(shard, slot, frame);
    case HAIL_FRAME_ACK:
        return on_ack(shard, slot, frame);
    case HAIL_FRAME_PATH_RESPONSE:
        on_path(shard, slot, frame, from);
        return HAIL_ACCEPT;
    case HAIL_FRAME_PADDING:
    case HAIL_FRAME_MESSAGE:
    case HAIL_FRAME_NAMED:
    case HAIL_FRAME_CALL:
    case HAIL_FRAME_REQUEST:
    case HAIL_FRAME_RESPONSE:
    case HAIL_FRAME_ERROR:
    case HAIL_FRAME_CHANNEL:
    case HAIL_FRAME_RELIABLE:
    case HAIL_FRAME_FRAGMENT:
    case HAIL_FRAME_ASK:
    case HAIL_FRAME_PING:
    case HAIL_FRAME_PONG:
    case HAIL_FRAME_PATH_CHALLENGE:
    case HAIL_FRAME_UPDATE:
        break;
    }
    hail_peer_control(&shard->native->conns[slot].peer, frame, from);
    return HAIL_ACCEPT;
}

// What a frame asks for by its type.
static enum hail_eliciting eliciting(const struct hail_native_frame *frame)
{
    if (frame->type == HAIL_FRAME_ASK)
        return HAIL_ELICITS_AT_ONCE;
    if (hail_frames_is_control(frame->type))
        return HAIL_ELICITS_NOTHING;
    return hail_guarantee_is_reliable(frame->rule->guarantee) ? HAIL_ELICITS_SOON
                                                              : HAIL_ELICITS_LAZILY;
}

static void on_frames(struct hail_shard *shard, uint32_t slot, const struct hail_opened *opened,
                      const struct hail_path *from)
{
    const struct hail_native *native = &shard->native->conns[slot];
    enum hail_eliciting most = HAIL_ELICITS_NOTHING;
    struct hail_intake intake = {0};
    struct hail_unpacked_frame *read;
    struct hail_unpack unpack;
    enum hail_verdict bad = hail_unpack_begin(&unpack, &shard->context->policy, opened->frames,
                                              opened->frames_len, native->peer.next_number);

    if (bad != HAIL_ACCEPT) { // of the whole packet nothing is taken
        hail_shard_drop(shard, slot, bad);
        return;
    }
    shard->unknown_calls = 0;
    while (native->keyed && (read = hail_unpack_next(&unpack))) {
        enum hail_verdict verdict = read->verdict;
        if (verdict == HAIL_ACCEPT) {
            enum hail_eliciting elicits = eliciting(&read->frame);
            most = elicits > most ? elicits : most;
            if (hail_frames_is_control(read->frame.type))
                verdict = on_control(shard, slot, &read->frame, opened->flags, from);
            else if (hail_frames_is_part(read->frame.type))
                verdict = hail_incoming_part(shard, slot, &read->frame, opened, &intake);
            else
                verdict = hail_incoming_message(shard, slot, &read->frame, opened);
        }
        if (verdict != HAIL_ACCEPT)
            hail_shard_drop(shard, slot, verdict);
    }
    if (!native->keyed)
        return;
    if (opened->flags != 0 && !intake.refused)
        hail_acks_note(&shard->delivery.conns[slot].acks, opened->number, most, shard->now_ns);
    if (!hail_receiver_judge(&shard->delivery, slot, &intake))
        hail_conn_end(shard, slot, HAIL_CLOSED_PROTOCOL, false,
                      "too many packets came that brought nothing new");
    else if (intake.waits)
        hail_conn_arm(shard, slot);
}

// Ends a connection whose last messages have arrived.
static void finish_flushing(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];

    if (conn->state == HAIL_CONN_FLUSHING && !hail_sender_busy(&shard->delivery.conns[slot].sender))
        hail_conn_end(shard, slot, conn->reason, false, NULL);
}

// Whether a connection has sent more than receive_rate lets it. What is plain has a share of its
// own, so that whoever forges it takes nothing from the rest.
static bool is_too_fast(struct hail_shard *shard, struct hail_native *native, uint32_t flags,
                        size_t len)
{
    uint32_t per_s = shard->context->config.native.receive_rate;
    struct hail_rate *rate = &native->received[flags != 0];

    if (per_s == 0)
        return false;
    if (hail_rate_open_ns(rate, HAIL_NS_PER_S) > shard->now_ns)
        return true;
    hail_rate_passed(rate, len, per_s, shard->now_ns);
    return false;
}

void hail_native_packet(struct hail_shard *shard, uint32_t slot, const struct hail_path *from,
                        uint8_t *data, size_t len)
{
    struct hail_native *native = &shard->native->conns[slot];
    struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_opened opened;

    if (!native->keyed) {
        hail_shard_drop(shard, slot, HAIL_DROP_NO_KEY);
        return;
    }
    enum hail_verdict verdict =
        hail_peer_open(&native->peer, &opened, data, len, from, &shard->native->epochs,
                       &shard->random, shard->now_ns);
    if (verdict != HAIL_ACCEPT) {
        hail_shard_drop(shard, slot, verdict);
        return;
    }
    if (opened.flags != 0)
        conn->heard_ns = shard->now_ns; // a plain packet proves nothing
    if (is_too_fast(shard, native, opened.flags, len)) {
        hail_shard_drop(shard, slot, HAIL_DROP_TOO_FAST);
        return;
    }
    hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_BYTES_IN, len);
    hail_table_count(&shard->table, slot, HAIL_CONN_FIGURE_PACKETS_IN, 1);
    on_frames(shard, slot, &opened, from);
    if (!native->keyed)
        return;
    finish_flushing(shard, slot);
    const struct hail_acks *acks = &shard->delivery.conns[slot].acks;
    if (native->keyed && (native->peer.owed != 0 || acks->due_ns <= shard->now_ns))
        hail_native_flush(shard, slot);
    else if (native->keyed && acks->due_ns != UINT64_MAX)
        hail_conn_arm(shard, slot);
}

// ---- Life

bool hail_native_unanswered(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_native *native = &shard->native->conns[slot];

    return native->state == HAIL_NATIVE_EXPECT_WELCOME && native->retries == 0 &&
           native->fragments == 0;
}

void hail_native_approve(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];

    hail_native_enter(native, HAIL_NATIVE_CONNECTED);
    native->peer.client_id = shard->conns[slot].client_id;
    native->peer.owed |= HAIL_OWED_APPROVED;
    if (shard->context->keys.gives_tickets)
        native->peer.owed |= HAIL_OWED_TICKET;
    native->peer.owed &= (uint8_t)~HAIL_OWED_WAIT;
    hail_native_flush(shard, slot);
}

void hail_native_end(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                     const char *text)
{
    struct hail_native *native = &shard->native->conns[slot];
    uint16_t code = reason == HAIL_CLOSED_BY_APPLICATION ? shard->conns[slot].close_code : 0;
    size_t text_len = text ? strnlen(text, HAIL_FRAME_TEXT_MAX - CODE_LEN) : 0;
    uint8_t coded[HAIL_FRAME_TEXT_MAX];
    struct hail_native_frame frame = {
        .type = HAIL_FRAME_CLOSE,
        .reason = hail_close_reason_write(reason),
        .text = {(const uint8_t *)text, text_len},
    };

    if (code > 0) {
        hail_put_be(coded, code, CODE_LEN);
        if (text_len > 0)
            memcpy(coded + CODE_LEN, text, text_len);
        frame.reason = HAIL_WIRE_CLOSE_CODE;
        frame.text = (struct hail_bytes){coded, CODE_LEN + text_len};
    }
    if (native->keyed) {
        for (int i = 0; i < CLOSES_SENT; i++) {
            uint32_t index = hail_packets_begin(&shard->delivery, slot, HAIL_PROTECTION_ENCRYPTED);
            if (index != HAIL_OUTGOING_NONE)
                hail_packets_add(&shard->delivery, index, &frame);
        }
    }
    hail_datagrams_release(shard, slot);
    hail_simulate_end(shard, slot);
    hail_sender_clear(&shard->delivery, slot);
    hail_receiver_clear(&shard->delivery, slot);
    if (!shard->context->is_server)
        hail_client_cleanup(&shard->native->clients[slot].handshake);
    hail_epochs_forget(&shard->native->epochs, native->peer.stretched);
    hail_peer_cleanup(&native->peer);
    hail_agreement_cleanup(&native->agreement);
    native->keyed = false;
}

uint64_t hail_native_next_ns(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_native *native = &shard->native->conns[slot];
    uint64_t next = UINT64_MAX;
    bool resends = !shard->context->is_server && native->state != HAIL_NATIVE_CONNECTED;

    if (native->keyed) {
        uint64_t sender = hail_recovery_next_ns(&shard->delivery, slot);
        next = hail_peer_next_ns(&native->peer);
        next = sender < next ? sender : next;
        uint64_t ack = shard->delivery.conns[slot].acks.due_ns;
        next = ack < next ? ack : next;
        uint64_t stall = hail_receiver_next_ns(&shard->delivery, slot);
        next = stall < next ? stall : next;
    }
    if (resends && native->resend_ms > 0 && native->resend_ns < next)
        next = native->resend_ns;
    if (native->ticket_s > 0 && native->ticket_s * HAIL_NS_PER_S < next)
        next = native->ticket_s * HAIL_NS_PER_S;
    if (native->state == HAIL_NATIVE_CONNECTED && native->idle_timeout_ms > 0) {
        uint64_t idle = shard->conns[slot].heard_ns + native->idle_timeout_ms * HAIL_NS_PER_MS;
        next = idle < next ? idle : next;
    }
    if (native->state == HAIL_NATIVE_CONNECTED && !shard->context->is_server) {
        uint64_t source = hail_source_next_ns(shard, slot);
        next = source < next ? source : next;
    }
    return next;
}

// Whether a peer may be out of reach: then it is no slow reader or writer, and the idle timeout
// decides.
static bool is_silent(const struct hail_shard *shard, uint32_t slot)
{
    uint64_t stall_ns = shard->context->config.stall_timeout_ms * HAIL_NS_PER_MS;

    return shard->now_ns - shard->conns[slot].heard_ns >= stall_ns / 2;
}

bool hail_native_due(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native->conns[slot];
    bool connected = native->state == HAIL_NATIVE_CONNECTED;

    if (connected && native->idle_timeout_ms > 0 &&
        shard->now_ns >= shard->conns[slot].heard_ns + native->idle_timeout_ms * HAIL_NS_PER_MS) {
        hail_conn_end(shard, slot, HAIL_CLOSED_IDLE, false, NULL);
        return false;
    }
    bool silent = native->keyed && is_silent(shard, slot);
    if (silent && native->idle_timeout_ms > 0) {
        hail_recovery_excuse(&shard->delivery, slot);
        hail_receiver_excuse(&shard->delivery, slot);
    }
    if (native->keyed && !hail_recovery_due(&shard->delivery, slot)) {
        hail_conn_end(shard, slot, silent ? HAIL_CLOSED_IDLE : HAIL_CLOSED_SLOW_READER, false,
                      NULL);
        return false;
    }
    if (native->keyed && shard->now_ns >= hail_receiver_next_ns(&shard->delivery, slot) &&
        !hail_receiver_due(&shard->delivery, slot, shard->conns[slot].state == HAIL_CONN_OPEN)) {
        hail_conn_end(shard, slot, silent ? HAIL_CLOSED_IDLE : HAIL_CLOSED_SLOW_WRITER, false,
                      "a message was begun, or one before it is missing, and nothing more of it "
                      "came for stall_timeout_ms");
        return false;
    }
    if (native->ticket_s > 0 && shard->now_ns >= native->ticket_s * HAIL_NS_PER_S) {
        native->ticket_s =
            (uint32_t)(shard->now_ns / HAIL_NS_PER_S) + HAIL_TICKET_AGAIN_S; // if it is lost here
        native->peer.owed |= HAIL_OWED_TICKET;
    }
    if (connected && !shard->context->is_server)
        hail_source_due(shard, slot);
    if (native->keyed) {
        hail_peer_tick(&native->peer, shard->now_ns);
        hail_native_flush(shard, slot);
        finish_flushing(shard, slot);
    }
    return true;
}
