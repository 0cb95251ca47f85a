// kex.h: agreeing on a secret: X25519 (RFC 7748), and the affine public parts in which MLAPI 12
// writes the same points.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_KEX_H
#define HAIL_CRYPTO_KEX_H

#include "crypto/base.h"
#include "crypto/random.h"

enum {
    HAIL_X25519_LEN = 32,
    HAIL_AFFINE_MAX = 4 + 2 * HAIL_X25519_LEN // an affine public part: length of X, X, Y
};

// A private key and its public part, both little-endian as RFC 7748 has them.
struct hail_x25519_pair {
    uint8_t private_key[HAIL_X25519_LEN];
    uint8_t public_key[HAIL_X25519_LEN];
};

// hail_x25519_pair_init draws a fresh pair from `random`.
void hail_x25519_pair_init(struct hail_x25519_pair *pair, struct hail_random *random);

// hail_x25519_pair_from computes the public part of a private key.
void hail_x25519_pair_from(struct hail_x25519_pair *pair,
                           const uint8_t private_key[HAIL_X25519_LEN]);

// hail_x25519 computes the shared secret. Fails on a public key of low order (RFC 7748
// section 6.1).
HAIL_MUST_USE bool hail_x25519(uint8_t shared[HAIL_X25519_LEN],
                               const uint8_t private_key[HAIL_X25519_LEN],
                               const uint8_t public_key[HAIL_X25519_LEN]);

// One of several secrets that are computed side by side. The keys are borrowed.
struct hail_x25519_job {
    const uint8_t *private_key;
    const uint8_t *public_key;
    uint8_t shared[HAIL_X25519_LEN]; // a secret
    bool good;                       // false: of low order, as hail_x25519 fails
};

// hail_x25519_batch does what hail_x25519 does for each job, where the CPU has AVX-512 IFMA eight
// in the time of one. hail_x25519_pairs_init draws `count` fresh pairs likewise.
void hail_x25519_batch(struct hail_x25519_job *jobs, size_t count);
void hail_x25519_pairs_init(struct hail_x25519_pair *pairs, size_t count,
                            struct hail_random *random);

// hail_x25519_allow is for tests and measurements: whether to compute several at once where that is
// faster, from now on and for the whole process. Allowed at start.
void hail_x25519_allow(bool side_by_side);

// hail_affine_write writes the affine public part of an X25519 public key: u32 little-endian length
// of X, X, Y; both big-endian without leading zero bytes (MLAPI.md, "Public parts"). Y is recovered
// by a square root; of its two signs the one with the even value is written.
//
// Returns  The length, at most HAIL_AFFINE_MAX; 0 when the key is no point of the curve.
HAIL_MUST_USE size_t hail_affine_write(uint8_t out[HAIL_AFFINE_MAX],
                                       const uint8_t public_key[HAIL_X25519_LEN]);

// hail_affine_parse reads an affine public part that a peer sent, and takes it only if it is a
// point: both coordinates at most 32 bytes and below p, on the curve, not of low order. Leading
// zero bytes are allowed, as MLAPI's own reader allows them.
//
// public_key  Written on success only: the X to give to hail_x25519.
HAIL_MUST_USE bool hail_affine_parse(uint8_t public_key[HAIL_X25519_LEN], const uint8_t *part,
                                     size_t part_len);

#endif
