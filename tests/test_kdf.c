// test_kdf.c: PBKDF2 and HKDF: RFC 6070, RFC 7914, RFC 5869 and wycheproof.
// SPDX-License-Identifier: MIT
#include "crypto/kdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/stretch.h"
#include "tests/vectors.h"

enum {
    ROUNDS = 2000,
    OUT_MAX = 255 * 32 + 1,
    ITERATIONS_MAX = 100000 // more than this takes seconds and shows nothing new
};

static struct hail_bytes view(const struct vector_bytes *bytes)
{
    return (struct hail_bytes){bytes->data, bytes->len};
}

static const struct {
    const char *why;
    bool sha256;
    const char *password;
    size_t password_len;
    const char *salt;
    size_t salt_len;
    uint32_t iterations;
    const char *want;
} pbkdf2s[] = {
    {"RFC 6070, 1", false, "password", 8, "salt", 4, 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
    {"RFC 6070, 2", false, "password", 8, "salt", 4, 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
    {"RFC 6070, 3", false, "password", 8, "salt", 4, 4096,
     "4b007901b765489abead49d926f721d065a429c1"},
    {"RFC 6070, 5: more than a block", false, "passwordPASSWORDpassword", 24,
     "saltSALTsaltSALTsaltSALTsaltSALTsalt", 36, 4096,
     "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"},
    {"RFC 6070, 6: zero bytes inside", false, "pass\0word", 9, "sa\0lt", 5, 4096,
     "56fa6aa75548099dcc37d7f03425e0c3"},
    {"RFC 7914: SHA-256", true, "passwd", 6, "salt", 4, 1,
     "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77e"
     "f"
     "317c71b845b1e30bd509112041d3a19783"},
};

START_TEST(test_pbkdf2)
{
    struct vector_bytes want = test_unhex(pbkdf2s[_i].want);
    struct hail_bytes password = {(const uint8_t *)pbkdf2s[_i].password, pbkdf2s[_i].password_len};
    struct hail_bytes salt = {(const uint8_t *)pbkdf2s[_i].salt, pbkdf2s[_i].salt_len};
    uint8_t got[64];

    ck_assert((pbkdf2s[_i].sha256 ? hail_pbkdf2_sha256 : hail_pbkdf2_sha1)(
        got, want.len, password, salt, pbkdf2s[_i].iterations));
    ck_assert_msg(memcmp(got, want.data, want.len) == 0, "%s", pbkdf2s[_i].why);
    free(want.data);
}
END_TEST

// Ways to stretch, each by itself and as they are chosen among; those that this CPU has not are
// left out. 0: BoringSSL does it.
static const unsigned ways[] = {
    0,
    HAIL_STRETCH_SHA,
    HAIL_STRETCH_AVX512,
    HAIL_STRETCH_AVX2,
    HAIL_STRETCH_SHA | HAIL_STRETCH_AVX2,
    HAIL_STRETCH_SHA | HAIL_STRETCH_AVX512,
};

static bool is_here(unsigned way)
{
    return (hail_stretch_ways() & way) == way;
}

static void all_ways(void)
{
    hail_stretch_allow(HAIL_STRETCH_SHA | HAIL_STRETCH_AVX512 | HAIL_STRETCH_AVX2);
}

// Every way on any input: of no bytes, of a hash's block and more, of many blocks.
START_TEST(test_pbkdf2_paths)
{
    uint64_t seed = test_seed();
    uint8_t bytes[200];
    uint8_t fast[200];
    uint8_t slow[200];

    if (!is_here(ways[_i]))
        printf("this CPU has not all of the ways %x: one is compared with itself\n", ways[_i]);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)test_next(&seed);
        struct hail_bytes password = {bytes, test_next(&seed) % 140};
        struct hail_bytes salt = {bytes + 140, test_next(&seed) % 60};
        uint32_t iterations = 1 + (uint32_t)(test_next(&seed) % 9);
        size_t len = 1 + test_next(&seed) % sizeof fast;
        bool (*pbkdf2)(uint8_t *, size_t, struct hail_bytes, struct hail_bytes, uint32_t) =
            round % 2 ? hail_pbkdf2_sha256 : hail_pbkdf2_sha1;

        hail_stretch_allow(ways[_i]);
        ck_assert(pbkdf2(fast, len, password, salt, iterations));
        hail_stretch_allow(0);
        ck_assert(!hail_stretch_usable(HAIL_PBKDF2_BATCH_MAX));
        ck_assert(pbkdf2(slow, len, password, salt, iterations));
        all_ways();
        ck_assert_msg(memcmp(fast, slow, len) == 0,
                      "round %d: password of %zu, salt of %zu, %u iterations, %zu out", round,
                      password.len, salt.len, iterations, len);
    }
}
END_TEST

