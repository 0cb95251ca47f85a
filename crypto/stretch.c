// stretch.c: see stretch.h. The state of a hash stays in vector registers in the order that the SHA
// instructions want: for SHA-1, A in the highest word and E apart; for SHA-256, ABEF and CDGH. All
// that is hashed here is a digest of the same hash, padded: a block whose end is known.
// SPDX-License-Identifier: MIT
#include "crypto/stretch.h"

#include <stdatomic.h>
#include <string.h>

#include "crypto/lanes.h"
#include "crypto/secret.h"

#ifdef __x86_64__

#include <cpuid.h>

#include "crypto/sha_ni.h"

enum {
    SHA1_GROUPS = 80 / 4,      // of four rounds
    SHA1_BITS = (64 + 20) * 8, // hashed by the end: a block with the password, and a digest
    SHA256_BITS = (64 + 32) * 8,
    CPUID_SSE41 = 1 << 19, // leaf 1, ecx; it implies SSSE3
    CPUID_SHA = 1 << 29    // leaf 7, ebx
};

// Padding's first word, after the digest.
static const int padding = INT32_MIN;

struct sha1 {
    __m128i abcd;
    __m128i e; // in the highest word, with zeros below
};

// FIPS 180-4, 4.2.2.
const uint32_t hail_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static bool has_sha(void)
{
    unsigned a;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & CPUID_SSE41) &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & CPUID_SHA);
}

HAIL_SHA_NI_INLINE struct sha1 sha1_load(const uint32_t *words)
{
    return (struct sha1){_mm_shuffle_epi32(hail_sha_ni_load(words), 0x1b),
                         _mm_set_epi32((int)words[4], 0, 0, 0)};
}

HAIL_SHA_NI_INLINE void sha1_store(uint32_t *words, struct sha1 state)
{
    hail_sha_ni_store(words, _mm_shuffle_epi32(state.abcd, 0x1b));
    words[4] = (uint32_t)_mm_extract_epi32(state.e, 3);
}

// Four rounds. Which function they use is an immediate of the instruction.
HAIL_SHA_NI_INLINE __m128i sha1_rounds(__m128i abcd, __m128i e, int group)
{
    switch (group / 5) {
    case 0:
        return _mm_sha1rnds4_epu32(abcd, e, 0);
    case 1:
        return _mm_sha1rnds4_epu32(abcd, e, 1);
    case 2:
        return _mm_sha1rnds4_epu32(abcd, e, 2);
    default:
        return _mm_sha1rnds4_epu32(abcd, e, 3);
    }
}

// Replaces a lane's digest by the hash, continued at `from`, of that digest.
HAIL_SHA_NI_INLINE void sha1_hash(struct sha1 *digest, const struct sha1 *from, int lanes)
{
    __m128i words[HAIL_SHA_NI_LANES_MAX][4]; // the last 16 of the message schedule
    __m128i before[HAIL_SHA_NI_LANES_MAX];

    for (int lane = 0; lane < lanes; lane++) {
        words[lane][0] = digest[lane].abcd;
        words[lane][1] = _mm_or_si128(digest[lane].e, _mm_set_epi32(0, padding, 0, 0));
        words[lane][2] = _mm_setzero_si128();
        words[lane][3] = _mm_set_epi32(0, 0, 0, SHA1_BITS);
        digest[lane] = from[lane];
    }
#pragma GCC unroll 20
    for (int group = 0; group < SHA1_GROUPS; group++) {
        for (int lane = 0; lane < lanes; lane++) {
            __m128i *word = words[lane];
            __m128i *next = &word[group % 4];
            if (group >= 4) {
                __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(*next, word[(group + 1) % 4]),
                                              word[(group + 2) % 4]);
                *next = _mm_sha1msg2_epu32(mixed, word[(group + 3) % 4]);
            }
            __m128i e = group == 0 ? _mm_add_epi32(digest[lane].e, *next)
                                   : _mm_sha1nexte_epu32(before[lane], *next);
            before[lane] = digest[lane].abcd;
            digest[lane].abcd = sha1_rounds(before[lane], e, group);
        }
    }
    for (int lane = 0; lane < lanes; lane++) {
        digest[lane].abcd = _mm_add_epi32(digest[lane].abcd, from[lane].abcd);
        digest[lane].e = _mm_sha1nexte_epu32(before[lane], from[lane].e);
    }
}

