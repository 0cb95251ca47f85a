// kind.c: see kind.h.
// SPDX-License-Identifier: MIT
#include "crypto/kind.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/obj.h>
#include <stdio.h>
#include <string.h>

enum {
    ABSENT = 0 // the tag of parameters that are not there
};

// An algorithm identifier: what it names, and the form of its parameters.
struct algorithm {
    CBS oid;
    unsigned parameters; // their tag
    CBS curve;           // their content, if they are an OID
};

// Keys by their algorithm. `odd` is the name of those whose parameters have another form, which
// are refused; NULL: refused they are anyway.
static const struct {
    const char *oid;
    const char *name;
    enum hail_key_use use;
    unsigned parameters;
    const char *odd;
} keys[] = {
    {"1.2.840.113549.1.1.1", "RSA", HAIL_KEY_SIGNS, CBS_ASN1_NULL, "RSA with odd parameters"},
    {"1.3.101.112", "Ed25519", HAIL_KEY_SIGNS, ABSENT, "Ed25519 with parameters"},
    {"1.2.840.10040.4.1", "DSA", HAIL_KEY_MLAPI, CBS_ASN1_SEQUENCE, "DSA without its parameters"},
    {"1.2.840.113549.1.1.7", "RSAES-OAEP", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.840.113549.1.1.10", "RSASSA-PSS", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.840.113549.1.3.1", "DH", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.840.10046.2.1", "X9.42 DH", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.2.1.1.22", "KEA", HAIL_KEY_REFUSED, 0, NULL},
    {"1.3.132.1.12", "ECDH", HAIL_KEY_REFUSED, 0, NULL},
    {"1.3.132.1.13", "ECMQV", HAIL_KEY_REFUSED, 0, NULL},
    {"1.3.101.110", "X25519", HAIL_KEY_REFUSED, 0, NULL},
    {"1.3.101.111", "X448", HAIL_KEY_REFUSED, 0, NULL},
    {"1.3.101.113", "Ed448", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.643.2.2.20", "GOST R 34.10-94", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.643.2.2.19", "GOST R 34.10-2001", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.643.7.1.1.1.1", "GOST R 34.10-2012, 256 bits", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.643.7.1.1.1.2", "GOST R 34.10-2012, 512 bits", HAIL_KEY_REFUSED, 0, NULL},
    {"1.2.840.113549.1.9.16.3.17", "HSS/LMS", HAIL_KEY_REFUSED, 0, NULL},
    {"1.3.6.1.5.5.7.6.34", "XMSS", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.3.4.3.17", "ML-DSA-44", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.3.4.3.18", "ML-DSA-65", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.3.4.3.19", "ML-DSA-87", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.3.4.3.20", "SLH-DSA-SHA2-128s", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.3.4.4.1", "ML-KEM-512", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.3.4.4.2", "ML-KEM-768", HAIL_KEY_REFUSED, 0, NULL},
    {"2.16.840.1.101.3.4.4.3", "ML-KEM-1024", HAIL_KEY_REFUSED, 0, NULL},
};

// Keys of id-ecPublicKey by their curve.
static const char ec_public_key[] = "1.2.840.10045.2.1";
static const struct {
    const char *oid;
    const char *name;
    enum hail_key_use use;
} curves[] = {
    {"1.2.840.10045.3.1.7", "EC P-256", HAIL_KEY_SIGNS},
    {"1.3.132.0.33", "EC P-224", HAIL_KEY_ISSUES},
    {"1.3.132.0.34", "EC P-384", HAIL_KEY_ISSUES},
    {"1.3.132.0.35", "EC P-521", HAIL_KEY_ISSUES},
    {"1.2.840.10045.3.1.1", "EC P-192", HAIL_KEY_REFUSED},
    {"1.3.132.0.10", "EC secp256k1", HAIL_KEY_REFUSED},
    {"1.3.36.3.3.2.8.1.1.7", "EC brainpoolP256r1", HAIL_KEY_REFUSED},
    {"1.3.36.3.3.2.8.1.1.11", "EC brainpoolP384r1", HAIL_KEY_REFUSED},
    {"1.3.36.3.3.2.8.1.1.13", "EC brainpoolP512r1", HAIL_KEY_REFUSED},
    {"1.2.156.10197.1.301", "SM2", HAIL_KEY_REFUSED},
};

