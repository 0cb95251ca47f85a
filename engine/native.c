// native.c: packets and timers of the hail profile, and its part of a connection's life. Strangers
// are in greeter.c, a client's handshake in joiner.c. SPDX-License-Identifier: MIT
#include "engine/native.h"

#include <stdio.h>
#include <string.h>

#include "crypto/secret.h"
#include "engine/conn.h"
#include "engine/deliver.h"
#include "engine/inbound.h"
#include "engine/shard.h"

// Close reasons on the wire (WIRE.md, section 5.2).
enum {
    CLOSE_APPLICATION = 0,
    CLOSE_DENIED = 1,
    CLOSE_IDLE = 2,
    CLOSE_GOING_DOWN = 3,
    CLOSE_PROTOCOL = 4,
    CLOSES_SENT = 2 // packets with the close frame: one of them may be lost
};

static const uint64_t ns_per_ms = 1000000;

static void count_drop(struct hail_shard *shard, enum hail_verdict verdict)
{
    hail_stat_add(&shard->stats, HAIL_STAT_DROPPED_FIRST + verdict, 1);
}

void hail_native_reserve(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_native_shard *native = &shard->native;
    uint32_t slots = context->slots;
    uint32_t buckets = 1;

    if (context->config.profile != HAIL_PROFILE_HAIL)
        return;
    while (context->is_server && buckets < slots && buckets < context->config.handshakes_max)
        buckets *= 2;
    native->greeted_count = buckets;
    native->greeted = hail_arena_take(&shard->arena, buckets, sizeof(uint32_t));
    native->conns = hail_arena_take(&shard->arena, slots, sizeof(struct hail_native));
    native->newest =
        hail_arena_take(&shard->arena, (size_t)slots * hail_policy_channel_count(&context->policy),
                        sizeof(uint64_t));
    hail_lobby_init(&native->lobby, &shard->arena, context->is_server);
    native->clients = hail_arena_take(&shard->arena, context->is_server ? 0 : slots,
                                      sizeof(struct hail_native_client));
}

void hail_native_init(struct hail_shard *shard)
{
    const struct hail_config *config = &shard->context->config;
    struct hail_native_shard *native = &shard->native;

    native->hellos.admits = HAIL_SHED_NONE;
    native->cookies.admits = HAIL_SHED_NONE;
    if (config->profile != HAIL_PROFILE_HAIL)
        return;
    while (shard->context->slots > 1u << native->slot_bits)
        native->slot_bits++;
    hail_random_bytes(&shard->random, native->greeted_key, sizeof native->greeted_key);
    hail_limit_init(&native->unproven, config->native.source_per_s, &shard->random);
    hail_limit_init(&native->proven, config->native.source_per_s, &shard->random);
}

// A connection's name on the wire: shard, as much of the generation as there is room for, slot.
static uint32_t conn_id_of(const struct hail_shard *shard, uint32_t slot)
{
    uint32_t generation = hail_name_unpack(hail_table_name(&shard->table, slot)).generation;
    uint32_t low = (generation << shard->native.slot_bits | slot) & 0xffffff;

    return (uint32_t)shard->index << 24 | low;
}

uint32_t hail_native_find(const struct hail_shard *shard, uint32_t conn_id)
{
    uint32_t slot = conn_id & ((1u << shard->native.slot_bits) - 1);

    if (slot >= shard->table.fresh || shard->conns[slot].state != HAIL_CONN_OPEN ||
        shard->native.conns[slot].conn_id != conn_id)
        return HAIL_SLOT_NONE;
    return slot;
}

// The numbers of the packets that brought the newest message of each sequenced channel.
static uint64_t *newest_of(struct hail_shard *shard, uint32_t slot)
{
    return shard->native.newest + (size_t)slot * hail_policy_channel_count(&shard->context->policy);
}