HAIL_SHA_NI_INLINE void sha1_stretch(struct hail_stretch *chains, int lanes, uint32_t steps)
{
    struct sha1 inner[HAIL_SHA_NI_LANES_MAX];
    struct sha1 outer[HAIL_SHA_NI_LANES_MAX];
    struct sha1 value[HAIL_SHA_NI_LANES_MAX];
    struct sha1 sum[HAIL_SHA_NI_LANES_MAX];

    for (int lane = 0; lane < lanes; lane++) {
        inner[lane] = sha1_load(chains[lane].inner);
        outer[lane] = sha1_load(chains[lane].outer);
        value[lane] = sha1_load(chains[lane].value);
        sum[lane] = sha1_load(chains[lane].sum);
    }
    for (uint32_t step = 0; step < steps; step++) {
        sha1_hash(value, inner, lanes);
        sha1_hash(value, outer, lanes);
        for (int lane = 0; lane < lanes; lane++) {
            sum[lane].abcd = _mm_xor_si128(sum[lane].abcd, value[lane].abcd);
            sum[lane].e = _mm_xor_si128(sum[lane].e, value[lane].e);
        }
    }
    for (int lane = 0; lane < lanes; lane++) {
        sha1_store(chains[lane].value, value[lane]);
        sha1_store(chains[lane].sum, sum[lane]);
    }
}

// As sha1_hash.
HAIL_SHA_NI_INLINE void sha256_hash(struct hail_sha256_ni *digest,
                                    const struct hail_sha256_ni *from, int lanes)
{
    __m128i words[HAIL_SHA_NI_LANES_MAX][4];

    for (int lane = 0; lane < lanes; lane++) {
        words[lane][0] = hail_sha256_ni_abcd(digest[lane]);
        words[lane][1] = hail_sha256_ni_efgh(digest[lane]);
        words[lane][2] = _mm_set_epi32(0, 0, 0, padding);
        words[lane][3] = _mm_set_epi32(SHA256_BITS, 0, 0, 0);
        digest[lane] = from[lane];
    }
    hail_sha256_ni_block(digest, words, lanes);
}

HAIL_SHA_NI_INLINE void sha256_stretch(struct hail_stretch *chains, int lanes, uint32_t steps)
{
    struct hail_sha256_ni inner[HAIL_SHA_NI_LANES_MAX];
    struct hail_sha256_ni outer[HAIL_SHA_NI_LANES_MAX];
    struct hail_sha256_ni value[HAIL_SHA_NI_LANES_MAX];
    struct hail_sha256_ni sum[HAIL_SHA_NI_LANES_MAX];

    for (int lane = 0; lane < lanes; lane++) {
        inner[lane] = hail_sha256_ni_load(chains[lane].inner);
        outer[lane] = hail_sha256_ni_load(chains[lane].outer);
        value[lane] = hail_sha256_ni_load(chains[lane].value);
        sum[lane] = hail_sha256_ni_load(chains[lane].sum);
    }
    for (uint32_t step = 0; step < steps; step++) {
        sha256_hash(value, inner, lanes);
        sha256_hash(value, outer, lanes);
        for (int lane = 0; lane < lanes; lane++) {
            sum[lane].abef = _mm_xor_si128(sum[lane].abef, value[lane].abef);
            sum[lane].cdgh = _mm_xor_si128(sum[lane].cdgh, value[lane].cdgh);
        }
    }
    for (int lane = 0; lane < lanes; lane++) {
        hail_sha256_ni_store(chains[lane].value, value[lane]);
        hail_sha256_ni_store(chains[lane].sum, sum[lane]);
    }
}

HAIL_SHA_NI_TARGET static void sha1_pairs(struct hail_stretch *chains, size_t count, uint32_t steps)
{
    for (; count >= 2; count -= 2, chains += 2)
        sha1_stretch(chains, 2, steps);
    if (count > 0)
        sha1_stretch(chains, 1, steps);
}

HAIL_SHA_NI_TARGET static void sha256_pairs(struct hail_stretch *chains, size_t count,
                                            uint32_t steps)
{
    for (; count >= 2; count -= 2, chains += 2)
        sha256_stretch(chains, 2, steps);
    if (count > 0)
        sha256_stretch(chains, 1, steps);
}

#else

