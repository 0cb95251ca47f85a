// pairs.c: see pairs.h.
// SPDX-License-Identifier: MIT
#include "crypto/pairs.h"

#ifdef __x86_64__

#include <string.h>

#include "crypto/sha_ni.h"

enum {
    LANES = 2,
    BLOCK = 64,
    LENGTH_LEN = 8, // of the length, at the end of the padding
    PADDING_MARK = 0x80
};

bool hail_pairs_usable(void)
{
    return (hail_stretch_ways() & HAIL_STRETCH_SHA) != 0;
}

// A message as its blocks: those of its own memory, and then those that it ends in with padding.
struct blocks {
    const uint8_t *data;
    size_t whole; // blocks of `data`
    size_t count; // all of them
    uint8_t end[2 * BLOCK];
};

static void put_padding(uint8_t *block_end, size_t bits)
{
    for (size_t i = 1; i <= LENGTH_LEN; i++, bits >>= 8)
        block_end[-(ptrdiff_t)i] = (uint8_t)bits;
}

static void cut(struct blocks *blocks, const struct hail_mac_job *job)
{
    size_t rest = job->len % BLOCK;
    size_t end_len = rest + 1 + LENGTH_LEN > BLOCK ? 2 * BLOCK : BLOCK;

    blocks->data = job->data;
    blocks->whole = job->len / BLOCK;
    blocks->count = blocks->whole + end_len / BLOCK;
    memset(blocks->end, 0, end_len);
    if (rest > 0)
        memcpy(blocks->end, job->data + job->len - rest, rest);
    blocks->end[rest] = PADDING_MARK;
    put_padding(blocks->end + end_len, 8 * (BLOCK + job->len)); // the key's block comes first
}

static const uint8_t *block_at(const struct blocks *blocks, size_t i)
{
    return i < blocks->whole ? blocks->data + i * BLOCK : blocks->end + (i - blocks->whole) * BLOCK;
}

// Between words in memory's order and SHA-256's, either way.
HAIL_SHA_NI_INLINE __m128i turn(__m128i words)
{
    return _mm_shuffle_epi8(words, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

HAIL_SHA_NI_INLINE void take_block(struct hail_sha256_ni *states, const struct blocks *messages,
                                   size_t i, int lanes)
{
    __m128i words[LANES][4];

    for (int lane = 0; lane < lanes; lane++) {
        const uint8_t *block = block_at(&messages[lane], i);
        for (int part = 0; part < 4; part++)
            words[lane][part] =
                turn(_mm_loadu_si128((const __m128i *)(const void *)(block + part * 16)));
    }
    hail_sha256_ni_block(states, words, lanes);
}

// The outer hash, of nothing but the inner one's digest.
HAIL_SHA_NI_INLINE void finish(struct hail_sha256_ni *states, const struct hail_mac_job *jobs)
{
    __m128i words[LANES][4];

    for (int lane = 0; lane < LANES; lane++) {
        words[lane][0] = hail_sha256_ni_abcd(states[lane]);
        words[lane][1] = hail_sha256_ni_efgh(states[lane]);
        words[lane][2] = _mm_set_epi32(0, 0, 0, INT32_MIN); // PADDING_MARK
        words[lane][3] = _mm_set_epi32(8 * (BLOCK + HAIL_MAC_LEN), 0, 0, 0);
        states[lane] = hail_sha256_ni_load(jobs[lane].key->outer);
    }
    hail_sha256_ni_block(states, words, LANES);
    for (int lane = 0; lane < LANES; lane++) {
        __m128i *out = (__m128i *)(void *)jobs[lane].out;
        _mm_storeu_si128(out, turn(hail_sha256_ni_abcd(states[lane])));
        _mm_storeu_si128(out + 1, turn(hail_sha256_ni_efgh(states[lane])));
    }
}

HAIL_SHA_NI_TARGET void hail_pairs_mac(const struct hail_mac_job jobs[LANES])
{
    struct hail_sha256_ni states[LANES];
    struct blocks messages[LANES];
    size_t i;

    for (int lane = 0; lane < LANES; lane++) {
        cut(&messages[lane], &jobs[lane]);
        states[lane] = hail_sha256_ni_load(jobs[lane].key->inner);
    }
    for (i = 0; i < messages[0].count && i < messages[1].count; i++)
        take_block(states, messages, i, LANES);
    int longer = messages[0].count > i ? 0 : 1;
    for (; i < messages[longer].count; i++)
        take_block(&states[longer], &messages[longer], i, 1);
    finish(states, jobs);
}

#else

bool hail_pairs_usable(void)
{
    return false;
}

void hail_pairs_mac(const struct hail_mac_job jobs[2])
{
    (void)jobs;
    HAIL_UNREACHABLE("nobody calls what is not usable");
}

#endif
