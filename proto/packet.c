// packet.c: see packet.h.
// SPDX-License-Identifier: MIT
#include "proto/packet.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/secret.h"

enum {
    PROTECTION_SHIFT = 6, // in the first byte
    EPOCH_SHIFT = 4,
    CONN_ID_LEN = 4,
    NUMBER_LEN = 3,      // on the wire
    WHOLE_NUMBER_LEN = 8 // in nonces and MACs
};
_Static_assert(HAIL_PACKET_TO_SERVER_LEN == 1 + CONN_ID_LEN + NUMBER_LEN, "WIRE.md, section 4");
_Static_assert(HAIL_PACKET_TO_CLIENT_LEN == 1 + NUMBER_LEN, "WIRE.md, section 4");

size_t hail_packet_header_len(enum hail_direction direction)
{
    return direction == HAIL_TO_SERVER ? HAIL_PACKET_TO_SERVER_LEN : HAIL_PACKET_TO_CLIENT_LEN;
}

size_t hail_packet_overhead(enum hail_direction direction, enum hail_protection protection)
{
    return hail_packet_header_len(direction) +
           (protection == HAIL_PROTECTION_PLAIN ? (size_t)HAIL_TOKEN_LEN : HAIL_PACKET_TAG_LEN);
}

size_t hail_packet_frames_at(enum hail_direction direction, enum hail_protection protection)
{
    return hail_packet_header_len(direction) +
           (protection == HAIL_PROTECTION_PLAIN ? (size_t)HAIL_TOKEN_LEN : 0);
}

enum hail_verdict hail_packet_decode(struct hail_packet_header *header,
                                     enum hail_direction direction, const uint8_t *datagram,
                                     size_t len)
{
    if (len == 0)
        return HAIL_DROP_SHORT;
    uint8_t protection = datagram[0] >> PROTECTION_SHIFT;
    uint8_t epoch_low = datagram[0] >> EPOCH_SHIFT & 3;
    uint8_t reserved = datagram[0] & ((1u << EPOCH_SHIFT) - 1);
    size_t number_at = hail_packet_header_len(direction) - NUMBER_LEN;

    if (protection == 0 || reserved != 0 || len > HAIL_PACKET_MAX)
        return HAIL_DROP_MALFORMED;
    if (protection == HAIL_PROTECTION_PLAIN && epoch_low != 0)
        return HAIL_DROP_MALFORMED;
    if (len <= hail_packet_overhead(direction, (enum hail_protection)protection))
        return HAIL_DROP_SHORT;
    *header = (struct hail_packet_header){
        .protection = (enum hail_protection)protection,
        .epoch_low = epoch_low,
        .conn_id =
            direction == HAIL_TO_SERVER ? (uint32_t)hail_get_be(datagram + 1, CONN_ID_LEN) : 0,
        .low24 = (uint32_t)hail_get_be(datagram + number_at, NUMBER_LEN),
    };
    return HAIL_ACCEPT;
}

static void make_nonce(uint8_t nonce[HAIL_AEAD_NONCE_LEN], const struct hail_traffic_keys *keys,
                       uint64_t number)
{
    uint8_t number_be[WHOLE_NUMBER_LEN];

    hail_put_be(number_be, number, sizeof number_be);
    memcpy(nonce, keys->iv, HAIL_AEAD_NONCE_LEN);
    for (size_t i = 0; i < sizeof number_be; i++)
        nonce[HAIL_AEAD_NONCE_LEN - sizeof number_be + i] ^= number_be[i];
}

// The MAC of the number, which the datagram has only a part of, and of the datagram before its tag.
// Copying beside the number costs little next to hashing.
static void make_tag(uint8_t tag[HAIL_MAC_LEN], const struct hail_traffic_keys *keys,
                     uint64_t number, const uint8_t *datagram, size_t len)
{
    uint8_t text[WHOLE_NUMBER_LEN + HAIL_PACKET_MAX];

    hail_put_be(text, number, WHOLE_NUMBER_LEN);
    memcpy(text + WHOLE_NUMBER_LEN, datagram, len);
    hail_mac_sha256(&keys->mac, tag, text, WHOLE_NUMBER_LEN + len);
}

size_t hail_packet_seal(uint8_t *datagram, size_t frames_len, enum hail_direction direction,
                        enum hail_protection protection, uint32_t conn_id, uint64_t number,
                        const struct hail_traffic_keys *keys)
{
    size_t header_len = hail_packet_header_len(direction);
    uint32_t epoch_low = protection == HAIL_PROTECTION_PLAIN ? 0 : keys->epoch & 3;
    uint8_t nonce[HAIL_AEAD_NONCE_LEN];
    uint8_t tag[HAIL_MAC_LEN];

    HAIL_ASSERT(frames_len > 0);
    HAIL_ASSERT(hail_packet_overhead(direction, protection) + frames_len <= HAIL_PACKET_MAX);
    datagram[0] = (uint8_t)((uint32_t)protection << PROTECTION_SHIFT | epoch_low << EPOCH_SHIFT);
    if (direction == HAIL_TO_SERVER)
        hail_put_be(datagram + 1, conn_id, CONN_ID_LEN);
    hail_put_be(datagram + header_len - NUMBER_LEN, number, NUMBER_LEN);

    switch (protection) {
    case HAIL_PROTECTION_PLAIN:
        memcpy(datagram + header_len, keys->token, HAIL_TOKEN_LEN);
        break;
    case HAIL_PROTECTION_AUTHENTICATED:
        make_tag(tag, keys, number, datagram, header_len + frames_len);
        memcpy(datagram + header_len + frames_len, tag, HAIL_PACKET_TAG_LEN);
        break;
    case HAIL_PROTECTION_ENCRYPTED:
        make_nonce(nonce, keys, number);
        hail_aead_seal(&keys->aead, nonce, datagram, header_len, datagram + header_len, frames_len);
        break;
    }
    return hail_packet_overhead(direction, protection) + frames_len;
}

enum hail_verdict hail_packet_open(uint8_t *datagram, size_t len, size_t *frames_len,
                                   enum hail_direction direction,
                                   const struct hail_packet_header *header, uint64_t number,
                                   const struct hail_traffic_keys *keys)
{
    size_t header_len = hail_packet_header_len(direction);
    uint8_t expected[HAIL_MAC_LEN];
    uint8_t nonce[HAIL_AEAD_NONCE_LEN];
    bool genuine = false;

    HAIL_ASSERT(len > hail_packet_overhead(direction, header->protection));
    HAIL_ASSERT(len <= HAIL_PACKET_MAX);
    switch (header->protection) {
    case HAIL_PROTECTION_PLAIN:
        genuine = hail_equal(datagram + header_len, keys->token, HAIL_TOKEN_LEN);
        break;
    case HAIL_PROTECTION_AUTHENTICATED:
        make_tag(expected, keys, number, datagram, len - HAIL_PACKET_TAG_LEN);
        genuine = hail_equal(datagram + len - HAIL_PACKET_TAG_LEN, expected, HAIL_PACKET_TAG_LEN);
        hail_wipe(expected, sizeof expected); // of a forged packet, it is what the forger lacks
        break;
    case HAIL_PROTECTION_ENCRYPTED:
        make_nonce(nonce, keys, number);
        genuine = hail_aead_open(&keys->aead, nonce, datagram, header_len, datagram + header_len,
                                 len - header_len);
        break;
    }
    if (!genuine)
        return HAIL_DROP_FORGED;
    *frames_len = len - hail_packet_overhead(direction, header->protection);
    return HAIL_ACCEPT;
}
