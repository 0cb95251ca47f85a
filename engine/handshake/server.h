// server.h: a server's handshakes on the hail profile.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_HANDSHAKE_SERVER_H
#define HAIL_ENGINE_HANDSHAKE_SERVER_H

#include "engine/handshake/admission.h"
#include "engine/handshake/handshake_queue.h"
#include "engine/native/state.h"
#include "proto/limit.h"

enum {
    HAIL_HELLOS_PER_TURN = 8, // key exchanges before those who play are served
    HAIL_FINISHES_MAX = 16    // stretched side by side; likewise
};

struct hail_server_handshakes {
    struct hail_pool welcomes; // server: of handshakes under way
    uint32_t *greeted;         // server: handshakes by token and address, heads of lists
    uint32_t greeted_count;    // a power of two
    uint64_t greeted_key[2];
    struct hail_admission admission;
    struct hail_handshake_queue hellos;   // server: hellos that wait their turn
    struct hail_handshake_queue finishes; // server: that wait their turn, and for each other
    uint64_t finishes_ns;                 // since when
    uint32_t load;                        // handshakes begun in this second
    uint64_t load_ns;                     // when it began
    struct hail_limit unproven;           // by source, of hellos without a cookie
    struct hail_limit proven;
};

// hail_server_handshake_reserve_conns and hail_server_handshake_reserve take or add up what a
// server needs for handshakes alone, by connections and beside them; called twice: see arena.h.
void hail_server_handshake_reserve_conns(struct hail_shard *shard,
                                         const struct hail_context *context);
void hail_server_handshake_reserve(struct hail_shard *shard, const struct hail_context *context);

void hail_server_handshake_init(struct hail_shard *shard);

// hail_server_handshake_hello and hail_server_handshake_finish are a server's side of a handshake.
// A finish is opened in place, and nothing is left of it.
void hail_server_handshake_hello(struct hail_shard *shard, const struct hail_path *from,
                                 const uint8_t *data, size_t len);
void hail_server_handshake_finish(struct hail_shard *shard, const struct hail_path *from,
                                  uint8_t *data, size_t len);

// hail_server_handshake_turn does what those who wait have asked for, for some of them;
// hail_server_handshake_next_ns says when it next has to: 0 at once, UINT64_MAX never.
void hail_server_handshake_turn(struct hail_shard *shard);
uint64_t hail_server_handshake_next_ns(const struct hail_shard *shard);

// hail_server_handshake_admit decides once in a while, by the CPU time that the shard's thread has
// spent so far, how many hellos are let in. Returns whether the kernel is to be told of another
// filter.
HAIL_MUST_USE bool hail_server_handshake_admit(struct hail_shard *shard, uint64_t cpu_ns);

// hail_server_handshake_forget takes a connection off the list of handshakes under way.
void hail_server_handshake_forget(struct hail_shard *shard, uint32_t slot);

#endif
