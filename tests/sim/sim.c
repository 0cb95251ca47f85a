// sim.c: see sim.h.
// SPDX-License-Identifier: MIT
#include "tests/sim/sim.h"
#include "engine/handshake/server.h"
#include "engine/native/state.h"
#include "engine/profiles/profiles.h"
#include "engine/shard/command.h"
#include "engine/shard/shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "engine/context/config.h"
#include "tests/paths.h"
#include "tests/sim/ids.h"
#include "tests/sim/messages.h"
#include "tests/turn.h"

enum {
    LENGTH_S = 40,
    HEAL_AT_S = 26,
    COME_BACK_MS = 4000,
    LONGEST_JOIN_MS = 10000, // the handshake's timeout
    SECRET_FLOOR = HAIL_ENCRYPTED,
    SERVER_ADDRESSES = 3,
    SERVER_PORT = 7777
};

static const struct hail_channel channels[SIM_CHANNEL_COUNT] = {
    {.name = "chat", .kind = HAIL_UNRELIABLE},
    {.name = "news", .kind = HAIL_UNRELIABLE_SEQUENCED},
    {.name = "vault", .kind = HAIL_UNRELIABLE, .floor = HAIL_ENCRYPTED},
    {.name = "ledger", .kind = HAIL_RELIABLE_ORDERED, .priority = 1},
    {.name = "mail", .kind = HAIL_RELIABLE_UNORDERED, .weight = 3},
};