// A batch of any size gives what BoringSSL makes of each of its jobs, every way, with either hash.
START_TEST(test_pbkdf2_batch)
{
    bool is_sha1 = (size_t)_i >= HAIL_COUNTOF(ways);
    size_t way = (size_t)_i % HAIL_COUNTOF(ways);
    static const uint32_t iterations[] = {1, 2, 3, 10, 1000};
    uint64_t dice = test_seed();
    uint8_t bytes[2 * HAIL_PBKDF2_BATCH_MAX][200];

    for (size_t count = 0; count <= HAIL_PBKDF2_BATCH_MAX; count++) {
        struct hail_pbkdf2_job jobs[HAIL_PBKDF2_BATCH_MAX];
        uint32_t steps = iterations[test_next(&dice) % HAIL_COUNTOF(iterations)];
        for (size_t i = 0; i < 2 * count; i++) {
            for (size_t j = 0; j < sizeof bytes[i]; j++)
                bytes[i][j] = (uint8_t)test_next(&dice);
        }
        for (size_t i = 0; i < count; i++)
            jobs[i] = (struct hail_pbkdf2_job){
                .password = {bytes[2 * i], test_next(&dice) % sizeof bytes[0]},
                .salt = {bytes[2 * i + 1], test_next(&dice) % sizeof bytes[0]},
            };
        hail_stretch_allow(ways[way]);
        ck_assert(
            (is_sha1 ? hail_pbkdf2_sha1_batch : hail_pbkdf2_sha256_batch)(jobs, count, steps));
        hail_stretch_allow(0);
        for (size_t i = 0; i < count; i++) {
            uint8_t want[HAIL_PBKDF2_BLOCK];
            ck_assert((is_sha1 ? hail_pbkdf2_sha1 : hail_pbkdf2_sha256)(
                want, sizeof want, jobs[i].password, jobs[i].salt, steps));
            ck_assert_mem_eq(jobs[i].out, want, sizeof want);
        }
        all_ways();
    }
}
END_TEST

// Any number of chains, more than there are lanes among them, gives the same every way.
START_TEST(test_chains)
{
    enum {
        CHAINS_MAX = 40
    };
    static struct hail_stretch given[CHAINS_MAX];
    static struct hail_stretch first[CHAINS_MAX];
    static struct hail_stretch again[CHAINS_MAX];
    void (*stretch)(struct hail_stretch *, size_t, uint32_t) =
        _i % 2 ? hail_stretch_sha256 : hail_stretch_sha1;
    uint64_t dice = test_seed();

    for (size_t count = 1; count <= CHAINS_MAX; count++) {
        uint32_t steps = (uint32_t)(test_next(&dice) % 5);
        bool is_first = true;
        for (size_t i = 0; i < sizeof given; i++)
            ((uint8_t *)given)[i] = (uint8_t)test_next(&dice);
        for (size_t way = 1; way < HAIL_COUNTOF(ways); way++) {
            struct hail_stretch *out = is_first ? first : again;
            if (!is_here(ways[way]))
                continue;
            hail_stretch_allow(ways[way]);
            memcpy(out, given, sizeof given);
            stretch(out, count, steps);
            all_ways();
            if (!is_first)
                ck_assert_msg(memcmp(first, again, sizeof first) == 0, "%zu chains, ways %x", count,
                              ways[way]);
            is_first = false;
        }
    }
}
END_TEST

