// handshake.c: see handshake.h.
// SPDX-License-Identifier: MIT
#include "proto/handshake.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

static const uint8_t finish_nonce[HAIL_AEAD_NONCE_LEN] = {0};

void hail_static_key_init(struct hail_static_key *key, const struct hail_x25519_pair *pair)
{
    uint8_t digest[HAIL_SHA256_LEN];

    key->pair = *pair;
    key->keycert_len = 0;
    hail_sha256(digest, pair->public_key, sizeof pair->public_key);
    memcpy(key->id, digest, sizeof key->id);
}

void hail_static_key_cleanup(struct hail_static_key *key)
{
    hail_wipe(&key->pair, sizeof key->pair);
}

void hail_agreement_cleanup(struct hail_agreement *agreement)
{
    hail_wipe(agreement, sizeof *agreement);
}

struct hail_pbkdf2_job hail_agreement_job(const struct hail_agreement *agreement)
{
    return (struct hail_pbkdf2_job){.password = {agreement->ck, sizeof agreement->ck},
                                    .salt = {agreement->h, sizeof agreement->h}};
}

bool hail_agreement_stretch(const struct hail_agreement *agreement,
                            uint8_t stretched[HAIL_STRETCHED_LEN], uint32_t iterations)
{
    return hail_pbkdf2_sha256(stretched, HAIL_STRETCHED_LEN,
                              (struct hail_bytes){agreement->ck, sizeof agreement->ck},
                              (struct hail_bytes){agreement->h, sizeof agreement->h}, iterations);
}

// After the second message, both ends.
static void agree(struct hail_agreement *agreement, const struct hail_noise *noise,
                  const uint8_t token[HAIL_CLIENT_TOKEN_LEN])
{
    uint8_t unused[HAIL_AEAD_KEY_LEN];

    memcpy(agreement->token, token, sizeof agreement->token);
    memcpy(agreement->ck, noise->ck, sizeof agreement->ck);
    memcpy(agreement->h, noise->h, sizeof agreement->h);
    hail_noise_split(noise, agreement->finish_key, unused);
    hail_wipe(unused, sizeof unused);
}

void hail_server_exchange(struct hail_greeting *greetings, size_t count, struct hail_random *random)
{
    struct hail_x25519_pair pairs[HAIL_GREETINGS_MAX];
    struct hail_x25519_job jobs[2 * HAIL_GREETINGS_MAX];
    size_t job_count = 0;

    HAIL_ASSERT(count <= HAIL_GREETINGS_MAX);
    hail_x25519_pairs_init(pairs, count, random);
    for (size_t i = 0; i < count; i++) {
        struct hail_greeting *greeting = &greetings[i];
        greeting->e = pairs[i];
        jobs[job_count++] = (struct hail_x25519_job){.private_key = greeting->e.private_key,
                                                     .public_key = greeting->hello->noise};
        if (greeting->key)
            jobs[job_count++] =
                (struct hail_x25519_job){.private_key = greeting->key->pair.private_key,
                                         .public_key = greeting->hello->noise};
    }
    hail_x25519_batch(jobs, job_count);
    job_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct hail_noise_shared *shared = &greetings[i].shared;
        shared->good = jobs[job_count].good;
        memcpy(shared->ee, jobs[job_count++].shared, sizeof shared->ee);
        if (!greetings[i].key)
            continue;
        shared->good = shared->good && jobs[job_count].good;
        memcpy(shared->es, jobs[job_count++].shared, sizeof shared->es);
    }
    hail_wipe(pairs, sizeof pairs);
    hail_wipe(jobs, sizeof jobs);
}

static enum hail_noise_pattern noise_pattern(const struct hail_hello *hello)
{
    return hello->pattern == HAIL_HELLO_RESUME ? HAIL_NOISE_NN
                                               : (enum hail_noise_pattern)hello->pattern;
}

// The server's end after the first message.
static bool read_hello(struct hail_noise *noise, const struct hail_greeting *greeting)
{
    const struct hail_hello *hello = greeting->hello;
    const struct hail_static_key *key = greeting->key;
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    uint8_t nothing[HAIL_NOISE_FIRST_MAX];

    HAIL_ASSERT(key || noise_pattern(hello) == HAIL_NOISE_NN);
    size_t prologue_len = hail_prologue_write(prologue, hello);
    hail_noise_init(noise, &(struct hail_noise_setup){
                               .pattern = noise_pattern(hello),
                               .prologue = {prologue, prologue_len},
                               .e = &greeting->e,
                               .s = key ? &key->pair : NULL,
                               .psk = hello->pattern == HAIL_HELLO_RESUME ? greeting->psk : NULL,
                               .shared = &greeting->shared,
                           });
    return hail_noise_read(noise, nothing, hello->noise, hail_noise_first_len(hello->pattern));
}

bool hail_server_resumes(const struct hail_greeting *greeting)
{
    struct hail_noise noise;

    bool good = read_hello(&noise, greeting);
    hail_noise_cleanup(&noise);
    return good;
}

