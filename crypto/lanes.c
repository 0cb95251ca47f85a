// lanes.c: see lanes.h. Written for vectors of any width: the compiler makes of them what the
// target has, which is why each function is there once for each of the two.
// SPDX-License-Identifier: MIT
#include "crypto/lanes.h"

#ifdef __x86_64__

#include "crypto/secret.h"

#define INLINE  __attribute__((always_inline)) static inline
#define AVX2    __attribute__((target("avx2")))
#define AVX512F __attribute__((target("avx512f")))

enum {
    SHA1_WORDS = 5,
    SHA256_WORDS = 8,
    SCHEDULE = 16, // words of the message schedule that are kept
    SHA1_BITS = (64 + 20) * 8,
    SHA256_BITS = (64 + 32) * 8
};

// A word of each lane.
struct lanes {
    uint32_t of __attribute__((vector_size(HAIL_LANES * sizeof(uint32_t))));
};

enum hail_lanes_kind hail_lanes_kind_of_cpu(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return HAIL_LANES_AVX512;
    return __builtin_cpu_supports("avx2") ? HAIL_LANES_AVX2 : HAIL_LANES_NONE;
}

// A macro, since vectors that are passed by value make a function's interface depend on the target.
#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))

// Rounds r to r + 19 of SHA-1 (FIPS 180-4, 6.1.2) use one function and one constant.
#define SHA1_ROUND(mix, constant)                                                                  \
    do {                                                                                           \
        struct lanes *w = &word[round % SCHEDULE];                                                 \
        if (round >= SCHEDULE) {                                                                   \
            w->of ^= word[(round + 13) % SCHEDULE].of ^ word[(round + 8) % SCHEDULE].of ^          \
                     word[(round + 2) % SCHEDULE].of;                                              \
            w->of = ROTATE(w->of, 1);                                                              \
        }                                                                                          \
        struct lanes next = {ROTATE(s[0].of, 5) + (mix) + s[4].of + w->of + (constant)};           \
        s[4] = s[3];                                                                               \
        s[3] = s[2];                                                                               \
        s[2].of = ROTATE(s[1].of, 30);                                                             \
        s[1] = s[0];                                                                               \
        s[0] = next;                                                                               \
    } while (0)

// Replaces the digests by the hashes, continued at `from`, of the digests.
INLINE void sha1_hash(struct lanes digest[SHA1_WORDS], const struct lanes from[SHA1_WORDS])
{
    struct lanes word[SCHEDULE] = {0};
    struct lanes s[SHA1_WORDS];
    int round = 0;

    for (int i = 0; i < SHA1_WORDS; i++) {
        word[i] = digest[i];
        s[i] = from[i];
    }
    word[SHA1_WORDS].of += 0x80000000;
    word[SCHEDULE - 1].of += SHA1_BITS;
#pragma GCC unroll 20
    for (; round < 20; round++)
        SHA1_ROUND((s[1].of & s[2].of) | (~s[1].of & s[3].of), 0x5a827999);
#pragma GCC unroll 20
    for (; round < 40; round++)
        SHA1_ROUND(s[1].of ^ s[2].of ^ s[3].of, 0x6ed9eba1);
#pragma GCC unroll 20
    for (; round < 60; round++)
        SHA1_ROUND((s[1].of & s[2].of) | (s[3].of & (s[1].of | s[2].of)), 0x8f1bbcdc);
#pragma GCC unroll 20
    for (; round < 80; round++)
        SHA1_ROUND(s[1].of ^ s[2].of ^ s[3].of, 0xca62c1d6);
    for (int i = 0; i < SHA1_WORDS; i++)
        digest[i].of = s[i].of + from[i].of;
}

// FIPS 180-4, 6.2.2.
INLINE void sha256_hash(struct lanes digest[SHA256_WORDS], const struct lanes from[SHA256_WORDS])
{
    struct lanes word[SCHEDULE] = {0};
    struct lanes s[SHA256_WORDS];

    for (int i = 0; i < SHA256_WORDS; i++) {
        word[i] = digest[i];
        s[i] = from[i];
    }
    word[SHA256_WORDS].of += 0x80000000;
    word[SCHEDULE - 1].of += SHA256_BITS;
#pragma GCC unroll 64
    for (int round = 0; round < 64; round++) {
        struct lanes *w = &word[round % SCHEDULE];
        if (round >= SCHEDULE) {
            struct lanes a = word[(round + 1) % SCHEDULE];
            struct lanes b = word[(round + 14) % SCHEDULE];
            w->of += word[(round + 9) % SCHEDULE].of +
                     (ROTATE(a.of, 25) ^ ROTATE(a.of, 14) ^ a.of >> 3) +
                     (ROTATE(b.of, 15) ^ ROTATE(b.of, 13) ^ b.of >> 10);
        }
        struct lanes e = s[4];
        struct lanes a = s[0];
        struct lanes one = {s[7].of + w->of + hail_sha256_constants[round] +
                            (ROTATE(e.of, 26) ^ ROTATE(e.of, 21) ^ ROTATE(e.of, 7)) +
                            ((e.of & s[5].of) ^ (~e.of & s[6].of))};
        struct lanes two = {(ROTATE(a.of, 30) ^ ROTATE(a.of, 19) ^ ROTATE(a.of, 10)) +
                            ((a.of & s[1].of) | (s[2].of & (a.of | s[1].of)))};
        s[7] = s[6];
        s[6] = s[5];
        s[5] = e;
        s[4].of = s[3].of + one.of;
        s[3] = s[2];
        s[2] = s[1];
        s[1] = a;
        s[0].of = one.of + two.of;
    }
    for (int i = 0; i < SHA256_WORDS; i++)
        digest[i].of = s[i].of + from[i].of;
}

