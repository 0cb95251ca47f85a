// inbound.h: what peers sent, on its way to the application: whether it takes it, and as which
// event. The same on every profile.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_SHARD_INBOUND_H
#define HAIL_ENGINE_SHARD_INBOUND_H

#include "crypto/kdf.h"
#include "engine/shard/events.h"

// hail_inbound_request takes note that a client, which has proven its keys, asks to join, and tells
// the application so in `delivery`; or lets it in at once where the configuration says so.
void hail_inbound_request(struct hail_shard *shard, uint32_t slot, struct hail_event_room *reserved,
                          struct hail_bytes data, uint32_t flags);

// hail_inbound_message makes a message of a joined connection an event, for its caller to commit,
// if its name is known and it has the least protection for that. False: it is not the
// application's, and has been counted.
HAIL_MUST_USE bool hail_inbound_message(struct hail_shard *shard, uint32_t slot,
                                        const struct hail_message_view *message,
                                        struct hail_event *event);

// hail_inbound_below_channel takes note of a message that came with less protection than its
// channel takes, as hail_inbound_message does of one below its name's floor.
void hail_inbound_below_channel(struct hail_shard *shard, uint32_t slot,
                                const struct hail_message_view *message);

// hail_inbound_connected tells the application that a connection has joined. False: there is no
// room for the event now.
HAIL_MUST_USE bool hail_inbound_connected(struct hail_shard *shard, uint32_t slot);

// hail_inbound_writable tells it that there is room to send again. False: likewise.
HAIL_MUST_USE bool hail_inbound_writable(struct hail_shard *shard, uint32_t slot);

#endif
