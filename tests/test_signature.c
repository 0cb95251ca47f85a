// test_signature.c: who signed what: our own signatures, MLAPI's recorded ones, and every way in
// which one is not right.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "tests/vectors.h"

static struct hail_identity *make_identity(void)
{
    const struct hail_issue_terms terms = {
        .common_name = "server.test", .use = HAIL_ISSUE_SERVER, .to_s = 4102444800};
    struct hail_fault_report report;
    struct hail_identity *identity;
    struct hail_issued *issued;
    uint8_t *pem[2];
    size_t len[2];

    ck_assert(hail_issue(&issued, NULL, &terms, &report));
    ck_assert(hail_issued_certificate_pem(issued, &pem[0], &len[0]));
    ck_assert(hail_issued_key_pem(issued, &pem[1], &len[1]));
    ck_assert_msg(hail_identity_load(&identity, (struct hail_bytes){pem[0], len[0]},
                                     (struct hail_bytes){pem[1], len[1]}, NULL, &report),
                  "%s", report.text);
    free(pem[0]);
    free(pem[1]);
    hail_issued_free(issued);
    return identity;
}

static struct hail_certificate *leaf_of(const struct hail_identity *identity)
{
    struct hail_fault_report report;
    struct hail_certificate *certificate;

    ck_assert(hail_certificate_parse(&certificate, hail_identity_leaf(identity), &report));
    return certificate;
}

// A refusal has its fault and a sentence.
static bool is_signed(const struct hail_certificate *certificate, enum hail_signature_kind kind,
                      struct hail_bytes data, struct hail_bytes signature)
{
    struct hail_fault_report report = {0};
    bool good = hail_certificate_signed(certificate, kind, data, signature, &report);

    if (!good) {
        ck_assert_int_ne(report.fault, HAIL_FAULT_NONE);
        ck_assert_uint_gt(strlen(report.text), 10);
    }
    return good;
}

START_TEST(test_own)
{
    struct hail_identity *identity = make_identity();
    struct hail_identity *other = make_identity();
    struct hail_certificate *leaf = leaf_of(identity);
    struct hail_certificate *others_leaf = leaf_of(other);
    uint8_t data[68] = "a public part";
    uint8_t signature[HAIL_SIGNATURE_MAX];
    const struct hail_bytes all = {data, sizeof data};
    size_t len;

    ck_assert(hail_identity_is_rsa(identity));
    ck_assert(hail_identity_sign_rsa(identity, signature, &len, all));
    ck_assert_uint_eq(len, 256);
    const struct hail_bytes good = {signature, len};
    ck_assert_msg(!is_signed(others_leaf, HAIL_SIGNATURE_RSA, all, good), "another's key");
    ck_assert_msg(!is_signed(leaf, HAIL_SIGNATURE_DSA, all, good), "another kind");
    ck_assert_msg(!is_signed(leaf, HAIL_SIGNATURE_RSA, (struct hail_bytes){data, 67}, good),
                  "less data");
    ck_assert(!is_signed(leaf, HAIL_SIGNATURE_RSA, all, (struct hail_bytes){signature, 0}));
    ck_assert(!is_signed(leaf, HAIL_SIGNATURE_RSA, all, (struct hail_bytes){signature, len - 1}));
    ck_assert(!is_signed(leaf, HAIL_SIGNATURE_RSA, all, (struct hail_bytes){signature, len + 1}));
    for (size_t bit = 0; bit < 8 * len; bit += 7) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_msg(!is_signed(leaf, HAIL_SIGNATURE_RSA, all, good), "bit %zu", bit);
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] ^= 1;
        ck_assert_msg(!is_signed(leaf, HAIL_SIGNATURE_RSA, all, good), "byte %zu of the data", i);
        data[i] ^= 1;
    }
    ck_assert(is_signed(leaf, HAIL_SIGNATURE_RSA, all, good));
    hail_certificate_free(leaf);
    hail_certificate_free(others_leaf);
    hail_identity_free(identity);
    hail_identity_free(other);
}
END_TEST

// One hail that MLAPI signed: right as it is, wrong with any bit of it turned.
static void check_hail(const json_t *hail, struct vector_bytes der)
{
    struct vector_bytes part = vector_hex(hail, "server_public");
    struct vector_bytes signature = vector_hex(hail, "signature");
    enum hail_signature_kind kind = (enum hail_signature_kind)vector_int(hail, "signature_type");
    struct hail_fault_report report;
    struct hail_certificate *certificate;
    const struct hail_bytes data = {part.data, part.len};
    const struct hail_bytes by = {signature.data, signature.len};

    ck_assert_msg(
        hail_certificate_parse(&certificate, (struct hail_bytes){der.data, der.len}, &report), "%s",
        report.text);
    ck_assert(is_signed(certificate, kind, data, by));
    for (size_t i = 0; i < signature.len; i++) {
        signature.data[i] ^= 1;
        ck_assert_msg(!is_signed(certificate, kind, data, by), "byte %zu", i);
        signature.data[i] ^= 1;
    }
    part.data[0] ^= 1;
    ck_assert(!is_signed(certificate, kind, data, by));
    ck_assert(!is_signed(certificate, kind, data,
                         (struct hail_bytes){signature.data, signature.len - 1}));
    hail_certificate_free(certificate);
    free(part.data);
    free(signature.data);
}

START_TEST(test_recorded)
{
    json_t *root = vectors_mlapi();
    const json_t *hails = json_object_get(root, "hail");
    const char *const lists[] = {"rsa_cases", "dsa_cases"};
    size_t checked[2] = {0};
    size_t i;
    const json_t *hail;

    for (size_t list = 0; list < 2; list++) {
        json_array_foreach(json_object_get(hails, lists[list]), i, hail)
        {
            const char *signature = json_string_value(json_object_get(hail, "signature"));
            if (!signature || signature[0] == '(')
                continue; // unsigned, or only told in words
            struct vector_bytes der = vector_hex(hail, "certificate_der");
            check_hail(hail, der);
            checked[list]++;
            free(der.data);
        }
    }
    ck_assert_uint_eq(checked[0], 4);
    ck_assert_uint_eq(checked[1], 3);
    json_decref(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signature");
    TCase *tests = tcase_create("signature");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_own);
    tcase_add_test(tests, test_recorded);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
