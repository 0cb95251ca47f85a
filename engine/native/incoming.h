// incoming.h: messages on the hail profile between receiver and application: what the receiver
// offers is taken when there is room among the events.
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_NATIVE_INCOMING_H
#define HAIL_ENGINE_NATIVE_INCOMING_H

#include "engine/delivery/receiver.h"
#include "engine/native/state.h"

// hail_incoming_message takes a message that is whole in its frame, on an unreliable channel.
// HAIL_ACCEPT or why it was dropped.
HAIL_MUST_USE enum hail_verdict hail_incoming_message(struct hail_shard *shard, uint32_t slot,
                                                      struct hail_native_frame *frame,
                                                      const struct hail_opened *packet);

// hail_incoming_part takes a frame of the types RELIABLE and FRAGMENT, and hands over what is whole
// by it. The connection may be ended meanwhile. HAIL_ACCEPT or why the frame was dropped.
HAIL_MUST_USE enum hail_verdict hail_incoming_part(struct hail_shard *shard, uint32_t slot,
                                                   const struct hail_native_frame *frame,
                                                   const struct hail_opened *packet,
                                                   struct hail_intake *intake);

// hail_incoming_retry hands over what waited for room among the events.
void hail_incoming_retry(struct hail_shard *shard, uint32_t slot);

#endif
