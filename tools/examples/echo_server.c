// echo_server.c: sends every message back to its sender, by callbacks on hail's own threads.
// SPDX-License-Identifier: MIT
//
//     hail-cert dev --dir certs
//     echo_server 7777 certs/server.pfx.b64
//     echo_client localhost 7777 certs/ca.pem hello        (in another terminal)
#include <hail.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

// Called on the thread that owns the connection. What `event` points to is lent until it returns.
static void on_event(struct hail_endpoint *server, const struct hail_event *event, void *user)
{
    const struct hail_message echo = {
        .data = event->data, .len = event->len, .flags = event->flags, .channel = event->channel};

    (void)user;
    if (event->type == HAIL_EVENT_MESSAGE && hail_send(server, event->conn, &echo) == HAIL_EFULL)
        fprintf(stderr, "a client takes its echoes too slowly\n");
}

static void on_log(void *user, enum hail_log_level level, const char *line)
{
    (void)user;
    if (level >= HAIL_LOG_WARN)
        fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_endpoint *server;
    sigset_t ends;

    if (argc != 3) {
        fprintf(stderr, "usage: echo_server PORT CERTIFICATE\n");
        return 2;
    }
    // Blocked before hail's threads begin, so that they leave these signals to sigwaitinfo below.
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    config.profile = HAIL_PROFILE_HAIL;
    config.port = (uint16_t)strtoul(argv[1], NULL, 10); // 0: one that is free
    config.identity_file = argv[2];
    config.default_floor = HAIL_ENCRYPTED; // what comes with less is dropped and counted
    config.approves_all = true;
    config.on_event = on_event;
    config.on_log = on_log;
    enum hail_status status = hail_server_start(&server, &config);
    if (status != HAIL_OK) {
        fprintf(stderr, "cannot start: %s\n", hail_strerror(status));
        return 1;
    }
    fprintf(stderr, "listening on port %u; Ctrl-C ends it\n", hail_port(server));
    sigwaitinfo(&ends, NULL);
    hail_stop(server, 1000); // what is queued has a second to leave
}
