// kex.c: X25519, and MLAPI's affine points. The curve is y^2 = x^3 + 486662 x^2 + x over
// p = 2^255 - 19 (RFC 7748 section 4.1). Affine coordinates are public, so plain big numbers do;
// the secret scalar meets X25519 alone.
// SPDX-License-Identifier: MIT
#include "crypto/kex.h"

#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "crypto/ladder.h"
#include "crypto/secret.h"

_Static_assert(HAIL_X25519_LEN == X25519_PRIVATE_KEY_LEN, "RFC 7748");
_Static_assert((int)HAIL_X25519_LEN == (int)HAIL_LADDER_LEN, "RFC 7748");

enum {
    WORTH_LADDERS = 2 // from so many on eight at once are faster than one by one
};

static _Atomic bool one_by_one;

// Numbers that every point needs. Made once, never changed, never freed.
static struct {
    BIGNUM *p;
    BIGNUM *a;             // 486662
    BIGNUM *root_exponent; // (p + 3) / 8
    BIGNUM *root_of_minus_one;
    BN_MONT_CTX *mont;
} curve;

static pthread_once_t curve_once = PTHREAD_ONCE_INIT;

static void make_curve(void)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *exponent = BN_new();
    BIGNUM *two = BN_new();

    curve.p = BN_new();
    curve.a = BN_new();
    curve.root_exponent = BN_new();
    curve.root_of_minus_one = BN_new();
    HAIL_ASSERT(ctx && exponent && two && curve.p && curve.a && curve.root_exponent &&
                curve.root_of_minus_one);
    bool made = BN_set_bit(curve.p, 255) && BN_sub_word(curve.p, 19) &&
                BN_set_word(curve.a, 486662) && BN_copy(curve.root_exponent, curve.p) &&
                BN_add_word(curve.root_exponent, 3) &&
                BN_rshift(curve.root_exponent, curve.root_exponent, 3);
    HAIL_ASSERT(made);
    curve.mont = BN_MONT_CTX_new_for_modulus(curve.p, ctx);
    HAIL_ASSERT(curve.mont);
    // 2 is no square mod p, so 2^((p - 1) / 4) is a root of -1.
    made = BN_set_word(two, 2) && BN_copy(exponent, curve.p) && BN_sub_word(exponent, 1) &&
           BN_rshift(exponent, exponent, 2) &&
           BN_mod_exp_mont(curve.root_of_minus_one, two, exponent, curve.p, ctx, curve.mont);
    HAIL_ASSERT(made);
    BN_free(exponent);
    BN_free(two);
    BN_CTX_free(ctx);
}

// x^3 + a x^2 + x, as ((x + a) x + 1) x. All memory comes from `ctx`.
static bool right_side(BIGNUM *out, const BIGNUM *x, BN_CTX *ctx)
{
    return BN_mod_add(out, x, curve.a, curve.p, ctx) && BN_mod_mul(out, out, x, curve.p, ctx) &&
           BN_add_word(out, 1) && BN_mod_mul(out, out, x, curve.p, ctx);
}

static bool is_square_of(const BIGNUM *root, const BIGNUM *square, BIGNUM *scratch, BN_CTX *ctx)
{
    return BN_mod_sqr(scratch, root, curve.p, ctx) && BN_cmp(scratch, square) == 0;
}

// The even Y for an X; false: X is on no point of the curve. p is 5 mod 8, so a root is
// square^((p + 3) / 8), or that times the root of -1.
static bool recover_y(BIGNUM *y, const BIGNUM *x, BN_CTX *ctx)
{
    BIGNUM *square = BN_CTX_get(ctx);
    BIGNUM *scratch = BN_CTX_get(ctx);

    if (!scratch || !right_side(square, x, ctx) ||
        !BN_mod_exp_mont(y, square, curve.root_exponent, curve.p, ctx, curve.mont))
        return false;
    if (!is_square_of(y, square, scratch, ctx) &&
        (!BN_mod_mul(y, y, curve.root_of_minus_one, curve.p, ctx) ||
         !is_square_of(y, square, scratch, ctx)))
        return false;
    return !BN_is_odd(y) || BN_sub(y, curve.p, y);
}

void hail_x25519_pair_init(struct hail_x25519_pair *pair, struct hail_random *random)
{
    hail_random_bytes(random, pair->private_key, sizeof pair->private_key);
    X25519_public_from_private(pair->public_key, pair->private_key);
}

void hail_x25519_pair_from(struct hail_x25519_pair *pair,
                           const uint8_t private_key[HAIL_X25519_LEN])
{
    memcpy(pair->private_key, private_key, sizeof pair->private_key);
    X25519_public_from_private(pair->public_key, pair->private_key);
}

bool hail_x25519(uint8_t shared[HAIL_X25519_LEN], const uint8_t private_key[HAIL_X25519_LEN],
                 const uint8_t public_key[HAIL_X25519_LEN])
{
    return X25519(shared, private_key, public_key);
}

void hail_x25519_allow(bool side_by_side)
{
    atomic_store_explicit(&one_by_one, !side_by_side, memory_order_relaxed);
}

static bool side_by_side(size_t count)
{
    return count >= WORTH_LADDERS && hail_ladder_usable() &&
           !atomic_load_explicit(&one_by_one, memory_order_relaxed);
}

static bool is_zero(const uint8_t shared[HAIL_X25519_LEN])
{
    static const uint8_t zero[HAIL_X25519_LEN];

    return hail_equal(shared, zero, HAIL_X25519_LEN);
}

