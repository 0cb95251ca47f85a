// test_trust.c: whom a client believes: each wrong certificate with its own fault, and the right
// ones.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "tests/vectors.h"

enum {
    NAMES_MAX = 4
};

enum {
    FROM_S = 1700000000,
    TO_S = 1800000000,
    NOW_S = 1750000000
};

// Certificates that every row can use; made once, since a key takes long.
static struct hail_issued *root;         // believed
static struct hail_issued *intermediate; // signed by the root
static struct hail_issued *stranger;     // another root, that nobody believes
static struct hail_issued *leaf_as_ca;   // a server's certificate that signs others

static struct hail_issued *issue(const struct hail_issued *issuer, const char *common_name,
                                 const char *const *names, enum hail_issue_use use, int64_t from,
                                 int64_t to)
{
    struct hail_fault_report report;
    struct hail_issued *issued;
    size_t count = 0;

    while (names && count < NAMES_MAX && names[count])
        count++;
    const struct hail_issue_terms terms = {
        .common_name = common_name,
        .names = names,
        .name_count = count,
        .use = use,
        .from_s = from,
        .to_s = to,
        .same_key =
            root, // whose key it is does not matter to a chain of our making, but costs time
    };
    ck_assert_msg(hail_issue(&issued, issuer, &terms, &report), "%s", report.text);
    return issued;
}

// An issuer needs a key of its own, or chains could be built in more than one way.
static struct hail_issued *issue_ca(const struct hail_issued *issuer, const char *name,
                                    enum hail_issue_use use)
{
    const struct hail_issue_terms terms = {
        .common_name = name, .use = use, .from_s = FROM_S, .to_s = TO_S};
    struct hail_fault_report report;
    struct hail_issued *issued;

    ck_assert_msg(hail_issue(&issued, issuer, &terms, &report), "%s", report.text);
    return issued;
}

static void setup(void)
{
    root = issue_ca(NULL, "root", HAIL_ISSUE_CA);
    intermediate = issue_ca(root, "intermediate", HAIL_ISSUE_CA);
    stranger = issue_ca(NULL, "stranger", HAIL_ISSUE_CA);
    leaf_as_ca = issue_ca(root, "leaf", HAIL_ISSUE_SERVER);
}

static void teardown(void)
{
    hail_issued_free(root);
    hail_issued_free(intermediate);
    hail_issued_free(stranger);
    hail_issued_free(leaf_as_ca);
}

enum issuer {
    BY_ROOT,
    BY_INTERMEDIATE,
    BY_STRANGER,
    BY_LEAF,
    BY_ITSELF
};

