// noise.c: see noise.h. Functions are named as the specification's: section 5.2's SymmetricState,
// and section 5.3's HandshakeState.
// SPDX-License-Identifier: MIT
#include "proto/noise.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/secret.h"

enum token {
    TOKEN_END,
    TOKEN_E,
    TOKEN_S,
    TOKEN_EE,
    TOKEN_ES,
    TOKEN_PSK,
    TOKENS_MAX = 5,
    MESSAGES = 2
};

// Section 7.5. `psk` stands at the first message's beginning where there is one (section 9.4).
static const uint8_t patterns[][MESSAGES][TOKENS_MAX] = {
    [HAIL_NOISE_NX] = {{TOKEN_E}, {TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES}},
    [HAIL_NOISE_NN] = {{TOKEN_E}, {TOKEN_E, TOKEN_EE}},
    [HAIL_NOISE_NK] = {{TOKEN_E, TOKEN_ES}, {TOKEN_E, TOKEN_EE}},
};

static const char *const names[][2] = {
    [HAIL_NOISE_NX] = {"Noise_NX_25519_AESGCM_SHA256", "Noise_NXpsk0_25519_AESGCM_SHA256"},
    [HAIL_NOISE_NN] = {"Noise_NN_25519_AESGCM_SHA256", "Noise_NNpsk0_25519_AESGCM_SHA256"},
    [HAIL_NOISE_NK] = {"Noise_NK_25519_AESGCM_SHA256", "Noise_NKpsk0_25519_AESGCM_SHA256"},
};

// HKDF of section 4.3: up to three outputs.
static void noise_hkdf(const uint8_t ck[HAIL_NOISE_HASH_LEN], const uint8_t *input,
                       size_t input_len, uint8_t outputs[][HAIL_NOISE_HASH_LEN], int count)
{
    uint8_t block[HAIL_NOISE_HASH_LEN + 1];
    uint8_t temp[HAIL_MAC_LEN];
    struct hail_mac_key key;

    hail_mac_key_init(&key, ck, HAIL_NOISE_HASH_LEN);
    hail_mac_sha256(&key, temp, input, input_len);
    hail_mac_key_init(&key, temp, sizeof temp);
    for (int i = 0; i < count; i++) {
        size_t len = i == 0 ? 0 : HAIL_NOISE_HASH_LEN;
        if (i > 0)
            memcpy(block, outputs[i - 1], HAIL_NOISE_HASH_LEN);
        block[len] = (uint8_t)(i + 1);
        hail_mac_sha256(&key, outputs[i], block, len + 1);
    }
    hail_wipe(block, sizeof block);
    hail_wipe(temp, sizeof temp);
    hail_wipe(&key, sizeof key);
}

static void mix_hash(struct hail_noise *noise, const uint8_t *data, size_t len)
{
    hail_sha256_two(noise->h, noise->h, sizeof noise->h, data, len);
}

static void mix_key(struct hail_noise *noise, const uint8_t *input, size_t len)
{
    uint8_t outputs[2][HAIL_NOISE_HASH_LEN];

    noise_hkdf(noise->ck, input, len, outputs, 2);
    memcpy(noise->ck, outputs[0], sizeof noise->ck);
    memcpy(noise->k, outputs[1], sizeof noise->k);
    noise->n = 0;
    noise->has_key = true;
    hail_wipe(outputs, sizeof outputs);
}

static void mix_key_and_hash(struct hail_noise *noise, const uint8_t psk[HAIL_NOISE_PSK_LEN])
{
    uint8_t outputs[3][HAIL_NOISE_HASH_LEN];

    noise_hkdf(noise->ck, psk, HAIL_NOISE_PSK_LEN, outputs, 3);
    memcpy(noise->ck, outputs[0], sizeof noise->ck);
    mix_hash(noise, outputs[1], sizeof outputs[1]);
    memcpy(noise->k, outputs[2], sizeof noise->k);
    noise->n = 0;
    noise->has_key = true;
    hail_wipe(outputs, sizeof outputs);
}

// Section 12.3: 32 bits of zeros, then the nonce in big-endian.
static void write_nonce(uint8_t nonce[HAIL_AEAD_NONCE_LEN], uint64_t n)
{
    memset(nonce, 0, HAIL_AEAD_NONCE_LEN);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(n >> (56 - 8 * i));
}

