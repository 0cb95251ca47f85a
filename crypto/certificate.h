// certificate.h: the inside of a parsed certificate, for crypto/ alone.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_CERTIFICATE_H
#define HAIL_CRYPTO_CERTIFICATE_H

#include "crypto/identity.h"
#include "crypto/kind.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

struct hail_certificate {
    X509 *x509;
    struct hail_key_kind kind; // of the key
    EVP_PKEY *key;             // public; NULL unless its kind signs here, and it is readable
    uint8_t *der;              // as it came
    size_t der_len;            // at most HAIL_CERTIFICATE_MAX
};

enum {
    HAIL_SUBJECT_MAX = 96, // bytes of a subject in a sentence
    HAIL_TIME_MAX = 24     // bytes of a time in text
};

// hail_certificate_subject writes the subject in one line, cut to fit, such as "CN=play.example".
void hail_certificate_subject(const struct hail_certificate *certificate,
                              char text[HAIL_SUBJECT_MAX]);

// hail_time_describe writes a certificate's time as "YYYY-MM-DD HH:MM:SS UTC".
void hail_time_describe(const ASN1_TIME *time, char text[HAIL_TIME_MAX]);

// hail_key_scheme returns the scheme by which a key signs, and signatures of its are verified.
enum hail_scheme hail_key_scheme(const EVP_PKEY *key);

// hail_key_use_pss sets up RSA-PSS as HAIL_SCHEME_RSA_PSS has it.
HAIL_MUST_USE bool hail_key_use_pss(EVP_PKEY_CTX *ctx);

// hail_certificate_judge says whether the certificate's key is of a kind that servers have, and
// readable: RSA, P-256 and Ed25519; with `mlapi` DSA too.
HAIL_MUST_USE bool hail_certificate_judge(const struct hail_certificate *certificate, bool mlapi,
                                          struct hail_fault_report *report);

#endif
