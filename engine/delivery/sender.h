// sender.h: what a connection has to send and has sent: messages that wait for their turn, packets
// under way, and what of them is lost and goes again. After RFC 9002; DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_SENDER_H
#define HAIL_ENGINE_DELIVERY_SENDER_H

#include "engine/delivery/delivery.h"

// hail_sender_begin prepares a connection's; hail_sender_clear lets go of everything, after the
// packets have been released.
void hail_sender_begin(struct hail_delivery *delivery, uint32_t slot);
void hail_sender_clear(struct hail_delivery *delivery, uint32_t slot);

// hail_sender_send takes a message, which is sent at once if it may be.
//
// Returns  HAIL_OK, and what was claimed for it is used; HAIL_EINVAL: a number in it that the wire
//          has no form for; HAIL_EFULL: unsent_max or buffers_max is reached, or this turn's outbox
//          for what cannot wait.
HAIL_MUST_USE enum hail_status hail_sender_send(struct hail_delivery *delivery, uint32_t slot,
                                                const struct hail_message_view *view);

// hail_sender_moved takes note that the path to the peer is another one.
void hail_sender_moved(struct hail_delivery *delivery, uint32_t slot);

// hail_sender_joined takes note that messages come and go from here on.
void hail_sender_joined(struct hail_delivery *delivery, uint32_t slot);

// hail_sender_pump sends what waits and may be sent now.
void hail_sender_pump(struct hail_delivery *delivery, uint32_t slot);

// hail_sender_waits says whether the last pump left something that is to be tried again at a time,
// which hail_recovery_next_ns tells.
HAIL_MUST_USE static inline bool hail_sender_waits(const struct hail_delivery *delivery,
                                                   uint32_t slot)
{
    return hail_sender_of(delivery, slot)->again_ns != UINT64_MAX;
}

// hail_sender_flush does the same for what waits for more to share its packet.
void hail_sender_flush(struct hail_delivery *delivery, uint32_t slot);

// hail_sender_number leaves out a packet number now and then, before one is taken for a sent
// packet: who acknowledges without having received cannot know which (RFC 9000, section 21.4).
// Returns the number to take, `next` or the one behind it.
HAIL_MUST_USE uint64_t hail_sender_number(struct hail_delivery *delivery, uint32_t slot,
                                          uint64_t next);

// hail_sender_left takes note that the packet of a sent packet is sealed, under this number, as a
// datagram of `len` bytes.
void hail_sender_left(struct hail_delivery *delivery, uint32_t slot, uint32_t sent, uint64_t number,
                      size_t len);

// hail_sender_asks says whether the next packet should ask for an acknowledgement at once;
// hail_sender_asked takes note that it does. hail_sender_ask has it do so.
HAIL_MUST_USE bool hail_sender_asks(const struct hail_sender *sender);
void hail_sender_ask(struct hail_sender *sender);
void hail_sender_asked(struct hail_sender *sender);

// hail_sender_busy says whether something reliable has not arrived yet, or anything waits.
HAIL_MUST_USE bool hail_sender_busy(const struct hail_sender *sender);

#endif
