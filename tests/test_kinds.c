// test_kinds.c: keys and signatures of every kind, in whole and well-formed certificates: which
// are used for what, what is said of the others, and that the kind is judged before all else.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/bundle.h"
#include "crypto/issue.h"
#include "proto/keycert.h"
#include "proto/mlapi/body.h"
#include "proto/mlapi/session.h"
#include "tests/foreign.h"
#include "tests/vectors.h"

static const int64_t now_s = 1900000000;
static const int64_t day_s = 86400;
static const char host[] = "play.test";

static json_t *vectors; // keys and chains of each kind

// A CA and a server of its, and what clients trust.
struct live_endpoint {
    struct hail_issued *root;
    struct hail_issued *leaf;
    struct hail_identity *identity; // of the root
    struct hail_trust *trust;
};

static struct live_endpoint honest;
static struct live_endpoint stranger;

// What a key is used for.
enum use {
    NOBODY,
    ISSUERS, // by whom chains are believed
    MLAPI,   // that profile's signatures
    SERVERS  // and by issuers
};

static const struct {
    const char *name; // in the vectors, and in what is said
    enum use use;
} kinds[] = {
    {"DSA", MLAPI},
    {"RSASSA-PSS", NOBODY},
    {"RSAES-OAEP", NOBODY},
    {"DH", NOBODY},
    {"X9.42 DH", NOBODY},
    {"KEA", NOBODY},
    {"EC P-192", NOBODY},
    {"EC P-224", ISSUERS},
    {"EC P-384", ISSUERS},
    {"EC P-521", ISSUERS},
    {"EC secp256k1", NOBODY},
    {"EC brainpoolP256r1", NOBODY},
    {"EC brainpoolP384r1", NOBODY},
    {"EC brainpoolP512r1", NOBODY},
    {"EC with explicit parameters", NOBODY},
    {"EC on curve 2.999.2", NOBODY},
    {"ECDH", NOBODY},
    {"ECMQV", NOBODY},
    {"SM2", NOBODY},
    {"X25519", NOBODY},
    {"X448", NOBODY},
    {"Ed448", NOBODY},
    {"GOST R 34.10-94", NOBODY},
    {"GOST R 34.10-2001", NOBODY},
    {"GOST R 34.10-2012, 256 bits", NOBODY},
    {"GOST R 34.10-2012, 512 bits", NOBODY},
    {"HSS/LMS", NOBODY},
    {"XMSS", NOBODY},
    {"ML-DSA-44", NOBODY},
    {"ML-DSA-65", NOBODY},
    {"ML-DSA-87", NOBODY},
    {"SLH-DSA-SHA2-128s", NOBODY},
    {"ML-KEM-512", NOBODY},
    {"2.999.1", NOBODY},
    {"RSA", SERVERS},
    {"EC P-256", SERVERS},
    {"Ed25519", SERVERS},
};

// Keys whose algorithm goes with other parameters than its kind has.
static const struct {
    const char *name; // in the vectors
    const char *parameters;
    const char *says;
} odd[] = {
    {"DSA", "", "DSA without its parameters"},
    {"DSA", "0500", "DSA without its parameters"},
    {"EC P-256", "", "EC without a named curve"},
    {"EC P-256", "0500", "EC without a named curve"},
    {"EC P-256", "0603883703", "EC on curve 2.999.3"},
    {"Ed25519", "0500", "Ed25519 with parameters"},
    {"RSA", "", "RSA with odd parameters"},
    {"RSA", "3000", "RSA with odd parameters"},
};

static struct hail_issued *issue(const struct hail_issued *by, const char *name,
                                 enum hail_issue_use use)
{
    const char *const names[] = {name};
    const struct hail_issue_terms terms = {
        .common_name = name,
        .names = names,
        .name_count = use == HAIL_ISSUE_SERVER,
        .use = use,
        .from_s = now_s - day_s,
        .to_s = now_s + day_s,
        .key = HAIL_ISSUE_ED25519,
    };
    struct hail_fault_report report;
    struct hail_issued *issued;

    ck_assert_msg(hail_issue(&issued, by, &terms, &report), "%s", report.text);
    return issued;
}

