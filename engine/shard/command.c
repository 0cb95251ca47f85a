// command.c: see command.h.
// SPDX-License-Identifier: MIT
#include "engine/shard/command.h"

#include <string.h>

#include "engine/delivery/send_messages.h"
#include "engine/shard/calls.h"
#include "engine/shard/conn.h"
#include "engine/shard/events.h"

enum {
    SHORT_MAX = 256 // bytes of a command's body that is none of the bulk
};

static enum hail_status connect_to(struct hail_shard *shard, const struct hail_command *command)
{
    if (shard->stopping) // else an application that always comes back would keep us from stopping
        return HAIL_ESTATE;
    uint32_t slot = hail_table_take(&shard->table);
    struct hail_shard_target *target = &shard->targets[slot];

    HAIL_ASSERT(slot != HAIL_SLOT_NONE); // hail_connect counts what it promises
    target->addresses = *command->addresses;
    target->tried = 0;
    target->conn_data_len = command->view.body_len;
    if (command->view.body_len > 0)
        memcpy(target->conn_data, command->view.body, command->view.body_len);

    hail_conn_begin(shard, slot, HAIL_CONN_CONNECTING, NULL);
    shard->conns[slot].tag = command->tag;
    shard->conns[slot].announced = true; // whoever asked is told how it ends
    if (shard->profile->connect)
        shard->profile->connect(shard, slot);
    hail_table_publish_peer(&shard->table, slot,
                            (const struct sockaddr *)&target->addresses.list[0],
                            sizeof target->addresses.list[0]);
    hail_queue_push(&shard->output, slot);
    return HAIL_OK;
}

// Copies the command's text, cut to fit and terminated.
static void take_text(char *text, size_t capacity, const struct hail_command *command)
{
    size_t len = command->view.body_len < capacity ? command->view.body_len : capacity - 1;

    if (len > 0)
        memcpy(text, command->view.body, len);
    text[len] = 0;
}

static enum hail_status end_for_application(struct hail_shard *shard, uint32_t slot,
                                            const struct hail_command *command)
{
    char text[HAIL_FAULT_TEXT_MAX];

    take_text(text, sizeof text, command);
    shard->conns[slot].close_code = (uint16_t)command->tag;
    hail_conn_end(shard, slot, HAIL_CLOSED_BY_APPLICATION, true, text[0] ? text : NULL);
    return HAIL_OK;
}

static enum hail_status decide(struct hail_shard *shard, uint32_t slot,
                               const struct hail_command *command)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    char reason[201];

    if (conn->state != HAIL_CONN_OPEN || !shard->profile->asks(shard, slot))
        return HAIL_ESTATE;
    if (command->op == HAIL_COMMAND_APPROVE) {
        conn->tag = command->tag;
        struct hail_mlapi_scene scene = command->scene;
        scene.objects = (struct hail_bytes){command->view.body, command->view.body_len};
        hail_conn_approve(shard, slot, command->has_scene ? &scene : NULL);
        return conn->state == HAIL_CONN_OPEN ? HAIL_OK : HAIL_EFULL;
    }
    take_text(reason, sizeof reason, command);
    hail_log_line(&shard->context->log, HAIL_LOG_DEBUG, "denied conn=%llx reason=\"%s\"",
                  (unsigned long long)command->conn.id, reason);
    hail_conn_end(shard, slot, HAIL_CLOSED_DENIED, true, reason[0] ? reason : NULL);
    return HAIL_OK;
}

// A reliable message that was promised and finds no room, since buffers_max is reached or it was
// one to many: its connection ends, for what it receives would have a hole.
static void break_promise(struct hail_shard *shard, uint32_t slot,
                          const struct hail_message_view *view)
{
    if (shard->profile->claims && hail_policy_is_reliable(&shard->context->policy, view->channel))
        hail_conn_end(shard, slot, HAIL_CLOSED_SLOW_READER, false,
                      "a message to it found no room, and nobody could be told");
}