static const struct {
    const char *why;
    const char *secret;
    const char *salt;
    const char *info;
    const char *want;
} hkdfs[] = {
    {"RFC 5869, 1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
     "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"RFC 5869, 2: longer",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2"
     "e"
     "2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8"
     "e"
     "8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcddd"
     "e"
     "dfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590"
     "e"
     "09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"RFC 5869, 3: no salt, no info", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

START_TEST(test_hkdf)
{
    struct vector_bytes secret = test_unhex(hkdfs[_i].secret);
    struct vector_bytes salt = test_unhex(hkdfs[_i].salt);
    struct vector_bytes info = test_unhex(hkdfs[_i].info);
    struct vector_bytes want = test_unhex(hkdfs[_i].want);
    uint8_t got[100];

    ck_assert(hail_hkdf_sha256(got, want.len, view(&secret), view(&salt), view(&info)));
    ck_assert_msg(memcmp(got, want.data, want.len) == 0, "%s", hkdfs[_i].why);
    free(secret.data);
    free(salt.data);
    free(info.data);
    free(want.data);
}
END_TEST

START_TEST(test_hkdf_too_much)
{
    static uint8_t out[OUT_MAX];
    const struct hail_bytes nothing = {NULL, 0};

    ck_assert(hail_hkdf_sha256(out, OUT_MAX - 1, nothing, nothing, nothing));
    ck_assert(!hail_hkdf_sha256(out, OUT_MAX, nothing, nothing, nothing));
}
END_TEST

static void check_pbkdf2(const json_t *row, bool sha256)
{
    struct vector_bytes password = vector_hex(row, "password");
    struct vector_bytes salt = vector_hex(row, "salt");
    struct vector_bytes want = vector_hex(row, "dk");
    static uint8_t got[OUT_MAX];
    int64_t iterations = vector_int(row, "iterationCount");

    if (iterations > ITERATIONS_MAX) {
        printf("skipped: tcId %d has %d iterations\n", (int)vector_int(row, "tcId"),
               (int)iterations);
    } else {
        ck_assert((sha256 ? hail_pbkdf2_sha256 : hail_pbkdf2_sha1)(
            got, want.len, view(&password), view(&salt), (uint32_t)iterations));
        ck_assert_msg(memcmp(got, want.data, want.len) == 0, "tcId %d: %s",
                      (int)vector_int(row, "tcId"), vector_text(row, "comment"));
    }
    free(password.data);
    free(salt.data);
    free(want.data);
}

static void check_hkdf(const json_t *row)
{
    struct vector_bytes secret = vector_hex(row, "ikm");
    struct vector_bytes salt = vector_hex(row, "salt");
    struct vector_bytes info = vector_hex(row, "info");
    struct vector_bytes want = vector_hex(row, "okm");
    bool valid = strcmp(vector_text(row, "result"), "valid") == 0;
    static uint8_t got[OUT_MAX];
    size_t len = (size_t)vector_int(row, "size");

    ck_assert_msg(hail_hkdf_sha256(got, len, view(&secret), view(&salt), view(&info)) == valid,
                  "tcId %d: %s", (int)vector_int(row, "tcId"), vector_text(row, "comment"));
    ck_assert_msg(!valid || memcmp(got, want.data, len) == 0, "tcId %d: %s",
                  (int)vector_int(row, "tcId"), vector_text(row, "comment"));
    free(secret.data);
    free(salt.data);
    free(info.data);
    free(want.data);
}

static const char *const files[] = {
    "wycheproof/pbkdf2_hmacsha1_test.json",
    "wycheproof/pbkdf2_hmacsha256_test.json",
    "wycheproof/hkdf_sha256_test.json",
};

START_TEST(test_wycheproof)
{
    json_t *root = vectors_optional(files[_i]);
    json_t *group;
    json_t *row;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        json_array_foreach(json_object_get(group, "tests"), j, row)
        {
            if (_i == 2)
                check_hkdf(row);
            else
                check_pbkdf2(row, _i == 1);
        }
    }
    json_decref(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kdf");
    TCase *tests = tcase_create("kdf");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_pbkdf2, 0, HAIL_COUNTOF(pbkdf2s));
    tcase_add_loop_test(tests, test_pbkdf2_paths, 0, HAIL_COUNTOF(ways));
    tcase_add_loop_test(tests, test_pbkdf2_batch, 0, 2 * HAIL_COUNTOF(ways));
    tcase_add_loop_test(tests, test_chains, 0, 2);
    tcase_add_loop_test(tests, test_hkdf, 0, HAIL_COUNTOF(hkdfs));
    tcase_add_test(tests, test_hkdf_too_much);
    tcase_add_loop_test(tests, test_wycheproof, 0, HAIL_COUNTOF(files));
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