static void put_pem(FILE *file, const char *what, struct hail_bytes der)
{
    uint8_t *text;
    size_t len;

    ck_assert(hail_base64_write(der, &text, &len));
    fprintf(file, "-----BEGIN %s-----\n%.*s-----END %s-----\n", what, (int)len, (const char *)text,
            what);
    free(text);
}

// A CA file of DER certificates.
static struct hail_trust *trust_in(const struct hail_bytes *ders, size_t count, bool loads,
                                   struct hail_fault_report *report)
{
    struct hail_trust *trust = NULL;
    char *pem = NULL;
    size_t pem_len = 0;
    FILE *file = open_memstream(&pem, &pem_len);

    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < count; i++)
        put_pem(file, "CERTIFICATE", ders[i]);
    ck_assert_int_eq(fclose(file), 0);
    bool loaded = hail_trust_load(&trust, (struct hail_bytes){(uint8_t *)pem, pem_len}, report);
    ck_assert_msg(loaded == loads, "%s", report->text);
    free(pem);
    return trust;
}

static void begin_party(struct live_endpoint *live)
{
    struct hail_fault_report report = {0};
    struct hail_bytes pem[2];
    uint8_t *text[2];

    live->root = issue(NULL, "root", HAIL_ISSUE_CA);
    live->leaf = issue(live->root, host, HAIL_ISSUE_SERVER);
    ck_assert(hail_issued_certificate_pem(live->root, &text[0], &pem[0].len));
    ck_assert(hail_issued_key_pem(live->root, &text[1], &pem[1].len));
    pem[0].data = text[0];
    pem[1].data = text[1];
    ck_assert_msg(hail_identity_load(&live->identity, pem[0], pem[1], NULL, &report), "%s",
                  report.text);
    free(text[0]);
    free(text[1]);
    const struct hail_bytes root = hail_issued_der(live->root);
    live->trust = trust_in(&root, 1, true, &report);
}

static void end_party(struct live_endpoint *live)
{
    hail_trust_free(live->trust);
    hail_identity_free(live->identity);
    hail_issued_free(live->leaf);
    hail_issued_free(live->root);
}

static void setup(void)
{
    vectors = vectors_key_kinds();
    begin_party(&honest);
    begin_party(&stranger);
}

static void teardown(void)
{
    end_party(&honest);
    end_party(&stranger);
    json_decref(vectors);
}

static const json_t *find(const char *list, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(vectors, list), i, one)
    {
        if (strcmp(vector_text(one, "name"), name) == 0)
            return one;
    }
    ck_abort_msg("the vectors have no %s of the kind %s", list, name);
    return NULL;
}

static struct hail_bytes bytes(struct vector_bytes from)
{
    return (struct hail_bytes){from.data, from.len};
}

// The party's certificate of a server, with another key in it.
static struct hail_certificate *leaf_with(const struct live_endpoint *by, struct hail_bytes spki)
{
    static struct foreign foreign;
    struct hail_certificate *certificate;
    struct hail_fault_report report;

    ck_assert(foreign_make(&foreign, hail_issued_der(by->leaf), spki, by->identity));
    ck_assert_msg(hail_certificate_parse(&certificate,
                                         (struct hail_bytes){foreign.der, foreign.len}, &report),
                  "%s", report.text);
    return certificate;
}

// What was found is the kind, and is said.
static void check_refused(bool good, const struct hail_fault_report *report, const char *name)
{
    char word[80];

    snprintf(word, sizeof word, "is %s", name);
    ck_assert_msg(!good && report->fault == HAIL_FAULT_KEY_KIND, "%s: %s: %s", name,
                  hail_fault_name(report->fault), report->text);
    ck_assert_msg(strstr(report->text, word) != NULL, "%s: %s", name, report->text);
    ck_assert_msg(strstr(report->text, "; ") != NULL, "no way out in: %s", report->text);
}

