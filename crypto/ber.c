// ber.c: BER into DER.
// SPDX-License-Identifier: MIT
#include "crypto/ber.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/mem.h>

enum {
    DEPTH_MAX = 32 // a PFX needs 12; every level costs a frame of the stack
};

static bool convert(CBB *out, CBS *in, unsigned depth);

// Converts what is inside an element: up to the end of `in`, or up to the end-of-contents mark.
static bool convert_inside(CBB *out, CBS *in, bool indefinite, unsigned depth)
{
    static const uint8_t end[2] = {0, 0};

    for (;;) {
        if (indefinite && CBS_len(in) >= 2 && CBS_mem_equal(&(CBS){CBS_data(in), 2}, end, 2))
            return CBS_skip(in, 2);
        if (CBS_len(in) == 0)
            return !indefinite;
        if (!convert(out, in, depth))
            return false;
    }
}

// Joins the pieces of an octet string that came in several.
static bool join_pieces(CBB *out, CBS *in, bool indefinite, unsigned depth)
{
    CBB joined;
    CBS pieces;
    CBS piece;
    uint8_t *copy = NULL;
    size_t copy_len = 0;
    bool done = false;

    if (!CBB_init(&joined, 0))
        return false;
    if (!convert_inside(&joined, in, indefinite, depth) || !CBB_finish(&joined, &copy, &copy_len))
        goto out;

    CBS_init(&pieces, copy, copy_len);
    while (CBS_len(&pieces) > 0) { // each was converted above, so it is one primitive string
        if (!CBS_get_asn1(&pieces, &piece, CBS_ASN1_OCTETSTRING) ||
            !CBB_add_bytes(out, CBS_data(&piece), CBS_len(&piece)))
            goto out;
    }
    done = true;
out:
    CBB_cleanup(&joined);
    OPENSSL_free(copy);
    return done;
}

static bool convert(CBB *out, CBS *in, unsigned depth)
{
    CBS element;
    CBB inside;
    unsigned tag;
    size_t header_len;
    int indefinite;

    if (depth >= DEPTH_MAX ||
        !CBS_get_any_ber_asn1_element(in, &element, &tag, &header_len, NULL, &indefinite))
        return false;

    bool pieces = tag == (CBS_ASN1_OCTETSTRING | CBS_ASN1_CONSTRUCTED);
    if (!CBB_add_asn1(out, &inside, pieces ? CBS_ASN1_OCTETSTRING : tag) ||
        !CBS_skip(&element, header_len))
        return false;

    CBS *content = indefinite ? in : &element;
    bool done;
    if (pieces)
        done = join_pieces(&inside, content, indefinite, depth + 1);
    else if (tag & CBS_ASN1_CONSTRUCTED)
        done = convert_inside(&inside, content, indefinite, depth + 1);
    else
        done = CBB_add_bytes(&inside, CBS_data(content), CBS_len(content));
    return done && CBB_flush(out);
}

bool hail_ber_convert(uint8_t **out, size_t *out_len, struct hail_bytes ber)
{
    CBS in;
    CBB der;

    CBS_init(&in, ber.data, ber.len);
    if (!CBB_init(&der, ber.len))
        return false;
    if (!convert(&der, &in, 0) || !CBB_finish(&der, out, out_len)) {
        CBB_cleanup(&der);
        ERR_clear_error();
        return false;
    }
    return true;
}
