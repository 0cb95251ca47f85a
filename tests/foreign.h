// foreign.h: certificates of others, made of ours: with another public key in them, and signed
// anew. Shared by tests and fuzz targets, so it takes any bytes.
// SPDX-License-Identifier: MIT
#ifndef HAIL_TESTS_FOREIGN_H
#define HAIL_TESTS_FOREIGN_H

#include <string.h>

#include "crypto/identity.h"

enum {
    FOREIGN_MAX = HAIL_CERTIFICATE_MAX + 2 * HAIL_SIGNATURE_MAX
};

// A certificate being written; what does not fit is left out, and `failed` says so.
struct foreign {
    uint8_t der[FOREIGN_MAX];
    size_t len;
    bool failed;
};

// foreign_next takes the DER element at the start of `in`, whole; `content` is what is inside it.
// False: there is none, and `in` is as it was.
static inline bool foreign_next(struct hail_bytes *in, struct hail_bytes *whole,
                                struct hail_bytes *content)
{
    size_t header_len = 2;

    if (in->len < 2)
        return false;
    size_t len = in->data[1];
    if (len >= 0x80) {
        size_t count = len & 0x7f;
        if (count == 0 || count > 3 || in->len < 2 + count)
            return false;
        len = 0;
        for (size_t i = 0; i < count; i++)
            len = len << 8 | in->data[2 + i];
        header_len += count;
    }
    if (in->len - header_len < len)
        return false;
    *whole = (struct hail_bytes){in->data, header_len + len};
    *content = (struct hail_bytes){in->data + header_len, len};
    in->data += whole->len;
    in->len -= whole->len;
    return true;
}

static inline void foreign_put(struct foreign *out, struct hail_bytes bytes)
{
    out->failed = out->failed || bytes.len > sizeof out->der - out->len;
    if (out->failed || bytes.len == 0)
        return;
    memcpy(out->der + out->len, bytes.data, bytes.len);
    out->len += bytes.len;
}

// foreign_close puts all that was written from `from` on into an element of its own.
static inline void foreign_close(struct foreign *out, size_t from, uint8_t tag)
{
    size_t len = out->len - from;
    uint8_t header[4] = {tag, 0x82, (uint8_t)(len >> 8), (uint8_t)len};
    size_t header_len = 4;

    if (len < 0x80) {
        header[1] = (uint8_t)len;
        header_len = 2;
    } else if (len < 0x100) {
        header[1] = 0x81;
        header[2] = (uint8_t)len;
        header_len = 3;
    }
    out->failed = out->failed || len > 0xffff || header_len > sizeof out->der - out->len;
    if (out->failed)
        return;
    memmove(out->der + from + header_len, out->der + from, len);
    memcpy(out->der + from, header, header_len);
    out->len += header_len;
}

// foreign_make writes `certificate` again, with `spki` for its public key (len 0: its own), signed
// by `issuer`, whose key must make the signature that the certificate says it has: Ed25519 in all
// that is here. The parts that are not touched stay what they are, good or bad.
//
// Returns  false when it has not the outer form of a certificate.
static inline bool foreign_make(struct foreign *out, struct hail_bytes certificate,
                                struct hail_bytes spki, const struct hail_identity *issuer)
{
    static const uint8_t no_unused_bits[] = {0};
    uint8_t signature[HAIL_SIGNATURE_MAX];
    struct hail_bytes whole;
    struct hail_bytes outer;
    struct hail_bytes tbs;
    struct hail_bytes field;
    struct hail_bytes content;
    struct hail_bytes algorithm;
    size_t signature_len;

    memset(out, 0, sizeof *out);
    if (!foreign_next(&certificate, &whole, &outer) || !foreign_next(&outer, &whole, &tbs) ||
        !foreign_next(&outer, &algorithm, &content))
        return false;
    bool versioned = tbs.len > 0 && tbs.data[0] == 0xa0;
    for (int i = versioned ? 0 : 1; foreign_next(&tbs, &field, &content); i++)
        foreign_put(out, i == 6 && spki.len > 0 ? spki : field);
    foreign_close(out, 0, 0x30);
    if (out->failed || tbs.len > 0 ||
        !hail_identity_sign(issuer, signature, &signature_len,
                            (struct hail_bytes){out->der, out->len}))
        return false;
    foreign_put(out, algorithm);
    size_t from = out->len;
    foreign_put(out, (struct hail_bytes){no_unused_bits, sizeof no_unused_bits});
    foreign_put(out, (struct hail_bytes){signature, signature_len});
    foreign_close(out, from, 0x03);
    foreign_close(out, 0, 0x30);
    return !out->failed;
}

#endif
