// test_replay.c: which packet numbers are taken, and which are meant.
// SPDX-License-Identifier: MIT
#include "proto/replay.h"

#include <inttypes.h>
#include <string.h>

#include "tests/vectors.h"

// Each row is one arrival, played in order on one window.
// W is the window: the oldest number still taken is W - 1 behind the largest.
#define W   UINT64_C(1024)
#define FAR (W * 815 + 5)
static const struct {
    const char *why;
    uint64_t number;
    bool want;
} reassemblies[] = {
    {"the first is 0", 0, true},
    {"0 again", 0, false},
    {"skip ahead inside one word", 9, true},
    {"0, after the skip", 0, false},
    {"late, never seen", 8, true},
    {"late, again", 8, false},
    {"one skipped, still free", 1, true},
    {"to the window's edge: 0 to 2 fall out", W + 2, true},
    {"the oldest that fits", 3, true},
    {"the oldest that fits, again", 3, false},
    {"one too old, never seen", 2, false},
    {"taken, and still in the window", 9, false},
    {"the word of the oldest: its bit was 1's", W + 1, true},
    {"again", W + 1, false},
    {"its bit was 0's", W, true},
    {"a whole window ahead, less one", 2 * W + 1, true},
    {"the largest before, just inside", W + 2, false},
    {"what is before it is too old", W + 1, false},
    {"between: its bit was 8's", W + 8, true},
    {"a whole window ahead", 3 * W + 1, true},
    {"the largest before, too old", 2 * W + 1, false},
    {"the oldest that fits, its bit was 2's", 2 * W + 2, true},
    {"a whole window ahead, and one", 4 * W + 2, true},
    {"the oldest that fits, its bit was taken before", 3 * W + 3, true},
    {"far ahead: every word is stale", FAR, true},
    {"from before the jump", 3, false},
    {"newest word, bit set before the jump", FAR - 3, true},
    {"oldest word, bit set before the jump", FAR - W + 1, true},
    {"one older", FAR - W, false},
    {"the last number but one", UINT64_MAX - 1, true},
    {"again", UINT64_MAX - 1, false},
    {"the last is never fresh", UINT64_MAX, false},
    {"the oldest behind the last but one", UINT64_MAX - W, true},
    {"one too old", UINT64_MAX - W - 1, false},
};

// Row _i is checked after replaying the rows before it, so one failure names one row.
START_TEST(test_arrival)
{
    struct hail_replay replay = {0};

    for (int i = 0; i <= _i; i++) {
        bool got = hail_replay_fresh(&replay, reassemblies[i].number);
        if (i == _i)
            ck_assert_msg(got == reassemblies[i].want, "%s: got %s", reassemblies[i].why,
                          got ? "fresh" : "not fresh");
        if (got)
            hail_replay_mark(&replay, reassemblies[i].number);
    }
}
END_TEST

// What 24 bits mean when `next` is awaited.
#define RANGE (UINT64_C(1) << 24)
#define HALF  (RANGE / 2)
static const struct {
    const char *why;
    uint64_t next;
    uint32_t low24;
    uint64_t want;
} meanings[] = {
    {"the first", 0, 0, 0},
    {"the first come out of order", 0, 7, 7},
    {"nothing is below 0, though it is nearer", 0, 0xffffff, 0xffffff},
    {"nor a little later", 5, HALF + 6, HALF + 6},
    {"the one awaited", 1000, 1000, 1000},
    {"the one before", 1000, 999, 999},
    {"the oldest", 1000, 0, 0},
    {"the awaited one begins a range", RANGE, 0, RANGE},
    {"the end of the range before", RANGE, 0xffffff, RANGE - 1},
    {"over the range's end", RANGE - 1, 3, RANGE + 3},
    {"half a range ahead and behind: the larger", RANGE, HALF, RANGE + HALF},
    {"one nearer behind", RANGE, HALF + 1, HALF + 1},
    {"one nearer ahead", RANGE, HALF - 1, RANGE + HALF - 1},
    {"the same, in the middle of a range", RANGE + HALF, 0, 2 * RANGE},
    {"one behind that", RANGE + HALF, 1, RANGE + 1},
    {"half behind is 0", HALF, 0, RANGE},
    {"0 is nearer", HALF - 1, 0, 0},
    {"above 32 bits", (UINT64_C(5) << 32) + 3, 1, (UINT64_C(5) << 32) + 1},
    {"the last of all", UINT64_MAX, 0xffffff, UINT64_MAX},
    {"the last but one", UINT64_MAX, 0xfffffe, UINT64_MAX - 1},
    {"nothing is above the last, though it is nearer", UINT64_MAX, 0, UINT64_MAX - 0xffffff},
    {"nor at half a range", UINT64_MAX, HALF - 1, UINT64_MAX - HALF},
};