// A server's certificate of which all but perhaps the kind of its key is right, and one of which
// nothing is: the kind comes first.
static void check_trust(struct hail_bytes spki, const char *name, enum use use)
{
    struct hail_certificate *right = leaf_with(&honest, spki);
    struct hail_certificate *wrong = leaf_with(&stranger, spki);
    struct hail_fault_report report = {0};

    bool good = hail_trust_check(honest.trust, right, host, now_s, &report);
    if (use >= MLAPI)
        ck_assert_msg(good, "%s: %s", name, report.text);
    else
        check_refused(good, &report, name);
    good = hail_trust_check_chain(honest.trust, right, NULL, 0, host, now_s, &report);
    if (use == SERVERS)
        ck_assert_msg(good, "%s: %s", name, report.text);
    else
        check_refused(good, &report, name);

    good = hail_trust_check_chain(honest.trust, wrong, NULL, 0, "other.test", 0, &report);
    if (use == SERVERS)
        ck_assert_int_eq(report.fault, HAIL_FAULT_UNKNOWN_ISSUER);
    else
        check_refused(good, &report, name);
    hail_certificate_free(right);
    hail_certificate_free(wrong);
}

static void check_described(struct hail_bytes spki, const char *name)
{
    struct hail_certificate *certificate = leaf_with(&honest, spki);
    char text[2048];
    char line[96];

    snprintf(line, sizeof line, "\nkey          %s%s\n", name,
             strcmp(name, "RSA") == 0 ? ", 2048 bits" : "");
    hail_certificate_describe(certificate, text, sizeof text);
    ck_assert_msg(strstr(text, line) != NULL, "no %s in %s", line, text);
    ck_assert_ptr_nonnull(strstr(text, "subject      CN=play.test\n"));
    hail_certificate_free(certificate);
}

// The key certificate of the hail profile, signed by nobody, with each scheme.
static void check_keycert(struct hail_bytes spki, const char *name, enum use use)
{
    static const enum hail_scheme schemes[] = {HAIL_SCHEME_RSA_PSS, HAIL_SCHEME_ECDSA_P256,
                                               HAIL_SCHEME_ED25519};
    static const uint8_t static_public[HAIL_X25519_LEN] = {9};
    static const uint8_t signature[64] = {1};
    struct hail_certificate *leaf = leaf_with(&stranger, spki);
    size_t suited = 0;

    for (size_t i = 0; i < HAIL_COUNTOF(schemes); i++) {
        const struct hail_keycert keycert = {
            .not_before = (uint64_t)(now_s - day_s),
            .not_after = (uint64_t)(now_s + day_s),
            .scheme = (uint16_t)schemes[i],
            .chain_count = 1,
            .signature = {signature, sizeof signature},
        };
        struct hail_fault_report report = {0};
        bool good = hail_keycert_check_signature(&keycert, static_public, leaf, now_s, &report);
        ck_assert(!good);
        suited += report.fault == HAIL_FAULT_SIGNATURE;
        if (report.fault != HAIL_FAULT_SIGNATURE)
            check_refused(good, &report, name);
    }
    ck_assert_msg(suited == (use == SERVERS), "%s: %zu schemes", name, suited);
    hail_certificate_free(leaf);
}

static bool count(void *user, const struct hail_certificate *certificate, const char *name,
                  int64_t unix_s, struct hail_fault_report *report)
{
    int *asked = user;

    (void)certificate, (void)name, (void)unix_s, (void)report;
    (*asked)++;
    return true;
}

