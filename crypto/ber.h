// ber.h: BER into DER, for PFX files of programs that write them in one pass (X.690 section 8.1.3).
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_BER_H
#define HAIL_CRYPTO_BER_H

#include "crypto/kdf.h"

// hail_ber_convert takes the one BER element at the start of `ber` and writes it again with
// definite lengths and with its strings in one piece. Bytes after the element are left out.
//
// out      On success the caller owns it; free it with OPENSSL_free, which wipes.
// Returns  false when it is not BER, nested too deeply, or memory is short.
HAIL_MUST_USE bool hail_ber_convert(uint8_t **out, size_t *out_len, struct hail_bytes ber);

#endif
