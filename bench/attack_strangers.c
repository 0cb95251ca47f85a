// attack_strangers.c: attacks of those who have not joined: datagrams of all kinds, hellos,
// cookies, half-open handshakes, tickets.
// SPDX-License-Identifier: MIT
#include <string.h>

#include "bench/attack.h"

enum {
    SHORT_LEN = 12,
    PENDING_MASK = ATTACK_PENDING - 1,
    UNFINISHED = 64,    // handshakes to which finishes are said
    GREET_AGAIN = 4096, // and after so many, other ones
    MADE_UP_LEN = 96    // of a ticket
};

static uint32_t random_below(struct attacker *attacker, uint32_t limit)
{
    uint32_t value;

    hail_random_bytes(&attacker->random, &value, sizeof value);
    return value % limit;
}

// ---- Datagrams that are nothing

static void garbage(struct attacker *attacker)
{
    uint8_t *room = wire_room(&attacker->wire);
    size_t len = 1 + random_below(attacker, HAIL_PACKET_MAX);

    hail_random_bytes(&attacker->random, room, len);
    wire_put(&attacker->wire, attacker_source(attacker), len);
}

// Of every type, and too short for it.
static void too_short(struct attacker *attacker)
{
    uint8_t *room = wire_room(&attacker->wire);
    size_t len = random_below(attacker, SHORT_LEN);

    hail_random_bytes(&attacker->random, room, SHORT_LEN);
    room[0] &= 0xc7; // types that there are
    room[1] = 0;     // a shard that there is
    wire_put(&attacker->wire, attacker_source(attacker), len);
}

static void unknown_id(struct attacker *attacker)
{
    uint8_t *room = wire_room(&attacker->wire);
    size_t len = 100;

    hail_random_bytes(&attacker->random, room, len);
    room[0] = HAIL_PROTECTION_ENCRYPTED << 6;
    room[1] = 0;
    wire_put(&attacker->wire, attacker_source(attacker), len);
}

// What a server says, said to it.
static void reflect(struct attacker *attacker)
{
    struct hail_refuse refuse = {.reason = HAIL_REFUSAL_FULL, .version = HAIL_WIRE_VERSION};
    uint8_t *room = wire_room(&attacker->wire);
    uint8_t fragment[64] = {0};
    struct hail_welcome welcome = {.count = 1, .fragment = {fragment, sizeof fragment}};
    size_t len;

    if (attacker->shots % 3 == 0)
        len = hail_refuse_encode(room, &refuse);
    else if (attacker->shots % 3 == 1)
        len = hail_retry_encode(room, attacker->hello.token, fragment);
    else
        len = hail_welcome_encode(room, &welcome);
    wire_put(&attacker->wire, attacker_source(attacker), len);
}

// ---- Hellos

static void put_hello(struct attacker *attacker, uint32_t source)
{
    uint8_t *room = wire_room(&attacker->wire);

    wire_put(&attacker->wire, source, hail_hello_encode(room, &attacker->hello));
}

static void fresh_token(struct attacker *attacker)
{
    hail_random_bytes(&attacker->random, attacker->hello.token, sizeof attacker->hello.token);
}

static void hello(struct attacker *attacker)
{
    fresh_token(attacker);
    put_hello(attacker, attacker_source(attacker));
}

// All in the name of one, who would get the retries.
static void retry_reflection(struct attacker *attacker)
{
    fresh_token(attacker);
    put_hello(attacker, 0);
}

static void refuse_reflection(struct attacker *attacker)
{
    attacker->hello.version = HAIL_WIRE_VERSION + 1;
    fresh_token(attacker);
    put_hello(attacker, 0);
}

// The same one, which has a handshake under way: it is answered by the same welcome.
static void hello_again(struct attacker *attacker)
{
    put_hello(attacker, 0);
}

static void made_up_cookie(struct attacker *attacker)
{
    fresh_token(attacker);
    attacker->hello.has_cookie = true;
    hail_random_bytes(&attacker->random, attacker->hello.cookie, HAIL_COOKIE_LEN);
    put_hello(attacker, attacker_source(attacker));
}

// A cookie that source 0 was given. Until there is one, it asks.
static void anothers_cookie(struct attacker *attacker)
{
    if (!attacker->has_cookie) {
        fresh_token(attacker);
        put_hello(attacker, 0);
        return;
    }
    attacker->hello.has_cookie = true;
    put_hello(attacker, 1 + attacker_source(attacker));
}

static void keep_cookie(struct attacker *attacker, uint32_t source, uint8_t *data, size_t len)
{
    struct hail_hello *own = &attacker->hello;

    if (!attacker->has_cookie && source == 0)
        attacker->has_cookie = hail_retry_decode(own->token, own->cookie, data, len) == HAIL_ACCEPT;
}