// Signatures on certificates. What hashes to fewer than 256 bits is not verified: of MD5 and SHA-1
// others than the issuer can make signatures (RFC 8446, section 4.2.3; RFC 6194).
static const struct {
    const char *oid;
    const char *name;
    bool taken;
} signatures[] = {
    {"1.2.840.113549.1.1.11", "RSA with SHA-256", true},
    {"1.2.840.113549.1.1.12", "RSA with SHA-384", true},
    {"1.2.840.113549.1.1.13", "RSA with SHA-512", true},
    {"1.2.840.113549.1.1.14", "RSA with SHA-224", false},
    {"1.2.840.113549.1.1.5", "RSA with SHA-1", false},
    {"1.2.840.113549.1.1.10", "RSASSA-PSS", true},
    {"1.2.840.10045.4.3.2", "ECDSA with SHA-256", true},
    {"1.2.840.10045.4.3.3", "ECDSA with SHA-384", true},
    {"1.2.840.10045.4.3.4", "ECDSA with SHA-512", true},
    {"1.2.840.10045.4.3.1", "ECDSA with SHA-224", false},
    {"1.2.840.10045.4.1", "ECDSA with SHA-1", false},
    {"1.3.101.112", "Ed25519", true},
    {"1.2.840.113549.1.1.2", "RSA with MD2", false},
    {"1.2.840.113549.1.1.3", "RSA with MD4", false},
    {"1.2.840.113549.1.1.4", "RSA with MD5", false},
    {"1.2.840.10040.4.3", "DSA with SHA-1", false},
    {"2.16.840.1.101.3.4.3.1", "DSA with SHA-224", false},
    {"2.16.840.1.101.3.4.3.2", "DSA with SHA-256", false},
    {"1.3.101.113", "Ed448", false},
    {"1.2.156.10197.1.501", "SM2 with SM3", false},
    {"1.2.643.2.2.3", "GOST R 34.10-2001", false},
    {"1.2.643.7.1.1.3.2", "GOST R 34.10-2012, 256 bits", false},
    {"1.2.643.7.1.1.3.3", "GOST R 34.10-2012, 512 bits", false},
    {"2.16.840.1.101.3.4.3.17", "ML-DSA-44", false},
    {"2.16.840.1.101.3.4.3.18", "ML-DSA-65", false},
    {"2.16.840.1.101.3.4.3.19", "ML-DSA-87", false},
};

// Writes an OID in dots, cut to fit; false: it is none, or memory is short.
static bool put_oid(char text[HAIL_KIND_NAME_MAX], const CBS *oid)
{
    char *dotted = CBS_asn1_oid_to_text(oid);
    bool readable = dotted != NULL;

    snprintf(text, HAIL_KIND_NAME_MAX, "%s", readable ? dotted : "not readable");
    OPENSSL_free(dotted);
    return readable;
}

static void set(struct hail_key_kind *kind, enum hail_key_use use, const char *name)
{
    kind->use = use;
    snprintf(kind->name, sizeof kind->name, "%s", name);
}

static void judge_curve(struct hail_key_kind *kind, const struct algorithm *algorithm)
{
    char oid[HAIL_KIND_NAME_MAX];

    switch (algorithm->parameters) {
    case CBS_ASN1_OBJECT:
        break;
    case CBS_ASN1_SEQUENCE:
        set(kind, HAIL_KEY_REFUSED, "EC with explicit parameters");
        return;
    default:
        set(kind, HAIL_KEY_REFUSED, "EC without a named curve");
        return;
    }
    bool readable = put_oid(oid, &algorithm->curve);
    for (size_t i = 0; readable && i < HAIL_COUNTOF(curves); i++) {
        if (strcmp(oid, curves[i].oid) == 0) {
            set(kind, curves[i].use, curves[i].name);
            return;
        }
    }
    kind->use = HAIL_KEY_REFUSED;
    snprintf(kind->name, sizeof kind->name, "EC on curve %.48s", oid);
}

