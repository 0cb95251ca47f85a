// test_kex.c: X25519 and affine public parts: RFC 7748, wycheproof, what MLAPI computed, and every
// point that must not be taken.
// SPDX-License-Identifier: MIT
#include "crypto/kex.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/kdf.h"
#include "tests/vectors.h"

static const struct {
    const char *why;
    const char *private_key;
    const char *public_key;
    const char *shared;
} rfc7748[] = {
    {"5.2, first", "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
    {"5.2, second: the top bit of the point is ignored",
     "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
     "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
};

START_TEST(test_rfc7748)
{
    struct vector_bytes private_key = test_unhex(rfc7748[_i].private_key);
    struct vector_bytes public_key = test_unhex(rfc7748[_i].public_key);
    struct vector_bytes shared = test_unhex(rfc7748[_i].shared);
    uint8_t got[HAIL_X25519_LEN];

    ck_assert_msg(hail_x25519(got, private_key.data, public_key.data), "%s", rfc7748[_i].why);
    ck_assert_msg(memcmp(got, shared.data, sizeof got) == 0, "%s", rfc7748[_i].why);
    free(private_key.data);
    free(public_key.data);
    free(shared.data);
}
END_TEST

// RFC 7748 section 5.2: each result is the next scalar, and the scalar the next point.
START_TEST(test_rfc7748_iterated)
{
    struct vector_bytes once =
        test_unhex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    struct vector_bytes thousand =
        test_unhex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    uint8_t scalar[HAIL_X25519_LEN] = {9};
    uint8_t point[HAIL_X25519_LEN] = {9};

    for (int i = 1; i <= 1000; i++) {
        uint8_t next[HAIL_X25519_LEN];
        ck_assert(hail_x25519(next, scalar, point));
        memcpy(point, scalar, sizeof point);
        memcpy(scalar, next, sizeof scalar);
        if (i == 1)
            ck_assert_mem_eq(scalar, once.data, sizeof scalar);
    }
    ck_assert_mem_eq(scalar, thousand.data, sizeof scalar);
    free(once.data);
    free(thousand.data);
}
END_TEST

static bool all_zero(const struct vector_bytes *bytes)
{
    for (size_t i = 0; i < bytes->len; i++) {
        if (bytes->data[i] != 0)
            return false;
    }
    return true;
}

// "acceptable" covers twist points and unreduced ones, which X25519 takes; a result of zero it must
// not.
START_TEST(test_wycheproof)
{
    json_t *root = vectors_optional("wycheproof/x25519_test.json");
    json_t *group;
    json_t *row;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        json_array_foreach(json_object_get(group, "tests"), j, row)
        {
            struct vector_bytes public_key = vector_hex(row, "public");
            struct vector_bytes private_key = vector_hex(row, "private");
            struct vector_bytes shared = vector_hex(row, "shared");
            uint8_t got[HAIL_X25519_LEN];
            bool taken = hail_x25519(got, private_key.data, public_key.data);

            ck_assert_msg(taken == !all_zero(&shared), "tcId %d: %s", (int)vector_int(row, "tcId"),
                          vector_text(row, "comment"));
            if (taken)
                ck_assert_mem_eq(got, shared.data, sizeof got);
            struct hail_x25519_job twice[2];
            for (int k = 0; k < 2; k++)
                twice[k] = (struct hail_x25519_job){.private_key = private_key.data,
                                                    .public_key = public_key.data};
            hail_x25519_batch(twice, 2);
            ck_assert(twice[0].good == taken && twice[1].good == taken);
            ck_assert_mem_eq(twice[1].shared, shared.data, sizeof got);
            free(public_key.data);
            free(private_key.data);
            free(shared.data);
        }
    }
    json_decref(root);
}
END_TEST

// ---- Several at once

enum {
    ROUNDS_OF_BATCHES = 40,
    BATCH_MAX = 20
};

// Points that are worth a look: of low order, not below p, and with the bit that does not count.
static void edge(uint8_t point[HAIL_X25519_LEN], uint64_t which)
{
    memset(point, which % 8 < 4 ? 0 : 0xff, HAIL_X25519_LEN);
    if (which % 8 == 1)
        point[0] = 1;
    if (which % 8 == 2)
        point[HAIL_X25519_LEN - 1] = 0x80;
    if (which % 8 == 4)
        point[0] = 0xed; // p, and the bit
    if (which % 8 == 5)
        point[0] = 0xee; // p + 1
    if (which % 8 >= 5)
        point[HAIL_X25519_LEN - 1] = 0x7f;
}

// A batch of any size gives what each by itself does, whether it is computed side by side or not.
START_TEST(test_batch)
{
    uint64_t dice = test_seed();
    uint8_t keys[BATCH_MAX][2][HAIL_X25519_LEN];

    for (int round = 0; round < ROUNDS_OF_BATCHES; round++) {
        struct hail_x25519_job jobs[BATCH_MAX];
        size_t count = test_next(&dice) % (BATCH_MAX + 1);
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < 2 * HAIL_X25519_LEN; j++)
                keys[i][j / HAIL_X25519_LEN][j % HAIL_X25519_LEN] = (uint8_t)test_next(&dice);
            if (test_next(&dice) % 4 == 0)
                edge(keys[i][1], test_next(&dice));
            jobs[i] = (struct hail_x25519_job){.private_key = keys[i][0], .public_key = keys[i][1]};
        }
        hail_x25519_allow(round % 4 != 0);
        hail_x25519_batch(jobs, count);
        hail_x25519_allow(true);
        for (size_t i = 0; i < count; i++) {
            uint8_t want[HAIL_X25519_LEN];
            ck_assert_int_eq(jobs[i].good, hail_x25519(want, keys[i][0], keys[i][1]));
            ck_assert_mem_eq(jobs[i].shared, want, sizeof want);
        }
    }
}
END_TEST

