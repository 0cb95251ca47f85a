// batch.c: see batch.h.
// SPDX-License-Identifier: MIT
#include "crypto/batch.h"

static void encrypt_one(const struct hail_cbc_job *job)
{
    hail_cbc_encrypt(job->key, job->iv, job->text, job->len);
}

static void mac_one(const struct hail_mac_job *job)
{
    hail_mac_sha256(job->key, job->out, job->data, job->len);
}

#ifdef HAIL_HAS_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <string.h>

#include "crypto/gcm.h"
#include "crypto/meter.h"
#include "crypto/pairs.h"
#include "crypto/secret.h"

enum {
    // The library counts a lane's bytes in 16 bits, and refuses none. What is long gains little.
    LANE_MAX = 16384,
    // From how many messages, and bytes of them, on the lanes are faster; see bench_crypto.
    CBC_WORTH = 4,
    CBC_WORTH_LEN = 512,
    MAC_WORTH = 4 // of a CPU without SHA instructions
};

struct hail_batch {
    IMB_MGR *manager;
    bool forced;
    IMB_JOB jobs[HAIL_BATCH_MAX];
};

// Where the library's own memory begins.
static size_t manager_at(void)
{
    return (sizeof(struct hail_batch) + HAIL_CACHE_LINE - 1) / HAIL_CACHE_LINE * HAIL_CACHE_LINE;
}

size_t hail_batch_size(void)
{
    return hail_gcm_usable() ? manager_at() + imb_get_mb_mgr_size() : 0;
}

// Whether BoringSSL lays its key schedule out as the library expects it, as it does where it uses
// the CPU's AES instructions.
static bool schedules_agree(IMB_MGR *manager)
{
    static const uint8_t secret[HAIL_CBC_KEY_LEN] = {1, 2, 3};
    _Alignas(16) uint8_t encrypt[15 * HAIL_CBC_BLOCK];
    _Alignas(16) uint8_t decrypt[15 * HAIL_CBC_BLOCK];
    struct hail_cbc_key key;

    hail_cbc_key_init(&key, secret);
    IMB_AES_KEYEXP_256(manager, secret, encrypt, decrypt);
    return hail_equal(encrypt, (const uint8_t *)key.encrypt, sizeof encrypt);
}

struct hail_batch *hail_batch_init(void *memory)
{
    struct hail_batch *batch = memory;
    IMB_ARCH arch;

    if (hail_batch_size() == 0)
        return NULL;
    IMB_MGR *manager = imb_set_pointers_mb_mgr((uint8_t *)memory + manager_at(), 0, 1);
    if (!manager)
        return NULL;
    init_mb_mgr_auto(manager, &arch);
    if (imb_get_errno(manager) != 0 || arch == IMB_ARCH_NONE || !schedules_agree(manager))
        return NULL;
    batch->manager = manager;
    return batch;
}

void hail_batch_cleanup(struct hail_batch *batch)
{
    if (batch)
        hail_wipe(batch, hail_batch_size());
}

void hail_batch_force(struct hail_batch *batch)
{
    batch->forced = true;
}

static bool fits_lane(size_t len)
{
    return len > 0 && len <= LANE_MAX;
}

static bool cbc_worth(const struct hail_batch *batch, const struct hail_cbc_job *jobs, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count && len < CBC_WORTH_LEN; i++)
        len += jobs[i].len;
    return batch->forced || (count >= CBC_WORTH && len >= CBC_WORTH_LEN);
}

static bool mac_worth(const struct hail_batch *batch, size_t count)
{
    return batch->forced || count >= (hail_pairs_usable() ? 2 : MAC_WORTH);
}

