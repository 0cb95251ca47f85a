// bundle.c: the certificates and private keys that a file holds.
// SPDX-License-Identifier: MIT
#include "crypto/bundle.h"
#include "crypto/ber.h"
#include "crypto/certificate.h"
#include "crypto/pem.h"
#include "crypto/pfx.h"
#include "crypto/report.h"
#include "crypto/secret.h"
#include "crypto/text.h"

#include <openssl/base64.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <stdio.h>

enum {
    SEQUENCE = 0x30 // the first byte of every PFX and certificate
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_base64(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
}

bool hail_bundle_add_certificate(struct hail_bundle *bundle, struct hail_bytes der,
                                 struct hail_fault_report *report)
{
    if (bundle->certificate_count == HAIL_BUNDLE_CERTIFICATES_MAX)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file holds more than %d certificates; leave those of the "
                               "server's chain",
                               HAIL_BUNDLE_CERTIFICATES_MAX);
    if (!hail_certificate_parse(&bundle->certificates[bundle->certificate_count], der, report))
        return false;
    bundle->certificate_count++;
    return true;
}

bool hail_bundle_take_key(struct hail_bundle *bundle, EVP_PKEY *key,
                          struct hail_fault_report *report)
{
    if (bundle->key_count == HAIL_BUNDLE_KEYS_MAX) {
        EVP_PKEY_free(key);
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file holds more than %d private keys; leave the server's",
                               HAIL_BUNDLE_KEYS_MAX);
    }
    bundle->keys[bundle->key_count++] = key;
    return true;
}

void hail_bundle_pass_over(struct hail_bundle *bundle, const char *kind)
{
    if (bundle->passed_over[0] == '\0')
        snprintf(bundle->passed_over, sizeof bundle->passed_over, "%s", kind);
}

// Reads the kind of a PrivateKeyInfo; false: it is none.
static bool read_kind(struct hail_key_kind *kind, CBS in)
{
    CBS info;
    CBS algorithm;
    uint64_t version;

    if (!CBS_get_asn1(&in, &info, CBS_ASN1_SEQUENCE) || !CBS_get_asn1_uint64(&info, &version) ||
        !CBS_get_asn1(&info, &algorithm, CBS_ASN1_SEQUENCE))
        return false;
    hail_key_kind_parse(kind, algorithm);
    return true;
}

bool hail_bundle_add_key(struct hail_bundle *bundle, struct hail_bytes info,
                         struct hail_fault_report *report)
{
    struct hail_key_kind kind;
    uint8_t *der = NULL;
    size_t der_len = 0;
    CBS in;

    bool converted = hail_ber_convert(&der, &der_len, info);
    CBS_init(&in, der, der_len);
    bool known = converted && read_kind(&kind, in);
    bool signs = known && kind.use == HAIL_KEY_SIGNS;
    EVP_PKEY *key = signs ? EVP_parse_private_key(&in) : NULL;
    OPENSSL_free(der); // wipes
    if (known && !signs) {
        hail_bundle_pass_over(bundle, kind.name);
        return true;
    }
    if (!key)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the private key cannot be read: it is damaged; export it again");
    return hail_bundle_take_key(bundle, key, report);
}

// Decodes base64 with white space in it and hands it on as a PFX.
static bool read_base64(struct hail_bundle *bundle, struct hail_bytes file, const char *password,
                        struct hail_fault_report *report)
{
    uint8_t *text = OPENSSL_malloc(file.len);
    uint8_t *der = OPENSSL_malloc(file.len);
    size_t text_len = 0;
    size_t der_len = 0;
    bool read = false;

    if (!text || !der) {
        hail_report_no_memory(report);
        goto out;
    }
    for (size_t i = 0; i < file.len; i++) {
        if (!is_space(file.data[i]))
            text[text_len++] = file.data[i];
    }
    if (!EVP_DecodeBase64(der, &der_len, file.len, text, text_len)) {
        hail_report_set(report, HAIL_FAULT_FORMAT,
                        "the base64 is damaged or cut short: %zu characters do not decode; copy "
                        "the whole text again",
                        text_len);
        goto out;
    }
    struct hail_bytes inside = {der, der_len};
    if (hail_pem_looks_like(inside)) // secrets of containers are kept so
        read = hail_pem_read(bundle, inside, password, report);
    else
        read = hail_pfx_read(bundle, inside, password, report);
out:
    OPENSSL_free(text);
    OPENSSL_free(der);
    return read;
}

// Says whether `der` is one certificate, as .cer and .crt files are.
static bool is_certificate(struct hail_bytes der)
{
    struct hail_fault_report unused;
    struct hail_certificate *certificate;

    if (!hail_certificate_parse(&certificate, der, &unused))
        return false;
    hail_certificate_free(certificate);
    return true;
}

