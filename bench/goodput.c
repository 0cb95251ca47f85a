// goodput.c: how fast reliable, ordered messages go over a path that loses, by hail and by ENet.
// Both ends and the network between them (engine/netsim) are in one thread, in the network's own
// time, so neither the machine nor its kernel plays a part. ENet runs as it is: what it asks of
// sockets and clock is answered here, since a program's functions come before those of a shared
// library.
// SPDX-License-Identifier: MIT
#include <enet/enet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "crypto/time.h"
#include "engine/native/netsim.h"
#include "tests/wired.h"

enum {
    EXIT_USAGE = 2,
    SEEDS = 5,
    HELD_MAX = 1 << 16, // datagrams on their way
    AHEAD = 4 << 20,    // bytes that wait at the sender, are under way or out of turn
    MESSAGE_LEAST = 8,  // its number
    MESSAGE_MOST = 60000,
    DELAY_US = 25000, // one way
    GIVE_UP_S = 3600  // of the simulation's time
};

// What hail and ENet are to this program. The server sends; ways are the client's, so OUT is what
// it sends and IN what it gets.
struct library {
    const char *name;
    void (*begin)(uint64_t seed);
    bool (*send)(const uint8_t *message, size_t len); // by the server; false: not now
    void (*arrive)(enum hail_netsim_way way, uint8_t *data, size_t len);
    void (*work)(void); // whatever else both ends have to do now
    uint64_t (*next_ns)(void);
    void (*end)(void);
};

static struct world {
    const struct library *library;
    struct hail_arena arena;
    struct hail_netsim network;
    uint64_t now_ns;
    size_t message;    // bytes of each
    uint64_t total;    // bytes to be moved
    int connected;     // ends that are
    bool over;         // ends may be closed
    uint64_t sent;     // messages
    uint64_t received; // likewise
    uint64_t wire;     // bytes that the server sent
    double queued_ns;  // that its datagrams waited for the rate, all together
    uint64_t datagrams;
} world;

static void die(const char *why)
{
    fprintf(stderr, "goodput: %s: %s\n", world.library->name, why);
    exit(EXIT_FAILURE);
}

static void write_message(uint8_t message[MESSAGE_MOST], uint64_t number)
{
    memset(message, (int)(number % 251), world.message);
    memcpy(message, &number, sizeof number);
}

static void take_message(const uint8_t *data, size_t len)
{
    static uint8_t want[MESSAGE_MOST];

    write_message(want, world.received++);
    if (len != world.message || !hail_equal(data, want, len))
        die("not the message whose turn it was");
}

static void post(enum hail_netsim_way way, const uint8_t *data, size_t len)
{
    const struct hail_path nobody = {0};

    if (way == HAIL_NETSIM_IN) {
        uint64_t free_ns = world.network.paths[0][way].free_ns;
        world.queued_ns += free_ns > world.now_ns ? (double)(free_ns - world.now_ns) : 0;
        world.wire += len;
        world.datagrams++;
    }
    hail_netsim_put(&world.network, 0, (struct hail_conn){0}, way, &nobody, data, len,
                    world.now_ns);
}

// ---- hail: two shards

static struct wired wired;

static void hail_on_server(struct hail_endpoint *endpoint, const struct hail_event *event,
                           void *user)
{
    wired_note(endpoint, event, user);
    if (event->type == HAIL_EVENT_CLOSED && !world.over)
        die(hail_close_reason_name(event->reason));
    world.connected += event->type == HAIL_EVENT_CONNECTED;
}

static void hail_on_client(struct hail_endpoint *endpoint, const struct hail_event *event,
                           void *user)
{
    wired_note(endpoint, event, user);
    if (event->type == HAIL_EVENT_CLOSED && !world.over)
        die(hail_close_reason_name(event->reason));
    if (event->type == HAIL_EVENT_MESSAGE)
        take_message(event->data, event->len);
    world.connected += event->type == HAIL_EVENT_CONNECTED;
}

static void hail_post(struct wired_end *from, uint32_t client, const struct iovec *view)
{
    (void)client; // there is one
    post(from == &wired.server ? HAIL_NETSIM_IN : HAIL_NETSIM_OUT, view->iov_base, view->iov_len);
}

