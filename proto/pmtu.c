// pmtu.c: see pmtu.h.
// SPDX-License-Identifier: MIT
#include "proto/pmtu.h"

#include "crypto/time.h"
#include "proto/packet.h"

void hail_pmtu_init(struct hail_pmtu *pmtu, uint16_t most)
{
    *pmtu = (struct hail_pmtu){
        .size = HAIL_DATAGRAM_MAX, .most = most, .ceiling = (uint16_t)(most + 1)};
}

// What to try next: the most first, since most paths take it, then halfway to what did not pass. 0:
// nothing is to be gained.
static uint16_t candidate(const struct hail_pmtu *pmtu)
{
    if (pmtu->ceiling > pmtu->most)
        return pmtu->size < pmtu->most ? pmtu->most : 0;
    return pmtu->ceiling - pmtu->size > HAIL_PMTU_STEP
               ? (uint16_t)(pmtu->size + (pmtu->ceiling - pmtu->size) / 2)
               : 0;
}

// Ends a search. The next one asks about everything again, what passes now included.
static void rest(struct hail_pmtu *pmtu, uint64_t ms, uint64_t now_ns)
{
    pmtu->next_ns = now_ns + ms * HAIL_NS_PER_MS;
    pmtu->ceiling = (uint16_t)(pmtu->most + 1);
    pmtu->probing = 0;
    pmtu->tries = 0;
    pmtu->wanted = false;
}

uint16_t hail_pmtu_probe(struct hail_pmtu *pmtu, uint64_t now_ns)
{
    if (!pmtu->wanted || pmtu->probing != 0 || now_ns < pmtu->next_ns)
        return 0;
    pmtu->probing = candidate(pmtu);
    if (pmtu->probing == 0)
        rest(pmtu, HAIL_PMTU_RAISE_MS, now_ns);
    return pmtu->probing;
}

static uint32_t in_ms(uint64_t ns)
{
    return (uint32_t)(ns / HAIL_NS_PER_MS);
}

static bool is_after(uint32_t a_ms, uint32_t b_ms)
{
    return (int32_t)(a_ms - b_ms) > 0;
}

void hail_pmtu_arrived(struct hail_pmtu *pmtu, const struct hail_pmtu_packet *packet,
                       uint64_t now_ns)
{
    if (packet->len > HAIL_DATAGRAM_MAX) {
        uint32_t sent_ms = in_ms(packet->sent_ns);
        if (pmtu->arrived_ms == 0 || is_after(sent_ms, pmtu->arrived_ms))
            pmtu->arrived_ms = sent_ms;
        pmtu->losses = 0;
    }
    if (!packet->is_probe || packet->len != pmtu->probing)
        return;
    pmtu->size = pmtu->probing;
    pmtu->probing = 0;
    pmtu->tries = 0;
    if (candidate(pmtu) == 0)
        rest(pmtu, HAIL_PMTU_RAISE_MS, now_ns);
}

// A probe that got lost, after which the same length is tried again, or another.
static void miss(struct hail_pmtu *pmtu, uint64_t now_ns)
{
    uint16_t len = pmtu->probing;

    pmtu->probing = 0;
    if (++pmtu->tries < HAIL_PMTU_TRIES)
        return;
    pmtu->tries = 0;
    pmtu->ceiling = len;
    if (candidate(pmtu) == 0)
        rest(pmtu, HAIL_PMTU_RAISE_MS, now_ns);
}

// Whether a long packet that is lost begins another flight of such losses.
static bool is_news(const struct hail_pmtu *pmtu, const struct hail_pmtu_packet *packet)
{
    uint32_t sent_ms = in_ms(packet->sent_ns);

    if (pmtu->arrived_ms != 0 && !is_after(sent_ms, pmtu->arrived_ms))
        return false; // one that was sent later has passed
    return pmtu->losses == 0 || is_after(sent_ms, pmtu->lost_ms);
}

bool hail_pmtu_lost(struct hail_pmtu *pmtu, const struct hail_pmtu_packet *packet, uint64_t now_ns)
{
    if (packet->is_probe) {
        if (packet->len == pmtu->probing)
            miss(pmtu, now_ns);
        return false;
    }
    if (packet->len <= HAIL_DATAGRAM_MAX || !is_news(pmtu, packet))
        return false;
    pmtu->lost_ms = in_ms(now_ns);
    return ++pmtu->losses >= HAIL_PMTU_LOSSES && hail_pmtu_fall(pmtu, now_ns);
}

bool hail_pmtu_fall(struct hail_pmtu *pmtu, uint64_t now_ns)
{
    if (pmtu->size == HAIL_DATAGRAM_MAX)
        return false;
    pmtu->size = HAIL_DATAGRAM_MAX;
    pmtu->losses = 0;
    rest(pmtu, HAIL_PMTU_RECOVER_MS, now_ns);
    return true;
}
