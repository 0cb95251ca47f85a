// trust.c: what a client believes: chains to anchors, times, purposes and names.
// SPDX-License-Identifier: MIT
#include "crypto/certificate.h"
#include "crypto/report.h"
#include "crypto/text.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum {
    RSA_BITS_MIN = 2048,
    MLAPI_RSA_BITS_MIN = 1024, // of a leaf, as MLAPI has it
    CBS_ASN1_SEQUENCE_BYTE = 0x30,
    HOST_MAX = 253,                   // characters of a DNS name
    STORE_FILE_MAX = 16 * 1024 * 1024 // Debian's has 220 KB
};

// Certificates that may have issued others.
struct issuers {
    STACK_OF(X509) * helpers; // not believed by themselves; they may lie between leaf and anchor
    STACK_OF(X509) * refused; // of kinds that are not verified here; never part of a chain
};

struct hail_trust {
    X509_STORE *anchors;
    struct issuers issuers;
    size_t anchor_count;
};

static bool issuers_init(struct issuers *issuers)
{
    issuers->helpers = sk_X509_new_null();
    issuers->refused = sk_X509_new_null();
    return issuers->helpers && issuers->refused;
}

static void issuers_cleanup(struct issuers *issuers)
{
    sk_X509_pop_free(issuers->helpers, X509_free);
    sk_X509_pop_free(issuers->refused, X509_free);
}

// Whether it names itself as its issuer.
static bool is_self_issued(X509 *x509)
{
    return X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
}

static void subject_of(X509 *x509, char text[HAIL_SUBJECT_MAX])
{
    hail_certificate_subject(&(struct hail_certificate){.x509 = x509}, text);
}

// Whether the certificate's signature is of a kind that is verified here. Nobody looks at the one
// of an anchor.
static bool is_signed(X509 *x509, struct hail_fault_report *report)
{
    char subject[HAIL_SUBJECT_MAX];
    char name[HAIL_KIND_NAME_MAX];

    if (hail_kind_signed(x509, name))
        return true;
    subject_of(x509, subject);
    return hail_report_set(report, HAIL_FAULT_KEY_KIND,
                           "the certificate of %s is signed by %s, which is not verified here; "
                           "have it issued with RSA, ECDSA or Ed25519 and SHA-256",
                           subject, name);
}

// Whether a key is long enough to have its signatures believed.
static bool is_long_enough(X509 *x509, int rsa_bits_min, struct hail_fault_report *report)
{
    EVP_PKEY *key = X509_get_pubkey(x509);
    int bits = key && EVP_PKEY_id(key) == EVP_PKEY_RSA ? EVP_PKEY_bits(key) : INT_MAX;
    char subject[HAIL_SUBJECT_MAX];

    EVP_PKEY_free(key);
    ERR_clear_error();
    if (bits >= rsa_bits_min)
        return true;
    subject_of(x509, subject);
    return hail_report_set(report, HAIL_FAULT_KEY_KIND,
                           "the RSA key of %s has %d bits, which others can break; have it issued "
                           "with 2048 or more",
                           subject, bits);
}

// Whether a key is of a kind whose signatures on certificates are verified here. Asked before
// BoringSSL gets to see the key.
static bool has_issuers_key(X509 *x509, struct hail_fault_report *report)
{
    struct hail_key_kind kind;
    char subject[HAIL_SUBJECT_MAX];

    hail_key_kind_of(&kind, x509);
    if (kind.use == HAIL_KEY_ISSUES || kind.use == HAIL_KEY_SIGNS)
        return is_long_enough(x509, RSA_BITS_MIN, report);
    subject_of(x509, subject);
    return hail_report_set(report, HAIL_FAULT_KEY_KIND,
                           "the key of %s, an issuer, is %s, whose signatures are not verified "
                           "here; have the server's certificate issued by one with an RSA, ECDSA "
                           "or Ed25519 key",
                           subject, kind.name);
}

// Whether a chain may lead over a certificate: its key and its signature are verified here.
static bool may_issue(X509 *x509, struct hail_fault_report *report)
{
    return has_issuers_key(x509, report) && is_signed(x509, report);
}