// Fresh pairs are pairs, and no two are alike.
START_TEST(test_fresh_pairs)
{
    struct hail_x25519_pair pairs[BATCH_MAX];
    struct hail_random random;

    hail_random_init_seeded(&random, test_seed());
    for (size_t count = 0; count <= BATCH_MAX; count++) {
        hail_x25519_allow(count % 2 != 0);
        hail_x25519_pairs_init(pairs, count, &random);
        hail_x25519_allow(true);
        for (size_t i = 0; i < count; i++) {
            struct hail_x25519_pair want;
            hail_x25519_pair_from(&want, pairs[i].private_key);
            ck_assert_mem_eq(pairs[i].public_key, want.public_key, sizeof want.public_key);
            for (size_t j = 0; j < i; j++)
                ck_assert_mem_ne(pairs[i].private_key, pairs[j].private_key, HAIL_X25519_LEN);
        }
    }
}
END_TEST

// The X of a public part, as big-endian bytes of full length.
static void part_x(uint8_t out[HAIL_X25519_LEN], const struct vector_bytes *part)
{
    memset(out, 0, HAIL_X25519_LEN);
    memcpy(out + HAIL_X25519_LEN - part->data[0], part->data + 4, part->data[0]);
}

static void reverse(uint8_t out[HAIL_X25519_LEN], const uint8_t in[HAIL_X25519_LEN])
{
    for (size_t i = 0; i < HAIL_X25519_LEN; i++)
        out[i] = in[HAIL_X25519_LEN - 1 - i];
}

// p - y, big-endian.
static void negate(uint8_t y[HAIL_X25519_LEN])
{
    int borrow = 0;

    for (size_t i = HAIL_X25519_LEN; i-- > 0;) {
        int digit = (i == 31 ? 0xed : i == 0 ? 0x7f : 0xff) - y[i] - borrow;
        borrow = digit < 0;
        y[i] = (uint8_t)digit;
    }
}

// Parses a part of MLAPI's and writes it again: the same X, and Y or its negative.
static void check_part(const struct vector_bytes *part)
{
    uint8_t x[HAIL_X25519_LEN];
    uint8_t y[HAIL_X25519_LEN] = {0};
    uint8_t got[HAIL_X25519_LEN];
    uint8_t public_key[HAIL_X25519_LEN];
    uint8_t again[HAIL_AFFINE_MAX];
    size_t x_end = 4 + (size_t)part->data[0];

    ck_assert(hail_affine_parse(public_key, part->data, part->len));
    part_x(x, part);
    reverse(got, public_key);
    ck_assert_mem_eq(got, x, sizeof x);

    memcpy(y + sizeof y - (part->len - x_end), part->data + x_end, part->len - x_end);
    if (y[sizeof y - 1] & 1)
        negate(y);
    size_t zeroes = 0;
    while (y[zeroes] == 0)
        zeroes++;
    size_t len = hail_affine_write(again, public_key);
    ck_assert_uint_eq(len, x_end + sizeof y - zeroes);
    ck_assert_mem_eq(again, part->data, x_end);
    ck_assert_mem_eq(again + x_end, y + zeroes, sizeof y - zeroes);
}

