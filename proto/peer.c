// peer.c: see peer.h.
// SPDX-License-Identifier: MIT
#include "proto/peer.h"

#include <string.h>

#include "crypto/secret.h"
#include "crypto/time.h"

enum {
    UNPROVEN_FACTOR = 3, // of the bytes that came from an address, how many may go there
    // A path challenge, with its length or without.
    CHALLENGE_LEN = HAIL_PACKET_TO_CLIENT_LEN + 2 + HAIL_FRAME_ECHO_LEN + HAIL_PACKET_TAG_LEN
};

// Bits of `owed` that may share one packet to the peer's own address.
static const uint8_t to_address = HAIL_OWED_PING | HAIL_OWED_PONG | HAIL_OWED_WAIT |
                                  HAIL_OWED_APPROVED | HAIL_OWED_UPDATE | HAIL_OWED_TICKET;

static enum hail_direction outwards(const struct hail_peer *peer)
{
    return peer->is_server ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
}

static enum hail_direction inwards(const struct hail_peer *peer)
{
    return peer->is_server ? HAIL_TO_SERVER : HAIL_TO_CLIENT;
}

bool hail_peer_init(struct hail_peer *peer, bool is_server, uint32_t conn_id,
                    const uint8_t stretched[HAIL_STRETCHED_LEN], const struct hail_path *address,
                    uint32_t ping_ms, uint64_t now_ns)
{
    memset(peer, 0, sizeof *peer);
    peer->is_server = is_server;
    peer->conn_id = conn_id;
    peer->ping_ms = ping_ms;
    peer->address = *address;
    peer->sent_ns = now_ns;
    peer->epoch_since_ns = now_ns;
    memcpy(peer->stretched, stretched, sizeof peer->stretched);
    if (hail_traffic_derive(&peer->send, stretched, outwards(peer), 0) &&
        hail_traffic_derive(&peer->receive, stretched, inwards(peer), 0))
        return true;
    hail_peer_cleanup(peer);
    return false;
}

void hail_peer_cleanup(struct hail_peer *peer)
{
    hail_traffic_cleanup(&peer->send);
    hail_traffic_cleanup(&peer->receive);
    hail_wipe(peer, sizeof *peer);
}

// The epoch with these low bits, from one behind ours to two ahead. False: there is none that may
// be taken any more, or a packet with this number cannot be of it: numbers grow with epochs.
static bool epoch_meant(const struct hail_peer *peer, uint8_t low, uint64_t number, uint64_t now_ns,
                        uint32_t *epoch)
{
    uint32_t own = peer->receive.epoch;
    uint32_t ahead = (low - own) & 3;

    if (ahead < 3) {
        *epoch = own + ahead;
        return ahead == 0 || number >= peer->protected_seen.next;
    }
    if (!peer->keeps_before || now_ns >= peer->before_until_ns)
        return false;
    *epoch = own - 1;
    return true;
}

// Opens a packet of another epoch than ours; a newer one that proves right becomes ours.
static enum hail_verdict open_other_epoch(struct hail_peer *peer, uint32_t epoch, uint8_t *datagram,
                                          size_t len, size_t *frames_len,
                                          const struct hail_packet_header *header, uint64_t number,
                                          struct hail_epochs *epochs, uint64_t now_ns)
{
    const struct hail_traffic_keys *keys =
        hail_epochs_find(epochs, peer->stretched, inwards(peer), epoch, now_ns);

    if (!keys)
        return HAIL_DROP_EPOCH;
    enum hail_verdict verdict =
        hail_packet_open(datagram, len, frames_len, inwards(peer), header, number, keys);
    if (verdict == HAIL_ACCEPT && epoch > peer->receive.epoch) {
        peer->receive = *keys;
        peer->keeps_before = true;
        peer->before_until_ns = now_ns + HAIL_EPOCH_KEPT_MS * HAIL_NS_PER_MS;
        hail_epochs_forget(epochs, peer->stretched);
    }
    return verdict;
}

// Nobody has shown yet that he receives at the candidate: it gets a challenge if what came from
// there pays for it.
static void challenge(struct hail_peer *peer, uint64_t now_ns)
{
    peer->challenges++;
    peer->challenge_ns = now_ns + HAIL_CHALLENGE_RESEND_MS * HAIL_NS_PER_MS;
    if (peer->candidate_room < CHALLENGE_LEN)
        return;
    peer->candidate_room -= CHALLENGE_LEN;
    peer->owed |= HAIL_OWED_CHALLENGE;
}

// A protected packet of `len` bytes came to the server; perhaps from another address than the
// client's, and perhaps it is the newest so far.
static void note_address(struct hail_peer *peer, const struct hail_path *from, size_t len,
                         bool is_newest, struct hail_random *random, uint64_t now_ns)
{
    if (hail_path_equal(from, &peer->address))
        return;
    if (peer->has_candidate && hail_path_equal(from, &peer->candidate)) {
        if (peer->candidate_room < HAIL_CHALLENGES_MAX * CHALLENGE_LEN)
            peer->candidate_room += (uint32_t)(UNPROVEN_FACTOR * len);
        return;
    }
    if (!is_newest)
        return;
    peer->has_candidate = true;
    peer->candidate = *from;
    peer->candidate_room = (uint32_t)(UNPROVEN_FACTOR * len);
    peer->challenges = 0;
    hail_random_bytes(random, peer->challenge, sizeof peer->challenge);
    challenge(peer, now_ns);
}

