// accept.c: see accept.h.
// SPDX-License-Identifier: MIT
#include "engine/mlapi/accept.h"

#include <string.h>

#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/mlapi/mlapi.h"
#include "engine/mlapi/stream.h"
#include "engine/shard/conn.h"
#include "proto/mlapi/frame.h"

// Takes up to `most` slots from a queue whose connections still wait in this state: some may have
// ended, and others have their slots.
static size_t take_waiting(struct hail_shard *shard, struct hail_queue *queue,
                           enum hail_mlapi_state state, uint32_t *slots, size_t most)
{
    size_t count = 0;
    uint32_t slot;

    while (count < most && hail_queue_pop(queue, &slot)) {
        const struct hail_conn_slot *conn = &shard->conns[slot];
        if (conn->state == HAIL_CONN_OPEN && conn->waits && conn->session->state == state)
            slots[count++] = slot;
    }
    return count;
}

// What came meanwhile is heard now.
static void hear(struct hail_shard *shard, uint32_t slot)
{
    HAIL_ASSERT(shard->conns[slot].waits);
    shard->conns[slot].waits = false;
    hail_stream_feed(shard, slot, NULL, 0);
}

// Greets a client that was accepted. The pair is used unless a hail is there that may be reused.
static void hail(struct hail_shard *shard, uint32_t slot, const struct hail_x25519_pair *pair)
{
    const struct hail_context *context = shard->context;
    struct hail_mlapi_accept *accept = &shard->mlapi->accept;
    struct hail_mlapi_session *session = shard->conns[slot].session;

    if (!context->setup.encryption) {
        hail_mlapi_server_init(session, &context->setup, NULL);
        return;
    }
    if (shard->now_ns >= accept->hail_until_ns) {
        if (!hail_mlapi_hail_make(&accept->hail, &context->setup, pair)) {
            hail_conn_end(shard, slot, HAIL_CLOSED_ERROR, false, "the hail could not be signed");
            return;
        }
        accept->hail_until_ns = shard->now_ns + context->config.key_reuse_ms * HAIL_NS_PER_MS;
        hail_stat_add(&shard->stats, HAIL_STAT_HAILS_MADE, 1);
    }
    HAIL_ASSERT(accept->hail.len > 0);
    hail_mlapi_server_init(session, &context->setup, &accept->hail);
    memcpy(shard->mlapi->framed + HAIL_MLAPI_FRAME_HEADER_LEN, accept->hail.message,
           accept->hail.len);
    if (context->config.key_reuse_ms == 0)
        hail_wipe(&accept->hail.pair, sizeof accept->hail.pair);
    if (hail_mlapi_queue(shard, slot, shard->mlapi->framed, accept->hail.len) != HAIL_OK)
        hail_conn_end(shard, slot, HAIL_CLOSED_NO_BUFFER, false, NULL);
}

// How many fresh pairs the hails of `count` connections take.
static size_t pairs_wanted(const struct hail_shard *shard, size_t count)
{
    if (!shard->context->setup.encryption)
        return 0;
    if (shard->context->config.key_reuse_ms == 0)
        return count;
    return shard->now_ns >= shard->mlapi->accept.hail_until_ns ? 1 : 0;
}

static void make_hails(struct hail_shard *shard)
{
    struct hail_x25519_pair pairs[HAIL_HAILS_PER_TURN];
    uint32_t slots[HAIL_HAILS_PER_TURN];
    // The state of a session that has not begun.
    size_t count = take_waiting(shard, &shard->mlapi->accept.unhailed,
                                HAIL_MLAPI_EXPECT_HAIL_RESPONSE, slots, HAIL_HAILS_PER_TURN);
    size_t pair_count = pairs_wanted(shard, count);

    if (pair_count > 0)
        hail_x25519_pairs_init(pairs, pair_count, &shard->random);
    for (size_t i = 0; i < count; i++) {
        hail(shard, slots[i], &pairs[i < pair_count ? i : 0]);
        hear(shard, slots[i]);
    }
    hail_wipe(pairs, pair_count * sizeof pairs[0]);
}

// A hail that may not be used any more: its private key goes.
static void forget_hail(struct hail_shard *shard)
{
    struct hail_mlapi_accept *accept = &shard->mlapi->accept;

    if (accept->hail_until_ns == 0 || shard->now_ns < accept->hail_until_ns)
        return;
    hail_wipe(&accept->hail.pair, sizeof accept->hail.pair);
    accept->hail_until_ns = 0;
}

// When the responses that wait are to be served. They wait for each other, but not when everybody
// who is joining is there.
static uint64_t answers_due(const struct hail_shard *shard)
{
    const struct hail_mlapi_accept *accept = &shard->mlapi->accept;

    if (accept->answered.count == 0)
        return UINT64_MAX;
    if (accept->answered.count >= HAIL_MLAPI_AGREEMENTS_MAX ||
        accept->answered.count >= shard->handshake_count)
        return 0;
    return accept->answered_ns + shard->context->config.stretch_wait_us * HAIL_NS_PER_US;
}

static void greet(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_mlapi_session *session = shard->conns[slot].session;
    struct hail_mlapi_ambient now = hail_mlapi_ambient(shard);

    if (!session->has_key) {
        hail_stat_add(&shard->stats, HAIL_STAT_DROPPED_FIRST + HAIL_DROP_POINT, 1);
        return;
    }
    hail_stat_add(&shard->stats, HAIL_STAT_KEYS_STRETCHED, 1);
    hail_mlapi_server_greet(&shard->mlapi->result, &now);
    hail_mlapi_reply(shard, slot);
    hail_table_publish_key(&shard->table, slot, session->key);
}

static void agree(struct hail_shard *shard)
{
    struct hail_mlapi_session *sessions[HAIL_MLAPI_AGREEMENTS_MAX];
    uint32_t slots[HAIL_MLAPI_AGREEMENTS_MAX];
    size_t count = take_waiting(shard, &shard->mlapi->accept.answered, HAIL_MLAPI_EXPECT_AGREEMENT,
                                slots, HAIL_MLAPI_AGREEMENTS_MAX);

    for (size_t i = 0; i < count; i++)
        sessions[i] = shard->conns[slots[i]].session;
    HAIL_ASSERT(count <= HAIL_MLAPI_AGREEMENTS_MAX);
    hail_mlapi_server_agree(sessions, count);
    for (size_t i = 0; i < count; i++) {
        if (shard->conns[slots[i]].state != HAIL_CONN_OPEN)
            continue; // ended by what one before it led to
        greet(shard, slots[i]);
        hear(shard, slots[i]);
    }
    shard->mlapi->accept.answered_ns = shard->now_ns;
}

void hail_mlapi_accept_turn(struct hail_shard *shard)
{
    make_hails(shard);
    forget_hail(shard);
    if (shard->now_ns >= answers_due(shard))
        agree(shard);
}

uint64_t hail_mlapi_accept_next_ns(const struct hail_shard *shard)
{
    const struct hail_mlapi_accept *accept = &shard->mlapi->accept;
    uint64_t next = answers_due(shard);

    if (accept->unhailed.count > 0)
        return 0;
    return accept->hail_until_ns > 0 && accept->hail_until_ns < next ? accept->hail_until_ns : next;
}
