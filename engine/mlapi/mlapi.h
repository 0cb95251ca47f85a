// mlapi.h: what a shard has on the mlapi profile.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_MLAPI_MLAPI_H
#define HAIL_ENGINE_MLAPI_MLAPI_H

#include "engine/mlapi/accept.h"
#include "engine/mlapi/sealer.h"
#include "proto/mlapi/session.h"

struct hail_mlapi_shard {
    struct hail_mlapi_session *sessions; // one for each slot
    struct hail_mlapi_accept accept;     // server
    struct hail_sealer sealer;
    struct hail_mlapi_result result; // of a session's last step
};

#endif
