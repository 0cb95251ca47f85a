// fuzz_mlapi_leaf.c: the certificate in a server's hail, at a client of the mlapi profile: X.509 in
// DER. What is behind it is taken for the signature.
// SPDX-License-Identifier: MIT
//
// Holds  the client's application is asked only about certificates whose keys are of the kind that
//        the hail says; another kind is refused for that. Nobody's signature is taken.
// Seeds  a certificate with each kind of key, and chains: tests/fuzz/make_certificate_seeds.
#include "proto/mlapi/body.h"
#include "tests/fuzz/shown.h"

// What the application was asked about.
struct asked {
    int count;
    enum shown_key key;
};

static bool believe(void *user, const struct hail_certificate *certificate, const char *host,
                    int64_t unix_s, struct hail_fault_report *report)
{
    struct asked *asked = user;

    asked->count++;
    asked->key = shown_describe(certificate);
    for (int i = 0; i < 2; i++) {
        const struct hail_trust *trust = i == 0 ? signed_trust() : signed_again();
        *report = (struct hail_fault_report){0};
        fuzz_holds(hail_trust_check(trust, certificate, host, unix_s, report) ||
                   report->text[0] != '\0');
    }
    return true;
}

static void hail(struct hail_bytes certificate, struct hail_bytes signature, uint8_t kind)
{
    static struct hail_mlapi_result result;
    static uint8_t message[HAIL_MLAPI_HAIL_MAX + FOREIGN_MAX];
    struct hail_mlapi_setup setup = fuzz_setup(false);
    struct hail_mlapi_session session;
    struct hail_random random;
    const struct hail_mlapi_ambient ambient = {.random = &random, .unix_s = signed_from_s};
    const struct hail_mlapi_hail_body body = {
        .certificate = certificate,
        .public_part = {fuzz_key, sizeof fuzz_key},
        .signature = signature,
        .signature_type = kind,
    };
    struct asked asked = {0};

    hail_random_init_seeded(&random, 1);
    setup.signing = true;
    setup.verifier = (struct hail_mlapi_verifier){believe, &asked};
    hail_mlapi_client_init(&session, &setup, "play.test", (struct hail_bytes){NULL, 0});
    message[0] = HAIL_MLAPI_HAIL << 2;
    size_t len = hail_mlapi_hail_write(message + 1, sizeof message - 1, &body, true);
    enum hail_verdict verdict =
        len > 0 ? hail_mlapi_session_input(&session, &result, message, 1 + len, &ambient)
                : HAIL_DROP_TOO_LARGE;
    fuzz_holds(verdict != HAIL_ACCEPT);
    if (asked.count > 0)
        fuzz_holds(asked.key == (kind == HAIL_SIGNATURE_RSA ? SHOWN_RSA : SHOWN_DSA));
    else if (verdict == HAIL_DROP_SIGNATURE)
        fuzz_holds(result.report.fault == HAIL_FAULT_KEY_KIND);
    hail_mlapi_session_cleanup(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct foreign again;
    struct hail_bytes rest = {data, size};
    struct hail_bytes certificate;
    struct hail_bytes content;

    if (!foreign_next(&rest, &certificate, &content))
        return 0;
    for (uint8_t kind = HAIL_SIGNATURE_RSA; kind <= HAIL_SIGNATURE_DSA; kind++)
        hail(certificate, rest, kind);
    if (!foreign_make(&again, certificate, (struct hail_bytes){NULL, 0}, signed_identity()))
        return 0;
    for (uint8_t kind = HAIL_SIGNATURE_RSA; kind <= HAIL_SIGNATURE_DSA; kind++)
        hail((struct hail_bytes){again.der, again.len}, rest, kind);
    return 0;
}