static void hail_work(void)
{
    wired.now_ns = world.now_ns;
    wired_work(&wired);
}

static void hail_begin(uint64_t seed)
{
    struct hail_config config = wired_config();

    config.unsent_max = 2 * AHEAD;
    wired_init(&wired, 1); // datagrams are under way in the network alone
    wired.now_ns = world.now_ns;
    wired.post = hail_post;
    config.on_event = hail_on_server;
    wired_begin(&wired.server, &config, seed);
    config.on_event = hail_on_client;
    wired_begin(&wired.client, &config, ~seed);
    wired_connect(&wired);
    wired_carry_out(&wired.client);
}

static bool hail_send_message(const uint8_t *message, size_t len)
{
    const struct hail_message_view view = {.kind = HAIL_MESSAGE_UNNAMED,
                                           .flags = HAIL_FLAGS_BOTH,
                                           .channel = HAIL_RELIABLE_ORDERED,
                                           .body = message,
                                           .body_len = len};

    return hail_conn_send(&wired.server.shard, wired.server.slot, &view) == HAIL_OK;
}

static void hail_arrive(enum hail_netsim_way way, uint8_t *data, size_t len)
{
    wired.now_ns = world.now_ns;
    wired_arrive(way == HAIL_NETSIM_IN ? &wired.client : &wired.server, 0, data, len);
}

static uint64_t hail_next_ns(void)
{
    return wired_next_ns(&wired);
}

static void hail_end(void)
{
    wired_finish(&wired);
}

// ---- ENet: two hosts, and what they ask of the system

static struct {
    ENetHost *hosts[HAIL_NETSIM_WAYS]; // by the way that they receive; its socket is the way
    ENetPeer *client;                  // as the server sees it
    int opened;                        // sockets
    const uint8_t *data;               // that arrives
    size_t len;                        // 0: nothing does
    enet_uint32 seed;
} enet;

static const ENetAddress enet_ends[HAIL_NETSIM_WAYS] = {{.host = 0xc0000201u, .port = 1000},
                                                        {.host = 0xc0000202u, .port = 7777}};

ENetSocket enet_socket_create(ENetSocketType type)
{
    (void)type;
    return enet.opened++;
}

void enet_socket_destroy(ENetSocket socket)
{
    (void)socket;
}

int enet_socket_bind(ENetSocket socket, const ENetAddress *address)
{
    (void)socket;
    (void)address;
    return 0;
}

int enet_socket_get_address(ENetSocket socket, ENetAddress *address)
{
    *address = enet_ends[socket];
    return 0;
}

int enet_socket_set_option(ENetSocket socket, ENetSocketOption option, int value)
{
    (void)socket;
    (void)option;
    (void)value;
    return 0;
}

int enet_socket_send(ENetSocket socket, const ENetAddress *address, const ENetBuffer *buffers,
                     size_t count)
{
    uint8_t datagram[HAIL_OUTBOX_ROOM];
    size_t len = 0;

    (void)address; // there is one other end
    for (size_t i = 0; i < count; i++) {
        HAIL_ASSERT(buffers[i].dataLength <= sizeof datagram - len);
        memcpy(datagram + len, buffers[i].data, buffers[i].dataLength);
        len += buffers[i].dataLength;
    }
    post(socket == HAIL_NETSIM_IN ? HAIL_NETSIM_OUT : HAIL_NETSIM_IN, datagram, len);
    return (int)len;
}

int enet_socket_receive(ENetSocket socket, ENetAddress *address, ENetBuffer *buffers, size_t count)
{
    size_t len = enet.len;

    if (len == 0)
        return 0;
    HAIL_ASSERT(count == 1 && len <= buffers[0].dataLength);
    *address = enet_ends[socket == HAIL_NETSIM_IN ? HAIL_NETSIM_OUT : HAIL_NETSIM_IN];
    memcpy(buffers[0].data, enet.data, len);
    enet.len = 0;
    return (int)len;
}

int enet_socket_wait(ENetSocket socket, enet_uint32 *condition, enet_uint32 timeout)
{
    (void)socket;
    (void)timeout;
    *condition = ENET_SOCKET_WAIT_NONE;
    return 0;
}

