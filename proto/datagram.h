// datagram.h: the handshake's messages as they lie in datagrams (WIRE.md, sections 1 and 2).
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_DATAGRAM_H
#define HAIL_PROTO_DATAGRAM_H

#include "crypto/kdf.h"
#include "proto/packet.h"

enum {
    HAIL_WIRE_VERSION = 1,
    HAIL_CLIENT_TOKEN_LEN = 8,
    HAIL_POLICY_HASH_LEN = 32,
    HAIL_STATIC_ID_LEN = 8,
    HAIL_COOKIE_LEN = 24,
    HAIL_HELLO_LEN = HAIL_DATAGRAM_MAX,
    HAIL_HELLO_COOKIE_LEN_AT = 53,   // 0: there is no cookie
    HAIL_PROLOGUE_MAX = 4 + 51 + 32, // "hail", bytes 1 to 51 of the hello, a ticket's hash
    HAIL_NOISE_FIRST_MAX = 48,       // the first Noise message, of NK and NNpsk0
    HAIL_TICKET_LEN_MAX = 255,
    HAIL_WELCOME_HEADER_LEN = 15,
    HAIL_FRAGMENT_LEN = 1150,
    HAIL_FRAGMENTS_MAX = 15,
    HAIL_FRAGMENTS_PER_REPLY = 3, // no more than three times the hello
    HAIL_FINISH_HEADER_LEN = 13,
    HAIL_RETRY_LEN = 33,
    HAIL_REFUSE_LEN = 11,
    HAIL_FINISH_DATA_MAX = HAIL_DATAGRAM_MAX - HAIL_FINISH_HEADER_LEN - HAIL_AEAD_TAG_LEN
};
_Static_assert(HAIL_FRAGMENTS_PER_REPLY *(HAIL_WELCOME_HEADER_LEN + HAIL_FRAGMENT_LEN) <=
                   3 * HAIL_HELLO_LEN,
               "a stranger gets at most three times what he sent");

// Values as in a handshake datagram's first byte.
enum hail_datagram_type {
    HAIL_DATAGRAM_HELLO = 1,
    HAIL_DATAGRAM_RETRY = 2,
    HAIL_DATAGRAM_WELCOME = 3,
    HAIL_DATAGRAM_FINISH = 4,
    HAIL_DATAGRAM_REFUSE = 5,
    HAIL_DATAGRAM_PACKET // any packet
};

enum hail_refusal {
    HAIL_REFUSAL_VERSION = 1,
    HAIL_REFUSAL_PATTERN = 2,
    HAIL_REFUSAL_POLICY = 3,
    HAIL_REFUSAL_STATIC = 4,
    HAIL_REFUSAL_FULL = 5,
    HAIL_REFUSAL_GOING_DOWN = 6,
    HAIL_REFUSAL_TICKET = 7,
    HAIL_REFUSAL_PREFIX = 8,
    HAIL_REFUSAL_RATE = 9
};

// Values as in a hello. The first three are those of enum hail_noise_pattern.
enum hail_hello_pattern {
    HAIL_HELLO_NX = 1,
    HAIL_HELLO_NN = 2,
    HAIL_HELLO_NK = 3,
    HAIL_HELLO_RESUME = 4 // NNpsk0, with a ticket
};

struct hail_hello {
    uint8_t version;
    uint8_t pattern; // enum hail_hello_pattern, if this version knows it
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t policy_hash[HAIL_POLICY_HASH_LEN];
    uint8_t static_id[HAIL_STATIC_ID_LEN];
    uint8_t wanted; // the first fragment that the client lacks
    bool has_cookie;
    uint8_t cookie[HAIL_COOKIE_LEN];
    uint8_t noise[HAIL_NOISE_FIRST_MAX]; // the first message: 32 bytes, or 48 with NK and NNpsk0
    uint8_t ticket_len;                  // NNpsk0
    uint8_t ticket[HAIL_TICKET_LEN_MAX];
};

struct hail_welcome {
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint32_t conn_id;
    uint8_t index;
    uint8_t count;
    struct hail_bytes fragment; // a view into the datagram
};

struct hail_finish {
    uint32_t conn_id;
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    size_t sealed_at; // where in the datagram the sealed connection data begin
};

struct hail_refuse {
    uint8_t token[HAIL_CLIENT_TOKEN_LEN];
    uint8_t reason; // enum hail_refusal, if this version knows it
    uint8_t version;
    uint32_t wait_ms; // RATE: until the next hello would be taken
};

// hail_datagram_type_of says what a datagram is. HAIL_ACCEPT, HAIL_DROP_SHORT (empty) or
// HAIL_DROP_TYPE; its content is not looked at.
enum hail_verdict hail_datagram_type_of(enum hail_datagram_type *type, const uint8_t *datagram,
                                        size_t len);

// hail_noise_first_len returns the length of the first Noise message of a pattern.
size_t hail_noise_first_len(uint8_t pattern);

// hail_hello_decode and the other decoders take one whole datagram of their type. HAIL_ACCEPT,
// HAIL_DROP_SHORT or HAIL_DROP_MALFORMED; output is written on HAIL_ACCEPT only. Of a hello with
// another version, only version and token are read.
enum hail_verdict hail_hello_decode(struct hail_hello *hello, const uint8_t *datagram, size_t len);
enum hail_verdict hail_retry_decode(uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                                    uint8_t cookie[HAIL_COOKIE_LEN], const uint8_t *datagram,
                                    size_t len);
enum hail_verdict hail_welcome_decode(struct hail_welcome *welcome, const uint8_t *datagram,
                                      size_t len);
enum hail_verdict hail_finish_decode(struct hail_finish *finish, const uint8_t *datagram,
                                     size_t len);
enum hail_verdict hail_refuse_decode(struct hail_refuse *refuse, const uint8_t *datagram,
                                     size_t len);

// hail_hello_encode and the other encoders write a datagram and return its length.
// hail_finish_encode writes the header alone: what is sealed comes behind it.
size_t hail_hello_encode(uint8_t datagram[HAIL_HELLO_LEN], const struct hail_hello *hello);
size_t hail_retry_encode(uint8_t datagram[HAIL_RETRY_LEN],
                         const uint8_t token[HAIL_CLIENT_TOKEN_LEN],
                         const uint8_t cookie[HAIL_COOKIE_LEN]);
size_t hail_welcome_encode(uint8_t datagram[HAIL_DATAGRAM_MAX], const struct hail_welcome *welcome);
size_t hail_finish_encode(uint8_t datagram[HAIL_FINISH_HEADER_LEN],
                          const struct hail_finish *finish);
size_t hail_refuse_encode(uint8_t datagram[HAIL_REFUSE_LEN], const struct hail_refuse *refuse);

// hail_prologue_write writes Noise's prologue for a hello (WIRE.md, section 2.1), and returns its
// length.
size_t hail_prologue_write(uint8_t prologue[HAIL_PROLOGUE_MAX], const struct hail_hello *hello);

#endif
