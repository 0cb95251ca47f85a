// attack_clients.c: attacks of clients that have joined, and of those who forge in their name.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "bench/attack.h"
#include "tools/progress.h"

enum {
    RELIABLE_ORDERED = 0, // channels, as an endpoint has them that declares none
    RELIABLE_UNORDERED = 1,
    SEQUENCED = 2,
    AHEAD = 1024, // ids that may be under way
    LONG = 60000, // bytes of a message that is begun and not finished
    ECHOED = 1000,
    FORGED_LEN = 100,
    NUMBERS = 1000, // ahead, that a forger guesses
    VICTIM = 0
};

static const uint8_t zeros[HAIL_PACKET_MAX];

static uint64_t now(void)
{
    return clock_ns();
}

// ---- In the name of a client

// A packet as it could be a client's, sealed with no key of his.
static void put_forged(struct attacker *attacker, enum hail_protection protection, uint32_t epoch,
                       uint32_t source)
{
    const struct client *victim = &attacker->clients[VICTIM];
    uint64_t number = victim->peer.next_number + 1 + attacker->shots % NUMBERS;
    uint8_t *room = wire_room(&attacker->wire);

    hail_random_bytes(&attacker->random, room, FORGED_LEN);
    room[0] = (uint8_t)((unsigned)protection << 6 | (epoch & 3) << 4);
    for (int i = 0; i < 4; i++)
        room[1 + i] = (uint8_t)(victim->conn_id >> (24 - 8 * i));
    for (int i = 0; i < 3; i++)
        room[5 + i] = (uint8_t)(number >> (16 - 8 * i));
    wire_put(&attacker->wire, source, FORGED_LEN);
}

static void forged(struct attacker *attacker)
{
    put_forged(attacker, HAIL_PROTECTION_ENCRYPTED, 0, attacker_source(attacker));
}

static void forged_authenticated(struct attacker *attacker)
{
    put_forged(attacker, HAIL_PROTECTION_AUTHENTICATED, 0, attacker_source(attacker));
}

static void forged_plain(struct attacker *attacker)
{
    put_forged(attacker, HAIL_PROTECTION_PLAIN, 0, attacker_source(attacker));
}

// Of the two epochs that a client might begin.
static void forged_epoch(struct attacker *attacker)
{
    put_forged(attacker, HAIL_PROTECTION_ENCRYPTED, 1 + attacker->shots % 2,
               attacker_source(attacker));
}

// The bytes of a genuine packet, from anywhere.
static void replay(struct attacker *attacker)
{
    struct client *victim = &attacker->clients[VICTIM];
    const struct hail_native_frame ping = {.type = HAIL_FRAME_PING};

    if (attacker->kept_len == 0) {
        client_send(victim, &attacker->wire, client_frame(client_frames(&attacker->wire), &ping),
                    now());
        const struct wire_datagram *sent = &attacker->wire.out[attacker->wire.queued - 1];
        attacker->kept_len = sent->len;
        memcpy(attacker->kept, sent->bytes, sent->len);
        return;
    }
    memcpy(wire_room(&attacker->wire), attacker->kept, attacker->kept_len);
    wire_put(&attacker->wire, attacker_source(attacker), attacker->kept_len);
}

// From the client's own address, since the server takes finishes from there alone.
static void forged_finish(struct attacker *attacker)
{
    const struct client *victim = &attacker->clients[VICTIM];
    struct hail_finish finish = {.conn_id = victim->conn_id};
    uint8_t *room = wire_room(&attacker->wire);

    memcpy(finish.token, victim->agreement.token, sizeof finish.token);
    size_t len = hail_finish_encode(room, &finish);
    hail_random_bytes(&attacker->random, room + len, HAIL_AEAD_TAG_LEN);
    wire_put(&attacker->wire, victim->source, len + HAIL_AEAD_TAG_LEN);
}