void hail_native_begin(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native.conns[slot];

    memset(native, 0, sizeof *native);
    memset(newest_of(shard, slot), 0,
           hail_policy_channel_count(&shard->context->policy) * sizeof(uint64_t));
    native->out_first = HAIL_OUTGOING_NONE;
    native->out_last = HAIL_OUTGOING_NONE;
    native->idle_timeout_ms = shard->context->config.idle_timeout_ms;
    if (shard->context->is_server) {
        native->state = HAIL_NATIVE_EXPECT_FINISH;
        native->conn_id = conn_id_of(shard, slot);
    } else {
        native->state = HAIL_NATIVE_EXPECT_WELCOME;
    }
}

bool hail_native_key(struct hail_shard *shard, uint32_t slot,
                     const uint8_t stretched[HAIL_STRETCHED_LEN],
                     const struct hail_address *address)
{
    struct hail_native *native = &shard->native.conns[slot];
    bool is_server = shard->context->is_server;
    uint32_t ping_ms = native->idle_timeout_ms == 0 ? HAIL_PING_DEFAULT_MS
                       : native->idle_timeout_ms < HAIL_PING_PART
                           ? 1
                           : native->idle_timeout_ms / HAIL_PING_PART;

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

// Shows a client's datagram to whom it may concern.
static void show(const struct hail_shard *shard, uint32_t slot, bool sent, const uint8_t *data,
                 size_t len)
{
    const struct hail_config *config = &shard->context->config;

    if (config->native.on_datagram && !shard->context->is_server)
        config->native.on_datagram(shard->context->endpoint, hail_table_name(&shard->table, slot),
                                   sent, data, len, config->user);
}

// Counts a datagram that found no room.
static uint32_t add_outgoing(struct hail_shard *shard, uint32_t slot, uint8_t protection)
{
    uint32_t index = hail_outbox_add(&shard->outbox, slot, protection);

    if (index == HAIL_OUTGOING_NONE) {
        hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_UNSENT, 1);
        return index;
    }
    if (slot == HAIL_SLOT_NONE)
        return index;
    struct hail_native *native = &shard->native.conns[slot];
    if (native->out_last != HAIL_OUTGOING_NONE)
        shard->outbox.list[native->out_last].next = index;
    else
        native->out_first = index;
    native->out_last = index;
    return index;
}

void hail_native_whole(struct hail_shard *shard, uint32_t slot, const struct hail_address *to,
                       const uint8_t *data, size_t len)
{
    uint32_t index = add_outgoing(shard, slot, 0);

    if (index == HAIL_OUTGOING_NONE)
        return;
    struct hail_outgoing *outgoing = &shard->outbox.list[index];
    memcpy(hail_outbox_bytes(&shard->outbox, index), data, len);
    outgoing->len = (uint16_t)len;
    outgoing->elsewhere = to != NULL;
    if (to)
        outgoing->to = *to;
}

// The connection's packet that takes `len` more bytes of frames under this protection, or a new
// one.
static uint32_t packet_for(struct hail_shard *shard, uint32_t slot, enum hail_protection protection,
                           size_t len)
{
    struct hail_native *native = &shard->native.conns[slot];
    size_t room = HAIL_DATAGRAM_MAX - hail_peer_overhead(&native->peer, protection);

    if (native->out_last != HAIL_OUTGOING_NONE) {
        const struct hail_outgoing *open = &shard->outbox.list[native->out_last];
        if (open->protection == protection && !open->elsewhere && open->len + len <= room)
            return native->out_last;
    }
    return add_outgoing(shard, slot, (uint8_t)protection);
}

static bool add_frame(struct hail_shard *shard, uint32_t index,
                      const struct hail_native_frame *frame)
{
    const struct hail_native *native;
    struct hail_outgoing *outgoing;

    if (index == HAIL_OUTGOING_NONE)
        return false;
    outgoing = &shard->outbox.list[index];
    native = &shard->native.conns[outgoing->slot];
    enum hail_direction direction = native->peer.is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    uint8_t *frames = hail_outbox_bytes(&shard->outbox, index) +
                      hail_packet_frames_at(direction, (enum hail_protection)outgoing->protection);
    outgoing->last = outgoing->len;
    outgoing->len +=
        (uint16_t)hail_frames_write(frames + outgoing->len, frame, &shard->context->policy);
    return true;
}

