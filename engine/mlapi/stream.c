// stream.c: what a connection receives: frames out of the stream, messages out of the session, and
// each to the application once its floor is met.
// SPDX-License-Identifier: MIT
#include "engine/mlapi/stream.h"

#include <stdio.h>
#include <string.h>

#include "engine/mlapi/mlapi.h"
#include "engine/shard/conn.h"
#include "engine/shard/inbound.h"
#include "proto/mlapi/frame.h"

static enum hail_close_reason reason_for(enum hail_verdict verdict)
{
    if (verdict == HAIL_DROP_CONFIG)
        return HAIL_CLOSED_CONFIG;
    if (verdict == HAIL_DROP_CERTIFICATE || verdict == HAIL_DROP_SIGNATURE)
        return HAIL_CLOSED_CERTIFICATE;
    return HAIL_CLOSED_PROTOCOL;
}

static void act_on_result(struct hail_shard *shard, uint32_t slot, struct hail_event_room *reserved)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_event event;

    hail_mlapi_reply(shard, slot);
    switch (shard->mlapi->result.event) {
    case HAIL_MLAPI_EVENT_NONE:
        return;
    case HAIL_MLAPI_EVENT_ANSWERED:
        hail_mlapi_wait_for_key(shard, slot);
        return;
    case HAIL_MLAPI_EVENT_KEYED:
        hail_table_publish_key(&shard->table, slot, conn->session->key);
        return;
    case HAIL_MLAPI_EVENT_REQUEST:
        hail_inbound_request(shard, slot, reserved, shard->mlapi->result.data,
                             shard->mlapi->result.message.flags);
        return;
    case HAIL_MLAPI_EVENT_CONNECTED:
        conn->client_id = shard->mlapi->result.client_id;
        hail_conn_joined(shard, slot);
        return;
    case HAIL_MLAPI_EVENT_MESSAGE:
        if (hail_inbound_message(shard, slot, &shard->mlapi->result.message, &event))
            hail_event_commit(shard, reserved, &event);
        return;
    }
    HAIL_UNREACHABLE("every event of a session has its case");
}

// Ends a connection whose session will not go on, with what the session said of it.
static void end_for(struct hail_shard *shard, uint32_t slot, enum hail_verdict verdict)
{
    const struct hail_fault_report *report = &shard->mlapi->result.report;
    char text[HAIL_FAULT_TEXT_MAX + 32]; // and the fault's name

    if (report->fault != HAIL_FAULT_NONE)
        snprintf(text, sizeof text, "%s: %s", hail_fault_name(report->fault), report->text);
    else
        snprintf(text, sizeof text, "%s", report->text);
    hail_conn_end(shard, slot, reason_for(verdict), false, text[0] ? text : NULL);
}

// How much of a message its event may carry: in a handshake only connection data.
static size_t event_data_max(const struct hail_shard *shard, const struct hail_conn_slot *conn,
                             size_t len)
{
    const struct hail_context *context = shard->context;

    if (conn->session->state == HAIL_MLAPI_CONNECTED)
        return len;
    return context->is_server && context->setup.connection_approval ? len : 0;
}

// One whole message. False: there is no room for what it may lead to, and it is untouched.
static bool take_message(struct hail_shard *shard, uint32_t slot, uint8_t *message, size_t len)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    struct hail_event_room reserved;

    if ((conn->connected_pending && !hail_inbound_connected(shard, slot)) ||
        !hail_event_reserve(shard, &reserved, event_data_max(shard, conn, len))) {
        hail_stat_add(&shard->stats, HAIL_STAT_EVENTS_HELD, 1);
        return false;
    }
    struct hail_mlapi_ambient now = hail_mlapi_ambient(shard);
    enum hail_verdict verdict =
        hail_mlapi_session_input(conn->session, &shard->mlapi->result, message, len, &now);
    if (verdict != HAIL_ACCEPT)
        hail_shard_drop(shard, slot, verdict);
    else
        act_on_result(shard, slot, &reserved);
    hail_event_abandon(&reserved);
    if (verdict != HAIL_ACCEPT && shard->mlapi->result.close)
        end_for(shard, slot, verdict);
    return true;
}

// The longest message that the connection may send in its present state.
static size_t payload_max(const struct hail_shard *shard, const struct hail_conn_slot *conn)
{
    const struct hail_config *config = &shard->context->config;

    if (conn->session->state == HAIL_MLAPI_CONNECTED)
        return config->message_max + HAIL_WIRE_EXTRA;
    if (shard->context->is_server)
        return config->conn_data_max + HAIL_WIRE_EXTRA;
    return config->message_max + HAIL_WIRE_EXTRA > HAIL_MLAPI_HAIL_MAX
               ? config->message_max + HAIL_WIRE_EXTRA
               : HAIL_MLAPI_HAIL_MAX;
}

static void break_frame(struct hail_shard *shard, uint32_t slot)
{
    hail_shard_drop(shard, slot, HAIL_DROP_FRAME);
    hail_conn_end(shard, slot, HAIL_CLOSED_PROTOCOL, false, "a frame's length is 0 or too long");
}

