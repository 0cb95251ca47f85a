// pfx.c: certificates and keys from a PFX file.
//
// The reader is our own, on BoringSSL's parser and ciphers, because BoringSSL's takes no file
// without a MAC, knows one hash for PBES2, obeys any number of iterations, and does not tell a
// wrong password from damage.
// SPDX-License-Identifier: MIT
#include "crypto/pfx.h"
#include "crypto/ber.h"
#include "crypto/pbe.h"
#include "crypto/report.h"

#include <openssl/mem.h>
#include <openssl/obj.h>

// One walk through a PFX's content with one encoding of the password.
struct walk {
    struct hail_bundle *bundle;
    struct hail_password *password;
    size_t opened_count; // encrypted parts that the password opened
    struct hail_fault_report *report;
};

// The outer parts of a PFX, in memory that the reader owns.
struct envelope {
    uint8_t *der;
    CBS content; // the AuthenticatedSafe, as the MAC covers it
    CBS mac_data;
    bool has_mac;
};

static bool damaged(struct hail_fault_report *report, const char *part)
{
    return hail_report_set(report, HAIL_FAULT_FORMAT,
                           "the PFX is damaged: its %s cannot be read; copy or export it again",
                           part);
}

static struct hail_bytes bytes_of(const CBS *cbs)
{
    return (struct hail_bytes){CBS_data(cbs), CBS_len(cbs)};
}

// An EncryptedPrivateKeyInfo (RFC 5958 section 3).
static bool read_shrouded_key(struct walk *walk, CBS *value)
{
    CBS sequence;
    CBS algorithm;
    CBS sealed;
    uint8_t *info;
    size_t info_len;

    if (!CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &sealed, CBS_ASN1_OCTETSTRING))
        return damaged(walk->report, "private key");
    if (!hail_pbe_open(&info, &info_len, walk->password, algorithm, bytes_of(&sealed),
                       walk->report))
        return false;
    walk->opened_count++;
    bool added =
        hail_bundle_add_key(walk->bundle, (struct hail_bytes){info, info_len}, walk->report);
    OPENSSL_free(info);
    return added;
}

static bool read_certificate(struct walk *walk, CBS *value)
{
    CBS sequence;
    CBS kind;
    CBS wrapped;
    CBS der;

    if (!CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&sequence, &kind, CBS_ASN1_OBJECT) ||
        !CBS_get_asn1(&sequence, &wrapped, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0))
        return damaged(walk->report, "certificate");
    if (OBJ_cbs2nid(&kind) != NID_x509Certificate)
        return true; // an SDSI certificate, which nobody can use
    if (!CBS_get_asn1(&wrapped, &der, CBS_ASN1_OCTETSTRING))
        return damaged(walk->report, "certificate");
    return hail_bundle_add_certificate(walk->bundle, bytes_of(&der), walk->report);
}

// A SafeBag (RFC 7292 section 4.2). Kinds that hold neither key nor certificate are passed over.
static bool read_bag(struct walk *walk, CBS *bag)
{
    CBS kind;
    CBS value;

    if (!CBS_get_asn1(bag, &kind, CBS_ASN1_OBJECT) ||
        !CBS_get_asn1(bag, &value, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0))
        return damaged(walk->report, "list of bags");
    switch (OBJ_cbs2nid(&kind)) {
    case NID_keyBag:
        return hail_bundle_add_key(walk->bundle, bytes_of(&value), walk->report);
    case NID_pkcs8ShroudedKeyBag:
        return read_shrouded_key(walk, &value);
    case NID_certBag:
        return read_certificate(walk, &value);
    default:
        return true;
    }
}

// A SafeContents: the bags.
static bool read_bags(struct walk *walk, struct hail_bytes ber)
{
    uint8_t *der;
    size_t der_len;
    CBS in;
    CBS bags;
    CBS bag;
    bool read = false;

    if (!hail_ber_convert(&der, &der_len, ber))
        return damaged(walk->report, "list of bags");
    CBS_init(&in, der, der_len);
    if (!CBS_get_asn1(&in, &bags, CBS_ASN1_SEQUENCE)) {
        damaged(walk->report, "list of bags");
        goto out;
    }
    while (CBS_len(&bags) > 0) {
        if (!CBS_get_asn1(&bags, &bag, CBS_ASN1_SEQUENCE)) {
            damaged(walk->report, "list of bags");
            goto out;
        }
        if (!read_bag(walk, &bag))
            goto out;
    }
    read = true;
out:
    OPENSSL_free(der);
    return read;
}

