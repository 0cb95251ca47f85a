// noise.h: the Noise Protocol Framework, revision 34, for the patterns in use: NN, NK and NX with
// 25519, AESGCM and SHA256, each with or without psk0. Sans-IO; both sides. Names follow the
// specification's: sections 5.1 to 5.3, 7 and 9.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_NOISE_H
#define HAIL_PROTO_NOISE_H

#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/kex.h"

enum {
    HAIL_NOISE_HASH_LEN = 32,
    HAIL_NOISE_PSK_LEN = 32
};

enum hail_noise_pattern {
    HAIL_NOISE_NX = 1, // the values lie on the wire (WIRE.md, section 2)
    HAIL_NOISE_NN = 2,
    HAIL_NOISE_NK = 3
};

// What a responder's exchanges came to, computed beforehand: several handshakes' side by side.
// Secret.
struct hail_noise_shared {
    bool good; // false: the initiator's key is of low order
    uint8_t ee[HAIL_X25519_LEN];
    uint8_t es[HAIL_X25519_LEN]; // NK and NX
};

// One end of one handshake, by value: it can be copied to try something and thrown away. Secrets:
// hail_noise_cleanup.
struct hail_noise {
    enum hail_noise_pattern pattern;
    bool initiator;
    bool has_psk;
    bool has_key;    // CipherState: k is there
    uint8_t message; // of the pattern, the next to be written or read
    uint64_t n;      // CipherState: the nonce
    uint8_t k[32];   // CipherState: the key
    uint8_t ck[HAIL_NOISE_HASH_LEN];
    uint8_t h[HAIL_NOISE_HASH_LEN];
    uint8_t psk[HAIL_NOISE_PSK_LEN];
    struct hail_x25519_pair e;
    struct hail_x25519_pair s; // responder of NK and NX
    uint8_t re[HAIL_X25519_LEN];
    uint8_t rs[HAIL_X25519_LEN]; // initiator: NK beforehand, NX after the second message
    bool has_shared;             // responder
    struct hail_noise_shared shared;
};

// hail_noise_init begins a handshake.
//
// e          A fresh pair: the caller draws it (nothing here throws dice).
// s          Responder of NK and NX: its static pair; else NULL.
// rs         Initiator of NK: the responder's static public key; else NULL.
// psk        HAIL_NOISE_PSK_LEN bytes for psk0; NULL: no psk.
// shared     Responder: of `e` and `s` with the initiator's `e`; NULL: to be computed.
struct hail_noise_setup {
    enum hail_noise_pattern pattern;
    bool initiator;
    struct hail_bytes prologue;
    const struct hail_x25519_pair *e;
    const struct hail_x25519_pair *s;
    const uint8_t *rs;
    const uint8_t *psk;
    const struct hail_noise_shared *shared;
};
void hail_noise_init(struct hail_noise *noise, const struct hail_noise_setup *setup);
void hail_noise_cleanup(struct hail_noise *noise);

// hail_noise_overhead returns by how many bytes the next message is longer than its payload.
size_t hail_noise_overhead(const struct hail_noise *noise);

// hail_noise_write writes the next message: hail_noise_overhead and the payload's length. Returns
// false when the peer's key is of low order; the handshake is then of no further use.
HAIL_MUST_USE bool hail_noise_write(struct hail_noise *noise, uint8_t *message,
                                    struct hail_bytes payload);

// hail_noise_read reads the next message. On success `payload` (capacity: message_len) has
// message_len - hail_noise_overhead bytes. On failure `noise` is as it was.
HAIL_MUST_USE bool hail_noise_read(struct hail_noise *noise, uint8_t *payload,
                                   const uint8_t *message, size_t message_len);

// hail_noise_split gives the transport keys after the last message (section 5.2): the initiator's
// for sending, and the responder's.
void hail_noise_split(const struct hail_noise *noise, uint8_t initiator_key[HAIL_AEAD_KEY_LEN],
                      uint8_t responder_key[HAIL_AEAD_KEY_LEN]);

#endif
