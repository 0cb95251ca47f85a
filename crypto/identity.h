// identity.h: who somebody is: a server's certificate chain and private key, read from PFX or PEM,
// and what a client believes: trust anchors, chain and host name checks. Every failure has a fault
// of its own and a sentence with the way out.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_IDENTITY_H
#define HAIL_CRYPTO_IDENTITY_H

#include "crypto/base.h"
#include "crypto/kdf.h"

enum {
    HAIL_FAULT_TEXT_MAX = 320,
    HAIL_SIGNATURE_MAX = 1024,   // RSA-8192
    HAIL_KIND_NAME_MAX = 64,     // bytes of the name of a kind of key, its terminator included
    HAIL_PASSWORD_MAX = 255,     // bytes of UTF-8
    HAIL_CERTIFICATE_MAX = 16384 // DER bytes of one certificate that we take from anyone
};

// Which check failed.
enum hail_fault {
    HAIL_FAULT_NONE = 0,
    HAIL_FAULT_FORMAT,         // neither PFX (DER or base64) nor PEM, or damaged
    HAIL_FAULT_PASSWORD,       // wrong password, or one is needed
    HAIL_FAULT_NO_KEY,         // a certificate, and no private key with it
    HAIL_FAULT_NO_CERTIFICATE, // a private key, and no certificate with it
    HAIL_FAULT_KEY_MISMATCH,   // the private key is not the certificate's
    HAIL_FAULT_KEY_KIND,       // a kind or size of key, or a kind of signature, not used here
    HAIL_FAULT_NO_TRUST,       // the trust store or CA file cannot be read or is empty
    HAIL_FAULT_EXPIRED,
    HAIL_FAULT_NOT_YET_VALID,
    HAIL_FAULT_UNKNOWN_ISSUER, // no chain to a trusted certificate
    HAIL_FAULT_WRONG_NAME,     // the host name is none of the certificate's
    HAIL_FAULT_CHAIN,          // any other fault of the chain: purpose, path length, signature
    HAIL_FAULT_SIGNATURE,      // the signature over the data is not by this certificate's key
    HAIL_FAULT_SYSTEM          // a file cannot be read or memory not be had
};

// A fault and its sentence: what is wrong with what, and what to do. Never a secret.
struct hail_fault_report {
    enum hail_fault fault;
    char text[HAIL_FAULT_TEXT_MAX];
};

// hail_fault_name returns a short stable word for `fault`, such as "expired"; never NULL.
const char *hail_fault_name(enum hail_fault fault);

// What a signature is made with; the values are MLAPI's signature types (MLAPI.md, "Hail").
enum hail_signature_kind {
    HAIL_SIGNATURE_RSA = 0, // PKCS#1 v1.5 with SHA-256
    HAIL_SIGNATURE_DSA = 1  // 40 bytes r||s over SHA-1(SHA-256(data)); verified, never made
};

// Signature schemes by their numbers in TLS 1.3 (RFC 8446, section 4.2.3).
enum hail_scheme {
    HAIL_SCHEME_NONE = 0,
    HAIL_SCHEME_ECDSA_P256 = 0x0403, // with SHA-256; in DER
    HAIL_SCHEME_RSA_PSS = 0x0804,    // with SHA-256, MGF1 of the same, and a salt of 32 bytes
    HAIL_SCHEME_ED25519 = 0x0807
};

// A server's certificate chain and private key. Constant once loaded, so any number of threads may
// use one.
struct hail_identity;

// hail_identity_load reads a chain and key from `file`: a PFX in DER, a PFX in base64 (white space
// allowed), or PEM (certificates, leaf first, and a key, encrypted or not, in any order).
//
// key       PEM with the private key, when it is not in `file`; len 0: none.
// password  Of the PFX or the PEM key, at most HAIL_PASSWORD_MAX bytes; NULL: none.
//
// Returns   true, and the caller owns `*out` (hail_identity_free); or false, and `report` says why.
HAIL_MUST_USE bool hail_identity_load(struct hail_identity **out, struct hail_bytes file,
                                      struct hail_bytes key, const char *password,
                                      struct hail_fault_report *report);

// hail_identity_free wipes and frees; NULL is allowed.
void hail_identity_free(struct hail_identity *identity);

// hail_identity_leaf returns the leaf certificate's DER, owned by `identity`.
struct hail_bytes hail_identity_leaf(const struct hail_identity *identity);

// hail_identity_chain_count returns how many certificates the chain has, the leaf among them, and
// hail_identity_chain one of them in DER, the leaf first. What else the file held comes in its
// order; a self-signed root is left out, since whoever believes it has it.
size_t hail_identity_chain_count(const struct hail_identity *identity);
struct hail_bytes hail_identity_chain(const struct hail_identity *identity, size_t index);

// hail_identity_scheme returns the scheme of the key.
enum hail_scheme hail_identity_scheme(const struct hail_identity *identity);

// hail_identity_sign signs `data` by the key's scheme. False: memory is short, or it is an RSA key
// below 2048 bits, which no client would take.
HAIL_MUST_USE bool hail_identity_sign(const struct hail_identity *identity,
                                      uint8_t out[HAIL_SIGNATURE_MAX], size_t *out_len,
                                      struct hail_bytes data);

