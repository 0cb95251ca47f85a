// send_messages.h: messages on their way out of a connection, by channel: each waits until it is
// sent (unreliable) or has arrived (reliable), within what the connection may have unsent.
// DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_SEND_MESSAGES_H
#define HAIL_ENGINE_DELIVERY_SEND_MESSAGES_H

#include "engine/delivery/delivery.h"

// hail_send_messages_claim sets room for a message of `len` bytes aside, of what a connection may
// have unsent, so that a later hail_send_messages_add with `claimed` finds it. Returns the bytes;
// 0: there is not so much. hail_send_messages_unclaim gives it back: `claimed` was not used.
// Threads  Any.
HAIL_MUST_USE uint32_t hail_send_messages_claim(struct hail_delivery *delivery, uint32_t slot,
                                                size_t len);
void hail_send_messages_unclaim(struct hail_delivery *delivery, uint32_t slot, uint32_t claimed);

// hail_send_messages_freed says whether a claim has been refused, nobody was told since, and half
// of what a connection may have unsent is free again. hail_send_messages_told takes note that he
// is.
HAIL_MUST_USE bool hail_send_messages_freed(const struct hail_delivery *delivery, uint32_t slot);
void hail_send_messages_told(struct hail_delivery *delivery, uint32_t slot);

// hail_send_messages_add puts a message at its channel's end. Returns as hail_sender_send.
HAIL_MUST_USE enum hail_status hail_send_messages_add(struct hail_delivery *delivery, uint32_t slot,
                                                      const struct hail_message_view *view);

// hail_send_messages_drop is done with one: it has arrived, or is not to arrive any more.
void hail_send_messages_drop(struct hail_delivery *delivery, uint32_t slot, uint32_t index);

struct hail_send_message *hail_send_message_at(const struct hail_delivery *delivery,
                                               uint32_t index);

// hail_send_channels returns a connection's send channels, one for each channel.
struct hail_send_channel *hail_send_channels(const struct hail_delivery *delivery, uint32_t slot);

#endif