// Puts a certificate among the issuers, which own it from then on.
static bool put_issuer(struct issuers *issuers, X509 *x509)
{
    struct hail_fault_report unused;

    if (sk_X509_push(may_issue(x509, &unused) ? issuers->helpers : issuers->refused, x509))
        return true;
    X509_free(x509);
    return false;
}

// Takes a certificate into `trust`; the caller still owns its reference. Whoever puts it there
// believes it, whatever its key usage says, and whoever has issued it.
static bool take(struct hail_trust *trust, X509 *x509)
{
    struct hail_fault_report unused;

    if (has_issuers_key(x509, &unused)) {
        trust->anchor_count++;
        return X509_STORE_add_cert(trust->anchors, x509);
    }
    X509_up_ref(x509);
    return put_issuer(&trust->issuers, x509);
}

static bool damaged(struct hail_fault_report *report)
{
    return hail_report_set(report, HAIL_FAULT_NO_TRUST,
                           "the CA file is damaged: one of its certificates cannot be read; copy "
                           "it again");
}

static bool take_block(struct hail_trust *trust, const char *name, struct hail_bytes der,
                       struct hail_fault_report *report)
{
    const uint8_t *next = der.data;

    if (strcmp(name, "TRUSTED CERTIFICATE") == 0)
        return hail_report_set(
            report, HAIL_FAULT_NO_TRUST,
            "the CA file has a TRUSTED CERTIFICATE, which is a form of "
            "OpenSSL's own; write it again with openssl x509 -in FILE -out FILE");
    if (strcmp(name, "CERTIFICATE") != 0 && strcmp(name, "X509 CERTIFICATE") != 0)
        return true;
    X509 *x509 = d2i_X509(NULL, &next, (long)der.len);
    if (!x509)
        return damaged(report);
    bool taken = take(trust, x509) || hail_report_no_memory(report);
    X509_free(x509);
    return taken;
}

static bool take_pem(struct hail_trust *trust, struct hail_bytes pem,
                     struct hail_fault_report *report)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    bool taken = bio || hail_report_no_memory(report);

    while (bio && taken) {
        char *name = NULL;
        char *header = NULL;
        unsigned char *der = NULL;
        long len;
        if (!PEM_read_bio(bio, &name, &header, &der, &len)) {
            uint32_t why = ERR_peek_last_error();
            if (ERR_GET_LIB(why) != ERR_LIB_PEM || ERR_GET_REASON(why) != PEM_R_NO_START_LINE)
                taken = damaged(report);
            break;
        }
        taken = take_block(trust, name, (struct hail_bytes){der, (size_t)len}, report);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    ERR_clear_error();
    return taken;
}

// PEM, or one certificate in DER, which Windows exports unless asked for the other.
static bool take_all(struct hail_trust *trust, struct hail_bytes file,
                     struct hail_fault_report *report)
{
    struct hail_text text;

    if (file.len > INT_MAX)
        return damaged(report);
    if (file.len > 1 && file.data[0] == CBS_ASN1_SEQUENCE_BYTE && file.data[1] >= 0x80)
        return take_block(trust, "CERTIFICATE", file, report);
    if (!hail_text_init(&text, file))
        return hail_report_no_memory(report);
    bool taken = take_pem(trust, text.bytes, report);
    hail_text_cleanup(&text);
    return taken;
}

static bool take_system(struct hail_trust *trust, struct hail_fault_report *report)
{
    const char *named = getenv("SSL_CERT_FILE");
    const char *path = named ? named : "/etc/ssl/certs/ca-certificates.crt";
    uint8_t *pem;
    size_t pem_len;

    if (!hail_file_read(path, STORE_FILE_MAX, &pem, &pem_len, report))
        return hail_report_set(report, HAIL_FAULT_NO_TRUST,
                               "the system's trust store %.160s cannot be read; install "
                               "ca-certificates, or give a CA file",
                               path);
    bool taken = take_all(trust, (struct hail_bytes){pem, pem_len}, report);
    free(pem);
    return taken;
}