static void encrypt_in_lanes(struct hail_batch *batch, const struct hail_cbc_job *jobs,
                             size_t count)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        size_t padded_len = hail_cbc_padded_len(jobs[i].len);
        if (!fits_lane(padded_len)) {
            encrypt_one(&jobs[i]);
            continue;
        }
        memset(jobs[i].text + jobs[i].len, (int)(padded_len - jobs[i].len),
               padded_len - jobs[i].len);
        batch->jobs[used++] = (IMB_JOB){
            .enc_keys = jobs[i].key->encrypt,
            .dec_keys = jobs[i].key->decrypt,
            .key_len_in_bytes = HAIL_CBC_KEY_LEN,
            .src = jobs[i].text,
            .dst = jobs[i].text,
            .msg_len_to_cipher_in_bytes = padded_len,
            .iv = jobs[i].iv,
            .iv_len_in_bytes = HAIL_CBC_BLOCK,
        };
    }
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    uint32_t done =
        IMB_SUBMIT_CIPHER_BURST_NOCHECK(batch->manager, batch->jobs, (uint32_t)used, IMB_CIPHER_CBC,
                                        IMB_DIR_ENCRYPT, IMB_KEY_256_BYTES);
    hail_meter_leave(before);
    HAIL_ASSERT(done == used);
}

static void mac_in_lanes(struct hail_batch *batch, const struct hail_mac_job *jobs, size_t count)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (!fits_lane(jobs[i].len)) {
            mac_one(&jobs[i]);
            continue;
        }
        batch->jobs[used++] = (IMB_JOB){
            .src = jobs[i].data,
            .msg_len_to_hash_in_bytes = jobs[i].len,
            .auth_tag_output = jobs[i].out,
            .auth_tag_output_len_in_bytes = HAIL_MAC_LEN,
            .u.HMAC = {(const uint8_t *)jobs[i].key->inner, (const uint8_t *)jobs[i].key->outer},
        };
    }
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    uint32_t done = IMB_SUBMIT_HASH_BURST_NOCHECK(batch->manager, batch->jobs, (uint32_t)used,
                                                  IMB_AUTH_HMAC_SHA_256);
    hail_meter_leave(before);
    HAIL_ASSERT(done == used);
}

void hail_cbc_encrypt_batch(struct hail_batch *batch, const struct hail_cbc_job *jobs, size_t count)
{
    while (batch && count > 0 && cbc_worth(batch, jobs, count)) {
        size_t part = count < HAIL_BATCH_MAX ? count : HAIL_BATCH_MAX;
        encrypt_in_lanes(batch, jobs, part);
        jobs += part;
        count -= part;
    }
    for (size_t i = 0; i < count; i++)
        encrypt_one(&jobs[i]);
}

// Two at a time. Returns how many it has done.
static size_t mac_in_pairs(const struct hail_mac_job *jobs, size_t count)
{
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);
    size_t done = 0;

    for (; count - done >= 2; done += 2)
        hail_pairs_mac(jobs + done);
    hail_meter_leave(before);
    return done;
}

void hail_mac_batch(struct hail_batch *batch, const struct hail_mac_job *jobs, size_t count)
{
    while (batch && count > 0 && mac_worth(batch, count)) {
        size_t part = count < HAIL_BATCH_MAX ? count : HAIL_BATCH_MAX;
        if (batch->forced || !hail_pairs_usable())
            mac_in_lanes(batch, jobs, part);
        else
            part = mac_in_pairs(jobs, part);
        jobs += part;
        count -= part;
    }
    for (size_t i = 0; i < count; i++)
        mac_one(&jobs[i]);
}

#else

size_t hail_batch_size(void)
{
    return 0;
}

struct hail_batch *hail_batch_init(void *memory)
{
    (void)memory;
    return NULL;
}

void hail_batch_cleanup(struct hail_batch *batch)
{
    (void)batch;
}

void hail_batch_force(struct hail_batch *batch)
{
    (void)batch;
    HAIL_UNREACHABLE("nobody has one");
}

void hail_cbc_encrypt_batch(struct hail_batch *batch, const struct hail_cbc_job *jobs, size_t count)
{
    (void)batch;
    for (size_t i = 0; i < count; i++)
        encrypt_one(&jobs[i]);
}

void hail_mac_batch(struct hail_batch *batch, const struct hail_mac_job *jobs, size_t count)
{
    (void)batch;
    for (size_t i = 0; i < count; i++)
        mac_one(&jobs[i]);
}

#endif