// Writes `len` bytes, and a tag once there is a key. Returns what it wrote.
static size_t encrypt_and_hash(struct hail_noise *noise, uint8_t *out, const uint8_t *text,
                               size_t len)
{
    uint8_t nonce[HAIL_AEAD_NONCE_LEN];
    struct hail_aead aead;

    if (len > 0)
        memcpy(out, text, len);
    if (noise->has_key) {
        bool ready = hail_aead_init(&aead, noise->k);
        HAIL_ASSERT(ready); // an AES-GCM key needs no memory beyond itself
        write_nonce(nonce, noise->n++);
        hail_aead_seal(&aead, nonce, noise->h, sizeof noise->h, out, len);
        hail_aead_cleanup(&aead);
        len += HAIL_AEAD_TAG_LEN;
    }
    mix_hash(noise, out, len);
    return len;
}

// Reads `len` bytes, tag included once there is a key.
static bool decrypt_and_hash(struct hail_noise *noise, uint8_t *text, const uint8_t *in, size_t len)
{
    uint8_t nonce[HAIL_AEAD_NONCE_LEN];
    uint8_t digest[HAIL_NOISE_HASH_LEN];
    struct hail_aead aead;
    bool genuine = true;

    hail_sha256_two(digest, noise->h, sizeof noise->h, in, len);
    if (len > 0)
        memcpy(text, in, len);
    if (noise->has_key) {
        if (!hail_aead_init(&aead, noise->k))
            return false;
        write_nonce(nonce, noise->n++);
        genuine = hail_aead_open(&aead, nonce, noise->h, sizeof noise->h, text, len);
        hail_aead_cleanup(&aead);
    }
    memcpy(noise->h, digest, sizeof noise->h);
    return genuine;
}

static bool mix_dh(struct hail_noise *noise, const struct hail_x25519_pair *own,
                   const uint8_t theirs[HAIL_X25519_LEN])
{
    uint8_t shared[HAIL_X25519_LEN];
    bool good = hail_x25519(shared, own->private_key, theirs);

    if (good)
        mix_key(noise, shared, sizeof shared);
    hail_wipe(shared, sizeof shared);
    return good;
}

// Tokens that both sides do the same way.
static bool mix_token(struct hail_noise *noise, uint8_t token)
{
    if (noise->has_shared) {
        mix_key(noise, token == TOKEN_EE ? noise->shared.ee : noise->shared.es, HAIL_X25519_LEN);
        return noise->shared.good;
    }
    if (token == TOKEN_EE)
        return mix_dh(noise, &noise->e, noise->re);
    HAIL_ASSERT(token == TOKEN_ES);
    return noise->initiator ? mix_dh(noise, &noise->e, noise->rs)
                            : mix_dh(noise, &noise->s, noise->re);
}

static void mix_e(struct hail_noise *noise, const uint8_t e[HAIL_X25519_LEN])
{
    mix_hash(noise, e, HAIL_X25519_LEN);
    if (noise->has_psk) // section 9.2: or the first messages would all have the same key
        mix_key(noise, e, HAIL_X25519_LEN);
}

void hail_noise_init(struct hail_noise *noise, const struct hail_noise_setup *setup)
{
    const char *name = names[setup->pattern][setup->psk != NULL];
    size_t name_len = strlen(name);

    memset(noise, 0, sizeof *noise);
    noise->pattern = setup->pattern;
    noise->initiator = setup->initiator;
    noise->e = *setup->e;
    if (setup->s)
        noise->s = *setup->s;
    if (name_len <= sizeof noise->h)
        memcpy(noise->h, name, name_len);
    else
        hail_sha256(noise->h, (const uint8_t *)name, name_len);
    memcpy(noise->ck, noise->h, sizeof noise->ck);
    mix_hash(noise, setup->prologue.data, setup->prologue.len);
    if (setup->shared) {
        noise->has_shared = true;
        noise->shared = *setup->shared;
    }
    if (setup->psk) {
        noise->has_psk = true;
        memcpy(noise->psk, setup->psk, sizeof noise->psk);
    }
    if (setup->pattern != HAIL_NOISE_NK)
        return;
    HAIL_ASSERT(setup->initiator ? setup->rs != NULL : setup->s != NULL);
    if (setup->initiator)
        memcpy(noise->rs, setup->rs, sizeof noise->rs);
    mix_hash(noise, setup->initiator ? noise->rs : noise->s.public_key, HAIL_X25519_LEN);
}