static enum hail_status send_one(struct hail_shard *shard, uint32_t slot,
                                 const struct hail_command *command)
{
    struct hail_message_view view = command->view;
    struct hail_open_call *call = NULL;
    enum hail_status status = HAIL_OK;

    if (view.kind == HAIL_MESSAGE_REQUEST) {
        status = hail_calls_open(shard, slot, &view, command->timeout_ms, &call);
        view.call_id = call ? call->wire_id : 0;
        if (call)
            hail_conn_arm(shard, slot);
    }
    if (status == HAIL_OK)
        status = hail_conn_send(shard, slot, &view);
    if (status != HAIL_OK && call)
        call->used = false;
    if (status == HAIL_EFULL && command->posted && !call)
        break_promise(shard, slot, &view);
    return status;
}

static enum hail_status send_many(struct hail_shard *shard, const struct hail_command *command,
                                  size_t *done)
{
    enum hail_status first_failure = HAIL_OK;

    *done = 0;
    for (size_t i = 0; i < command->conn_count; i++) {
        if (hail_name_unpack(command->conns[i]).shard != shard->index)
            continue; // another shard's
        uint32_t slot = hail_table_find(&shard->table, command->conns[i]);
        enum hail_status status =
            slot == HAIL_SLOT_NONE ? HAIL_EGONE : send_one(shard, slot, command);
        if (status == HAIL_OK)
            (*done)++;
        else if (first_failure == HAIL_OK)
            first_failure = status;
    }
    return first_failure;
}

// Everybody who has joined, but for one. Connections that are ending, or that this very message
// ends for being slow, are not counted against it.
static enum hail_status send_all_but(struct hail_shard *shard, const struct hail_command *command)
{
    enum hail_status first_failure = HAIL_OK;

    for (uint32_t slot = 0; slot < shard->table.fresh; slot++) {
        const struct hail_conn_slot *conn = &shard->conns[slot];
        if (conn->state != HAIL_CONN_OPEN || !conn->joined)
            continue;
        if (hail_table_name(&shard->table, slot).id == command->conn.id)
            continue;
        enum hail_status status = send_one(shard, slot, command);
        if (status != HAIL_OK && conn->state == HAIL_CONN_OPEN && first_failure == HAIL_OK)
            first_failure = status;
    }
    return first_failure;
}

// The members of a group, but for one; failures count as with all. A send may end the connection it
// is to, and so its membership, but runs nothing that could change another's.
static enum hail_status send_group_but(struct hail_shard *shard, const struct hail_command *command)
{
    struct hail_group_walk walk = hail_groups_walk(&shard->groups, command->group);
    enum hail_status first_failure = HAIL_OK;
    uint32_t slot;

    while (hail_groups_next(&shard->groups, &walk, &slot)) {
        if (hail_table_name(&shard->table, slot).id == command->conn.id)
            continue;
        enum hail_status status = send_one(shard, slot, command);
        if (status != HAIL_OK && shard->conns[slot].state == HAIL_CONN_OPEN &&
            first_failure == HAIL_OK)
            first_failure = status;
    }
    return first_failure;
}

static enum hail_status join_group(struct hail_shard *shard, uint32_t slot, struct hail_group group)
{
    if (!shard->conns[slot].joined)
        return HAIL_ESTATE;
    enum hail_status status = hail_groups_join(&shard->groups, group, slot);
    if (status == HAIL_EFULL)
        hail_stat_add(&shard->stats, HAIL_STAT_GROUPS_FULL, 1);
    return status;
}

