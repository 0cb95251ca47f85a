// mac.c: HMAC-SHA256 from midstates. BoringSSL's HMAC_CTX keeps the same states behind three digest
// objects and copies them for each message; two plain hash states cost a third less and 64 bytes.
// SPDX-License-Identifier: MIT
#include "crypto/mac.h"

#include <openssl/sha.h>
#include <string.h>

#include "crypto/meter.h"
#include "crypto/secret.h"

enum {
    BLOCK = SHA256_CBLOCK
};

static void midstate(uint32_t state[8], const uint8_t key[BLOCK], uint8_t pad)
{
    uint8_t block[BLOCK];
    SHA256_CTX sha;

    for (size_t i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    SHA256_Init(&sha);
    SHA256_Update(&sha, block, sizeof block);
    memcpy(state, sha.h, sizeof sha.h);
    hail_wipe(&sha, sizeof sha);
    hail_wipe(block, sizeof block);
}

void hail_mac_key_init(struct hail_mac_key *key, const uint8_t *secret, size_t secret_len)
{
    uint8_t block[BLOCK] = {0};

    if (secret_len > BLOCK)
        SHA256(secret, secret_len, block);
    else if (secret_len > 0)
        memcpy(block, secret, secret_len);
    midstate(key->inner, block, 0x36);
    midstate(key->outer, block, 0x5c);
    hail_wipe(block, sizeof block);
}

// A hash that has taken in one block and stands at `state`.
static void resume(SHA256_CTX *sha, const uint32_t state[8])
{
    memcpy(sha->h, state, sizeof sha->h);
    sha->Nl = 8 * BLOCK;
    sha->Nh = 0;
    sha->num = 0;
    sha->md_len = SHA256_DIGEST_LENGTH;
}

void hail_mac_sha256(const struct hail_mac_key *key, uint8_t out[HAIL_MAC_LEN], const uint8_t *data,
                     size_t len)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX sha;
    enum hail_spent before = hail_meter_enter(HAIL_SPENT_CRYPTO);

    resume(&sha, key->inner);
    SHA256_Update(&sha, data, len);
    SHA256_Final(digest, &sha);
    resume(&sha, key->outer);
    SHA256_Update(&sha, digest, sizeof digest);
    SHA256_Final(out, &sha);
    hail_meter_leave(before);
}

void hail_mac_sha256_parts(const struct hail_mac_key *key, uint8_t out[HAIL_MAC_LEN],
                           const struct hail_bytes *parts, size_t count)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX sha;

    resume(&sha, key->inner);
    for (size_t i = 0; i < count; i++)
        SHA256_Update(&sha, parts[i].data, parts[i].len);
    SHA256_Final(digest, &sha);
    resume(&sha, key->outer);
    SHA256_Update(&sha, digest, sizeof digest);
    SHA256_Final(out, &sha);
    hail_wipe(&sha, sizeof sha);
    hail_wipe(digest, sizeof digest);
}