static void judge(struct hail_key_kind *kind, const struct algorithm *algorithm)
{
    char oid[HAIL_KIND_NAME_MAX];

    bool readable = put_oid(oid, &algorithm->oid);
    if (readable && strcmp(oid, ec_public_key) == 0) {
        judge_curve(kind, algorithm);
        return;
    }
    for (size_t i = 0; readable && i < HAIL_COUNTOF(keys); i++) {
        if (strcmp(oid, keys[i].oid) != 0)
            continue;
        if (keys[i].odd && algorithm->parameters != keys[i].parameters)
            set(kind, HAIL_KEY_REFUSED, keys[i].odd);
        else
            set(kind, keys[i].use, keys[i].name);
        return;
    }
    set(kind, HAIL_KEY_REFUSED, oid);
}

// Reads the parameters, one element or none.
static void read_parameters(struct algorithm *algorithm, CBS in)
{
    CBS content;
    unsigned tag;

    algorithm->parameters = ABSENT;
    CBS_init(&algorithm->curve, NULL, 0);
    if (!CBS_get_any_asn1(&in, &content, &tag))
        return;
    algorithm->parameters = tag;
    if (tag == CBS_ASN1_OBJECT)
        algorithm->curve = content;
}

void hail_key_kind_parse(struct hail_key_kind *kind, CBS algorithm)
{
    struct algorithm read;

    if (!CBS_get_asn1(&algorithm, &read.oid, CBS_ASN1_OBJECT))
        CBS_init(&read.oid, NULL, 0);
    read_parameters(&read, algorithm);
    judge(kind, &read);
}

void hail_key_kind_parse_curve(struct hail_key_kind *kind, CBS parameters)
{
    struct algorithm read;

    read_parameters(&read, parameters);
    judge_curve(kind, &read);
}

void hail_key_kind_of(struct hail_key_kind *kind, const X509 *x509)
{
    X509_ALGOR *algorithm;
    uint8_t *der = NULL;
    CBS in;
    CBS content;

    X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, X509_get_X509_PUBKEY(x509));
    int len = i2d_X509_ALGOR(algorithm, &der);
    CBS_init(&in, der, len > 0 ? (size_t)len : 0);
    if (!CBS_get_asn1(&in, &content, CBS_ASN1_SEQUENCE))
        CBS_init(&content, NULL, 0);
    hail_key_kind_parse(kind, content);
    OPENSSL_free(der);
}

// The hash that RSASSA-PSS names in its parameters; SHA-1 where it names none (RFC 4055, section
// 3.1).
static bool names_good_hash(int type, const void *parameters)
{
    static const char *const good[] = {"2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2",
                                       "2.16.840.1.101.3.4.2.3"};
    const ASN1_STRING *text = parameters;
    char name[HAIL_KIND_NAME_MAX];
    CBS in;
    CBS sequence;
    CBS hash;
    CBS oid;

    if (type != V_ASN1_SEQUENCE || !text)
        return false;
    CBS_init(&in, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    if (!CBS_get_asn1(&in, &sequence, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &in, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) ||
        !CBS_get_asn1(&in, &hash, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&hash, &oid, CBS_ASN1_OBJECT) || !put_oid(name, &oid))
        return false;
    for (size_t i = 0; i < HAIL_COUNTOF(good); i++) {
        if (strcmp(name, good[i]) == 0)
            return true;
    }
    return false;
}

bool hail_kind_signed(const X509 *x509, char name[HAIL_KIND_NAME_MAX])
{
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *object;
    const void *parameters;
    int type;
    CBS oid;

    X509_get0_signature(NULL, &algorithm, x509);
    X509_ALGOR_get0(&object, &type, &parameters, algorithm);
    CBS_init(&oid, OBJ_get0_data(object), OBJ_length(object));
    if (OBJ_obj2nid(object) == NID_rsassaPss && !names_good_hash(type, parameters)) {
        snprintf(name, HAIL_KIND_NAME_MAX, "RSASSA-PSS without a hash of 256 bits");
        return false;
    }
    bool readable = put_oid(name, &oid);
    for (size_t i = 0; readable && i < HAIL_COUNTOF(signatures); i++) {
        if (strcmp(name, signatures[i].oid) == 0) {
            snprintf(name, HAIL_KIND_NAME_MAX, "%s", signatures[i].name);
            return signatures[i].taken;
        }
    }
    return false;
}