// ---- Handshakes

// Where the handshake with this token is remembered; a newer one takes its place.
static struct attack_pending *pending_of(struct attacker *attacker, const uint8_t *token)
{
    return &attacker->pending[(token[0] << 8 | token[1]) & PENDING_MASK];
}

// Whoever is told a cookie says it: from an address of his own, so it is a true one.
static void say_cookie(struct attacker *attacker, uint32_t source, uint8_t *data, size_t len)
{
    struct hail_hello again = attacker->hello;
    uint8_t *room;

    if (hail_retry_decode(again.token, again.cookie, data, len) != HAIL_ACCEPT)
        return;
    again.has_cookie = true;
    room = wire_room(&attacker->wire);
    wire_put(&attacker->wire, source, hail_hello_encode(room, &again));
}

// Says the hello of a handshake, and remembers it.
static void say_pending(struct attacker *attacker, uint32_t source,
                        const struct hail_client_handshake *handshake)
{
    uint8_t *room = wire_room(&attacker->wire);

    *pending_of(attacker, handshake->hello.token) =
        (struct attack_pending){.source = source, .handshake = *handshake};
    wire_put(&attacker->wire, source, hail_hello_encode(room, &handshake->hello));
}

static void begin_handshake(struct attacker *attacker, uint32_t source)
{
    struct hail_client_handshake handshake;

    if (hail_client_init(&handshake, &attacker->setup, &attacker->random))
        say_pending(attacker, source, &handshake);
}

// Says the hello that a cookie was given for again, with it.
static void say_pending_cookie(struct attacker *attacker, uint32_t source, uint8_t *data,
                               size_t len)
{
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t cookie[HAIL_COOKIE_LEN];

    if (hail_retry_decode(token, cookie, data, len) != HAIL_ACCEPT)
        return;
    struct hail_client_handshake *handshake = &pending_of(attacker, token)->handshake;
    handshake->hello.has_cookie = true;
    memcpy(handshake->hello.cookie, cookie, sizeof cookie);
    uint8_t *room = wire_room(&attacker->wire);
    wire_put(&attacker->wire, source, hail_hello_encode(room, &handshake->hello));
}

// A welcome in one fragment: finishes the handshake.
static void finish_handshake(struct attacker *attacker, uint32_t source, uint8_t *data, size_t len)
{
    uint8_t payload[HAIL_DATAGRAM_MAX];
    struct hail_agreement agreement;
    struct hail_welcome_terms terms;
    struct hail_fault_report report;
    struct hail_welcome welcome;

    if (hail_welcome_decode(&welcome, data, len) != HAIL_ACCEPT || welcome.count > 1) {
        say_pending_cookie(attacker, source, data, len);
        return;
    }
    struct attack_pending *pending = pending_of(attacker, welcome.token);
    if (hail_client_welcome(&pending->handshake, &agreement, &terms, &report, &attacker->setup,
                            "127.0.0.1", 0, welcome.fragment.data, welcome.fragment.len,
                            payload) != HAIL_ACCEPT)
        return;
    uint8_t *room = wire_room(&attacker->wire);
    wire_put(&attacker->wire, source,
             hail_client_finish(&agreement, room, welcome.conn_id, (struct hail_bytes){NULL, 0}));
    hail_agreement_cleanup(&agreement);
}

static void full_handshake(struct attacker *attacker)
{
    begin_handshake(attacker, attacker_source(attacker));
}

// From few addresses: as many connections as the server has.
static void fill_table(struct attacker *attacker)
{
    begin_handshake(attacker, (uint32_t)(attacker->shots % 16));
}

static void keep_welcome(struct attacker *attacker, uint32_t source, uint8_t *data, size_t len)
{
    struct hail_welcome welcome;

    if (hail_welcome_decode(&welcome, data, len) != HAIL_ACCEPT) {
        say_cookie(attacker, source, data, len);
        return;
    }
    struct attack_pending *kept = &attacker->pending[attacker->at++ % UNFINISHED];
    kept->is_open = true;
    kept->source = source;
    kept->conn_id = welcome.conn_id;
    memcpy(kept->handshake.hello.token, welcome.token, sizeof welcome.token);
}

// To handshakes that are under way, with a tag that is wrong.
static void bad_finish(struct attacker *attacker)
{
    const struct attack_pending *kept = &attacker->pending[attacker->shots % UNFINISHED];

    if (attacker->shots % GREET_AGAIN < UNFINISHED || !kept->is_open) {
        hello(attacker);
        return;
    }
    struct hail_finish finish = {.conn_id = kept->conn_id};
    memcpy(finish.token, kept->handshake.hello.token, sizeof finish.token);
    uint8_t *room = wire_room(&attacker->wire);
    size_t len = hail_finish_encode(room, &finish);
    hail_random_bytes(&attacker->random, room + len, HAIL_AEAD_TAG_LEN);
    wire_put(&attacker->wire, kept->source, len + HAIL_AEAD_TAG_LEN);
}

