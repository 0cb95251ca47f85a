// world.c: see world.h.
// SPDX-License-Identifier: MIT
#include "tests/world.h"
#include "crypto/time.h"
#include "engine/context/config.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/shard.h"
#include "tests/turn.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void record(struct world_end *end, const struct hail_event *event)
{
    ck_assert_uint_lt(end->event_count, WORLD_EVENTS);
    struct world_event *own = &end->events[end->event_count++];

    own->event = *event;
    own->data = malloc(event->len + 1);
    if (event->len > 0)
        memcpy(own->data, event->data, event->len);
    own->event.data = own->data;
    own->text[0] = 0;
    if (event->text)
        snprintf(own->text, sizeof own->text, "%s", event->text);
}

static void on_event(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct world_end *end = user;

    (void)endpoint;
    record(end, event);
    if (end->react)
        end->react(end, event);
}

static void log_line(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    if (level >= HAIL_LOG_WARN)
        printf("log: %s\n", line);
}

static void init_end(struct world_end *end, const struct hail_config *given, bool is_server,
                     bool polls, uint64_t seed)
{
    struct hail_config config = *given;
    struct hail_random random;

    config.profile = HAIL_PROFILE_MLAPI;
    config.on_event = polls ? NULL : on_event;
    config.on_log = log_line;
    config.user = end;
    config.conns_max = config.conns_max ? config.conns_max : WORLD_SLOTS / 2;
    config.handshakes_max = config.handshakes_max ? config.handshakes_max : WORLD_SLOTS / 2;
    ck_assert_int_eq(hail_context_init(&end->context, &config, is_server), HAIL_OK);
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, seed);
    ck_assert(hail_shard_init(&end->shard, &end->context,
                              hail_profile_of(end->context.config.profile), 0, &random));
}

struct world *world_init(const struct hail_config *server, const struct hail_config *client,
                         uint64_t seed, bool polls)
{
    struct world *world = aligned_alloc(_Alignof(struct world), sizeof *world);

    ck_assert_ptr_nonnull(world);
    memset(world, 0, sizeof *world);
    world->dice = seed;
    world->now_ns = HAIL_NS_PER_S;
    init_end(&world->server, server, true, polls, seed);
    init_end(&world->client, client, false, false, seed + 1);
    test_turn(&world->server.shard, world->now_ns);
    test_turn(&world->client.shard, world->now_ns);
    return world;
}

static void drop_end(struct world *world, struct world_end *end)
{
    hail_shard_stop(&end->shard, 0);
    memset(end->deaf, 0, sizeof end->deaf);
    world_run(world);
}

static void cleanup_end(struct world_end *end)
{
    ck_assert(hail_shard_stopped(&end->shard));
    ck_assert_msg(end->shard.pool.used_count == 0, "%u blocks have leaked",
                  end->shard.pool.used_count);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
    for (size_t i = 0; i < end->event_count; i++)
        free(end->events[i].data);
    for (size_t i = 0; i < WORLD_SLOTS; i++)
        free(end->incoming[i].bytes);
}

void world_cleanup(struct world *world)
{
    drop_end(world, &world->client);
    drop_end(world, &world->server);
    cleanup_end(&world->client);
    cleanup_end(&world->server);
    free(world);
}

static struct world_end *other(struct world *world, const struct world_end *end)
{
    return end == &world->server ? &world->client : &world->server;
}

static void put(struct world_pipe *pipe, const void *bytes, size_t len)
{
    if (!pipe->bytes)
        pipe->bytes = malloc(WORLD_PIPE);
    ck_assert_uint_le(pipe->len + len, WORLD_PIPE);
    memcpy(pipe->bytes + pipe->len, bytes, len);
    pipe->len += len;
}