uint64_t sim_roll(struct sim *sim)
{
    uint64_t z = (sim->dice += 0x9e3779b97f4a7c15u); // splitmix64

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool chance(struct sim *sim, uint32_t in_1000)
{
    return sim_roll(sim) % 1000 < in_1000;
}

void sim_fail(struct sim *sim, const char *what)
{
    if (!sim->failure)
        sim->failure = what;
}

static bool healed(const struct sim *sim)
{
    return sim->now_ns >= sim->heal_ns;
}

// ---- The network

static void swap(struct sim_datagram *a, struct sim_datagram *b)
{
    struct sim_datagram c = *a;

    *a = *b;
    *b = c;
}

static void fly(struct sim *sim, const struct sim_datagram *datagram, uint64_t at_ns)
{
    uint32_t place = sim->flight_count;

    if (place == SIM_FLIGHT_MAX)
        return; // a network's queues are not endless either
    sim->flight[place] = *datagram;
    sim->flight[place].at_ns = at_ns;
    sim->flight_count++;
    while (place > 0 && sim->flight[(place - 1) / 2].at_ns > at_ns) {
        swap(&sim->flight[place], &sim->flight[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
}

static void land(struct sim *sim, struct sim_datagram *out)
{
    uint32_t place = 0;

    *out = sim->flight[0];
    sim->flight[0] = sim->flight[--sim->flight_count];
    for (;;) {
        uint32_t least = place;
        for (uint32_t child = 2 * place + 1; child <= 2 * place + 2; child++) {
            if (child < sim->flight_count && sim->flight[child].at_ns < sim->flight[least].at_ns)
                least = child;
        }
        if (least == place)
            return;
        swap(&sim->flight[place], &sim->flight[least]);
        place = least;
    }
}

static void post(struct sim *sim, struct sim_datagram *datagram)
{
    const struct sim_world *world = &sim->world;
    bool ill = !healed(sim);
    int copies = ill && chance(sim, world->doubling) ? 2 : 1;

    if (sim->capture_count < SIM_CAPTURES || chance(sim, 50)) {
        uint32_t place = sim->capture_count < SIM_CAPTURES
                             ? sim->capture_count++
                             : (uint32_t)(sim_roll(sim) % SIM_CAPTURES);
        sim->captures[place] = *datagram;
    }
    if (datagram->len > world->mtu)
        return;
    if (ill && (chance(sim, world->loss) || sim->now_ns < sim->cut_until_ns))
        return;
    if (ill && chance(sim, world->corruption))
        datagram->bytes[sim_roll(sim) % datagram->len] ^= (uint8_t)(1 << sim_roll(sim) % 8);
    for (int i = 0; i < copies; i++) {
        uint64_t delay = 1 + (ill ? sim_roll(sim) % (world->delay_ms + 1) : 0);
        fly(sim, datagram, sim->now_ns + delay * HAIL_NS_PER_MS);
    }
}

// The server's machine has several addresses, and each client asks at one of them.
static struct hail_path server_address(uint64_t number)
{
    return path_from(0x0a000001 + (uint32_t)(number % SERVER_ADDRESSES), SERVER_PORT);
}

static uint32_t index_of(const struct sim *sim, const struct sim_client *client)
{
    return (uint32_t)(client - sim->clients);
}

static bool is_server(const struct hail_path *path)
{
    return ntohs(path->v4.sin_port) == SERVER_PORT;
}

static struct sim_client *client_of_slot(struct sim *sim, uint32_t slot)
{
    for (uint32_t i = 0; i < sim->world.client_count; i++) {
        if (sim->clients[i].slot == slot)
            return &sim->clients[i];
    }
    return NULL;
}

static void deliver_to_server(struct sim *sim, struct sim_datagram *datagram)
{
    uint8_t first = datagram->bytes[0];
    bool steered = first >> 6 != 0 || first == HAIL_DATAGRAM_FINISH;
    uint32_t shard = ntohs(datagram->from.v4.sin_port) % SIM_SHARDS;

    if (steered && datagram->len > 1 && datagram->bytes[1] < SIM_SHARDS)
        shard = datagram->bytes[1];
    if (steered && chance(sim, sim->world.misdirection))
        shard = (shard + 1) % SIM_SHARDS;
    struct hail_path path = datagram->from;
    hail_path_set_local4(&path, &datagram->to.v4.sin_addr);
    sim->shards[shard].now_ns = sim->now_ns;
    hail_shard_datagram(&sim->shards[shard], HAIL_SLOT_NONE, &path, datagram->bytes, datagram->len);
}

static void deliver(struct sim *sim, struct sim_datagram *datagram)
{
    if (is_server(&datagram->to)) {
        deliver_to_server(sim, datagram);
        return;
    }
    for (uint32_t i = 0; i < sim->world.client_count; i++) {
        struct sim_client *client = &sim->clients[i];
        if (!hail_path_equal(&datagram->to, &client->address) || client->slot == HAIL_SLOT_NONE ||
            client->astray)
            continue;
        // Its socket is connected: it takes nothing from elsewhere.
        const struct hail_path server = server_address(index_of(sim, client));
        if (!hail_path_equal(&datagram->from, &server))
            return;
        sim->client_shard.now_ns = sim->now_ns;
        hail_shard_datagram(&sim->client_shard, client->slot, &datagram->from, datagram->bytes,
                            datagram->len);
        return;
    }
}

// Where a datagram of a task leaves from and goes to.
static struct sim_datagram addressed(const struct sim *sim, const struct hail_task *task,
                                     const struct sim_client *client)
{
    struct sim_datagram datagram = {0};

    if (client) {
        datagram.from = client->address;
        datagram.to = server_address(index_of(sim, client));
        return datagram;
    }
    datagram.from = server_address(0);
    hail_path_local4(task->path, &datagram.from.v4.sin_addr);
    hail_path_set(&datagram.to, &task->path->any);
    return datagram;
}

static void on_datagrams(struct sim *sim, const struct hail_shard *shard,
                         const struct hail_task *task)
{
    const struct sim_client *client =
        shard == &sim->client_shard ? client_of_slot(sim, task->slot) : NULL;

    if (client && client->astray) {
        hail_shard_unsent(&sim->client_shard, task->slot, EADDRNOTAVAIL);
        return;
    }
    for (size_t i = 0; i < task->view_count; i++) {
        if (shard == &sim->client_shard && !client)
            return;
        struct sim_datagram datagram = addressed(sim, task, client);
        if (task->views[i].iov_len == 0 || task->views[i].iov_len > HAIL_PACKET_MAX)
            sim_fail(sim, "a datagram of no or too great length");
        if (task->views[i].iov_len > task->views[0].iov_len ||
            (i + 1 < task->view_count && task->views[i].iov_len != task->views[0].iov_len))
            sim_fail(sim, "a GSO batch whose datagrams differ in length");
        datagram.len = (uint16_t)task->views[i].iov_len;
        memcpy(datagram.bytes, task->views[i].iov_base, datagram.len);
        post(sim, &datagram);
    }
}

static void move(struct sim *sim, struct sim_client *client)
{
    client->address = path_from(ntohl(client->address.v4.sin_addr.s_addr),
                                (uint16_t)(1024 + sim_roll(sim) % 60000));
}

static void on_follow(struct sim *sim, const struct hail_task *task)
{
    struct sim_client *client = client_of_slot(sim, task->slot);

    if (!client || (task->if_moved && !client->astray))
        return;
    client->astray = false;
    move(sim, client);
    hail_shard_followed(&sim->client_shard, task->slot);
}

static void on_connect(struct sim *sim, uint32_t slot)
{
    struct sim_client *client = client_of_slot(sim, slot);

    if (client)
        client->astray = false; // it has a socket of its own
    hail_shard_connected(&sim->client_shard, slot, 0);
}

static void carry_out(struct sim *sim, struct hail_shard *shard)
{
    struct hail_task task;

    while (hail_shard_output(shard, &task)) {
        if (task.op == HAIL_TASK_DATAGRAMS)
            on_datagrams(sim, shard, &task);
        else if (task.op == HAIL_TASK_CONNECT)
            on_connect(sim, task.slot);
        else if (task.op == HAIL_TASK_CLOSE)
            hail_shard_closed(shard, task.slot);
        else if (task.op == HAIL_TASK_FOLLOW)
            on_follow(sim, &task);
        else
            sim_fail(sim, "a task that this profile does not have");
    }
    hail_shard_handed_over(shard);
}

// ---- The applications

static void check_alive(struct sim *sim, struct sim_closed *closed, const struct hail_event *event)
{
    for (uint32_t i = 0; i < closed->count; i++) {
        if (closed->names[i] == event->conn.id)
            sim_fail(sim, "an event of a connection that has ended");
    }
    if (event->type == HAIL_EVENT_CLOSED &&
        closed->count < sizeof closed->names / sizeof closed->names[0])
        closed->names[closed->count++] = event->conn.id;
}

static void on_server_event(struct hail_endpoint *endpoint, const struct hail_event *event,
                            void *user)
{
    struct sim *sim = user;
    struct hail_shard *shard = &sim->shards[hail_name_unpack(event->conn).shard];
    uint32_t client;

    (void)endpoint;
    check_alive(sim, &sim->closed_server, event);
    if (event->type != HAIL_EVENT_MESSAGE)
        return;
    struct sim_message *message = sim_message_arrived(sim, event, &client);
    if (!message)
        return;
    sim->arrived++;
    const struct hail_command echo = {
        .op = HAIL_COMMAND_SEND,
        .conn = event->conn,
        .view = {.kind = HAIL_MESSAGE_UNNAMED,
                 .flags = message->flags,
                 .channel = event->channel,
                 .body = event->data,
                 .body_len = event->len},
    };
    size_t done;
    message->echoed = hail_command_run(shard, &echo, &done) == HAIL_OK;
}

// Who is connected has a ticket, unless it was lost with what first let him in; who came back with
// one had one.
static void take_ticket(struct sim *sim, struct sim_client *client, const struct hail_event *event)
{
    uint8_t published[HAIL_TICKET_MAX];
    size_t len = 0;

    if (event->resumed && !client->shows_ticket)
        sim_fail(sim, "a handshake was resumed without a ticket");
    sim->resumed += event->resumed;
    bool known =
        hail_table_read_ticket(&sim->client_shard.table, event->conn, published, &len) && len > 0;
    if (!known && sim->now_ns >= sim->heal_ns + LONGEST_JOIN_MS * HAIL_NS_PER_MS)
        sim_fail(sim, "a client is connected and has no ticket");
    if (!known)
        return;
    HAIL_ASSERT(len <= sizeof client->ticket);
    client->ticket_len = len;
    memcpy(client->ticket, published, len);
}

static void on_client_event(struct hail_endpoint *endpoint, const struct hail_event *event,
                            void *user)
{
    struct sim *sim = user;
    struct sim_client *client = &sim->clients[event->tag];

    (void)endpoint;
    check_alive(sim, &sim->closed_client, event);
    if (event->type == HAIL_EVENT_CONNECTED) {
        client->connected = true;
        client->joining = false;
        take_ticket(sim, client, event);
    } else if (event->type == HAIL_EVENT_CLOSED) {
        client->connected = false;
        client->joining = event->next.id != 0;
        client->slot = client->joining ? hail_name_unpack(event->next).slot : HAIL_SLOT_NONE;
        client->conn = event->next;
        client->joins += client->joining;
        // One may have come since it was connected.
        client->shows_ticket =
            client->joining && sim->client_shard.targets[client->slot].addresses.ticket_len > 0;
        client->next_ns = sim->now_ns + 100 * HAIL_NS_PER_MS;
    } else if (event->type == HAIL_EVENT_MESSAGE) {
        if (!sim_message_returned(sim, event))
            return;
        client->returned_after_heal += healed(sim);
    }
}

static void join(struct sim *sim, uint32_t index)
{
    struct sim_client *client = &sim->clients[index];
    struct hail_addresses addresses = {.host = "play.test", .count = 1};
    const struct hail_path server = server_address(index);
    const struct hail_command command = {
        .op = HAIL_COMMAND_CONNECT,
        .tag = index,
        .view = {.body = (const uint8_t *)"hello", .body_len = 5},
        .addresses = &addresses,
    };
    size_t done;

    memcpy(&addresses.list[0], &server, sizeof server.v4);
    addresses.reconnect_ms = client->comes_back ? COME_BACK_MS : 0;
    client->shows_ticket = client->ticket_len > 0 && chance(sim, 700);
    if (client->shows_ticket) {
        addresses.ticket_len = (uint16_t)client->ticket_len;
        memcpy(addresses.ticket, client->ticket, client->ticket_len);
    }
    client->joining = true;
    client->joins++;
    client->address = path_from(0x0a010000 + index, (uint16_t)(1024 + sim_roll(sim) % 60000));
    // The slot that a connect takes is the one the table gives next.
    if (hail_command_run(&sim->client_shard, &command, &done) != HAIL_OK)
        sim_fail(sim, "a client cannot connect");
    for (uint32_t slot = 0; slot < sim->client_shard.table.fresh; slot++) {
        const struct hail_conn_slot *conn = &sim->client_shard.conns[slot];
        if (conn->state == HAIL_CONN_CONNECTING && conn->tag == index) {
            client->slot = slot;
            client->conn = hail_table_name(&sim->client_shard.table, slot);
        }
    }
}

static void talk(struct sim *sim, uint32_t index)
{
    struct sim_client *client = &sim->clients[index];
    uint8_t body[SIM_MESSAGE_MAX];
    size_t done;

    if (client->sent == SIM_MESSAGES_MAX)
        return;
    uint32_t number = client->sent++;
    bool named = chance(sim, 300);
    struct sim_message *message = &client->messages[number];
    *message = (struct sim_message){
        .flags = (uint32_t)(sim_roll(sim) % 4),
        .channel = (uint8_t)(sim_roll(sim) % SIM_CHANNEL_COUNT),
        .is_long = chance(sim, 50),
        .join = client->joins,
        .sent_ns = sim->now_ns,
    };
    uint32_t flags = message->flags | (sim_message_is_plain(message) ? 0 : HAIL_AUTHENTICATED);
    message->below_floor = (named && !(flags & SECRET_FLOOR)) ||
                           (message->channel == SIM_CHANNEL_VAULT && !(flags & HAIL_ENCRYPTED));
    const struct hail_command command = {
        .op = HAIL_COMMAND_SEND,
        .conn = client->conn,
        .view = {.kind = named ? HAIL_MESSAGE_NAMED : HAIL_MESSAGE_UNNAMED,
                 .flags = message->flags,
                 .name_hash = sim->client.policy.rules[0].hash,
                 .channel = message->channel,
                 .body = body,
                 .body_len = sim_message_write(body, index, number, message->is_long)},
    };
    enum hail_status status = hail_command_run(&sim->client_shard, &command, &done);
    message->taken = status == HAIL_OK;
    sim_message_follow(client, number);
    // It may have ended, and be told of it yet; and while nothing passes, much may wait.
    if (status != HAIL_OK && status != HAIL_EGONE && (status != HAIL_EFULL || healed(sim)))
        sim_fail(sim, "a connected client cannot send");
}

// Fresh keys, as an application asks for them.
static void update(struct sim *sim, const struct sim_client *client)
{
    const struct hail_command command = {.op = HAIL_COMMAND_UPDATE_KEYS, .conn = client->conn};
    size_t done;

    if (hail_command_run(&sim->client_shard, &command, &done) != HAIL_OK)
        sim_fail(sim, "a connected client cannot ask for fresh keys");
}

// An application that has enough, for now.
static void leave(struct sim *sim, struct sim_client *client)
{
    const struct hail_command command = {.op = HAIL_COMMAND_CLOSE, .conn = client->conn};
    size_t done;

    if (hail_command_run(&sim->client_shard, &command, &done) != HAIL_OK)
        sim_fail(sim, "a connected client cannot close");
    client->connected = false;
    client->joining = true; // not before it has ended
}

static void act(struct sim *sim, uint32_t index)
{
    struct sim_client *client = &sim->clients[index];

    if (sim->now_ns < client->next_ns)
        return;
    client->next_ns = sim->now_ns + (5 + sim_roll(sim) % 120) * HAIL_NS_PER_MS;
    if (client->slot == HAIL_SLOT_NONE && !client->joining) {
        join(sim, index);
    } else if (client->connected) {
        int count = chance(sim, 100) ? 12 : 1; // now and then many at once share packets
        for (int i = 0; i < count; i++)
            talk(sim, index);
        if (!healed(sim) && chance(sim, 20))
            update(sim, client);
        if (!healed(sim) && client->connected && chance(sim, 4))
            leave(sim, client);
    }
}

// ---- What goes wrong

static uint64_t soon(struct sim *sim, uint32_t mean_ms)
{
    return mean_ms == 0 ? UINT64_MAX
                        : sim->now_ns + (1 + sim_roll(sim) % (2 * mean_ms)) * HAIL_NS_PER_MS;
}

static void be_hostile(struct sim *sim)
{
    struct sim_datagram datagram = {
        .from = path_from((uint32_t)sim_roll(sim), (uint16_t)(1 + sim_roll(sim) % 65535)),
        .to = server_address(sim_roll(sim)),
        .len = (uint16_t)(1 + sim_roll(sim) % HAIL_PACKET_MAX),
    };
    struct hail_hello hello = {.version = HAIL_WIRE_VERSION, .pattern = sim->server.keys.pattern};

    switch (sim_roll(sim) % 5) {
    case 0: // a hello that leads nowhere
        for (size_t i = 0; i < sizeof hello.token; i++)
            hello.token[i] = (uint8_t)sim_roll(sim);
        for (size_t i = 0; i < HAIL_X25519_LEN; i++)
            hello.noise[i] = (uint8_t)sim_roll(sim);
        memcpy(hello.policy_hash, sim->server.keys.policy_hash, sizeof hello.policy_hash);
        memcpy(hello.static_id, sim->server.keys.statics[0].id,
               hello.pattern == HAIL_NOISE_NK ? sizeof hello.static_id : 0);
        datagram.len = (uint16_t)hail_hello_encode(datagram.bytes, &hello);
        break;
    case 1: // noise
        for (size_t i = 0; i < datagram.len; i++)
            datagram.bytes[i] = (uint8_t)sim_roll(sim);
        break;
    default: // something that was heard: as it was, changed, cut short, from another address
        if (sim->capture_count == 0)
            return;
        struct hail_path from = datagram.from;
        datagram = sim->captures[sim_roll(sim) % sim->capture_count];
        if (chance(sim, 300))
            datagram.from = from;
        if (chance(sim, 500))
            datagram.bytes[sim_roll(sim) % datagram.len] ^= (uint8_t)(1 << sim_roll(sim) % 8);
        if (chance(sim, 200))
            datagram.len = (uint16_t)(1 + sim_roll(sim) % datagram.len);
        break;
    }
    fly(sim, &datagram, sim->now_ns + HAIL_NS_PER_MS);
}

static void trouble(struct sim *sim)
{
    if (sim->now_ns >= sim->move_ns) {
        struct sim_client *client = &sim->clients[sim_roll(sim) % sim->world.client_count];
        uint64_t how = sim_roll(sim) % 4;
        if (client->connected && how < 2) // a handshake stays where it began
            move(sim, client);            // an address translator has forgotten it
        else if (client->connected)
            client->astray = true; // its machine has another address
        if (how == 3)              // which the kernel says
            hail_shard_network_changed(&sim->client_shard);
        sim->move_ns = soon(sim, sim->world.move_ms);
    }
    if (sim->now_ns >= sim->cut_ns) {
        uint32_t most_ms = chance(sim, 300) ? 15000 : 6000; // the longest outlast a connection
        sim->cut_until_ns = sim->now_ns + sim_roll(sim) % most_ms * HAIL_NS_PER_MS;
        sim->cut_ns = soon(sim, sim->world.cut_ms);
    }
    if (sim->now_ns >= sim->hostile_ns) {
        be_hostile(sim);
        sim->hostile_ns = soon(sim, sim->world.hostile_ms);
    }
    if (sim->now_ns >= sim->narrow_ns) { // and stays so when all else is well again
        sim->world.mtu = HAIL_DATAGRAM_MAX;
        sim->narrow_ns = UINT64_MAX;
    }
    if (sim->now_ns >= sim->forget_ns) { // as if it had been started anew without a file
        for (size_t i = 0; i < HAIL_STATIC_KEYS; i++)
            hail_ticket_key_init(&sim->server.keys.tickets[i],
                                 (uint8_t[HAIL_TICKET_SECRET_LEN]){(uint8_t)sim_roll(sim)});
        sim->forget_ns = soon(sim, sim->world.forget_ms);
    }
}

// ---- A run

static void choose_world(struct sim *sim)
{
    static const uint32_t losses[] = {0, 0, 10, 50, 150, 300};
    static const uint32_t doublings[] = {0, 0, 10, 100, 300, 500};
    static const uint32_t means[] = {0, 500, 3000};
    static const uint32_t mtus[] = {1200, 1280, 1400, 1500};
    struct sim_world *world = &sim->world;

    world->loss = losses[sim_roll(sim) % 6];
    world->doubling = doublings[sim_roll(sim) % 6];
    world->corruption = losses[sim_roll(sim) % 4];
    world->misdirection = losses[sim_roll(sim) % 6];
    world->delay_ms = (uint32_t)(sim_roll(sim) % 200);
    world->move_ms = means[sim_roll(sim) % 3];
    world->cut_ms = chance(sim, 300) ? 8000 : 0;
    world->hostile_ms = (uint32_t)(sim_roll(sim) % 3) * 10;
    world->client_count = 1 + (uint32_t)(sim_roll(sim) % SIM_CLIENTS_MAX);
    world->mtu = mtus[sim_roll(sim) % 4];
    world->narrow_ms = means[sim_roll(sim) % 3] * 4;
    world->forget_ms = means[sim_roll(sim) % 3] * 4;
    world->exchange = (enum hail_key_exchange)(sim_roll(sim) % 3);
    world->cookies = (enum hail_cookie_use)(sim_roll(sim) % 3);
    world->coalesce_us = chance(sim, 300) ? 20000 : 0;
    world->send_rate = chance(sim, 200) ? 30000 : 0;
    world->receive_rate = chance(sim, 200) ? 30000 : 0;
    world->simulation = (struct hail_simulation){.size = sizeof world->simulation,
                                                 .seed = 1 + sim_roll(sim) / 2,
                                                 .delay_us = 3000,
                                                 .jitter_us = 3000,
                                                 .loss = 20000,
                                                 .duplication = 20000,
                                                 .reordering = 100000,
                                                 .reorder_us = 5000};
    world->is_simulated = chance(sim, 200);
}

static void log_line(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    if (level >= HAIL_LOG_ERROR)
        fprintf(stderr, "log: %s\n", line);
}

static void init_shard(struct sim *sim, struct hail_shard *shard, struct hail_context *context,
                       uint8_t index)
{
    struct hail_random random;

    hail_random_init_seeded(&random, sim_roll(sim));
    bool ready =
        hail_shard_init(shard, context, hail_profile_of(context->config.profile), index, &random);
    HAIL_ASSERT(ready);
}

static bool init(struct sim *sim)
{
    static const struct hail_handler handlers[] = {{.name = "secret", .floor = SECRET_FLOOR}};
    struct hail_config config = HAIL_CONFIG_INIT;
    uint8_t server_key[HAIL_STATIC_KEY_LEN];

    config.profile = HAIL_PROFILE_HAIL;
    config.handlers = handlers;
    config.handler_count = 1;
    config.conns_max = SIM_SLOTS / 2;
    config.handshakes_max = SIM_SLOTS / 2;
    config.channels = channels;
    config.channel_count = SIM_CHANNEL_COUNT;
    config.message_max = SIM_MESSAGE_MAX;
    config.buffers_max = 1 << 20;
    config.command_queue_bytes = 1 << 18;
    config.approves_all = true;
    config.shard_count = SIM_SHARDS;
    config.on_log = log_line;
    config.user = sim;
    config.native.exchange = sim->world.exchange;
    config.native.cookies = sim->world.cookies;
    config.native.iterations = 2;
    config.native.coalesce_us = sim->world.coalesce_us;
    config.native.send_rate = sim->world.send_rate;
    config.native.receive_rate = sim->world.receive_rate;
    config.on_event = on_server_event;
    config.identity_file = ids_identity();
    config.trust_file = ids_trust();
    if (hail_context_init(&sim->server, &config, true) != HAIL_OK)
        return false;
    memcpy(server_key, sim->server.keys.statics[0].pair.public_key, sizeof server_key);
    config.native.static_key = server_key;
    config.shard_count = 1;
    config.on_event = on_client_event;
    config.native.simulation = sim->world.is_simulated ? &sim->world.simulation : NULL;
    if (hail_context_init(&sim->client, &config, false) != HAIL_OK)
        return false;
    sim->server.start_ns = 0;
    sim->client.start_ns = 0;
    sim->server.shards = sim->shard_list;
    for (uint8_t i = 0; i < SIM_SHARDS; i++) {
        init_shard(sim, &sim->shards[i], &sim->server, i);
        sim->shard_list[i] = &sim->shards[i];
    }
    init_shard(sim, &sim->client_shard, &sim->client, 0);
    return true;
}

static void turn_all(struct sim *sim)
{
    for (int i = 0; i < SIM_SHARDS; i++) {
        test_turn(&sim->shards[i], sim->now_ns);
        carry_out(sim, &sim->shards[i]);
    }
    test_turn(&sim->client_shard, sim->now_ns);
    carry_out(sim, &sim->client_shard);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_ns(const struct sim *sim)
{
    uint64_t next = earlier(sim->end_ns, sim->now_ns + 100 * HAIL_NS_PER_MS);

    if (sim->flight_count > 0)
        next = earlier(next, sim->flight[0].at_ns);
    for (uint32_t i = 0; i < sim->world.client_count; i++)
        next = earlier(next, sim->clients[i].next_ns);
    for (int i = 0; i < SIM_SHARDS; i++)
        next = earlier(next, hail_shard_next_ns(&sim->shards[i]));
    next = earlier(next, hail_shard_next_ns(&sim->client_shard));
    return next > sim->now_ns ? next : sim->now_ns + HAIL_NS_PER_MS;
}

static void audit(struct sim *sim, struct audit *audit, const struct hail_shard *shard)
{
    if (!audit_shard(audit, shard))
        sim_fail(sim, audit->why);
}

static void step(struct sim *sim)
{
    struct sim_datagram datagram;

    sim->now_ns = next_ns(sim);
    while (sim->flight_count > 0 && sim->flight[0].at_ns <= sim->now_ns) {
        land(sim, &datagram);
        deliver(sim, &datagram);
    }
    if (!healed(sim))
        trouble(sim);
    for (uint32_t i = 0; i < sim->world.client_count; i++) {
        sim->client_shard.now_ns = sim->now_ns;
        act(sim, i);
    }
    turn_all(sim);
    for (int i = 0; i < SIM_SHARDS; i++)
        audit(sim, &sim->audits[i], &sim->shards[i]);
    audit(sim, &sim->audits[SIM_SHARDS], &sim->client_shard);
}

// The network has been well for a while: everybody is in, and is heard.
static void check_settled(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->world.client_count; i++) {
        if (!sim->clients[i].connected)
            sim_fail(sim, "an honest client is not connected although the network has healed");
        else if (sim->clients[i].sent < SIM_MESSAGES_MAX &&
                 sim->clients[i].returned_after_heal == 0)
            sim_fail(sim, "a connected client is not heard although the network has healed");
        sim_messages_check(sim, &sim->clients[i]);
    }
}

static void stop(struct sim *sim)
{
    struct hail_shard *all[SIM_SHARDS + 1] = {&sim->client_shard};

    memcpy(all + 1, sim->shard_list, sizeof sim->shard_list);
    for (int i = 0; i <= SIM_SHARDS; i++) {
        hail_shard_stop(all[i], 0);
        carry_out(sim, all[i]);
        if (!hail_shard_stopped(all[i]))
            sim_fail(sim, "a shard that was stopped has connections");
        if (all[i]->pool.used_count != 0)
            sim_fail(sim, "blocks have leaked");
        for (uint32_t bucket = 0; bucket < all[i]->native->server->greeted_count; bucket++) {
            if (all[i]->native->server->greeted[bucket] != 0)
                sim_fail(sim, "a handshake is remembered that is over");
        }
        if (sim->failure) // what is left open would fail once more
            hail_arena_cleanup(&all[i]->arena);
        else
            hail_shard_cleanup(all[i]);
    }
    for (int i = 0; i <= SIM_SHARDS; i++)
        audit_cleanup(&sim->audits[i]);
    hail_context_cleanup(&sim->client);
    sim->server.shards = NULL;
    hail_context_cleanup(&sim->server);
}

const char *sim_run(struct sim *sim, uint64_t seed)
{
    memset(sim, 0, sizeof *sim);
    sim->seed = seed;
    sim->dice = seed;
    sim->now_ns = HAIL_NS_PER_S;
    sim->heal_ns = HEAL_AT_S * HAIL_NS_PER_S;
    sim->end_ns = LENGTH_S * HAIL_NS_PER_S;
    choose_world(sim);
    for (int i = 0; i < SIM_CLIENTS_MAX; i++) {
        sim->clients[i].slot = HAIL_SLOT_NONE;
        sim->clients[i].comes_back = i % 2;
    }
    sim->move_ns = soon(sim, sim->world.move_ms);
    sim->cut_ns = soon(sim, sim->world.cut_ms);
    sim->hostile_ns = soon(sim, sim->world.hostile_ms);
    sim->forget_ns = soon(sim, sim->world.forget_ms);
    sim->narrow_ns = soon(sim, sim->world.narrow_ms);
    if (!init(sim))
        return "the configuration was refused";
    while (sim->now_ns < sim->end_ns && !sim->failure)
        step(sim);
    if (!sim->failure)
        check_settled(sim);
    stop(sim);
    return sim->failure;
}
