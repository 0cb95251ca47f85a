// trust.c: what a client believes: chains to anchors, times, purposes and names.
// SPDX-License-Identifier: MIT
#include "crypto/certificate.h"
#include "crypto/report.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOST_MAX = 253,                   // characters of a DNS name
    STORE_FILE_MAX = 16 * 1024 * 1024 // Debian's has 220 KB
};

struct hail_trust {
    X509_STORE *anchors;
    STACK_OF(X509) * helpers; // not believed by themselves; they may lie between leaf and anchor
    size_t anchor_count;
};

static bool is_self_signed(X509 *x509)
{
    return X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0 &&
           X509_check_issued(x509, x509) == X509_V_OK;
}

// Takes a certificate into `trust`; the caller still owns its reference.
static bool take(struct hail_trust *trust, X509 *x509)
{
    if (is_self_signed(x509)) {
        trust->anchor_count++;
        return X509_STORE_add_cert(trust->anchors, x509);
    }
    X509_up_ref(x509);
    if (sk_X509_push(trust->helpers, x509))
        return true;
    X509_free(x509);
    return false;
}

static bool take_all(struct hail_trust *trust, struct hail_bytes pem,
                     struct hail_fault_report *report)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    bool taken = true;

    if (!bio)
        return hail_report_no_memory(report);
    while (taken) {
        X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!x509) {
            uint32_t why = ERR_peek_last_error();
            if (ERR_GET_LIB(why) != ERR_LIB_PEM || ERR_GET_REASON(why) != PEM_R_NO_START_LINE)
                taken = hail_report_set(report, HAIL_FAULT_NO_TRUST,
                                        "the CA file is damaged: one of its certificates cannot "
                                        "be read; copy it again");
            break;
        }
        if (!take(trust, x509))
            taken = hail_report_no_memory(report);
        X509_free(x509);
    }
    BIO_free(bio);
    ERR_clear_error();
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

bool hail_trust_load(struct hail_trust **out, struct hail_bytes pem,
                     struct hail_fault_report *report)
{
    struct hail_trust *trust = calloc(1, sizeof *trust);

    if (!trust)
        return hail_report_no_memory(report);
    trust->anchors = X509_STORE_new();
    trust->helpers = sk_X509_new_null();
    if (!trust->anchors || !trust->helpers) {
        hail_report_no_memory(report);
        goto fail;
    }
    if (!(pem.len > 0 ? take_all(trust, pem, report) : take_system(trust, report)))
        goto fail;
    if (trust->anchor_count == 0) {
        hail_report_set(report, HAIL_FAULT_NO_TRUST,
                        "the CA file holds no self-signed certificate in PEM, so nothing can be "
                        "believed because of it; add the root of the chain");
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
    sk_X509_pop_free(trust->helpers, X509_free);
    free(trust);
}

// Puts what X509_verify_cert found into our words.
static bool report_chain(X509_STORE_CTX *context, struct hail_fault_report *report)
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
    case X509_V_ERR_CERT_UNTRUSTED: {
        struct hail_certificate server = {.x509 = X509_STORE_CTX_get0_cert(context)};
        char subject[HAIL_SUBJECT_MAX];

        hail_certificate_subject(&server, subject);
        return hail_report_set(report, HAIL_FAULT_UNKNOWN_ISSUER,
                               "no trusted certificate has issued the one of %s; add its root, "
                               "and what lies between, to the CA file",
                               subject);
    }
    case X509_V_ERR_INVALID_PURPOSE:
        return hail_report_set(report, HAIL_FAULT_CHAIN,
                               "%s is not for servers; issue one whose extended key usage has "
                               "serverAuth",
                               whose);
    case X509_V_ERR_OUT_OF_MEM:
        return hail_report_no_memory(report);
    default:
        return hail_report_set(report, HAIL_FAULT_CHAIN, "the chain is at fault at %s: %s", whose,
                               X509_verify_cert_error_string(why));
    }
}

static bool chain_holds(const struct hail_trust *trust, X509 *leaf, STACK_OF(X509) * helpers,
                        int64_t unix_s, struct hail_fault_report *report)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool holds = false;

    if (!context || !X509_STORE_CTX_init(context, trust->anchors, leaf, helpers) ||
        !X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER)) {
        hail_report_no_memory(report);
        goto out;
    }
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_TRUSTED_FIRST);
    X509_STORE_CTX_set_time(context, 0, (time_t)unix_s);
    holds = X509_verify_cert(context) == 1 || report_chain(context, report);
out:
    X509_STORE_CTX_free(context);
    ERR_clear_error();
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

// Whether the leaf carries the name.
static bool check_name(const struct hail_certificate *certificate, const char *host,
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
    if (!chain_holds(trust, certificate->x509, trust->helpers, unix_s, report))
        return false;
    // As MLAPI documents: who is on this machine has no name to show.
    return strcmp(host, "127.0.0.1") == 0 || check_name(certificate, host, report);
}

bool hail_trust_check_chain(const struct hail_trust *trust, const struct hail_certificate *leaf,
                            const struct hail_bytes *between, size_t between_count,
                            const char *host, int64_t unix_s, struct hail_fault_report *report)
{
    STACK_OF(X509) *helpers = sk_X509_new_null();
    bool collected = helpers != NULL;

    for (size_t i = 0; collected && i < sk_X509_num(trust->helpers); i++) {
        X509 *x509 = sk_X509_value(trust->helpers, i);
        X509_up_ref(x509);
        collected = sk_X509_push(helpers, x509) > 0;
    }
    for (size_t i = 0; collected && i < between_count; i++) {
        const uint8_t *der = between[i].data;
        X509 *x509 = d2i_X509(NULL, &der, (long)between[i].len);
        if (x509)
            collected = sk_X509_push(helpers, x509) > 0;
    }
    ERR_clear_error();
    bool believed = collected ? chain_holds(trust, leaf->x509, helpers, unix_s, report) &&
                                    check_name(leaf, host, report)
                              : hail_report_no_memory(report);
    sk_X509_pop_free(helpers, X509_free);
    return believed;
}