static void on_connect(struct world *world, struct world_end *end, uint32_t slot)
{
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons(4711), .sin_addr = {htonl(world->from)}};
    uint32_t at_server =
        hail_shard_accept(&world->server.shard, (struct sockaddr *)&peer, sizeof peer);

    if (at_server == HAIL_SLOT_NONE) {
        hail_shard_connected(&end->shard, slot, -ECONNREFUSED);
        return;
    }
    end->peers[slot] = at_server;
    end->open[slot] = true;
    end->paused[slot] = world->holds;
    world->server.peers[at_server] = slot;
    world->server.open[at_server] = true;
    world->server.deaf[at_server] = false;
    world->server.paused[at_server] = false;
    hail_shard_connected(&end->shard, slot, 0);
}

static void on_send(struct world *world, struct world_end *end, const struct hail_task *task)
{
    struct world_end *to = other(world, end);
    uint32_t peer = end->peers[task->slot];
    size_t len = 0;

    for (size_t i = 0; i < task->view_count; i++)
        len += task->views[i].iov_len;
    if (end->deaf[task->slot]) {
        end->blocked[task->slot] = len;
        return;
    }
    // The kernel may take less than it was given.
    size_t taken = test_next(&world->dice) % 4 ? len : 1 + test_next(&world->dice) % len;
    size_t left = taken;
    for (size_t i = 0; i < task->view_count && left > 0; i++) {
        size_t part = task->views[i].iov_len < left ? task->views[i].iov_len : left;
        if (peer == WORLD_RAW)
            put(&end->incoming[task->slot], task->views[i].iov_base, part); // for the test to read
        else if (peer < WORLD_SLOTS && to->open[peer])
            put(&to->incoming[peer], task->views[i].iov_base, part);
        left -= part;
    }
    hail_shard_sent(&end->shard, task->slot, (int)taken);
}

static void on_close(struct world *world, struct world_end *end, uint32_t slot)
{
    uint32_t peer = end->peers[slot];
    bool was_open = end->open[slot];

    end->open[slot] = false;
    end->blocked[slot] = 0;
    if (peer != WORLD_RAW)
        end->incoming[slot].len = 0;
    hail_shard_closed(&end->shard, slot);
    if (was_open && peer < WORLD_SLOTS && other(world, end)->open[peer])
        other(world, end)->peers[peer] = WORLD_GONE; // ends once its pipe is empty
}

static bool work(struct world *world, struct world_end *end)
{
    struct hail_task task;
    bool worked = false;

    while (hail_shard_output(&end->shard, &task)) {
        worked = true;
        switch (task.op) {
        case HAIL_TASK_CONNECT:
            on_connect(world, end, task.slot);
            break;
        case HAIL_TASK_SEND:
            on_send(world, end, &task);
            break;
        case HAIL_TASK_PAUSE:
        case HAIL_TASK_RESUME:
            end->paused[task.slot] = task.op == HAIL_TASK_PAUSE;
            break;
        case HAIL_TASK_CLOSE:
            on_close(world, end, task.slot);
            break;
        case HAIL_TASK_REBIND:
        case HAIL_TASK_FOLLOW:
        case HAIL_TASK_DATAGRAMS:
            ck_abort_msg("this world has streams only");
        }
    }
    return worked;
}

static void deliver(struct world *world, struct world_end *end, uint32_t slot)
{
    struct world_pipe *pipe = &end->incoming[slot];
    size_t most = world->piece_max && world->piece_max < pipe->len ? world->piece_max : pipe->len;
    size_t len = world->piece_max == 1 ? 1 : 1 + test_next(&world->dice) % most;
    uint8_t *piece = malloc(len); // of its exact length, for the sanitizer

    memcpy(piece, pipe->bytes, len);
    pipe->len -= len;
    memmove(pipe->bytes, pipe->bytes + len, pipe->len);
    hail_shard_input(&end->shard, slot, piece, len);
    free(piece);
}

static bool flow(struct world *world, struct world_end *end)
{
    bool flowed = false;

    for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
        if (!end->open[slot] || end->paused[slot] || end->peers[slot] == WORLD_RAW)
            continue;
        if (end->incoming[slot].len > 0) {
            deliver(world, end, slot);
            flowed = true;
        } else if (end->peers[slot] == WORLD_GONE &&
                   end->shard.conns[slot].state != HAIL_CONN_CLOSING) {
            hail_shard_ended(&end->shard, slot, 0);
            flowed = true;
        }
    }
    return flowed;
}