static void check_stretched(const struct vector_bytes *shared, const json_t *row, const char *field)
{
    static const char salt[] = "P1sN0R4inb0wPl5P1sPls";
    struct vector_bytes want = vector_hex(row, field);
    uint8_t got[32];

    ck_assert(hail_pbkdf2_sha1(got, sizeof got, (struct hail_bytes){shared->data, shared->len},
                               (struct hail_bytes){(const uint8_t *)salt, sizeof salt - 1}, 1000));
    ck_assert_uint_eq(want.len, sizeof got);
    ck_assert_mem_eq(got, want.data, sizeof got);
    free(want.data);
}

// Both ends are MLAPI's, with scalars that X25519 does not have: their public parts must be taken,
// and its shared X stretch to its key.
START_TEST(test_mlapi_ecdh)
{
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "ecdh"), "cases"), i, row)
    {
        struct vector_bytes a = vector_hex(row, "public_a");
        struct vector_bytes b = vector_hex(row, "public_b");
        struct vector_bytes shared = vector_hex(row, "shared_x");

        ck_assert_uint_eq(a.data[0], (uint64_t)vector_int(row, "x_len_a"));
        check_part(&a);
        check_part(&b);
        check_stretched(&shared, row, "key");
        free(a.data);
        free(b.data);
        free(shared.data);
    }
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}
END_TEST

// The server's end is X25519, the client's MLAPI's.
START_TEST(test_mlapi_x25519_server)
{
    static const uint8_t base[HAIL_X25519_LEN] = {9};
    json_t *root = vectors_mlapi();
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(root, "x25519_server"), "cases"), i, row)
    {
        struct vector_bytes scalar = vector_hex(row, "server_scalar_le_clamped");
        struct vector_bytes server = vector_hex(row, "server_public");
        struct vector_bytes client = vector_hex(row, "client_public");
        struct vector_bytes shared = vector_hex(row, "client_shared_x");
        uint8_t little[HAIL_X25519_LEN];
        uint8_t got[HAIL_X25519_LEN];
        uint8_t want[HAIL_X25519_LEN];
        uint8_t client_key[HAIL_X25519_LEN];

        ck_assert(hail_x25519(little, scalar.data, base));
        reverse(got, little);
        part_x(want, &server);
        ck_assert_mem_eq(got, want, sizeof want);
        check_part(&server);
        check_part(&client);
        ck_assert(hail_affine_parse(client_key, client.data, client.len));
        ck_assert(hail_x25519(little, scalar.data, client_key));
        reverse(got, little);
        ck_assert_mem_eq(got + sizeof got - shared.len, shared.data, shared.len);
        check_stretched(&shared, row, "client_key");
        free(scalar.data);
        free(server.data);
        free(client.data);
        free(shared.data);
    }
    ck_assert_uint_gt(i, 0);
    json_decref(root);
}
END_TEST

// In hex: p is 7fff..ed.
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE  "0000000000000000000000000000000000000000000000000000000000000001"
#define NINE "0000000000000000000000000000000000000000000000000000000000000009"
#define P    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
#define MAX  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define LESS "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec"
#define Y9   "20ae19a1b8a086b4e01edd2c7748d14c923d4d7e6d7c61b229e9c5a27eced3d9"
#define Y1   "6be4f497f9a9c2afc21fa77ad7f4a6ef635a11c7284a9363e9a248ef9c884415"
#define LEN  "20000000"

static const struct {
    const char *why;
    const char *part;
    bool taken;
} parts[] = {
    {"the base point", LEN NINE Y9, true},
    {"without leading zero bytes", "0100000009" Y9, true},
    {"its other Y", "01000000095f51e65e475f794b1fe122d388b72eb36dc2b28192839e4dd6163a5d81312c14",
     true},
    {"off the curve: Y one more",
     LEN NINE "20ae19a1b8a086b4e01edd2c7748d14c923d4d7e6d7c61b229e9c5a27eced3da", false},
    {"off the curve: another X", "010000000a" Y9, false},
    {"off the curve: Y is zero", "010000000900", false},
    {"on the twist: X of 2", "0100000002" Y9, false},
    {"on the twist: X of 2, small Y", "010000000201", false},
    {"order 2: X is zero", LEN ZERO ZERO, false},
    {"order 2, in short", "010000000000", false},
    {"order 4: X is one", LEN ONE Y1, false},
    {"order 4 on the twist: X is p - 1", LEN LESS ONE, false},
    {"order 8, one X",
     LEN "00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0"
         "46ce3ed6a9617c5ad6b7d3eb19d74ba86cc403d6127fe4b29778eb7c6daf84d3",
     false},
    {"order 8, the other X",
     LEN "57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5f"
         "68c593893d458e6431c6ca0045fb501520a443468eaa68dd0f103842048065b7",
     false},
    {"X is p: zero, unreduced", LEN P ZERO, false},
    {"X is p + 9, which is 9 unreduced",
     LEN "7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff6" Y9, false},
    {"Y unreduced", LEN NINE "a0ae19a1b8a086b4e01edd2c7748d14c923d4d7e6d7c61b229e9c5a27eced3c6",
     false},
    {"both as large as they get", LEN MAX MAX, false},
    {"X of 33 bytes", "2100000000" NINE Y9, false},
    {"Y of 33 bytes", LEN NINE "00" Y9, false},
    {"nothing", "", false},
    {"less than a length", "200000", false},
    {"a length and nothing", LEN, false},
    {"X and no Y", LEN NINE, false},
    {"X cut short", LEN "0009", false},
    {"no X", "00000000" Y9, false},
    {"a length of 2^31", "00000080" NINE Y9, false},
    {"a length of 2^32 - 1", "ffffffff" NINE Y9, false},
    {"a length that wraps with 4", "fcffffff" NINE Y9, false},
    {"a length in the other byte order", "00000020" NINE Y9, false},
    {"32 and 2^16 besides", "20000100" NINE Y9, false},
};

