// attack.c: see attack.h.
// SPDX-License-Identifier: MIT
#include "bench/attack.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "tools/progress.h"

enum {
    SOURCES = 250,
    FIRST_CLIENT = 1024, // source of the first client of ours; strangers' are below
    SAY_AGAIN_MS = 100,
    JOIN_MS = 5000,
    KEEP_MS = 250,
    ITERATIONS_MAX = 100000
};

size_t attacks_count(void)
{
    return attack_stranger_count + attack_forger_count + attack_client_count + attack_stream_count;
}

const struct attack *attacks_at(size_t index)
{
    if (index < attack_stranger_count)
        return &attack_strangers[index];
    index -= attack_stranger_count;
    if (index < attack_forger_count)
        return &attack_forgers[index];
    index -= attack_forger_count;
    return index < attack_client_count ? &attack_clients[index]
                                       : &attack_streams[index - attack_client_count];
}

const struct attack *attacks_find(const char *name)
{
    for (size_t i = 0; i < attacks_count(); i++) {
        if (strcmp(attacks_at(i)->name, name) == 0)
            return attacks_at(i);
    }
    return NULL;
}

// Our client believes every server.
static bool believe(void *user, const struct hail_keycert *keycert,
                    const struct hail_certificate *leaf, const char *host, int64_t unix_s,
                    struct hail_fault_report *report)
{
    (void)user;
    (void)keycert;
    (void)leaf;
    (void)host;
    (void)unix_s;
    (void)report;
    return true;
}

static struct client *client_of(struct attacker *attacker, uint32_t source)
{
    uint32_t index = source - FIRST_CLIENT;

    return index < attacker->client_count ? &attacker->clients[index] : NULL;
}

static void take(void *user, uint32_t source, uint8_t *data, size_t len)
{
    struct attacker *attacker = user;
    struct client *client = client_of(attacker, source);

    if (client)
        client_take(client, &attacker->wire, &attacker->setup, data, len, &attacker->random,
                    clock_ns());
    else if (attacker->attack->hear)
        attacker->attack->hear(attacker, source, data, len);
}

// A client that was sent away comes back; one that only serves as a victim stays.
static void keep_clients(struct attacker *attacker)
{
    const struct hail_native_frame ping = {.type = HAIL_FRAME_PING};

    if (clock_ns() < attacker->keep_ns)
        return;
    attacker->keep_ns = clock_ns() + KEEP_MS * HAIL_NS_PER_MS;
    for (uint32_t i = 0; i < attacker->client_count; i++) {
        struct client *client = &attacker->clients[i];
        if (client->stage == CLIENT_CLOSED) {
            attacker->closed_count++;
            attacker->close_reason = client->close_reason;
            client_cleanup(client);
            if (!client_init(client, FIRST_CLIENT + i, &attacker->setup, &attacker->random))
                abort();
        }
        if (client->stage != CLIENT_JOINED)
            client_say(client, &attacker->wire);
        else if (attacker->attack->by != ATTACK_BY_CLIENT)
            client_send(client, &attacker->wire,
                        client_frame(client_frames(&attacker->wire), &ping), clock_ns());
    }
}

void attacker_hear(struct attacker *attacker)
{
    if (attacker->attack->by == ATTACK_BY_STREAM)
        return; // nothing is read
    keep_clients(attacker);
    wire_flush(&attacker->wire);
    wire_hear(&attacker->wire, take, attacker);
    wire_flush(&attacker->wire);
}

static uint32_t joined_count(const struct attacker *attacker)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < attacker->client_count; i++)
        count += attacker->clients[i].stage == CLIENT_JOINED;
    return count;
}

