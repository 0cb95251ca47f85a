// wired.h: a server's shard and a client's, of the hail profile, wired to each other in memory: a
// network in one thread, with its own clock. The client's shard has all clients; the server hears
// from each at a port of its own. Tests and benches share it, so it knows no test framework: what
// must hold is asserted.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_WIRED_H
#define HAIL_TESTS_WIRED_H

#include "engine/context/config.h"
#include "engine/delivery/outbox.h"
#include "engine/shard/conn.h"
#include "engine/shard/shard.h"

enum {
    WIRED_PORT = 1000 // of client 0; client 1 has the next one
};

// A datagram on its way.
struct wired_datagram {
    uint64_t at_ns;
    uint32_t client; // slot of the client that it comes from or is for
    uint16_t len;
    uint8_t bytes[HAIL_OUTBOX_ROOM];
};

struct wired_end {
    struct hail_context context;
    struct hail_shard shard;
    struct wired *wired;
    struct wired_datagram *out; // a ring of what it has sent that has not arrived, by time
    uint32_t out_first;
    uint32_t out_count;
    uint64_t bytes; // that it has sent, lost ones as well; likewise datagrams
    uint64_t datagrams;
    uint32_t connected; // events of wired_note's, from here on
    uint32_t closed;
    uint64_t messages;
    uint32_t slot;                 // of the last that connected
    enum hail_close_reason reason; // of the last that closed
};

struct wired {
    struct wired_end server;
    struct wired_end client;
    uint64_t now_ns;
    uint32_t most; // datagrams under way in one direction
    uint16_t port; // of client 0
    bool exact;    // datagrams arrive in memory of exactly their length
    // Decides about a datagram that sets out, by wired_put or not at all. NULL: all arrive at once.
    void (*post)(struct wired_end *from, uint32_t client, const struct iovec *view);
};

// wired_init clears all and sets the clock to 1 s. wired_config is the config that ends begin from:
// two connections, joined without an application's approval, and wired_note. wired_begin makes one
// end of a config, whose `user` becomes the end, with dice of this seed.
void wired_init(struct wired *wired, uint32_t most);
struct hail_config wired_config(void);
void wired_begin(struct wired_end *end, const struct hail_config *config, uint64_t seed);

// wired_finish ends both: nothing has leaked.
void wired_finish(struct wired *wired);

// wired_note is the callback of ends that count events. One of a test's own may call it.
void wired_note(struct hail_endpoint *endpoint, const struct hail_event *event, void *user);

// wired_connect has one more client begin to connect.
void wired_connect(struct wired *wired);

// wired_carry_out takes what an end has to do. wired_put has a datagram of its own arrive at a
// time, behind the ones that arrive then. wired_lose loses all that is under way from an end.
void wired_carry_out(struct wired_end *end);
void wired_put(struct wired_end *from, uint32_t client, const struct iovec *view, uint64_t at_ns);
void wired_lose(struct wired_end *from);

// wired_arrive has a datagram reach an end now. wired_deliver has those arrive that are due, and
// wired_receive has the end do what follows as well.
void wired_arrive(struct wired_end *to, uint32_t client, uint8_t *bytes, size_t len);
void wired_deliver(struct wired_end *to);
void wired_receive(struct wired_end *to);

// wired_work has both ends do what is due; wired_turn first delivers to both.
void wired_work(struct wired *wired);
void wired_turn(struct wired *wired);

// wired_settle goes on until nothing more follows at this moment, the client first.
void wired_settle(struct wired *wired);

// wired_next_ns returns when something is due: a shard's own work, or a datagram's arrival.
uint64_t wired_next_ns(const struct wired *wired);

#endif
