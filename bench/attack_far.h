// attack_far.h: clients of the mlapi profile that are far away: each of their messages takes its
// time, so that a handshake does as well.
// SPDX-License-Identifier: MIT
#ifndef HAIL_BENCH_ATTACK_FAR_H
#define HAIL_BENCH_ATTACK_FAR_H

#include <netinet/in.h>

#include "proto/mlapi/frame.h"
#include "proto/mlapi/session.h"

enum {
    FAR_MAX = 60,
    FAR_IN_LEN = 4096,
    FAR_WAY_MS = 150 // of a message, of which a handshake has two
};

enum far_stage {
    FAR_ABSENT,
    FAR_JOINING,
    FAR_JOINED,
    FAR_FAILED // sent away
};

struct far_client {
    enum far_stage stage;
    int fd;
    uint64_t send_ns; // when the reply arrives; with reply_len
    struct hail_mlapi_session session;
    size_t reply_len;
    uint8_t reply[HAIL_MLAPI_FRAME_HEADER_LEN + HAIL_MLAPI_REPLY_MAX];
    size_t in_len;
    uint8_t in[FAR_IN_LEN];
};

struct far {
    struct sockaddr_in server;
    struct hail_mlapi_setup setup;
    struct hail_random random;
    struct hail_mlapi_result result;
    uint64_t begin_ns;
    uint32_t spread_ms; // in which all begin, one after the other
    uint32_t begun;
    struct far_client clients[FAR_MAX];
};

// far_init makes FAR_MAX clients ready, which far_tend has begin and go on; call it every now and
// then. far_cleanup ends it, and returns how many had joined.
void far_init(struct far *far, const struct sockaddr_in *server, uint32_t spread_ms);
void far_tend(struct far *far);
uint32_t far_cleanup(struct far *far);

#endif