static bool read_text(struct hail_bundle *bundle, struct hail_bytes file, const char *password,
                      struct hail_fault_report *report)
{
    if (hail_pem_looks_like(file))
        return hail_pem_read(bundle, file, password, report);

    // In DER a length above 127 follows, which has the top bit and so cannot be base64.
    if (file.len >= 2 && file.data[0] == SEQUENCE && file.data[1] >= 0x80) {
        if (is_certificate(file))
            return hail_bundle_add_certificate(bundle, file, report);
        return hail_pfx_read(bundle, file, password, report);
    }
    size_t text_len = 0;
    for (size_t i = 0; i < file.len; i++) {
        if (!is_space(file.data[i]) && !is_base64(file.data[i]))
            return hail_report_set(report, HAIL_FAULT_FORMAT,
                                   "the file is neither a PFX (in DER or base64) nor PEM; give "
                                   "the server's PFX, or its certificate and key in PEM");
        text_len += !is_space(file.data[i]);
    }
    if (text_len == 0)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file is empty; give the server's PFX, or its certificate and "
                               "key in PEM");
    return read_base64(bundle, file, password, report);
}

bool hail_bundle_read(struct hail_bundle *bundle, struct hail_bytes file, const char *password,
                      struct hail_fault_report *report)
{
    struct hail_text text;

    if (!hail_text_init(&text, file))
        return hail_report_no_memory(report);
    bool read = read_text(bundle, text.bytes, password, report);
    hail_text_cleanup(&text);
    return read;
}

bool hail_bundle_load(struct hail_bundle *bundle, struct hail_bytes file, struct hail_bytes key,
                      const char *password, struct hail_fault_report *report)
{
    if (!hail_bundle_read(bundle, file, password, report))
        return false;
    size_t certificate_count = bundle->certificate_count;
    if (key.len > 0 && !hail_bundle_read(bundle, key, password, report))
        return false;
    hail_bundle_cut(bundle, certificate_count, bundle->key_count);
    return true;
}

void hail_bundle_cut(struct hail_bundle *bundle, size_t certificate_count, size_t key_count)
{
    while (bundle->certificate_count > certificate_count)
        hail_certificate_free(bundle->certificates[--bundle->certificate_count]);
    while (bundle->key_count > key_count)
        EVP_PKEY_free(bundle->keys[--bundle->key_count]);
}

void hail_bundle_cleanup(struct hail_bundle *bundle)
{
    hail_bundle_cut(bundle, 0, 0);
}

size_t hail_bundle_key_of(const struct hail_bundle *bundle, size_t i)
{
    const EVP_PKEY *public_key = bundle->certificates[i]->key;
    size_t key = 0;

    while (key < bundle->key_count &&
           !(public_key && EVP_PKEY_cmp(public_key, bundle->keys[key]) == 1))
        key++;
    ERR_clear_error();
    return key;
}

// Whether the private keys can sign here, and the first certificate's key is of a kind that is used
// at all, if only by issuers.
static bool judge_kinds(const struct hail_bundle *bundle, struct hail_fault_report *report)
{
    const struct hail_certificate *first = bundle->certificates[0];

    if (bundle->passed_over[0] != '\0')
        return hail_report_set(report, HAIL_FAULT_KEY_KIND,
                               "the private key is %s, which cannot sign here; issue the server a "
                               "certificate with an RSA key of 2048 bits",
                               bundle->passed_over);
    return bundle->certificate_count == 0 || first->kind.use != HAIL_KEY_REFUSED ||
           hail_certificate_judge(first, true, report);
}

bool hail_bundle_pair(const struct hail_bundle *bundle, size_t *certificate, size_t *key,
                      struct hail_fault_report *report)
{
    char subject[HAIL_SUBJECT_MAX];

    for (size_t i = 0; i < bundle->certificate_count; i++) {
        size_t found = hail_bundle_key_of(bundle, i);
        if (found < bundle->key_count) {
            *certificate = i;
            *key = found;
            return true;
        }
    }
    if (!judge_kinds(bundle, report))
        return false;
    if (bundle->certificate_count == 0 && bundle->key_count == 0)
        return hail_report_set(report, HAIL_FAULT_NO_CERTIFICATE,
                               "the file holds neither certificate nor private key");
    if (bundle->certificate_count == 0)
        return hail_report_set(report, HAIL_FAULT_NO_CERTIFICATE,
                               "there is a private key and no certificate; put the server's "
                               "certificate, and its chain after it, into the file");
    hail_certificate_subject(bundle->certificates[0], subject);
    if (bundle->key_count == 0)
        return hail_report_set(report, HAIL_FAULT_NO_KEY,
                               "the certificate of %s came without its private key; export it "
                               "with the key, or give the key file too",
                               subject);
    return hail_report_set(report, HAIL_FAULT_KEY_MISMATCH,
                           "the certificate is for %s, and the private key is another's; export "
                           "both from the same store",
                           subject);
}
