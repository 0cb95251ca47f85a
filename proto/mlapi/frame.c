// frame.c: see frame.h.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/frame.h"

#include "crypto/bytes.h"

enum hail_mlapi_frame_state hail_mlapi_frame_next(const uint8_t *stream, size_t stream_len,
                                                  size_t payload_max, size_t *payload_len)
{
    *payload_len = 0;
    if (stream_len < HAIL_MLAPI_FRAME_HEADER_LEN)
        return HAIL_MLAPI_FRAME_PARTIAL;
    size_t len = hail_get_be(stream, HAIL_MLAPI_FRAME_HEADER_LEN);
    if (len == 0 || len > payload_max)
        return HAIL_MLAPI_FRAME_BAD;
    *payload_len = len;
    return stream_len - HAIL_MLAPI_FRAME_HEADER_LEN < len ? HAIL_MLAPI_FRAME_PARTIAL
                                                          : HAIL_MLAPI_FRAME_WHOLE;
}

void hail_mlapi_frame_write(uint8_t header[HAIL_MLAPI_FRAME_HEADER_LEN], size_t payload_len)
{
    HAIL_ASSERT(payload_len > 0);
    HAIL_ASSERT(payload_len <= UINT32_MAX);
    hail_put_be(header, payload_len, HAIL_MLAPI_FRAME_HEADER_LEN);
}
