// ladder.c: see ladder.h. A number mod p = 2^255 - 19 is five limbs of 51 bits, in one register
// each for all lanes. The instructions multiply 52 bits and give the product's lower or upper 52,
// so limbs are below 2^52 whenever they are multiplied, and upper halves weigh twice a limb.
// SPDX-License-Identifier: MIT
#include "crypto/ladder.h"

#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#include "crypto/secret.h"

#define TARGET __attribute__((target("avx512f,avx512ifma")))
#define INLINE __attribute__((target("avx512f,avx512ifma"), always_inline)) static inline

enum {
    LIMBS = 5,
    LIMB_BITS = 51,
    A24 = 121665, // (486662 - 2) / 4
    WORDS = 4     // of 64 bits
};

static const uint64_t limb_mask = (UINT64_C(1) << LIMB_BITS) - 1;

struct field {
    __m512i limb[LIMBS];
};

bool hail_ladder_usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
}

INLINE __m512i all(uint64_t value)
{
    return _mm512_set1_epi64((long long)value);
}

INLINE __m512i times_19(__m512i x)
{
    return _mm512_add_epi64(_mm512_add_epi64(_mm512_slli_epi64(x, 4), _mm512_slli_epi64(x, 1)), x);
}

// Brings limbs of up to 61 bits below 2^51, but for the second, which may be that.
INLINE void carry_all(struct field *f)
{
    __m512i mask = all(limb_mask);

    for (int i = 0; i < LIMBS - 1; i++) {
        f->limb[i + 1] = _mm512_add_epi64(f->limb[i + 1], _mm512_srli_epi64(f->limb[i], LIMB_BITS));
        f->limb[i] = _mm512_and_si512(f->limb[i], mask);
    }
    __m512i top = _mm512_srli_epi64(f->limb[4], LIMB_BITS);
    f->limb[4] = _mm512_and_si512(f->limb[4], mask);
    f->limb[0] = _mm512_add_epi64(f->limb[0], times_19(top));
    f->limb[1] = _mm512_add_epi64(f->limb[1], _mm512_srli_epi64(f->limb[0], LIMB_BITS));
    f->limb[0] = _mm512_and_si512(f->limb[0], mask);
}

// Brings limbs of up to 54 bits below 2^52, each with its neighbour's excess alone.
INLINE void carry_once(struct field *f)
{
    __m512i mask = all(limb_mask);
    __m512i excess[LIMBS];

    for (int i = 0; i < LIMBS; i++) {
        excess[i] = _mm512_srli_epi64(f->limb[i], LIMB_BITS);
        f->limb[i] = _mm512_and_si512(f->limb[i], mask);
    }
    f->limb[0] = _mm512_add_epi64(f->limb[0], times_19(excess[4]));
    for (int i = 1; i < LIMBS; i++)
        f->limb[i] = _mm512_add_epi64(f->limb[i], excess[i - 1]);
}

INLINE void add(struct field *out, const struct field *a, const struct field *b)
{
    for (int i = 0; i < LIMBS; i++)
        out->limb[i] = _mm512_add_epi64(a->limb[i], b->limb[i]);
    carry_once(out);
}

// Twice p is added, so that nothing is below 0.
INLINE void subtract(struct field *out, const struct field *a, const struct field *b)
{
    for (int i = 0; i < LIMBS; i++) {
        uint64_t twice_p = i == 0 ? 2 * (limb_mask - 18) : 2 * limb_mask;
        out->limb[i] = _mm512_sub_epi64(_mm512_add_epi64(a->limb[i], all(twice_p)), b->limb[i]);
    }
    carry_once(out);
}