// Frames become a datagram.
static void seal(struct hail_shard *shard, uint32_t index)
{
    struct hail_outgoing *outgoing = &shard->outbox.list[index];
    struct hail_native *native = &shard->native.conns[outgoing->slot];
    enum hail_direction direction = native->peer.is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    enum hail_protection protection = (enum hail_protection)outgoing->protection;
    uint8_t *datagram = hail_outbox_bytes(&shard->outbox, index);

    if (protection != 0) {
        size_t len = hail_frames_shorten(datagram + hail_packet_frames_at(direction, protection),
                                         outgoing->len, outgoing->last);
        outgoing->len =
            (uint16_t)hail_peer_seal(&native->peer, datagram, len, protection, shard->now_ns);
        outgoing->protection = 0;
    }
    if (!outgoing->elsewhere)
        outgoing->to = native->keyed ? native->peer.address : native->from;
}

void hail_native_flush(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native.conns[slot];
    struct hail_native_frame frame;
    struct hail_address to;
    uint8_t owed;

    if (!native->keyed)
        return;
    while ((owed = hail_peer_owes(&native->peer, &to)) != 0) {
        bool elsewhere = !hail_address_equal(&to, &native->peer.address);
        uint32_t index = elsewhere
                             ? add_outgoing(shard, slot, HAIL_PROTECTION_ENCRYPTED)
                             : packet_for(shard, slot, HAIL_PROTECTION_ENCRYPTED, HAIL_CONTROL_MAX);
        if (index == HAIL_OUTGOING_NONE)
            return; // what matters is owed again when its time comes
        for (unsigned bit = 1; bit <= owed; bit <<= 1) {
            if (!(owed & bit))
                continue;
            hail_peer_frame(&native->peer, (enum hail_owed)bit, &frame);
            (void)add_frame(shard, index, &frame);
        }
        if (elsewhere) {
            shard->outbox.list[index].elsewhere = true;
            shard->outbox.list[index].to = to;
        }
    }
    hail_conn_arm(shard, slot);
}

static enum hail_protection protection_of(uint32_t flags)
{
    if (flags & HAIL_FLAG_ENCRYPTED)
        return HAIL_PROTECTION_ENCRYPTED;
    return flags & HAIL_FLAG_AUTHENTICATED ? HAIL_PROTECTION_AUTHENTICATED : HAIL_PROTECTION_PLAIN;
}

enum hail_status hail_native_send(struct hail_shard *shard, uint32_t slot,
                                  const struct hail_message_view *view)
{
    const struct hail_native_frame frame = {
        .type = hail_frames_type_of(view, &shard->context->policy), .message = *view};
    struct hail_native *native = &shard->native.conns[slot];
    enum hail_protection protection = protection_of(view->flags);
    size_t len = hail_frames_len(&frame, &shard->context->policy);

    if (len == 0 || len + hail_peer_overhead(&native->peer, protection) > HAIL_DATAGRAM_MAX)
        return HAIL_EINVAL;
    return add_frame(shard, packet_for(shard, slot, protection, len), &frame) ? HAIL_OK
                                                                              : HAIL_EFULL;
}

enum hail_status hail_native_update(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native.conns[slot];

    if (!native->keyed)
        return HAIL_ENOKEY;
    hail_peer_update(&native->peer);
    hail_native_flush(shard, slot);
    return HAIL_OK;
}

