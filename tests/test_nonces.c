// test_nonces.c: nothing is ever sealed twice under one key and nonce: not over updates, moves,
// handshakes and restarts, and by neither end.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "crypto/time.h"
#include "proto/handshake.h"
#include "proto/ticket.h"
#include "tests/peer_pair.h"
#include "tests/vectors.h"

enum {
    PAIRS_MAX = 1 << 17 // keys with nonces, that one test seals under
};

// ---- The seam: every seal in this program goes by here.

struct seal {
    uint8_t key[HAIL_AEAD_TAG_LEN]; // what the key makes of nothing, which tells keys apart
    uint8_t nonce[HAIL_AEAD_NONCE_LEN];
    bool used;
};
static struct seal seals[PAIRS_MAX * 2];
static size_t seal_count;
static size_t seal_repeats;

void __real_hail_aead_seal(const struct hail_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                           size_t ad_len, uint8_t *text, size_t text_len);
void __wrap_hail_aead_seal(const struct hail_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                           size_t ad_len, uint8_t *text, size_t text_len);

void __wrap_hail_aead_seal(const struct hail_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                           size_t ad_len, uint8_t *text, size_t text_len)
{
    static const uint8_t no_nonce[HAIL_AEAD_NONCE_LEN] = {0};
    struct seal seal = {.used = true};
    uint64_t hash = 0;

    __real_hail_aead_seal(aead, no_nonce, NULL, 0, seal.key, 0);
    memcpy(seal.nonce, nonce, sizeof seal.nonce);
    for (size_t i = 0; i < sizeof seal.key + sizeof seal.nonce; i++)
        hash = (hash ^ ((const uint8_t *)&seal)[i]) * UINT64_C(0x100000001b3);
    size_t place = (hash ^ hash >> 29) % HAIL_COUNTOF(seals);
    while (seals[place].used && memcmp(&seals[place], &seal, sizeof seal) != 0)
        place = (place + 1) % HAIL_COUNTOF(seals);
    seal_repeats += seals[place].used;
    seals[place] = seal;
    ck_assert_uint_lt(++seal_count, PAIRS_MAX);
    __real_hail_aead_seal(aead, nonce, ad, ad_len, text, text_len);
}

static void forget_seals(void)
{
    memset(seals, 0, sizeof seals);
    seal_count = 0;
    seal_repeats = 0;
}

// ---- Keys and nonces

// A whole handshake, as after a restart: the same static key, other dice. With the key of an
// earlier connection's ticket it is resumed; NULL: in full.
static void agree(uint8_t stretched[HAIL_STRETCHED_LEN], const struct hail_static_key *key,
                  const uint8_t *psk, uint64_t seed)
{
    const struct hail_client_setup setup = {
        .pattern = HAIL_NOISE_NK,
        .iterations_max = 1,
        .server_key = key->pair.public_key,
    };
    const struct hail_welcome_terms terms = {.iterations = 1, .conn_data_max = 10};
    static uint8_t message[HAIL_WELCOME_MAX];
    static uint8_t payload[HAIL_WELCOME_MAX];
    uint8_t finish[HAIL_DATAGRAM_MAX];
    uint8_t again[HAIL_STRETCHED_LEN];
    struct hail_client_handshake client;
    struct hail_agreement agreements[2];
    struct hail_welcome_terms told;
    struct hail_fault_report report;
    struct hail_bytes data;
    struct hail_random dice;
    size_t len;

    hail_random_init_seeded(&dice, seed);
    struct hail_greeting greeting = {.hello = &client.hello, .key = psk ? NULL : key};
    if (psk) {
        const struct hail_bytes ticket = {(const uint8_t *)"the same", 8};
        hail_client_resume(&client, &setup, ticket, psk, &dice);
        memcpy(greeting.psk, psk, sizeof greeting.psk);
        ck_assert(hail_server_resumes(&greeting));
    } else {
        ck_assert(hail_client_init(&client, &setup, &dice));
    }
    hail_server_exchange(&greeting, 1, &dice);
    ck_assert_int_eq(hail_server_welcome(&agreements[0], message, &len, &greeting, &terms),
                     HAIL_ACCEPT);
    ck_assert_int_eq(hail_client_welcome(&client, &agreements[1], &told, &report, &setup, "", 0,
                                         message, len, payload),
                     HAIL_ACCEPT);
    len = hail_client_finish(&agreements[1], finish, PAIR_CONN_ID,
                             (struct hail_bytes){(const uint8_t *)"data", 4});
    ck_assert_int_eq(hail_server_finish(&agreements[0], &data, finish, len, 10), HAIL_ACCEPT);
    ck_assert(hail_agreement_stretch(&agreements[0], stretched, 1));
    ck_assert(hail_agreement_stretch(&agreements[1], again, 1));
    ck_assert_mem_eq(stretched, again, sizeof again);
}

// A ticket for a connection, by a server that keeps its ticket key over restarts.
static void give_ticket(uint8_t psk[HAIL_NOISE_PSK_LEN], const struct hail_ticket_key *key,
                        const uint8_t stretched[HAIL_STRETCHED_LEN], struct hail_random *random)
{
    const uint8_t scope[HAIL_TICKET_SCOPE_LEN] = {1};
    uint8_t ticket[HAIL_TICKET_LEN];

    hail_ticket_psk(psk, stretched);
    hail_ticket_seal(ticket, key, scope, psk, 1000, random);
}

