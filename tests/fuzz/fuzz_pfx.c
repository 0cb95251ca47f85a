// fuzz_pfx.c: a file that claims to be a PFX or PEM.
// SPDX-License-Identifier: MIT
//
// Holds  loading ends, leaks nothing, and gives an identity whose leaf parses and whose signatures
//        verify, or a fault with a sentence.
#include "crypto/identity.h"
#include "tests/fuzz/fuzz.h"

static void check_identity(const struct hail_identity *identity)
{
    static const uint8_t text[] = "signed";
    const struct hail_bytes data = {text, sizeof text};
    uint8_t signature[HAIL_SIGNATURE_MAX];
    struct hail_certificate *leaf;
    struct hail_fault_report report;
    size_t len;

    fuzz_holds(hail_certificate_parse(&leaf, hail_identity_leaf(identity), &report));
    if (hail_identity_is_rsa(identity) && hail_identity_sign_rsa(identity, signature, &len, data) &&
        len >= 128)
        fuzz_holds(hail_certificate_signed(leaf, HAIL_SIGNATURE_RSA, data,
                                           (struct hail_bytes){signature, len}, &report));
    hail_certificate_free(leaf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const passwords[] = {NULL, "secret"};

    for (size_t i = 0; i < HAIL_COUNTOF(passwords); i++) {
        struct hail_fault_report report = {0};
        struct hail_identity *identity = NULL;
        if (hail_identity_load(&identity, (struct hail_bytes){data, size},
                               (struct hail_bytes){NULL, 0}, passwords[i], &report)) {
            check_identity(identity);
            hail_identity_free(identity);
        } else {
            fuzz_holds(report.fault != HAIL_FAULT_NONE && report.text[0] != 0);
        }
    }
    return 0;
}
