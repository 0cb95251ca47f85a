// peer_pair.c: see peer_pair.h.
// SPDX-License-Identifier: MIT
#include "tests/peer_pair.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

static struct hail_policy policy; // no names

struct hail_path pair_address(uint8_t last, uint16_t port)
{
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0xc0000200u + last)}};
    struct hail_path address;

    hail_path_set(&address, (const struct sockaddr *)&v4);
    return address;
}

void pair_from(struct pair *pair, const uint8_t stretched[HAIL_STRETCHED_LEN], uint64_t seed)
{
    memset(pair, 0, sizeof *pair);
    hail_random_init_seeded(&pair->dice, seed);
    hail_epochs_init(&pair->epochs, pair->kept, HAIL_COUNTOF(pair->kept));
    pair->home = pair_address(1, 1000);
    pair->there = pair_address(2, 2000);
    pair->now_ns = pair_start_ns;
    ck_assert(
        hail_peer_init(&pair->server, true, PAIR_CONN_ID, stretched, &pair->home, 0, pair->now_ns));
    ck_assert(hail_peer_init(&pair->client, false, PAIR_CONN_ID, stretched, &pair->there, 5000,
                             pair->now_ns));
}

void pair_init(struct pair *pair)
{
    static const uint8_t stretched[HAIL_STRETCHED_LEN] = {1, 2, 3};

    pair_from(pair, stretched, 1);
}

void pair_cleanup(struct pair *pair)
{
    hail_peer_cleanup(&pair->server);
    hail_peer_cleanup(&pair->client);
}

void pair_seal(struct pair *pair, bool by_server, enum hail_protection protection,
               struct packet *packet)
{
    struct hail_peer *peer = by_server ? &pair->server : &pair->client;
    size_t overhead = hail_peer_overhead(peer, protection);
    size_t at = overhead - (protection == HAIL_PROTECTION_PLAIN ? 0 : HAIL_PACKET_TAG_LEN);

    packet->number = peer->next_number;
    packet->protection = protection;
    memcpy(packet->bytes + at, "\x01hi", 3);
    packet->len = hail_peer_seal(peer, packet->bytes, 3, protection, pair->now_ns);
    packet->epoch = peer->send.epoch;
    ck_assert_uint_eq(packet->len, overhead + 3);
}

enum hail_verdict pair_arrive(struct pair *pair, bool at_server, const uint8_t *bytes, size_t len,
                              const struct hail_path *from)
{
    struct hail_peer *peer = at_server ? &pair->server : &pair->client;
    uint8_t *exact = malloc(len > 0 ? len : 1);
    struct hail_opened opened;

    ck_assert_ptr_nonnull(exact);
    if (len > 0)
        memcpy(exact, bytes, len);
    enum hail_verdict verdict =
        hail_peer_open(peer, &opened, exact, len, from, &pair->epochs, &pair->dice, pair->now_ns);
    if (verdict == HAIL_ACCEPT) {
        ck_assert_uint_eq(opened.frames_len, 3);
        ck_assert_mem_eq(opened.frames, "\x01hi", 3);
    }
    free(exact);
    return verdict;
}

enum hail_verdict pair_deliver(struct pair *pair, bool at_server, const struct packet *packet)
{
    return pair_arrive(pair, at_server, packet->bytes, packet->len,
                       at_server ? &pair->home : &pair->there);
}

bool pair_say_owed(struct pair *pair, bool by_server, struct packet *packet, struct hail_path *to)
{
    struct hail_peer *peer = by_server ? &pair->server : &pair->client;
    uint8_t owed = hail_peer_owes(peer, to);
    size_t at = hail_packet_header_len(by_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER);
    size_t frames_len = 0;
    size_t last = 0;
    struct hail_native_frame frame;

    if (owed == 0)
        return false;
    for (unsigned bit = 1; bit <= owed; bit <<= 1) {
        if (!(owed & bit))
            continue;
        hail_peer_frame(peer, (enum hail_owed)bit, &frame);
        ck_assert_uint_le(frames_len + hail_frames_len(&frame, &policy), HAIL_CONTROL_MAX);
        last = frames_len;
        frames_len += hail_frames_write(packet->bytes + at + frames_len, &frame, &policy);
    }
    frames_len = hail_frames_shorten(packet->bytes + at, frames_len, last);
    packet->len =
        hail_peer_seal(peer, packet->bytes, frames_len, HAIL_PROTECTION_ENCRYPTED, pair->now_ns);
    ck_assert_uint_gt(packet->len, 0);
    return true;
}

unsigned pair_hear(struct pair *pair, bool at_server, const struct packet *packet,
                   const struct hail_path *from)
{
    struct hail_peer *peer = at_server ? &pair->server : &pair->client;
    struct packet copy = *packet;
    struct hail_native_frame frame;
    struct hail_opened opened;
    unsigned types = 0;
    size_t at = 0;

    if (hail_peer_open(peer, &opened, copy.bytes, copy.len, from, &pair->epochs, &pair->dice,
                       pair->now_ns) != HAIL_ACCEPT)
        return 0;
    while (at < opened.frames_len) {
        ck_assert_int_eq(hail_frames_next(&frame, &policy, opened.frames, opened.frames_len, &at),
                         HAIL_ACCEPT);
        ck_assert(hail_frames_is_control(frame.type));
        hail_peer_control(peer, &frame, from);
        types |= 1u << (frame.type - HAIL_FRAME_PING);
    }
    return types;
}
