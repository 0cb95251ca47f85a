// test_noise.c: Noise handshakes: the public vectors, and what must be refused.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/noise.h"
#include "tests/vectors.h"

enum {
    MESSAGE_MAX = 512
};

static const struct {
    const char *name;
    enum hail_noise_pattern pattern;
    bool psk;
} protocols[] = {
    {"Noise_NX_25519_AESGCM_SHA256", HAIL_NOISE_NX, false},
    {"Noise_NN_25519_AESGCM_SHA256", HAIL_NOISE_NN, false},
    {"Noise_NK_25519_AESGCM_SHA256", HAIL_NOISE_NK, false},
    {"Noise_NNpsk0_25519_AESGCM_SHA256", HAIL_NOISE_NN, true},
    {"Noise_NKpsk0_25519_AESGCM_SHA256", HAIL_NOISE_NK, true},
};

static bool pair_at(struct hail_x25519_pair *pair, const json_t *row, const char *key)
{
    if (!json_object_get(row, key))
        return false;
    struct vector_bytes private_key = vector_hex(row, key);
    hail_x25519_pair_from(pair, private_key.data);
    free(private_key.data);
    return true;
}

static bool first_psk(uint8_t psk[HAIL_NOISE_PSK_LEN], const json_t *row)
{
    const char *hex = json_string_value(json_array_get(json_object_get(row, "init_psks"), 0));

    if (!hex)
        return false;
    struct vector_bytes bytes = test_unhex(hex);
    memcpy(psk, bytes.data, HAIL_NOISE_PSK_LEN);
    free(bytes.data);
    return true;
}

// Both ends of a vector's handshake.
static void init_ends(struct hail_noise *ends, const json_t *row, enum hail_noise_pattern pattern)
{
    struct hail_x25519_pair ephemeral;
    struct hail_x25519_pair fixed;
    uint8_t psk[HAIL_NOISE_PSK_LEN];
    bool has_static = pair_at(&fixed, row, "resp_static");
    bool has_psk = first_psk(psk, row);

    for (int end = 0; end < 2; end++) {
        struct vector_bytes prologue = vector_hex(row, end ? "resp_prologue" : "init_prologue");
        ck_assert(pair_at(&ephemeral, row, end ? "resp_ephemeral" : "init_ephemeral"));
        hail_noise_init(&ends[end], &(struct hail_noise_setup){
                                        .pattern = pattern,
                                        .initiator = end == 0,
                                        .prologue = {prologue.data, prologue.len},
                                        .e = &ephemeral,
                                        .s = end && has_static ? &fixed : NULL,
                                        .rs = fixed.public_key,
                                        .psk = has_psk ? psk : NULL,
                                    });
        free(prologue.data);
    }
}

static void check_transport(const uint8_t key[HAIL_AEAD_KEY_LEN], uint64_t n,
                            const struct vector_bytes *text, const struct vector_bytes *want)
{
    uint8_t nonce[HAIL_AEAD_NONCE_LEN] = {0};
    uint8_t sealed[MESSAGE_MAX];
    struct hail_aead aead;

    nonce[11] = (uint8_t)n;
    memcpy(sealed, text->data, text->len);
    ck_assert(hail_aead_init(&aead, key));
    hail_aead_seal(&aead, nonce, NULL, 0, sealed, text->len);
    ck_assert_uint_eq(want->len, text->len + HAIL_AEAD_TAG_LEN);
    ck_assert_mem_eq(sealed, want->data, want->len);
    hail_aead_cleanup(&aead);
}

