// wired.c: see wired.h.
// SPDX-License-Identifier: MIT
#include "tests/wired.h"
#include "crypto/time.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "tests/paths.h"
#include "tests/turn.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool is_server(const struct wired_end *end)
{
    return end == &end->wired->server;
}

static struct wired_end *other_of(struct wired_end *end)
{
    return is_server(end) ? &end->wired->client : &end->wired->server;
}

void wired_init(struct wired *wired, uint32_t most)
{
    memset(wired, 0, sizeof *wired);
    wired->server.wired = wired;
    wired->client.wired = wired;
    wired->now_ns = HAIL_NS_PER_S;
    wired->most = most;
    wired->port = WIRED_PORT;
}

struct hail_config wired_config(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    config.on_event = wired_note;
    config.conns_max = 2;
    config.handshakes_max = 2;
    config.approves_all = true;
    return config;
}

void wired_begin(struct wired_end *end, const struct hail_config *given, uint64_t seed)
{
    struct hail_config config = *given;
    struct hail_random random;

    config.user = end;
    HAIL_ASSERT(hail_context_init(&end->context, &config, is_server(end)) == HAIL_OK);
    end->context.start_ns = 0;
    hail_random_init_seeded(&random, seed);
    HAIL_ASSERT(hail_shard_init(&end->shard, &end->context,
                                hail_profile_of(end->context.config.profile), 0, &random));
    end->shard.now_ns = end->wired->now_ns;
    end->out = malloc(end->wired->most * sizeof *end->out);
    HAIL_ASSERT(end->out);
}

static void finish(struct wired_end *end)
{
    hail_shard_stop(&end->shard, 0);
    wired_carry_out(end);
    HAIL_ASSERT(hail_shard_stopped(&end->shard));
    HAIL_ASSERT(end->shard.pool.used_count == 0);
    HAIL_ASSERT(end->shard.delivery.messages.used_count == 0);
    HAIL_ASSERT(end->shard.delivery.sent_packets.used_count == 0);
    HAIL_ASSERT(end->shard.delivery.reassemblies.records.used_count == 0);
    HAIL_ASSERT(end->shard.quota.listed == 0);
    hail_shard_cleanup(&end->shard);
    hail_context_cleanup(&end->context);
    free(end->out);
}

void wired_finish(struct wired *wired)
{
    finish(&wired->client);
    finish(&wired->server);
}

void wired_note(struct hail_endpoint *endpoint, const struct hail_event *event, void *user)
{
    struct wired_end *end = user;

    (void)endpoint;
    if (event->type == HAIL_EVENT_CONNECTED) {
        end->connected++;
        end->slot = hail_name_unpack(event->conn).slot;
    }
    if (event->type == HAIL_EVENT_CLOSED) {
        end->closed++;
        end->reason = event->reason;
    }
    end->messages += event->type == HAIL_EVENT_MESSAGE;
}

void wired_connect(struct wired *wired)
{
    struct hail_addresses addresses = {.host = "play.test", .count = 1};
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr = {htonl(0xc0000202u)}};
    const struct hail_command command = {.op = HAIL_COMMAND_CONNECT, .addresses = &addresses};
    size_t done;

    memcpy(&addresses.list[0], &to, sizeof to);
    wired->client.shard.now_ns = wired->now_ns;
    HAIL_ASSERT(hail_command_run(&wired->client.shard, &command, &done) == HAIL_OK);
}

// The client's slot of a task. A server's tasks alone have a path.
static uint32_t client_of(const struct wired_end *end, const struct hail_task *task)
{
    return task->path ? (uint32_t)ntohs(task->path->v4.sin_port) - end->wired->port : task->slot;
}

static void post(struct wired_end *end, uint32_t client, const struct iovec *view)
{
    struct wired *wired = end->wired;

    end->bytes += view->iov_len;
    end->datagrams++;
    if (client >= wired->client.context.config.conns_max)
        return; // no client has that port
    if (wired->post)
        wired->post(end, client, view);
    else
        wired_put(end, client, view, wired->now_ns);
}