// The ciphertext is an octet string under an implicit tag; BER may have it in pieces, which only
// who knows the tag's meaning can join. The caller frees `*joined`.
static bool get_sealed(CBS *info, struct hail_bytes *out, uint8_t **joined)
{
    CBS content;
    CBS piece;
    CBB all;
    size_t len;

    *joined = NULL;
    if (CBS_peek_asn1_tag(info, CBS_ASN1_CONTEXT_SPECIFIC | 0)) {
        if (!CBS_get_asn1(info, &content, CBS_ASN1_CONTEXT_SPECIFIC | 0))
            return false;
        *out = bytes_of(&content);
        return true;
    }
    if (!CBS_get_asn1(info, &content, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) ||
        !CBB_init(&all, CBS_len(&content)))
        return false;
    while (CBS_len(&content) > 0) {
        if (!CBS_get_asn1(&content, &piece, CBS_ASN1_OCTETSTRING) ||
            !CBB_add_bytes(&all, CBS_data(&piece), CBS_len(&piece))) {
            CBB_cleanup(&all);
            return false;
        }
    }
    if (!CBB_finish(&all, joined, &len)) {
        CBB_cleanup(&all);
        return false;
    }
    *out = (struct hail_bytes){*joined, len};
    return true;
}

// An EncryptedData (RFC 2315 section 13) whose content is a SafeContents.
static bool read_encrypted(struct walk *walk, CBS *content)
{
    CBS data;
    CBS info;
    CBS kind;
    CBS algorithm;
    struct hail_bytes sealed;
    uint64_t version;
    uint8_t *joined;
    uint8_t *text = NULL;
    size_t text_len;

    if (!CBS_get_asn1(content, &data, CBS_ASN1_SEQUENCE) || !CBS_get_asn1_uint64(&data, &version) ||
        !CBS_get_asn1(&data, &info, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&info, &kind, CBS_ASN1_OBJECT) || OBJ_cbs2nid(&kind) != NID_pkcs7_data ||
        !CBS_get_asn1(&info, &algorithm, CBS_ASN1_SEQUENCE) || !get_sealed(&info, &sealed, &joined))
        return damaged(walk->report, "encrypted part");

    bool read = hail_pbe_open(&text, &text_len, walk->password, algorithm, sealed, walk->report);
    OPENSSL_free(joined);
    if (!read)
        return false;
    walk->opened_count++;
    read = read_bags(walk, (struct hail_bytes){text, text_len});
    OPENSSL_free(text);
    return read;
}

static bool walk_part(struct walk *walk, CBS *part)
{
    CBS kind;
    CBS content;
    CBS bags;

    if (!CBS_get_asn1(part, &kind, CBS_ASN1_OBJECT) ||
        !CBS_get_asn1(part, &content, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0))
        return damaged(walk->report, "list of parts");
    switch (OBJ_cbs2nid(&kind)) {
    case NID_pkcs7_data:
        if (!CBS_get_asn1(&content, &bags, CBS_ASN1_OCTETSTRING))
            return damaged(walk->report, "list of parts");
        return read_bags(walk, bytes_of(&bags));
    case NID_pkcs7_encrypted:
        return read_encrypted(walk, &content);
    default:
        return hail_report_set(walk->report, HAIL_FAULT_FORMAT,
                               "the PFX is closed with somebody's public key and not with a "
                               "password; export it again with a password");
    }
}

// An AuthenticatedSafe (RFC 7292 section 4.1).
static bool walk_parts(struct walk *walk, struct hail_bytes ber)
{
    uint8_t *der;
    size_t der_len;
    CBS in;
    CBS parts;
    CBS part;

    if (!hail_ber_convert(&der, &der_len, ber))
        return damaged(walk->report, "list of parts");
    CBS_init(&in, der, der_len);
    bool read =
        CBS_get_asn1(&in, &parts, CBS_ASN1_SEQUENCE) || damaged(walk->report, "list of parts");
    while (read && CBS_len(&parts) > 0)
        read = CBS_get_asn1(&parts, &part, CBS_ASN1_SEQUENCE)
                   ? walk_part(walk, &part)
                   : damaged(walk->report, "list of parts");
    OPENSSL_free(der);
    return read;
}

