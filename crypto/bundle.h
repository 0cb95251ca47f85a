// bundle.h: the certificates and private keys that a file holds, as found and not yet judged.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_BUNDLE_H
#define HAIL_CRYPTO_BUNDLE_H

#include "crypto/identity.h"

enum {
    HAIL_BUNDLE_CERTIFICATES_MAX = 32,
    HAIL_BUNDLE_KEYS_MAX = 8
};

// What was found, in the order of the file. A secret: clean it up.
struct hail_bundle {
    struct hail_certificate *certificates[HAIL_BUNDLE_CERTIFICATES_MAX];
    size_t certificate_count;
    struct evp_pkey_st *keys[HAIL_BUNDLE_KEYS_MAX]; // EVP_PKEY, so named for who has no BoringSSL
    size_t key_count;
    char passed_over[HAIL_KIND_NAME_MAX]; // the kind of the first key that cannot sign here; or ""
};

// hail_bundle_read adds what `file` holds: a PFX in DER or base64, PEM, or one certificate in DER.
//
// bundle    Zero, or from an earlier read.
// password  UTF-8, or NULL for none.
// Returns   false when the file cannot be read to its end; `bundle` may have gained a part of it.
HAIL_MUST_USE bool hail_bundle_read(struct hail_bundle *bundle, struct hail_bytes file,
                                    const char *password, struct hail_fault_report *report);

// hail_bundle_load reads `file` and takes the private keys of `key` (len 0: none) beside it. What
// certificates come with the key are left out: the server shows those that it was told to show.
HAIL_MUST_USE bool hail_bundle_load(struct hail_bundle *bundle, struct hail_bytes file,
                                    struct hail_bytes key, const char *password,
                                    struct hail_fault_report *report);

// hail_bundle_cut frees what was added after there were so many.
void hail_bundle_cut(struct hail_bundle *bundle, size_t certificate_count, size_t key_count);

// hail_bundle_cleanup wipes and frees what was found.
void hail_bundle_cleanup(struct hail_bundle *bundle);

// hail_bundle_key_of returns the index of the key that belongs to certificate `i`, or key_count.
size_t hail_bundle_key_of(const struct hail_bundle *bundle, size_t i);

// hail_bundle_pair finds the first certificate whose key is there too. Without such a pair, keys of
// kinds that cannot sign here are the first of the faults.
HAIL_MUST_USE bool hail_bundle_pair(const struct hail_bundle *bundle, size_t *certificate,
                                    size_t *key, struct hail_fault_report *report);

// hail_bundle_add_certificate and hail_bundle_add_key take a certificate in DER and a
// PrivateKeyInfo (RFC 5958). Private keys of kinds that cannot sign here are passed over unread.
HAIL_MUST_USE bool hail_bundle_add_certificate(struct hail_bundle *bundle, struct hail_bytes der,
                                               struct hail_fault_report *report);
HAIL_MUST_USE bool hail_bundle_add_key(struct hail_bundle *bundle, struct hail_bytes info,
                                       struct hail_fault_report *report);

// hail_bundle_pass_over notes that there was a private key of such a kind.
void hail_bundle_pass_over(struct hail_bundle *bundle, const char *kind);

// hail_bundle_take_key adds `key` and owns it from then on, whatever is returned.
HAIL_MUST_USE bool hail_bundle_take_key(struct hail_bundle *bundle, struct evp_pkey_st *key,
                                        struct hail_fault_report *report);

#endif