// Reports the first root among certificates that were refused.
static bool find_root(const STACK_OF(X509) * refused, struct hail_fault_report *report)
{
    for (size_t i = 0; i < sk_X509_num(refused); i++) {
        X509 *x509 = sk_X509_value(refused, i);
        if (is_self_issued(x509))
            return !has_issuers_key(x509, report);
    }
    return false;
}

bool hail_trust_load(struct hail_trust **out, struct hail_bytes pem,
                     struct hail_fault_report *report)
{
    struct hail_trust *trust = calloc(1, sizeof *trust);

    if (!trust)
        return hail_report_no_memory(report);
    trust->anchors = X509_STORE_new();
    if (!issuers_init(&trust->issuers) || !trust->anchors) {
        hail_report_no_memory(report);
        goto fail;
    }
    if (!(pem.len > 0 ? take_all(trust, pem, report) : take_system(trust, report)))
        goto fail;
    if (trust->anchor_count == 0) {
        if (find_root(trust->issuers.refused, report))
            goto fail;
        hail_report_set(report, HAIL_FAULT_NO_TRUST,
                        "the CA file holds no certificate that can be believed, in PEM or DER; "
                        "give the root of the chain");
        goto fail;
    }
    *out = trust;
    return true;
fail:
    hail_trust_free(trust);
    return false;
}

void hail_trust_free(struct hail_trust *trust)
{
    if (!trust)
        return;
    X509_STORE_free(trust->anchors);
    issuers_cleanup(&trust->issuers);
    free(trust);
}

// The chain ends at a certificate without its issuer: which is unknown, or was refused.
static bool report_issuer(X509_STORE_CTX *context, const struct issuers *issuers,
                          struct hail_fault_report *report)
{
    X509 *last = X509_STORE_CTX_get_current_cert(context);
    char subject[HAIL_SUBJECT_MAX];

    for (size_t i = 0; last && i < sk_X509_num(issuers->refused); i++) {
        X509 *issuer = sk_X509_value(issuers->refused, i);
        if (X509_check_issued(issuer, last) == X509_V_OK)
            return may_issue(issuer, report);
    }
    subject_of(X509_STORE_CTX_get0_cert(context), subject);
    return hail_report_set(report, HAIL_FAULT_UNKNOWN_ISSUER,
                           "no trusted certificate has issued the one of %s; add its root, "
                           "and what lies between, to the CA file",
                           subject);
}

// Whether the certificate says what it is for, and servers are not among it.
static bool wrong_extended_usage(X509 *x509)
{
    return (X509_get_extension_flags(x509) & EXFLAG_XKUSAGE) &&
           !(X509_get_extended_key_usage(x509) & XKU_SSL_SERVER);
}

// Puts what X509_verify_cert found into our words.
static bool report_chain(X509_STORE_CTX *context, const struct issuers *issuers,
                         struct hail_fault_report *report)
{
    int why = X509_STORE_CTX_get_error(context);
    X509 *at = X509_STORE_CTX_get_current_cert(context);
    const char *whose = X509_STORE_CTX_get_error_depth(context) > 0 ? "a certificate of its issuers"
                                                                    : "the server's certificate";
    char time[HAIL_TIME_MAX] = "(unknown)";

    switch (why) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        if (at)
            hail_time_describe(X509_get0_notAfter(at), time);
        return hail_report_set(report, HAIL_FAULT_EXPIRED,
                               "%s expired on %s; renew it, and see that this machine's clock is "
                               "right",
                               whose, time);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        if (at)
            hail_time_describe(X509_get0_notBefore(at), time);
        return hail_report_set(report, HAIL_FAULT_NOT_YET_VALID,
                               "%s is valid only from %s; see that this machine's clock is right",
                               whose, time);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return report_issuer(context, issuers, report);
    case X509_V_ERR_INVALID_PURPOSE:
        return hail_report_set(report, HAIL_FAULT_CHAIN, "%s is not for servers; %s", whose,
                               at && wrong_extended_usage(at)
                                   ? "issue one whose extended key usage has serverAuth"
                                   : "issue one whose key usage has digitalSignature (an "
                                     "issuer's: keyCertSign)");
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
        return hail_report_set(report, HAIL_FAULT_CHAIN,
                               "an issuer constrains names of a kind that is not compared here, "
                               "such as IP addresses, and %s has such a name; issue one with DNS "
                               "names alone, or by an issuer without that constraint",
                               whose);
    case X509_V_ERR_OUT_OF_MEM:
        return hail_report_no_memory(report);
    default:
        return hail_report_set(report, HAIL_FAULT_CHAIN, "the chain is at fault at %s: %s", whose,
                               X509_verify_cert_error_string(why));
    }
}

