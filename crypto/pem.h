// pem.h: certificates and keys from PEM text (RFC 7468, and the older forms of private keys).
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_PEM_H
#define HAIL_CRYPTO_PEM_H

#include "crypto/bundle.h"

// hail_pem_looks_like says whether there is a PEM block in `file`.
bool hail_pem_looks_like(struct hail_bytes file);

// hail_pem_read adds what the text holds; see hail_bundle_read. Blocks that are neither certificate
// nor private key are passed over.
HAIL_MUST_USE bool hail_pem_read(struct hail_bundle *bundle, struct hail_bytes text,
                                 const char *password, struct hail_fault_report *report);

#endif