static bool has_sha(void)
{
    return false;
}

static void sha1_pairs(struct hail_stretch *chains, size_t count, uint32_t steps)
{
    (void)chains, (void)count, (void)steps;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

static void sha256_pairs(struct hail_stretch *chains, size_t count, uint32_t steps)
{
    (void)chains, (void)count, (void)steps;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

#endif

// ---- Which way

enum {
    KNOWN = 1u << 30 // the CPU has been asked
};

static _Atomic unsigned cpu_ways; // asking is slow in a virtual machine
static _Atomic unsigned forbidden;

unsigned hail_stretch_ways(void)
{
    unsigned ways = atomic_load_explicit(&cpu_ways, memory_order_relaxed);

    if (ways == 0) {
        enum hail_lanes_kind kind = hail_lanes_kind_of_cpu();
        ways = KNOWN | (has_sha() ? HAIL_STRETCH_SHA : 0);
        if (kind == HAIL_LANES_AVX512)
            ways |= HAIL_STRETCH_AVX512;
        if (kind != HAIL_LANES_NONE)
            ways |= HAIL_STRETCH_AVX2;
        atomic_store_explicit(&cpu_ways, ways, memory_order_relaxed);
    }
    return ways & ~(unsigned)KNOWN;
}

void hail_stretch_allow(unsigned ways)
{
    atomic_store_explicit(&forbidden, ~ways, memory_order_relaxed);
}

static unsigned allowed(void)
{
    return hail_stretch_ways() & ~atomic_load_explicit(&forbidden, memory_order_relaxed);
}

// From how many chains on sixteen lanes are faster, since they take as long for one as for all.
// Measured on a Xeon of the fourth generation; without the SHA instructions the others are
// BoringSSL's, one by one.
struct worth {
    size_t avx512;
    size_t avx2;
    size_t avx512_alone;
    size_t avx2_alone;
};
static const struct worth sha1_worth = {5, 13, 2, 3};
static const struct worth sha256_worth = {9, SIZE_MAX, 2, 6};

static size_t lanes_from(const struct worth *worth, unsigned ways)
{
    if (ways & HAIL_STRETCH_AVX512)
        return ways & HAIL_STRETCH_SHA ? worth->avx512 : worth->avx512_alone;
    if (ways & HAIL_STRETCH_AVX2)
        return ways & HAIL_STRETCH_SHA ? worth->avx2 : worth->avx2_alone;
    return SIZE_MAX;
}

bool hail_stretch_usable(size_t count)
{
    unsigned ways = allowed();

    return ways & HAIL_STRETCH_SHA || count >= lanes_from(&sha256_worth, ways);
}

// Up to sixteen, in lanes of which some may have nothing to do.
static void in_lanes(struct hail_stretch *chains, size_t count, uint32_t steps, unsigned ways,
                     void (*stretch)(struct hail_stretch *chains, uint32_t steps,
                                     enum hail_lanes_kind kind))
{
    struct hail_stretch all[HAIL_LANES] = {0};

    memcpy(all, chains, count * sizeof *chains);
    stretch(all, steps, ways & HAIL_STRETCH_AVX512 ? HAIL_LANES_AVX512 : HAIL_LANES_AVX2);
    memcpy(chains, all, count * sizeof *chains);
    hail_wipe(all, sizeof all);
}

void hail_stretch_sha1(struct hail_stretch *chains, size_t count, uint32_t steps)
{
    unsigned ways = allowed();

    while (count > 0) {
        size_t part = count < HAIL_LANES ? count : HAIL_LANES;
        if (!(ways & HAIL_STRETCH_SHA) || part >= lanes_from(&sha1_worth, ways))
            in_lanes(chains, part, steps, ways, hail_lanes_sha1);
        else
            sha1_pairs(chains, part, steps);
        chains += part;
        count -= part;
    }
}

void hail_stretch_sha256(struct hail_stretch *chains, size_t count, uint32_t steps)
{
    unsigned ways = allowed();

    while (count > 0) {
        size_t part = count < HAIL_LANES ? count : HAIL_LANES;
        if (!(ways & HAIL_STRETCH_SHA) || part >= lanes_from(&sha256_worth, ways))
            in_lanes(chains, part, steps, ways, hail_lanes_sha256);
        else
            sha256_pairs(chains, part, steps);
        chains += part;
        count -= part;
    }
}