// What BoringSSL does not ask of a chain that it has found: that each signature in it, the anchor's
// own aside, and each key, is one that others cannot make or break; and of a leaf that is itself an
// anchor, that it is for servers.
static bool is_strong(X509_STORE_CTX *context, bool mlapi, struct hail_fault_report *report)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    size_t count = sk_X509_num(chain);

    for (size_t i = 0; i < count; i++) {
        X509 *x509 = sk_X509_value(chain, i);
        bool is_anchor = i == count - 1;
        int bits_min = i == 0 && mlapi ? MLAPI_RSA_BITS_MIN : RSA_BITS_MIN;
        if ((i > 0 && !has_issuers_key(x509, report)) || !is_long_enough(x509, bits_min, report) ||
            (!is_anchor && !is_signed(x509, report)))
            return false;
    }
    if (count == 0 || !wrong_extended_usage(sk_X509_value(chain, 0)))
        return true;
    return hail_report_set(report, HAIL_FAULT_CHAIN,
                           "the server's certificate is not for servers; issue one whose extended "
                           "key usage has serverAuth");
}

// Those of the issuers that are valid at this time: an expired one would hide its valid twin.
static STACK_OF(X509) * valid_at(const STACK_OF(X509) * issuers, int64_t unix_s)
{
    STACK_OF(X509) *valid = sk_X509_new_null();
    time_t at = (time_t)unix_s;

    for (size_t i = 0; valid && i < sk_X509_num(issuers); i++) {
        X509 *x509 = sk_X509_value(issuers, i);
        if (X509_cmp_time(X509_get0_notBefore(x509), &at) < 0 &&
            X509_cmp_time(X509_get0_notAfter(x509), &at) > 0 && !sk_X509_push(valid, x509)) {
            sk_X509_free(valid);
            return NULL;
        }
    }
    return valid;
}

static bool verify(const struct hail_trust *trust, X509 *leaf, STACK_OF(X509) * helpers,
                   const struct issuers *issuers, int64_t unix_s, bool mlapi,
                   struct hail_fault_report *report)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool holds = false;

    if (!context || !X509_STORE_CTX_init(context, trust->anchors, leaf, helpers) ||
        !X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER)) {
        hail_report_no_memory(report);
        goto out;
    }
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    X509_STORE_CTX_set_time(context, 0, (time_t)unix_s);
    holds = X509_verify_cert(context) == 1 ? is_strong(context, mlapi, report)
                                           : report_chain(context, issuers, report);
out:
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return holds;
}

static bool chain_holds(const struct hail_trust *trust, X509 *leaf, const struct issuers *issuers,
                        int64_t unix_s, bool mlapi, struct hail_fault_report *report)
{
    STACK_OF(X509) *valid = valid_at(issuers->helpers, unix_s);
    struct hail_fault_report badly_signed;

    if (!valid)
        return hail_report_no_memory(report);
    bool is_good = is_signed(leaf, &badly_signed); // or it is an anchor itself
    bool holds = verify(trust, leaf, valid, issuers, unix_s, mlapi, report);
    sk_X509_free(valid);
    // All of them, for what is wrong: an issuer that has expired is better named than missed.
    if (!holds && report->fault == HAIL_FAULT_UNKNOWN_ISSUER)
        holds = verify(trust, leaf, issuers->helpers, issuers, unix_s, mlapi, report);
    if (!holds && !is_good)
        *report = badly_signed;
    return holds;
}

