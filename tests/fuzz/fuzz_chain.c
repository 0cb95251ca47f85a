// fuzz_chain.c: the certificates in a server's key certificate, at a client of the hail profile:
// X.509 in DER, one behind the other, the leaf first.
// SPDX-License-Identifier: MIT
//
// Holds  as they are, none but the honest leaf is believed to have signed, or is believed at all.
//        Signed anew, as a bad CA would that is believed, what is believed has a key of a kind that
//        servers have. A leaf with any other key is refused for that, whatever else is wrong; and
//        what comes along takes nothing from the honest leaf.
// Seeds  a certificate with each kind of key, and chains: tests/fuzz/make_certificate_seeds.
#include "tests/fuzz/shown.h"

static const char host[] = "play.test";

static bool same(struct hail_bytes a, struct hail_bytes b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

// Whether the chain is believed. As a client does, the signature is looked at first.
static bool check(const struct hail_bytes *chain, size_t count, const struct hail_trust *trust)
{
    static const uint16_t schemes[] = {HAIL_SCHEME_RSA_PSS, HAIL_SCHEME_ECDSA_P256,
                                       HAIL_SCHEME_ED25519};
    const struct hail_bytes honest = {signed_leaf, sizeof signed_leaf};
    struct hail_fault_report report = {0};
    struct hail_certificate *leaf;
    struct hail_keycert keycert;
    bool by_leaf = false;

    fuzz_holds(hail_keycert_parse(
        &keycert, (struct hail_bytes){signed_key()->keycert, signed_key()->keycert_len}));
    if (!hail_certificate_parse(&leaf, chain[0], &report)) {
        fuzz_holds(report.fault == HAIL_FAULT_FORMAT);
        return false;
    }
    enum shown_key key = shown_describe(leaf);
    bool used = key != SHOWN_NONE && key != SHOWN_DSA;
    keycert.chain_count = count;
    memcpy(keycert.chain, chain, count * sizeof *chain);
    for (size_t i = 0; i < HAIL_COUNTOF(schemes); i++) {
        keycert.scheme = schemes[i];
        report = (struct hail_fault_report){0};
        if (hail_keycert_check_signature(&keycert, signed_key()->pair.public_key, leaf,
                                         signed_from_s, &report))
            by_leaf = true;
        else
            fuzz_holds(used || report.fault == HAIL_FAULT_KEY_KIND);
    }
    fuzz_holds(!by_leaf || key == SHOWN_ED25519);
    fuzz_holds(by_leaf || !same(chain[0], honest));
    keycert.name.len = 0;
    report = (struct hail_fault_report){0};
    bool believed = hail_keycert_check_names(&keycert, leaf, trust, host, signed_from_s, &report);
    fuzz_holds(believed ? used : used || report.fault == HAIL_FAULT_KEY_KIND);
    fuzz_holds(believed || report.text[0] != '\0');
    hail_certificate_free(leaf);
    return believed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct foreign again[HAIL_KEYCERT_CHAIN_MAX];
    const struct hail_bytes honest = {signed_leaf, sizeof signed_leaf};
    struct hail_bytes chain[1 + HAIL_KEYCERT_CHAIN_MAX] = {honest};
    struct hail_bytes *shown = chain + 1;

    size_t count = shown_split(shown, HAIL_KEYCERT_CHAIN_MAX - 1, (struct hail_bytes){data, size});
    fuzz_holds(check(chain, 1 + count, signed_trust()));
    if (count == 0)
        return 0;
    if (check(shown, count, signed_trust()))
        fuzz_holds(same(shown[0], honest));
    for (size_t i = 0; i < count; i++) {
        if (foreign_make(&again[i], shown[i], (struct hail_bytes){NULL, 0}, signed_identity()))
            shown[i] = (struct hail_bytes){again[i].der, again[i].len};
    }
    (void)check(shown, count, signed_again());
    return 0;
}
