// peer_enet.c: ENet, in the clear as it always is: its unreliable sequenced messages.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <enet/enet.h>
#include <stdio.h>

#include "bench/peer.h"

enum {
    CHANNELS = 1,
    PEERS = PEER_CONNECTIONS_MAX,
    WAIT_MS = 1000
};

// ENet drops unreliable messages by chance when round trips vary; here that would be the load's
// doing, and not ENet's cost. This goes for both ends.
static void keep_all(ENetPeer *peer)
{
    enet_peer_throttle_configure(peer, 5000, ENET_PEER_PACKET_THROTTLE_SCALE, 0);
}

static uint32_t packet_flags; // 0: unreliable

static void serve_event(const ENetEvent *event)
{
    if (event->type == ENET_EVENT_TYPE_CONNECT)
        keep_all(event->peer);
    if (event->type != ENET_EVENT_TYPE_RECEIVE)
        return;
    event->packet->flags = packet_flags; // as it came
    if (enet_peer_send(event->peer, event->channelID, event->packet) < 0)
        enet_packet_destroy(event->packet);
}

static void serve(const struct peer_wanted *wanted)
{
    ENetAddress at = {.host = htonl(INADDR_LOOPBACK)};
    ENetEvent event;

    packet_flags = wanted->ordered ? ENET_PACKET_FLAG_RELIABLE : 0;
    enet_initialize();
    ENetHost *host = enet_host_create(&at, PEERS, CHANNELS, 0, 0);
    if (!host || enet_socket_get_address(host->socket, &at) < 0)
        peer_die("enet_host_create");
    enet_socket_set_option(host->socket, ENET_SOCKOPT_RCVBUF, 16 << 20);
    peer_ready(at.port);
    for (;;) {
        int got = enet_host_service(host, &event, WAIT_MS);
        while (got > 0) { // what came with it, without another look at the socket
            serve_event(&event);
            got = enet_host_check_events(host, &event);
        }
    }
}

static ENetHost *hosts[PEER_CONNECTIONS_MAX];
static ENetPeer *servers[PEER_CONNECTIONS_MAX];

static int open_conn(uint32_t conn, uint16_t port)
{
    const ENetAddress to = {.host = htonl(INADDR_LOOPBACK), .port = port};

    packet_flags = peer_wanted()->ordered ? ENET_PACKET_FLAG_RELIABLE : 0;
    hosts[conn] = enet_host_create(NULL, 1, CHANNELS, 0, 0);
    servers[conn] = hosts[conn] ? enet_host_connect(hosts[conn], &to, CHANNELS, 0) : NULL;
    if (!servers[conn])
        peer_die("enet_host_connect");
    enet_host_flush(hosts[conn]);
    return hosts[conn]->socket;
}

static void receive(uint32_t conn)
{
    ENetEvent event;

    while (enet_host_service(hosts[conn], &event, 0) > 0) {
        if (event.type == ENET_EVENT_TYPE_CONNECT)
            peer_joined(conn);
        if (event.type != ENET_EVENT_TYPE_RECEIVE)
            continue;
        peer_echo(conn, event.packet->data, event.packet->dataLength);
        enet_packet_destroy(event.packet);
    }
    enet_host_flush(hosts[conn]);
}

static void send_message(uint32_t conn, const uint8_t *message, size_t len)
{
    ENetPacket *packet = enet_packet_create(message, len, packet_flags);

    if (packet && enet_peer_send(servers[conn], 0, packet) < 0)
        enet_packet_destroy(packet);
}

static void flush(uint32_t conn)
{
    enet_host_flush(hosts[conn]);
}

static void tick(uint32_t conn)
{
    receive(conn);
}

static void close_conn(uint32_t conn)
{
    enet_peer_disconnect_now(servers[conn], 0);
    enet_host_destroy(hosts[conn]);
}

int main(int argc, char **argv)
{
    static char about[64];
    ENetVersion version = enet_linked_version();
    static struct peer enet = {
        .name = "peer_enet",
        .about = about,
        .has_ordered = true,
        .serve = serve,
        .open = open_conn,
        .receive = receive,
        .send = send_message,
        .flush = flush,
        .tick = tick,
        .close = close_conn,
    };

    snprintf(about, sizeof about, "ENet %d.%d.%d, in the clear",
             (int)ENET_VERSION_GET_MAJOR(version), (int)ENET_VERSION_GET_MINOR(version),
             (int)ENET_VERSION_GET_PATCH(version));
    return peer_main(&enet, argc, argv);
}