void world_run(struct world *world)
{
    bool again = true;

    while (again) {
        again = false;
        for (int i = 0; i < 2; i++) {
            struct world_end *end = i ? &world->client : &world->server;
            again |= flow(world, end);
            test_turn(&end->shard, world->now_ns);
            again |= work(world, end);
            again |= hail_shard_next_ns(&end->shard) <= world->now_ns;
        }
    }
}

void world_sleep(struct world *world, uint64_t ms)
{
    uint64_t end_ns = world->now_ns + ms * HAIL_NS_PER_MS;

    while (world->now_ns < end_ns) {
        uint64_t next = hail_shard_next_ns(&world->server.shard);
        if (hail_shard_next_ns(&world->client.shard) < next)
            next = hail_shard_next_ns(&world->client.shard);
        world->now_ns = next < end_ns ? next : end_ns;
        world_run(world);
    }
}

void world_connect(struct world *world, uint64_t tag, const char *conn_data)
{
    struct hail_addresses addresses = {.host = "server.test", .count = 1};
    const struct hail_command command = {
        .op = HAIL_COMMAND_CONNECT,
        .tag = tag,
        .view = {.body = (const uint8_t *)conn_data, .body_len = conn_data ? strlen(conn_data) : 0},
        .addresses = &addresses,
    };

    ck_assert_int_eq(world_command(&world->client, &command), HAIL_OK);
    atomic_fetch_add(&world->client.shard.conns_promised, 1);
    world_run(world);
}

uint32_t world_raw(struct world *world)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(world->from)}};
    uint32_t slot = hail_shard_accept(&world->server.shard, (struct sockaddr *)&peer, sizeof peer);

    if (slot != HAIL_SLOT_NONE) {
        world->server.peers[slot] = WORLD_RAW;
        world->server.open[slot] = true;
        world->server.deaf[slot] = false;
        world->server.paused[slot] = false;
        world->server.incoming[slot].len = 0;
    }
    world_run(world);
    return slot;
}

void world_feed(struct world *world, uint32_t slot, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t most = world->piece_max && world->piece_max < len ? world->piece_max : len;
        size_t part = 1 + test_next(&world->dice) % most;
        uint8_t *piece = malloc(part);
        memcpy(piece, bytes, part);
        hail_shard_input(&world->server.shard, slot, piece, part);
        free(piece);
        bytes += part;
        len -= part;
    }
    world_run(world);
}

enum hail_status world_command(struct world_end *end, const struct hail_command *command)
{
    size_t done;

    return hail_command_run(&end->shard, command, &done);
}

enum hail_status world_send(struct world_end *end, struct hail_conn conn, uint32_t flags,
                            const void *data, size_t len)
{
    const struct hail_command command = {
        .op = HAIL_COMMAND_SEND,
        .conn = conn,
        .view = {.flags = flags, .body = data, .body_len = len},
    };

    return world_command(end, &command);
}

const struct world_event *world_find(const struct world_end *end, enum hail_event_type type,
                                     size_t n)
{
    for (size_t i = 0; i < end->event_count; i++) {
        if (end->events[i].event.type == type && n-- == 0)
            return &end->events[i];
    }
    return NULL;
}

size_t world_count(const struct world_end *end, enum hail_event_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < end->event_count; i++)
        count += end->events[i].event.type == type;
    return count;
}

uint64_t world_stat(const struct world_end *end, unsigned stat)
{
    return hail_stat_get(&end->shard.stats, stat);
}

struct world *world_joined(const struct hail_config *server, const struct hail_config *client,
                           bool polls)
{
    struct world *world = world_init(server, client, test_seed(), polls);

    world_connect(world, 7, NULL);
    ck_assert_uint_eq(world_count(&world->client, HAIL_EVENT_CONNECTED), 1);
    return world;
}

struct hail_conn world_first_conn(const struct world_end *end)
{
    return world_find(end, HAIL_EVENT_CONNECTED, 0)->event.conn;
}
