// bench_crypto.c: what messages cost one by one by BoringSSL, and as a batch by intel-ipsec-mb or,
// where it says pairs, by the CPU's SHA instructions.
// SPDX-License-Identifier: MIT
//
// Each message of a batch is another connection's, with keys of its own, as those of a wake-up are.
// A key's schedules and hash states are ready for either library, as connections keep them.
#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "crypto/aead.h"
#include "crypto/pairs.h"
#include "crypto/random.h"

enum {
    BATCH_MAX = 32,
    TEXT_MAX = 1200,
    TEXT_ROOM = TEXT_MAX + 64, // padding or a tag behind it
    WINDOW_MS = 8
};

static const size_t sizes[] = {64, 128, TEXT_MAX};
static const size_t batches[] = {1, 4, 8, 16, BATCH_MAX};

struct connection {
    struct hail_aead gcm[2]; // of BoringSSL, of intel-ipsec-mb
    struct hail_mac_key mac;
    struct hail_cbc_key cbc;
    _Alignas(16) uint32_t encrypt[60];
    _Alignas(16) uint32_t decrypt[60];
    uint8_t nonce[HAIL_AEAD_NONCE_LEN];
    uint8_t iv[HAIL_CBC_BLOCK];
    _Alignas(16) uint8_t text[TEXT_ROOM];
    uint8_t tag[HAIL_MAC_LEN];
};

struct job {
    IMB_MGR *manager;
    struct connection conns[BATCH_MAX];
    IMB_JOB jobs[BATCH_MAX];
    size_t count;
    size_t len; // of each text
};

static void gcm_seal(struct job *job, int library)
{
    for (size_t i = 0; i < job->count; i++) {
        struct connection *conn = &job->conns[i];
        hail_aead_seal(&conn->gcm[library], conn->nonce, conn->iv, 8, conn->text, job->len);
    }
}

static void gcm_one_by_one(void *user)
{
    gcm_seal(user, 0);
}

// The library has no lanes for GCM: this calls it once for each message too, as hail does.
static void gcm_batch(void *user)
{
    gcm_seal(user, 1);
}

static void mac_one_by_one(void *user)
{
    struct job *job = user;

    for (size_t i = 0; i < job->count; i++)
        hail_mac_sha256(&job->conns[i].mac, job->conns[i].tag, job->conns[i].text, job->len);
}

static void mac_batch(void *user)
{
    struct job *job = user;

    for (size_t i = 0; i < job->count; i++) {
        struct connection *conn = &job->conns[i];
        IMB_JOB *one = &job->jobs[i];
        one->src = conn->text;
        one->hash_start_src_offset_in_bytes = 0;
        one->msg_len_to_hash_in_bytes = job->len;
        one->auth_tag_output = conn->tag;
        one->auth_tag_output_len_in_bytes = sizeof conn->tag;
        one->u.HMAC._hashed_auth_key_xor_ipad = (const uint8_t *)conn->mac.inner;
        one->u.HMAC._hashed_auth_key_xor_opad = (const uint8_t *)conn->mac.outer;
    }
    uint32_t done = IMB_SUBMIT_HASH_BURST_NOCHECK(job->manager, job->jobs, (uint32_t)job->count,
                                                  IMB_AUTH_HMAC_SHA_256);
    HAIL_ASSERT(done == job->count);
}

static void mac_pairs(void *user)
{
    struct job *job = user;
    struct hail_mac_job pair[2];

    for (size_t i = 0; i + 2 <= job->count; i += 2) {
        for (size_t j = 0; j < 2; j++) {
            struct connection *conn = &job->conns[i + j];
            pair[j] = (struct hail_mac_job){&conn->mac, conn->tag, conn->text, job->len};
        }
        hail_pairs_mac(pair);
    }
}

static void cbc_encrypt_one_by_one(void *user)
{
    struct job *job = user;

    for (size_t i = 0; i < job->count; i++) {
        struct connection *conn = &job->conns[i];
        hail_cbc_encrypt(&conn->cbc, conn->iv, conn->text, job->len);
    }
}

// What is decrypted is rubbish, and all but never padded well: that is found out in as much time.
static void cbc_decrypt_one_by_one(void *user)
{
    struct job *job = user;
    size_t len;

    for (size_t i = 0; i < job->count; i++) {
        struct connection *conn = &job->conns[i];
        (void)!hail_cbc_decrypt(&conn->cbc, conn->iv, conn->text, hail_cbc_padded_len(job->len),
                                &len);
    }
}

