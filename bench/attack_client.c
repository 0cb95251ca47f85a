// attack_client.c: see attack_client.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_client.h"

#include <string.h>
#include <time.h>

#include "crypto/secret.h"

enum {
    PING_MS = 0 // of an attacker that has something to say there is always something
};

const struct hail_policy *client_policy(void)
{
    static struct hail_policy policy; // large

    policy.takes_unknown = true;
    return &policy;
}

// Keys of epochs that servers have come to before an attacker's client notices.
static struct hail_epochs *epochs(void)
{
    static struct hail_epoch list[HAIL_EPOCHS_WAYS]; // one thread attacks
    static struct hail_epochs epochs;

    if (epochs.count == 0)
        hail_epochs_init(&epochs, list, HAIL_EPOCHS_WAYS);
    return &epochs;
}

bool client_init(struct client *client, uint32_t source, const struct hail_client_setup *setup,
                 struct hail_random *random)
{
    memset(client, 0, sizeof *client);
    client->source = source;
    return hail_client_init(&client->handshake, setup, random);
}

void client_cleanup(struct client *client)
{
    hail_client_cleanup(&client->handshake);
    hail_agreement_cleanup(&client->agreement);
    if (client->stage == CLIENT_FINISHING || client->stage == CLIENT_JOINED)
        hail_peer_cleanup(&client->peer);
    hail_wipe(client, sizeof *client);
}

void client_say(struct client *client, struct wire *wire)
{
    uint8_t *room;

    if (client->stage == CLIENT_GREETING) {
        client->handshake.hello.wanted = client->fragments;
        room = wire_room(wire);
        wire_put(wire, client->source, hail_hello_encode(room, &client->handshake.hello));
    } else if (client->stage == CLIENT_FINISHING) {
        room = wire_room(wire);
        memcpy(room, client->finish, client->finish_len);
        wire_put(wire, client->source, client->finish_len);
    }
}

// The welcome is whole: the keys are there, and the finish can be said.
static void agree(struct client *client, struct wire *wire, const struct hail_client_setup *setup,
                  uint64_t now_ns)
{
    static uint8_t payload[HAIL_WELCOME_MAX]; // one thread attacks
    uint8_t stretched[HAIL_STRETCHED_LEN];
    struct hail_welcome_terms terms;
    struct hail_fault_report report;
    struct hail_path server;

    hail_path_set(&server, (const struct sockaddr *)&wire->server);
    client->fragments = 0;
    if (hail_client_welcome(&client->handshake, &client->agreement, &terms, &report, setup,
                            "127.0.0.1", (int64_t)time(NULL), client->welcome, client->welcome_len,
                            payload) != HAIL_ACCEPT ||
        !hail_agreement_stretch(&client->agreement, stretched, terms.iterations) ||
        !hail_peer_init(&client->peer, false, client->conn_id, stretched, &server, PING_MS, now_ns))
        return;
    hail_wipe(stretched, sizeof stretched);
    client->finish_len = hail_client_finish(&client->agreement, client->finish, client->conn_id,
                                            (struct hail_bytes){NULL, 0});
    client->stage = CLIENT_FINISHING;
    client_say(client, wire);
}

static void take_welcome(struct client *client, struct wire *wire,
                         const struct hail_client_setup *setup, const uint8_t *data, size_t len,
                         uint64_t now_ns)
{
    struct hail_welcome welcome;

    if (hail_welcome_decode(&welcome, data, len) != HAIL_ACCEPT ||
        !hail_equal(welcome.token, client->handshake.hello.token, sizeof welcome.token) ||
        welcome.index != client->fragments)
        return;
    if (client->fragments == 0)
        client->welcome_len = 0;
    client->conn_id = welcome.conn_id;
    memcpy(client->welcome + client->welcome_len, welcome.fragment.data, welcome.fragment.len);
    client->welcome_len += welcome.fragment.len;
    if (++client->fragments == welcome.count)
        agree(client, wire, setup, now_ns);
    else if (client->fragments % HAIL_FRAGMENTS_PER_REPLY == 0)
        client_say(client, wire);
}

