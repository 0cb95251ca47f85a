// world.h: a server's shard and a client's, wired to each other in memory: a network in one thread,
// with its own clock and dice, that tears streams into pieces of any length. No socket, no thread.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_WORLD_H
#define HAIL_TESTS_WORLD_H

#include "engine/context/config.h"
#include "engine/shard/command.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"
#include "tests/vectors.h"

enum {
    WORLD_SLOTS = 128, // half of them for those who have not joined yet
    WORLD_EVENTS = 4096,
    WORLD_PIPE = 1 << 21,
    WORLD_RAW = WORLD_SLOTS, // a peer slot that stands for the test itself
    WORLD_GONE               // and one that has closed: the stream ends when its pipe is empty
};

// One direction of one connection: bytes on their way.
struct world_pipe {
    uint8_t *bytes;
    size_t len;
};

// An event with its own copies of what it pointed to.
struct world_event {
    struct hail_event event;
    uint8_t *data;
    char text[HAIL_FAULT_TEXT_MAX];
};

// One end: a shard, and for each of its slots the other end's slot and what comes from there.
struct world_end {
    struct hail_context context;
    struct hail_shard shard;
    uint32_t peers[WORLD_SLOTS];
    struct world_pipe incoming[WORLD_SLOTS];
    bool paused[WORLD_SLOTS];
    bool open[WORLD_SLOTS];
    bool deaf[WORLD_SLOTS];      // the peer takes nothing: sends to it never end
    size_t blocked[WORLD_SLOTS]; // bytes of a send to a deaf peer
    struct world_event events[WORLD_EVENTS];
    size_t event_count;
    void (*react)(struct world_end *end, const struct hail_event *event); // from the callback
};

struct world {
    struct world_end server;
    struct world_end client;
    uint64_t now_ns;
    uint64_t dice;
    size_t piece_max; // the longest piece that is delivered at once; 0: any length
    uint32_t from;    // IPv4 address that the next peers have
    bool holds;       // what comes to the next clients waits until their `paused` is taken away
};

// world_init makes both ends, of the mlapi profile. Configs without on_event get one that records
// events; with `polls` the server has none and its queue is read by the test.
struct world *world_init(const struct hail_config *server, const struct hail_config *client,
                         uint64_t seed, bool polls);
void world_cleanup(struct world *world);

// world_run lets bytes flow and shards work until nothing more happens at this moment.
void world_run(struct world *world);

// world_sleep moves the clock, stopping at every deadline on the way.
void world_sleep(struct world *world, uint64_t ms);

// world_connect has the client connect, and runs.
void world_connect(struct world *world, uint64_t tag, const char *conn_data);

// world_joined makes a world with one connection that has joined, with a seed of its own; and
// world_first_conn is what an end calls it.
struct world *world_joined(const struct hail_config *server, const struct hail_config *client,
                           bool polls);
struct hail_conn world_first_conn(const struct world_end *end);

// world_raw accepts a connection at the server whose client is the test. Returns its slot.
uint32_t world_raw(struct world *world);

// world_feed delivers bytes from the test to a raw connection, torn as the world tears; a copy.
void world_feed(struct world *world, uint32_t slot, const uint8_t *bytes, size_t len);

// world_send and world_command carry out a command on an end's own thread.
enum hail_status world_send(struct world_end *end, struct hail_conn conn, uint32_t flags,
                            const void *data, size_t len);
enum hail_status world_command(struct world_end *end, const struct hail_command *command);

// world_find returns the n-th event of a type, or NULL.
const struct world_event *world_find(const struct world_end *end, enum hail_event_type type,
                                     size_t n);
size_t world_count(const struct world_end *end, enum hail_event_type type);

uint64_t world_stat(const struct world_end *end, unsigned stat);

#endif