// From the sums of lower and upper halves by place: what weighs 2^255 and more counts 19 times.
INLINE void reduce(struct field *out, const __m512i low[2 * LIMBS - 1],
                   const __m512i high[2 * LIMBS - 1])
{
    __m512i sum[2 * LIMBS];

    sum[0] = low[0];
    for (int i = 1; i < 2 * LIMBS - 1; i++)
        sum[i] = _mm512_add_epi64(low[i], _mm512_slli_epi64(high[i - 1], 1));
    sum[2 * LIMBS - 1] = _mm512_slli_epi64(high[2 * LIMBS - 2], 1);
    for (int i = 0; i < LIMBS; i++)
        out->limb[i] = _mm512_add_epi64(sum[i], times_19(sum[i + LIMBS]));
    carry_all(out);
}

INLINE void multiply(struct field *out, const struct field *a, const struct field *b)
{
    __m512i low[2 * LIMBS - 1];
    __m512i high[2 * LIMBS - 1];

    for (int i = 0; i < 2 * LIMBS - 1; i++) {
        low[i] = _mm512_setzero_si512();
        high[i] = _mm512_setzero_si512();
    }
#pragma GCC unroll 5
    for (int i = 0; i < LIMBS; i++) {
#pragma GCC unroll 5
        for (int j = 0; j < LIMBS; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->limb[i], b->limb[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->limb[i], b->limb[j]);
        }
    }
    reduce(out, low, high);
}

INLINE void square(struct field *out, const struct field *a)
{
    __m512i low[2 * LIMBS - 1];
    __m512i high[2 * LIMBS - 1];

    for (int i = 0; i < 2 * LIMBS - 1; i++) {
        low[i] = _mm512_setzero_si512();
        high[i] = _mm512_setzero_si512();
    }
#pragma GCC unroll 5
    for (int i = 0; i < LIMBS; i++) {
#pragma GCC unroll 5
        for (int j = i + 1; j < LIMBS; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->limb[i], a->limb[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->limb[i], a->limb[j]);
        }
    }
    for (int i = 0; i < 2 * LIMBS - 1; i++) {
        low[i] = _mm512_slli_epi64(low[i], 1);
        high[i] = _mm512_slli_epi64(high[i], 1);
    }
    for (int i = 0; i < LIMBS; i++) {
        low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a->limb[i], a->limb[i]);
        high[2 * i] = _mm512_madd52hi_epu64(high[2 * i], a->limb[i], a->limb[i]);
    }
    reduce(out, low, high);
}

INLINE void multiply_a24(struct field *out, const struct field *a)
{
    __m512i factor = all(A24);
    __m512i high[LIMBS];

    for (int i = 0; i < LIMBS; i++) {
        high[i] = _mm512_madd52hi_epu64(_mm512_setzero_si512(), a->limb[i], factor);
        out->limb[i] = _mm512_madd52lo_epu64(_mm512_setzero_si512(), a->limb[i], factor);
    }
    out->limb[0] = _mm512_add_epi64(out->limb[0], times_19(_mm512_slli_epi64(high[4], 1)));
    for (int i = 1; i < LIMBS; i++)
        out->limb[i] = _mm512_add_epi64(out->limb[i], _mm512_slli_epi64(high[i - 1], 1));
    carry_once(out);
}

INLINE void swap_some(__mmask8 which, struct field *a, struct field *b)
{
    for (int i = 0; i < LIMBS; i++) {
        __m512i x = a->limb[i];
        a->limb[i] = _mm512_mask_blend_epi64(which, x, b->limb[i]);
        b->limb[i] = _mm512_mask_blend_epi64(which, b->limb[i], x);
    }
}

TARGET static void square_often(struct field *out, const struct field *a, int times)
{
    square(out, a);
    for (int i = 1; i < times; i++)
        square(out, out);
}

TARGET static void multiply_out(struct field *out, const struct field *a, const struct field *b)
{
    multiply(out, a, b);
}