// Says whether the certificate's alternative names carry `host`. An address is looked for among the
// addresses and a name among the names, never the other way round.
static bool name_matches(X509 *leaf, const char *host)
{
    uint8_t address[16];
    size_t host_len = strnlen(host, HOST_MAX + 2);

    if (inet_pton(AF_INET, host, address) == 1)
        return X509_check_ip(leaf, address, 4, 0) == 1;
    if (inet_pton(AF_INET6, host, address) == 1)
        return X509_check_ip(leaf, address, 16, 0) == 1;
    if (host_len > 0 && host[host_len - 1] == '.')
        host_len--; // the root's own dot, which no certificate writes
    // BoringSSL takes a first dot for "any name below".
    return host_len > 0 && host_len <= HOST_MAX && host[0] != '.' &&
           X509_check_host(leaf, host, host_len, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

bool hail_certificate_is_current(const struct hail_certificate *certificate, int64_t unix_s,
                                 struct hail_fault_report *report)
{
    const ASN1_TIME *from = X509_get0_notBefore(certificate->x509);
    const ASN1_TIME *to = X509_get0_notAfter(certificate->x509);
    time_t at = (time_t)unix_s;
    char text[HAIL_TIME_MAX];

    if (X509_cmp_time(to, &at) <= 0) {
        hail_time_describe(to, text);
        return hail_report_set(report, HAIL_FAULT_EXPIRED,
                               "the certificate expired on %s, so clients refuse it; renew it, or "
                               "set this machine's clock",
                               text);
    }
    if (X509_cmp_time(from, &at) < 0)
        return true;
    hail_time_describe(from, text);
    return hail_report_set(report, HAIL_FAULT_NOT_YET_VALID,
                           "the certificate is valid only from %s, so clients refuse it; set this "
                           "machine's clock, or wait",
                           text);
}

bool hail_certificate_carries(const struct hail_certificate *certificate, const char *host,
                              struct hail_fault_report *report)
{
    bool matches = name_matches(certificate->x509, host);
    ERR_clear_error();
    if (!matches) {
        char subject[HAIL_SUBJECT_MAX];

        hail_certificate_subject(certificate, subject);
        return hail_report_set(report, HAIL_FAULT_WRONG_NAME,
                               "the certificate of %s does not carry the name %.64s; connect by a "
                               "name it carries, or issue one with this name (subject alternative "
                               "name)",
                               subject, host);
    }
    return true;
}

bool hail_trust_check(const struct hail_trust *trust, const struct hail_certificate *certificate,
                      const char *host, int64_t unix_s, struct hail_fault_report *report)
{
    if (!hail_certificate_judge(certificate, true, report) ||
        !chain_holds(trust, certificate->x509, &trust->issuers, unix_s, true, report))
        return false;
    // As MLAPI documents: who is on this machine has no name to show.
    return strcmp(host, "127.0.0.1") == 0 || hail_certificate_carries(certificate, host, report);
}

static bool copy_issuers(struct issuers *issuers, const STACK_OF(X509) * from)
{
    bool copied = true;

    for (size_t i = 0; copied && i < sk_X509_num(from); i++) {
        X509 *x509 = sk_X509_value(from, i);
        X509_up_ref(x509);
        copied = put_issuer(issuers, x509);
    }
    return copied;
}

bool hail_trust_check_chain(const struct hail_trust *trust, const struct hail_certificate *leaf,
                            const struct hail_bytes *between, size_t between_count,
                            const char *host, int64_t unix_s, struct hail_fault_report *report)
{
    struct issuers issuers;

    if (!hail_certificate_judge(leaf, false, report))
        return false;
    bool collected = issuers_init(&issuers) && copy_issuers(&issuers, trust->issuers.helpers) &&
                     copy_issuers(&issuers, trust->issuers.refused);
    for (size_t i = 0; collected && i < between_count; i++) {
        const uint8_t *der = between[i].data;
        X509 *x509 = d2i_X509(NULL, &der, (long)between[i].len);
        collected = !x509 || put_issuer(&issuers, x509);
    }
    ERR_clear_error();
    bool believed = collected ? chain_holds(trust, leaf->x509, &issuers, unix_s, false, report) &&
                                    hail_certificate_carries(leaf, host, report)
                              : hail_report_no_memory(report);
    issuers_cleanup(&issuers);
    return believed;
}