enet_uint32 enet_time_get(void)
{
    return (enet_uint32)(world.now_ns / HAIL_NS_PER_MS);
}

enet_uint32 enet_host_random_seed(void)
{
    return enet.seed++;
}

static void enet_serve(enum hail_netsim_way way)
{
    ENetEvent event;

    while (enet_host_service(enet.hosts[way], &event, 0) > 0) {
        if (event.type == ENET_EVENT_TYPE_DISCONNECT)
            die("the connection is lost");
        if (event.type == ENET_EVENT_TYPE_CONNECT) {
            world.connected++;
            enet.client = way == HAIL_NETSIM_OUT ? event.peer : enet.client;
        }
        if (event.type != ENET_EVENT_TYPE_RECEIVE)
            continue;
        take_message(event.packet->data, event.packet->dataLength);
        enet_packet_destroy(event.packet);
    }
}

static void enet_work(void)
{
    enet_serve(HAIL_NETSIM_OUT);
    enet_serve(HAIL_NETSIM_IN);
}

static void enet_begin(uint64_t seed)
{
    memset(&enet, 0, sizeof enet);
    enet.seed = (enet_uint32)seed;
    enet.hosts[0] = enet_host_create(&enet_ends[0], 1, 1, 0, 0);
    enet.hosts[1] = enet_host_create(&enet_ends[1], 1, 1, 0, 0);
    if (!enet.hosts[0] || !enet.hosts[1])
        die("no host");
    if (!enet_host_connect(enet.hosts[HAIL_NETSIM_IN], &enet_ends[HAIL_NETSIM_OUT], 1, 0))
        die("cannot connect");
}

static bool enet_send_message(const uint8_t *message, size_t len)
{
    ENetPacket *packet = enet_packet_create(message, len, ENET_PACKET_FLAG_RELIABLE);

    if (!packet || enet_peer_send(enet.client, 0, packet) < 0)
        die("a message is refused");
    return true;
}

static void enet_arrive(enum hail_netsim_way way, uint8_t *data, size_t len)
{
    enet.data = data;
    enet.len = len;
    enet_serve(way);
}

// A loop that looks after it each millisecond: its clock shows no less.
static uint64_t enet_next_ns(void)
{
    return (world.now_ns / HAIL_NS_PER_MS + 1) * HAIL_NS_PER_MS;
}

static void enet_end(void)
{
    enet_host_destroy(enet.hosts[0]);
    enet_host_destroy(enet.hosts[1]);
}

// ---- A transfer

static const struct library libraries[] = {
    {"hail", hail_begin, hail_send_message, hail_arrive, hail_work, hail_next_ns, hail_end},
    {"ENet", enet_begin, enet_send_message, enet_arrive, enet_work, enet_next_ns, enet_end},
};

static void set_network(uint32_t rate, uint32_t loss, uint64_t seed)
{
    const struct hail_simulation how = {
        .size = sizeof how, .delay_us = DELAY_US, .loss = loss, .rate = rate};

    for (int way = 0; way < HAIL_NETSIM_WAYS; way++)
        hail_netsim_set(&world.network, 0, (struct hail_conn){0}, (enum hail_netsim_way)way, &how,
                        2 * seed + (uint64_t)way, world.now_ns);
}

// There is always something to send.
static void fill(void)
{
    static uint8_t message[MESSAGE_MOST];

    while ((world.sent - world.received + 1) * world.message <= AHEAD) {
        write_message(message, world.sent);
        if (!world.library->send(message, world.message))
            return;
        world.sent++;
    }
}

static void step(void)
{
    uint64_t network_ns = hail_netsim_next_ns(&world.network);
    uint64_t next_ns = world.library->next_ns();
    struct hail_netsim_held *held;

    next_ns = network_ns < next_ns ? network_ns : next_ns;
    world.now_ns = next_ns > world.now_ns ? next_ns : world.now_ns + 1000;
    if (world.now_ns > GIVE_UP_S * HAIL_NS_PER_S)
        die("it takes too long");
    while ((held = hail_netsim_take(&world.network, world.now_ns))) {
        world.library->arrive((enum hail_netsim_way)held->way, held->data, held->len);
        hail_netsim_free(&world.network, held);
    }
    if (world.connected == 2)
        fill();
    world.library->work();
}

