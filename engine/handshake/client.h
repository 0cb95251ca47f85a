// client.h: a client's handshake on the hail profile.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_HANDSHAKE_CLIENT_H
#define HAIL_ENGINE_HANDSHAKE_CLIENT_H

#include "engine/native/state.h"

enum {
    HAIL_RESEND_FIRST_MS = 250,
    HAIL_RESEND_MAX_MS = 2000
};

// hail_client_handshake_open says hello: the client's socket is there.
void hail_client_handshake_open(struct hail_shard *shard, uint32_t slot);

// hail_client_handshake_input takes in any handshake datagram.
void hail_client_handshake_input(struct hail_shard *shard, uint32_t slot,
                                 enum hail_datagram_type type, const uint8_t *data, size_t len);

// hail_client_handshake_resend says the hello or finish again.
void hail_client_handshake_resend(struct hail_shard *shard, uint32_t slot);

#endif
