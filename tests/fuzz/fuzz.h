// fuzz.h: what every fuzz target shares.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_FUZZ_FUZZ_H
#define HAIL_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mlapi/session.h"

// LLVMFuzzerTestOneInput is the target: returns 0, or does not return.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// fuzz_holds ends the process when a property does not hold.
static inline void fuzz_holds(bool property)
{
    if (!property)
        abort();
}

// A fixed key, and dice that fall the same way each time, so that a crash repeats.
static const uint8_t fuzz_key[HAIL_MLAPI_KEY_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};

// fuzz_setup makes a setup with encryption on, and approval as said.
static inline struct hail_mlapi_setup fuzz_setup(bool connection_approval)
{
    struct hail_mlapi_network network;
    struct hail_mlapi_setup setup;

    hail_mlapi_network_init(&network);
    network.enable_encryption = true;
    network.connection_approval = connection_approval;
    fuzz_holds(hail_mlapi_setup_init(&setup, &network));
    setup.conn_data_max = 1024;
    return setup;
}

// fuzz_key_session gives a session the fixed key and puts it into a state.
static inline void fuzz_key_session(struct hail_mlapi_session *session, enum hail_mlapi_state state)
{
    memcpy(session->key, fuzz_key, sizeof fuzz_key);
    hail_mlapi_keys_init(&session->keys, fuzz_key);
    session->has_key = true;
    session->state = state;
}

// fuzz_seal wraps a body in both flags under the fixed key, into `out` with room for what is added.
static inline size_t fuzz_seal(uint8_t *out, uint8_t type, const uint8_t *body, size_t body_len)
{
    static const uint8_t iv[HAIL_CBC_BLOCK] = {7};
    struct hail_mlapi_keys keys;

    hail_mlapi_keys_init(&keys, fuzz_key);
    if (body_len > 0)
        memcpy(out + hail_mlapi_body_offset(HAIL_FLAGS_BOTH), body, body_len);
    return hail_mlapi_wrap(out, body_len, type, HAIL_FLAGS_BOTH, &keys, iv);
}

#endif