bool hail_native_task(struct hail_shard *shard, struct hail_task *task)
{
    uint32_t index = hail_outbox_next(&shard->outbox);

    if (index == HAIL_OUTGOING_NONE)
        return false;
    struct hail_outgoing *first = &shard->outbox.list[index];
    if (first->slot != HAIL_SLOT_NONE)
        seal(shard, index);
    task->op = HAIL_TASK_DATAGRAMS;
    task->slot = first->slot;
    task->address = shard->context->is_server ? &first->to.any : NULL;
    task->view_count = 0;
    size_t bytes = 0;
    for (;;) {
        struct hail_outgoing *outgoing = &shard->outbox.list[index];
        outgoing->given = true;
        task->views[task->view_count++] =
            (struct iovec){hail_outbox_bytes(&shard->outbox, index), outgoing->len};
        bytes += outgoing->len;
        show(shard, first->slot, true, hail_outbox_bytes(&shard->outbox, index), outgoing->len);
        uint32_t next = outgoing->next;
        if (first->slot == HAIL_SLOT_NONE)
            break;
        shard->native.conns[first->slot].out_first = next;
        if (next == HAIL_OUTGOING_NONE)
            shard->native.conns[first->slot].out_last = next;
        // A train is of datagrams of one length, of which the last may be shorter.
        if (next == HAIL_OUTGOING_NONE || outgoing->len < first->len ||
            task->view_count == HAIL_VIEWS_MAX)
            break;
        seal(shard, next);
        if (shard->outbox.list[next].len > first->len ||
            !hail_address_equal(&shard->outbox.list[next].to, &first->to))
            break;
        index = next;
    }
    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_OUT, task->view_count);
    hail_stat_add(&shard->stats, HAIL_STAT_BYTES_OUT, bytes);
    if (first->slot != HAIL_SLOT_NONE)
        hail_table_count(&shard->table, first->slot, HAIL_TRAFFIC_BYTES_OUT, bytes);
    return true;
}

// ---- In

static enum hail_close_reason reason_of(uint8_t wire)
{
    switch (wire) {
    case CLOSE_DENIED:
        return HAIL_CLOSED_DENIED;
    case CLOSE_IDLE:
        return HAIL_CLOSED_IDLE;
    case CLOSE_PROTOCOL:
        return HAIL_CLOSED_PROTOCOL;
    default:
        return HAIL_CLOSED_BY_PEER;
    }
}

static void on_close(struct hail_shard *shard, uint32_t slot, const struct hail_native_frame *frame)
{
    char text[HAIL_FRAME_TEXT_MAX + 1];

    if (frame->text.len > 0)
        memcpy(text, frame->text.data, frame->text.len);
    text[frame->text.len] = 0;
    shard->native.conns[slot].keyed = false; // nothing is answered to a close
    hail_conn_end(shard, slot, reason_of(frame->reason), false, text[0] ? text : NULL);
}

static enum hail_verdict on_approved(struct hail_shard *shard, uint32_t slot,
                                     const struct hail_native_frame *frame)
{
    struct hail_native *native = &shard->native.conns[slot];

    if (native->state == HAIL_NATIVE_CONNECTED)
        return HAIL_ACCEPT; // said twice
    if (native->state != HAIL_NATIVE_EXPECT_ANSWER)
        return HAIL_DROP_UNEXPECTED;
    native->state = HAIL_NATIVE_CONNECTED;
    shard->conns[slot].client_id = frame->client_id;
    hail_conn_joined(shard, slot);
    return HAIL_ACCEPT;
}

// Whether a channel's guarantee lets a message through that came in this packet: the newest wins.
static bool is_newest(struct hail_shard *shard, uint32_t slot, uint8_t channel, uint64_t number)
{
    const struct hail_policy *policy = &shard->context->policy;
    uint64_t *newest = newest_of(shard, slot) + channel;

    if (hail_policy_channel_at(policy, channel)->guarantee != HAIL_GUARANTEE_SEQUENCED)
        return true;
    if (number < *newest)
        return false;
    *newest = number;
    return true;
}