static bool open_envelope(struct envelope *envelope, struct hail_bytes pfx,
                          struct hail_fault_report *report)
{
    CBS in;
    CBS outer;
    CBS safe;
    CBS kind;
    CBS wrapped;
    size_t der_len;
    uint64_t version;

    if (!hail_ber_convert(&envelope->der, &der_len, pfx))
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file is damaged or cut short: it begins as a PFX does and "
                               "does not end as one; copy it again");
    CBS_init(&in, envelope->der, der_len);
    if (!CBS_get_asn1(&in, &outer, CBS_ASN1_SEQUENCE) || !CBS_get_asn1_uint64(&outer, &version) ||
        version != 3 || !CBS_get_asn1(&outer, &safe, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&safe, &kind, CBS_ASN1_OBJECT))
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the file is ASN.1 and not a PFX; give a PFX (PKCS#12) or PEM");
    if (OBJ_cbs2nid(&kind) == NID_pkcs7_signed)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the PFX is signed and not closed with a password; export it again "
                               "with a password");
    if (!CBS_get_asn1(&safe, &wrapped, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) ||
        !CBS_get_asn1(&wrapped, &envelope->content, CBS_ASN1_OCTETSTRING))
        return damaged(report, "content");
    envelope->has_mac = CBS_len(&outer) > 0;
    if (envelope->has_mac && !CBS_get_asn1(&outer, &envelope->mac_data, CBS_ASN1_SEQUENCE))
        return damaged(report, "MAC");
    return true;
}

// Tries one encoding of the password. On failure the bundle is as it was, and the report says
// HAIL_FAULT_PASSWORD only if nothing speaks for this being the password.
static bool try_password(struct hail_bundle *bundle, struct hail_password *password,
                         const struct envelope *envelope, struct hail_fault_report *report)
{
    size_t certificate_count = bundle->certificate_count;
    size_t key_count = bundle->key_count;
    struct walk walk = {.bundle = bundle, .password = password, .report = report};

    bool mac_right = !envelope->has_mac || hail_pbe_mac_check(password, envelope->mac_data,
                                                              bytes_of(&envelope->content), report);
    if (!mac_right && report->fault != HAIL_FAULT_PASSWORD)
        return false;
    bool walked = walk_parts(&walk, bytes_of(&envelope->content));
    if (mac_right && walked)
        return true;

    hail_bundle_cut(bundle, certificate_count, key_count);
    if (walk.opened_count > 0 && !mac_right)
        return hail_report_set(report, HAIL_FAULT_FORMAT,
                               "the PFX is damaged: the password opens it, but its content does "
                               "not match its MAC; copy or export it again");
    return false; // with the walk's report; the MAC's, if nothing is encrypted and the walk went
                  // well
}

bool hail_pfx_read(struct hail_bundle *bundle, struct hail_bytes pfx, const char *password,
                   struct hail_fault_report *report)
{
    struct envelope envelope = {0};
    struct hail_password keys;

    if (!hail_password_init(&keys, password, report))
        return false;
    bool opened = open_envelope(&envelope, pfx, report);
    bool read = opened && try_password(bundle, &keys, &envelope, report);

    // An empty password and none are the same to people and not the same in PKCS#12: programs
    // write either. Whatever the first try says may come from having tried the wrong one.
    if (opened && !read && keys.plain.len == 0) {
        struct hail_fault_report first = *report;

        keys.wide_len = keys.wide_len == 0 ? 2 : 0;
        read = try_password(bundle, &keys, &envelope, report);
        if (!read && report->fault == HAIL_FAULT_PASSWORD)
            *report = first; // which is the same, or knows more
    }
    if (!read && report->fault == HAIL_FAULT_PASSWORD)
        hail_report_set(report, HAIL_FAULT_PASSWORD, "%s",
                        keys.plain.len == 0
                            ? "the PFX has a password and none was given; give it, or export the "
                              "PFX without one"
                            : "the password does not open the PFX; give the one that it was "
                              "exported with (a PFX that was exported without one needs none)");
    OPENSSL_free(envelope.der);
    hail_password_cleanup(&keys);
    return read;
}
