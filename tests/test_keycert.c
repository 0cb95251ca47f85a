// test_keycert.c: key certificates: what must not be believed, and what must.
// SPDX-License-Identifier: MIT
#include "proto/keycert.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "tests/vectors.h"

static const int64_t now_s = 1700000000;
static const int64_t day_s = 86400;
static const uint8_t static_public[HAIL_X25519_LEN] = {9, 1, 2, 3};

// A root, perhaps an issuer below it, and a server; the server's identity and what clients trust.
struct scene {
    struct hail_issued *root;
    struct hail_issued *issuer;
    struct hail_issued *server;
    struct hail_identity *identity;
    struct hail_trust *trust;
    uint8_t bytes[HAIL_KEYCERT_MAX];
    size_t len;
    struct hail_keycert keycert;
};

static struct hail_issued *issue(const struct hail_issued *by, const char *name,
                                 enum hail_issue_use use, enum hail_issue_key key, int64_t to_s)
{
    const char *const names[] = {name};
    const struct hail_issue_terms terms = {
        .common_name = name,
        .names = names,
        .name_count = use == HAIL_ISSUE_CA ? 0 : 1,
        .use = use,
        .from_s = now_s - 10 * day_s,
        .to_s = to_s,
        .key = key,
    };
    struct hail_fault_report report;
    struct hail_issued *issued;

    ck_assert_msg(hail_issue(&issued, by, &terms, &report), "%s", report.text);
    return issued;
}

static size_t append_pem(uint8_t *pem, const struct hail_issued *issued, bool key)
{
    uint8_t *text;
    size_t len;

    ck_assert((key ? hail_issued_key_pem : hail_issued_certificate_pem)(issued, &text, &len));
    memcpy(pem, text, len);
    free(text);
    return len;
}

static void init(struct scene *scene, enum hail_issue_key key, bool between, int64_t leaf_to_s)
{
    static uint8_t pem[1 << 16];
    struct hail_fault_report report;

    memset(scene, 0, sizeof *scene);
    scene->root = issue(NULL, "root", HAIL_ISSUE_CA, HAIL_ISSUE_P256, now_s + 1000 * day_s);
    if (between)
        scene->issuer =
            issue(scene->root, "between", HAIL_ISSUE_CA, HAIL_ISSUE_P256, now_s + 1000 * day_s);
    scene->server = issue(between ? scene->issuer : scene->root, "play.test", HAIL_ISSUE_SERVER,
                          key, leaf_to_s);
    size_t len = append_pem(pem, scene->root, false);
    ck_assert(hail_trust_load(&scene->trust, (struct hail_bytes){pem, len}, &report));
    len = append_pem(pem, scene->server, false);
    if (between)
        len += append_pem(pem + len, scene->issuer, false);
    len += append_pem(pem + len, scene->root, false); // left out again
    len += append_pem(pem + len, scene->server, true);
    ck_assert_msg(hail_identity_load(&scene->identity, (struct hail_bytes){pem, len},
                                     (struct hail_bytes){NULL, 0}, NULL, &report),
                  "%s", report.text);
    ck_assert_uint_eq(hail_identity_chain_count(scene->identity), between ? 2 : 1);
}

static void cleanup(struct scene *scene)
{
    hail_identity_free(scene->identity);
    hail_trust_free(scene->trust);
    hail_issued_free(scene->server);
    hail_issued_free(scene->issuer);
    hail_issued_free(scene->root);
}

static void make(struct scene *scene, const char *name, int64_t from_s, int64_t to_s)
{
    struct hail_fault_report report;

    ck_assert_msg(hail_keycert_make(scene->bytes, &scene->len, scene->identity, name,
                                    (uint64_t)from_s, (uint64_t)to_s, static_public, &report),
                  "%s", report.text);
    ck_assert(hail_keycert_parse(&scene->keycert, (struct hail_bytes){scene->bytes, scene->len}));
}

// Which fault a client finds; HAIL_FAULT_NONE: it believes.
static enum hail_fault check(const struct hail_keycert *keycert, const struct hail_trust *trust,
                             const uint8_t key[HAIL_X25519_LEN], const char *host, int64_t at_s)
{
    struct hail_fault_report report = {0};
    struct hail_certificate *leaf;

    if (!hail_certificate_parse(&leaf, keycert->chain[0], &report))
        return report.fault;
    bool believed = hail_keycert_check_signature(keycert, key, leaf, at_s, &report) &&
                    hail_keycert_check_names(keycert, leaf, trust, host, at_s, &report);
    hail_certificate_free(leaf);
    if (believed)
        return HAIL_FAULT_NONE;
    ck_assert_int_ne(report.fault, HAIL_FAULT_NONE);
    ck_assert_uint_gt(strlen(report.text), 10);
    return report.fault;
}

static const struct {
    const char *why;
    const char *name;  // in the key certificate
    const char *host;  // that the client meant to reach
    int64_t from_days; // of the key certificate
    int64_t to_days;
    int64_t leaf_days; // until the certificate itself is over
    int64_t at_days;   // when the client looks
    enum hail_fault want;
} rows[] = {
    {"over", "", "play.test", -2, -1, 100, 0, HAIL_FAULT_EXPIRED},
    {"not yet", "", "play.test", 1, 2, 100, 0, HAIL_FAULT_NOT_YET_VALID},
    {"another name than it is vouched for under", "eu.play.test", "play.test", -1, 1, 100, 0,
     HAIL_FAULT_WRONG_NAME},
    {"a name that the certificate lacks", "", "other.test", -1, 1, 100, 0, HAIL_FAULT_WRONG_NAME},
    {"this machine needs its name as well", "", "127.0.0.1", -1, 1, 100, 0, HAIL_FAULT_WRONG_NAME},
    {"the certificate is over, the key certificate is not", "", "play.test", -1, 1, -1, 0,
     HAIL_FAULT_EXPIRED},
    {"the right one", "", "play.test", -1, 1, 100, 0, HAIL_FAULT_NONE},
    {"the right one, under its name", "play.test", "PLAY.test", -1, 1, 100, 0, HAIL_FAULT_NONE},
    {"for as long as it may be", "", "play.test", -1, HAIL_KEYCERT_DAYS_MAX - 1, 100, 0,
     HAIL_FAULT_NONE},
};