static enum hail_verdict on_message(struct hail_shard *shard, uint32_t slot,
                                    struct hail_message_view *message,
                                    const struct hail_opened *packet)
{
    struct hail_delivery delivery;

    if (shard->native.conns[slot].state != HAIL_NATIVE_CONNECTED)
        return HAIL_DROP_UNEXPECTED;
    message->flags = packet->flags;
    enum hail_verdict verdict = hail_policy_check_channel(&shard->context->policy, message);
    if (verdict == HAIL_DROP_FLOOR)
        hail_inbound_below_channel(shard, slot, message);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!is_newest(shard, slot, message->channel, packet->number))
        return HAIL_DROP_OLD;
    if ((shard->conns[slot].connected_pending && !hail_inbound_connected(shard, slot)) ||
        !hail_deliver_reserve(shard, &delivery, message->body_len)) {
        hail_stat_add(&shard->stats, HAIL_STAT_EVENTS_HELD, 1); // lost, as a datagram may be
        return HAIL_ACCEPT;
    }
    hail_inbound_message(shard, slot, message, &delivery);
    hail_deliver_abandon(&delivery);
    return HAIL_ACCEPT;
}

static enum hail_verdict on_control(struct hail_shard *shard, uint32_t slot,
                                    const struct hail_native_frame *frame, uint32_t flags,
                                    const struct hail_address *from)
{
    struct hail_native *native = &shard->native.conns[slot];
    bool is_server = shard->context->is_server;
    struct hail_address before = native->peer.address;

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
    case HAIL_FRAME_PADDING:
    case HAIL_FRAME_MESSAGE:
    case HAIL_FRAME_NAMED:
    case HAIL_FRAME_CALL:
    case HAIL_FRAME_REQUEST:
    case HAIL_FRAME_RESPONSE:
    case HAIL_FRAME_CHANNEL:
    case HAIL_FRAME_PING:
    case HAIL_FRAME_PONG:
    case HAIL_FRAME_PATH_CHALLENGE:
    case HAIL_FRAME_PATH_RESPONSE:
    case HAIL_FRAME_UPDATE:
        break;
    }
    hail_peer_control(&native->peer, frame, from);
    if (!hail_address_equal(&before, &native->peer.address)) {
        hail_stat_add(&shard->stats, HAIL_STAT_PATHS_CHANGED, 1);
        hail_table_publish_peer(&shard->table, slot, &native->peer.address.any,
                                hail_address_len(&native->peer.address));
    }
    return HAIL_ACCEPT;
}

static void on_frames(struct hail_shard *shard, uint32_t slot, const struct hail_opened *opened,
                      const struct hail_address *from)
{
    const struct hail_connection *conn = &shard->conns[slot];
    struct hail_native_frame frame;
    size_t at = 0;

    while (at < opened->frames_len && conn->state == HAIL_CONN_OPEN) {
        enum hail_verdict verdict = hail_frames_next(&frame, &shard->context->policy,
                                                     opened->frames, opened->frames_len, &at);
        bool readable = verdict == HAIL_ACCEPT;
        if (readable)
            verdict = hail_frames_is_control(frame.type)
                          ? on_control(shard, slot, &frame, opened->flags, from)
                          : on_message(shard, slot, &frame.message, opened);
        if (verdict != HAIL_ACCEPT)
            count_drop(shard, verdict);
        if (!readable && verdict != HAIL_DROP_NAME)
            return; // where the next frame begins nobody knows
    }
}

static void on_packet(struct hail_shard *shard, uint32_t slot, const struct hail_address *from,
                      uint8_t *data, size_t len)
{
    struct hail_native *native = &shard->native.conns[slot];
    struct hail_connection *conn = &shard->conns[slot];
    struct hail_opened opened;

    if (!native->keyed) {
        count_drop(shard, HAIL_DROP_NO_KEY);
        return;
    }
    enum hail_verdict verdict =
        hail_peer_open(&native->peer, &opened, data, len, from, &shard->random, shard->now_ns);
    if (verdict != HAIL_ACCEPT) {
        count_drop(shard, verdict);
        return;
    }
    if (opened.flags != 0)
        conn->heard_ns = shard->now_ns; // a plain packet proves nothing
    hail_table_count(&shard->table, slot, HAIL_TRAFFIC_BYTES_IN, len);
    on_frames(shard, slot, &opened, from);
    if (conn->state == HAIL_CONN_OPEN && native->peer.owed != 0)
        hail_native_flush(shard, slot);
}

