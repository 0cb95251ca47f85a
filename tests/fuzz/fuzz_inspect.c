// fuzz_inspect.c: a file that somebody gave, as hail-cert takes it: inspect and verify.
// SPDX-License-Identifier: MIT
//
// Holds  what can be read is described; a key belongs to no more than its certificate; the client's
//        check ends, for each certificate of the file, with belief or with a fault and a sentence,
//        and a key of no use to clients has the fault of its kind.
// Seeds  certificates and private keys of each kind, in PEM, DER and PFX:
//        tests/fuzz/make_certificate_seeds.
#include "crypto/bundle.h"
#include "tests/fuzz/shown.h"

static void verify(const struct hail_bundle *bundle, const struct hail_trust *trust)
{
    for (size_t i = 0; i < bundle->certificate_count; i++) {
        struct hail_fault_report report = {0};
        bool believed =
            hail_trust_check(trust, bundle->certificates[i], "play.test", signed_from_s, &report);
        bool used = shown_describe(bundle->certificates[i]) != SHOWN_NONE;
        fuzz_holds(believed ? used : used || report.fault == HAIL_FAULT_KEY_KIND);
        fuzz_holds(believed || report.text[0] != '\0');
    }
}

static void inspect(struct hail_bytes file, const char *password)
{
    struct hail_fault_report report = {0};
    struct hail_bundle bundle = {0};
    struct hail_identity *identity;
    struct hail_trust *trust;
    size_t certificate;
    size_t key;

    bool read = hail_bundle_load(&bundle, file, (struct hail_bytes){NULL, 0}, password, &report);
    fuzz_holds(read || report.text[0] != '\0');
    for (size_t i = 0; i < bundle.certificate_count; i++)
        fuzz_holds(hail_bundle_key_of(&bundle, i) <= bundle.key_count);
    if (read && hail_bundle_pair(&bundle, &certificate, &key, &report))
        fuzz_holds(certificate < bundle.certificate_count && key < bundle.key_count &&
                   shown_describe(bundle.certificates[certificate]) != SHOWN_NONE);
    verify(&bundle, signed_trust());
    if (file.len > 0 && hail_trust_load(&trust, file, &report)) {
        verify(&bundle, trust);
        hail_trust_free(trust);
    }
    hail_bundle_cleanup(&bundle);
    if (hail_identity_load(&identity, file, (struct hail_bytes){NULL, 0}, password, &report))
        hail_identity_free(identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inspect((struct hail_bytes){data, size}, NULL);
    inspect((struct hail_bytes){data, size}, "secret");
    return 0;
}
