// identity.c: a server's certificate chain and private key, judged and ready to sign.
// SPDX-License-Identifier: MIT
#include "crypto/identity.h"
#include "crypto/bundle.h"
#include "crypto/certificate.h"
#include "crypto/report.h"

#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum {
    RSA_BITS_MIN = 1024, // what MLAPI's users have; hail-cert makes 2048
    RSA_BITS_MAX = HAIL_SIGNATURE_MAX * 8
};

struct hail_identity {
    struct hail_certificate *leaf;
    EVP_PKEY *key;
    struct hail_certificate *between[HAIL_BUNDLE_CERTIFICATES_MAX]; // as the file had them
    size_t between_count;
};

// The bundle has keys of kinds that sign here; of RSA some are too short or too long.
static bool can_sign(const EVP_PKEY *key)
{
    return EVP_PKEY_id(key) != EVP_PKEY_RSA ||
           (EVP_PKEY_bits(key) >= RSA_BITS_MIN && EVP_PKEY_bits(key) <= RSA_BITS_MAX);
}

// A key whose public half is right may be wrong in what it signs with: see it sign once.
static bool signs(const struct hail_identity *identity, struct hail_fault_report *report)
{
    static const uint8_t probe[] = "hail";
    struct hail_bytes data = {probe, sizeof probe};
    uint8_t signature[HAIL_SIGNATURE_MAX];
    size_t len;

    if (!hail_identity_is_rsa(identity))
        return true;
    if (hail_identity_sign_rsa(identity, signature, &len, data) &&
        hail_certificate_signed(identity->leaf, HAIL_SIGNATURE_RSA, data,
                                (struct hail_bytes){signature, len}, report))
        return true;
    return hail_report_set(report, HAIL_FAULT_FORMAT,
                           "the private key is damaged: its signatures do not verify; export it "
                           "again");
}

static bool is_self_signed(const struct hail_certificate *certificate)
{
    return X509_NAME_cmp(X509_get_subject_name(certificate->x509),
                         X509_get_issuer_name(certificate->x509)) == 0;
}

// Copies the bundle's other certificates but for roots.
static bool take_chain(struct hail_identity *identity, const struct hail_bundle *bundle,
                       size_t leaf, struct hail_fault_report *report)
{
    for (size_t i = 0; i < bundle->certificate_count; i++) {
        const struct hail_certificate *other = bundle->certificates[i];
        if (i == leaf || is_self_signed(other))
            continue;
        if (!hail_certificate_parse(&identity->between[identity->between_count],
                                    hail_certificate_der(other), report))
            return false;
        identity->between_count++;
    }
    return true;
}

static bool judge(struct hail_identity **out, const struct hail_bundle *bundle,
                  struct hail_fault_report *report)
{
    size_t certificate;
    size_t key;

    if (!hail_bundle_pair(bundle, &certificate, &key, report))
        return false;
    if (!can_sign(bundle->keys[key]))
        return hail_report_set(report, HAIL_FAULT_KEY_KIND,
                               "the private key is RSA, %d bits, which cannot sign here; issue the "
                               "server a certificate with an RSA key of 2048 bits",
                               EVP_PKEY_bits(bundle->keys[key]));

    struct hail_identity *identity = calloc(1, sizeof *identity);
    if (!identity)
        return hail_report_no_memory(report);
    struct hail_certificate *leaf = bundle->certificates[certificate];
    if (!hail_certificate_parse(&identity->leaf, hail_certificate_der(leaf), report)) {
        hail_identity_free(identity);
        return false;
    }
    EVP_PKEY_up_ref(bundle->keys[key]);
    identity->key = bundle->keys[key];
    if (!take_chain(identity, bundle, certificate, report) || !signs(identity, report)) {
        hail_identity_free(identity);
        return false;
    }
    *out = identity;
    return true;
}

bool hail_identity_load(struct hail_identity **out, struct hail_bytes file, struct hail_bytes key,
                        const char *password, struct hail_fault_report *report)
{
    struct hail_bundle bundle = {0};
    bool loaded =
        hail_bundle_load(&bundle, file, key, password, report) && judge(out, &bundle, report);

    hail_bundle_cleanup(&bundle);
    return loaded;
}

void hail_identity_free(struct hail_identity *identity)
{
    if (!identity)
        return;
    hail_certificate_free(identity->leaf);
    for (size_t i = 0; i < identity->between_count; i++)
        hail_certificate_free(identity->between[i]);
    EVP_PKEY_free(identity->key); // BoringSSL wipes what it frees
    free(identity);
}

struct hail_bytes hail_identity_leaf(const struct hail_identity *identity)
{
    return hail_certificate_der(identity->leaf);
}

bool hail_identity_is_rsa(const struct hail_identity *identity)
{
    return EVP_PKEY_id(identity->key) == EVP_PKEY_RSA;
}

bool hail_identity_sign_rsa(const struct hail_identity *identity, uint8_t out[HAIL_SIGNATURE_MAX],
                            size_t *out_len, struct hail_bytes data)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    unsigned len = 0;

    if (!hail_identity_is_rsa(identity))
        return false;
    SHA256(data.data, data.len, digest);
    if (!RSA_sign(NID_sha256, digest, sizeof digest, out, &len, EVP_PKEY_get0_RSA(identity->key))) {
        ERR_clear_error();
        return false;
    }
    *out_len = len;
    return true;
}

size_t hail_identity_chain_count(const struct hail_identity *identity)
{
    return 1 + identity->between_count;
}

struct hail_bytes hail_identity_chain(const struct hail_identity *identity, size_t index)
{
    HAIL_ASSERT(index <= identity->between_count);
    return hail_certificate_der(index == 0 ? identity->leaf : identity->between[index - 1]);
}

enum hail_scheme hail_identity_scheme(const struct hail_identity *identity)
{
    return hail_key_scheme(identity->key);
}

bool hail_identity_sign(const struct hail_identity *identity, uint8_t out[HAIL_SIGNATURE_MAX],
                        size_t *out_len, struct hail_bytes data)
{
    enum hail_scheme scheme = hail_identity_scheme(identity);
    EVP_PKEY_CTX *details;
    EVP_MD_CTX ctx;
    size_t len = HAIL_SIGNATURE_MAX;

    if (scheme == HAIL_SCHEME_NONE)
        return false;
    EVP_MD_CTX_init(&ctx);
    const EVP_MD *hash = scheme == HAIL_SCHEME_ED25519 ? NULL : EVP_sha256();
    bool good = EVP_DigestSignInit(&ctx, &details, hash, NULL, identity->key) &&
                (scheme != HAIL_SCHEME_RSA_PSS || hail_key_use_pss(details)) &&
                EVP_DigestSign(&ctx, out, &len, data.data, data.len);
    EVP_MD_CTX_cleanup(&ctx);
    if (!good) {
        ERR_clear_error();
        return false;
    }
    *out_len = len;
    return true;
}