// A hail of the mlapi profile, signed by nobody: whether the client's application is asked.
static void check_hail(struct hail_bytes spki, const char *name, enum hail_signature_kind kind,
                       bool suits)
{
    static const uint8_t garbage[256] = {1};
    static struct hail_mlapi_result result;
    static uint8_t message[HAIL_MLAPI_HAIL_MAX];
    struct hail_certificate *leaf = leaf_with(&stranger, spki);
    const struct hail_mlapi_hail_body body = {
        .certificate = hail_certificate_der(leaf),
        .public_part = {garbage, 64},
        .signature = {garbage, kind == HAIL_SIGNATURE_DSA ? 40 : sizeof garbage},
        .signature_type = (uint8_t)kind,
    };
    struct hail_mlapi_network network;
    struct hail_mlapi_setup mlapi;
    struct hail_mlapi_session session;
    struct hail_random random;
    const struct hail_mlapi_ambient ambient = {.random = &random, .unix_s = now_s};
    int asked = 0;

    hail_random_init_seeded(&random, 1);
    hail_mlapi_network_init(&network);
    network.enable_encryption = network.sign_key_exchange = true;
    ck_assert(hail_mlapi_setup_init(&mlapi, &network));
    mlapi.verifier = (struct hail_mlapi_verifier){count, &asked};
    hail_mlapi_client_init(&session, &mlapi, host, (struct hail_bytes){NULL, 0});
    message[0] = HAIL_MLAPI_HAIL << 2;
    size_t len = hail_mlapi_hail_write(message + 1, sizeof message - 1, &body, true);
    ck_assert_uint_gt(len, 0);
    enum hail_verdict verdict =
        hail_mlapi_session_input(&session, &result, message, 1 + len, &ambient);
    ck_assert_msg(verdict == HAIL_DROP_SIGNATURE, "%s: %s", name, hail_verdict_name(verdict));
    ck_assert_msg(asked == suits, "%s: asked %d times", name, asked);
    if (suits)
        ck_assert_int_eq(result.report.fault, HAIL_FAULT_SIGNATURE);
    else
        check_refused(false, &result.report, name);
    hail_mlapi_session_cleanup(&session);
    hail_certificate_free(leaf);
}

// An intermediate's certificate has the key, and the server's certificate says that it signed.
static void check_issuer(struct hail_bytes spki, const char *name, enum use use)
{
    static struct foreign foreign;
    struct hail_issued *issuer = issue(honest.root, "between", HAIL_ISSUE_CA);
    struct hail_issued *leaf = issue(issuer, host, HAIL_ISSUE_SERVER);
    struct hail_fault_report report = {0};
    struct hail_certificate *certificate;

    ck_assert(foreign_make(&foreign, hail_issued_der(issuer), spki, honest.identity));
    const struct hail_bytes between[] = {{foreign.der, foreign.len}};
    const struct hail_bytes file[] = {hail_issued_der(honest.root), between[0]};
    struct hail_trust *trust = trust_in(file, 2, true, &report);
    ck_assert(hail_certificate_parse(&certificate, hail_issued_der(leaf), &report));
    for (int i = 0; i < 2; i++) { // it travels with the leaf, or it is in the CA file
        bool good = i == 0 ? hail_trust_check_chain(honest.trust, certificate, between, 1, host,
                                                    now_s, &report)
                           : hail_trust_check(trust, certificate, host, now_s, &report);
        if (use == ISSUERS || use == SERVERS) // but it was another that signed
            ck_assert_msg(!good && report.fault == HAIL_FAULT_CHAIN, "%s: %s", name, report.text);
        else
            check_refused(good, &report, name);
    }
    hail_trust_free(trust);
    hail_certificate_free(certificate);
    hail_issued_free(leaf);
    hail_issued_free(issuer);
}

// A root has the key. Beside another root it does no harm; alone it is the CA file's fault.
static void check_root(struct hail_bytes spki, const char *name, enum use use)
{
    static struct foreign foreign;
    struct hail_fault_report report = {0};
    struct hail_certificate *leaf = leaf_with(&honest, (struct hail_bytes){NULL, 0});

    ck_assert(foreign_make(&foreign, hail_issued_der(stranger.root), spki, stranger.identity));
    const struct hail_bytes file[] = {{foreign.der, foreign.len}, hail_issued_der(honest.root)};
    struct hail_trust *trust = trust_in(file, 2, true, &report);
    ck_assert_msg(hail_trust_check(trust, leaf, host, now_s, &report), "%s: %s", name, report.text);
    hail_trust_free(trust);
    bool issues = use == ISSUERS || use == SERVERS;
    trust = trust_in(file, 1, issues, &report);
    if (!issues)
        check_refused(false, &report, name);
    hail_trust_free(trust);
    hail_certificate_free(leaf);
}

static void check_kind(struct hail_bytes spki, const char *name, enum use use)
{
    check_described(spki, name);
    check_trust(spki, name, use);
    check_keycert(spki, name, use);
    check_hail(spki, name, HAIL_SIGNATURE_RSA, strcmp(name, "RSA") == 0);
    check_hail(spki, name, HAIL_SIGNATURE_DSA, use == MLAPI);
    check_issuer(spki, name, use);
    check_root(spki, name, use);
}