enum hail_verdict hail_server_welcome(struct hail_agreement *agreement,
                                      uint8_t message[HAIL_WELCOME_MAX], size_t *message_len,
                                      const struct hail_greeting *greeting,
                                      const struct hail_welcome_terms *terms)
{
    const struct hail_hello *hello = greeting->hello;
    const struct hail_static_key *key = greeting->key;
    uint8_t payload[HAIL_WELCOME_FIXED_LEN + HAIL_KEYCERT_MAX];
    enum hail_verdict verdict = HAIL_DROP_FORGED;
    bool signs = hello->pattern == HAIL_HELLO_NX;
    size_t payload_len = HAIL_WELCOME_FIXED_LEN;
    struct hail_noise noise;

    if (!read_hello(&noise, greeting))
        goto out;

    hail_put_be(payload, terms->iterations, 4);
    hail_put_be(payload + 4, terms->idle_timeout_ms, 4);
    hail_put_be(payload + 8, terms->conn_data_max, 2);
    if (signs) {
        memcpy(payload + payload_len, key->keycert, key->keycert_len);
        payload_len += key->keycert_len;
    }
    verdict = HAIL_DROP_POINT;
    size_t overhead = hail_noise_overhead(&noise);
    if (!hail_noise_write(&noise, message, (struct hail_bytes){payload, payload_len}))
        goto out;
    *message_len = overhead + payload_len;
    agree(agreement, &noise, hello->token);
    verdict = HAIL_ACCEPT;
out:
    hail_noise_cleanup(&noise);
    return verdict;
}

enum hail_verdict hail_server_finish(const struct hail_agreement *agreement,
                                     struct hail_bytes *data, uint8_t *datagram, size_t len,
                                     size_t conn_data_max)
{
    size_t sealed_len = len - HAIL_FINISH_HEADER_LEN;
    struct hail_aead aead;

    HAIL_ASSERT(len >= HAIL_FINISH_HEADER_LEN + HAIL_AEAD_TAG_LEN);
    if (sealed_len - HAIL_AEAD_TAG_LEN > conn_data_max)
        return HAIL_DROP_TOO_LARGE;
    if (!hail_aead_init(&aead, agreement->finish_key))
        return HAIL_DROP_FORGED;
    bool genuine = hail_aead_open(&aead, finish_nonce, datagram, HAIL_FINISH_HEADER_LEN,
                                  datagram + HAIL_FINISH_HEADER_LEN, sealed_len);
    hail_aead_cleanup(&aead);
    if (!genuine)
        return HAIL_DROP_FORGED;
    *data = hail_finish_data(datagram, len);
    return HAIL_ACCEPT;
}

struct hail_bytes hail_finish_data(const uint8_t *datagram, size_t len)
{
    return (struct hail_bytes){datagram + HAIL_FINISH_HEADER_LEN,
                               len - HAIL_FINISH_HEADER_LEN - HAIL_AEAD_TAG_LEN};
}

static void begin_hello(struct hail_hello *hello, const struct hail_client_setup *setup,
                        uint8_t pattern, struct hail_random *random)
{
    *hello = (struct hail_hello){.version = HAIL_WIRE_VERSION, .pattern = pattern};
    hail_random_bytes(random, hello->token, sizeof hello->token);
    memcpy(hello->policy_hash, setup->policy_hash, sizeof hello->policy_hash);
}

// Writes the first message of a hello whose other fields are there.
static bool write_hello(struct hail_client_handshake *client, const uint8_t *server_key,
                        const uint8_t *psk, struct hail_random *random)
{
    uint8_t prologue[HAIL_PROLOGUE_MAX];
    struct hail_x25519_pair fresh;

    size_t prologue_len = hail_prologue_write(prologue, &client->hello);
    hail_x25519_pair_init(&fresh, random);
    hail_noise_init(&client->noise, &(struct hail_noise_setup){
                                        .pattern = noise_pattern(&client->hello),
                                        .initiator = true,
                                        .prologue = {prologue, prologue_len},
                                        .e = &fresh,
                                        .rs = server_key,
                                        .psk = psk,
                                    });
    hail_wipe(&fresh, sizeof fresh);
    return hail_noise_write(&client->noise, client->hello.noise, (struct hail_bytes){NULL, 0});
}

bool hail_client_init(struct hail_client_handshake *client, const struct hail_client_setup *setup,
                      struct hail_random *random)
{
    uint8_t digest[HAIL_SHA256_LEN];

    begin_hello(&client->hello, setup, (uint8_t)setup->pattern, random);
    if (setup->pattern == HAIL_NOISE_NK) {
        hail_sha256(digest, setup->server_key, HAIL_X25519_LEN);
        memcpy(client->hello.static_id, digest, sizeof client->hello.static_id);
    }
    return write_hello(client, setup->server_key, NULL, random);
}

