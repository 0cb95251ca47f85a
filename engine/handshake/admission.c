// admission.c: see admission.h.
// SPDX-License-Identifier: MIT
#include "engine/handshake/admission.h"

#include <string.h>

#include "crypto/secret.h"
#include "crypto/time.h"

void hail_admission_init(struct hail_admission *admission)
{
    *admission = (struct hail_admission){0};
    for (unsigned i = 0; i < HAIL_ADMISSION_CLASSES; i++)
        admission->filter.lots[i] = HAIL_ADMISSION_ALL;
}

static bool is_word(const struct hail_admission *admission, uint32_t word)
{
    for (unsigned i = 0; i < HAIL_COOKIE_WORDS; i++) {
        if (admission->filter.words[i] == word)
            return true;
    }
    return false;
}

void hail_admission_count(struct hail_admission *admission, const uint8_t *cookie)
{
    enum hail_admission_class class = !cookie ? HAIL_ADMISSION_UNPROVEN
                                      : is_word(admission, hail_cookie_word(cookie))
                                          ? HAIL_ADMISSION_PROVEN
                                          : HAIL_ADMISSION_MADE_UP;

    admission->counts[class]++;
}

// How many were sent, by how many have come through: those that were thrown away beside them.
static uint64_t offered(const struct hail_admission *admission, enum hail_admission_class class)
{
    return ((uint64_t)admission->counts[class] << 32) /
           ((uint64_t)admission->filter.lots[class] + 1);
}

// What strangers may take of the window, by what everybody else has taken.
static uint64_t budget_ns(uint64_t window_ns, uint64_t others_ns)
{
    uint64_t most_ns = window_ns / 8 * HAIL_ADMISSION_SHARE;
    uint64_t free_ns = window_ns / 8 * (8 - HAIL_ADMISSION_FREE);
    uint64_t left_ns = free_ns > others_ns ? free_ns - others_ns : 0;

    return left_ns < most_ns ? left_ns : most_ns;
}

static uint32_t lot(uint64_t count, uint64_t limit)
{
    if (count <= limit)
        return HAIL_ADMISSION_ALL;
    return limit == 0 ? 0 : (uint32_t)((limit << 32) / count - 1);
}

// A stranger costs what a datagram does on average: a player's is of the same order. That does not
// change at once, but a machine that is shared takes time away now and then, which looks as if it
// did: so what is dearer is believed by and by.
static void learn_cost(struct hail_admission *admission, uint64_t cpu_ns, uint64_t datagrams)
{
    uint64_t most_ns = admission->each_ns + admission->each_ns / 4;

    if (datagrams == 0)
        return;
    uint64_t each_ns = cpu_ns / datagrams;
    admission->each_ns = admission->each_ns > 0 && each_ns > most_ns ? most_ns : each_ns;
}

// The lots by which as much is let through as the window's time allows.
static void draw_up(const struct hail_admission *admission, uint32_t lots[HAIL_ADMISSION_CLASSES],
                    uint64_t window_ns, uint64_t cpu_ns)
{
    uint64_t each_ns = admission->each_ns;
    uint64_t strangers = 0;

    for (unsigned i = 0; i < HAIL_ADMISSION_CLASSES; i++)
        strangers += admission->counts[i];
    uint64_t own_ns = strangers * each_ns;
    uint64_t budget = budget_ns(window_ns, cpu_ns > own_ns ? cpu_ns - own_ns : 0);
    for (unsigned i = 0; i < HAIL_ADMISSION_MADE_UP; i++) {
        enum hail_admission_class class = (enum hail_admission_class)i;
        enum hail_admission_class other =
            class == HAIL_ADMISSION_PROVEN ? HAIL_ADMISSION_UNPROVEN : HAIL_ADMISSION_PROVEN;
        // Half for each, and what the other leaves.
        uint64_t other_ns = offered(admission, other) * each_ns;
        uint64_t own = other_ns < budget / 2 ? budget - other_ns : budget / 2;
        uint64_t limit = each_ns > 0 ? own / each_ns : UINT32_MAX;
        uint64_t least = window_ns * HAIL_ADMISSION_LEAST_PER_S / HAIL_NS_PER_S;
        lots[class] = lot(offered(admission, class), limit > least ? limit : least);
    }
    lots[HAIL_ADMISSION_MADE_UP] = lot(offered(admission, HAIL_ADMISSION_MADE_UP),
                                       window_ns * HAIL_ADMISSION_MADE_UP_PER_S / HAIL_NS_PER_S);
}

// Whether other lots are worth a system call. Chance alone moves them a little; and what is over
// may begin anew, so there is no hurry to let more through.
static bool worth_it(const struct hail_admission *admission,
                     const uint32_t lots[HAIL_ADMISSION_CLASSES], uint64_t now_ns)
{
    bool may_loosen = now_ns >= admission->changed_ns + HAIL_ADMISSION_HOLD_MS * HAIL_NS_PER_MS;

    for (unsigned i = 0; i < HAIL_ADMISSION_CLASSES; i++) {
        uint32_t before = admission->filter.lots[i];
        if (lots[i] < before - before / 4)
            return true;
        bool is_more =
            lots[i] == HAIL_ADMISSION_ALL ? before != HAIL_ADMISSION_ALL : lots[i] / 5 > before / 4;
        if (is_more && may_loosen)
            return true;
    }
    return false;
}

bool hail_admission_turn(struct hail_admission *admission, const uint32_t words[HAIL_COOKIE_WORDS],
                         const struct hail_admission_spent *spent, uint64_t now_ns)
{
    struct hail_admission_filter *filter = &admission->filter;
    uint32_t lots[HAIL_ADMISSION_CLASSES];
    uint64_t window_ns = now_ns - admission->since_ns;
    bool changed = false;

    if (now_ns < admission->until_ns)
        return false;
    HAIL_ASSERT(spent->cpu_ns >= admission->cpu_ns);
    HAIL_ASSERT(spent->datagrams >= admission->datagrams);
    // The first words are known from here on: what came before nobody could tell apart.
    if (admission->since_ns != 0) {
        uint64_t cpu_ns = spent->cpu_ns - admission->cpu_ns;
        learn_cost(admission, cpu_ns, spent->datagrams - admission->datagrams);
        draw_up(admission, lots, window_ns, cpu_ns);
        changed = worth_it(admission, lots, now_ns);
    }
    if (changed) {
        memcpy(filter->lots, lots, sizeof lots);
        admission->changed_ns = now_ns;
    }
    changed |= !hail_admission_passes_all(filter) &&
               !hail_equal(filter->words, words, sizeof filter->words);
    memcpy(filter->words, words, sizeof filter->words);
    memset(admission->counts, 0, sizeof admission->counts);
    admission->since_ns = now_ns;
    admission->until_ns = now_ns + HAIL_ADMISSION_WINDOW_MS * HAIL_NS_PER_MS;
    admission->cpu_ns = spent->cpu_ns;
    admission->datagrams = spent->datagrams;
    return changed;
}

uint64_t hail_admission_next_ns(const struct hail_admission *admission)
{
    return hail_admission_passes_all(&admission->filter) ? UINT64_MAX : admission->until_ns;
}

bool hail_admission_passes_all(const struct hail_admission_filter *filter)
{
    for (unsigned i = 0; i < HAIL_ADMISSION_CLASSES; i++) {
        if (filter->lots[i] != HAIL_ADMISSION_ALL)
            return false;
    }
    return true;
}
