// replay.c: see replay.h. The window is a ring of bits: number n is bit n modulo the window, so
// that moving it on means to clear the bits of the numbers that come, and nothing is shifted.
// SPDX-License-Identifier: MIT
#include "proto/replay.h"

#include <string.h>

enum {
    WORD_BITS = 64,
    WORDS = HAIL_REPLAY_WINDOW / WORD_BITS,
    WIRE_RANGE = 1 << 24 // numbers that differ on the wire
};
_Static_assert(HAIL_REPLAY_WINDOW % WORD_BITS == 0, "the window is made of whole words");
_Static_assert((WORDS & (WORDS - 1)) == 0, "words are found by a mask");

static uint64_t bit_of(uint64_t number)
{
    return UINT64_C(1) << number % WORD_BITS;
}

uint64_t hail_replay_expand(const struct hail_replay *replay, uint32_t low24)
{
    HAIL_ASSERT(low24 < WIRE_RANGE);
    uint64_t ahead = (low24 - replay->next) & (WIRE_RANGE - 1);
    uint64_t number = replay->next + ahead; // the first one from `next` on
    bool past_the_end = number < replay->next;
    bool before_is_nearer = ahead > WIRE_RANGE / 2 && number >= WIRE_RANGE;

    return past_the_end || before_is_nearer ? number - WIRE_RANGE : number;
}

bool hail_replay_fresh(const struct hail_replay *replay, uint64_t number)
{
    if (number >= replay->next)
        return number != UINT64_MAX; // so that `next` is never beyond what 64 bits hold
    if (replay->next - number > HAIL_REPLAY_WINDOW)
        return false;
    return !(replay->seen[number / WORD_BITS % WORDS] & bit_of(number));
}

// Clears the bits of the numbers from `from` to `to - 1`, which stand for older ones until now.
static void clear(struct hail_replay *replay, uint64_t from, uint64_t to)
{
    uint64_t gone = ~(bit_of(from) - 1);

    for (uint64_t word = from / WORD_BITS; word <= to / WORD_BITS; word++) {
        if (word == to / WORD_BITS)
            gone &= bit_of(to) - 1;
        replay->seen[word % WORDS] &= ~gone;
        gone = UINT64_MAX;
    }
}

void hail_replay_mark(struct hail_replay *replay, uint64_t number)
{
    HAIL_ASSERT(hail_replay_fresh(replay, number));
    if (number >= replay->next) {
        if (number - replay->next >= HAIL_REPLAY_WINDOW)
            memset(replay->seen, 0, sizeof replay->seen);
        else
            clear(replay, replay->next, number);
        replay->next = number + 1;
    }
    replay->seen[number / WORD_BITS % WORDS] |= bit_of(number);
}