static const struct {
    const char *why;
    enum issuer issuer;
    const char *names[NAMES_MAX];
    const char *host;
    enum hail_fault want;
    enum hail_issue_use use;
    int64_t from_s; // 0: valid now
    int64_t to_s;
} rows[] = {
    {"expired", BY_ROOT, {"a.test"}, "a.test", HAIL_FAULT_EXPIRED, 0, FROM_S, NOW_S - 1},
    {"not yet valid", BY_ROOT, {"a.test"}, "a.test", HAIL_FAULT_NOT_YET_VALID, 0, NOW_S + 1, TO_S},
    {"an issuer nobody believes",
     BY_STRANGER,
     {"a.test"},
     "a.test",
     HAIL_FAULT_UNKNOWN_ISSUER,
     0,
     0,
     0},
    {"signed by itself", BY_ITSELF, {"a.test"}, "a.test", HAIL_FAULT_UNKNOWN_ISSUER, 0, 0, 0},
    {"a server's certificate as issuer",
     BY_LEAF,
     {"a.test"},
     "a.test",
     HAIL_FAULT_UNKNOWN_ISSUER,
     0,
     0,
     0},
    {"not for servers", BY_ROOT, {"a.test"}, "a.test", HAIL_FAULT_CHAIN, HAIL_ISSUE_CLIENT, 0, 0},
    {"another name", BY_ROOT, {"a.test"}, "b.test", HAIL_FAULT_WRONG_NAME, 0, 0, 0},
    {"a name below the right one", BY_ROOT, {"a.test"}, "x.a.test", HAIL_FAULT_WRONG_NAME, 0, 0, 0},
    {"a name that the right one ends",
     BY_ROOT,
     {"a.test"},
     "xa.test",
     HAIL_FAULT_WRONG_NAME,
     0,
     0,
     0},
    {"only the common name is right",
     BY_ROOT,
     {NULL},
     "server.test",
     HAIL_FAULT_WRONG_NAME,
     0,
     0,
     0},
    {"a wildcard two labels deep",
     BY_ROOT,
     {"*.a.test"},
     "x.y.a.test",
     HAIL_FAULT_WRONG_NAME,
     0,
     0,
     0},
    {"a wildcard is not the bare domain",
     BY_ROOT,
     {"*.a.test"},
     "a.test",
     HAIL_FAULT_WRONG_NAME,
     0,
     0,
     0},
    {"an address that is not listed",
     BY_ROOT,
     {"10.0.0.1"},
     "10.0.0.2",
     HAIL_FAULT_WRONG_NAME,
     0,
     0,
     0},
    {"an address is no name", BY_ROOT, {"a.test"}, "10.0.0.1", HAIL_FAULT_WRONG_NAME, 0, 0, 0},
    {"127.0.0.1 needs no name, but a chain",
     BY_STRANGER,
     {"a.test"},
     "127.0.0.1",
     HAIL_FAULT_UNKNOWN_ISSUER,
     0,
     0,
     0},
    {"127.0.0.1 needs no name, but the right time",
     BY_ROOT,
     {"a.test"},
     "127.0.0.1",
     HAIL_FAULT_EXPIRED,
     0,
     FROM_S,
     NOW_S - 1},
    {"127.0.0.2 is not 127.0.0.1",
     BY_ROOT,
     {"a.test"},
     "127.0.0.2",
     HAIL_FAULT_WRONG_NAME,
     0,
     0,
     0},

    {"its name", BY_ROOT, {"a.test"}, "a.test", HAIL_FAULT_NONE, 0, 0, 0},
    {"its name in capitals", BY_ROOT, {"a.test"}, "A.Test", HAIL_FAULT_NONE, 0, 0, 0},
    {"the second of its names", BY_ROOT, {"a.test", "b.test"}, "b.test", HAIL_FAULT_NONE, 0, 0, 0},
    {"a wildcard", BY_ROOT, {"*.a.test"}, "x.a.test", HAIL_FAULT_NONE, 0, 0, 0},
    {"an IPv4 address", BY_ROOT, {"10.0.0.1"}, "10.0.0.1", HAIL_FAULT_NONE, 0, 0, 0},
    {"an IPv6 address", BY_ROOT, {"::1"}, "::1", HAIL_FAULT_NONE, 0, 0, 0},
    {"an IPv6 address written at length",
     BY_ROOT,
     {"::1"},
     "0:0:0:0:0:0:0:1",
     HAIL_FAULT_NONE,
     0,
     0,
     0},
    {"127.0.0.1 with any name", BY_ROOT, {"a.test"}, "127.0.0.1", HAIL_FAULT_NONE, 0, 0, 0},
    {"an intermediate from the CA file",
     BY_INTERMEDIATE,
     {"a.test"},
     "a.test",
     HAIL_FAULT_NONE,
     0,
     0,
     0},
    {"its first second", BY_ROOT, {"a.test"}, "a.test", HAIL_FAULT_NONE, 0, NOW_S, TO_S},
    {"the second before its last",
     BY_ROOT,
     {"a.test"},
     "a.test",
     HAIL_FAULT_NONE,
     0,
     FROM_S,
     NOW_S + 1},
};

static struct hail_trust *load_trust(void)
{
    const struct hail_issued *const believed[] = {root, intermediate, leaf_as_ca};
    struct hail_fault_report report;
    struct hail_trust *trust;
    uint8_t file[16384];
    size_t file_len = 0;

    for (size_t i = 0; i < HAIL_COUNTOF(believed); i++) {
        uint8_t *pem;
        size_t len;
        ck_assert(hail_issued_certificate_pem(believed[i], &pem, &len));
        ck_assert_uint_le(file_len + len, sizeof file);
        memcpy(file + file_len, pem, len);
        file_len += len;
        free(pem);
    }
    ck_assert_msg(hail_trust_load(&trust, (struct hail_bytes){file, file_len}, &report), "%s",
                  report.text);
    return trust;
}

START_TEST(test_row)
{
    const struct hail_issued *const issuers[] = {[BY_ROOT] = root,
                                                 [BY_INTERMEDIATE] = intermediate,
                                                 [BY_STRANGER] = stranger,
                                                 [BY_LEAF] = leaf_as_ca,
                                                 [BY_ITSELF] = NULL};
    struct hail_issued *leaf =
        issue(issuers[rows[_i].issuer], "server.test", rows[_i].names, rows[_i].use,
              rows[_i].from_s ? rows[_i].from_s : FROM_S, rows[_i].to_s ? rows[_i].to_s : TO_S);
    struct hail_trust *trust = load_trust();
    struct hail_fault_report report = {0};
    struct hail_certificate *certificate;

    ck_assert(hail_certificate_parse(&certificate, hail_issued_der(leaf), &report));
    bool believed = hail_trust_check(trust, certificate, rows[_i].host, NOW_S, &report);
    enum hail_fault got = believed ? HAIL_FAULT_NONE : report.fault;
    ck_assert_msg(got == rows[_i].want, "%s: %s (%s)", rows[_i].why, hail_fault_name(got),
                  report.text);
    if (!believed)
        ck_assert_msg(strlen(report.text) > 20, "%s: no sentence", rows[_i].why);
    hail_certificate_free(certificate);
    hail_trust_free(trust);
    hail_issued_free(leaf);
}
END_TEST