void hail_noise_cleanup(struct hail_noise *noise)
{
    hail_wipe(noise, sizeof *noise);
}

size_t hail_noise_overhead(const struct hail_noise *noise)
{
    bool has_key = noise->has_key || noise->has_psk;
    size_t len = 0;

    HAIL_ASSERT(noise->message < MESSAGES);
    for (const uint8_t *token = patterns[noise->pattern][noise->message]; *token != TOKEN_END;
         token++) {
        if (*token == TOKEN_E)
            len += HAIL_X25519_LEN;
        else if (*token == TOKEN_S)
            len += (size_t)HAIL_X25519_LEN + (has_key ? HAIL_AEAD_TAG_LEN : 0);
        else
            has_key = true;
    }
    return len + (has_key ? (size_t)HAIL_AEAD_TAG_LEN : 0);
}

bool hail_noise_write(struct hail_noise *noise, uint8_t *message, struct hail_bytes payload)
{
    HAIL_ASSERT(noise->message < MESSAGES);
    HAIL_ASSERT(noise->initiator == (noise->message == 0));
    if (noise->has_psk && noise->message == 0)
        mix_key_and_hash(noise, noise->psk);
    for (const uint8_t *token = patterns[noise->pattern][noise->message]; *token != TOKEN_END;
         token++) {
        if (*token == TOKEN_E) {
            memcpy(message, noise->e.public_key, HAIL_X25519_LEN);
            message += HAIL_X25519_LEN;
            mix_e(noise, noise->e.public_key);
        } else if (*token == TOKEN_S) {
            message += encrypt_and_hash(noise, message, noise->s.public_key, HAIL_X25519_LEN);
        } else if (!mix_token(noise, *token)) {
            return false;
        }
    }
    encrypt_and_hash(noise, message, payload.data, payload.len);
    noise->message++;
    return true;
}

static bool read_message(struct hail_noise *noise, uint8_t *payload, const uint8_t *message,
                         size_t message_len)
{
    const uint8_t *end = message + message_len;

    if (noise->has_psk && noise->message == 0)
        mix_key_and_hash(noise, noise->psk);
    for (const uint8_t *token = patterns[noise->pattern][noise->message]; *token != TOKEN_END;
         token++) {
        if (*token == TOKEN_E) {
            memcpy(noise->re, message, HAIL_X25519_LEN);
            message += HAIL_X25519_LEN;
            mix_e(noise, noise->re);
        } else if (*token == TOKEN_S) {
            size_t len = (size_t)HAIL_X25519_LEN + (noise->has_key ? HAIL_AEAD_TAG_LEN : 0);
            uint8_t opened[HAIL_X25519_LEN + HAIL_AEAD_TAG_LEN];
            if (!decrypt_and_hash(noise, opened, message, len))
                return false;
            memcpy(noise->rs, opened, sizeof noise->rs);
            message += len;
        } else if (!mix_token(noise, *token)) {
            return false;
        }
    }
    noise->message++;
    return decrypt_and_hash(noise, payload, message, (size_t)(end - message));
}

bool hail_noise_read(struct hail_noise *noise, uint8_t *payload, const uint8_t *message,
                     size_t message_len)
{
    struct hail_noise tried = *noise; // a message that is refused leaves ours as it was
    bool good = false;

    HAIL_ASSERT(noise->message < MESSAGES);
    HAIL_ASSERT(noise->initiator == (noise->message == 1));
    if (message_len >= hail_noise_overhead(noise))
        good = read_message(&tried, payload, message, message_len);
    if (good)
        *noise = tried;
    hail_wipe(&tried, sizeof tried);
    return good;
}

void hail_noise_split(const struct hail_noise *noise, uint8_t initiator_key[HAIL_AEAD_KEY_LEN],
                      uint8_t responder_key[HAIL_AEAD_KEY_LEN])
{
    uint8_t outputs[2][HAIL_NOISE_HASH_LEN];

    HAIL_ASSERT(noise->message == MESSAGES);
    noise_hkdf(noise->ck, NULL, 0, outputs, 2);
    memcpy(initiator_key, outputs[0], HAIL_AEAD_KEY_LEN);
    memcpy(responder_key, outputs[1], HAIL_AEAD_KEY_LEN);
    hail_wipe(outputs, sizeof outputs);
}
