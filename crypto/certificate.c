// certificate.c: certificates that peers and files show: parsed, described, and asked whether a
// signature is theirs.
// SPDX-License-Identifier: MIT
#include "crypto/certificate.h"
#include "crypto/report.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/dsa.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RSA_BITS_MIN = 1024,
    PSS_BITS_MIN = 2048,
    DSA_P_BITS = 1024,
    DSA_Q_BITS = 160,
    DSA_HALF = DSA_Q_BITS / 8 // bytes of r, and of s
};

// Text that is cut to its buffer and stays terminated.
struct writer {
    char *text;
    size_t left; // the terminator's byte included
};

static void HAIL_FORMAT(2, 3) put(struct writer *writer, const char *format, ...)
{
    va_list args;

    if (writer->left == 0)
        return;
    va_start(args, format);
    int len = vsnprintf(writer->text, writer->left, format, args);
    va_end(args);
    size_t taken = len < 0 ? 0 : (size_t)len < writer->left ? (size_t)len : writer->left - 1;
    writer->text += taken;
    writer->left -= taken;
}

static void put_name(struct writer *writer, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *text;
    size_t len = 0;

    // The flags escape control characters and what is not ASCII.
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~XN_FLAG_DN_REV) >= 0 &&
        BIO_mem_contents(bio, &text, &len) && len > 0)
        put(writer, "%.*s", (int)len, (const char *)text);
    else
        put(writer, "(no name)");
    BIO_free(bio);
    ERR_clear_error();
}

void hail_certificate_subject(const struct hail_certificate *certificate,
                              char text[HAIL_SUBJECT_MAX])
{
    struct writer writer = {text, HAIL_SUBJECT_MAX};

    put_name(&writer, X509_get_subject_name(certificate->x509));
}

void hail_time_describe(const ASN1_TIME *time, char text[HAIL_TIME_MAX])
{
    struct writer writer = {text, HAIL_TIME_MAX};
    ASN1_GENERALIZEDTIME *general = ASN1_TIME_to_generalizedtime(time, NULL);
    const char *t = general ? (const char *)ASN1_STRING_get0_data(general) : NULL;

    if (t && ASN1_STRING_length(general) >= 14)
        put(&writer, "%.4s-%.2s-%.2s %.2s:%.2s:%.2s UTC", t, t + 4, t + 6, t + 8, t + 10, t + 12);
    else
        put(&writer, "(unreadable)");
    ASN1_GENERALIZEDTIME_free(general);
    ERR_clear_error();
}

// What the key is; its size only where its kind is one of ours and has several.
static void put_key(struct writer *writer, const struct hail_certificate *certificate)
{
    const struct hail_key_kind *kind = &certificate->kind;

    if (certificate->key && EVP_PKEY_id(certificate->key) == EVP_PKEY_RSA)
        put(writer, "%s, %d bits", kind->name, EVP_PKEY_bits(certificate->key));
    else if (kind->use == HAIL_KEY_SIGNS && !certificate->key)
        put(writer, "%s, but not readable", kind->name);
    else
        put(writer, "%s", kind->name);
}

bool hail_certificate_parse(struct hail_certificate **out, struct hail_bytes der,
                            struct hail_fault_report *report)
{
    CBS in;
    CBS element;

    if (der.len > HAIL_CERTIFICATE_MAX)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the certificate has %zu bytes; at most %d are taken", der.len,
                               HAIL_CERTIFICATE_MAX);
    CBS_init(&in, der.data, der.len);
    if (!CBS_get_asn1_element(&in, &element, CBS_ASN1_SEQUENCE) || CBS_len(&in) != 0)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the certificate is damaged: it is not one whole DER structure");

    struct hail_certificate *certificate = calloc(1, sizeof *certificate);
    if (!certificate)
        return hail_report_no_memory(report);
    const uint8_t *next = der.data;
    certificate->x509 = d2i_X509(NULL, &next, (long)der.len);
    certificate->der = malloc(der.len);
    certificate->der_len = der.len;
    if (!certificate->x509 || next != der.data + der.len || !certificate->der) {
        hail_certificate_free(certificate);
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the certificate is damaged: it is not X.509");
    }
    memcpy(certificate->der, der.data, der.len);
    hail_key_kind_of(&certificate->kind, certificate->x509);
    if (certificate->kind.use == HAIL_KEY_SIGNS) // d2i_X509 has left the key as it was
        certificate->key = X509_get_pubkey(certificate->x509);
    ERR_clear_error();
    *out = certificate;
    return true;
}

void hail_certificate_free(struct hail_certificate *certificate)
{
    if (!certificate)
        return;
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    free(certificate->der);
    free(certificate);
}

struct hail_bytes hail_certificate_der(const struct hail_certificate *certificate)
{
    return (struct hail_bytes){certificate->der, certificate->der_len};
}