static void cbc_batch(struct job *job, IMB_CIPHER_DIRECTION direction)
{
    for (size_t i = 0; i < job->count; i++) {
        struct connection *conn = &job->conns[i];
        IMB_JOB *one = &job->jobs[i];
        one->src = conn->text;
        one->dst = conn->text;
        one->cipher_start_src_offset_in_bytes = 0;
        one->msg_len_to_cipher_in_bytes = hail_cbc_padded_len(job->len);
        one->iv = conn->iv;
        one->iv_len_in_bytes = sizeof conn->iv;
        one->enc_keys = conn->encrypt;
        one->dec_keys = conn->decrypt;
        one->key_len_in_bytes = HAIL_CBC_KEY_LEN;
    }
    uint32_t done = IMB_SUBMIT_CIPHER_BURST_NOCHECK(job->manager, job->jobs, (uint32_t)job->count,
                                                    IMB_CIPHER_CBC, direction, IMB_KEY_256_BYTES);
    HAIL_ASSERT(done == job->count);
}

static void cbc_encrypt_batch(void *user)
{
    cbc_batch(user, IMB_DIR_ENCRYPT);
}

static void cbc_decrypt_batch(void *user)
{
    cbc_batch(user, IMB_DIR_DECRYPT);
}

static const struct {
    const char *name;
    void (*one_by_one)(void *user);
    void (*batch)(void *user);
} primitives[] = {
    {"AES-256-GCM seal", gcm_one_by_one, gcm_batch},
    {"HMAC-SHA256", mac_one_by_one, mac_batch},
    {"HMAC-SHA256, pairs", mac_one_by_one, mac_pairs},
    {"AES-256-CBC encrypt", cbc_encrypt_one_by_one, cbc_encrypt_batch},
    {"AES-256-CBC decrypt", cbc_decrypt_one_by_one, cbc_decrypt_batch},
};

static void make_keys(struct job *job)
{
    struct hail_random random;
    uint8_t key[HAIL_AEAD_KEY_LEN];

    hail_random_init_system(&random);
    for (size_t i = 0; i < BATCH_MAX; i++) {
        struct connection *conn = &job->conns[i];
        hail_random_bytes(&random, key, sizeof key);
        for (int library = 0; library < 2; library++) {
            hail_aead_allow(library == 1);
            HAIL_ASSERT(hail_aead_init(&conn->gcm[library], key));
        }
        hail_mac_key_init(&conn->mac, key, sizeof key);
        hail_cbc_key_init(&conn->cbc, key);
        IMB_AES_KEYEXP_256(job->manager, key, conn->encrypt, conn->decrypt);
        hail_random_bytes(&random, conn->text, sizeof conn->text);
    }
}

static void bench(struct job *job, size_t primitive)
{
    for (size_t i = 0; i < HAIL_COUNTOF(sizes); i++) {
        for (size_t j = 0; j < HAIL_COUNTOF(batches); j++) {
            if (primitives[primitive].batch == mac_pairs && batches[j] == 1)
                continue;
            job->len = sizes[i];
            job->count = batches[j];
            struct measure one = measure_run(primitives[primitive].one_by_one, job, WINDOW_MS);
            struct measure all = measure_run(primitives[primitive].batch, job, WINDOW_MS);
            printf("%-20s %5zu %6zu %10.0f %10.0f %6.2f\n", primitives[primitive].name, job->len,
                   job->count, one.median_ns / (double)job->count,
                   all.median_ns / (double)job->count, all.median_ns / one.median_ns);
            fflush(stdout);
        }
    }
}

int main(int argc, char **argv)
{
    static struct job job;
    IMB_ARCH arch;

    job.manager = alloc_mb_mgr(0);
    HAIL_ASSERT(job.manager);
    init_mb_mgr_auto(job.manager, &arch);
    HAIL_ASSERT(imb_get_errno(job.manager) == 0);
    make_keys(&job);
    measure_machine(argc, argv);
    printf("%-20s %5s %6s %10s %10s %6s\n", "ns a message", "bytes", "batch", "BoringSSL",
           "batched", "ratio");
    for (size_t i = 0; i < HAIL_COUNTOF(primitives); i++) {
        if (primitives[i].batch != mac_pairs || hail_pairs_usable())
            bench(&job, i);
    }
    free_mb_mgr(job.manager);
    return 0;
}