enum hail_status hail_command_run(struct hail_shard *shard, const struct hail_command *command,
                                  size_t *done)
{
    if (command->op == HAIL_COMMAND_CONNECT)
        return connect_to(shard, command);
    if (command->op == HAIL_COMMAND_SEND_MANY)
        return send_many(shard, command, done);
    if (command->op == HAIL_COMMAND_SEND_ALL_BUT)
        return send_all_but(shard, command);
    if (command->op == HAIL_COMMAND_SEND_GROUP_BUT)
        return send_group_but(shard, command);
    if (command->op == HAIL_COMMAND_DATAGRAM) {
        // The bytes are in our mailbox, and nobody else's.
        uint8_t *data = (uint8_t *)(uintptr_t)command->view.body;
        shard->profile->datagram(shard, HAIL_SLOT_NONE, command->from, data,
                                 command->view.body_len);
        return HAIL_OK;
    }

    uint32_t slot = hail_table_find(&shard->table, command->conn);
    if (slot == HAIL_SLOT_NONE || shard->conns[slot].state >= HAIL_CONN_FLUSHING)
        return HAIL_EGONE;
    switch (command->op) {
    case HAIL_COMMAND_APPROVE:
    case HAIL_COMMAND_DENY:
        return decide(shard, slot, command);
    case HAIL_COMMAND_CLOSE:
        return end_for_application(shard, slot, command);
    case HAIL_COMMAND_SET_TAG:
        shard->conns[slot].tag = command->tag;
        return HAIL_OK;
    case HAIL_COMMAND_UPDATE_KEYS:
        return shard->profile->update_keys(shard, slot);
    case HAIL_COMMAND_FLUSH:
        shard->profile->flush(shard, slot);
        return HAIL_OK;
    case HAIL_COMMAND_SIMULATE:
        shard->profile->simulate(shard, slot, command->view.body);
        return HAIL_OK;
    case HAIL_COMMAND_JOIN_GROUP:
        return join_group(shard, slot, command->group);
    case HAIL_COMMAND_LEAVE_GROUP:
        hail_groups_leave(&shard->groups, command->group, slot);
        return HAIL_OK;
    case HAIL_COMMAND_SEND:
        return send_one(shard, slot, command);
    case HAIL_COMMAND_CONNECT:
    case HAIL_COMMAND_DATAGRAM:
    case HAIL_COMMAND_SEND_MANY:
    case HAIL_COMMAND_SEND_ALL_BUT:
    case HAIL_COMMAND_SEND_GROUP_BUT:
        break;
    }
    HAIL_UNREACHABLE("every op has its case");
}

// Room in the mailbox that commands with more than a few bytes leave to those with less: whoever
// has maps to send can still be closed, and everybody else can move.
static size_t spare_for(const struct hail_shard *shard, const struct hail_command *command)
{
    bool is_bulk = command->op >= HAIL_COMMAND_SEND && command->view.body_len > SHORT_MAX;

    return is_bulk ? shard->commands.capacity / 4 : 0;
}

static void mark_refused(struct hail_shard *shard, struct hail_conn conn)
{
    struct hail_name name = hail_name_unpack(conn);

    if (name.shard == shard->index && name.slot < shard->context->slots)
        atomic_fetch_or_explicit(&shard->refused[name.slot / 64], 1ull << name.slot % 64,
                                 memory_order_relaxed);
}

// The mailbox is full. Whom it concerned is told when there is room again, be it already.
static enum hail_status refuse(struct hail_shard *shard, const struct hail_command *command)
{
    atomic_fetch_add_explicit(&shard->commands_refused, 1, memory_order_relaxed);
    if (command->op == HAIL_COMMAND_SEND)
        mark_refused(shard, command->conn);
    for (size_t i = 0; i < command->conn_count; i++)
        mark_refused(shard, command->conns[i]);
    // Release: pairs with the acquire in tell_refused(), so that the bits are there before.
    atomic_store_explicit(&shard->refuses, true, memory_order_release);
    hail_shard_wake(shard);
    return HAIL_EFULL;
}

// Tells one connection that was refused. False: no room for the event.
static bool tell_one(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_event_room reserved;

    // The slot may be another's by now, to whom it means nothing.
    if (!conn->announced || !conn->joined || conn->connected_pending ||
        conn->state >= HAIL_CONN_FLUSHING)
        return true;
    if (!hail_event_reserve(shard, &reserved, 0))
        return false;
    struct hail_event event = hail_event_of(shard, slot, HAIL_EVENT_WRITABLE);
    hail_event_commit(shard, &reserved, &event);
    return true;
}