enum hail_verdict hail_peer_open(struct hail_peer *peer, struct hail_opened *opened,
                                 uint8_t *datagram, size_t len, const struct hail_path *from,
                                 struct hail_epochs *epochs, struct hail_random *random,
                                 uint64_t now_ns)
{
    struct hail_packet_header header;
    enum hail_direction direction = inwards(peer);
    enum hail_verdict verdict = hail_packet_decode(&header, direction, datagram, len);
    uint32_t epoch = peer->receive.epoch;
    size_t frames_len = 0;

    if (verdict != HAIL_ACCEPT)
        return verdict;
    bool is_plain = header.protection == HAIL_PROTECTION_PLAIN;
    struct hail_replay *seen = is_plain ? &peer->plain_seen : &peer->protected_seen;
    uint64_t number = hail_replay_expand(seen, header.low24);
    if (!hail_replay_fresh(seen, number))
        return HAIL_DROP_REPLAY;
    if (!is_plain && !epoch_meant(peer, header.epoch_low, number, now_ns, &epoch))
        return HAIL_DROP_EPOCH;

    verdict = epoch == peer->receive.epoch
                  ? hail_packet_open(datagram, len, &frames_len, direction, &header, number,
                                     &peer->receive)
                  : open_other_epoch(peer, epoch, datagram, len, &frames_len, &header, number,
                                     epochs, now_ns);
    if (verdict != HAIL_ACCEPT)
        return verdict;
    hail_replay_mark(seen, number);
    if (!is_plain && peer->is_server)
        note_address(peer, from, len, number + 1 == seen->next, random, now_ns);
    opened->flags = is_plain                                             ? 0
                    : header.protection == HAIL_PROTECTION_AUTHENTICATED ? HAIL_FLAG_AUTHENTICATED
                                                                         : HAIL_FLAGS_BOTH;
    opened->number = number;
    opened->frames = datagram + hail_packet_frames_at(direction, header.protection);
    opened->frames_len = frames_len;
    return HAIL_ACCEPT;
}

static void on_path_response(struct hail_peer *peer, const struct hail_native_frame *frame,
                             const struct hail_path *from)
{
    if (!peer->has_candidate || !hail_path_equal(from, &peer->candidate) ||
        !hail_equal(frame->echo, peer->challenge, sizeof peer->challenge))
        return;
    peer->address = peer->candidate;
    peer->has_candidate = false;
    peer->owed &= (uint8_t)~HAIL_OWED_CHALLENGE;
}

// A challenge that was overtaken by a change of the path is not answered: the next one will be.
static void on_path_challenge(struct hail_peer *peer, const struct hail_native_frame *frame,
                              const struct hail_path *from)
{
    bool elsewhere = !hail_path_equal(from, &peer->address);

    if (elsewhere && !(peer->has_candidate && hail_path_equal(from, &peer->candidate)))
        return;
    memcpy(peer->response, frame->echo, sizeof peer->response);
    peer->response_elsewhere = elsewhere;
    peer->owed |= HAIL_OWED_RESPONSE;
}

void hail_peer_control(struct hail_peer *peer, const struct hail_native_frame *frame,
                       const struct hail_path *from)
{
    switch (frame->type) {
    case HAIL_FRAME_PING:
        memcpy(peer->pong, frame->echo, sizeof peer->pong);
        peer->owed |= HAIL_OWED_PONG;
        return;
    case HAIL_FRAME_PATH_CHALLENGE:
        on_path_challenge(peer, frame, from);
        return;
    case HAIL_FRAME_PATH_RESPONSE:
        on_path_response(peer, frame, from);
        return;
    case HAIL_FRAME_UPDATE:
        peer->update_pending = true;
        return;
    case HAIL_FRAME_PADDING:
    case HAIL_FRAME_PONG:
    case HAIL_FRAME_CLOSE:
    case HAIL_FRAME_APPROVED:
    case HAIL_FRAME_WAIT:
    case HAIL_FRAME_MESSAGE:
    case HAIL_FRAME_NAMED:
    case HAIL_FRAME_CALL:
    case HAIL_FRAME_REQUEST:
    case HAIL_FRAME_RESPONSE:
    case HAIL_FRAME_ERROR:
    case HAIL_FRAME_CHANNEL:
    case HAIL_FRAME_RELIABLE:
    case HAIL_FRAME_FRAGMENT:
    case HAIL_FRAME_ACK:
    case HAIL_FRAME_ASK:
    case HAIL_FRAME_TICKET:
    case HAIL_FRAME_LIMITS:
        return;
    }
}

bool hail_peer_heard(const struct hail_peer *peer)
{
    return peer->protected_seen.next > 0;
}

size_t hail_peer_overhead(const struct hail_peer *peer, enum hail_protection protection)
{
    return hail_packet_overhead(outwards(peer), protection);
}