const struct attack attack_forgers[] = {
    {"forged", "packets at a client's id, sealed with no key", ATTACK_BY_FORGER, 1, 0, forged,
     NULL},
    {"forged-authenticated", "the same, authenticated", ATTACK_BY_FORGER, 1, 0,
     forged_authenticated, NULL},
    {"forged-plain", "the same, plain", ATTACK_BY_FORGER, 1, 0, forged_plain, NULL},
    {"forged-epoch", "the same, of epochs that have not begun", ATTACK_BY_FORGER, 1, 0,
     forged_epoch, NULL},
    {"replay", "a client's packet again and again, from 250 addresses", ATTACK_BY_FORGER, 1, 0,
     replay, NULL},
    {"forged-finish", "finishes of a client that has joined, with a wrong tag", ATTACK_BY_FORGER, 1,
     0, forged_finish, NULL},
};
const size_t attack_forger_count = HAIL_COUNTOF(attack_forgers);

// ---- Parts of messages

// Fills a packet with one-byte parts of messages on a channel: of the id and offset that `next`
// says.
static void put_pieces(struct attacker *attacker, struct client *client, uint8_t channel,
                       void (*next)(uint32_t step, uint32_t *id, uint32_t *offset))
{
    uint8_t *frames = client_frames(&attacker->wire);
    size_t len = 0;

    while (len + HAIL_FRAME_PART_MAX + 1 <= CLIENT_FRAMES_MAX) {
        uint32_t offset;
        uint32_t id;
        next(client->step++, &id, &offset);
        len += client_part(frames + len, channel, id, LONG, offset, zeros, 1);
    }
    client_send(client, &attacker->wire, len, now());
}

// Every other byte of every message that may be under way: the most blocks and records for a byte.
static void spread(uint32_t step, uint32_t *id, uint32_t *offset)
{
    *id = step % AHEAD;
    *offset = step / AHEAD * 2 % (LONG - 1);
}

static void pieces_for_memory(struct attacker *attacker)
{
    put_pieces(attacker, attacker_client(attacker), RELIABLE_UNORDERED, spread);
}

// First every other byte of many messages, then what lies last of all, again and again: the longest
// way to it, for nothing new.
static void far_end(uint32_t step, uint32_t *id, uint32_t *offset)
{
    enum {
        PIECES = 230, // of a message, that a server keeps at the most
        PREPARED = PIECES * AHEAD / 4
    };

    spread(step < PREPARED ? step : PREPARED - 1, id, offset);
    if (step >= PREPARED)
        *id = AHEAD - 1;
}

static void pieces_for_work(struct attacker *attacker)
{
    put_pieces(attacker, attacker_client(attacker), RELIABLE_UNORDERED, far_end);
}

// From the last on, so that each comes before all that are there.
static void backwards(uint32_t step, uint32_t *id, uint32_t *offset)
{
    *id = 0;
    *offset = LONG - 1 - step * 2 % (LONG - 1);
}

static void pieces_backwards(struct attacker *attacker)
{
    put_pieces(attacker, attacker_client(attacker), RELIABLE_ORDERED, backwards);
}

// On a channel where one message at a time is put together: each part is of another.
static void torn(uint32_t step, uint32_t *id, uint32_t *offset)
{
    *id = step;
    *offset = 0;
}

static void pieces_torn(struct attacker *attacker)
{
    put_pieces(attacker, attacker_client(attacker), SEQUENCED, torn);
}

// Whole messages on the ordered channel, of which the first never comes.
static void behind_hole(struct attacker *attacker)
{
    struct client *client = attacker_client(attacker);
    uint8_t *frames = client_frames(&attacker->wire);
    uint32_t id = 1 + client->step++ % (AHEAD - 1);
    uint8_t message[ECHOED] = {HAIL_FRAME_MESSAGE};

    client_send(client, &attacker->wire,
                client_part(frames, RELIABLE_ORDERED, id, ECHOED, 0, message, ECHOED), now());
}

