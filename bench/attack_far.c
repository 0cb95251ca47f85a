// attack_far.c: see attack_far.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_far.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/time.h"
#include "tools/progress.h"

void far_init(struct far *far, const struct sockaddr_in *server, uint32_t spread_ms)
{
    struct hail_mlapi_network network;

    memset(far, 0, sizeof *far);
    far->server = *server;
    far->spread_ms = spread_ms;
    far->begin_ns = clock_ns();
    hail_random_init_system(&far->random);
    hail_mlapi_network_init(&network);
    network.enable_encryption = true;
    bool good = hail_mlapi_setup_init(&far->setup, &network);
    HAIL_ASSERT(good); // there is no name in it
}

static void leave(struct far_client *client, enum far_stage stage)
{
    close(client->fd);
    hail_mlapi_session_cleanup(&client->session);
    client->stage = stage;
}

static void begin(struct far *far, struct far_client *client)
{
    client->stage = FAR_FAILED;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        return;
    hail_mlapi_client_init(&client->session, &far->setup, "127.0.0.1",
                           (struct hail_bytes){NULL, 0});
    client->stage = FAR_JOINING;
    if (connect(client->fd, (const struct sockaddr *)&far->server, sizeof far->server) < 0 &&
        errno != EINPROGRESS)
        leave(client, FAR_FAILED);
}

// Takes one whole message.
static void take(struct far *far, struct far_client *client, uint8_t *message, size_t len)
{
    const struct hail_mlapi_ambient ambient = {.random = &far->random};

    (void)hail_mlapi_session_input(&client->session, &far->result, message, len, &ambient);
    if (far->result.close) {
        leave(client, FAR_FAILED);
    } else if (far->result.event == HAIL_MLAPI_EVENT_CONNECTED) {
        leave(client, FAR_JOINED);
    } else if (far->result.reply_len > 0) {
        hail_mlapi_frame_write(client->reply, far->result.reply_len);
        memcpy(client->reply + HAIL_MLAPI_FRAME_HEADER_LEN, far->result.reply,
               far->result.reply_len);
        client->reply_len = HAIL_MLAPI_FRAME_HEADER_LEN + far->result.reply_len;
        client->send_ns = clock_ns() + FAR_WAY_MS * HAIL_NS_PER_MS;
    }
}

static void receive(struct far *far, struct far_client *client)
{
    ssize_t got = recv(client->fd, client->in + client->in_len, sizeof client->in - client->in_len,
                       MSG_DONTWAIT);
    size_t len;

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN)) {
        leave(client, FAR_FAILED);
        return;
    }
    client->in_len += got > 0 ? (size_t)got : 0;
    while (client->stage == FAR_JOINING &&
           hail_mlapi_frame_next(client->in, client->in_len, FAR_IN_LEN, &len) ==
               HAIL_MLAPI_FRAME_WHOLE) {
        size_t whole = HAIL_MLAPI_FRAME_HEADER_LEN + len;
        take(far, client, client->in + HAIL_MLAPI_FRAME_HEADER_LEN, len);
        client->in_len -= whole;
        memmove(client->in, client->in + whole, client->in_len);
    }
}

static void say(struct far_client *client)
{
    if (client->reply_len == 0 || clock_ns() < client->send_ns)
        return;
    ssize_t taken = send(client->fd, client->reply, client->reply_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken != (ssize_t)client->reply_len)
        leave(client, FAR_FAILED); // a few bytes that the kernel has no room for
    client->reply_len = 0;
}

void far_tend(struct far *far)
{
    uint64_t passed_ms = (clock_ns() - far->begin_ns) / HAIL_NS_PER_MS;

    while (far->begun < FAR_MAX && passed_ms >= (uint64_t)far->begun * far->spread_ms / FAR_MAX)
        begin(far, &far->clients[far->begun++]);
    for (uint32_t i = 0; i < far->begun; i++) {
        struct far_client *client = &far->clients[i];
        if (client->stage == FAR_JOINING)
            receive(far, client);
        if (client->stage == FAR_JOINING)
            say(client);
    }
}

uint32_t far_cleanup(struct far *far)
{
    uint32_t joined = 0;

    for (uint32_t i = 0; i < far->begun; i++) {
        joined += far->clients[i].stage == FAR_JOINED;
        if (far->clients[i].stage == FAR_JOINING)
            leave(&far->clients[i], FAR_FAILED);
    }
    hail_random_cleanup(&far->random);
    return joined;
}
