// kdf.c: see kdf.h.
// SPDX-License-Identifier: MIT
#include "crypto/kdf.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/mac.h"
#include "crypto/secret.h"
#include "crypto/stretch.h"

enum {
    BLOCK_LEN = 64, // of both hashes
    DIGEST_LEN_MAX = 32,
    BLOCKS_MAX = 2 // of a job's output
};

// What PBKDF2 needs of a hash.
struct hash {
    const EVP_MD *(*md)(void);
    size_t digest_len;
    void (*begin)(uint32_t *state, const uint8_t block[BLOCK_LEN]); // the state after one block
    void (*stretch)(struct hail_stretch *chains, size_t count, uint32_t steps);
};

static void begin_sha1(uint32_t *state, const uint8_t block[BLOCK_LEN])
{
    SHA_CTX hash;

    SHA1_Init(&hash);
    SHA1_Update(&hash, block, BLOCK_LEN);
    memcpy(state, hash.h, sizeof hash.h);
    hail_wipe(&hash, sizeof hash);
}

static void begin_sha256(uint32_t *state, const uint8_t block[BLOCK_LEN])
{
    SHA256_CTX hash;

    SHA256_Init(&hash);
    SHA256_Update(&hash, block, BLOCK_LEN);
    memcpy(state, hash.h, sizeof hash.h);
    hail_wipe(&hash, sizeof hash);
}

static const struct hash sha1 = {EVP_sha1, 20, begin_sha1, hail_stretch_sha1};
static const struct hash sha256 = {EVP_sha256, 32, begin_sha256, hail_stretch_sha256};

// Sets where every HMAC with this password begins (RFC 2104).
static bool begin_chain(struct hail_stretch *chain, const struct hash *hash,
                        struct hail_bytes password)
{
    uint8_t block[BLOCK_LEN] = {0};
    bool good = true;

    if (password.len > sizeof block)
        good = EVP_Digest(password.data, password.len, block, NULL, hash->md(), NULL);
    else if (password.len > 0)
        memcpy(block, password.data, password.len);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36;
    hash->begin(chain->inner, block);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    hash->begin(chain->outer, block);
    hail_wipe(block, sizeof block);
    return good;
}

// The chain's first HMAC: of the salt and the block's number.
static bool begin_value(struct hail_stretch *chain, const struct hash *hash,
                        struct hail_bytes password, struct hail_bytes salt, uint32_t number)
{
    uint8_t number_be[4];
    uint8_t digest[DIGEST_LEN_MAX];
    HMAC_CTX hmac;

    hail_put_be(number_be, number, sizeof number_be);
    HMAC_CTX_init(&hmac);
    bool good = HMAC_Init_ex(&hmac, password.len > 0 ? password.data : (const uint8_t *)"",
                             password.len, hash->md(), NULL) &&
                HMAC_Update(&hmac, salt.data, salt.len) &&
                HMAC_Update(&hmac, number_be, sizeof number_be) && HMAC_Final(&hmac, digest, NULL);
    HMAC_CTX_cleanup(&hmac);
    for (size_t i = 0; good && i < hash->digest_len / 4; i++) {
        chain->value[i] = (uint32_t)hail_get_be(digest + 4 * i, 4);
        chain->sum[i] = chain->value[i];
    }
    hail_wipe(digest, sizeof digest);
    return good;
}

static void write_sum(uint8_t *out, size_t len, const struct hail_stretch *chain)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(chain->sum[i / 4] >> (24 - i % 4 * 8));
}

// Two blocks at a time, since that is hardly slower than one, and MLAPI's key is two.
static bool pbkdf2_in_chains(const struct hash *hash, uint8_t *out, size_t out_len,
                             struct hail_bytes password, struct hail_bytes salt,
                             uint32_t iterations)
{
    struct hail_stretch chains[2] = {0};
    bool good = begin_chain(&chains[0], hash, password);

    chains[1] = chains[0];
    for (uint32_t number = 1; good && out_len > 0; number += 2) {
        size_t len = out_len < 2 * hash->digest_len ? out_len : 2 * hash->digest_len;
        size_t first = len < hash->digest_len ? len : hash->digest_len;
        size_t count = len > first ? 2 : 1;
        for (uint32_t i = 0; good && i < count; i++)
            good = begin_value(&chains[i], hash, password, salt, number + i);
        if (!good)
            break;
        hash->stretch(chains, count, iterations - 1);
        write_sum(out, first, &chains[0]);
        write_sum(out + first, len - first, &chains[1]);
        out += len;
        out_len -= len;
    }
    hail_wipe(chains, sizeof chains);
    return good;
}

static bool pbkdf2(const struct hash *hash, uint8_t *out, size_t out_len,
                   struct hail_bytes password, struct hail_bytes salt, uint32_t iterations)
{
    HAIL_ASSERT(iterations > 0);
    if (hail_stretch_usable(out_len > hash->digest_len ? 2 : 1)
            ? pbkdf2_in_chains(hash, out, out_len, password, salt, iterations)
            : PKCS5_PBKDF2_HMAC((const char *)password.data, password.len, salt.data, salt.len,
                                iterations, hash->md(), out_len, out))
        return true;
    ERR_clear_error();
    return false;
}