static bool wrong_kind(const struct hail_certificate *certificate, const char *way_out,
                       struct hail_fault_report *report)
{
    char subject[HAIL_SUBJECT_MAX];
    char kind[HAIL_KIND_NAME_MAX + 32];
    struct writer writer = {kind, sizeof kind};

    hail_certificate_subject(certificate, subject);
    put_key(&writer, certificate);
    return hail_report_set(report, HAIL_FAULT_KEY_KIND,
                           "the key of the certificate of %s is %s; %s", subject, kind, way_out);
}

bool hail_certificate_judge(const struct hail_certificate *certificate, bool mlapi,
                            struct hail_fault_report *report)
{
    enum hail_key_use use = certificate->kind.use;

    return certificate->key || (mlapi && use == HAIL_KEY_MLAPI) ||
           wrong_kind(certificate, "issue the server one with an RSA, P-256 or Ed25519 key",
                      report);
}

static bool rsa_verifies(const RSA *rsa, struct hail_bytes data, struct hail_bytes signature)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];

    SHA256(data.data, data.len, digest);
    // BoringSSL takes the key without const and does not write to it.
    return RSA_verify(NID_sha256, digest, sizeof digest, signature.data, signature.len,
                      (RSA *)(uintptr_t)rsa);
}

static bool rsa_size_fits(const EVP_PKEY *key)
{
    return EVP_PKEY_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) >= RSA_BITS_MIN &&
           EVP_PKEY_bits(key) <= HAIL_SIGNATURE_MAX * 8;
}

// The DSA key of a certificate, if it has one of the size that MLAPI has. The caller frees it.
static EVP_PKEY *dsa_key(const struct hail_certificate *certificate)
{
    EVP_PKEY *key =
        certificate->kind.use == HAIL_KEY_MLAPI ? X509_get_pubkey(certificate->x509) : NULL;
    const DSA *dsa = key ? EVP_PKEY_get0_DSA(key) : NULL;
    const BIGNUM *p = NULL;
    const BIGNUM *q = NULL;

    if (dsa)
        DSA_get0_pqg(dsa, &p, &q, NULL);
    ERR_clear_error();
    if (p && q && BN_num_bits(p) == DSA_P_BITS && BN_num_bits(q) == DSA_Q_BITS)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static bool dsa_verifies(const DSA *dsa, struct hail_bytes data, struct hail_bytes signature)
{
    uint8_t inner[SHA256_DIGEST_LENGTH];
    uint8_t digest[SHA_DIGEST_LENGTH];
    int valid = 0;

    if (signature.len != 2 * DSA_HALF)
        return false;
    DSA_SIG *pair = DSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature.data, DSA_HALF, NULL);
    BIGNUM *s = BN_bin2bn(signature.data + DSA_HALF, DSA_HALF, NULL);
    if (!pair || !r || !s || !DSA_SIG_set0(pair, r, s)) {
        BN_free(r);
        BN_free(s);
        DSA_SIG_free(pair);
        return false;
    }
    SHA256(data.data, data.len, inner);
    SHA1(inner, sizeof inner, digest);
    bool checked = DSA_do_check_signature(&valid, digest, sizeof digest, pair, dsa);
    DSA_SIG_free(pair);
    return checked && valid == 1;
}

static bool not_signed(const struct hail_certificate *certificate, struct hail_fault_report *report)
{
    char subject[HAIL_SUBJECT_MAX];

    hail_certificate_subject(certificate, subject);
    return hail_report_set(report, HAIL_FAULT_SIGNATURE,
                           "the signature was not made by the key of the certificate of %s, or "
                           "what it signs was changed on the way",
                           subject);
}

bool hail_certificate_suits(const struct hail_certificate *certificate,
                            enum hail_signature_kind kind, struct hail_fault_report *report)
{
    EVP_PKEY *dsa = NULL;
    bool suits = false;

    switch (kind) {
    case HAIL_SIGNATURE_RSA:
        return (certificate->key && rsa_size_fits(certificate->key)) ||
               wrong_kind(certificate, "this signature needs RSA of 1024 to 8192 bits", report);
    case HAIL_SIGNATURE_DSA:
        dsa = dsa_key(certificate);
        suits = dsa != NULL;
        EVP_PKEY_free(dsa);
        break;
    }
    return suits || wrong_kind(certificate,
                               "this signature needs DSA of 1024 bits, with a q of 160", report);
}

bool hail_certificate_signed(const struct hail_certificate *certificate,
                             enum hail_signature_kind kind, struct hail_bytes data,
                             struct hail_bytes signature, struct hail_fault_report *report)
{
    bool verified = false;

    if (!hail_certificate_suits(certificate, kind, report))
        return false;
    if (kind == HAIL_SIGNATURE_RSA) {
        verified = rsa_verifies(EVP_PKEY_get0_RSA(certificate->key), data, signature);
    } else {
        EVP_PKEY *key = dsa_key(certificate);
        verified = key && dsa_verifies(EVP_PKEY_get0_DSA(key), data, signature);
        EVP_PKEY_free(key);
    }
    ERR_clear_error();
    return verified || not_signed(certificate, report);
}