void hail_client_resume(struct hail_client_handshake *client, const struct hail_client_setup *setup,
                        struct hail_bytes ticket, const uint8_t psk[HAIL_NOISE_PSK_LEN],
                        struct hail_random *random)
{
    HAIL_ASSERT(ticket.len > 0);
    HAIL_ASSERT(ticket.len <= HAIL_TICKET_LEN_MAX);
    begin_hello(&client->hello, setup, HAIL_HELLO_RESUME, random);
    client->hello.ticket_len = (uint8_t)ticket.len;
    memcpy(client->hello.ticket, ticket.data, ticket.len);
    bool written = write_hello(client, NULL, psk, random);
    HAIL_ASSERT(written); // there is no key of the other end in it
}

void hail_client_cleanup(struct hail_client_handshake *client)
{
    hail_noise_cleanup(&client->noise);
}

// NX: whether the server is who it should be.
static enum hail_verdict check_keycert(const struct hail_client_setup *setup, const char *host,
                                       int64_t unix_s, struct hail_bytes bytes,
                                       const uint8_t static_public[HAIL_X25519_LEN],
                                       struct hail_fault_report *report)
{
    enum hail_verdict verdict = HAIL_DROP_CERTIFICATE;
    struct hail_certificate *leaf;
    struct hail_keycert keycert;

    if (!hail_keycert_parse(&keycert, bytes))
        return HAIL_DROP_MALFORMED;
    if (!hail_certificate_parse(&leaf, keycert.chain[0], report))
        return HAIL_DROP_CERTIFICATE;
    if (!hail_keycert_check_signature(&keycert, static_public, leaf, unix_s, report))
        verdict = HAIL_DROP_SIGNATURE;
    else if (setup->verifier.check(setup->verifier.user, &keycert, leaf, host, unix_s, report))
        verdict = HAIL_ACCEPT;
    hail_certificate_free(leaf);
    return verdict;
}

enum hail_verdict
hail_client_welcome(struct hail_client_handshake *client, struct hail_agreement *agreement,
                    struct hail_welcome_terms *terms, struct hail_fault_report *report,
                    const struct hail_client_setup *setup, const char *host, int64_t unix_s,
                    const uint8_t *message, size_t message_len, uint8_t *payload)
{
    size_t overhead = hail_noise_overhead(&client->noise);
    struct hail_noise noise = client->noise; // a welcome that is refused leaves ours as it was
    enum hail_verdict verdict = HAIL_DROP_SHORT;
    bool signs = client->hello.pattern == HAIL_HELLO_NX; // the key of a ticket proves the server

    if (message_len < overhead + HAIL_WELCOME_FIXED_LEN)
        goto out;
    verdict = HAIL_DROP_FORGED;
    if (!hail_noise_read(&noise, payload, message, message_len))
        goto out;

    size_t keycert_len = message_len - overhead - HAIL_WELCOME_FIXED_LEN;
    uint64_t data_max = hail_get_be(payload + 8, 2);
    const struct hail_welcome_terms told = {
        .iterations = (uint32_t)hail_get_be(payload, 4),
        .idle_timeout_ms = (uint32_t)hail_get_be(payload + 4, 4),
        .conn_data_max =
            (uint16_t)(data_max < HAIL_FINISH_DATA_MAX ? data_max : HAIL_FINISH_DATA_MAX),
    };
    verdict = HAIL_DROP_MALFORMED;
    if (told.iterations == 0 || (!signs && keycert_len > 0))
        goto out;
    verdict = HAIL_DROP_TOO_LARGE;
    if (told.iterations > setup->iterations_max)
        goto out;
    verdict =
        signs ? check_keycert(setup, host, unix_s,
                              (struct hail_bytes){payload + HAIL_WELCOME_FIXED_LEN, keycert_len},
                              noise.rs, report)
              : HAIL_ACCEPT;
    if (verdict != HAIL_ACCEPT)
        goto out;
    *terms = told;
    agree(agreement, &noise, client->hello.token);
out:
    hail_noise_cleanup(&noise);
    return verdict;
}

size_t hail_client_finish(const struct hail_agreement *agreement,
                          uint8_t datagram[HAIL_DATAGRAM_MAX], uint32_t conn_id,
                          struct hail_bytes data)
{
    struct hail_finish finish = {.conn_id = conn_id};
    struct hail_aead aead;

    HAIL_ASSERT(data.len <= HAIL_FINISH_DATA_MAX);
    if (!hail_aead_init(&aead, agreement->finish_key))
        return 0;
    memcpy(finish.token, agreement->token, sizeof finish.token);
    size_t header_len = hail_finish_encode(datagram, &finish);
    if (data.len > 0)
        memcpy(datagram + header_len, data.data, data.len);
    hail_aead_seal(&aead, finish_nonce, datagram, header_len, datagram + header_len, data.len);
    hail_aead_cleanup(&aead);
    return header_len + data.len + HAIL_AEAD_TAG_LEN;
}
