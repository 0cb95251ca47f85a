// attack_server.c: see attack_server.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/issue.h"
#include "crypto/time.h"
#include "tools/games.h"
#include "tools/progress.h"

enum {
    COUNTERS_MAX = 256,
    NAME_MAX_LEN = 48,
    TURN_MS = 5,
    LONG_NAMES = 150,
    LONG_NAME_LEN = 62,
    WAITING_MAX = 1 << 16 // requests; those beyond are let in at once
};

// One that asks to join, and when he may.
struct waiting {
    struct hail_conn conn;
    uint64_t due_ns;
};

struct game {
    struct games echo;
    uint32_t approve_ms;
    pthread_mutex_t lock; // of what follows
    uint32_t first;
    uint32_t count;
    struct waiting waiting[WAITING_MAX];
};

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct game *game = user;
    bool waits = false;

    if (event->type == HAIL_EVENT_REQUEST && game->approve_ms > 0) {
        pthread_mutex_lock(&game->lock);
        waits = game->count < WAITING_MAX;
        if (waits)
            game->waiting[(game->first + game->count++) % WAITING_MAX] =
                (struct waiting){event->conn, clock_ns() + game->approve_ms * HAIL_NS_PER_MS};
        pthread_mutex_unlock(&game->lock);
    }
    if (!waits)
        games_echo(endpoint, event, &game->echo);
}

// Lets in those who have waited for long enough.
static void approve_due(struct hail_endpoint *endpoint, struct game *game)
{
    bool again = true;

    while (again) {
        struct hail_conn conn = {0};
        pthread_mutex_lock(&game->lock);
        again = game->count > 0 && game->waiting[game->first].due_ns <= clock_ns();
        if (again) {
            conn = game->waiting[game->first].conn;
            game->first = (game->first + 1) % WAITING_MAX;
            game->count--;
        }
        pthread_mutex_unlock(&game->lock);
        if (again)
            hail_approve(endpoint, conn, 0); // who has gone meanwhile needs no answer
    }
}

static void on_log(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    if (level >= HAIL_LOG_ERROR)
        fprintf(stderr, "attack: server: %s\n", line);
}

static uint64_t counter(const struct hail_endpoint *endpoint, const char *name)
{
    struct hail_counter counters[COUNTERS_MAX];
    size_t count = hail_stats(endpoint, counters, COUNTERS_MAX);

    for (size_t i = 0; i < count && i < COUNTERS_MAX; i++) {
        if (strcmp(counters[i].name, name) == 0)
            return counters[i].value;
    }
    return 0;
}

// Answers questions until the other end of `line` is closed, which it is when that process ends,
// however it does.
static void answer(struct hail_endpoint *endpoint, struct game *game, int line)
{
    struct pollfd question = {.fd = line, .events = POLLIN};
    char name[NAME_MAX_LEN];

    for (;;) {
        if (poll(&question, 1, game->approve_ms > 0 ? TURN_MS : -1) > 0) {
            if (recv(line, name, sizeof name, MSG_WAITALL) != sizeof name)
                return;
            name[sizeof name - 1] = 0;
            uint64_t value = counter(endpoint, name);
            if (send(line, &value, sizeof value, MSG_NOSIGNAL) != sizeof value)
                return;
        }
        approve_due(endpoint, game);
    }
}

// A certificate with as many names as make it long, and its key, in a file that nobody sees.
// Returns its descriptor; -1: there is none.
static int make_identity(void)
{
    static char texts[LONG_NAMES][LONG_NAME_LEN];
    const char *names[LONG_NAMES];
    struct hail_issue_terms terms = {
        .common_name = "127.0.0.1",
        .names = names,
        .name_count = LONG_NAMES,
        .use = HAIL_ISSUE_SERVER,
        .to_s = INT64_C(4000000000),
        .key = HAIL_ISSUE_ED25519,
    };
    struct hail_fault_report report;
    struct hail_issued *issued;
    uint8_t *certificate;
    uint8_t *key;
    size_t certificate_len;
    size_t key_len;

    for (int i = 0; i < LONG_NAMES; i++) {
        snprintf(texts[i], sizeof texts[i], "%0*d.example", LONG_NAME_LEN - 10, i);
        names[i] = texts[i];
    }
    int fd = memfd_create("identity", MFD_CLOEXEC);
    if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) < 0 ||
        !hail_issue(&issued, NULL, &terms, &report) ||
        !hail_issued_certificate_pem(issued, &certificate, &certificate_len) ||
        !hail_issued_key_pem(issued, &key, &key_len) ||
        write(fd, certificate, certificate_len) != (ssize_t)certificate_len ||
        write(fd, key, key_len) != (ssize_t)key_len)
        return -1;
    free(certificate);
    free(key);
    hail_issued_free(issued);
    return fd;
}

// The child's life.
static int serve(const void *what, int line)
{
    const struct attacked_wanted *wanted = what;
    static struct game game = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_endpoint *endpoint;
    char identity[32];

    if (wanted->is_signed) {
        snprintf(identity, sizeof identity, "/proc/self/fd/%d", make_identity());
        config.identity_file = identity;
    }
    game.approve_ms = wanted->approve_ms;
    config.profile = wanted->profile;
    config.address = "127.0.0.1";
    config.native.exchange = wanted->is_signed ? HAIL_SIGNED : HAIL_UNSIGNED;
    config.shard_count = 1;
    config.stall_timeout_ms = wanted->stall_timeout_ms;
    config.handshakes_max = wanted->handshakes_max;
    config.takes_unknown_names = true;
    config.on_event = on_event;
    config.on_log = on_log;
    config.user = &game;
    beside_stay_on("attack", wanted->core);
    enum hail_status status = hail_server_start(&endpoint, &config);
    if (status != HAIL_OK) {
        fprintf(stderr, "attack: cannot start a server: %s\n", hail_strerror(status));
        return EXIT_FAILURE;
    }
    uint16_t port = hail_port(endpoint);
    if (send(line, &port, sizeof port, MSG_NOSIGNAL) == sizeof port)
        answer(endpoint, &game, line);
    hail_stop(endpoint, 0);
    return EXIT_SUCCESS;
}

bool attacked_start(struct beside *server, const struct attacked_wanted *wanted)
{
    return beside_start(server, "attack", serve, wanted);
}

uint64_t attacked_counter(const struct beside *server, const char *name)
{
    char question[NAME_MAX_LEN] = {0};
    uint64_t value;

    if (server->pid <= 0)
        return 0;
    memcpy(question, name, strnlen(name, sizeof question - 1));
    if (send(server->line, question, sizeof question, MSG_NOSIGNAL) != sizeof question ||
        recv(server->line, &value, sizeof value, MSG_WAITALL) != sizeof value)
        return 0;
    return value;
}
