// fuzz_unwrap.c: a message under any protection.
// SPDX-License-Identifier: MIT
//
// Each input is also sealed, so that the MAC does not stop the fuzzer at the door.
//
// Holds  nothing outside the buffer is touched; what is accepted lies inside it, and wrapped again
//        under its own IV is the message that came, but for the ignored bits of its first byte.
#include "tests/fuzz/fuzz.h"

static void check(const uint8_t *message, size_t len, const struct hail_mlapi_keys *keys)
{
    uint8_t *opened = malloc(len);
    uint8_t *again = malloc(len + HAIL_MLAPI_OVERHEAD_MAX);
    struct hail_mlapi_packet packet;

    memcpy(opened, message, len);
    if (hail_mlapi_unwrap(&packet, opened, len, keys) == HAIL_ACCEPT) {
        size_t offset = hail_mlapi_body_offset(packet.flags);
        fuzz_holds(packet.body == opened + offset && packet.body_len <= len - offset);
        fuzz_holds(hail_mlapi_wrapped_len(packet.flags, packet.body_len) == len);
        memcpy(again + offset, packet.body, packet.body_len);
        const uint8_t *iv = message + offset - 1 - HAIL_CBC_BLOCK;
        hail_mlapi_wrap(again, packet.body_len, packet.type, packet.flags, keys,
                        packet.flags & HAIL_FLAG_ENCRYPTED ? iv : NULL);
        bool loose = packet.flags != 0 && message[0] > HAIL_FLAGS_BOTH; // ignored bits were set
        fuzz_holds(loose || memcmp(again, message, len) == 0);
    }
    free(opened);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hail_mlapi_keys keys;

    hail_mlapi_keys_init(&keys, fuzz_key);
    if (size == 0)
        return 0;
    check(data, size, &keys);
    check(data, size, NULL);
    uint8_t *sealed = malloc(size + HAIL_MLAPI_OVERHEAD_MAX);
    size_t len = fuzz_seal(sealed, data[0], data + 1, size - 1);
    check(sealed, len, &keys);
    sealed[size % len] ^= 1; // and one that is not quite right any more
    struct hail_mlapi_packet packet;
    fuzz_holds(hail_mlapi_unwrap(&packet, sealed, len, &keys) != HAIL_ACCEPT);
    free(sealed);
    return 0;
}