static void tell_refused(struct hail_shard *shard)
{
    uint32_t words = (shard->context->slots + 63) / 64;

    // Acquire: see refuse().
    if (!atomic_load_explicit(&shard->refuses, memory_order_relaxed) ||
        !hail_mailbox_has_half(&shard->commands) ||
        !atomic_exchange_explicit(&shard->refuses, false, memory_order_acquire))
        return;
    hail_stat_set(&shard->stats, HAIL_STAT_COMMANDS_REFUSED,
                  atomic_load_explicit(&shard->commands_refused, memory_order_relaxed));
    for (uint32_t word = 0; word < words; word++) {
        uint64_t bits = atomic_exchange_explicit(&shard->refused[word], 0, memory_order_relaxed);
        for (; bits != 0; bits &= bits - 1) {
            if (tell_one(shard, word * 64 + (uint32_t)__builtin_ctzll(bits)))
                continue;
            atomic_fetch_or_explicit(&shard->refused[word], bits, memory_order_relaxed);
            atomic_store_explicit(&shard->refuses, true, memory_order_relaxed);
            return; // until there is room for events, for which we shall be woken
        }
    }
}

enum hail_status hail_command_post(struct hail_shard *shard, const struct hail_command *command)
{
    size_t list_len = command->addresses ? sizeof *command->addresses
                      : command->from    ? 8 * ((sizeof *command->from + 7) / 8)
                                         : command->conn_count * sizeof(struct hail_conn);
    struct hail_command *own = hail_mailbox_reserve_leaving(
        &shard->commands, sizeof *own + list_len + command->view.body_len,
        spare_for(shard, command));

    if (!own)
        return refuse(shard, command);
    // What the command points to lies behind it in its record: a list, then the body.
    void *list = own + 1;
    uint8_t *body = (uint8_t *)list + list_len;
    *own = *command;
    own->posted = true;
    if (command->addresses) {
        memcpy(list, command->addresses, sizeof *command->addresses);
        own->addresses = list;
    }
    if (command->from) {
        memcpy(list, command->from, sizeof *command->from);
        own->from = list;
    }
    if (command->conn_count > 0) {
        struct hail_conn *conns = list;
        own->conns = conns;
        own->conn_count = 0;
        for (size_t i = 0; i < command->conn_count; i++) {
            if (hail_name_unpack(command->conns[i]).shard == shard->index)
                conns[own->conn_count++] = command->conns[i];
        }
    }
    if (command->view.body_len > 0) {
        memcpy(body, command->view.body, command->view.body_len);
        own->view.body = body;
    }
    hail_mailbox_commit(own);
    hail_shard_wake(shard);
    return HAIL_OK;
}

static bool is_call(const struct hail_command *command)
{
    return command->op == HAIL_COMMAND_SEND && command->view.kind == HAIL_MESSAGE_REQUEST;
}

static void run_posted(struct hail_shard *shard, const struct hail_command *command,
                       struct hail_event_room *reserved)
{
    size_t done = 0;
    enum hail_status status = hail_command_run(shard, command, &done);

    if (status == HAIL_OK)
        return;
    if (command->view.claimed > 0)
        hail_send_messages_unclaim(&shard->delivery, hail_name_unpack(command->conn).slot,
                                   command->view.claimed);
    if (command->op >= HAIL_COMMAND_SEND)
        hail_stat_add(&shard->stats, HAIL_STAT_SENDS_FAILED,
                      command->op == HAIL_COMMAND_SEND_MANY ? command->conn_count - done : 1);
    if (!is_call(command))
        return;
    struct hail_event event = {
        .type = HAIL_EVENT_RESPONSE,
        .conn = command->conn,
        .status = status,
        .call_id = command->view.call_id,
    };
    hail_event_commit(shard, reserved, &event);
}

void hail_command_drain(struct hail_shard *shard)
{
    // Room is given back at the end, so one turn drains what fits into the mailbox and no more.
    for (;;) {
        struct hail_event_room reserved = {NULL};
        size_t len;

        if (shard->profile->crowded && shard->profile->crowded(shard))
            break; // the rest next turn, when what these had to send is gone
        if (!shard->command_held)
            shard->command_held = hail_mailbox_next(&shard->commands, &len);
        if (!shard->command_held)
            break;
        HAIL_ASSERT(shard->command_held->posted);
        // A call may have to be answered with an event, so it waits for room for one.
        if (is_call(shard->command_held) && !hail_event_reserve(shard, &reserved, 0))
            return;
        run_posted(shard, shard->command_held, &reserved);
        hail_event_abandon(&reserved);
        shard->command_held = NULL;
    }
    hail_mailbox_release(&shard->commands);
    tell_refused(shard);
}
