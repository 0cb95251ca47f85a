// target.h: where a client's connection goes, and comes back to.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_CLIENT_TARGET_H
#define HAIL_ENGINE_CLIENT_TARGET_H

#include <sys/socket.h>

#include "proto/mlapi/session.h"
#include "proto/ticket.h"

enum {
    HAIL_HOST_MAX = 254,   // a DNS name and its terminator
    HAIL_ADDRESSES_MAX = 4 // that a name may stand for; they are tried in order
};

// Where a client connects to, and how: for how long it tries to come back, and with which ticket
// (struct hail_resumption, written down).
struct hail_addresses {
    char host[HAIL_HOST_MAX];
    uint8_t count;
    struct sockaddr_storage list[HAIL_ADDRESSES_MAX];
    uint32_t reconnect_ms;
    uint16_t ticket_len; // 0: none
    uint8_t ticket[HAIL_RESUMPTION_LEN_MAX];
};

// A client's copy of where it connects to.
struct hail_shard_target {
    struct hail_addresses addresses;
    uint8_t tried;     // addresses that have failed
    uint32_t pause_ms; // before the next attempt to come back, more or less
    uint64_t retry_ns; // when that is
    uint64_t give_up_ns;
    size_t conn_data_len;
    uint8_t conn_data[HAIL_MLAPI_CONN_DATA_MAX];
};

#endif