// A datagram whose connection lives on another shard: its address had changed, and the kernel does
// not steer here.
static void pass_on(struct hail_shard *shard, uint8_t owner, const struct hail_address *from,
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
        count_drop(shard, HAIL_DROP_CONNECTION);
        return;
    }
    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_PASSED, 1);
}

// Of a server: what came to its port.
static void on_server_datagram(struct hail_shard *shard, enum hail_datagram_type type,
                               const struct hail_address *from, uint8_t *data, size_t len)
{
    if (type == HAIL_DATAGRAM_HELLO) {
        hail_greeter_hello(shard, from, data, len);
        return;
    }
    if (type != HAIL_DATAGRAM_FINISH && type != HAIL_DATAGRAM_PACKET) {
        count_drop(shard, HAIL_DROP_UNEXPECTED);
        return;
    }
    if (len < HAIL_PACKET_TO_SERVER_LEN) {
        count_drop(shard, HAIL_DROP_SHORT);
        return;
    }
    if (data[1] != shard->index) {
        pass_on(shard, data[1], from, data, len);
        return;
    }
    if (type == HAIL_DATAGRAM_FINISH) {
        hail_greeter_finish(shard, from, data, len);
        return;
    }
    uint32_t conn_id =
        (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4];
    uint32_t slot = hail_native_find(shard, conn_id);
    if (slot == HAIL_SLOT_NONE)
        count_drop(shard, HAIL_DROP_CONNECTION);
    else
        on_packet(shard, slot, from, data, len);
}

void hail_native_datagram(struct hail_shard *shard, uint32_t slot, const struct hail_address *from,
                          uint8_t *data, size_t len)
{
    enum hail_datagram_type type;
    enum hail_verdict verdict = hail_datagram_type_of(&type, data, len);

    hail_stat_add(&shard->stats, HAIL_STAT_DATAGRAMS_IN, 1);
    hail_stat_add(&shard->stats, HAIL_STAT_BYTES_IN, len);
    show(shard, slot, false, data, len);
    if (verdict != HAIL_ACCEPT)
        count_drop(shard, verdict);
    else if (shard->context->is_server)
        on_server_datagram(shard, type, from, data, len);
    else if (shard->conns[slot].state != HAIL_CONN_OPEN)
        return;
    else if (type == HAIL_DATAGRAM_PACKET)
        on_packet(shard, slot, from, data, len);
    else
        hail_joiner_input(shard, slot, type, data, len);
}

// ---- Life

bool hail_native_unanswered(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_native *native = &shard->native.conns[slot];

    return native->state == HAIL_NATIVE_EXPECT_WELCOME && native->retries == 0 &&
           native->fragments == 0;
}

void hail_native_approve(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native.conns[slot];

    native->state = HAIL_NATIVE_CONNECTED;
    native->peer.client_id = shard->conns[slot].client_id;
    native->peer.owed |= HAIL_OWED_APPROVED;
    native->peer.owed &= (uint8_t)~HAIL_OWED_WAIT;
    hail_native_flush(shard, slot);
}