static void check_row(const json_t *row, enum hail_noise_pattern pattern)
{
    const json_t *messages = json_object_get(row, "messages");
    struct hail_noise ends[2];
    uint8_t keys[2][HAIL_AEAD_KEY_LEN];
    uint8_t got[MESSAGE_MAX];
    json_t *message;
    size_t i;

    init_ends(ends, row, pattern);
    json_array_foreach(messages, i, message)
    {
        struct vector_bytes payload = vector_hex(message, "payload");
        struct vector_bytes want = vector_hex(message, "ciphertext");
        if (i < 2) {
            ck_assert_uint_eq(hail_noise_overhead(&ends[i]) + payload.len, want.len);
            ck_assert(
                hail_noise_write(&ends[i], got, (struct hail_bytes){payload.data, payload.len}));
            ck_assert_mem_eq(got, want.data, want.len);
            ck_assert(hail_noise_read(&ends[1 - i], got, want.data, want.len));
            ck_assert_mem_eq(got, payload.data, payload.len);
        } else {
            hail_noise_split(&ends[i % 2], keys[0], keys[1]);
            check_transport(keys[i % 2], (i - 2) / 2, &payload, &want);
        }
        free(payload.data);
        free(want.data);
    }
    ck_assert_mem_eq(ends[0].h, ends[1].h, sizeof ends[0].h);
    if (json_object_get(row, "handshake_hash")) {
        struct vector_bytes hash = vector_hex(row, "handshake_hash");
        ck_assert_mem_eq(ends[0].h, hash.data, hash.len);
        free(hash.data);
    }
}

START_TEST(test_vectors)
{
    json_t *root = vectors_optional("noise/noise_25519_aesgcm_sha256.json");
    json_t *row;
    size_t i;
    int checked = 0;

    json_array_foreach(json_object_get(root, "vectors"), i, row)
    {
        const char *name = vector_text(row, "protocol_name");
        size_t protocol = 0;
        while (protocol < HAIL_COUNTOF(protocols) && strcmp(protocols[protocol].name, name) != 0)
            protocol++;
        // One source of vectors names a psk and keeps the modifier to itself.
        uint8_t psk[HAIL_NOISE_PSK_LEN];
        bool unlike =
            protocol < HAIL_COUNTOF(protocols) && first_psk(psk, row) != protocols[protocol].psk;
        if (protocol == HAIL_COUNTOF(protocols) || unlike) {
            printf("skipped: %s%s\n", name, unlike ? " with a psk somewhere" : "");
            continue;
        }
        check_row(row, protocols[protocol].pattern);
        checked++;
    }
    ck_assert(!root || checked >= 5);
    json_decref(root);
}
END_TEST

// What both ends of a handshake are made from.
struct ends {
    struct hail_x25519_pair e[2];
    struct hail_x25519_pair s;
    struct hail_noise noise[2];
};

static void begin(struct ends *ends, enum hail_noise_pattern pattern, const char *prologue,
                  const char *other_prologue)
{
    struct hail_random random;

    hail_random_init_seeded(&random, test_seed());
    hail_x25519_pair_init(&ends->e[0], &random);
    hail_x25519_pair_init(&ends->e[1], &random);
    hail_x25519_pair_init(&ends->s, &random);
    for (int end = 0; end < 2; end++) {
        const char *text = end ? other_prologue : prologue;
        hail_noise_init(&ends->noise[end], &(struct hail_noise_setup){
                                               .pattern = pattern,
                                               .initiator = end == 0,
                                               .prologue = {(const uint8_t *)text, strlen(text)},
                                               .e = &ends->e[end],
                                               .s = &ends->s,
                                               .rs = ends->s.public_key,
                                           });
    }
}

static const struct hail_bytes hello_payload = {(const uint8_t *)"payload", 7};

START_TEST(test_agree)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    uint8_t message[MESSAGE_MAX];
    uint8_t got[MESSAGE_MAX];
    struct ends ends;

    begin(&ends, pattern, "p", "p");
    for (int i = 0; i < 2; i++) {
        size_t len = hail_noise_overhead(&ends.noise[i]) + hello_payload.len;
        ck_assert(hail_noise_write(&ends.noise[i], message, hello_payload));
        ck_assert(hail_noise_read(&ends.noise[1 - i], got, message, len));
        ck_assert_mem_eq(got, hello_payload.data, hello_payload.len);
    }
    ck_assert_mem_eq(ends.noise[0].ck, ends.noise[1].ck, HAIL_NOISE_HASH_LEN);
    ck_assert_mem_eq(ends.noise[0].h, ends.noise[1].h, HAIL_NOISE_HASH_LEN);
    if (pattern == HAIL_NOISE_NX)
        ck_assert_mem_eq(ends.noise[0].rs, ends.s.public_key, HAIL_X25519_LEN);
}
END_TEST

