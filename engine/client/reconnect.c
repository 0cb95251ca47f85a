// reconnect.c: see reconnect.h. Clients of a server that went down come back at times of their own,
// or they would all be there at once.
// SPDX-License-Identifier: MIT
#include "engine/client/reconnect.h"

#include "crypto/time.h"

// Whether what ended a connection may be over when it is tried again.
static bool may_pass(const struct hail_reconnect_end *end)
{
    switch (end->reason) {
    case HAIL_CLOSED_IDLE:
    case HAIL_CLOSED_ERROR:
    case HAIL_CLOSED_CONNECT:
    case HAIL_CLOSED_HANDSHAKE_TIMEOUT:
    case HAIL_CLOSED_CROWDED_OUT:
    case HAIL_CLOSED_HOLDS_TOO_MUCH:
        return true;
    case HAIL_CLOSED_BY_PEER:
    case HAIL_CLOSED_DENIED:
        return end->server_gone;
    case HAIL_CLOSED_BY_APPLICATION:
    case HAIL_CLOSED_SLOW_READER:
    case HAIL_CLOSED_SLOW_WRITER:
    case HAIL_CLOSED_PROTOCOL:
    case HAIL_CLOSED_CONFIG:
    case HAIL_CLOSED_CERTIFICATE:
    case HAIL_CLOSED_NO_BUFFER:
    case HAIL_CLOSED_SHUTDOWN:
    case HAIL_CLOSE_REASON_COUNT:
        break;
    }
    return false;
}

bool hail_reconnect_wants(const struct hail_shard_target *target,
                          const struct hail_reconnect_end *end, uint64_t now_ns)
{
    if (!may_pass(end) || target->addresses.reconnect_ms == 0)
        return false;
    if (end->joined)
        return true;
    return end->again && now_ns + HAIL_RECONNECT_LEAST_MS * HAIL_NS_PER_MS < target->give_up_ns;
}

void hail_reconnect_plan(struct hail_shard_target *target, bool lost, uint32_t dice,
                         uint64_t now_ns)
{
    if (lost) {
        target->give_up_ns = now_ns + target->addresses.reconnect_ms * HAIL_NS_PER_MS;
        target->pause_ms = HAIL_RECONNECT_FIRST_MS;
    }
    HAIL_ASSERT(target->pause_ms > 0);
    HAIL_ASSERT(target->give_up_ns > now_ns);
    uint64_t pause_ns = (target->pause_ms / 2 + dice % target->pause_ms) * HAIL_NS_PER_MS;
    uint64_t most_ns = (target->give_up_ns - now_ns) / 2; // or there is no time to try
    target->retry_ns = now_ns + (pause_ns < most_ns ? pause_ns : most_ns);
    if (target->pause_ms < HAIL_RECONNECT_MAX_MS)
        target->pause_ms *= 2;
    target->tried = 0;
}

uint64_t hail_reconnect_by(const struct hail_shard_target *target, uint64_t deadline_ns)
{
    return target->give_up_ns < deadline_ns ? target->give_up_ns : deadline_ns;
}