// a^(p - 2): the exponent is 250 ones, then 01011.
TARGET static void invert(struct field *out, const struct field *a)
{
    struct field ones5; // a^(2^5 - 1), and so on
    struct field ones10;
    struct field ones20;
    struct field ones50;
    struct field ones100;
    struct field power11;
    struct field t;

    square_often(&t, a, 1);
    struct field power2 = t;
    square_often(&t, &t, 2);
    multiply_out(&t, &t, a); // 9
    multiply_out(&power11, &t, &power2);
    square_often(&t, &power11, 1);
    struct field power9;
    square_often(&power9, &power2, 2);
    multiply_out(&power9, &power9, a);
    multiply_out(&ones5, &t, &power9); // 22 + 9
    square_often(&t, &ones5, 5);
    multiply_out(&ones10, &t, &ones5);
    square_often(&t, &ones10, 10);
    multiply_out(&ones20, &t, &ones10);
    square_often(&t, &ones20, 20);
    multiply_out(&t, &t, &ones20);
    square_often(&t, &t, 10);
    multiply_out(&ones50, &t, &ones10);
    square_often(&t, &ones50, 50);
    multiply_out(&ones100, &t, &ones50);
    square_often(&t, &ones100, 100);
    multiply_out(&t, &t, &ones100);
    square_often(&t, &t, 50);
    multiply_out(&t, &t, &ones50);
    square_often(&t, &t, 5);
    multiply_out(out, &t, &power11);
}

static uint64_t word_at(const uint8_t *bytes, int word)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[8 * word + i];
    return value;
}

// The lanes' numbers, word by word.
INLINE void load_words(__m512i words[WORDS], uint8_t bytes[HAIL_LADDERS][HAIL_LADDER_LEN])
{
    for (int word = 0; word < WORDS; word++) {
        uint64_t lanes[HAIL_LADDERS];
        for (int lane = 0; lane < HAIL_LADDERS; lane++)
            lanes[lane] = word_at(bytes[lane], word);
        words[word] = _mm512_loadu_si512(lanes);
        hail_wipe(lanes, sizeof lanes);
    }
}

// The topmost bit of a point counts for nothing (RFC 7748, section 5).
INLINE void load_field(struct field *out, uint8_t bytes[HAIL_LADDERS][HAIL_LADDER_LEN])
{
    __m512i mask = all(limb_mask);
    __m512i w[WORDS];

    load_words(w, bytes);
    out->limb[0] = _mm512_and_si512(w[0], mask);
    out->limb[1] = _mm512_and_si512(
        _mm512_or_si512(_mm512_srli_epi64(w[0], 51), _mm512_slli_epi64(w[1], 13)), mask);
    out->limb[2] = _mm512_and_si512(
        _mm512_or_si512(_mm512_srli_epi64(w[1], 38), _mm512_slli_epi64(w[2], 26)), mask);
    out->limb[3] = _mm512_and_si512(
        _mm512_or_si512(_mm512_srli_epi64(w[2], 25), _mm512_slli_epi64(w[3], 39)), mask);
    out->limb[4] = _mm512_and_si512(_mm512_srli_epi64(w[3], 12), mask);
}

// One lane's number below p. Its limbs are below 2^52.
static void store_lane(uint8_t out[HAIL_LADDER_LEN], uint64_t limb[LIMBS])
{
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < LIMBS - 1; i++) {
            limb[i + 1] += limb[i] >> LIMB_BITS;
            limb[i] &= limb_mask;
        }
        limb[0] += 19 * (limb[4] >> LIMB_BITS);
        limb[4] &= limb_mask;
    }
    // Below 2^255 + 19 now. 19 more carry over where it is p or more, and only there.
    uint64_t over = (limb[0] + 19) >> LIMB_BITS;
    for (int i = 1; i < LIMBS; i++)
        over = (limb[i] + over) >> LIMB_BITS;
    limb[0] += 19 * over;
    for (int i = 0; i < LIMBS - 1; i++) {
        limb[i + 1] += limb[i] >> LIMB_BITS;
        limb[i] &= limb_mask;
    }
    limb[4] &= limb_mask;
    const uint64_t words[WORDS] = {
        limb[0] | limb[1] << 51,
        limb[1] >> 13 | limb[2] << 38,
        limb[2] >> 26 | limb[3] << 25,
        limb[3] >> 39 | limb[4] << 12,
    };
    for (int i = 0; i < HAIL_LADDER_LEN; i++)
        out[i] = (uint8_t)(words[i / 8] >> 8 * (i % 8));
}