// Whether the next protected packet begins a new epoch.
static bool wants_epoch(const struct hail_peer *peer, uint64_t now_ns)
{
    uint64_t age_ns = now_ns - peer->epoch_since_ns;

    if (peer->epoch_packets < HAIL_EPOCH_PACKETS_MIN && age_ns < HAIL_EPOCH_MIN_MS * HAIL_NS_PER_MS)
        return false;
    return peer->update_pending || peer->epoch_packets >= HAIL_EPOCH_PACKETS_MAX ||
           peer->epoch_bytes >= UINT64_C(1) << 36 || age_ns >= HAIL_EPOCH_MAX_MS * HAIL_NS_PER_MS;
}

static bool begin_epoch(struct hail_peer *peer, uint64_t now_ns)
{
    struct hail_traffic_keys next;

    if (!hail_traffic_derive(&next, peer->stretched, outwards(peer), peer->send.epoch + 1))
        return false;
    peer->send = next;
    hail_traffic_cleanup(&next);
    peer->update_pending = false;
    peer->epoch_since_ns = now_ns;
    peer->epoch_packets = 0;
    peer->epoch_bytes = 0;
    return true;
}

size_t hail_peer_seal(struct hail_peer *peer, uint8_t *datagram, size_t frames_len,
                      enum hail_protection protection, uint64_t now_ns)
{
    if (peer->next_number == UINT64_MAX)
        return 0;
    if (wants_epoch(peer, now_ns) && !begin_epoch(peer, now_ns))
        return 0;
    if (protection != HAIL_PROTECTION_PLAIN) {
        peer->epoch_packets++;
        peer->epoch_bytes += frames_len;
        peer->sent_ns = now_ns;
    }
    return hail_packet_seal(datagram, frames_len, outwards(peer), protection, peer->conn_id,
                            peer->next_number++, &peer->send);
}

uint8_t hail_peer_owes(struct hail_peer *peer, struct hail_path *to)
{
    uint8_t now = peer->owed & to_address;

    *to = peer->address;
    if (now == 0 && (peer->owed & HAIL_OWED_RESPONSE)) {
        now = HAIL_OWED_RESPONSE;
        if (peer->response_elsewhere && peer->has_candidate)
            *to = peer->candidate;
    } else if (now == 0 && (peer->owed & HAIL_OWED_CHALLENGE)) {
        now = HAIL_OWED_CHALLENGE;
        *to = peer->candidate;
    }
    peer->owed &= (uint8_t)~now;
    return now;
}

void hail_peer_frame(const struct hail_peer *peer, enum hail_owed owed,
                     struct hail_native_frame *frame)
{
    memset(frame, 0, sizeof *frame);
    switch (owed) {
    case HAIL_OWED_PING:
        frame->type = HAIL_FRAME_PING;
        return;
    case HAIL_OWED_PONG:
        frame->type = HAIL_FRAME_PONG;
        memcpy(frame->echo, peer->pong, sizeof frame->echo);
        return;
    case HAIL_OWED_RESPONSE:
        frame->type = HAIL_FRAME_PATH_RESPONSE;
        memcpy(frame->echo, peer->response, sizeof frame->echo);
        return;
    case HAIL_OWED_CHALLENGE:
        frame->type = HAIL_FRAME_PATH_CHALLENGE;
        memcpy(frame->echo, peer->challenge, sizeof frame->echo);
        return;
    case HAIL_OWED_WAIT:
        frame->type = HAIL_FRAME_WAIT;
        return;
    case HAIL_OWED_APPROVED:
        frame->type = HAIL_FRAME_APPROVED;
        frame->client_id = peer->client_id;
        return;
    case HAIL_OWED_UPDATE:
        frame->type = HAIL_FRAME_UPDATE;
        return;
    case HAIL_OWED_TICKET:
        frame->type = HAIL_FRAME_TICKET;
        return;
    }
    HAIL_UNREACHABLE("one bit of what is owed, and each has its frame");
}

void hail_peer_update(struct hail_peer *peer)
{
    peer->update_pending = true;
    peer->owed |= HAIL_OWED_UPDATE;
}

void hail_peer_tick(struct hail_peer *peer, uint64_t now_ns)
{
    if (peer->ping_ms > 0 && now_ns >= peer->sent_ns + peer->ping_ms * HAIL_NS_PER_MS) {
        peer->owed |= HAIL_OWED_PING;
        peer->sent_ns = now_ns; // as good as sent: the next one is not due before its time
    }
    if (!peer->has_candidate || now_ns < peer->challenge_ns)
        return;
    if (peer->challenges == HAIL_CHALLENGES_MAX) {
        peer->has_candidate = false;
        peer->owed &= (uint8_t)~HAIL_OWED_CHALLENGE;
        return;
    }
    challenge(peer, now_ns);
}

uint64_t hail_peer_next_ns(const struct hail_peer *peer)
{
    uint64_t next = peer->ping_ms > 0 ? peer->sent_ns + peer->ping_ms * HAIL_NS_PER_MS : UINT64_MAX;

    return peer->has_candidate && peer->challenge_ns < next ? peer->challenge_ns : next;
}