enum hail_scheme hail_key_scheme(const EVP_PKEY *key)
{
    switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_RSA:
        return EVP_PKEY_bits(key) >= PSS_BITS_MIN && EVP_PKEY_bits(key) <= HAIL_SIGNATURE_MAX * 8
                   ? HAIL_SCHEME_RSA_PSS
                   : HAIL_SCHEME_NONE;
    case EVP_PKEY_EC: // on P-256: no other curve gets this far
        return HAIL_SCHEME_ECDSA_P256;
    case EVP_PKEY_ED25519:
        return HAIL_SCHEME_ED25519;
    default:
        return HAIL_SCHEME_NONE;
    }
}

bool hail_key_use_pss(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, -1); // as long as the hash
}

bool hail_certificate_serves(const struct hail_certificate *certificate,
                             struct hail_fault_report *report)
{
    return (certificate->key && hail_key_scheme(certificate->key) != HAIL_SCHEME_NONE) ||
           wrong_kind(certificate, "a server needs RSA of 2048 bits and more, P-256 or Ed25519",
                      report);
}

bool hail_certificate_verify(const struct hail_certificate *certificate, enum hail_scheme scheme,
                             struct hail_bytes data, struct hail_bytes signature,
                             struct hail_fault_report *report)
{
    EVP_PKEY_CTX *details;
    EVP_MD_CTX ctx;

    if (!certificate->key || scheme == HAIL_SCHEME_NONE ||
        hail_key_scheme(certificate->key) != scheme)
        return wrong_kind(certificate,
                          "this signature needs RSA of 2048 bits and more, P-256 or Ed25519, and "
                          "the scheme that goes with it",
                          report);
    EVP_MD_CTX_init(&ctx);
    const EVP_MD *hash = scheme == HAIL_SCHEME_ED25519 ? NULL : EVP_sha256();
    bool good = EVP_DigestVerifyInit(&ctx, &details, hash, NULL, certificate->key) &&
                (scheme != HAIL_SCHEME_RSA_PSS || hail_key_use_pss(details)) &&
                EVP_DigestVerify(&ctx, signature.data, signature.len, data.data, data.len);
    EVP_MD_CTX_cleanup(&ctx);
    ERR_clear_error();
    return good || not_signed(certificate, report);
}

static void put_dns(struct writer *writer, const ASN1_STRING *name)
{
    const uint8_t *c = ASN1_STRING_get0_data(name);

    for (int i = 0; i < ASN1_STRING_length(name); i++)
        put(writer, "%c", c[i] >= 0x20 && c[i] <= 0x7e ? c[i] : '?');
}

static void put_ip(struct writer *writer, const ASN1_STRING *address)
{
    char text[INET6_ADDRSTRLEN] = "(bad address)";
    int len = ASN1_STRING_length(address);

    if (len == 4)
        inet_ntop(AF_INET, ASN1_STRING_get0_data(address), text, sizeof text);
    else if (len == 16)
        inet_ntop(AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
    put(writer, "%s", text);
}

static void put_alternatives(struct writer *writer, const X509 *x509)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    const char *comma = "";

    for (size_t i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue; // of no use to a client of ours
        put(writer, "%s", comma);
        if (name->type == GEN_DNS)
            put_dns(writer, name->d.dNSName);
        else
            put_ip(writer, name->d.iPAddress);
        comma = ", ";
    }
    if (*comma == '\0')
        put(writer, "none: clients look for the host here, and not in the subject");
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}

void hail_certificate_describe(const struct hail_certificate *certificate, char *text,
                               size_t text_len)
{
    struct writer writer = {text, text_len};
    uint8_t print[SHA256_DIGEST_LENGTH];
    char from[HAIL_TIME_MAX];
    char to[HAIL_TIME_MAX];

    put(&writer, "subject      ");
    put_name(&writer, X509_get_subject_name(certificate->x509));
    put(&writer, "\nissuer       ");
    put_name(&writer, X509_get_issuer_name(certificate->x509));
    put(&writer, "\nnames        ");
    put_alternatives(&writer, certificate->x509);
    hail_time_describe(X509_get0_notBefore(certificate->x509), from);
    hail_time_describe(X509_get0_notAfter(certificate->x509), to);
    put(&writer, "\nvalid        from %s to %s\nkey          ", from, to);
    put_key(&writer, certificate);
    put(&writer, "\nfingerprint  SHA-256 ");
    SHA256(certificate->der, certificate->der_len, print);
    for (size_t i = 0; i < sizeof print; i++)
        put(&writer, "%s%02x", i ? ":" : "", print[i]);
    put(&writer, "\n");
}
