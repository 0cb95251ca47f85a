// mlapi.c: the mlapi profile, as a shard sees it: MLAPI 12 over TCP.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/mlapi/accept.h"
#include "engine/mlapi/mlapi.h"
#include "engine/mlapi/stream.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/conn.h"
#include "proto/mlapi/frame.h"

static void attach(struct hail_shard *shard, void *state)
{
    shard->mlapi = state;
}

static void reserve_conns(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_mlapi_shard *mlapi = shard->mlapi;
    uint32_t waiting = context->is_server ? context->slots : 0;

    mlapi->sessions =
        hail_arena_take(&shard->arena, context->slots, sizeof(struct hail_mlapi_session));
    hail_queue_init(&mlapi->accept.unhailed, &shard->arena, waiting);
    hail_queue_init(&mlapi->accept.answered, &shard->arena, waiting);
}

static void reserve(struct hail_shard *shard, const struct hail_context *context)
{
    struct hail_mlapi_shard *mlapi = shard->mlapi;
    size_t wire_max = HAIL_MLAPI_FRAME_HEADER_LEN + context->config.message_max + HAIL_WIRE_EXTRA;
    size_t hail_max = HAIL_MLAPI_HAIL_MAX + HAIL_MLAPI_FRAME_HEADER_LEN;
    size_t len = wire_max > hail_max ? wire_max : hail_max;

    mlapi->assembled = hail_arena_take(&shard->arena, len, 1);
    mlapi->framed = hail_arena_take(&shard->arena, len, 1);
    mlapi->framed_max = len - HAIL_MLAPI_FRAME_HEADER_LEN;
    if (context->setup.encryption)
        hail_sealer_reserve(&mlapi->sealer, &shard->arena);
}

static void init(struct hail_shard *shard)
{
    const struct hail_context *context = shard->context;

    if (context->is_server)
        hail_limit_init(&shard->mlapi->accept.accepts, context->config.accepts_per_s,
                        &shard->random);
    hail_sealer_init(&shard->mlapi->sealer);
}

static void cleanup(struct hail_shard *shard)
{
    struct hail_mlapi_shard *mlapi = shard->mlapi;

    hail_wipe(&mlapi->accept.hail, sizeof mlapi->accept.hail);
    hail_sealer_cleanup(&mlapi->sealer);
    hail_wipe(&mlapi->result, sizeof mlapi->result);
}

static bool admit(struct hail_shard *shard, const struct hail_path *from)
{
    return hail_prefixes_has(&shard->context->trusted, from) ||
           hail_limit_take(&shard->mlapi->accept.accepts, from, shard->now_ns, NULL);
}

static void begin(struct hail_shard *shard, uint32_t slot)
{
    struct hail_conn_slot *conn = &shard->conns[slot];

    conn->session = &shard->mlapi->sessions[slot];
    memset(conn->session, 0, sizeof *conn->session);
}

static void connect_to(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_shard_target *target = &shard->targets[slot];

    hail_mlapi_client_init(shard->conns[slot].session, &shard->context->setup,
                           target->addresses.host,
                           (struct hail_bytes){target->conn_data, target->conn_data_len});
}

static void open_client(struct hail_shard *shard, uint32_t slot)
{
    struct hail_mlapi_ambient ambient = {.random = &shard->random};

    hail_mlapi_client_open(shard->conns[slot].session, &shard->mlapi->result, &ambient);
    hail_mlapi_reply(shard, slot);
}

static bool asks(const struct hail_shard *shard, uint32_t slot)
{
    return shard->conns[slot].session->state == HAIL_MLAPI_EXPECT_DECISION;
}

static void let_go(struct hail_shard *shard, uint32_t slot)
{
    // It works on what lies in the connection's queue, with the session's key.
    hail_sealer_run(&shard->mlapi->sealer);
    hail_mlapi_session_cleanup(shard->conns[slot].session);
}

static bool has_unsent(const struct hail_shard *shard, uint32_t slot)
{
    return shard->conns[slot].out.len > 0;
}

// The first to send has everybody's messages protected.
static void seal(struct hail_shard *shard)
{
    if (shard->mlapi->sealer.count > 0)
        hail_sealer_run(&shard->mlapi->sealer);
}

static uint64_t deadline(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_config *config = &shard->context->config;
    const struct hail_conn_slot *conn = &shard->conns[slot];
    uint64_t earliest = UINT64_MAX;
    uint64_t stall_ns = config->stall_timeout_ms * HAIL_NS_PER_MS;

    if (conn->out.len > 0)
        earliest = conn->out_since_ns + stall_ns;
    if (conn->state == HAIL_CONN_FLUSHING)
        return earliest;
    if (conn->in.len > 0 && !conn->held && conn->in_since_ns + stall_ns < earliest)
        earliest = conn->in_since_ns + stall_ns;
    if (conn->joined && config->idle_timeout_ms > 0 && !conn->held) {
        uint64_t idle = conn->heard_ns + config->idle_timeout_ms * HAIL_NS_PER_MS;
        return idle < earliest ? idle : earliest;
    }
    return earliest;
}

static void due(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_conn_slot *conn = &shard->conns[slot];
    uint64_t stall_ns = shard->context->config.stall_timeout_ms * HAIL_NS_PER_MS;

    if (conn->out.len > 0 && conn->out_since_ns + stall_ns <= shard->now_ns)
        hail_conn_end(shard, slot, HAIL_CLOSED_SLOW_READER, false, NULL);
    else if (hail_conn_timed_out(shard, slot))
        return;
    else if (conn->in.len > 0 && !conn->held && conn->in_since_ns + stall_ns <= shard->now_ns)
        hail_conn_end(shard, slot, HAIL_CLOSED_SLOW_WRITER, false, NULL);
    else
        hail_conn_end(shard, slot, HAIL_CLOSED_IDLE, true, NULL);
}

const struct hail_profile_ops hail_mlapi_profile = {
    .state_len = sizeof(struct hail_mlapi_shard),
    .block_size = HAIL_BLOCK_STREAM,
    .attach = attach,
    .reserve_conns = reserve_conns,
    .reserve = reserve,
    .init = init,
    .cleanup = cleanup,
    .greet = hail_mlapi_accept_turn,
    .next_ns = hail_mlapi_accept_next_ns,
    .admit = admit,
    .accepted = hail_mlapi_wait_for_hail,
    .begin = begin,
    .connect = connect_to,
    .open = open_client,
    .asks = asks,
    .approve = hail_mlapi_approve,
    .let_go = let_go,
    .input = hail_stream_feed,
    .retry = hail_stream_retry,
    .send = hail_mlapi_send,
    .has_unsent = has_unsent,
    .seal = seal,
    .deadline = deadline,
    .due = due,
};
