// zone.h: what the zone server and its bots agree on, and the memory that the two processes share.
// SPDX-License-Identifier: MIT
#ifndef ZONE_H
#define ZONE_H

#include <hail.h>
#include <stdatomic.h>

enum {
    BOTS_MAX = 10000,
    TICK_MS = 50,
    SLICES = 10,      // a tick's cells are sent in so many parts, not all at once
    CELL_BOTS = 30,   // how many see each other, on average
    MAP_SIZE = 65536, // a coordinate is 2 bytes
    POSITION_LEN = 8, // from a bot: x, y, and when it was sent in microseconds, 4 bytes
    SIGHTING_LEN = 2 + POSITION_LEN, // to a cell: whose it is as well; as many as there are
    CHAT_LEN_MAX = 64,
    CHAT_HEAD = 8, // who says it, and the how manieth it is of him
    CHAT_EVERY_TICKS = 400
};

// The numbers of the channels.
enum {
    CHANNEL_CHAT,
    CHANNEL_POSITION,
    CHANNEL_OTHER
};

// What comes when. The server alone goes on to the next.
enum zone_phase {
    ZONE_JOINING,
    ZONE_SETTLING, // everybody is in, and begins to walk
    ZONE_STEADY,   // they chat too, and what is measured is measured
    ZONE_ENDING,   // no more chat, until all of it has arrived
    ZONE_OVER
};

// In memory of both processes; beside `phase` and `port` the bots write it.
struct zone_run {
    _Atomic int phase;
    _Atomic uint32_t port; // of the server, once it listens
    _Atomic uint32_t bots_in;
    _Atomic uint32_t failures; // refused logins, connections that ended, sends that failed
    _Atomic uint64_t chats_sent;
    _Atomic uint64_t chats_seen;
    _Atomic uint64_t chats_sum; // of what was seen: tells chats lost and doubled, too
    _Atomic uint64_t positions_seen;
    _Atomic uint32_t age_p50_us;
    _Atomic uint32_t age_p99_us;
    _Atomic uint32_t age_max_us;
};

// The names on this endpoint's wire.
struct zone_names {
    uint64_t login;
    uint64_t chat;
    uint64_t position;
};

// zone_config fills in what both ends must have alike: channels, names and their floors.
void zone_config(struct hail_config *config);

void zone_names(struct zone_names *names, const struct hail_endpoint *endpoint);

// zone_now_us tells CLOCK_MONOTONIC, which all processes share.
uint64_t zone_now_us(void);

void zone_sleep_until(uint64_t at_us);

// zone_pin puts the process on the `index`th of the CPUs that it may use. Returns whether there are
// so many; if not it stays where it is.
bool zone_pin(int index);

// zone_chat_value makes one number of a chat's head.
uint64_t zone_chat_value(const uint8_t *chat);

// zone_bots_run connects `bot_count` bots and moves them until the run is over.
//
// Returns  The exit status of their process.
int zone_bots_run(struct zone_run *run, uint32_t bot_count);

static inline void put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

static inline void put32(uint8_t *out, uint32_t value)
{
    put16(out, value);
    put16(out + 2, value >> 16);
}

static inline uint32_t get16(const uint8_t *in)
{
    return in[0] | (uint32_t)in[1] << 8;
}

static inline uint32_t get32(const uint8_t *in)
{
    return get16(in) | get16(in + 2) << 16;
}

#endif
