// issue.c: making certificates.
// SPDX-License-Identifier: MIT
#include "crypto/issue.h"
#include "crypto/report.h"
#include "crypto/secret.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pkcs8.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BITS = 2048,
    ED25519_SEED_LEN = 32,
    SERIAL_LEN = 16,       // RFC 5280 section 4.1.2.2 allows 20
    VERSION_3 = 2,         // as it is written in the certificate
    PFX_ITERATIONS = 2048, // what everybody writes in this form
    NAME_MAX_LEN = 253,    // characters of a DNS name
    COMMON_NAME_MAX = 64,  // RFC 5280 appendix A.1
    LINE_BYTES = 48        // bytes that make a line of 64 characters
};

struct hail_issued {
    X509 *x509;
    EVP_PKEY *key;
    uint8_t *der;
    size_t der_len;
};

// Copies what BoringSSL allocated into memory of malloc, and frees it.
static bool hand_over(uint8_t *given, size_t given_len, uint8_t **out, size_t *out_len)
{
    uint8_t *copy = malloc(given_len > 0 ? given_len : 1);

    if (copy) {
        memcpy(copy, given, given_len);
        *out = copy;
        *out_len = given_len;
    }
    OPENSSL_free(given); // wipes
    return copy != NULL;
}

static EVP_PKEY *make_rsa(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    RSA *rsa = RSA_new();
    BIGNUM *exponent = BN_new();

    bool made = key && rsa && exponent && BN_set_word(exponent, RSA_F4) &&
                RSA_generate_key_ex(rsa, KEY_BITS, exponent, NULL) && EVP_PKEY_set1_RSA(key, rsa);
    RSA_free(rsa);
    BN_free(exponent);
    if (made)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *make_p256(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    bool made = ec && key && EC_KEY_generate_key(ec) && EVP_PKEY_set1_EC_KEY(key, ec);

    EC_KEY_free(ec);
    if (made)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *make_key(enum hail_issue_key kind)
{
    uint8_t seed[ED25519_SEED_LEN];

    switch (kind) {
    case HAIL_ISSUE_RSA:
        return make_rsa();
    case HAIL_ISSUE_P256:
        return make_p256();
    case HAIL_ISSUE_ED25519:
        break;
    }
    RAND_bytes(seed, sizeof seed);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    hail_wipe(seed, sizeof seed);
    return key;
}

static bool set_serial(X509 *x509)
{
    uint8_t serial[SERIAL_LEN];

    RAND_bytes(serial, sizeof serial);
    serial[0] = (serial[0] & 0x7f) | 0x40; // positive, and of full length
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
    BN_free(number);
    return set;
}

static bool set_subject(X509 *x509, const char *common_name)
{
    return X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName, MBSTRING_UTF8,
                                      (const uint8_t *)common_name, -1, -1, 0);
}

// Host names are letters, digits, hyphens and dots; an underscore is seen in the wild, and a star
// stands for a label.
static bool is_host_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_LEN && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*") ==
               len;
}

static GENERAL_NAME *make_name(const char *name)
{
    uint8_t address[16];
    int address_len = inet_pton(AF_INET, name, address) == 1    ? 4
                      : inet_pton(AF_INET6, name, address) == 1 ? 16
                                                                : 0;
    GENERAL_NAME *made = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(address_len ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

    if (!made || !value ||
        !(address_len ? ASN1_STRING_set(value, address, address_len)
                      : ASN1_STRING_set(value, name, (int)strlen(name)))) {
        GENERAL_NAME_free(made);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(made, address_len ? GEN_IPADD : GEN_DNS, value);
    return made;
}

static bool set_names(X509 *x509, const struct hail_issue_terms *terms)
{
    if (terms->name_count == 0)
        return true;
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool set = names != NULL;

    for (size_t i = 0; set && i < terms->name_count; i++) {
        GENERAL_NAME *name = make_name(terms->names[i]);
        set = name && sk_GENERAL_NAME_push(names, name);
        if (!set)
            GENERAL_NAME_free(name);
    }
    set = set && X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT);
    GENERAL_NAMES_free(names);
    return set;
}

static bool add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    bool added = extension && X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static bool set_use(X509 *x509, X509 *issuer, enum hail_issue_use use)
{
    bool is_ca = use == HAIL_ISSUE_CA;

    return add_extension(x509, issuer, NID_basic_constraints,
                         is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_extension(x509, issuer, NID_key_usage,
                         is_ca ? "critical,keyCertSign,cRLSign"
                               : "critical,digitalSignature,keyEncipherment") &&
           (is_ca || add_extension(x509, issuer, NID_ext_key_usage,
                                   use == HAIL_ISSUE_SERVER ? "serverAuth" : "clientAuth")) &&
           add_extension(x509, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always");
}

// Ed25519 hashes by itself.
static const EVP_MD *hash_for(const EVP_PKEY *key)
{
    return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

static bool fill(struct hail_issued *issued, const struct hail_issued *issuer,
                 const struct hail_issue_terms *terms)
{
    X509 *x509 = issued->x509;

    if (!X509_set_version(x509, VERSION_3) || !set_serial(x509) ||
        !set_subject(x509, terms->common_name) ||
        !X509_set_issuer_name(x509, X509_get_subject_name(issuer->x509)) ||
        !ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)terms->from_s) ||
        !ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)terms->to_s) ||
        !X509_set_pubkey(x509, issued->key) || !set_use(x509, issuer->x509, terms->use) ||
        !set_names(x509, terms) || !X509_sign(x509, issuer->key, hash_for(issuer->key)))
        return false;

    uint8_t *der = NULL;
    int len = i2d_X509(x509, &der);
    return len > 0 && hand_over(der, (size_t)len, &issued->der, &issued->der_len);
}

