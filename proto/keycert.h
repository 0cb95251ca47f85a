// keycert.h: the key certificate (WIRE.md, section 3): a certificate's owner vouches for a static
// X25519 key for some time.
// SPDX-License-Identifier: MIT
#ifndef HAIL_PROTO_KEYCERT_H
#define HAIL_PROTO_KEYCERT_H

#include "crypto/identity.h"
#include "crypto/kex.h"

enum {
    HAIL_KEYCERT_MAX = 16384,
    HAIL_KEYCERT_NAME_MAX = 255,
    HAIL_KEYCERT_CHAIN_MAX = 8,
    HAIL_KEYCERT_DAYS_MAX = 31
};

// A key certificate that has been read; views into the bytes it was read from.
struct hail_keycert {
    uint64_t not_before; // seconds since 1970
    uint64_t not_after;
    uint16_t scheme; // enum hail_scheme
    struct hail_bytes name;
    size_t chain_count;
    struct hail_bytes chain[HAIL_KEYCERT_CHAIN_MAX]; // DER, leaf first
    struct hail_bytes signature;
};

// hail_keycert_make vouches for `static_public` from `not_before` to `not_after`.
//
// name     The server's; "" stands for every name of the certificate.
// out_len  At most HAIL_KEYCERT_MAX.
//
// Returns  false, with a report, when the key cannot sign, the chain is too long, or the window is
//          longer than HAIL_KEYCERT_DAYS_MAX days.
HAIL_MUST_USE bool hail_keycert_make(uint8_t out[HAIL_KEYCERT_MAX], size_t *out_len,
                                     const struct hail_identity *identity, const char *name,
                                     uint64_t not_before, uint64_t not_after,
                                     const uint8_t static_public[HAIL_X25519_LEN],
                                     struct hail_fault_report *report);

// hail_keycert_parse reads one, whole and without anything behind it; false: malformed.
HAIL_MUST_USE bool hail_keycert_parse(struct hail_keycert *keycert, struct hail_bytes bytes);

// hail_keycert_check_names is the part of the check that an application may decide otherwise: that
// the server name is the one that was to be reached, and that the chain leads to somebody `trust`
// believes and carries that name. `leaf` is parsed from chain[0].
HAIL_MUST_USE bool hail_keycert_check_names(const struct hail_keycert *keycert,
                                            const struct hail_certificate *leaf,
                                            const struct hail_trust *trust, const char *host,
                                            int64_t unix_s, struct hail_fault_report *report);

// hail_keycert_check_signature is the part that none may: the window, and the signature by the
// leaf's key. `unix_s` is now.
HAIL_MUST_USE bool hail_keycert_check_signature(const struct hail_keycert *keycert,
                                                const uint8_t static_public[HAIL_X25519_LEN],
                                                const struct hail_certificate *leaf, int64_t unix_s,
                                                struct hail_fault_report *report);

#endif
