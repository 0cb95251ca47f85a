// traffic.h: messages from joined clients to an echoing server, and what comes back: every one is
// checked, timed and accounted for.
// SPDX-License-Identifier: MIT
//
// Closed loop: a connection sends its next message when one is back. Open loop (a rate): messages
// are sent on a schedule that does not wait for the server, and their latency counts from when they
// were due, so that a stall shows in every message it held up.
#ifndef HAIL_TOOLS_LOAD_TRAFFIC_H
#define HAIL_TOOLS_LOAD_TRAFFIC_H

#include "tools/load/lab.h"

// One run: what every message has in common. Constant while it lasts, but for `is_sending`.
struct traffic {
    uint32_t flags;
    uint32_t size;
    uint32_t run; // its number: a message of another one is a fault
    uint32_t outstanding;
    bool is_open_loop;
    uint8_t channel;
    bool is_datagrams; // some may be lost, and come in another order
    bool is_named;
    uint64_t name_hash;
    uint64_t from_ns; // messages that begin in here are timed
    uint64_t to_ns;
    _Atomic bool is_sending;
};

// What a run came to.
struct traffic_result {
    uint32_t flags;
    uint32_t size;
    bool is_complete;      // false: a fault cut it short, and not every message is accounted for
    double seconds;        // 0: nothing was measured, and the rest is empty
    double messages_per_s; // echoes that came back
    uint64_t message_count;
    uint64_t p50_ns;
    uint64_t p90_ns;
    uint64_t p99_ns;
    uint64_t p999_ns;
    uint64_t max_ns;
    double wire_bytes; // of the stream, per message, the mean of both directions; 0: not known
    bool has_server_cpu;
    double server_us;    // CPU time of the server per message echoed
    uint64_t lost_count; // datagrams, there or back, warm-up and all
    uint64_t late_count; // open loop: due in the window, and could not even be sent in it
};

// traffic_run sends messages with these flags and of this size over all players for the plan's
// warm-up and duration, and waits for the last to return. False: there is a fault; `out` has what
// was measured until then.
bool traffic_run(struct lab *lab, uint32_t flags, uint32_t size, uint32_t run,
                 struct traffic_result *out);

// traffic_on_message takes an echo. On its connection's shard.
void traffic_on_message(struct lab *lab, struct lab_lane *lane, struct lab_player *player,
                        const struct hail_event *event);

#endif
