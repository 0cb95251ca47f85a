// keycert.c: see keycert.h.
// SPDX-License-Identifier: MIT
#include "proto/keycert.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "crypto/bytes.h"

enum {
    FORMAT = 1,
    SECONDS_A_DAY = 86400,
    SIGNED_MAX = 256 + HAIL_X25519_LEN + 8 + 8 + 2 + 1 + HAIL_KEYCERT_NAME_MAX
};

// What is signed begins with this, terminator included, so that no other signature by the same key
// can be taken for one.
static const char context[] = "hail key certificate 1";

// Bytes being written or read; what does not fit fails, and stays so.
struct cursor {
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

static void put(struct cursor *out, const void *data, size_t len)
{
    if (out->failed || (size_t)(out->end - out->at) < len) {
        out->failed = true;
        return;
    }
    if (len > 0)
        memcpy(out->at, data, len);
    out->at += len;
}

static void put_be(struct cursor *out, uint64_t value, size_t len)
{
    uint8_t bytes[8];

    hail_put_be(bytes, value, len);
    put(out, bytes, len);
}

// Bytes being read.
struct reader {
    struct hail_bytes left;
    bool failed;
};

static struct hail_bytes get(struct reader *in, size_t len)
{
    struct hail_bytes got = {in->left.data, len};

    if (in->failed || in->left.len < len) {
        in->failed = true;
        return (struct hail_bytes){NULL, 0};
    }
    in->left.data += len;
    in->left.len -= len;
    return got;
}

static uint64_t get_be(struct reader *in, size_t len)
{
    struct hail_bytes bytes = get(in, len);

    return hail_get_be(bytes.data, bytes.len);
}

static size_t write_signed(uint8_t out[SIGNED_MAX], const struct hail_keycert *keycert,
                           const uint8_t static_public[HAIL_X25519_LEN])
{
    struct cursor cursor = {out, out + SIGNED_MAX, false};

    put(&cursor, context, sizeof context);
    put(&cursor, static_public, HAIL_X25519_LEN);
    put_be(&cursor, keycert->not_before, 8);
    put_be(&cursor, keycert->not_after, 8);
    put_be(&cursor, keycert->scheme, 2);
    put_be(&cursor, keycert->name.len, 1);
    put(&cursor, keycert->name.data, keycert->name.len);
    HAIL_ASSERT(!cursor.failed);
    return (size_t)(cursor.at - out);
}

static bool fail(struct hail_fault_report *report, enum hail_fault fault, const char *text)
{
    report->fault = fault;
    snprintf(report->text, sizeof report->text, "%s", text);
    return false;
}

static bool window_fits(uint64_t not_before, uint64_t not_after)
{
    return not_before <= not_after &&
           not_after - not_before <= (uint64_t)HAIL_KEYCERT_DAYS_MAX * SECONDS_A_DAY;
}

bool hail_keycert_make(uint8_t out[HAIL_KEYCERT_MAX], size_t *out_len,
                       const struct hail_identity *identity, const char *name, uint64_t not_before,
                       uint64_t not_after, const uint8_t static_public[HAIL_X25519_LEN],
                       struct hail_fault_report *report)
{
    struct cursor cursor = {out, out + HAIL_KEYCERT_MAX, false};
    size_t chain_count = hail_identity_chain_count(identity);
    uint8_t text[SIGNED_MAX];
    uint8_t signature[HAIL_SIGNATURE_MAX];
    size_t signature_len;
    struct hail_keycert keycert = {
        .not_before = not_before,
        .not_after = not_after,
        .scheme = (uint16_t)hail_identity_scheme(identity),
        .name = {(const uint8_t *)name, strlen(name)},
    };

    if (keycert.name.len > HAIL_KEYCERT_NAME_MAX)
        return fail(report, HAIL_FAULT_WRONG_NAME, "the server name is above 255 bytes");
    if (!window_fits(not_before, not_after))
        return fail(report, HAIL_FAULT_SIGNATURE,
                    "a key certificate is good for at most 31 days: rotate keys more often");
    if (chain_count > HAIL_KEYCERT_CHAIN_MAX)
        return fail(report, HAIL_FAULT_CHAIN,
                    "the identity file holds more than 8 certificates: leave in it only the leaf "
                    "and what lies between it and the root");
    size_t text_len = write_signed(text, &keycert, static_public);
    if (!hail_identity_sign(identity, signature, &signature_len,
                            (struct hail_bytes){text, text_len}))
        return fail(report, HAIL_FAULT_KEY_KIND,
                    "the private key cannot sign here: use RSA of 2048 bits or more, P-256 or "
                    "Ed25519");