static bool names_fit(const struct hail_issue_terms *terms, struct hail_fault_report *report)
{
    uint8_t address[16];
    size_t len = strlen(terms->common_name);

    if (len == 0 || len > COMMON_NAME_MAX)
        return hail_report_set(report, HAIL_FAULT_WRONG_NAME,
                               "the common name \"%.80s\" is not of 1 to %d characters",
                               terms->common_name, COMMON_NAME_MAX);
    for (size_t i = 0; i < terms->name_count; i++) {
        const char *name = terms->names[i];
        if (inet_pton(AF_INET, name, address) != 1 && inet_pton(AF_INET6, name, address) != 1 &&
            !is_host_name(name))
            return hail_report_set(report, HAIL_FAULT_WRONG_NAME,
                                   "\"%.80s\" is neither a host name nor an IP address, which is "
                                   "what a certificate can carry",
                                   name);
    }
    return true;
}

bool hail_issue(struct hail_issued **out, const struct hail_issued *issuer,
                const struct hail_issue_terms *terms, struct hail_fault_report *report)
{
    if (!names_fit(terms, report))
        return false;

    struct hail_issued *issued = calloc(1, sizeof *issued);
    if (!issued)
        return hail_report_no_memory(report);
    issued->x509 = X509_new();
    if (terms->same_key) {
        EVP_PKEY_up_ref(terms->same_key->key);
        issued->key = terms->same_key->key;
    } else {
        issued->key = make_key(terms->key);
    }
    if (!issued->x509 || !issued->key || !fill(issued, issuer ? issuer : issued, terms)) {
        hail_issued_free(issued);
        return hail_report_set(report, HAIL_FAULT_SYSTEM,
                               "the certificate of \"%.80s\" could not be made: memory is short, "
                               "or its times are out of range",
                               terms->common_name);
    }
    *out = issued;
    return true;
}

void hail_issued_free(struct hail_issued *issued)
{
    if (!issued)
        return;
    X509_free(issued->x509);
    EVP_PKEY_free(issued->key);
    free(issued->der);
    free(issued);
}

struct hail_bytes hail_issued_der(const struct hail_issued *issued)
{
    return (struct hail_bytes){issued->der, issued->der_len};
}

// Hands over what was written into `bio`, if `written`, and frees it.
static bool finish(BIO *bio, bool written, uint8_t **out, size_t *out_len)
{
    const uint8_t *text;
    size_t len;

    written = written && BIO_mem_contents(bio, &text, &len);
    uint8_t *copy = written ? malloc(len) : NULL;
    if (copy) {
        memcpy(copy, text, len);
        *out = copy;
        *out_len = len;
    }
    BIO_free(bio);
    ERR_clear_error();
    return copy != NULL;
}

bool hail_issued_certificate_pem(const struct hail_issued *issued, uint8_t **out, size_t *out_len)
{
    BIO *bio = BIO_new(BIO_s_mem());

    return finish(bio, bio && PEM_write_bio_X509(bio, issued->x509), out, out_len);
}

bool hail_issued_key_pem(const struct hail_issued *issued, uint8_t **out, size_t *out_len)
{
    BIO *bio = BIO_new(BIO_s_mem());

    return finish(bio,
                  bio && PEM_write_bio_PKCS8PrivateKey(bio, issued->key, NULL, NULL, 0, NULL, NULL),
                  out, out_len);
}

bool hail_pfx_write(const struct hail_pfx_content *content, uint8_t **out, size_t *out_len)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    const EVP_PKEY *key = content->key ? content->key->key : NULL;
    X509 *leaf = content->certificate ? content->certificate->x509 : NULL;
    X509 *ca = content->ca ? content->ca->x509 : NULL;
    uint8_t *der = NULL;
    int len = -1;

    // BoringSSL names a leaf only together with its own key; any other goes with the chain.
    bool paired = leaf && key && X509_check_private_key(leaf, key);
    bool listed = others && (paired || !leaf || sk_X509_push(others, leaf)) &&
                  (!ca || sk_X509_push(others, ca));
    if (listed) {
        const int nid = NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
        PKCS12 *pfx = PKCS12_create(content->password, NULL, key, paired ? leaf : NULL, others, nid,
                                    nid, PFX_ITERATIONS, PFX_ITERATIONS, 0);
        len = pfx ? i2d_PKCS12(pfx, &der) : -1;
        PKCS12_free(pfx);
    }
    sk_X509_free(others);
    ERR_clear_error();
    return len > 0 && hand_over(der, (size_t)len, out, out_len);
}

bool hail_base64_write(struct hail_bytes bytes, uint8_t **out, size_t *out_len)
{
    size_t rows = (bytes.len + LINE_BYTES - 1) / LINE_BYTES;
    uint8_t *text = malloc(rows * (LINE_BYTES / 3 * 4 + 1) + 1);
    size_t len = 0;

    if (!text)
        return false;
    for (size_t at = 0; at < bytes.len; at += LINE_BYTES) {
        size_t row = bytes.len - at < LINE_BYTES ? bytes.len - at : LINE_BYTES;
        len += EVP_EncodeBlock(text + len, bytes.data + at, row); // and a zero that is written over
        text[len++] = '\n';
    }
    *out = text;
    *out_len = len;
    return true;
}
