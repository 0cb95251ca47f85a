// sha_ni.h: SHA-256 (FIPS 180-4, 6.2.2) by the CPU's SHA instructions, of one message or of two
// side by side: an instruction waits for the one before it, and two take little longer than one.
// Inlined, so that the number of lanes and the round are constants.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_SHA_NI_H
#define HAIL_CRYPTO_SHA_NI_H

#include <immintrin.h>

#include "crypto/stretch.h"

#define HAIL_SHA_NI_TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define HAIL_SHA_NI_INLINE __attribute__((target("sha,sse4.1,ssse3"), always_inline)) static inline

enum {
    HAIL_SHA_NI_LANES_MAX = 2,
    HAIL_SHA256_GROUPS = 64 / 4 // of four rounds
};

// A state, in the order that the instructions want.
struct hail_sha256_ni {
    __m128i abef;
    __m128i cdgh;
};

HAIL_SHA_NI_INLINE __m128i hail_sha_ni_load(const uint32_t *words)
{
    return _mm_loadu_si128((const __m128i *)(const void *)words);
}

HAIL_SHA_NI_INLINE void hail_sha_ni_store(uint32_t *words, __m128i value)
{
    _mm_storeu_si128((__m128i *)(void *)words, value);
}

HAIL_SHA_NI_INLINE struct hail_sha256_ni hail_sha256_ni_load(const uint32_t *words)
{
    __m128i badc = _mm_shuffle_epi32(hail_sha_ni_load(words), 0xb1);
    __m128i fehg = _mm_shuffle_epi32(hail_sha_ni_load(words + 4), 0xb1);

    return (struct hail_sha256_ni){_mm_unpacklo_epi64(fehg, badc), _mm_unpackhi_epi64(fehg, badc)};
}

HAIL_SHA_NI_INLINE __m128i hail_sha256_ni_abcd(struct hail_sha256_ni state)
{
    return _mm_shuffle_epi32(_mm_unpackhi_epi64(state.abef, state.cdgh), 0xb1);
}

HAIL_SHA_NI_INLINE __m128i hail_sha256_ni_efgh(struct hail_sha256_ni state)
{
    return _mm_shuffle_epi32(_mm_unpacklo_epi64(state.abef, state.cdgh), 0xb1);
}

HAIL_SHA_NI_INLINE void hail_sha256_ni_store(uint32_t *words, struct hail_sha256_ni state)
{
    hail_sha_ni_store(words, hail_sha256_ni_abcd(state));
    hail_sha_ni_store(words + 4, hail_sha256_ni_efgh(state));
}

// hail_sha256_ni_block takes a block of each lane, as words in SHA-256's order, into its state.
// Uses up `words`.
HAIL_SHA_NI_INLINE void hail_sha256_ni_block(struct hail_sha256_ni *states, __m128i words[][4],
                                             int lanes)
{
    struct hail_sha256_ni from[HAIL_SHA_NI_LANES_MAX];

    for (int lane = 0; lane < lanes; lane++)
        from[lane] = states[lane];
#pragma GCC unroll 16
    for (int group = 0; group < HAIL_SHA256_GROUPS; group++) {
        for (int lane = 0; lane < lanes; lane++) {
            __m128i *word = words[lane];
            __m128i *next = &word[group % 4];
            if (group >= 4) {
                __m128i ninth = _mm_alignr_epi8(word[(group + 3) % 4], word[(group + 2) % 4], 4);
                __m128i mixed =
                    _mm_add_epi32(_mm_sha256msg1_epu32(*next, word[(group + 1) % 4]), ninth);
                *next = _mm_sha256msg2_epu32(mixed, word[(group + 3) % 4]);
            }
            struct hail_sha256_ni *state = &states[lane];
            __m128i two =
                _mm_add_epi32(*next, hail_sha_ni_load(hail_sha256_constants + (size_t)group * 4));
            state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, two);
            two = _mm_shuffle_epi32(two, 0x0e);
            state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, two);
        }
    }
    for (int lane = 0; lane < lanes; lane++) {
        states[lane].abef = _mm_add_epi32(states[lane].abef, from[lane].abef);
        states[lane].cdgh = _mm_add_epi32(states[lane].cdgh, from[lane].cdgh);
    }
}

#endif
