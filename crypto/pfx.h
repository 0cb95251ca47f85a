// pfx.h: certificates and keys from a PFX file, which is PKCS#12 (RFC 7292).
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_PFX_H
#define HAIL_CRYPTO_PFX_H

#include "crypto/bundle.h"

// hail_pfx_read adds what the PFX holds; see hail_bundle_read.
HAIL_MUST_USE bool hail_pfx_read(struct hail_bundle *bundle, struct hail_bytes pfx,
                                 const char *password, struct hail_fault_report *report);

#endif
