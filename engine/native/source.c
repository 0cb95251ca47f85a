// SPDX-License-Identifier: MIT
#include "engine/native/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/delivery/recovery.h"
#include "engine/shard/conn.h"

static bool is_connected(const struct hail_shard *shard, uint32_t slot)
{
    return shard->native->conns[slot].state == HAIL_NATIVE_CONNECTED;
}

// How long the server may take to answer. Who has measured nothing yet may find that the path is
// longer, when its source has changed a few times for nothing.
static uint64_t answer_ns(const struct hail_shard *shard, uint32_t slot)
{
    const struct hail_rtt *rtt = &shard->delivery.conns[slot].sender.rtt;

    return rtt->latest == 0 ? HAIL_RTT_INITIAL_MS * HAIL_NS_PER_MS : hail_rtt_probe_ns(rtt, 0);
}

static void change(struct hail_shard *shard, uint32_t slot)
{
    shard->conns[slot].follow = HAIL_CONN_FOLLOWS;
    hail_queue_push(&shard->output, slot);
}

static void ask(struct hail_shard *shard, uint32_t slot)
{
    shard->native->conns[slot].peer.owed |= HAIL_OWED_PING;
}

void hail_source_due(struct hail_shard *shard, uint32_t slot)
{
    const struct hail_follow_signs signs = {
        .sent_ns = shard->native->conns[slot].peer.sent_ns,
        .heard_ns = shard->conns[slot].heard_ns,
        .answer_ns = answer_ns(shard, slot),
    };

    switch (hail_follow_due(&shard->native->clients[slot].follow, &signs, shard->now_ns)) {
    case HAIL_FOLLOW_STAY:
        break;
    case HAIL_FOLLOW_PROBE:
        ask(shard, slot);
        break;
    case HAIL_FOLLOW_CHANGE:
        change(shard, slot);
        break;
    }
}

uint64_t hail_source_next_ns(const struct hail_shard *shard, uint32_t slot)
{
    return hail_follow_next_ns(&shard->native->clients[slot].follow);
}

// What the kernel says is why nothing is answered.
static void explain(struct hail_shard *shard, uint32_t slot, int error)
{
    char text[HAIL_FAULT_TEXT_MAX];
    const char *remedy = error == EMSGSIZE ? ": an interface on the way out has an MTU below 1,280"
                         : error == EPERM  ? ": a firewall of this machine forbids it"
                                           : "";

    snprintf(text, sizeof text, "the kernel did not send: %s (%s)%s", strerrordesc_np(error),
             strerrorname_np(error), remedy);
    hail_conn_explain(shard, slot, text);
}

void hail_source_unsent(struct hail_shard *shard, uint32_t slot, int error)
{
    if (!shard->conns[slot].joined)
        explain(shard, slot, error);
    if (hail_follow_refused(&shard->native->clients[slot].follow, error, shard->now_ns))
        change(shard, slot);
}

// The server hears of it at once, and whatever was under way goes again.
void hail_source_followed(struct hail_shard *shard, uint32_t slot)
{
    if (!is_connected(shard, slot))
        return; // a handshake says its last word again soon
    hail_follow_changed(&shard->native->clients[slot].follow, answer_ns(shard, slot),
                        shard->now_ns);
    hail_recovery_moved(&shard->delivery, slot);
    ask(shard, slot);
}