bool hail_pbkdf2_sha1(uint8_t *out, size_t out_len, struct hail_bytes password,
                      struct hail_bytes salt, uint32_t iterations)
{
    return pbkdf2(&sha1, out, out_len, password, salt, iterations);
}

bool hail_pbkdf2_sha256(uint8_t *out, size_t out_len, struct hail_bytes password,
                        struct hail_bytes salt, uint32_t iterations)
{
    return pbkdf2(&sha256, out, out_len, password, salt, iterations);
}

// A job's chains, one for each block of its output, lie side by side as the jobs do.
static bool batch_in_chains(const struct hash *hash, struct hail_pbkdf2_job *jobs, size_t count,
                            size_t blocks, uint32_t iterations)
{
    struct hail_stretch chains[HAIL_PBKDF2_BATCH_MAX * BLOCKS_MAX] = {0};
    bool good = true;

    for (size_t i = 0; good && i < count; i++) {
        struct hail_stretch *chain = &chains[i * blocks];
        good = begin_chain(&chain[0], hash, jobs[i].password);
        for (size_t block = 0; good && block < blocks; block++) {
            if (block > 0)
                chain[block] = chain[0];
            good = begin_value(&chain[block], hash, jobs[i].password, jobs[i].salt,
                               (uint32_t)block + 1);
        }
    }
    if (good)
        hash->stretch(chains, count * blocks, iterations - 1);
    for (size_t i = 0; good && i < count; i++) {
        for (size_t at = 0; at < HAIL_PBKDF2_BLOCK; at += hash->digest_len) {
            size_t left = HAIL_PBKDF2_BLOCK - at;
            write_sum(jobs[i].out + at, left < hash->digest_len ? left : hash->digest_len,
                      &chains[i * blocks + at / hash->digest_len]);
        }
    }
    hail_wipe(chains, sizeof chains);
    return good;
}

static bool batch(const struct hash *hash, struct hail_pbkdf2_job *jobs, size_t count,
                  uint32_t iterations)
{
    size_t blocks = (HAIL_PBKDF2_BLOCK + hash->digest_len - 1) / hash->digest_len;
    bool good = true;

    HAIL_ASSERT(blocks <= BLOCKS_MAX);
    HAIL_ASSERT(count <= HAIL_PBKDF2_BATCH_MAX);
    HAIL_ASSERT(iterations > 0);
    if (hail_stretch_usable(count * blocks)) {
        good = batch_in_chains(hash, jobs, count, blocks, iterations);
    } else {
        for (size_t i = 0; good && i < count; i++)
            good = pbkdf2(hash, jobs[i].out, sizeof jobs[i].out, jobs[i].password, jobs[i].salt,
                          iterations);
    }
    if (!good)
        ERR_clear_error();
    return good;
}

bool hail_pbkdf2_sha1_batch(struct hail_pbkdf2_job *jobs, size_t count, uint32_t iterations)
{
    return batch(&sha1, jobs, count, iterations);
}

bool hail_pbkdf2_sha256_batch(struct hail_pbkdf2_job *jobs, size_t count, uint32_t iterations)
{
    return batch(&sha256, jobs, count, iterations);
}

// BoringSSL's HKDF makes an HMAC_CTX, which allocates.
bool hail_hkdf_sha256(uint8_t *out, size_t out_len, struct hail_bytes secret,
                      struct hail_bytes salt, struct hail_bytes info)
{
    uint8_t prk[HAIL_MAC_LEN];
    struct hail_mac_key key;

    hail_mac_key_init(&key, salt.data, salt.len);
    hail_mac_sha256_parts(&key, prk, &secret, 1);
    bool good = hail_hkdf_expand_sha256(out, out_len, (struct hail_bytes){prk, sizeof prk}, info);
    hail_wipe(&key, sizeof key);
    hail_wipe(prk, sizeof prk);
    return good;
}

bool hail_hkdf_expand_sha256(uint8_t *out, size_t out_len, struct hail_bytes prk,
                             struct hail_bytes info)
{
    uint8_t block[HAIL_MAC_LEN];
    struct hail_mac_key key;

    if (out_len > UINT8_MAX * sizeof block)
        return false;
    hail_mac_key_init(&key, prk.data, prk.len);
    for (uint8_t number = 1; out_len > 0; number++) {
        const struct hail_bytes parts[] = {
            {block, number > 1 ? sizeof block : 0}, info, {&number, sizeof number}};
        size_t len = out_len < sizeof block ? out_len : sizeof block;
        hail_mac_sha256_parts(&key, block, parts, HAIL_COUNTOF(parts));
        memcpy(out, block, len);
        out += len;
        out_len -= len;
    }
    hail_wipe(&key, sizeof key);
    hail_wipe(block, sizeof block);
    return true;
}
