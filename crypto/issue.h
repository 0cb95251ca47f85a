// issue.h: making certificates: a development CA, and what it signs. For hail-cert and for tests,
// which ask for each wrong certificate there is; not a CA for strangers.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_ISSUE_H
#define HAIL_CRYPTO_ISSUE_H

#include "crypto/identity.h"

// A certificate with its private key. Constant once made.
struct hail_issued;

// What a certificate is for.
enum hail_issue_use {
    HAIL_ISSUE_SERVER, // TLS servers, and so ours
    HAIL_ISSUE_CLIENT, // TLS clients: no server can use it
    HAIL_ISSUE_CA      // signing others
};

// What a fresh key is.
enum hail_issue_key {
    HAIL_ISSUE_RSA, // of 2048 bits: what MLAPI's clients take
    HAIL_ISSUE_P256,
    HAIL_ISSUE_ED25519
};

// What a certificate says.
struct hail_issue_terms {
    const char *common_name;            // at most 64 characters
    const char *const *names;           // subject alternative names: host names, IP addresses
    size_t name_count;                  // 0: the certificate has no such extension
    enum hail_issue_use use;            // what it is for
    int64_t from_s;                     // valid from, seconds since 1970
    int64_t to_s;                       // valid to
    const struct hail_issued *same_key; // whose key it gets; NULL: a fresh one
    enum hail_issue_key key;            // the fresh one's kind
};

// hail_issue makes a certificate with a random serial number, signed by `issuer`, or by its own key
// when that is NULL. The issuer's own use is not looked at.
//
// out      On success the caller owns it (hail_issued_free).
// Returns  false with HAIL_FAULT_WRONG_NAME for a name that no certificate can carry, or
//          HAIL_FAULT_SYSTEM.
// Cost     A fresh RSA key takes 50 to 500 ms.
HAIL_MUST_USE bool hail_issue(struct hail_issued **out, const struct hail_issued *issuer,
                              const struct hail_issue_terms *terms,
                              struct hail_fault_report *report);

// hail_issued_free wipes and frees; NULL is allowed.
void hail_issued_free(struct hail_issued *issued);

// hail_issued_der returns the certificate's DER, owned by `issued`.
struct hail_bytes hail_issued_der(const struct hail_issued *issued);

// hail_issued_certificate_pem and hail_issued_key_pem write the certificate, and the private key as
// PKCS#8, into memory that the caller frees; the key's after wiping it. They fail only when memory
// is short.
HAIL_MUST_USE bool hail_issued_certificate_pem(const struct hail_issued *issued, uint8_t **out,
                                               size_t *out_len);
HAIL_MUST_USE bool hail_issued_key_pem(const struct hail_issued *issued, uint8_t **out,
                                       size_t *out_len);

// What goes into a PFX.
struct hail_pfx_content {
    const struct hail_issued *certificate; // NULL: none
    const struct hail_issued *key;         // whose private key; NULL: none
    const struct hail_issued *ca;          // a certificate of the chain; NULL: none
    const char *password;                  // never NULL; "" is what programs take for none
};

// hail_pfx_write writes a PFX in DER in the old form (3DES, SHA-1), the one that old MLAPI servers
// and new programs both read. Memory as above.
HAIL_MUST_USE bool hail_pfx_write(const struct hail_pfx_content *content, uint8_t **out,
                                  size_t *out_len);

// hail_base64_write writes base64 in lines of 64 characters. Memory as above.
HAIL_MUST_USE bool hail_base64_write(struct hail_bytes bytes, uint8_t **out, size_t *out_len);

#endif
