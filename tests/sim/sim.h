// sim.h: a server's shards and its clients in one thread, on a network that delays, loses, doubles,
// reorders, corrupts and moves, with strangers that mean no good. Every die is thrown from one
// seed, and time moves only here, so a failure is a seed and runs again the same.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_SIM_SIM_H
#define HAIL_TESTS_SIM_SIM_H

#include "engine/delivery/outbox.h"
#include "engine/shard/conn.h"
#include "tests/audit.h"

enum {
    SIM_SHARDS = 2,
    SIM_SLOTS = 64,          // of each shard
    SIM_CLIENTS_MAX = 6,     // honest ones
    SIM_MESSAGES_MAX = 2048, // of each client in each direction
    SIM_MESSAGE_MAX = 4096,  // bytes
    SIM_FLIGHT_MAX = 4096,   // datagrams under way
    SIM_CAPTURES = 64        // datagrams that the hostile remember
};

// The channels, by their numbers.
enum {
    SIM_CHANNEL_CHAT,
    SIM_CHANNEL_NEWS,   // sequenced
    SIM_CHANNEL_VAULT,  // unreliable, with a floor
    SIM_CHANNEL_LEDGER, // reliable and ordered
    SIM_CHANNEL_MAIL,   // reliable
    SIM_CHANNEL_COUNT
};

// What a seed makes of the network and of those on it. Chances are in 1,000.
struct sim_world {
    uint32_t loss;
    uint32_t doubling;
    uint32_t corruption;
    uint32_t misdirection; // to another shard than the connection's
    uint32_t delay_ms;     // at most; the spread is reordering
    uint32_t move_ms;      // mean time until a client's address changes; 0: never
    uint32_t cut_ms;       // mean time until nothing passes for a while; 0: never
    uint32_t hostile_ms;   // mean time between hostile datagrams; 0: none
    uint32_t coalesce_us;
    uint32_t send_rate;
    uint32_t receive_rate;
    struct hail_simulation simulation; // inside the clients, beside the sim's own network
    bool is_simulated;
    uint32_t forget_ms; // mean time until the server loses its ticket key; 0: never
    uint32_t mtu;       // bytes of the longest datagram that passes
    uint32_t narrow_ms; // mean time until none above 1,200 does; 0: never
    uint32_t client_count;
    enum hail_key_exchange exchange;
    enum hail_cookie_use cookies;
};

struct sim_datagram {
    uint64_t at_ns;
    struct hail_path from;
    struct hail_path to;
    uint16_t len;
    uint8_t bytes[HAIL_OUTBOX_ROOM];
};

// A message that a client sent, or that its server sent back.
struct sim_message {
    uint32_t flags;
    uint8_t channel;
    bool is_long;      // it does not fit into a packet
    bool below_floor;  // it must never arrive
    bool taken;        // by the client's connection, to be sent
    bool echoed;       // likewise by the server's
    uint8_t arrived;   // at the server
    uint8_t returned;  // to the client
    uint16_t previous; // on the ledger in the same join, plus 1; 0: it is the first
    uint32_t join;     // the client's, that it was sent in
    uint64_t sent_ns;
};

// An honest client: it joins, talks, and joins again when it was thrown out.
struct sim_client {
    struct hail_conn conn;
    struct hail_path address;
    uint32_t slot;
    bool connected;
    bool joining;
    bool astray; // its socket's address is no longer its machine's
    uint32_t joins;
    uint32_t sent;
    uint32_t returned_after_heal;
    uint16_t ledger_last;     // the last message that was sent on the ledger, plus 1
    uint32_t newest_arrived;  // of its messages on the sequenced channel, their numbers plus 1
    uint32_t newest_returned; // to it
    bool comes_back;          // by itself, for a while
    bool shows_ticket;        // of this join
    size_t ticket_len;        // of its last connection's newest; 0: none
    uint8_t ticket[HAIL_RESUMPTION_LEN_MAX];
    uint64_t next_ns; // when it says something again
    struct sim_message messages[SIM_MESSAGES_MAX];
};

// The names of connections that have ended.
struct sim_closed {
    uint64_t names[SIM_SLOTS * 16];
    uint32_t count;
};

struct sim {
    uint64_t seed;
    uint64_t dice;
    uint64_t now_ns;
    uint64_t heal_ns; // from here on the network is well
    uint64_t end_ns;
    uint64_t move_ns;
    uint64_t cut_ns;
    uint64_t cut_until_ns;
    uint64_t hostile_ns;
    uint64_t forget_ns;
    uint64_t narrow_ns;
    struct sim_world world;
    struct hail_context server;
    struct hail_context client;
    struct hail_shard shards[SIM_SHARDS];
    struct hail_shard *shard_list[SIM_SHARDS];
    struct hail_shard client_shard;
    struct sim_client clients[SIM_CLIENTS_MAX];
    struct sim_datagram flight[SIM_FLIGHT_MAX]; // a heap, the earliest first
    uint32_t flight_count;
    struct sim_datagram captures[SIM_CAPTURES];
    uint32_t capture_count;
    struct audit audits[SIM_SHARDS + 1]; // of the server's shards, and of the clients'
    struct sim_closed closed_server;
    struct sim_closed closed_client;
    uint64_t arrived;    // messages, for the record
    uint64_t resumed;    // handshakes, likewise
    const char *failure; // what an oracle found; NULL: nothing
};

// sim_roll throws a die; sim_fail says what an oracle found, of which the first counts.
uint64_t sim_roll(struct sim *sim);
void sim_fail(struct sim *sim, const char *what);

// sim_run plays a seed to its end. Returns NULL, or what went wrong; `sim` is then as it was.
const char *sim_run(struct sim *sim, uint64_t seed);

#endif