// What the chains are made of, word by word.
struct state {
    struct lanes inner[HAIL_STRETCH_WORDS];
    struct lanes outer[HAIL_STRETCH_WORDS];
    struct lanes value[HAIL_STRETCH_WORDS];
    struct lanes sum[HAIL_STRETCH_WORDS];
};

INLINE void gather(struct state *state, const struct hail_stretch chains[HAIL_LANES], int words)
{
    for (int i = 0; i < words; i++) {
        for (int lane = 0; lane < HAIL_LANES; lane++) {
            state->inner[i].of[lane] = chains[lane].inner[i];
            state->outer[i].of[lane] = chains[lane].outer[i];
            state->value[i].of[lane] = chains[lane].value[i];
            state->sum[i].of[lane] = chains[lane].sum[i];
        }
    }
}

INLINE void scatter(struct hail_stretch chains[HAIL_LANES], const struct state *state, int words)
{
    for (int i = 0; i < words; i++) {
        for (int lane = 0; lane < HAIL_LANES; lane++) {
            chains[lane].value[i] = state->value[i].of[lane];
            chains[lane].sum[i] = state->sum[i].of[lane];
        }
    }
}

INLINE void sha1_stretch(struct hail_stretch chains[HAIL_LANES], uint32_t steps)
{
    struct state state;

    gather(&state, chains, SHA1_WORDS);
    for (uint32_t step = 0; step < steps; step++) {
        sha1_hash(state.value, state.inner);
        sha1_hash(state.value, state.outer);
        for (int i = 0; i < SHA1_WORDS; i++)
            state.sum[i].of ^= state.value[i].of;
    }
    scatter(chains, &state, SHA1_WORDS);
    hail_wipe(&state, sizeof state);
}

INLINE void sha256_stretch(struct hail_stretch chains[HAIL_LANES], uint32_t steps)
{
    struct state state;

    gather(&state, chains, SHA256_WORDS);
    for (uint32_t step = 0; step < steps; step++) {
        sha256_hash(state.value, state.inner);
        sha256_hash(state.value, state.outer);
        for (int i = 0; i < SHA256_WORDS; i++)
            state.sum[i].of ^= state.value[i].of;
    }
    scatter(chains, &state, SHA256_WORDS);
    hail_wipe(&state, sizeof state);
}

AVX2 static void sha1_avx2(struct hail_stretch chains[HAIL_LANES], uint32_t steps)
{
    sha1_stretch(chains, steps);
}

AVX512F static void sha1_avx512(struct hail_stretch chains[HAIL_LANES], uint32_t steps)
{
    sha1_stretch(chains, steps);
}

AVX2 static void sha256_avx2(struct hail_stretch chains[HAIL_LANES], uint32_t steps)
{
    sha256_stretch(chains, steps);
}

AVX512F static void sha256_avx512(struct hail_stretch chains[HAIL_LANES], uint32_t steps)
{
    sha256_stretch(chains, steps);
}

void hail_lanes_sha1(struct hail_stretch chains[HAIL_LANES], uint32_t steps,
                     enum hail_lanes_kind kind)
{
    HAIL_ASSERT(kind != HAIL_LANES_NONE);
    if (kind == HAIL_LANES_AVX512)
        sha1_avx512(chains, steps);
    else
        sha1_avx2(chains, steps);
}

void hail_lanes_sha256(struct hail_stretch chains[HAIL_LANES], uint32_t steps,
                       enum hail_lanes_kind kind)
{
    HAIL_ASSERT(kind != HAIL_LANES_NONE);
    if (kind == HAIL_LANES_AVX512)
        sha256_avx512(chains, steps);
    else
        sha256_avx2(chains, steps);
}

#else

enum hail_lanes_kind hail_lanes_kind_of_cpu(void)
{
    return HAIL_LANES_NONE;
}

void hail_lanes_sha1(struct hail_stretch chains[HAIL_LANES], uint32_t steps,
                     enum hail_lanes_kind kind)
{
    (void)chains, (void)steps, (void)kind;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

void hail_lanes_sha256(struct hail_stretch chains[HAIL_LANES], uint32_t steps,
                       enum hail_lanes_kind kind)
{
    (void)chains, (void)steps, (void)kind;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

#endif