START_TEST(test_kind)
{
    struct vector_bytes spki = vector_hex(find("kinds", kinds[_i].name), "public");

    ck_assert_uint_eq(json_array_size(json_object_get(vectors, "kinds")), HAIL_COUNTOF(kinds));
    check_kind(bytes(spki), kinds[_i].name, kinds[_i].use);
    free(spki.data);
}
END_TEST

START_TEST(test_odd)
{
    static struct foreign spki;
    struct vector_bytes whole = vector_hex(find("kinds", odd[_i].name), "public");
    struct vector_bytes parameters = test_unhex(odd[_i].parameters);
    struct hail_bytes in = bytes(whole);
    struct hail_bytes outer;
    struct hail_bytes algorithm;
    struct hail_bytes part;
    struct hail_bytes content;

    memset(&spki, 0, sizeof spki);
    ck_assert(foreign_next(&in, &part, &outer) && foreign_next(&outer, &part, &algorithm));
    ck_assert(foreign_next(&algorithm, &part, &content));
    foreign_put(&spki, part); // the algorithm's OID
    foreign_put(&spki, bytes(parameters));
    foreign_close(&spki, 0, 0x30);
    foreign_put(&spki, outer);
    foreign_close(&spki, 0, 0x30);
    check_kind((struct hail_bytes){spki.der, spki.len}, odd[_i].says, NOBODY);
    free(whole.data);
    free(parameters.data);
}
END_TEST

// A key of a kind that is used, of which nothing can be made: a point that is not on its curve.
START_TEST(test_unreadable)
{
    struct vector_bytes spki = vector_hex(find("kinds", "EC P-256"), "public");
    struct hail_fault_report report = {0};
    char text[2048];

    spki.data[spki.len - 1] ^= 1;
    struct hail_certificate *leaf = leaf_with(&honest, bytes(spki));
    hail_certificate_describe(leaf, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "key          EC P-256, but not readable\n"));
    check_refused(
        hail_certificate_verify(leaf, HAIL_SCHEME_ECDSA_P256, bytes(spki), bytes(spki), &report),
        &report, "EC P-256, but not readable");
    check_refused(hail_trust_check(honest.trust, leaf, host, now_s, &report), &report,
                  "EC P-256, but not readable");
    hail_certificate_free(leaf);
    free(spki.data);
}
END_TEST

// Chains that other programs signed. Their fault, if they have one, is how they are signed.
static const struct {
    const char *name; // in the vectors
    const char *says; // NULL: believed
} chains[] = {
    {"RSA with MD5", "is signed by RSA with MD5, "},
    {"RSA with MD5, of the same name", "is signed by RSA with MD5, "}, // and not by itself
    {"DSA", "is signed by DSA with SHA-256, "},
    {"Ed448", "is signed by Ed448, "},
    {"SM2", "is signed by SM2 with SM3, "},
    {"EC secp256k1", "is EC secp256k1, "},
    {"EC brainpoolP256r1", "is EC brainpoolP256r1, "},
    {"EC with explicit parameters", "is EC with explicit parameters, "},
    {"RSASSA-PSS key", "is RSASSA-PSS, "},
    {"ECDSA with SHA-1", "is signed by ECDSA with SHA-1, "},
    {"ECDSA with SHA-224", "is signed by ECDSA with SHA-224, "},
    {"ECDSA with SHA-384", NULL},
    {"ECDSA with SHA-512", NULL},
    {"RSA with SHA-1", "is signed by RSA with SHA-1, "},
    {"RSA with SHA-224", "is signed by RSA with SHA-224, "},
    {"RSASSA-PSS with SHA-1", "is signed by RSASSA-PSS without a hash of 256 bits, "},
    {"RSA root of 1024 bits", "has 1024 bits"},
    {"RSA with SHA-512", NULL},
    {"RSASSA-PSS", NULL},
};

