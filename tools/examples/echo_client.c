// echo_client.c: sends one message to echo_server and prints what comes back. It has a loop of its
// own and asks hail for events in it, as a game's main loop does.
// SPDX-License-Identifier: MIT
#include <hail.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Returns the program's exit status once there is one, -1 until then.
static int on_event(struct hail_endpoint *client, const struct hail_event *event, const char *text)
{
    const struct hail_message message = {.data = text,
                                         .len = strlen(text),
                                         .flags = HAIL_ENCRYPTED,
                                         .channel = HAIL_RELIABLE_ORDERED};

    if (event->type == HAIL_EVENT_CONNECTED)
        return hail_send(client, event->conn, &message) == HAIL_OK ? -1 : 1;
    if (event->type == HAIL_EVENT_CLOSED) {
        fprintf(stderr, "closed: %s%s%s\n", hail_close_reason_name(event->reason),
                event->text ? ": " : "", event->text ? event->text : "");
        return 1;
    }
    if (event->type != HAIL_EVENT_MESSAGE)
        return -1;
    printf("%.*s\n", (int)event->len, (const char *)event->data);
    return 0;
}

int main(int argc, char **argv)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_endpoint *client;
    struct hail_event event;
    int result = -1;

    if (argc != 5) {
        fprintf(stderr, "usage: echo_client HOST PORT CA TEXT\n");
        return 2;
    }
    // The host's name is also the one that the server's certificate must have.
    struct hail_target target = {.host = argv[1], .port = (uint16_t)strtoul(argv[2], NULL, 10)};
    config.profile = HAIL_PROFILE_HAIL;
    config.trust_file = argv[3];
    config.default_floor = HAIL_ENCRYPTED; // both ends agree on floors, or do not join
    enum hail_status status = hail_client_start(&client, &config);
    if (status != HAIL_OK || (status = hail_connect(client, &target)) != HAIL_OK) {
        fprintf(stderr, "cannot start or connect: %s\n", hail_strerror(status));
        return 1;
    }
    struct pollfd readable = {.fd = hail_fd(client), .events = POLLIN};
    while (result < 0) {
        poll(&readable, 1, -1);
        while (result < 0 && hail_poll(client, &event, 1) == 1)
            result = on_event(client, &event, argv[4]);
    }
    hail_stop(client, 1000);
    return result;
}
