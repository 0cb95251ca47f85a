// endpoint.h: an endpoint from inside: what its shards share, and its workers.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_ENDPOINT_H
#define HAIL_ENGINE_ENDPOINT_H

#include "engine/worker.h"

struct hail_endpoint {
    struct hail_context context;
    struct hail_worker *workers;     // context.config.shard_count of them
    struct sockaddr_storage listens; // server: where; a client: AF_UNSPEC
    _Atomic uint32_t next_shard;     // client: whose turn it is to connect
};

// hail_endpoint_shard returns the shard that `conn` belongs to, or NULL when there is no such
// shard.
struct hail_shard *hail_endpoint_shard(const struct hail_endpoint *endpoint, struct hail_conn conn);

#endif