START_TEST(test_chain)
{
    const json_t *chain = find("chains", chains[_i].name);
    struct vector_bytes leaf = vector_hex(chain, "leaf");
    struct vector_bytes root = vector_hex(chain, "root");
    const struct hail_bytes file[] = {hail_issued_der(honest.root), bytes(root)};
    struct hail_fault_report report = {0};
    struct hail_certificate *certificate;

    ck_assert_uint_eq(json_array_size(json_object_get(vectors, "chains")), HAIL_COUNTOF(chains));
    ck_assert(hail_certificate_parse(&certificate, bytes(leaf), &report));
    struct hail_trust *trust = trust_in(file, 2, true, &report);
    for (int i = 0; i < 2; i++) {
        bool good = i == 0
                        ? hail_trust_check(trust, certificate, host, now_s, &report)
                        : hail_trust_check_chain(trust, certificate, NULL, 0, host, now_s, &report);
        if (!chains[_i].says) {
            ck_assert_msg(good, "%s: %s", chains[_i].name, report.text);
            continue;
        }
        ck_assert_msg(!good && report.fault == HAIL_FAULT_KEY_KIND, "%s: %s: %s", chains[_i].name,
                      hail_fault_name(report.fault), report.text);
        ck_assert_msg(strstr(report.text, chains[_i].says) != NULL, "%s", report.text);
    }
    hail_trust_free(trust);
    hail_certificate_free(certificate);
    free(leaf.data);
    free(root.data);
}
END_TEST

// A file with a certificate and its private key, of each kind whose private keys we have.
START_TEST(test_private_key)
{
    const json_t *kind = find("kinds", kinds[_i].name);
    struct hail_fault_report report = {0};
    struct hail_identity *identity;
    char *pem = NULL;
    size_t pem_len = 0;

    if (!json_object_get(kind, "private"))
        return;
    struct vector_bytes spki = vector_hex(kind, "public");
    struct vector_bytes key = vector_hex(kind, "private");
    struct hail_certificate *leaf = leaf_with(&honest, bytes(spki));
    FILE *file = open_memstream(&pem, &pem_len);
    put_pem(file, "PRIVATE KEY", bytes(key));
    put_pem(file, "CERTIFICATE", hail_certificate_der(leaf));
    ck_assert_int_eq(fclose(file), 0);
    const struct hail_bytes all = {(uint8_t *)pem, pem_len};
    bool good = hail_identity_load(&identity, all, (struct hail_bytes){NULL, 0}, NULL, &report);
    if (kinds[_i].use == SERVERS) {
        ck_assert_msg(good, "%s: %s", kinds[_i].name, report.text);
        hail_identity_free(identity);
    } else {
        check_refused(good, &report, kinds[_i].name);
        ck_assert_ptr_nonnull(strstr(report.text, "the private key is "));
    }

    // It is in nobody's way beside a key that can sign.
    struct hail_bundle bundle = {0};
    uint8_t *text;
    size_t len;
    ck_assert(hail_bundle_read(&bundle, all, NULL, &report));
    ck_assert(hail_issued_certificate_pem(honest.root, &text, &len));
    ck_assert(hail_bundle_read(&bundle, (struct hail_bytes){text, len}, NULL, &report));
    free(text);
    ck_assert(hail_issued_key_pem(honest.root, &text, &len));
    ck_assert(hail_bundle_read(&bundle, (struct hail_bytes){text, len}, NULL, &report));
    free(text);
    size_t at_certificate;
    size_t at_key;
    ck_assert(hail_bundle_pair(&bundle, &at_certificate, &at_key, &report));
    ck_assert_uint_eq(at_certificate, kinds[_i].use != SERVERS);
    hail_bundle_cleanup(&bundle);
    hail_certificate_free(leaf);
    free(pem);
    free(spki.data);
    free(key.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kinds");
    TCase *tests = tcase_create("kinds");

    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_kind, 0, HAIL_COUNTOF(kinds));
    tcase_add_loop_test(tests, test_odd, 0, HAIL_COUNTOF(odd));
    tcase_add_test(tests, test_unreadable);
    tcase_add_loop_test(tests, test_chain, 0, HAIL_COUNTOF(chains));
    tcase_add_loop_test(tests, test_private_key, 0, HAIL_COUNTOF(kinds));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