// The same message, which has come.
static void old_message(struct attacker *attacker)
{
    struct client *client = attacker_client(attacker);
    const uint8_t message[] = {HAIL_FRAME_MESSAGE, 1};
    uint8_t *frames = client_frames(&attacker->wire);
    size_t len = 0;

    while (len + HAIL_FRAME_PART_MAX + sizeof message <= CLIENT_FRAMES_MAX)
        len += client_part(frames + len, RELIABLE_UNORDERED, 0, sizeof message, 0, message,
                           sizeof message);
    client_send(client, &attacker->wire, len, now());
}

// ---- What is answered

// A reliable message that is sent back, by a server that echoes.
static void ask_echo(struct attacker *attacker, struct client *client)
{
    uint8_t *frames = client_frames(&attacker->wire);
    uint8_t message[ECHOED] = {HAIL_FRAME_MESSAGE};

    client_send(client, &attacker->wire,
                client_part(frames, RELIABLE_UNORDERED, client->step++, ECHOED, 0, message, ECHOED),
                now());
}

static void nothing_acknowledged(struct attacker *attacker)
{
    ask_echo(attacker, attacker_client(attacker));
}

// Acknowledges all up to the newest, and some more, whatever has come.
static void optimist(struct attacker *attacker)
{
    struct client *client = attacker_client(attacker);
    uint64_t last = client->newest + attacker->shots % 4;
    const struct hail_ack ack = {.count = 1, .ranges = {{last > 200 ? last - 200 : 0, last}}};
    uint8_t content[HAIL_ACK_LEN_MAX];

    if (attacker->shots / attacker->client_count % 2 == 0) {
        ask_echo(attacker, client);
        return;
    }
    const struct hail_native_frame frame = {.type = HAIL_FRAME_ACK,
                                            .bytes = {content, hail_ack_encode(content, &ack)}};
    client_send(client, &attacker->wire, client_frame(client_frames(&attacker->wire), &frame),
                now());
}

// As many ranges as one may have, for a window that is far behind by now.
static void acks(struct attacker *attacker)
{
    struct client *client = attacker_client(attacker);
    struct hail_ack ack = {.count = client->newest > 0 ? 1 : 0};
    uint64_t last = client->newest > 0 ? client->newest - 1 : 0;
    uint8_t content[HAIL_ACK_LEN_MAX];

    if (client->newest < 2 * HAIL_ACK_RANGES_MAX) {
        ask_echo(attacker, client);
        return;
    }
    for (ack.count = 0; ack.count < HAIL_ACK_RANGES_MAX; ack.count++)
        ack.ranges[ack.count] = (struct hail_ack_range){last - 2 * ack.count, last - 2 * ack.count};
    const struct hail_native_frame frame = {.type = HAIL_FRAME_ACK,
                                            .bytes = {content, hail_ack_encode(content, &ack)}};
    client_send(client, &attacker->wire, client_frame(client_frames(&attacker->wire), &frame),
                now());
}

// Messages as players send them, at an attacker's rate.
static void messages(struct attacker *attacker)
{
    const struct hail_native_frame frame = {
        .type = HAIL_FRAME_MESSAGE,
        .message = {.kind = HAIL_MESSAGE_UNNAMED, .channel = 3, .body = zeros, .body_len = 128},
    };

    client_send(attacker_client(attacker), &attacker->wire,
                client_frame(client_frames(&attacker->wire), &frame), now());
}

// Fills a packet with one kind of control frame.
static void put_control(struct attacker *attacker, enum hail_frame_type type, uint32_t source)
{
    struct hail_native_frame frame = {.type = type};
    uint8_t *frames = client_frames(&attacker->wire);
    size_t step = client_frame(frames, &frame);
    size_t len = 0;

    while (len + step <= CLIENT_FRAMES_MAX) {
        frame.echo[0]++;
        len += client_frame(frames + len, &frame);
    }
    client_send_from(attacker_client(attacker), &attacker->wire, source, len, now());
}

static void pings(struct attacker *attacker)
{
    put_control(attacker, HAIL_FRAME_PING, attacker_client(attacker)->source);
}

