// kind.h: what kind a key or a certificate's signature is, by the algorithm identifier that comes
// with it (RFC 5280, section 4.1.1.2). For crypto/ alone, which reads it first: what is of a kind
// that hail does not use, BoringSSL is not asked about.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_KIND_H
#define HAIL_CRYPTO_KIND_H

#include "crypto/identity.h"

#include <openssl/bytestring.h>
#include <openssl/x509.h>

// What keys of a kind are taken for.
enum hail_key_use {
    HAIL_KEY_REFUSED, // nothing
    HAIL_KEY_ISSUES,  // having signed other certificates
    HAIL_KEY_MLAPI,   // having signed an MLAPI key exchange
    HAIL_KEY_SIGNS    // everything: signing too
};

struct hail_key_kind {
    enum hail_key_use use;
    char name[HAIL_KIND_NAME_MAX]; // in words, such as "EC P-384"; else an OID; never empty
};

// hail_key_kind_parse reads the kind out of an AlgorithmIdentifier's content.
void hail_key_kind_parse(struct hail_key_kind *kind, CBS algorithm);

// hail_key_kind_parse_curve reads it out of the parameters of an EC key, one element.
void hail_key_kind_parse_curve(struct hail_key_kind *kind, CBS parameters);

// hail_key_kind_of reads the kind of a certificate's key; the key itself is not looked at.
void hail_key_kind_of(struct hail_key_kind *kind, const X509 *x509);

// hail_kind_signed says whether a certificate is signed in a way that is verified here, and writes
// the way's name, such as "RSA with MD5".
HAIL_MUST_USE bool hail_kind_signed(const X509 *x509, char name[HAIL_KIND_NAME_MAX]);

#endif
