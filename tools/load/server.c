// server.c: see server.h.
// SPDX-License-Identifier: MIT
#include "tools/load/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/games.h"

enum {
    EVERYBODY_PER_S = 1000000, // one address sends all of the load
    HANDSHAKES_BESIDE = 512,
    KEY_REUSE_MS = 3600000,
    COUNTERS_MAX = 256
};

static void on_log(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    if (level >= HAIL_LOG_ERROR)
        fprintf(stderr, "hail-load: server: %s\n", line);
}

static struct server_spent spent_by(const struct hail_endpoint *endpoint)
{
    static const char *const names[SERVER_PARTS] = {
        [SERVER_SYSTEM] = "spent_system_ns",
        [SERVER_COPY] = "spent_copy_ns",
        [SERVER_CRYPTO] = "spent_crypto_ns",
        [SERVER_PROTOCOL] = "spent_protocol_ns",
    };
    struct hail_counter counters[COUNTERS_MAX];
    struct server_spent spent = {{0}};
    size_t count = hail_stats(endpoint, counters, COUNTERS_MAX);

    for (size_t i = 0; i < count && i < COUNTERS_MAX; i++) {
        for (size_t part = 0; part < SERVER_PARTS; part++) {
            if (strcmp(counters[i].name, names[part]) == 0)
                spent.ns[part] = counters[i].value;
        }
    }
    return spent;
}

// Answers questions until the other end of `line` is closed, which it is when that process ends,
// however it does.
static void answer(const struct hail_endpoint *endpoint, int line)
{
    char question;
    ssize_t got;

    while ((got = recv(line, &question, 1, 0)) != 0) {
        struct server_spent spent = spent_by(endpoint);
        if (got < 0 && errno != EINTR)
            return;
        if (got > 0 && send(line, &spent, sizeof spent, MSG_NOSIGNAL) != sizeof spent)
            return;
    }
}

// The child's life.
static int serve(const void *what, int line)
{
    const struct server_wanted *wanted = what;
    static struct games games;
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_endpoint *endpoint;

    config.profile = wanted->profile;
    config.io = wanted->io;
    config.address = "127.0.0.1";
    config.identity_file = wanted->identity_file;
    config.key_reuse_ms = wanted->reuses_key ? KEY_REUSE_MS : 0;
    config.mlapi.sign_key_exchange = wanted->identity_file != NULL;
    config.native.exchange = wanted->identity_file ? HAIL_SIGNED : HAIL_UNSIGNED;
    config.native.handshakes_per_s = EVERYBODY_PER_S;
    config.native.source_per_s = EVERYBODY_PER_S;
    config.accepts_per_s = EVERYBODY_PER_S;
    config.handshakes_per_prefix = EVERYBODY_PER_S;
    config.shard_count = 1;
    config.conns_max = wanted->conns_max + HANDSHAKES_BESIDE;
    config.message_max = wanted->message_max;
    config.measures_cost = wanted->measures_cost;
    config.takes_unknown_names = true;
    config.on_event = games_echo;
    config.on_log = on_log;
    config.user = &games;
    beside_stay_on("hail-load", wanted->core);
    enum hail_status status = hail_server_start(&endpoint, &config);
    if (status != HAIL_OK) {
        fprintf(stderr, "hail-load: cannot start a server: %s\n", hail_strerror(status));
        return EXIT_FAILURE;
    }
    uint16_t port = hail_port(endpoint);
    if (send(line, &port, sizeof port, MSG_NOSIGNAL) == sizeof port)
        answer(endpoint, line);
    hail_stop(endpoint, 0);
    return EXIT_SUCCESS;
}

bool server_start(struct beside *server, const struct server_wanted *wanted)
{
    return beside_start(server, "hail-load", serve, wanted);
}

bool server_spent(const struct beside *server, struct server_spent *spent)
{
    return send(server->line, "?", 1, MSG_NOSIGNAL) == 1 &&
           recv(server->line, spent, sizeof *spent, MSG_WAITALL) == sizeof *spent;
}