INLINE void store_field(uint8_t out[HAIL_LADDERS][HAIL_LADDER_LEN], const struct field *f)
{
    uint64_t limbs[LIMBS][HAIL_LADDERS];
    uint64_t one[LIMBS];

    for (int i = 0; i < LIMBS; i++)
        _mm512_storeu_si512(limbs[i], f->limb[i]);
    for (int lane = 0; lane < HAIL_LADDERS; lane++) {
        for (int i = 0; i < LIMBS; i++)
            one[i] = limbs[i][lane];
        store_lane(out[lane], one);
    }
    hail_wipe(limbs, sizeof limbs);
    hail_wipe(one, sizeof one);
}

// A step of the ladder; names as in RFC 7748, section 5.
INLINE void step(const struct field *x1, struct field *x2, struct field *z2, struct field *x3,
                 struct field *z3)
{
    struct field a;
    struct field b;
    struct field c;
    struct field d;
    struct field e;

    add(&a, x2, z2);
    subtract(&b, x2, z2);
    add(&c, x3, z3);
    subtract(&d, x3, z3);
    multiply(&d, &d, &a); // DA
    multiply(&c, &c, &b); // CB
    square(&a, &a);       // AA
    square(&b, &b);       // BB
    subtract(&e, &a, &b);
    add(x3, &d, &c);
    square(x3, x3);
    subtract(z3, &d, &c);
    square(z3, z3);
    multiply(z3, z3, x1);
    multiply(x2, &a, &b);
    multiply_a24(z2, &e);
    add(z2, z2, &a);
    multiply(z2, z2, &e);
}

TARGET void hail_ladder_run(uint8_t out[HAIL_LADDERS][HAIL_LADDER_LEN],
                            uint8_t scalars[HAIL_LADDERS][HAIL_LADDER_LEN],
                            uint8_t points[HAIL_LADDERS][HAIL_LADDER_LEN])
{
    struct {
        __m512i scalar[WORDS];
        struct field x1;
        struct field x2;
        struct field z2;
        struct field x3;
        struct field z3;
    } s;
    __mmask8 swapped = 0;

    memset(&s, 0, sizeof s);
    load_words(s.scalar, scalars);
    s.scalar[0] = _mm512_and_si512(s.scalar[0], all(~UINT64_C(7)));
    s.scalar[3] = _mm512_and_si512(s.scalar[3], all(~(UINT64_C(1) << 63)));
    s.scalar[3] = _mm512_or_si512(s.scalar[3], all(UINT64_C(1) << 62));
    load_field(&s.x1, points);
    s.x2.limb[0] = all(1);
    s.x3 = s.x1;
    s.z3.limb[0] = all(1);
    for (int bit = 254; bit >= 0; bit--) {
        __mmask8 ones = _mm512_test_epi64_mask(s.scalar[bit / 64], all(UINT64_C(1) << bit % 64));
        swap_some((__mmask8)(swapped ^ ones), &s.x2, &s.x3);
        swap_some((__mmask8)(swapped ^ ones), &s.z2, &s.z3);
        swapped = ones;
        step(&s.x1, &s.x2, &s.z2, &s.x3, &s.z3);
    }
    swap_some(swapped, &s.x2, &s.x3);
    swap_some(swapped, &s.z2, &s.z3);
    invert(&s.z2, &s.z2);
    multiply_out(&s.x2, &s.x2, &s.z2);
    store_field(out, &s.x2);
    hail_wipe(&s, sizeof s);
}

#else

bool hail_ladder_usable(void)
{
    return false;
}

void hail_ladder_run(uint8_t out[HAIL_LADDERS][HAIL_LADDER_LEN],
                     uint8_t scalars[HAIL_LADDERS][HAIL_LADDER_LEN],
                     uint8_t points[HAIL_LADDERS][HAIL_LADDER_LEN])
{
    (void)out, (void)scalars, (void)points;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

#endif
