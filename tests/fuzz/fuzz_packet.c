// fuzz_packet.c: a datagram as a packet, in both directions, under real keys.
// SPDX-License-Identifier: MIT
//
// The first byte of an input chooses the direction, the rest is a datagram. As it comes, it does
// not get past the tag; so its body is sealed under the keys as well, and one bit of that is
// changed.
//
// Holds  nothing outside the datagram is touched; what is decoded, sealed again under its own
//        header, has the same header; what was sealed opens to the same frames, and these are read
//        without harm; sealed and then changed, it is never taken.
#include "proto/frames.h"
#include "proto/packet.h"
#include "tests/fuzz/fuzz.h"

static struct hail_policy policy; // no names: all come with their hash

static const struct hail_traffic_keys *keys_of(enum hail_direction direction, uint32_t epoch_low)
{
    static const uint8_t stretched[HAIL_STRETCHED_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
    static struct hail_traffic_keys keys[2][4];
    static bool made;

    for (unsigned i = 0; !made && i < 8; i++)
        fuzz_holds(hail_traffic_derive(&keys[i / 4][i % 4], stretched,
                                       i < 4 ? HAIL_TO_SERVER : HAIL_TO_CLIENT, i % 4));
    made = true;
    return &keys[direction == HAIL_TO_CLIENT][epoch_low];
}

static void read_frames(const uint8_t *frames, size_t len)
{
    struct hail_native_frame frame;

    for (size_t at = 0; at < len;) {
        enum hail_verdict verdict = hail_frames_next(&frame, &policy, frames, len, &at);
        if (verdict != HAIL_ACCEPT && verdict != HAIL_DROP_NAME)
            return;
    }
}

// Decodes and opens a datagram in place, and reads its frames. Returns their length, or 0.
static size_t open_one(uint8_t *datagram, size_t len, enum hail_direction direction)
{
    struct hail_packet_header header;
    size_t frames_len = 0;

    if (hail_packet_decode(&header, direction, datagram, len) != HAIL_ACCEPT)
        return 0;
    if (hail_packet_open(datagram, len, &frames_len, direction, &header, header.low24,
                         keys_of(direction, header.epoch_low)) != HAIL_ACCEPT)
        return 0;
    fuzz_holds(frames_len > 0);
    fuzz_holds(frames_len + hail_packet_overhead(direction, header.protection) == len);
    read_frames(datagram + hail_packet_frames_at(direction, header.protection), frames_len);
    return frames_len;
}

// The datagram's body, sealed under its header: opens, and does not any more when it is changed.
static void seal_again(const uint8_t *data, size_t size, enum hail_direction direction,
                       const struct hail_packet_header *header)
{
    const struct hail_traffic_keys *keys = keys_of(direction, header->epoch_low);
    size_t frames_at = hail_packet_frames_at(direction, header->protection);
    size_t frames_len = size - hail_packet_overhead(direction, header->protection);
    uint8_t *sealed = malloc(size);
    uint8_t *changed = malloc(size);

    memcpy(sealed + frames_at, data + frames_at, frames_len);
    fuzz_holds(hail_packet_seal(sealed, frames_len, direction, header->protection, header->conn_id,
                                header->low24, keys) == size);
    fuzz_holds(memcmp(sealed, data, hail_packet_header_len(direction)) == 0);
    memcpy(changed, sealed, size);
    changed[data[size - 1] % size] ^= (uint8_t)(1u << data[size / 2] % 8);
    fuzz_holds(open_one(sealed, size, direction) == frames_len);
    fuzz_holds(memcmp(sealed + frames_at, data + frames_at, frames_len) == 0);
    if (changed[0] >> 6 != HAIL_PROTECTION_PLAIN) // which anybody may make who has seen a token
        fuzz_holds(open_one(changed, size, direction) == 0);
    free(sealed);
    free(changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hail_packet_header header;

    if (size == 0)
        return 0;
    enum hail_direction direction = data[0] % 2 ? HAIL_TO_CLIENT : HAIL_TO_SERVER;
    data++;
    size--;
    uint8_t *datagram = malloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(datagram, data, size);
    (void)open_one(datagram, size, direction);
    free(datagram);
    if (hail_packet_decode(&header, direction, data, size) == HAIL_ACCEPT)
        seal_again(data, size, direction, &header);
    return 0;
}