// Every changed bit of the second message, and every length but the right one, is refused and
// leaves the initiator as it was.
START_TEST(test_tampered)
{
    enum hail_noise_pattern pattern = (enum hail_noise_pattern)_i;
    uint8_t message[MESSAGE_MAX];
    uint8_t got[MESSAGE_MAX];
    struct ends ends;

    begin(&ends, pattern, "p", "p");
    size_t len = hail_noise_overhead(&ends.noise[0]);
    ck_assert(hail_noise_write(&ends.noise[0], message, (struct hail_bytes){NULL, 0}));
    ck_assert(hail_noise_read(&ends.noise[1], got, message, len));
    len = hail_noise_overhead(&ends.noise[1]) + hello_payload.len;
    ck_assert(hail_noise_write(&ends.noise[1], message, hello_payload));

    struct hail_noise before = ends.noise[0];
    for (size_t bit = 0; bit < 8 * len; bit++) {
        if (bit == 255)
            continue; // X25519 ignores the top bit of a public key; the hash does not, see below
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_msg(!hail_noise_read(&ends.noise[0], got, message, len), "bit %zu", bit);
        ck_assert_mem_eq(&ends.noise[0], &before, sizeof before);
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    message[31] ^= 0x80;
    ck_assert_msg(!hail_noise_read(&ends.noise[0], got, message, len), "the hash covers all bits");
    message[31] ^= 0x80;
    for (size_t cut = 0; cut < len; cut++)
        ck_assert_msg(!hail_noise_read(&ends.noise[0], got, message, cut), "%zu bytes", cut);
    ck_assert(hail_noise_read(&ends.noise[0], got, message, len));
}
END_TEST

START_TEST(test_other_prologue)
{
    uint8_t message[MESSAGE_MAX];
    uint8_t got[MESSAGE_MAX];
    struct ends ends;

    begin(&ends, HAIL_NOISE_NN, "policy a", "policy b");
    ck_assert(hail_noise_write(&ends.noise[0], message, (struct hail_bytes){NULL, 0}));
    ck_assert(hail_noise_read(&ends.noise[1], got, message, HAIL_X25519_LEN));
    size_t len = hail_noise_overhead(&ends.noise[1]);
    ck_assert(hail_noise_write(&ends.noise[1], message, (struct hail_bytes){NULL, 0}));
    ck_assert_msg(!hail_noise_read(&ends.noise[0], got, message, len), "the ends disagree");
}
END_TEST

START_TEST(test_low_order)
{
    const uint8_t zero[HAIL_X25519_LEN] = {0};
    uint8_t message[MESSAGE_MAX];
    uint8_t got[MESSAGE_MAX];
    struct ends ends;

    begin(&ends, HAIL_NOISE_NX, "p", "p");
    ck_assert_msg(hail_noise_read(&ends.noise[1], got, zero, sizeof zero), "not used yet");
    ck_assert_msg(!hail_noise_write(&ends.noise[1], message, hello_payload),
                  "a shared secret of zeros is none");
    begin(&ends, HAIL_NOISE_NK, "p", "p");
    memset(message, 0, 48);
    ck_assert(!hail_noise_read(&ends.noise[1], got, message, 48));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("noise");
    TCase *tests = tcase_create("noise");

    tcase_add_test(tests, test_other_prologue);
    tcase_add_test(tests, test_low_order);
    tcase_add_loop_test(tests, test_tampered, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_loop_test(tests, test_agree, HAIL_NOISE_NX, HAIL_NOISE_NK + 1);
    tcase_add_test(tests, test_vectors);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
