// mlapi.c: see mlapi.h.
// SPDX-License-Identifier: MIT
#include "engine/mlapi/mlapi.h"

#include <string.h>

#include "engine/shard/conn.h"
#include "proto/mlapi/frame.h"

enum {
    TICKS_PER_SECOND = 10000000 // .NET's ticks are 100 ns
};

// .NET counts from year 1.
static const int64_t ticks_at_unix_epoch = 621355968000000000;

struct hail_mlapi_ambient hail_mlapi_ambient(struct hail_shard *shard)
{
    int64_t unix_ns = shard->unix_ns;

    return (struct hail_mlapi_ambient){
        .random = &shard->random,
        .ticks = ticks_at_unix_epoch + unix_ns / (1000000000 / TICKS_PER_SECOND),
        .unix_s = unix_ns / 1000000000,
    };
}

enum hail_status hail_mlapi_queue(struct hail_shard *shard, uint32_t slot, uint8_t *framed,
                                  size_t len)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    size_t framed_len = HAIL_MLAPI_FRAME_HEADER_LEN + len;

    HAIL_ASSERT(conn->state == HAIL_CONN_OPEN);
    HAIL_ASSERT(len > 0);
    hail_mlapi_frame_write(framed, len);
    if (conn->out.len + framed_len > shard->context->config.unsent_max) {
        hail_conn_end(shard, slot, HAIL_CLOSED_SLOW_READER, false, NULL);
        return HAIL_EFULL;
    }
    if (conn->out.len == 0)
        conn->out_since_ns = shard->now_ns;
    if (!hail_conn_append(shard, slot, &conn->out, framed, framed_len))
        return HAIL_EFULL;
    hail_table_gauge(&shard->table, slot, HAIL_CONN_FIGURE_UNSENT, conn->out.len);
    hail_queue_push(&shard->output, slot);
    hail_conn_arm(shard, slot);
    return HAIL_OK;
}

void hail_mlapi_reply(struct hail_shard *shard, uint32_t slot)
{
    if (shard->mlapi->result.reply_len == 0)
        return;
    memcpy(shard->mlapi->framed + HAIL_MLAPI_FRAME_HEADER_LEN, shard->mlapi->result.reply,
           shard->mlapi->result.reply_len);
    if (hail_mlapi_queue(shard, slot, shard->mlapi->framed, shard->mlapi->result.reply_len) !=
        HAIL_OK)
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
}

// Queues a message of `len` bytes that lies in `framed`; 0: it did not fit there.
static enum hail_status queue_written(struct hail_shard *shard, uint32_t slot, size_t len)
{
    return len > 0 ? hail_mlapi_queue(shard, slot, shard->mlapi->framed, len) : HAIL_EFULL;
}

// Time sync and approved, as the mlapi profile has them.
void hail_mlapi_approve(struct hail_shard *shard, uint32_t slot,
                        const struct hail_mlapi_scene *scene)
{
    struct hail_conn_slot *conn = &shard->conns[slot];
    uint8_t *message = shard->mlapi->framed + HAIL_MLAPI_FRAME_HEADER_LEN;
    uint64_t age_ns = shard->now_ns - shard->context->start_ns;
    struct hail_mlapi_approved_body approved = {
        .client_id = conn->client_id,
        .server_time_s = (float)age_ns / 1e9f,
        .scene.index = atomic_load_explicit(&shard->context->scene, memory_order_relaxed),
    };

    if (scene)
        approved.scene = *scene;
    enum hail_status status =
        queue_written(shard, slot, hail_mlapi_server_sync(message, approved.server_time_s));
    if (status == HAIL_OK)
        status = queue_written(shard, slot,
                               hail_mlapi_server_approve(conn->session, message,
                                                         shard->mlapi->framed_max, &approved,
                                                         &shard->random));
    if (status != HAIL_OK)
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
    else
        hail_conn_joined(shard, slot);
}

enum hail_status hail_mlapi_send(struct hail_shard *shard, uint32_t slot,
                                 const struct hail_message_view *view)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    if (view->flags != 0 && !conn->session->has_key)
        return HAIL_ENOKEY;
    struct hail_mlapi_bare bare;
    size_t len = hail_mlapi_session_prepare(conn->session, &bare,
                                            shard->mlapi->framed + HAIL_MLAPI_FRAME_HEADER_LEN,
                                            view, &shard->random);
    bool waits = hail_sealer_waits(&shard->mlapi->sealer, &bare, &conn->out, &shard->pool,
                                   HAIL_MLAPI_FRAME_HEADER_LEN + len);
    if (!waits)
        hail_mlapi_protect(NULL, &bare, 1);
    enum hail_status status = hail_mlapi_queue(shard, slot, shard->mlapi->framed, len);
    if (status == HAIL_OK && waits) {
        bare.buffer = hail_chain_last(&conn->out, &shard->pool, len);
        hail_sealer_add(&shard->mlapi->sealer, &bare);
    }
    return status;
}

void hail_mlapi_wait_for_hail(struct hail_shard *shard, uint32_t slot)
{
    shard->conns[slot].waits = true;
    hail_queue_push(&shard->mlapi->accept.unhailed, slot);
}

void hail_mlapi_wait_for_key(struct hail_shard *shard, uint32_t slot)
{
    struct hail_mlapi_accept *accept = &shard->mlapi->accept;

    if (accept->answered.count == 0)
        accept->answered_ns = shard->now_ns;
    shard->conns[slot].waits = true;
    hail_queue_push(&accept->answered, slot);
}