START_TEST(test_parse)
{
    struct vector_bytes part = test_unhex(parts[_i].part);
    uint8_t public_key[HAIL_X25519_LEN];
    uint8_t untouched[HAIL_X25519_LEN];

    memset(public_key, 0x77, sizeof public_key);
    memset(untouched, 0x77, sizeof untouched);
    ck_assert_msg(hail_affine_parse(public_key, part.data, part.len) == parts[_i].taken, "%s",
                  parts[_i].why);
    if (!parts[_i].taken)
        ck_assert_mem_eq(public_key, untouched, sizeof untouched);
    free(part.data);
}
END_TEST

START_TEST(test_write_no_point)
{
    uint8_t out[HAIL_AFFINE_MAX];
    uint8_t twist[HAIL_X25519_LEN] = {2};
    uint8_t unreduced[HAIL_X25519_LEN];

    memset(unreduced, 0xff, sizeof unreduced);
    unreduced[0] = 0xf6; // p + 9
    unreduced[31] = 0x7f;
    ck_assert_uint_eq(hail_affine_write(out, twist), 0);
    ck_assert_uint_eq(hail_affine_write(out, unreduced), 0);
}
END_TEST

// A pair's public part reads back as its public key, is cut nowhere and spoilt nowhere, and two
// pairs agree.
START_TEST(test_pairs)
{
    uint64_t dice = test_seed();
    struct hail_random random;

    hail_random_init_seeded(&random, test_next(&dice));
    for (int round = 0; round < 300; round++) {
        struct hail_x25519_pair one;
        struct hail_x25519_pair other;
        uint8_t part[HAIL_AFFINE_MAX];
        uint8_t got[HAIL_X25519_LEN];
        uint8_t shared[2][HAIL_X25519_LEN];

        hail_x25519_pair_init(&one, &random);
        hail_x25519_pair_init(&other, &random);
        size_t len = hail_affine_write(part, one.public_key);
        ck_assert_uint_gt(len, 4);
        ck_assert_uint_eq(part[len - 1] & 1, 0);
        ck_assert_uint_ne(part[4], 0);
        ck_assert(hail_affine_parse(got, part, len));
        ck_assert_mem_eq(got, one.public_key, sizeof got);
        ck_assert(hail_x25519(shared[0], other.private_key, got));
        ck_assert(hail_x25519(shared[1], one.private_key, other.public_key));
        ck_assert_mem_eq(shared[0], shared[1], sizeof shared[0]);

        ck_assert(!hail_affine_parse(got, part, test_next(&dice) % len));
        part[4 + test_next(&dice) % (len - 4)] ^= (uint8_t)(1u << test_next(&dice) % 8);
        ck_assert(!hail_affine_parse(got, part, len));
    }
    hail_random_cleanup(&random);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kex");
    TCase *tests = tcase_create("kex");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_parse, 0, HAIL_COUNTOF(parts));
    tcase_add_test(tests, test_write_no_point);
    tcase_add_loop_test(tests, test_rfc7748, 0, HAIL_COUNTOF(rfc7748));
    tcase_add_test(tests, test_rfc7748_iterated);
    tcase_add_test(tests, test_wycheproof);
    tcase_add_test(tests, test_mlapi_ecdh);
    tcase_add_test(tests, test_batch);
    tcase_add_test(tests, test_fresh_pairs);
    tcase_add_test(tests, test_mlapi_x25519_server);
    tcase_add_test(tests, test_pairs);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
