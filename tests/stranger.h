// stranger.h: a client of the hail profile that the test plays, datagram by datagram, against a
// lone server.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_STRANGER_H
#define HAIL_TESTS_STRANGER_H

#include "tests/lone.h"

struct stranger {
    struct hail_client_setup setup;
    struct hail_client_handshake client;
    uint8_t hello[HAIL_HELLO_LEN];
};

// A client that has the server's policy, and pins its key if `server_key` is there.
void stranger_init(struct stranger *stranger, const struct lone *server, const uint8_t *server_key,
                   uint64_t seed);

void stranger_hello(struct lone *server, const struct stranger *stranger, uint16_t port);

// The one answer's type; 0: there is none.
uint8_t stranger_answer(const struct lone *server);

void stranger_take_cookie(struct stranger *stranger, const struct lone *server);

// The finish of a stranger that has just been welcomed. Returns its length.
size_t stranger_finish(const struct stranger *stranger, const struct lone *server,
                       uint8_t finish[HAIL_DATAGRAM_MAX]);

#endif
