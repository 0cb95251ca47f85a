// ticket.c: see ticket.h. A ticket is key id, salt, and sealed the end of its life and the key.
// SPDX-License-Identifier: MIT
#include "proto/ticket.h"

#include <string.h>

#include "crypto/aead.h"
#include "crypto/bytes.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "proto/keycert.h"

enum {
    TIME_LEN = 8,
    SEALED_AT = HAIL_TICKET_KEY_ID_LEN + HAIL_TICKET_SALT_LEN,
    CONTENT_LEN = TIME_LEN + HAIL_NOISE_PSK_LEN,
    SEALED_LEN = CONTENT_LEN + HAIL_AEAD_TAG_LEN,
    FORMAT = 1, // of a resumption that is written down
    RESUMPTION_HEAD_LEN = 1 + TIME_LEN + TIME_LEN + HAIL_TICKET_SCOPE_LEN + HAIL_NOISE_PSK_LEN + 1
};
_Static_assert(SEALED_AT + SEALED_LEN == (int)HAIL_TICKET_LEN, "nothing lies between or behind");
_Static_assert(RESUMPTION_HEAD_LEN + (int)HAIL_TICKET_LEN_MAX == (int)HAIL_RESUMPTION_LEN_MAX,
               "the same of what a client writes down");

static const uint8_t nonce[HAIL_AEAD_NONCE_LEN] = {0}; // each key seals one ticket

void hail_ticket_psk(uint8_t psk[HAIL_NOISE_PSK_LEN], const uint8_t stretched[HAIL_STRETCHED_LEN])
{
    static const uint8_t info[] = {'h', 'a', 'i', 'l', ' ', '1', ' ', 'r', 'e', 's', 'u', 'm', 'e'};

    bool good = hail_hkdf_expand_sha256(psk, HAIL_NOISE_PSK_LEN,
                                        (struct hail_bytes){stretched, HAIL_STRETCHED_LEN},
                                        (struct hail_bytes){info, sizeof info});
    HAIL_ASSERT(good); // one block
}

static size_t put_scope(uint8_t *out, const char *label, enum hail_noise_pattern pattern,
                        const uint8_t policy_hash[HAIL_POLICY_HASH_LEN])
{
    size_t len = strlen(label) + 1;

    memcpy(out, label, len);
    out[len++] = (uint8_t)pattern;
    memcpy(out + len, policy_hash, HAIL_POLICY_HASH_LEN);
    return len + HAIL_POLICY_HASH_LEN;
}

static size_t put_name(uint8_t *out, const char *name)
{
    size_t len = strnlen(name, HAIL_KEYCERT_NAME_MAX);

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    return len;
}

void hail_ticket_server_scope(uint8_t scope[HAIL_TICKET_SCOPE_LEN], enum hail_noise_pattern pattern,
                              const uint8_t policy_hash[HAIL_POLICY_HASH_LEN], const char *name)
{
    uint8_t input[32 + 1 + HAIL_POLICY_HASH_LEN + HAIL_KEYCERT_NAME_MAX];

    size_t len = put_scope(input, "hail ticket by", pattern, policy_hash);
    len += put_name(input + len, name);
    hail_sha256(scope, input, len);
}

void hail_ticket_client_scope(uint8_t scope[HAIL_TICKET_SCOPE_LEN], enum hail_noise_pattern pattern,
                              const uint8_t policy_hash[HAIL_POLICY_HASH_LEN],
                              const uint8_t *server_key, const char *host)
{
    uint8_t input[32 + 1 + HAIL_POLICY_HASH_LEN + HAIL_X25519_LEN + HAIL_KEYCERT_NAME_MAX];

    size_t len = put_scope(input, "hail ticket for", pattern, policy_hash);
    memset(input + len, 0, HAIL_X25519_LEN);
    if (server_key)
        memcpy(input + len, server_key, HAIL_X25519_LEN);
    len += HAIL_X25519_LEN;
    len += put_name(input + len, host);
    hail_sha256(scope, input, len);
}

void hail_ticket_key_init(struct hail_ticket_key *key, const uint8_t secret[HAIL_TICKET_SECRET_LEN])
{
    static const uint8_t label[] = "hail ticket key id";
    uint8_t mac[HAIL_MAC_LEN];

    hail_mac_key_init(&key->mac, secret, HAIL_TICKET_SECRET_LEN);
    hail_mac_sha256(&key->mac, mac, label, sizeof label);
    memcpy(key->id, mac, sizeof key->id);
}

// The AES key of one ticket.
static void init_aead(struct hail_aead *aead, const struct hail_ticket_key *key,
                      const uint8_t salt[HAIL_TICKET_SALT_LEN])
{
    static const uint8_t label[] = "hail ticket";
    uint8_t input[sizeof label + HAIL_TICKET_SALT_LEN];
    uint8_t own[HAIL_MAC_LEN];

    memcpy(input, label, sizeof label);
    memcpy(input + sizeof label, salt, HAIL_TICKET_SALT_LEN);
    hail_mac_sha256(&key->mac, own, input, sizeof input);
    bool ready = hail_aead_init(aead, own);
    HAIL_ASSERT(ready); // an AES-GCM key needs no memory beyond itself
    hail_wipe(own, sizeof own);
}