START_TEST(test_rows)
{
    struct scene scene;

    init(&scene, HAIL_ISSUE_P256, false, now_s + rows[_i].leaf_days * day_s);
    make(&scene, rows[_i].name, now_s + rows[_i].from_days * day_s,
         now_s + rows[_i].to_days * day_s);
    enum hail_fault fault = check(&scene.keycert, scene.trust, static_public, rows[_i].host,
                                  now_s + rows[_i].at_days * day_s);
    ck_assert_msg(fault == rows[_i].want, "%s: %s", rows[_i].why, hail_fault_name(fault));
    cleanup(&scene);
}
END_TEST

// Every kind of key; with another static key, by another's key, with another scheme, and with any
// byte of it changed.
START_TEST(test_kinds)
{
    const uint8_t other_key[HAIL_X25519_LEN] = {9, 1, 2, 4};
    struct scene scene;
    struct scene stranger;

    init(&scene, (enum hail_issue_key)_i, false, now_s + 100 * day_s);
    init(&stranger, HAIL_ISSUE_ED25519, false, now_s + 100 * day_s);
    make(&scene, "", now_s - day_s, now_s + day_s);
    make(&stranger, "", now_s - day_s, now_s + day_s);
    struct hail_keycert wrong = scene.keycert;

    ck_assert_int_eq(check(&wrong, scene.trust, other_key, "play.test", now_s),
                     HAIL_FAULT_SIGNATURE);
    ck_assert_int_eq(check(&wrong, stranger.trust, static_public, "play.test", now_s),
                     HAIL_FAULT_UNKNOWN_ISSUER);
    wrong.signature = stranger.keycert.signature;
    ck_assert_int_eq(check(&wrong, scene.trust, static_public, "play.test", now_s),
                     HAIL_FAULT_SIGNATURE);
    wrong = scene.keycert;
    wrong.scheme ^= 1;
    ck_assert_int_eq(check(&wrong, scene.trust, static_public, "play.test", now_s),
                     HAIL_FAULT_KEY_KIND);
    wrong = scene.keycert;
    wrong.not_after += (uint64_t)(HAIL_KEYCERT_DAYS_MAX * day_s);
    ck_assert_int_eq(check(&wrong, scene.trust, static_public, "play.test", now_s),
                     HAIL_FAULT_SIGNATURE);
    for (size_t i = 0; i < scene.len; i++) {
        struct hail_keycert changed;
        scene.bytes[i] ^= 1;
        if (hail_keycert_parse(&changed, (struct hail_bytes){scene.bytes, scene.len}))
            ck_assert_msg(check(&changed, scene.trust, static_public, "play.test", now_s) !=
                              HAIL_FAULT_NONE,
                          "byte %zu", i);
        scene.bytes[i] ^= 1;
    }
    ck_assert_int_eq(check(&scene.keycert, scene.trust, static_public, "play.test", now_s),
                     HAIL_FAULT_NONE);
    cleanup(&scene);
    cleanup(&stranger);
}
END_TEST

START_TEST(test_chain)
{
    struct scene scene;

    init(&scene, HAIL_ISSUE_P256, true, now_s + 100 * day_s);
    make(&scene, "", now_s - day_s, now_s + day_s);
    ck_assert_uint_eq(scene.keycert.chain_count, 2);
    ck_assert_int_eq(check(&scene.keycert, scene.trust, static_public, "play.test", now_s),
                     HAIL_FAULT_NONE);
    scene.keycert.chain_count = 1;
    ck_assert_int_eq(check(&scene.keycert, scene.trust, static_public, "play.test", now_s),
                     HAIL_FAULT_UNKNOWN_ISSUER);
    cleanup(&scene);
}
END_TEST

START_TEST(test_form)
{
    struct hail_keycert keycert;
    struct hail_fault_report report;
    struct scene scene;

    init(&scene, HAIL_ISSUE_ED25519, false, now_s + 100 * day_s);
    make(&scene, "play.test", now_s - day_s, now_s + day_s);
    for (size_t len = 0; len < scene.len; len++)
        ck_assert_msg(!hail_keycert_parse(&keycert, (struct hail_bytes){scene.bytes, len}),
                      "%zu bytes", len);
    scene.bytes[scene.len] = 0;
    ck_assert_msg(!hail_keycert_parse(&keycert, (struct hail_bytes){scene.bytes, scene.len + 1}),
                  "a byte behind it");
    scene.bytes[0] = 2;
    ck_assert(!hail_keycert_parse(&keycert, (struct hail_bytes){scene.bytes, scene.len}));
    ck_assert_msg(!hail_keycert_make(scene.bytes, &scene.len, scene.identity, "", (uint64_t)now_s,
                                     (uint64_t)(now_s + HAIL_KEYCERT_DAYS_MAX * day_s + 1),
                                     static_public, &report),
                  "a window of more than 31 days");
    cleanup(&scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keycert");
    TCase *tests = tcase_create("keycert");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_rows, 0, HAIL_COUNTOF(rows));
    tcase_add_loop_test(tests, test_kinds, HAIL_ISSUE_RSA, HAIL_ISSUE_ED25519 + 1);
    tcase_add_test(tests, test_chain);
    tcase_add_test(tests, test_form);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