void wired_carry_out(struct wired_end *end)
{
    struct hail_task task;

    while (hail_shard_output(&end->shard, &task)) {
        if (task.op == HAIL_TASK_CONNECT)
            hail_shard_connected(&end->shard, task.slot, 0);
        else if (task.op == HAIL_TASK_CLOSE)
            hail_shard_closed(&end->shard, task.slot);
        for (size_t i = 0; task.op == HAIL_TASK_DATAGRAMS && i < task.view_count; i++)
            post(end, client_of(end, &task), &task.views[i]);
    }
    hail_shard_handed_over(&end->shard);
}

// The n-th datagram that is under way from an end.
static struct wired_datagram *under_way(const struct wired_end *end, uint32_t n)
{
    uint32_t place = end->out_first + n; // benches pay for it: no division

    return &end->out[place < end->wired->most ? place : place - end->wired->most];
}

void wired_put(struct wired_end *from, uint32_t client, const struct iovec *view, uint64_t at_ns)
{
    uint32_t place = from->out_count;

    HAIL_ASSERT(from->out_count < from->wired->most && view->iov_len <= HAIL_OUTBOX_ROOM);
    for (; place > 0 && under_way(from, place - 1)->at_ns > at_ns; place--)
        *under_way(from, place) = *under_way(from, place - 1);
    from->out_count++;
    struct wired_datagram *one = under_way(from, place);
    one->at_ns = at_ns;
    one->client = client;
    one->len = (uint16_t)view->iov_len;
    memcpy(one->bytes, view->iov_base, view->iov_len);
}

void wired_lose(struct wired_end *from)
{
    from->out_first = 0; // the same memory again: it is in the caches
    from->out_count = 0;
}

static void reach(struct wired_end *to, uint32_t client, uint8_t *bytes, size_t len)
{
    const struct hail_path path = path_from(PATHS_CLIENT, (uint16_t)(to->wired->port + client));

    hail_shard_datagram(&to->shard, is_server(to) ? HAIL_SLOT_NONE : client, &path, bytes, len);
}

void wired_arrive(struct wired_end *to, uint32_t client, uint8_t *bytes, size_t len)
{
    uint8_t *copy = to->wired->exact ? malloc(len > 0 ? len : 1) : bytes;

    HAIL_ASSERT(copy);
    if (copy != bytes && len > 0)
        memcpy(copy, bytes, len);
    to->shard.now_ns = to->wired->now_ns;
    reach(to, client, copy, len);
    if (copy != bytes)
        free(copy);
}

void wired_deliver(struct wired_end *to)
{
    struct wired_end *from = other_of(to);

    to->shard.now_ns = to->wired->now_ns;
    while (from->out_count > 0 && under_way(from, 0)->at_ns <= to->wired->now_ns) {
        struct wired_datagram *one = under_way(from, 0);
        uint32_t count = from->out_count;
        wired_arrive(to, one->client, one->bytes, one->len);
        HAIL_ASSERT(from->out_count == count); // nothing is sent before a shard's turn is over
        from->out_first = from->out_first + 1 == to->wired->most ? 0 : from->out_first + 1;
        from->out_count--;
    }
    if (from->out_count == 0)
        wired_lose(from);
}

void wired_receive(struct wired_end *to)
{
    wired_deliver(to);
    test_turn(&to->shard, to->wired->now_ns);
    wired_carry_out(to);
}

void wired_work(struct wired *wired)
{
    test_turn(&wired->server.shard, wired->now_ns);
    test_turn(&wired->client.shard, wired->now_ns);
    wired_carry_out(&wired->server);
    wired_carry_out(&wired->client);
}

void wired_turn(struct wired *wired)
{
    wired_deliver(&wired->client);
    wired_deliver(&wired->server);
    wired_work(wired);
}

void wired_settle(struct wired *wired)
{
    do {
        wired_carry_out(&wired->client);
        wired_receive(&wired->server);
        wired_receive(&wired->client);
    } while (wired->client.out_count > 0);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t wired_next_ns(const struct wired *wired)
{
    uint64_t next_ns =
        earlier(hail_shard_next_ns(&wired->server.shard), hail_shard_next_ns(&wired->client.shard));

    if (wired->server.out_count > 0)
        next_ns = earlier(next_ns, under_way(&wired->server, 0)->at_ns);
    if (wired->client.out_count > 0)
        next_ns = earlier(next_ns, under_way(&wired->client, 0)->at_ns);
    return next_ns;
}