struct figures {
    double goodput;  // bytes a second
    double wire;     // bytes sent for each of a message
    double queue_ms; // that a datagram waited for the rate, on average
};

static struct figures transfer(const struct library *library, uint32_t rate, uint32_t loss,
                               uint64_t seed)
{
    world = (struct world){.library = library,
                           .now_ns = HAIL_NS_PER_S,
                           .message = world.message,
                           .total = world.total};
    for (int pass = 0; pass < 2; pass++) {
        hail_netsim_init(&world.network, &world.arena, 1, HELD_MAX);
        if (pass == 0 && !hail_arena_reserve(&world.arena))
            die("no memory");
    }
    set_network(0, 0, seed);
    library->begin(seed);
    while (world.connected < 2)
        step();
    set_network(rate, loss, seed);
    uint64_t began_ns = world.now_ns;
    while (world.received * world.message < world.total)
        step();
    double moved = (double)(world.received * world.message);
    struct figures figures = {
        .goodput = moved / ((double)(world.now_ns - began_ns) / (double)HAIL_NS_PER_S),
        .wire = (double)world.wire / moved,
        .queue_ms = world.queued_ns / (double)world.datagrams / (double)HAIL_NS_PER_MS,
    };
    world.over = true;
    library->end();
    hail_arena_cleanup(&world.arena);
    return figures;
}

// ---- The table

static int compare(const void *a, const void *b)
{
    const struct figures *first = a;
    const struct figures *second = b;

    return first->goodput < second->goodput ? -1 : first->goodput > second->goodput;
}

// The figures of the seeds, by goodput.
static void measure(struct figures figures[SEEDS], const struct library *library, uint32_t rate,
                    uint32_t loss)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        figures[seed] = transfer(library, rate, loss, seed + 1);
    qsort(figures, SEEDS, sizeof *figures, compare);
    const struct figures *median = &figures[SEEDS / 2];
    printf("  %5.0f (%5.0f to %5.0f)  %4.2f %5.0f", median->goodput / 1e3, figures[0].goodput / 1e3,
           figures[SEEDS - 1].goodput / 1e3, median->wire, median->queue_ms);
    fflush(stdout);
}

static void print_table(void)
{
    static const uint32_t rates[] = {0, 1000000, 10000000};
    static const uint32_t losses[] = {0, 10000, 20000, 50000, 100000};
    struct figures hail_has[SEEDS];
    struct figures enet_has[SEEDS];

    printf("path MB/s lost  %23s  wire queue  %23s  wire queue  hail to ENet\n", "hail kB/s",
           "ENet kB/s");
    for (size_t i = 0; i < HAIL_COUNTOF(rates); i++) {
        for (size_t j = 0; j < HAIL_COUNTOF(losses); j++) {
            if (rates[i] == 0)
                printf("      any");
            else
                printf("%9u", rates[i] / 1000000);
            printf(" %2u %%", losses[j] / 10000);
            measure(hail_has, &libraries[0], rates[i], losses[j]);
            measure(enet_has, &libraries[1], rates[i], losses[j]);
            printf("  %12.2f\n", hail_has[SEEDS / 2].goodput / enet_has[SEEDS / 2].goodput);
        }
    }
}

static void usage(void)
{
    fprintf(stderr, "usage: goodput [--message BYTES] [--total MB]\n");
    exit(EXIT_USAGE);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"message", required_argument, NULL, 'm'}, {"total", required_argument, NULL, 't'}, {0}};
    int option;

    world.message = MESSAGE_MOST;
    world.total = 10 * 1000000;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'm')
            world.message = strtoul(optarg, NULL, 10);
        else if (option == 't')
            world.total = strtoul(optarg, NULL, 10) * 1000000;
        else
            usage();
    }
    if (optind < argc || world.message < MESSAGE_LEAST || world.message > MESSAGE_MOST ||
        world.total == 0)
        usage();
    printf("messages of %zu bytes, %llu MB of them, round trip %d ms, queue 100 ms\n",
           world.message, (unsigned long long)(world.total / 1000000), 2 * DELAY_US / 1000);
    print_table();
    return EXIT_SUCCESS;
}