static void asks(struct attacker *attacker)
{
    put_control(attacker, HAIL_FRAME_ASK, attacker_client(attacker)->source);
}

static void wishes_for_updates(struct attacker *attacker)
{
    put_control(attacker, HAIL_FRAME_UPDATE, attacker_client(attacker)->source);
}

static void challenges(struct attacker *attacker)
{
    put_control(attacker, HAIL_FRAME_PATH_CHALLENGE, attacker_client(attacker)->source);
}

// Each from another address, where the server has to be sure of the client again.
static void moves(struct attacker *attacker)
{
    put_control(attacker, HAIL_FRAME_PATH_CHALLENGE, attacker_source(attacker));
}

// Each packet begins an epoch.
static void updates(struct attacker *attacker)
{
    struct client *client = attacker_client(attacker);
    const struct hail_native_frame ping = {.type = HAIL_FRAME_PING};
    size_t len = client_frame(client_frames(&attacker->wire), &ping);

    hail_peer_update(&client->peer);
    client->peer.epoch_packets = HAIL_EPOCH_PACKETS_MIN; // it does not wait as it should
    client_send(client, &attacker->wire, len, now());
}

// Frames that cannot be read, sealed as they should be.
static void nonsense(struct attacker *attacker)
{
    uint8_t *frames = client_frames(&attacker->wire);

    hail_random_bytes(&attacker->random, frames, FORGED_LEN);
    frames[0] = HAIL_FRAME_TICKET; // nothing that would end the connection
    client_send(attacker_client(attacker), &attacker->wire, FORGED_LEN, now());
}

const struct attack attack_clients[] = {
    {"pieces-memory", "one-byte parts of a thousand messages", ATTACK_BY_CLIENT, 1, 0,
     pieces_for_memory, NULL},
    {"pieces-work", "one-byte parts that take the longest to find their place", ATTACK_BY_CLIENT, 1,
     0, pieces_for_work, NULL},
    {"pieces-backwards", "one-byte parts from a message's end on", ATTACK_BY_CLIENT, 1, 0,
     pieces_backwards, NULL},
    {"pieces-torn", "one-byte parts, each of another sequenced message", ATTACK_BY_CLIENT, 1, 0,
     pieces_torn, NULL},
    {"behind-hole", "messages whose turn never comes", ATTACK_BY_CLIENT, 1, 0, behind_hole, NULL},
    {"old-message", "the same reliable message again and again", ATTACK_BY_CLIENT, 1, 0,
     old_message, NULL},
    {"nothing-acked", "messages that are echoed, and nothing acknowledged", ATTACK_BY_CLIENT, 1, 0,
     nothing_acknowledged, NULL},
    {"optimist", "acknowledgements of what has not come", ATTACK_BY_CLIENT, 1, 0, optimist, NULL},
    {"acks", "acknowledgements with as many ranges as they may have", ATTACK_BY_CLIENT, 1, 0, acks,
     NULL},
    {"messages", "messages of 128 bytes, echoed", ATTACK_BY_CLIENT, 1, 0, messages, NULL},
    {"pings", "packets full of pings", ATTACK_BY_CLIENT, 1, 0, pings, NULL},
    {"asks", "packets full of asks", ATTACK_BY_CLIENT, 1, 0, asks, NULL},
    {"challenges", "packets full of path challenges", ATTACK_BY_CLIENT, 1, 0, challenges, NULL},
    {"moves", "path challenges, each packet from another address", ATTACK_BY_CLIENT, 1, 0, moves,
     NULL},
    {"updates", "a key update with every packet", ATTACK_BY_CLIENT, 1, 0, updates, NULL},
    {"update-wishes", "packets full of wishes for a key update", ATTACK_BY_CLIENT, 1, 0,
     wishes_for_updates, NULL},
    {"nonsense", "sealed packets of frames that cannot be read", ATTACK_BY_CLIENT, 1, 0, nonsense,
     NULL},
};
const size_t attack_client_count = HAIL_COUNTOF(attack_clients);
