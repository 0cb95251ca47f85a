// plan.h: what hail-load was asked to do: its command line, read and checked.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TOOLS_LOAD_PLAN_H
#define HAIL_TOOLS_LOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "engine/hail.h"

enum {
    PLAN_SIZES_MAX = 16,
    PLAN_FLAGS_MAX = 4,
    PLAN_SIZE_MIN = 24,            // what a message carries to be told apart, timed and checked
    PLAN_DATAGRAM_SIZE_MAX = 1350, // of unreliable kinds: fits a packet of loopback, name and all
    PLAN_DATA_MAX = 4096,
    PLAN_CONCURRENT_MAX = 256 // fewer than most servers' backlog and unfinished handshakes
};

// Pointers are to the command line and live as long as it does, or to `own_*`.
struct plan {
    const char *host;
    uint16_t port;
    uint32_t conn_count;
    uint32_t shard_count;
    enum hail_io_kind io;

    // Messages.
    bool measures_messages;
    uint32_t sizes[PLAN_SIZES_MAX];
    size_t size_count;
    uint32_t flags[PLAN_FLAGS_MAX];
    size_t flags_count;
    uint32_t rate;        // messages/s over all connections; 0: closed loop, as fast as it goes
    uint32_t outstanding; // closed loop: messages under way on each connection
    double duration_s;
    double warmup_s;
    const char *simulation_text; // hail: as --simulate says; NULL: the network as it is
    struct hail_simulation simulation;
    const char *name;         // of named messages; NULL: unnamed
    const char *channel_name; // as --channel says, or of the kind; NULL: an unreliable one
    uint8_t channel;          // hail: its number
    enum hail_channel_kind channel_kind;

    uint32_t handshake_count; // 0: no storm
    uint32_t concurrent;
    uint32_t idle_count; // 0: none

    // How to join.
    enum hail_profile profile;
    bool profile_is_given;
    bool encryption;
    bool sign;
    const char *server_name; // what the certificate must say; NULL: host
    bool resumes;            // hail: handshakes with a ticket, but for each client's first
    bool scene_management;
    const char *trust_file;
    const char *config_file; // the server's INI file; NULL: it has no names, floors, channels,
                             // scenes and prefabs of its own
    bool pins;               // hail: the server's static key is known
    uint8_t server_key[HAIL_STATIC_KEY_LEN];
    bool has_data; // connection data, maybe of no bytes: mlapi's connection approval
    size_t data_len;
    uint8_t data[PLAN_DATA_MAX];

    // What to tell.
    pid_t server_pid;      // 0: not known
    const char *dump_path; // hail; NULL: none
    const char *json_path; // "-": stdout; NULL: none
    bool is_quiet;

    char own_host[256];
};

enum plan_result {
    PLAN_GOOD,
    PLAN_SHOWN, // --help or --version was given and answered; there is nothing to do
    PLAN_WRONG  // told on `errors`, in one line
};

// plan_init sets what a command line leaves open, for all but whom to connect to.
void plan_init(struct plan *plan);

// plan_read reads a command line. `out` gets what --help and --version answer.
enum plan_result plan_read(struct plan *plan, int argc, char **argv, FILE *out, FILE *errors);

// plan_flags_name returns what security flags are called on the command line and in tables.
const char *plan_flags_name(uint32_t flags);

// plan_may_lose says whether messages of the plan's profile and channel may be lost, or come in
// another order.
bool plan_may_lose(const struct plan *plan);

// plan_delay_ns returns by how much longer a message may take, there and back and sent once again,
// for the network that the plan simulates.
uint64_t plan_delay_ns(const struct plan *plan);

// plan_wrong says in one line that an option's value is wrong, and returns false.
bool plan_wrong(FILE *errors, const char *option, const char *value, const char *what);

// plan_advice returns what a person can do about a connection that ended for `reason`: on the
// command line while it had not joined, elsewhere once it had.
const char *plan_advice(enum hail_close_reason reason, bool has_joined);

#endif
