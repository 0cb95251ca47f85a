// recovery.h: what becomes of a connection's packets under way: acknowledged, taken for lost, or
// asked after. After RFC 9002, section 6; DESIGN.md, "Delivery".
// SPDX-License-Identifier: MIT
#ifndef HAIL_ENGINE_DELIVERY_RECOVERY_H
#define HAIL_ENGINE_DELIVERY_RECOVERY_H

#include "engine/delivery/delivery.h"

// hail_recovery_acked takes in the content of an ack frame, of a peer to whom packets below
// `next_number` were sent. Returns as hail_ack_decode; of a false one nothing was believed, and the
// connection is to be ended.
HAIL_MUST_USE enum hail_verdict hail_recovery_acked(struct hail_delivery *delivery, uint32_t slot,
                                                    struct hail_bytes content,
                                                    uint64_t next_number);

// hail_recovery_moved takes note that the peer has another address: what is under way went to the
// old one, so the oldest goes again at once, and the answer to it tells of the rest.
void hail_recovery_moved(struct hail_delivery *delivery, uint32_t slot);

// hail_recovery_excuse says that the other end has not been heard of: it may be out of reach, and
// the time for which it has taken nothing begins anew.
void hail_recovery_excuse(struct hail_delivery *delivery, uint32_t slot);

// hail_recovery_due does what is due; hail_recovery_next_ns says when that is. False: the other end
// has taken nothing for stall_timeout_ms, and the connection is to be ended.
HAIL_MUST_USE bool hail_recovery_due(struct hail_delivery *delivery, uint32_t slot);
uint64_t hail_recovery_next_ns(const struct hail_delivery *delivery, uint32_t slot);

#endif
