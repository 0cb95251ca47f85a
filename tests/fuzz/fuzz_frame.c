// fuzz_frame.c: a stream, framed.
// SPDX-License-Identifier: MIT
//
// Holds  a frame's length is within the maximum and its bytes are there when it is whole;
//        the header written for that length is the header read; less of the stream never gives
//        another answer than "more is needed".
#include "proto/mlapi/frame.h"
#include "tests/fuzz/fuzz.h"

enum {
    PAYLOAD_MAX = 1024
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t header[HAIL_MLAPI_FRAME_HEADER_LEN];
    size_t len;
    size_t cut_len;

    while (hail_mlapi_frame_next(data, size, PAYLOAD_MAX, &len) == HAIL_MLAPI_FRAME_WHOLE) {
        fuzz_holds(len > 0 && len <= PAYLOAD_MAX && HAIL_MLAPI_FRAME_HEADER_LEN + len <= size);
        hail_mlapi_frame_write(header, len);
        fuzz_holds(memcmp(header, data, sizeof header) == 0);
        for (size_t cut = 0; cut < HAIL_MLAPI_FRAME_HEADER_LEN + len; cut++) {
            fuzz_holds(hail_mlapi_frame_next(data, cut, PAYLOAD_MAX, &cut_len) ==
                       HAIL_MLAPI_FRAME_PARTIAL);
            fuzz_holds(cut_len == (cut < HAIL_MLAPI_FRAME_HEADER_LEN ? 0 : len));
        }
        data += HAIL_MLAPI_FRAME_HEADER_LEN + len;
        size -= HAIL_MLAPI_FRAME_HEADER_LEN + len;
    }
    return 0;
}