static void take_retry(struct client *client, struct wire *wire, const uint8_t *data, size_t len)
{
    struct hail_hello *hello = &client->handshake.hello;
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];

    if (hail_retry_decode(token, hello->cookie, data, len) != HAIL_ACCEPT ||
        !hail_equal(token, hello->token, sizeof token))
        return;
    hello->has_cookie = true;
    client_say(client, wire);
}

static void take_frame(struct client *client, const struct hail_native_frame *frame)
{
    if (frame->type == HAIL_FRAME_APPROVED)
        client->stage = CLIENT_JOINED;
    if (frame->type == HAIL_FRAME_TICKET) {
        client->ticket_len = frame->bytes.len;
        memcpy(client->ticket, frame->bytes.data, frame->bytes.len);
    }
    if (frame->type == HAIL_FRAME_CLOSE) {
        client->close_reason = frame->reason;
        client->stage = CLIENT_CLOSED;
        hail_peer_cleanup(&client->peer);
    }
}

static void take_packet(struct client *client, uint8_t *data, size_t len,
                        struct hail_random *random, uint64_t now_ns)
{
    struct hail_native_frame frame;
    struct hail_opened opened;
    size_t at = 0;

    if (hail_peer_open(&client->peer, &opened, data, len, &client->peer.address, epochs(), random,
                       now_ns) != HAIL_ACCEPT)
        return;
    if (opened.number >= client->newest)
        client->newest = opened.number + 1;
    while (at < opened.frames_len && client->stage != CLIENT_CLOSED) {
        if (hail_frames_next(&frame, client_policy(), opened.frames, opened.frames_len, &at) !=
            HAIL_ACCEPT)
            return;
        take_frame(client, &frame);
    }
}

void client_take(struct client *client, struct wire *wire, const struct hail_client_setup *setup,
                 uint8_t *data, size_t len, struct hail_random *random, uint64_t now_ns)
{
    enum hail_datagram_type type;

    if (hail_datagram_type_of(&type, data, len) != HAIL_ACCEPT)
        return;
    client->heard_len += len;
    if (client->stage == CLIENT_GREETING && type == HAIL_DATAGRAM_WELCOME)
        take_welcome(client, wire, setup, data, len, now_ns);
    else if (client->stage == CLIENT_GREETING && type == HAIL_DATAGRAM_RETRY)
        take_retry(client, wire, data, len);
    else if ((client->stage == CLIENT_FINISHING || client->stage == CLIENT_JOINED) &&
             type == HAIL_DATAGRAM_PACKET)
        take_packet(client, data, len, random, now_ns);
}

uint8_t *client_frames(struct wire *wire)
{
    return wire_room(wire) + hail_packet_frames_at(HAIL_TO_SERVER, HAIL_PROTECTION_ENCRYPTED);
}

void client_send_from(struct client *client, struct wire *wire, uint32_t source, size_t frames_len,
                      uint64_t now_ns)
{
    HAIL_ASSERT(frames_len <= CLIENT_FRAMES_MAX);
    size_t len = hail_peer_seal(&client->peer, wire_room(wire), frames_len,
                                HAIL_PROTECTION_ENCRYPTED, now_ns);

    if (len > 0)
        wire_put(wire, source, len);
}

void client_send(struct client *client, struct wire *wire, size_t frames_len, uint64_t now_ns)
{
    client_send_from(client, wire, client->source, frames_len, now_ns);
}

size_t client_frame(uint8_t *out, const struct hail_native_frame *frame)
{
    return hail_frames_write(out, frame, client_policy());
}

size_t client_part(uint8_t *out, uint8_t channel, uint32_t id, uint32_t total, uint32_t offset,
                   const uint8_t *bytes, size_t len)
{
    const struct hail_native_frame frame = {
        .type = len == total ? HAIL_FRAME_RELIABLE : HAIL_FRAME_FRAGMENT,
        .part = {.channel = channel, .id = (uint16_t)id, .total = total, .offset = offset},
        .bytes = {bytes, len},
    };

    return client_frame(out, &frame);
}
