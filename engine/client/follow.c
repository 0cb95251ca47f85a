// SPDX-License-Identifier: MIT
#include "engine/client/follow.h"

#include <errno.h>

#include "crypto/time.h"

// After which errors another source may do: the socket's own is gone, or has no way there.
static bool is_of_the_path(int error)
{
    switch (error) {
    case EADDRNOTAVAIL: // the source was taken from the machine
    case ENETUNREACH:   // no route from there
    case EHOSTUNREACH:
    case ENETDOWN: // the interface
    case ENODEV:
    case EDESTADDRREQ: // an earlier change has found no way
    case ENOTCONN:
        return true;
    default:
        return false;
    }
}

static uint64_t most_ns(uint64_t ns, uint64_t most_ms)
{
    return ns < most_ms * HAIL_NS_PER_MS ? ns : most_ms * HAIL_NS_PER_MS;
}

bool hail_follow_sent(struct hail_follow *follow, uint64_t now_ns)
{
    if (follow->probe_ns != 0)
        return false;
    follow->since_ns = now_ns;
    follow->probe_ns = now_ns + HAIL_FOLLOW_SILENCE_MS * HAIL_NS_PER_MS;
    return true;
}

// Something has come. If more was sent since, the next answer is awaited.
static void answered(struct hail_follow *follow, const struct hail_follow_signs *signs)
{
    follow->probes = 0;
    follow->changes = 0;
    follow->since_ns = signs->heard_ns + 1;
    follow->probe_ns = signs->sent_ns > signs->heard_ns
                           ? signs->sent_ns + HAIL_FOLLOW_SILENCE_MS * HAIL_NS_PER_MS
                           : 0;
}

// The longer nothing comes, the rarer the changes: a server that is gone is not to be had from
// another port either.
static void put_off(struct hail_follow *follow, uint64_t now_ns)
{
    uint64_t pause_ns =
        most_ns(HAIL_FOLLOW_AGAIN_MS * HAIL_NS_PER_MS << follow->changes, HAIL_FOLLOW_AGAIN_MAX_MS);

    follow->again_ns = now_ns + pause_ns;
    if (HAIL_FOLLOW_AGAIN_MS << follow->changes < HAIL_FOLLOW_AGAIN_MAX_MS)
        follow->changes++;
}

static void ask(struct hail_follow *follow, uint64_t answer_ns, uint64_t now_ns)
{
    uint64_t wait_ns = most_ns(answer_ns, HAIL_FOLLOW_PROBE_MAX_MS);

    follow->probe_ns = now_ns + (wait_ns > 0 ? wait_ns : 1);
}

enum hail_follow_act hail_follow_due(struct hail_follow *follow,
                                     const struct hail_follow_signs *signs, uint64_t now_ns)
{
    if (follow->probe_ns == 0 || now_ns < follow->probe_ns)
        return HAIL_FOLLOW_STAY;
    if (signs->heard_ns >= follow->since_ns) {
        answered(follow, signs);
        return HAIL_FOLLOW_STAY;
    }
    ask(follow, signs->answer_ns, now_ns);
    if (follow->probes < HAIL_FOLLOW_PROBES) {
        follow->probes++;
        return HAIL_FOLLOW_PROBE;
    }
    if (now_ns < follow->again_ns) {
        follow->probe_ns = follow->again_ns;
        return HAIL_FOLLOW_PROBE;
    }
    put_off(follow, now_ns);
    return HAIL_FOLLOW_CHANGE;
}

uint64_t hail_follow_next_ns(const struct hail_follow *follow)
{
    return follow->probe_ns == 0 ? UINT64_MAX : follow->probe_ns;
}

bool hail_follow_refused(struct hail_follow *follow, int error, uint64_t now_ns)
{
    if (!is_of_the_path(error) || now_ns < follow->again_ns)
        return false;
    put_off(follow, now_ns);
    return true;
}

void hail_follow_changed(struct hail_follow *follow, uint64_t answer_ns, uint64_t now_ns)
{
    follow->probes = 0;
    follow->since_ns = now_ns;
    ask(follow, answer_ns, now_ns);
}