// ---- What is in the CA file is believed, whatever it is

static struct hail_trust *trust_in_one(const struct hail_issued *believed)
{
    struct hail_fault_report report;
    struct hail_trust *trust;
    uint8_t *pem;
    size_t len;

    ck_assert(hail_issued_certificate_pem(believed, &pem, &len));
    ck_assert_msg(hail_trust_load(&trust, (struct hail_bytes){pem, len}, &report), "%s",
                  report.text);
    free(pem);
    return trust;
}

static void check_one(const struct hail_trust *trust, const struct hail_issued *leaf,
                      const char *host, enum hail_fault want, const char *why)
{
    struct hail_fault_report report = {0};
    struct hail_certificate *certificate;

    ck_assert(hail_certificate_parse(&certificate, hail_issued_der(leaf), &report));
    for (int way = 0; way < 2; way++) {
        bool good = way == 0
                        ? hail_trust_check(trust, certificate, host, NOW_S, &report)
                        : hail_trust_check_chain(trust, certificate, NULL, 0, host, NOW_S, &report);
        ck_assert_msg((good ? HAIL_FAULT_NONE : report.fault) == want, "%s: %s", why, report.text);
    }
    hail_certificate_free(certificate);
}

static const struct {
    const char *why;
    enum hail_issue_use use;
    const char *host;
    int64_t to_s;
    enum hail_fault want;
} pins[] = {
    {"for servers, whose key usage lets them sign no certificate", HAIL_ISSUE_SERVER, "a.test",
     TO_S, HAIL_FAULT_NONE},
    {"another name", HAIL_ISSUE_SERVER, "b.test", TO_S, HAIL_FAULT_WRONG_NAME},
    {"expired", HAIL_ISSUE_SERVER, "a.test", NOW_S - 1, HAIL_FAULT_EXPIRED},
    {"for clients alone", HAIL_ISSUE_CLIENT, "a.test", TO_S, HAIL_FAULT_CHAIN},
};

START_TEST(test_pinned)
{
    static const char *const names[NAMES_MAX] = {"a.test"};
    struct hail_issued *leaf = issue(NULL, "pinned", names, pins[_i].use, FROM_S, pins[_i].to_s);
    struct hail_issued *other = issue(NULL, "other", names, HAIL_ISSUE_SERVER, FROM_S, TO_S);
    struct hail_trust *trust = trust_in_one(leaf);

    check_one(trust, leaf, pins[_i].host, pins[_i].want, pins[_i].why);
    check_one(trust, other, "a.test", HAIL_FAULT_UNKNOWN_ISSUER, "another's");
    hail_trust_free(trust);
    hail_issued_free(leaf);
    hail_issued_free(other);
}
END_TEST

START_TEST(test_intermediate_as_anchor)
{
    static const char *const names[NAMES_MAX] = {"a.test"};
    struct hail_issued *below = issue(intermediate, "s", names, HAIL_ISSUE_SERVER, FROM_S, TO_S);
    struct hail_issued *beside = issue(root, "s", names, HAIL_ISSUE_SERVER, FROM_S, TO_S);
    struct hail_trust *trust = trust_in_one(intermediate);

    check_one(trust, below, "a.test", HAIL_FAULT_NONE, "by the intermediate");
    check_one(trust, beside, "a.test", HAIL_FAULT_UNKNOWN_ISSUER, "by its root");
    hail_trust_free(trust);
    hail_issued_free(below);
    hail_issued_free(beside);
}
END_TEST

