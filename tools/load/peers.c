// peers.c: see peers.h.
// SPDX-License-Identifier: MIT
#include "tools/load/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/load/machine.h"

enum {
    PATH_LEN = 512,
    ARGUMENTS_MAX = 24,
    TEXT_LEN = 32,
    ANSWER_LEN = 4096,
    PEER_SIZE_MAX = 1400, // bench/peer.h
    PEER_CONNECTIONS_MAX = 4000
};

extern char **environ;

static const struct program {
    const char *who;
    const char *file;
    const char *flags; // of its messages
    uint32_t ios;      // GRID_URING and GRID_EPOLL; GRID_EPOLL alone: it has no choice
    bool has_handshakes;
    bool has_ordered; // reliable messages, in order
} programs[] = {
    {"baseline", "baseline", "plain", GRID_URING | GRID_EPOLL, false, false},
    {"enet", "peer_enet", "plain", GRID_EPOLL, false, true},
    {"openssl", "peer_openssl", "both", GRID_EPOLL, true, false},
    {"wolfssl", "peer_wolfssl", "both", GRID_EPOLL, true, false},
    {"ngtcp2", "peer_ngtcp2", "both", GRID_EPOLL, true, false},
};

static const struct program *program_of(const struct record_row *row)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(programs[i].who, row->who) == 0)
            return &programs[i];
    }
    return NULL;
}

bool peers_is(const struct record_row *row)
{
    return program_of(row) != NULL;
}

static void write_path(char path[PATH_LEN], const struct grid *grid, const struct program *program)
{
    snprintf(path, PATH_LEN, "%s/%s", grid->peers_dir, program->file);
}

// The rows as they come.
struct rows {
    const struct grid *grid;
    struct record_row *rows; // NULL: only counted
    size_t count;
};

static void add(struct rows *rows, const struct record_row *row)
{
    if (rows->rows)
        rows->rows[rows->count] = *row;
    rows->count++;
}

static void set_word(char word[RECORD_WORD_LEN], const char *text)
{
    snprintf(word, RECORD_WORD_LEN, "%s", text);
}

static void add_sizes(struct rows *rows, struct record_row *row)
{
    const struct grid *grid = rows->grid;

    for (size_t i = 0; i < grid->sizes.count; i++) {
        row->size = grid->sizes.values[i];
        if (row->size <= PEER_SIZE_MAX && row->connections <= PEER_CONNECTIONS_MAX)
            add(rows, row);
    }
}

static void add_closed(struct rows *rows, struct record_row *row)
{
    const struct grid *grid = rows->grid;

    row->kind = RECORD_CLOSED;
    row->rate = 0;
    for (size_t i = 0; i < grid->bursts.count; i++) {
        row->burst = grid->bursts.values[i];
        add_sizes(rows, row);
    }
}

static void add_open(struct rows *rows, struct record_row *row)
{
    row->kind = RECORD_OPEN;
    row->rate = rows->grid->rate;
    row->burst = 0;
    add_sizes(rows, row);
}

static void add_echoes(struct rows *rows, const struct program *program, struct record_row *row)
{
    const struct grid *grid = rows->grid;

    for (size_t i = 0; i < grid->connections.count; i++) {
        row->connections = grid->connections.values[i];
        if (grid->kinds & 1u << RECORD_CLOSED) {
            add_closed(rows, row);
            row->is_ordered = true;
            if (program->has_ordered && grid->has_ordered)
                add_closed(rows, row);
            row->is_ordered = false;
        }
        if (grid->kinds & 1u << RECORD_OPEN)
            add_open(rows, row);
    }
}

static void add_program(struct rows *rows, const struct program *program, const char *io)
{
    const struct grid *grid = rows->grid;
    struct record_row row = {0};

    set_word(row.who, program->who);
    set_word(row.io, io);
    set_word(row.flags, program->flags);
    add_echoes(rows, program, &row);
    if (!program->has_handshakes || !(grid->kinds & 1u << RECORD_HANDSHAKES))
        return;
    row = (struct record_row){.kind = RECORD_HANDSHAKES, .connections = grid->concurrent};
    set_word(row.who, program->who);
    set_word(row.io, io);
    set_word(row.flags, "signed");
    add(rows, &row);
}