// Begins the clients' handshakes, and goes on with them until all have joined.
static bool join(struct attacker *attacker)
{
    uint64_t until_ns = clock_ns() + JOIN_MS * HAIL_NS_PER_MS;
    uint64_t say_ns = 0;

    for (uint32_t i = 0; i < attacker->client_count; i++) {
        if (!client_init(&attacker->clients[i], FIRST_CLIENT + i, &attacker->setup,
                         &attacker->random))
            return false;
    }
    while (joined_count(attacker) < attacker->client_count && clock_ns() < until_ns) {
        struct pollfd readable = {.fd = attacker->wire.fd, .events = POLLIN};
        if (clock_ns() >= say_ns) {
            for (uint32_t i = 0; i < attacker->client_count; i++)
                client_say(&attacker->clients[i], &attacker->wire);
            say_ns = clock_ns() + SAY_AGAIN_MS * HAIL_NS_PER_MS;
        }
        wire_flush(&attacker->wire);
        poll(&readable, 1, SAY_AGAIN_MS);
        attacker_hear(attacker);
    }
    if (joined_count(attacker) == attacker->client_count)
        return true;
    fprintf(stderr, "attack: %s: %u of %u clients could join; is the server's exchange %s?\n",
            attacker->attack->name, joined_count(attacker), attacker->client_count,
            attacker->setup.pattern == HAIL_NOISE_NX ? "signed" : "unsigned");
    return false;
}

// A hello as others say it, to be given one token after the other.
static void make_hello(struct attacker *attacker)
{
    struct hail_hello *hello = &attacker->hello;

    *hello = (struct hail_hello){.version = HAIL_WIRE_VERSION,
                                 .pattern = (uint8_t)attacker->setup.pattern};
    memcpy(hello->policy_hash, attacker->setup.policy_hash, sizeof hello->policy_hash);
    hail_random_bytes(&attacker->random, hello->noise, HAIL_X25519_LEN);
}

bool attacker_open(struct attacker *attacker, const struct attack *attack,
                   const struct sockaddr_in *server, uint8_t pattern, uint32_t clients, bool gso)
{
    memset(attacker, 0, sizeof *attacker);
    attacker->attack = attack;
    attacker->source_count = SOURCES;
    attacker->client_count =
        clients > 0 && attack->by == ATTACK_BY_CLIENT ? clients : attack->clients;
    HAIL_ASSERT(attacker->client_count <= ATTACK_CLIENTS_MAX);
    attacker->setup = (struct hail_client_setup){.pattern = (enum hail_noise_pattern)pattern,
                                                 .iterations_max = ITERATIONS_MAX,
                                                 .verifier = {.check = believe}};
    hail_policy_hash(client_policy(), attacker->setup.policy_hash);
    hail_random_init_system(&attacker->random);
    if (attack->by == ATTACK_BY_STREAM)
        return streams_open(&attacker->streams, server);
    if (!wire_open(&attacker->wire, server, gso))
        return false;
    attacker->clients = calloc(ATTACK_CLIENTS_MAX, sizeof *attacker->clients);
    attacker->pending = calloc(ATTACK_PENDING, sizeof *attacker->pending);
    if (!attacker->clients || !attacker->pending)
        abort();
    make_hello(attacker);
    attacker->keep_ns = UINT64_MAX;
    if (!join(attacker)) {
        attacker_close(attacker);
        return false;
    }
    attacker->keep_ns = 0;
    wire_count_anew(&attacker->wire);
    return true;
}

static void say_goodbye(struct attacker *attacker, struct client *client)
{
    const struct hail_native_frame frame = {.type = HAIL_FRAME_CLOSE};

    if (client->stage == CLIENT_JOINED)
        client_send(client, &attacker->wire, client_frame(client_frames(&attacker->wire), &frame),
                    clock_ns());
    client_cleanup(client);
}

void attacker_close(struct attacker *attacker)
{
    if (attacker->attack->by == ATTACK_BY_STREAM) {
        streams_close(&attacker->streams);
        return;
    }
    for (uint32_t i = 0; i < attacker->client_count; i++)
        say_goodbye(attacker, &attacker->clients[i]);
    wire_flush(&attacker->wire);
    wire_close(&attacker->wire);
    free(attacker->clients);
    free(attacker->pending);
    hail_random_cleanup(&attacker->random);
}

void attacker_shoot(struct attacker *attacker)
{
    // Who is not in at the moment lets his turn pass.
    if (attacker->attack->by != ATTACK_BY_CLIENT ||
        attacker_client(attacker)->stage == CLIENT_JOINED)
        attacker->attack->shoot(attacker);
    attacker->shots++;
}

struct client *attacker_client(struct attacker *attacker)
{
    return &attacker->clients[attacker->shots % attacker->client_count];
}

uint32_t attacker_source(const struct attacker *attacker)
{
    return (uint32_t)(attacker->shots % attacker->source_count);
}
