// attack.h: attacks on a server, each by a name: a hostile client made of the project's own layers.
// What sends them at a rate is attack_main.c; a test sends a counted few of each.
// SPDX-License-Identifier: MIT
//
// Threads  One thread attacks.
#ifndef HAIL_BENCH_ATTACK_H
#define HAIL_BENCH_ATTACK_H

#include "bench/attack_client.h"
#include "bench/attack_stream.h"
#include "bench/attack_wire.h"

enum {
    ATTACK_CLIENTS_MAX = 128,
    ATTACK_PENDING = 4096 // half-open handshakes that are remembered
};

// Who does it, which decides what it may get back.
enum attack_by {
    ATTACK_BY_STRANGER, // who has proven nothing: three bytes for each at most
    ATTACK_BY_FORGER,   // in the name of another: no more than he sends
    ATTACK_BY_CLIENT,   // one that has been let in
    ATTACK_BY_STREAM    // over TCP: the mlapi profile
};

struct attacker;

struct attack {
    const char *name;
    const char *what; // it does, for --list
    enum attack_by by;
    uint32_t clients; // that it joins beforehand
    uint32_t most;    // a second: more costs the attacker too much; 0: any
    // Queues a datagram, or does one thing to a stream.
    void (*shoot)(struct attacker *attacker);
    // Takes what came for a source that is no client of ours; NULL: it is thrown away.
    void (*hear)(struct attacker *attacker, uint32_t source, uint8_t *data, size_t len);
};

// A handshake that has not been finished.
struct attack_pending {
    bool is_open; // the welcome has come
    uint32_t source;
    uint32_t conn_id;
    struct hail_client_handshake handshake;
};

struct attacker {
    const struct attack *attack;
    struct wire wire;
    struct streams streams;
    struct hail_client_setup setup;
    struct hail_random random;
    uint32_t source_count; // addresses to send from
    uint64_t shots;
    struct client *clients;
    uint32_t client_count;
    uint32_t closed_count;          // times that one of them was sent away
    uint8_t close_reason;           // of the last
    uint64_t keep_ns;               // when to look after them next
    struct attack_pending *pending; // by its token's first bytes
    struct hail_hello hello;        // of whoever makes up many
    bool has_cookie;                // it has been given one
    uint32_t at;                    // among what an attack goes through
    size_t kept_len;                // a datagram to send again
    uint8_t kept[HAIL_PACKET_MAX];
};

// attacks_count returns how many there are, attacks_at one of them, and attacks_find the one with a
// name; NULL: there is none.
size_t attacks_count(void);
const struct attack *attacks_at(size_t index);
const struct attack *attacks_find(const char *name);

// Two parts of the table.
extern const struct attack attack_strangers[];
extern const size_t attack_stranger_count;
extern const struct attack attack_forgers[];
extern const size_t attack_forger_count;
extern const struct attack attack_clients[];
extern const size_t attack_client_count;
extern const struct attack attack_streams[];
extern const size_t attack_stream_count;

// attacker_open makes ready for an attack on a server on loopback, and joins the clients it needs,
// or `clients` of them if that is not 0. attacker_close tells the server that they have gone.
//
// pattern  HAIL_HELLO_NX or HAIL_HELLO_NN, as the server has a certificate or not.
//
// Returns  false: told on stderr; there is nothing to close.
HAIL_MUST_USE bool attacker_open(struct attacker *attacker, const struct attack *attack,
                                 const struct sockaddr_in *server, uint8_t pattern,
                                 uint32_t clients, bool gso);
void attacker_close(struct attacker *attacker);

// attacker_shoot lets the attack queue its next datagram; attacker_hear acts on what has come back,
// and sends what is queued.
void attacker_shoot(struct attacker *attacker);
void attacker_hear(struct attacker *attacker);

// attacker_client returns the client whose turn it is.
struct client *attacker_client(struct attacker *attacker);

// attacker_source returns the address whose turn it is, of source_count.
uint32_t attacker_source(const struct attacker *attacker);

#endif