size_t peers_rows(const struct grid *grid, struct record_row *rows)
{
    struct rows all = {.grid = grid, .rows = rows};
    char path[PATH_LEN];

    for (size_t i = 0; grid->peers_dir && i < sizeof programs / sizeof programs[0]; i++) {
        const struct program *program = &programs[i];
        bool has_choice = program->ios & GRID_URING;
        write_path(path, grid, program);
        if (access(path, X_OK) < 0)
            continue;
        if (has_choice && (grid->ios & GRID_URING))
            add_program(&all, program, "uring");
        if (!has_choice || (grid->ios & GRID_EPOLL))
            add_program(&all, program, "epoll");
    }
    return all.count;
}

// A command line in the making.
struct words {
    char *words[ARGUMENTS_MAX + 1];
    char texts[ARGUMENTS_MAX][TEXT_LEN];
    size_t count;
};

static void add_option(struct words *words, const char *option, double value)
{
    words->words[words->count++] = (char *)(uintptr_t)option;
    snprintf(words->texts[words->count], TEXT_LEN, "%g", value);
    words->words[words->count] = words->texts[words->count];
    words->count++;
}

static void write_words(struct words *words, const struct grid *grid, const struct record_row *row)
{
    if (program_of(row)->ios & GRID_URING) {
        words->words[words->count++] = (char *)(uintptr_t) "--io";
        words->words[words->count++] = (char *)(uintptr_t)row->io;
    }
    if (row->is_ordered)
        words->words[words->count++] = (char *)(uintptr_t) "--ordered";
    if (row->kind == RECORD_HANDSHAKES) {
        add_option(words, "--handshakes", grid->handshakes);
        add_option(words, "--concurrent", row->connections);
    } else {
        add_option(words, "--connections", row->connections);
        add_option(words, "--size", row->size);
        add_option(words, row->kind == RECORD_OPEN ? "--rate" : "--outstanding",
                   row->kind == RECORD_OPEN ? row->rate : row->burst);
        add_option(words, "--duration", grid->duration_s);
        add_option(words, "--warmup", grid->warmup_s);
    }
    if (grid->server_core >= 0)
        add_option(words, "--server-core", grid->server_core);
    if (grid->load_core >= 0)
        add_option(words, "--load-core", grid->load_core);
}

// Runs a program to its end and keeps what it prints. False: told on stderr, by it or by us.
static bool run(char *path, char **words, char answer[ANSWER_LEN])
{
    posix_spawn_file_actions_t actions;
    size_t len = 0;
    ssize_t got;
    int status = -1;
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    errno = posix_spawn(&pid, path, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (errno != 0) {
        fprintf(stderr, "hail-load: %s: %s\n", path, strerror(errno));
        close(ends[0]);
        return false;
    }
    while (len < ANSWER_LEN - 1 && (got = read(ends[0], answer + len, ANSWER_LEN - 1 - len)) != 0) {
        if (got < 0 && errno != EINTR)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    answer[len] = 0;
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void note(struct record_row *row, enum record_metric metric, const json_t *answer,
                 const char *key)
{
    const json_t *value = json_object_get(answer, key);

    if (json_is_number(value))
        sample_add(&row->samples[metric], json_number_value(value));
}

static void note_all(struct record_row *row, const json_t *answer)
{
    bool is_handshakes = row->kind == RECORD_HANDSHAKES;

    note(row, RECORD_RATE, answer, is_handshakes ? "handshakes_per_second" : "messages_per_second");
    note(row, RECORD_SERVER_US, answer,
         is_handshakes ? "server_us_per_handshake" : "server_us_per_message");
    note(row, RECORD_P50, answer, "p50_us");
    note(row, RECORD_P90, answer, "p90_us");
    note(row, RECORD_P99, answer, "p99_us");
    note(row, RECORD_P999, answer, "p999_us");
    note(row, RECORD_MAX, answer, "max_us");
    note(row, RECORD_LOST, answer, "lost");
}

bool peers_measure(const struct grid *grid, struct record_row *row, json_t *about)
{
    struct words words = {0};
    char path[PATH_LEN];
    char answer[ANSWER_LEN];

    write_path(path, grid, program_of(row));
    words.words[words.count++] = path;
    write_words(&words, grid, row);
    if (!run(path, words.words, answer))
        return false;
    json_t *object = json_loads(answer, 0, NULL);
    const char *says = json_string_value(json_object_get(object, "about"));
    if (!says) {
        fprintf(stderr, "hail-load: %s: does not answer as bench/peer.h has it\n", path);
        json_decref(object);
        return false;
    }
    note_all(row, object);
    if (about)
        machine_set(about, row->who, json_string(says));
    json_decref(object);
    return true;
}