// An intermediate that has expired, before or behind its valid twin, of the same name and key.
START_TEST(test_expired_twin)
{
    static const char *const names[NAMES_MAX] = {"a.test"};
    const struct hail_issue_terms twin = {.common_name = "intermediate",
                                          .use = HAIL_ISSUE_CA,
                                          .from_s = FROM_S,
                                          .to_s = NOW_S - 1,
                                          .same_key = intermediate};
    struct hail_issued *leaf = issue(intermediate, "s", names, HAIL_ISSUE_SERVER, FROM_S, TO_S);
    struct hail_trust *trust = trust_in_one(root);
    struct hail_fault_report report = {0};
    struct hail_certificate *certificate;
    struct hail_issued *expired;

    ck_assert(hail_issue(&expired, root, &twin, &report));
    ck_assert(hail_certificate_parse(&certificate, hail_issued_der(leaf), &report));
    struct hail_bytes between[2] = {hail_issued_der(expired), hail_issued_der(intermediate)};
    ck_assert(hail_trust_check_chain(trust, certificate, between, 2, "a.test", NOW_S, &report));
    ck_assert(!hail_trust_check_chain(trust, certificate, between, 1, "a.test", NOW_S, &report));
    ck_assert_int_eq(report.fault, HAIL_FAULT_EXPIRED);
    between[0] = between[1];
    between[1] = hail_issued_der(expired);
    ck_assert(hail_trust_check_chain(trust, certificate, between, 2, "a.test", NOW_S, &report));
    hail_certificate_free(certificate);
    hail_trust_free(trust);
    hail_issued_free(leaf);
    hail_issued_free(expired);
}
END_TEST

// ---- Forms of the CA file

enum form {
    FORM_DER,
    FORM_UTF8_MARK,
    FORM_UTF16_LITTLE,
    FORM_UTF16_BIG,
    FORM_CRLF,
    FORM_COUNT
};

// Writes a text in a form; returns its length.
static size_t write_form(uint8_t *out, enum form form, const uint8_t *text, size_t len)
{
    static const uint8_t marks[][3] = {[FORM_UTF8_MARK] = {0xef, 0xbb, 0xbf},
                                       [FORM_UTF16_LITTLE] = {0xff, 0xfe},
                                       [FORM_UTF16_BIG] = {0xfe, 0xff}};
    size_t at = 0;

    if (form == FORM_UTF8_MARK || form == FORM_UTF16_LITTLE || form == FORM_UTF16_BIG) {
        at = form == FORM_UTF8_MARK ? 3 : 2;
        memcpy(out, marks[form], at);
    }
    for (size_t i = 0; i < len; i++) {
        if (form == FORM_UTF16_BIG)
            out[at++] = 0;
        if (form == FORM_CRLF && text[i] == '\n')
            out[at++] = '\r';
        out[at++] = text[i];
        if (form == FORM_UTF16_LITTLE)
            out[at++] = 0;
    }
    return at;
}

// Two anchors, of which the first is not lost.
START_TEST(test_forms)
{
    static const char *const names[NAMES_MAX] = {"a.test"};
    struct hail_issued *leaf = issue(root, "s", names, HAIL_ISSUE_SERVER, FROM_S, TO_S);
    struct hail_fault_report report;
    struct hail_trust *trust;
    uint8_t text[8192];
    uint8_t file[2 * sizeof text + 3];
    size_t len = 0;

    for (int i = 0; i < 2; i++) {
        uint8_t *pem;
        size_t pem_len;
        ck_assert(hail_issued_certificate_pem(i == 0 ? root : stranger, &pem, &pem_len));
        memcpy(text + len, pem, pem_len);
        len += pem_len;
        free(pem);
    }
    struct hail_bytes bytes = hail_issued_der(root);
    if (_i != FORM_DER)
        bytes = (struct hail_bytes){file, write_form(file, (enum form)_i, text, len)};
    ck_assert_msg(hail_trust_load(&trust, bytes, &report), "%s", report.text);
    check_one(trust, leaf, "a.test", HAIL_FAULT_NONE, "in another form");
    hail_trust_free(trust);
    hail_issued_free(leaf);
}
END_TEST

static const struct {
    const char *why;
    const char *pem;
} no_trusts[] = {
    {"not PEM at all", "nothing to believe"},
    {"PEM without a certificate", "-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n"},
    {"a form of OpenSSL's own",
     "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n"},
    {"DER that is no certificate", "\x30\x82\x01\x01\x02"},
    {"a damaged certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
};

START_TEST(test_no_trust)
{
    struct hail_fault_report report = {0};
    struct hail_trust *trust = NULL;
    const char *pem = no_trusts[_i].pem;

    ck_assert_msg(
        !hail_trust_load(&trust, (struct hail_bytes){(const uint8_t *)pem, strlen(pem)}, &report),
        "%s", no_trusts[_i].why);
    ck_assert_int_ne(report.fault, HAIL_FAULT_NONE);
    ck_assert_uint_gt(strlen(report.text), 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trust");
    TCase *tests = tcase_create("trust");

    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_row, 0, HAIL_COUNTOF(rows));
    tcase_add_loop_test(tests, test_pinned, 0, HAIL_COUNTOF(pins));
    tcase_add_test(tests, test_intermediate_as_anchor);
    tcase_add_test(tests, test_expired_twin);
    tcase_add_loop_test(tests, test_forms, 0, FORM_COUNT);
    tcase_add_loop_test(tests, test_no_trust, 0, HAIL_COUNTOF(no_trusts));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