// One random thing happens to a pair.
static void happen(struct pair *pair, uint64_t *dice)
{
    bool by_server = test_next(dice) % 2;
    struct hail_peer *peer = by_server ? &pair->server : &pair->client;
    struct packet packet;
    struct hail_path to;

    switch (test_next(dice) % 16) {
    case 0:
        hail_peer_update(peer);
        return;
    case 1:
        pair->now_ns += test_next(dice) % (12000 * HAIL_NS_PER_MS);
        break;
    case 2:
        if (test_next(dice) % 16 == 0)
            pair->now_ns += HAIL_EPOCH_MAX_MS * HAIL_NS_PER_MS;
        break;
    case 3:
        if (test_next(dice) % 4 == 0)
            peer->epoch_packets = HAIL_EPOCH_PACKETS_MAX; // as if so many had been sent
        return;
    case 4:
        pair->home = pair_address((uint8_t)test_next(dice), 1000);
        return;
    default:
        break;
    }
    hail_peer_tick(peer, pair->now_ns);
    while (pair_say_owed(pair, by_server, &packet, &to))
        (void)pair_hear(pair, !by_server, &packet, by_server ? &pair->there : &pair->home);
    pair_seal(pair, by_server, (enum hail_protection)(1 + test_next(dice) % 3), &packet);
    if (test_next(dice) % 8 != 0)
        (void)pair_deliver(pair, !by_server, &packet);
}

// The seam sees what happens: the same twice, and the same number in another direction, epoch or
// connection.
START_TEST(test_seam)
{
    static const uint8_t other_stretched[HAIL_STRETCHED_LEN] = {1, 2, 4};
    struct packet packet;
    struct pair other;
    struct pair pair;

    forget_seals();
    pair_init(&pair);
    pair_from(&other, other_stretched, 1);
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    pair_seal(&pair, true, HAIL_PROTECTION_ENCRYPTED, &packet);
    pair_seal(&other, true, HAIL_PROTECTION_ENCRYPTED, &packet);
    pair.client.next_number = 0;
    pair.client.epoch_packets = HAIL_EPOCH_PACKETS_MAX;
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    ck_assert_uint_eq(seal_count, 4);
    ck_assert_uint_eq(seal_repeats, 0);
    pair.client.next_number = 0;
    pair_seal(&pair, false, HAIL_PROTECTION_ENCRYPTED, &packet);
    ck_assert_uint_eq(seal_repeats, 1);
    pair_cleanup(&other);
    pair_cleanup(&pair);
}
END_TEST

// Connections side by side, with one static key over several starts of the server, whose keys and
// addresses change at random: no key sees a nonce twice, handshakes, resumptions and tickets
// included.
START_TEST(test_nonces)
{
    enum {
        STARTS = 4,
        PAIRS = 4,
        STEPS = 8000
    };
    static struct pair pairs[PAIRS];
    const struct hail_path home = pair_address(1, 1000);
    uint64_t dice = test_seed();
    struct hail_x25519_pair fixed;
    struct hail_static_key key;
    struct hail_random random;
    const uint8_t secret[HAIL_TICKET_SECRET_LEN] = {7};
    struct hail_ticket_key ticket_key;
    uint8_t stretched[HAIL_STRETCHED_LEN];
    uint8_t psks[PAIRS][HAIL_NOISE_PSK_LEN];
    uint32_t epochs = 0;
    size_t moves = 0;

    forget_seals();
    hail_random_init_seeded(&random, dice);
    hail_x25519_pair_init(&fixed, &random);
    hail_static_key_init(&key, &fixed);
    hail_ticket_key_init(&ticket_key, secret);
    for (int start = 0; start < STARTS; start++) {
        for (int i = 0; i < PAIRS; i++) {
            // Every other comes back with a ticket of the start before, again and again.
            bool resumes = start > 0 && i % 2 == 1;
            agree(stretched, &key, resumes ? psks[i - (int)(test_next(&dice) % 2)] : NULL,
                  test_next(&dice));
            give_ticket(psks[i], &ticket_key, stretched, &random);
            pair_from(&pairs[i], stretched, test_next(&dice));
        }
        for (int step = 0; step < STEPS; step++)
            happen(&pairs[test_next(&dice) % PAIRS], &dice);
        for (int i = 0; i < PAIRS; i++) {
            epochs += pairs[i].client.send.epoch + pairs[i].server.send.epoch;
            moves += !hail_path_equal(&pairs[i].server.address, &home);
            pair_cleanup(&pairs[i]);
        }
    }
    printf("%zu seals, %u epochs\n", seal_count, epochs);
    ck_assert_uint_eq(seal_repeats, 0);
    ck_assert_uint_gt(seal_count, STARTS * STEPS / 4);
    ck_assert_uint_gt(epochs, STARTS * PAIRS * 2);
    ck_assert_uint_gt(moves, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nonces");
    TCase *tests = tcase_create("nonces");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_seam);
    tcase_add_test(tests, test_nonces);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
