// batch.h: several messages at once: AES-256-CBC encryption and HMAC-SHA256. Both are chains that
// cannot be cut: one message alone leaves most of the CPU idle. Lanes of intel-ipsec-mb take about
// as long for one message as for all of them; HMACs go in pairs (pairs.h) where the CPU has that.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_BATCH_H
#define HAIL_CRYPTO_BATCH_H

#include "crypto/cbc.h"
#include "crypto/mac.h"

enum {
    HAIL_BATCH_MAX = 32 // messages that are worth collecting
};

// What the lanes keep between two messages, for one thread at a time.
struct hail_batch;

// hail_batch_size returns how many bytes hail_batch_init needs; 0 when there are no lanes to be had
// with this build, CPU and system.
size_t hail_batch_size(void);

// hail_batch_init makes lanes out of `memory`, which is zeroed and begins at a cache line. Returns
// NULL when there are none. The functions below take that as well, and work one by one.
struct hail_batch *hail_batch_init(void *memory);

// hail_batch_cleanup wipes; NULL is allowed.
void hail_batch_cleanup(struct hail_batch *batch);

// hail_batch_force is for tests and measurements: from now on the lanes are used however few
// messages there are, and not only where that is faster.
void hail_batch_force(struct hail_batch *batch);

// One message each, as hail_cbc_encrypt and hail_mac_sha256 take it.
struct hail_cbc_job {
    const struct hail_cbc_key *key;
    const uint8_t *iv;
    uint8_t *text; // with room for its padding
    size_t len;
};
struct hail_mac_job {
    const struct hail_mac_key *key;
    uint8_t *out; // may lie inside its own `data`
    const uint8_t *data;
    size_t len;
};

// hail_cbc_encrypt_batch and hail_mac_batch do what hail_cbc_encrypt and hail_mac_sha256 do, for
// any number of messages that do not overlap. Cost     No allocation.
void hail_cbc_encrypt_batch(struct hail_batch *batch, const struct hail_cbc_job *jobs,
                            size_t count);
void hail_mac_batch(struct hail_batch *batch, const struct hail_mac_job *jobs, size_t count);

#endif