    put_be(&cursor, FORMAT, 1);
    put_be(&cursor, not_before, 8);
    put_be(&cursor, not_after, 8);
    put_be(&cursor, keycert.scheme, 2);
    put_be(&cursor, keycert.name.len, 1);
    put(&cursor, keycert.name.data, keycert.name.len);
    put_be(&cursor, chain_count, 1);
    for (size_t i = 0; i < chain_count; i++) {
        struct hail_bytes der = hail_identity_chain(identity, i);
        put_be(&cursor, der.len, 2);
        put(&cursor, der.data, der.len);
    }
    put_be(&cursor, signature_len, 2);
    put(&cursor, signature, signature_len);
    if (cursor.failed)
        return fail(report, HAIL_FAULT_CHAIN,
                    "the certificates are above 16 KB together: leave out what clients have or do "
                    "not need");
    *out_len = (size_t)(cursor.at - out);
    return true;
}

bool hail_keycert_parse(struct hail_keycert *keycert, struct hail_bytes bytes)
{
    struct reader in = {bytes, bytes.len > HAIL_KEYCERT_MAX};
    struct hail_keycert read = {0};

    uint64_t format = get_be(&in, 1);
    read.not_before = get_be(&in, 8);
    read.not_after = get_be(&in, 8);
    read.scheme = (uint16_t)get_be(&in, 2);
    read.name = get(&in, (size_t)get_be(&in, 1));
    read.chain_count = (size_t)get_be(&in, 1);
    if (in.failed || format != FORMAT || read.chain_count == 0 ||
        read.chain_count > HAIL_KEYCERT_CHAIN_MAX)
        return false;
    for (size_t i = 0; i < read.chain_count; i++)
        read.chain[i] = get(&in, (size_t)get_be(&in, 2));
    read.signature = get(&in, (size_t)get_be(&in, 2));
    if (in.failed || in.left.len > 0)
        return false;
    *keycert = read;
    return true;
}

bool hail_keycert_check_signature(const struct hail_keycert *keycert,
                                  const uint8_t static_public[HAIL_X25519_LEN],
                                  const struct hail_certificate *leaf, int64_t unix_s,
                                  struct hail_fault_report *report)
{
    uint64_t now = unix_s > 0 ? (uint64_t)unix_s : 0;
    uint8_t text[SIGNED_MAX];

    if (!window_fits(keycert->not_before, keycert->not_after))
        return fail(report, HAIL_FAULT_SIGNATURE,
                    "the key certificate claims a window of more than 31 days");
    if (now < keycert->not_before)
        return fail(report, HAIL_FAULT_NOT_YET_VALID,
                    "the key certificate is not valid yet; see that both machines' clocks are "
                    "right");
    if (now > keycert->not_after)
        return fail(report, HAIL_FAULT_EXPIRED,
                    "the key certificate is over; see that both machines' clocks are right, and "
                    "that the server rotates its key");
    size_t text_len = write_signed(text, keycert, static_public);
    return hail_certificate_verify(leaf, (enum hail_scheme)keycert->scheme,
                                   (struct hail_bytes){text, text_len}, keycert->signature, report);
}

bool hail_keycert_check_names(const struct hail_keycert *keycert,
                              const struct hail_certificate *leaf, const struct hail_trust *trust,
                              const char *host, int64_t unix_s, struct hail_fault_report *report)
{
    size_t len = keycert->name.len;
    bool named = len == 0 || (strlen(host) == len &&
                              strncasecmp(host, (const char *)keycert->name.data, len) == 0);

    if (!named)
        return fail(report, HAIL_FAULT_WRONG_NAME,
                    "the server's key is vouched for under another name than the one it was "
                    "reached by; connect by its server_name, or leave that out of its "
                    "configuration");
    return hail_trust_check_chain(trust, leaf, keycert->chain + 1, keycert->chain_count - 1, host,
                                  unix_s, report);
}