// Up to eight.
static void run_ladders(struct hail_x25519_job *jobs, size_t count)
{
    uint8_t out[HAIL_LADDERS][HAIL_LADDER_LEN];
    uint8_t scalars[HAIL_LADDERS][HAIL_LADDER_LEN] = {{0}};
    uint8_t points[HAIL_LADDERS][HAIL_LADDER_LEN] = {{0}};

    for (size_t i = 0; i < count; i++) {
        memcpy(scalars[i], jobs[i].private_key, HAIL_LADDER_LEN);
        memcpy(points[i], jobs[i].public_key, HAIL_LADDER_LEN);
    }
    hail_ladder_run(out, scalars, points);
    for (size_t i = 0; i < count; i++) {
        memcpy(jobs[i].shared, out[i], HAIL_LADDER_LEN);
        jobs[i].good = !is_zero(out[i]);
    }
    hail_wipe(scalars, sizeof scalars);
    hail_wipe(out, sizeof out);
}

void hail_x25519_batch(struct hail_x25519_job *jobs, size_t count)
{
    while (side_by_side(count)) {
        size_t part = count < HAIL_LADDERS ? count : HAIL_LADDERS;
        run_ladders(jobs, part);
        jobs += part;
        count -= part;
    }
    for (; count > 0; count--, jobs++)
        jobs->good = hail_x25519(jobs->shared, jobs->private_key, jobs->public_key);
}

void hail_x25519_pairs_init(struct hail_x25519_pair *pairs, size_t count,
                            struct hail_random *random)
{
    static const uint8_t base[HAIL_X25519_LEN] = {9}; // RFC 7748, section 6.1
    struct hail_x25519_job jobs[HAIL_LADDERS];

    for (; side_by_side(count); count -= count < HAIL_LADDERS ? count : HAIL_LADDERS) {
        size_t part = count < HAIL_LADDERS ? count : HAIL_LADDERS;
        for (size_t i = 0; i < part; i++) {
            hail_random_bytes(random, pairs[i].private_key, sizeof pairs[i].private_key);
            jobs[i] =
                (struct hail_x25519_job){.private_key = pairs[i].private_key, .public_key = base};
        }
        run_ladders(jobs, part);
        for (size_t i = 0; i < part; i++)
            memcpy(pairs[i].public_key, jobs[i].shared, HAIL_X25519_LEN);
        pairs += part;
    }
    for (; count > 0; count--, pairs++)
        hail_x25519_pair_init(pairs, random);
}

size_t hail_affine_write(uint8_t out[HAIL_AFFINE_MAX], const uint8_t public_key[HAIL_X25519_LEN])
{
    size_t len = 0;

    pthread_once(&curve_once, make_curve);
    BN_CTX *ctx = BN_CTX_new();
    if (!ctx)
        return 0;
    BN_CTX_start(ctx);
    BIGNUM *x = BN_CTX_get(ctx);
    BIGNUM *y = BN_CTX_get(ctx);
    if (y && BN_le2bn(public_key, HAIL_X25519_LEN, x) && BN_cmp(x, curve.p) < 0 &&
        recover_y(y, x, ctx)) {
        size_t x_len = BN_is_zero(x) ? 1 : BN_num_bytes(x); // zero is one byte 00
        size_t y_len = BN_is_zero(y) ? 1 : BN_num_bytes(y);
        memset(out, 0, 4);
        out[0] = (uint8_t)x_len;
        if (BN_bn2bin_padded(out + 4, x_len, x) && BN_bn2bin_padded(out + 4 + x_len, y_len, y))
            len = 4 + x_len + y_len;
    }
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return len;
}

// Whether (x, y) is on the curve, with both coordinates below p.
static bool on_curve(const BIGNUM *x, const BIGNUM *y, BN_CTX *ctx)
{
    BIGNUM *square = BN_CTX_get(ctx);
    BIGNUM *scratch = BN_CTX_get(ctx);

    return scratch && BN_cmp(x, curve.p) < 0 && BN_cmp(y, curve.p) < 0 &&
           right_side(square, x, ctx) && is_square_of(y, square, scratch, ctx);
}

// Points of low order give X25519 nothing to work with: these are all of them below p, of order 2,
// 4 and 8 on the curve or its twist (RFC 7748 section 6.1 has X25519 check its result; here they
// are told apart without the cost of computing it).
static bool low_order(const uint8_t public_key[HAIL_X25519_LEN])
{
    static const uint8_t points[][HAIL_X25519_LEN] = {
        {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
         0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
         0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
         0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
         0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
         0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
         0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
         0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
         0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    };

    for (size_t i = 0; i < HAIL_COUNTOF(points); i++) {
        if (hail_equal(public_key, points[i], HAIL_X25519_LEN))
            return true;
    }
    return false;
}

bool hail_affine_parse(uint8_t public_key[HAIL_X25519_LEN], const uint8_t *part, size_t part_len)
{
    uint8_t own[HAIL_X25519_LEN];
    bool taken = false;

    if (part_len < 4)
        return false;
    size_t x_len = part[0] | (size_t)part[1] << 8 | (size_t)part[2] << 16 | (size_t)part[3] << 24;
    if (x_len == 0 || x_len > HAIL_X25519_LEN || part_len - 4 <= x_len ||
        part_len - 4 - x_len > HAIL_X25519_LEN)
        return false;

    pthread_once(&curve_once, make_curve);
    BN_CTX *ctx = BN_CTX_new();
    if (!ctx)
        return false;
    BN_CTX_start(ctx);
    BIGNUM *x = BN_CTX_get(ctx);
    BIGNUM *y = BN_CTX_get(ctx);
    if (y && BN_bin2bn(part + 4, x_len, x) && BN_bin2bn(part + 4 + x_len, part_len - 4 - x_len, y))
        taken = on_curve(x, y, ctx) && BN_bn2le_padded(own, sizeof own, x) && !low_order(own);
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    ERR_clear_error();
    if (taken)
        memcpy(public_key, own, sizeof own);
    return taken;
}
