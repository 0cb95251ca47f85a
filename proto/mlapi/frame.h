// frame.h: Telepathy's framing of messages on a TCP stream (MLAPI.md, "Transport").
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_MLAPI_FRAME_H
#define HAIL_PROTO_MLAPI_FRAME_H

#include "crypto/base.h"

enum {
    HAIL_MLAPI_FRAME_HEADER_LEN = 4
};

enum hail_mlapi_frame_state {
    HAIL_MLAPI_FRAME_PARTIAL, // more bytes are needed
    HAIL_MLAPI_FRAME_WHOLE,   // a whole frame lies at the start
    HAIL_MLAPI_FRAME_BAD // the length is 0 or above the maximum: the stream is of no further use
};

// hail_mlapi_frame_next looks at the start of a stream's unread bytes. `*payload_len` is set as
// soon as the header is there and good (WHOLE, or PARTIAL with at least 4 bytes), else to 0.
enum hail_mlapi_frame_state hail_mlapi_frame_next(const uint8_t *stream, size_t stream_len,
                                                  size_t payload_max, size_t *payload_len);

// hail_mlapi_frame_write writes the header for a payload of 1 to 2^32-1 bytes.
void hail_mlapi_frame_write(uint8_t header[HAIL_MLAPI_FRAME_HEADER_LEN], size_t payload_len);

#endif