START_TEST(test_meaning)
{
    const struct hail_replay replay = {.next = meanings[_i].next};
    uint64_t got = hail_replay_expand(&replay, meanings[_i].low24);

    ck_assert_msg(got == meanings[_i].want, "%s: got %" PRIu64, meanings[_i].why, got);
}
END_TEST

enum {
    ROUNDS = 60,
    STEPS = 3000
};

// The slow, obvious model: the numbers taken, as a list.
struct model {
    uint64_t taken[STEPS];
    size_t count;
    uint64_t largest;
};

static bool model_fresh(const struct model *model, uint64_t number)
{
    if (number == UINT64_MAX)
        return false;
    if (model->count > 0 && number < model->largest && model->largest - number >= W)
        return false;
    for (size_t i = 0; i < model->count; i++) {
        if (model->taken[i] == number)
            return false;
    }
    return true;
}

static void model_take(struct model *model, uint64_t number)
{
    if (model->count == 0 || number > model->largest)
        model->largest = number;
    model->taken[model->count++] = number;
}

// A number that lies a little before or behind the largest, seldom far off.
static uint64_t reassembly(uint64_t *dice, uint64_t largest, uint64_t reach)
{
    uint64_t step = test_next(dice) % reach;

    if (test_next(dice) % 40 == 0)
        step = test_next(dice) % (3 * W);
    if (test_next(dice) % 500 == 0)
        return test_next(dice) >> test_next(dice) % 64;
    return step > largest || test_next(dice) % 3 == 0 ? largest + step : largest - step;
}

START_TEST(test_against_list)
{
    static struct model model;
    uint64_t dice = test_seed();

    for (int round = 0; round < ROUNDS; round++) {
        struct hail_replay replay = {0};
        uint64_t reach = 2 + test_next(&dice) % (UINT64_C(1) << test_next(&dice) % 12);
        model = (struct model){.count = 0};
        uint64_t largest = round % 8 == 0 ? UINT64_MAX - 2 * W : test_next(&dice) % 5000;
        for (int step = 0; step < STEPS; step++) {
            uint64_t number = reassembly(&dice, largest, reach);
            bool want = model_fresh(&model, number);
            ck_assert_msg(hail_replay_fresh(&replay, number) == want,
                          "%" PRIu64 " is %sfresh behind %" PRIu64, number, want ? "" : "not ",
                          model.largest);
            if (!want)
                continue;
            hail_replay_mark(&replay, number);
            model_take(&model, number);
            largest = model.largest;
            ck_assert_uint_eq(replay.next, largest + 1);
        }
    }
}
END_TEST

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

// The number meant is the nearest of all that have these 24 bits.
START_TEST(test_nearest)
{
    uint64_t dice = test_seed();

    for (int round = 0; round < 100000; round++) {
        const struct hail_replay replay = {.next = test_next(&dice) >> test_next(&dice) % 64};
        uint32_t low24 = (uint32_t)(test_next(&dice) % RANGE);
        uint64_t best = low24; // in the range of 0, and then those around `next`
        for (int i = -2; i <= 2; i++) {
            uint64_t base = replay.next / RANGE + (uint64_t)(int64_t)i;
            uint64_t number = base * RANGE + low24;
            if (base > UINT64_MAX / RANGE)
                continue; // below 0, or above what there is
            if (distance(number, replay.next) < distance(best, replay.next) ||
                (distance(number, replay.next) == distance(best, replay.next) && number > best))
                best = number;
        }
        ck_assert_uint_eq(hail_replay_expand(&replay, low24), best);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay");
    TCase *tests = tcase_create("replay");

    tcase_add_loop_test(tests, test_arrival, 0, HAIL_COUNTOF(reassemblies));
    tcase_add_loop_test(tests, test_meaning, 0, HAIL_COUNTOF(meanings));
    tcase_add_test(tests, test_against_list);
    tcase_add_test(tests, test_nearest);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