// hail_identity_sign_rsa signs `data` with RSA PKCS#1 v1.5 and SHA-256.
//
// Returns  true and the signature's length; false when the key is not RSA or memory is short.
// Cost     About 0.5 ms with RSA-2048.
HAIL_MUST_USE bool hail_identity_sign_rsa(const struct hail_identity *identity,
                                          uint8_t out[HAIL_SIGNATURE_MAX], size_t *out_len,
                                          struct hail_bytes data);

// hail_identity_is_rsa says whether the key can make HAIL_SIGNATURE_RSA.
bool hail_identity_is_rsa(const struct hail_identity *identity);

// A certificate that a peer showed, parsed and not yet believed.
struct hail_certificate;

// hail_certificate_parse takes exactly one DER certificate, whatever kind of key is in it. What
// kind that is comes out of the certificate's algorithm identifier, before anything else is asked
// of the key; nothing is asked of one of a kind that is not used here. The caller owns `*out`.
HAIL_MUST_USE bool hail_certificate_parse(struct hail_certificate **out, struct hail_bytes der,
                                          struct hail_fault_report *report);
void hail_certificate_free(struct hail_certificate *certificate);

// hail_certificate_der returns the DER it was parsed from, owned by `certificate`.
struct hail_bytes hail_certificate_der(const struct hail_certificate *certificate);

// hail_certificate_suits says whether the certificate's key is of the kind and size for such
// signatures: RSA of 1024 bits and more; DSA of 1024/160 only, as MLAPI has it.
HAIL_MUST_USE bool hail_certificate_suits(const struct hail_certificate *certificate,
                                          enum hail_signature_kind kind,
                                          struct hail_fault_report *report);

// hail_certificate_signed says whether `signature` over `data` was made by the certificate's key,
// which must suit.
HAIL_MUST_USE bool hail_certificate_signed(const struct hail_certificate *certificate,
                                           enum hail_signature_kind kind, struct hail_bytes data,
                                           struct hail_bytes signature,
                                           struct hail_fault_report *report);

// hail_certificate_serves says whether the key is one of a server of the hail profile: RSA of 2048
// bits and more, P-256 or Ed25519.
HAIL_MUST_USE bool hail_certificate_serves(const struct hail_certificate *certificate,
                                           struct hail_fault_report *report);

// hail_certificate_verify says whether `signature` over `data` was made by the certificate's key
// and `scheme`. RSA keys have 2048 bits at least, EC keys are on P-256.
HAIL_MUST_USE bool hail_certificate_verify(const struct hail_certificate *certificate,
                                           enum hail_scheme scheme, struct hail_bytes data,
                                           struct hail_bytes signature,
                                           struct hail_fault_report *report);

// hail_certificate_describe writes what a person wants to know, a line each: subject, issuer,
// names, validity, key, SHA-256 fingerprint. Cut to `text_len`, always terminated.
void hail_certificate_describe(const struct hail_certificate *certificate, char *text,
                               size_t text_len);

// hail_certificate_is_current says whether a certificate's time has come and not gone, and
// hail_certificate_carries whether `host` is one of its names, as clients look for it.
HAIL_MUST_USE bool hail_certificate_is_current(const struct hail_certificate *certificate,
                                               int64_t unix_s, struct hail_fault_report *report);
HAIL_MUST_USE bool hail_certificate_carries(const struct hail_certificate *certificate,
                                            const char *host, struct hail_fault_report *report);

// The certificates a client believes in. Constant once loaded.
struct hail_trust;

// hail_trust_load reads PEM certificates: the content of a CA file, or, when `pem.len` is 0, the
// system's store (SSL_CERT_FILE if set, else /etc/ssl/certs/ca-certificates.crt). Self-signed
// certificates in it are anchors; others help to build chains.
HAIL_MUST_USE bool hail_trust_load(struct hail_trust **out, struct hail_bytes pem,
                                   struct hail_fault_report *report);
void hail_trust_free(struct hail_trust *trust);

// hail_trust_check says whether `certificate` chains to an anchor at the time `unix_s`, is for TLS
// servers where it says what it is for, and carries the name `host` in its subject alternative
// names: DNS names, with wildcards as RFC 6125 has them, or IP addresses. The common name does not
// count. A host of "127.0.0.1" needs no name, as MLAPI documents; the chain is checked all the
// same.
HAIL_MUST_USE bool hail_trust_check(const struct hail_trust *trust,
                                    const struct hail_certificate *certificate, const char *host,
                                    int64_t unix_s, struct hail_fault_report *report);

// hail_trust_check_chain does the same with certificates that the peer sent along, in DER: they are
// not believed, but may lie between the leaf and an anchor. Those that cannot be read are left out.
// Every host needs its name, "127.0.0.1" too.
HAIL_MUST_USE bool hail_trust_check_chain(const struct hail_trust *trust,
                                          const struct hail_certificate *leaf,
                                          const struct hail_bytes *between, size_t between_count,
                                          const char *host, int64_t unix_s,
                                          struct hail_fault_report *report);

// hail_file_read reads a whole file of at most `len_max` bytes into memory that the caller frees
// after wiping it. One that everybody may write is refused.
HAIL_MUST_USE bool hail_file_read(const char *path, size_t len_max, uint8_t **out, size_t *out_len,
                                  struct hail_fault_report *report);

// hail_file_is_public says whether everybody may read a file: one with a key should not be so.
HAIL_MUST_USE bool hail_file_is_public(const char *path);

#endif