static uint8_t wire_reason(enum hail_close_reason reason)
{
    switch (reason) {
    case HAIL_CLOSED_DENIED:
        return CLOSE_DENIED;
    case HAIL_CLOSED_IDLE:
        return CLOSE_IDLE;
    case HAIL_CLOSED_SHUTDOWN:
        return CLOSE_GOING_DOWN;
    case HAIL_CLOSED_PROTOCOL:
        return CLOSE_PROTOCOL;
    case HAIL_CLOSED_BY_APPLICATION:
    case HAIL_CLOSED_BY_PEER:
    case HAIL_CLOSED_HANDSHAKE_TIMEOUT:
    case HAIL_CLOSED_SLOW_READER:
    case HAIL_CLOSED_SLOW_WRITER:
    case HAIL_CLOSED_CONFIG:
    case HAIL_CLOSED_CERTIFICATE:
    case HAIL_CLOSED_CROWDED_OUT:
    case HAIL_CLOSED_NO_BUFFER:
    case HAIL_CLOSED_ERROR:
    case HAIL_CLOSED_CONNECT:
    case HAIL_CLOSE_REASON_COUNT:
        break;
    }
    return CLOSE_APPLICATION;
}

// Seals what waits to be sent: the keys are about to go. A server's slot may then have another
// connection before it is sent, so it is no longer the slot's.
static void make_whole(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native.conns[slot];
    uint32_t index = native->out_first;

    while (index != HAIL_OUTGOING_NONE) {
        struct hail_outgoing *outgoing = &shard->outbox.list[index];
        seal(shard, index);
        index = outgoing->next;
        if (shard->context->is_server) {
            outgoing->slot = HAIL_SLOT_NONE;
            outgoing->next = HAIL_OUTGOING_NONE;
        }
    }
}

void hail_native_end(struct hail_shard *shard, uint32_t slot, enum hail_close_reason reason,
                     const char *text)
{
    struct hail_native *native = &shard->native.conns[slot];
    size_t text_len = text ? strnlen(text, HAIL_FRAME_TEXT_MAX) : 0;
    const struct hail_native_frame frame = {
        .type = HAIL_FRAME_CLOSE,
        .reason = wire_reason(reason),
        .text = {(const uint8_t *)text, text_len},
    };

    if (native->keyed) {
        for (int i = 0; i < CLOSES_SENT; i++)
            (void)add_frame(shard, add_outgoing(shard, slot, HAIL_PROTECTION_ENCRYPTED), &frame);
    }
    make_whole(shard, slot);
    if (shard->context->is_server)
        hail_greeter_forget(shard, slot);
    else
        hail_client_cleanup(&shard->native.clients[slot].handshake);
    hail_peer_cleanup(&native->peer);
    hail_agreement_cleanup(&native->agreement);
    native->keyed = false;
}

uint64_t hail_native_next_ns(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_native *native = &shard->native.conns[slot];
    uint64_t next = native->keyed ? hail_peer_next_ns(&native->peer) : UINT64_MAX;
    bool resends = !shard->context->is_server && native->state != HAIL_NATIVE_CONNECTED;

    if (resends && native->resend_ms > 0 && native->resend_ns < next)
        next = native->resend_ns;
    if (native->state == HAIL_NATIVE_CONNECTED && native->idle_timeout_ms > 0) {
        uint64_t idle = shard->conns[slot].heard_ns + native->idle_timeout_ms * ns_per_ms;
        next = idle < next ? idle : next;
    }
    return next;
}

void hail_native_due(struct hail_shard *shard, uint32_t slot)
{
    struct hail_native *native = &shard->native.conns[slot];
    bool connected = native->state == HAIL_NATIVE_CONNECTED;

    if (connected && native->idle_timeout_ms > 0 &&
        shard->now_ns >= shard->conns[slot].heard_ns + native->idle_timeout_ms * ns_per_ms) {
        hail_conn_end(shard, slot, HAIL_CLOSED_IDLE, false, NULL);
        return;
    }
    if (native->keyed) {
        hail_peer_tick(&native->peer, shard->now_ns);
        hail_native_flush(shard, slot);
    }
    if (!shard->context->is_server && !connected && native->resend_ms > 0 &&
        shard->now_ns >= native->resend_ns)
        hail_joiner_resend(shard, slot);
}