void hail_ticket_seal(uint8_t ticket[HAIL_TICKET_LEN], const struct hail_ticket_key *key,
                      const uint8_t scope[HAIL_TICKET_SCOPE_LEN],
                      const uint8_t psk[HAIL_NOISE_PSK_LEN], uint64_t until_s,
                      struct hail_random *random)
{
    struct hail_aead aead;

    memcpy(ticket, key->id, HAIL_TICKET_KEY_ID_LEN);
    hail_random_bytes(random, ticket + HAIL_TICKET_KEY_ID_LEN, HAIL_TICKET_SALT_LEN);
    hail_put_be(ticket + SEALED_AT, until_s, TIME_LEN);
    memcpy(ticket + SEALED_AT + TIME_LEN, psk, HAIL_NOISE_PSK_LEN);
    init_aead(&aead, key, ticket + HAIL_TICKET_KEY_ID_LEN);
    hail_aead_seal(&aead, nonce, scope, HAIL_TICKET_SCOPE_LEN, ticket + SEALED_AT, CONTENT_LEN);
    hail_aead_cleanup(&aead);
}

bool hail_ticket_is_by(struct hail_bytes ticket, const struct hail_ticket_key *key)
{
    return ticket.len >= HAIL_TICKET_KEY_ID_LEN && hail_equal(ticket.data, key->id, sizeof key->id);
}

enum hail_verdict hail_ticket_open(uint8_t psk[HAIL_NOISE_PSK_LEN], struct hail_bytes ticket,
                                   const struct hail_ticket_key *key,
                                   const uint8_t scope[HAIL_TICKET_SCOPE_LEN], uint64_t now_s)
{
    uint8_t content[SEALED_LEN];
    struct hail_aead aead;

    if (!hail_ticket_is_by(ticket, key))
        return HAIL_DROP_TICKET_KEY;
    if (ticket.len != HAIL_TICKET_LEN)
        return HAIL_DROP_TICKET_FORGED;
    memcpy(content, ticket.data + SEALED_AT, sizeof content);
    init_aead(&aead, key, ticket.data + HAIL_TICKET_KEY_ID_LEN);
    bool genuine =
        hail_aead_open(&aead, nonce, scope, HAIL_TICKET_SCOPE_LEN, content, sizeof content);
    hail_aead_cleanup(&aead);
    enum hail_verdict verdict = !genuine                                  ? HAIL_DROP_TICKET_FORGED
                                : hail_get_be(content, TIME_LEN) <= now_s ? HAIL_DROP_TICKET_OLD
                                                                          : HAIL_ACCEPT;
    if (verdict == HAIL_ACCEPT)
        memcpy(psk, content + TIME_LEN, HAIL_NOISE_PSK_LEN);
    hail_wipe(content, sizeof content);
    return verdict;
}

size_t hail_resumption_write(uint8_t out[HAIL_RESUMPTION_LEN_MAX],
                             const struct hail_resumption *resumption)
{
    uint8_t *at = out;

    *at++ = FORMAT;
    hail_put_be(at, resumption->until_s, TIME_LEN);
    at += TIME_LEN;
    hail_put_be(at, resumption->proven_s, TIME_LEN);
    at += TIME_LEN;
    memcpy(at, resumption->scope, sizeof resumption->scope);
    at += sizeof resumption->scope;
    memcpy(at, resumption->psk, sizeof resumption->psk);
    at += sizeof resumption->psk;
    *at++ = resumption->ticket_len;
    memcpy(at, resumption->ticket, resumption->ticket_len);
    return RESUMPTION_HEAD_LEN + (size_t)resumption->ticket_len;
}

bool hail_resumption_read(struct hail_resumption *resumption, struct hail_bytes bytes)
{
    const uint8_t *at = bytes.data;

    if (bytes.len <= RESUMPTION_HEAD_LEN || at[0] != FORMAT ||
        bytes.len != RESUMPTION_HEAD_LEN + (size_t)at[RESUMPTION_HEAD_LEN - 1])
        return false;
    at++;
    resumption->until_s = hail_get_be(at, TIME_LEN);
    at += TIME_LEN;
    resumption->proven_s = hail_get_be(at, TIME_LEN);
    at += TIME_LEN;
    memcpy(resumption->scope, at, sizeof resumption->scope);
    at += sizeof resumption->scope;
    memcpy(resumption->psk, at, sizeof resumption->psk);
    at += sizeof resumption->psk;
    resumption->ticket_len = *at++;
    memcpy(resumption->ticket, at, resumption->ticket_len);
    return true;
}

bool hail_resumption_good(const struct hail_resumption *resumption,
                          const uint8_t scope[HAIL_TICKET_SCOPE_LEN], uint64_t now_s)
{
    bool proven =
        now_s < resumption->proven_s || now_s - resumption->proven_s < HAIL_TICKET_LIFE_MAX_S;

    return hail_equal(resumption->scope, scope, HAIL_TICKET_SCOPE_LEN) && proven &&
           now_s < resumption->until_s;
}