// ---- Tickets

static void made_up_ticket(struct attacker *attacker)
{
    struct hail_hello *own = &attacker->hello;

    fresh_token(attacker);
    own->pattern = HAIL_HELLO_RESUME;
    own->ticket_len = MADE_UP_LEN;
    hail_random_bytes(&attacker->random, own->ticket, MADE_UP_LEN);
    put_hello(attacker, attacker_source(attacker));
}

// One that was given to another, whose key we have not.
static void anothers_ticket(struct attacker *attacker)
{
    struct hail_hello *own = &attacker->hello;

    fresh_token(attacker);
    own->pattern = HAIL_HELLO_RESUME;
    own->ticket_len = (uint8_t)attacker->clients[0].ticket_len;
    memcpy(own->ticket, attacker->clients[0].ticket, own->ticket_len);
    put_hello(attacker, attacker_source(attacker));
}

// One's own, again and again, and nothing finished.
static void repeated_ticket(struct attacker *attacker)
{
    const struct client *client = &attacker->clients[0];
    struct hail_client_handshake handshake;
    uint8_t psk[HAIL_NOISE_PSK_LEN];

    if (client->ticket_len == 0) {
        hello(attacker);
        return;
    }
    hail_ticket_psk(psk, client->peer.stretched);
    hail_client_resume(&handshake, &attacker->setup,
                       (struct hail_bytes){client->ticket, client->ticket_len}, psk,
                       &attacker->random);
    say_pending(attacker, attacker_source(attacker), &handshake);
    hail_client_cleanup(&handshake);
}

const struct attack attack_strangers[] = {
    {"garbage", "random bytes of any length", ATTACK_BY_STRANGER, 0, 0, garbage, NULL},
    {"short", "datagrams of every type that are too short", ATTACK_BY_STRANGER, 0, 0, too_short,
     NULL},
    {"unknown-id", "packets for connections that are not there", ATTACK_BY_STRANGER, 0, 0,
     unknown_id, NULL},
    {"reflect", "what a server says, said to it", ATTACK_BY_STRANGER, 0, 0, reflect, NULL},
    {"hello", "hellos without a cookie, from 250 addresses", ATTACK_BY_STRANGER, 0, 0, hello, NULL},
    {"hello-again", "the same hello again and again", ATTACK_BY_STRANGER, 0, 0, hello_again,
     say_cookie},
    {"made-up-cookie", "hellos with cookies that nobody gave", ATTACK_BY_STRANGER, 0, 0,
     made_up_cookie, NULL},
    {"anothers-cookie", "hellos with a cookie that another address was given", ATTACK_BY_STRANGER,
     0, 0, anothers_cookie, keep_cookie},
    {"retry-reflection", "hellos in the name of one address", ATTACK_BY_STRANGER, 0, 0,
     retry_reflection, NULL},
    {"refuse-reflection", "hellos of another version in the name of one address",
     ATTACK_BY_STRANGER, 0, 0, refuse_reflection, NULL},
    {"half-open", "handshakes begun from 250 addresses, with true cookies, and not finished",
     ATTACK_BY_STRANGER, 0, 0, hello, say_cookie},
    {"half-open-one", "handshakes begun from one address, with true cookies, and not finished",
     ATTACK_BY_STRANGER, 0, 0, retry_reflection, say_cookie},
    {"handshakes", "full handshakes from 250 addresses, which then say nothing", ATTACK_BY_STRANGER,
     0, 2000, full_handshake, finish_handshake},
    {"table", "full handshakes from 16 addresses, to fill the table", ATTACK_BY_STRANGER, 0, 2000,
     fill_table, finish_handshake},
    {"bad-finish", "finishes with a wrong tag to handshakes under way", ATTACK_BY_STRANGER, 0, 0,
     bad_finish, keep_welcome},
    {"made-up-ticket", "hellos with tickets that nobody gave", ATTACK_BY_STRANGER, 0, 0,
     made_up_ticket, say_cookie},
    {"anothers-ticket", "hellos with a ticket whose key the sender has not", ATTACK_BY_STRANGER, 1,
     0, anothers_ticket, say_cookie},
    {"repeated-ticket", "one's own ticket again and again, and nothing finished",
     ATTACK_BY_STRANGER, 1, 5000, repeated_ticket, say_pending_cookie},
};
const size_t attack_stranger_count = HAIL_COUNTOF(attack_strangers);
