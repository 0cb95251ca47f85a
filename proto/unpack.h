// unpack.h: a packet's frames, all of them read before any is acted on: a packet is taken whole or
// not at all (WIRE.md, section 5).
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_UNPACK_H
#define HAIL_PROTO_UNPACK_H

#include "proto/frames.h"

enum {
    HAIL_UNPACK_KEPT = 4 // frames that need not be read again; nearly all packets have no more
};

// A frame as it was read: HAIL_ACCEPT, or HAIL_DROP_NAME, which concerns it alone.
struct hail_unpacked_frame {
    struct hail_native_frame frame;
    enum hail_verdict verdict;
};

// Where reading has got to in a packet whose frames are all good. It holds while the packet does.
struct hail_unpack {
    const struct hail_policy *policy; // borrowed
    const uint8_t *frames;            // borrowed
    size_t frames_len;
    size_t at;   // of the first frame that is not kept
    size_t next; // of those that are kept, which comes next
    size_t kept_count;
    struct hail_unpacked_frame kept[HAIL_UNPACK_KEPT];
};

// hail_unpack_begin reads all of a packet's frames, and what its acknowledgements are made of.
//
// next_number  Packets below it have been sent to the other end, which may acknowledge them.
//
// Returns      HAIL_ACCEPT, also for a packet of nothing but padding; HAIL_DROP_MALFORMED or
//              HAIL_DROP_TYPE: a frame is bad, and nothing of the packet is to be acted on.
HAIL_MUST_USE enum hail_verdict hail_unpack_begin(struct hail_unpack *unpack,
                                                  const struct hail_policy *policy,
                                                  const uint8_t *frames, size_t frames_len,
                                                  uint64_t next_number);

// hail_unpack_next returns the next frame; NULL: there are no more. It may be changed, and holds
// until the next call.
struct hail_unpacked_frame *hail_unpack_next(struct hail_unpack *unpack);

#endif
