// fuzz_keycert.c: a key certificate: its form, whom it convinces, and what it says when the right
// key has signed it.
// SPDX-License-Identifier: MIT
//
// Holds  nothing outside the bytes is read; there is one form: what is read, written again, is the
//        same. It is believed only if the signed parts are the honest ones. Its window and name,
//        signed by the honest key, are believed exactly when they should be.
// Seeds  made from WIRE.md by tests/fuzz/make_handshake_seeds.
#include <strings.h>

#include "tests/fuzz/signed.h"

static size_t put(uint8_t *out, size_t at, uint64_t value, int len)
{
    for (int i = 0; i < len; i++)
        out[at + (size_t)i] = (uint8_t)(value >> 8 * (len - 1 - i));
    return at + (size_t)len;
}

static size_t put_bytes(uint8_t *out, size_t at, struct hail_bytes bytes)
{
    if (bytes.len > 0)
        memcpy(out + at, bytes.data, bytes.len);
    return at + bytes.len;
}

// WIRE.md, section 3, once more.
static size_t write_again(uint8_t out[HAIL_KEYCERT_MAX], const struct hail_keycert *keycert)
{
    size_t at = put(out, 0, 1, 1);

    at = put(out, at, keycert->not_before, 8);
    at = put(out, at, keycert->not_after, 8);
    at = put(out, at, keycert->scheme, 2);
    at = put(out, at, keycert->name.len, 1);
    at = put_bytes(out, at, keycert->name);
    at = put(out, at, keycert->chain_count, 1);
    for (size_t i = 0; i < keycert->chain_count; i++) {
        at = put(out, at, keycert->chain[i].len, 2);
        at = put_bytes(out, at, keycert->chain[i]);
    }
    at = put(out, at, keycert->signature.len, 2);
    return put_bytes(out, at, keycert->signature);
}

static bool is_believed(const struct hail_keycert *keycert, int64_t unix_s)
{
    struct hail_fault_report report = {0};
    struct hail_certificate *leaf;

    if (!hail_certificate_parse(&leaf, keycert->chain[0], &report))
        return false;
    bool is_signed =
        hail_keycert_check_signature(keycert, signed_key()->pair.public_key, leaf, unix_s, &report);
    bool named =
        hail_keycert_check_names(keycert, leaf, signed_trust(), "play.test", unix_s, &report);
    fuzz_holds((is_signed && named) || report.fault != HAIL_FAULT_NONE);
    hail_certificate_free(leaf);
    return is_signed && named;
}

static bool same(struct hail_bytes a, struct hail_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool is_honest(const struct hail_keycert *keycert)
{
    struct hail_keycert right;

    fuzz_holds(hail_keycert_parse(
        &right, (struct hail_bytes){signed_key()->keycert, signed_key()->keycert_len}));
    return keycert->not_before == right.not_before && keycert->not_after == right.not_after &&
           keycert->scheme == right.scheme && same(keycert->name, right.name) &&
           same(keycert->chain[0], right.chain[0]) && same(keycert->signature, right.signature);
}

// The same window and name, vouched for by the honest key.
static void sign_again(const struct hail_keycert *keycert)
{
    static uint8_t bytes[HAIL_KEYCERT_MAX];
    const int64_t month_s = HAIL_KEYCERT_DAYS_MAX * signed_day_s;
    struct hail_fault_report report;
    struct hail_keycert made;
    char name[HAIL_KEYCERT_NAME_MAX + 1] = "";
    size_t len;

    if (keycert->name.len > 0)
        memcpy(name, keycert->name.data, keycert->name.len);
    uint64_t from = keycert->not_before;
    uint64_t to = keycert->not_after;
    bool can = from <= to && to - from <= (uint64_t)month_s;
    fuzz_holds(hail_keycert_make(bytes, &len, signed_identity(), name, from, to,
                                 signed_key()->pair.public_key, &report) == can);
    if (!can)
        return;
    fuzz_holds(hail_keycert_parse(&made, (struct hail_bytes){bytes, len}));
    fuzz_holds(made.not_before == from && made.not_after == to);
    fuzz_holds(same(made.name, (struct hail_bytes){(const uint8_t *)name, strlen(name)}));
    bool named = name[0] == '\0' || strcasecmp(name, "play.test") == 0;
    for (int i = -1; i < 3; i++) { // the example's leaf is good all this time
        int64_t now_s = signed_from_s + i * signed_day_s;
        bool in_window = (uint64_t)now_s >= from && (uint64_t)now_s <= to;
        fuzz_holds(is_believed(&made, now_s) == (named && in_window && i >= 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[HAIL_KEYCERT_MAX];
    struct hail_keycert keycert;

    if (!hail_keycert_parse(&keycert, (struct hail_bytes){data, size}))
        return 0;
    fuzz_holds(size <= HAIL_KEYCERT_MAX && keycert.chain_count >= 1);
    fuzz_holds(write_again(again, &keycert) == size && memcmp(again, data, size) == 0);
    if (is_believed(&keycert, signed_from_s + 1))
        fuzz_holds(is_honest(&keycert));
    sign_again(&keycert);
    return 0;
}
