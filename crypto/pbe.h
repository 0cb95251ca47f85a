// pbe.h: opening what a password closed: the schemes of PKCS#12 (RFC 7292 appendix C), PBES2
// (RFC 8018) and the MAC of a PFX.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_PBE_H
#define HAIL_CRYPTO_PBE_H

#include "crypto/identity.h"

#include <openssl/bytestring.h>

// A password in the encodings that the schemes want, and how much work a file may still ask for.
// A secret: clean it up.
struct hail_password {
    struct hail_bytes plain; // as given; the caller's
    uint8_t wide[2 * HAIL_PASSWORD_MAX + 2];
    size_t wide_len;    // UTF-16BE with its zero; 0: none at all, which is not the empty password
    uint64_t work_left; // iterations
};

// hail_password_init takes a password in UTF-8, NULL for none. Each password has its own budget of
// iterations, so that a file that asks for 2^31 is refused and not obeyed.
HAIL_MUST_USE bool hail_password_init(struct hail_password *password, const char *text,
                                      struct hail_fault_report *report);
void hail_password_cleanup(struct hail_password *password);

// hail_pbe_open decrypts `sealed`.
//
// algorithm  The content of an AlgorithmIdentifier.
// out        On success the caller owns it; free it with OPENSSL_free, which wipes.
// Returns    false with HAIL_FAULT_PASSWORD when what came out is not one ASN.1 sequence with right
//            padding: the mark of a wrong password. HAIL_FAULT_FORMAT: unknown scheme, too many
//            iterations, or damage.
HAIL_MUST_USE bool hail_pbe_open(uint8_t **out, size_t *out_len, struct hail_password *password,
                                 CBS algorithm, struct hail_bytes sealed,
                                 struct hail_fault_report *report);

// hail_pbe_mac_check checks a PFX's MacData (the content of its sequence) over `content`. Faults as
// above.
HAIL_MUST_USE bool hail_pbe_mac_check(struct hail_password *password, CBS mac_data,
                                      struct hail_bytes content, struct hail_fault_report *report);

#endif
