// test_armour.c: the forms in which others write a server's certificate and key.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/issue.h"
#include "tests/vectors.h"

static const int64_t FROM_S = 1000000000;
static const int64_t TO_S = 3000000000;

static enum hail_fault load(struct hail_bytes file, struct hail_fault_report *report)
{
    const struct hail_bytes none = {0};
    struct hail_identity *identity;

    if (!hail_identity_load(&identity, file, none, NULL, report))
        return report->fault;
    hail_identity_free(identity);
    return HAIL_FAULT_NONE;
}

// Puts a text into another form: A as it is, M with a mark of UTF-8, L and B as UTF-16.
static size_t as_form(uint8_t *out, char form, const uint8_t *text, size_t len)
{
    static const char *const marks[] = {
        ['A'] = "", ['M'] = "\xef\xbb\xbf", ['L'] = "\xff\xfe", ['B'] = "\xfe\xff"};
    size_t at = strlen(marks[(int)form]);

    memcpy(out, marks[(int)form], at);
    for (size_t i = 0; i < len; i++) {
        if (form == 'B')
            out[at++] = 0;
        out[at++] = text[i];
        if (form == 'L')
            out[at++] = 0;
    }
    return at;
}

// How Windows and those who keep secrets in YAML write files: a PFX in the armour of a certificate
// (certutil -encode) or of its own, PEM in base64, each as UTF-16 and with marks as well.
START_TEST(test_armour)
{
    static const char *const armours[] = {NULL, "CERTIFICATE", "PKCS12", "PFX", "PEM"};
    static const char forms[] = "AMLB";
    const struct hail_issue_terms terms = {
        .common_name = "play.example", .from_s = FROM_S, .to_s = TO_S, .use = HAIL_ISSUE_SERVER};
    struct hail_fault_report report;
    struct hail_issued *one = NULL;
    uint8_t *pfx;
    uint8_t *base64;
    size_t pfx_len;
    size_t base64_len;
    static uint8_t text[16384];
    static uint8_t file[2 * sizeof text + 3];

    ck_assert(hail_issue(&one, NULL, &terms, &report));
    const struct hail_pfx_content content = {.certificate = one, .key = one, .password = ""};
    ck_assert(hail_pfx_write(&content, &pfx, &pfx_len));
    for (size_t i = 0; i < HAIL_COUNTOF(armours); i++) {
        struct hail_bytes inside = {pfx, pfx_len};
        bool is_pem = armours[i] && strcmp(armours[i], "PEM") == 0;
        uint8_t pems[8192];
        if (is_pem) {
            uint8_t *part[2];
            size_t len[2];
            ck_assert(hail_issued_certificate_pem(one, &part[0], &len[0]));
            ck_assert(hail_issued_key_pem(one, &part[1], &len[1]));
            memcpy(pems, part[0], len[0]);
            memcpy(pems + len[0], part[1], len[1]);
            inside = (struct hail_bytes){pems, len[0] + len[1]};
            free(part[0]);
            free(part[1]);
        }
        ck_assert(hail_base64_write(inside, &base64, &base64_len));
        size_t text_len =
            armours[i] && !is_pem
                ? (size_t)snprintf((char *)text, sizeof text,
                                   "-----BEGIN %s-----\n%.*s-----END %s-----\n", armours[i],
                                   (int)base64_len, base64, armours[i])
                : (size_t)snprintf((char *)text, sizeof text, "%.*s", (int)base64_len, base64);
        for (const char *form = forms; *form; form++) {
            size_t len = as_form(file, *form, text, text_len);
            enum hail_fault got = load((struct hail_bytes){file, len}, &report);
            ck_assert_msg(got == HAIL_FAULT_NONE, "%s as %c: %s",
                          armours[i] ? armours[i] : "base64", *form, report.text);
        }
        free(base64);
    }
    static const char trusted[] =
        "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n";
    ck_assert_int_eq(
        load((struct hail_bytes){(const uint8_t *)trusted, sizeof trusted - 1}, &report),
        HAIL_FAULT_FORMAT);
    ck_assert_ptr_nonnull(strstr(report.text, "TRUSTED CERTIFICATE"));
    free(pfx);
    hail_issued_free(one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("armour");
    TCase *tests = tcase_create("armour");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_armour);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