// Keeps bytes for later.
static void keep(struct hail_shard *shard, uint32_t slot, const uint8_t *data, size_t len)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    if (len == 0)
        return;
    if (conn->in.len == 0)
        conn->in_since_ns = shard->now_ns;
    if (!hail_conn_append(shard, slot, &conn->in, data, len)) {
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
        return;
    }
    hail_conn_arm(shard, slot);
}

// The application is behind: take nothing more from this connection until it has caught up.
static void hold(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    conn->held = true;
    if (!conn->paused) {
        conn->paused = true;
        conn->pause_changed = !conn->pause_changed; // twice is not at all
        hail_queue_push(&shard->output, slot);
    }
    hail_queue_push(&shard->held, slot);
}

// Messages that lie whole in what was received, opened where they lie. Returns the bytes taken.
static size_t feed_in_place(struct hail_shard *shard, uint32_t slot, uint8_t *data, size_t len)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    size_t taken = 0;
    size_t payload_len;

    while (taken < len && conn->state == HAIL_CONN_OPEN && !conn->waits) {
        enum hail_mlapi_frame_state state = hail_mlapi_frame_next(
            data + taken, len - taken, payload_max(shard, conn), &payload_len);
        if (state == HAIL_MLAPI_FRAME_BAD)
            break_frame(shard, slot);
        if (state != HAIL_MLAPI_FRAME_WHOLE)
            break;
        if (!take_message(shard, slot, data + taken + HAIL_MLAPI_FRAME_HEADER_LEN, payload_len)) {
            hold(shard, slot);
            break;
        }
        taken += HAIL_MLAPI_FRAME_HEADER_LEN + payload_len;
        HAIL_ASSERT(taken <= len);
    }
    return taken;
}

// Adds to the message that waits for its rest, and opens it when it is whole. Returns the bytes
// taken; `*again` says whether there may be more to do.
static size_t feed_partial(struct hail_shard *shard, uint32_t slot, const uint8_t *data, size_t len,
                           bool *again)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    uint8_t header[HAIL_MLAPI_FRAME_HEADER_LEN];
    size_t payload_len = 0;
    size_t want = HAIL_MLAPI_FRAME_HEADER_LEN;

    *again = false;
    if (conn->in.len >= HAIL_MLAPI_FRAME_HEADER_LEN) {
        hail_chain_copy(&conn->in, &shard->pool, header, sizeof header);
        if (hail_mlapi_frame_next(header, sizeof header, payload_max(shard, conn), &payload_len) ==
            HAIL_MLAPI_FRAME_BAD) {
            break_frame(shard, slot);
            return len;
        }
        want += payload_len;
    }
    if (conn->in.len < want) {
        size_t part = len < want - conn->in.len ? len : want - conn->in.len;
        keep(shard, slot, data, part);
        *again = part > 0;
        return part;
    }

    HAIL_ASSERT(payload_len > 0);
    hail_chain_copy(&conn->in, &shard->pool, shard->mlapi->assembled, want);
    if (!take_message(shard, slot, shard->mlapi->assembled + HAIL_MLAPI_FRAME_HEADER_LEN,
                      payload_len)) {
        hold(shard, slot);
        return 0;
    }
    hail_conn_consume(shard, slot, &conn->in, want);
    conn->in_since_ns = shard->now_ns;
    *again = true;
    return 0;
}

void hail_stream_feed(struct hail_shard *shard, uint32_t slot, uint8_t *data, size_t len)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    bool again = true;

    if (conn->waits) { // a client that cannot wait is heard later
        if (conn->in.len + len > HAIL_MLAPI_FRAME_HEADER_LEN + payload_max(shard, conn))
            break_frame(shard, slot);
        else
            keep(shard, slot, data, len);
        return;
    }
    while (again && conn->in.len > 0 && conn->state == HAIL_CONN_OPEN && !conn->held &&
           !conn->waits) {
        size_t taken = feed_partial(shard, slot, data, len, &again);
        if (taken > 0) // where nothing came, `data` may be NULL
            data += taken;
        len -= taken;
    }
    if (len > 0 && conn->in.len == 0 && !conn->held && !conn->waits) {
        size_t taken = feed_in_place(shard, slot, data, len);
        data += taken;
        len -= taken;
    }
    if (conn->state == HAIL_CONN_OPEN)
        keep(shard, slot, data, len);
}

void hail_stream_retry(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    if (!conn->held)
        return;
    conn->held = false;
    conn->in_since_ns = shard->now_ns; // the wait was ours, not the peer's
    conn->heard_ns = shard->now_ns;
    hail_stream_feed(shard, slot, NULL, 0);
    // It may have joined by this; the others of this turn that have are told already.
    if (conn->connected_pending && conn->state == HAIL_CONN_OPEN &&
        !hail_inbound_connected(shard, slot))
        hail_queue_push(&shard->held, slot);
    if (!conn->held && conn->state == HAIL_CONN_OPEN) {
        conn->paused = false;
        conn->pause_changed = !conn->pause_changed;
        hail_queue_push(&shard->output, slot);
        hail_conn_arm(shard, slot);
    }
}
