// test_follow.c: when a client takes another source address: by rows of what it sends, hears and is
// refused, and against any order of those.
// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>

#include "crypto/random.h"
#include "crypto/time.h"
#include "engine/client/follow.h"
#include "tests/vectors.h"

enum {
    ANSWER_MS = 40,
    SILENCE_MS = HAIL_FOLLOW_SILENCE_MS
};

static const uint64_t start_ns = 1000 * HAIL_NS_PER_S;

struct step {
    enum {
        SENT = 1,
        HEARD,
        DUE,
        REFUSED,
        CHANGED
    } kind;
    uint32_t at_ms;
    int error;
    int want; // DUE: the act; REFUSED: whether to change
};

struct row {
    const char *why;
    struct step steps[16];
};

static const struct row rows[] = {
    {"nothing sent, nothing awaited", {{DUE, 60000, 0, HAIL_FOLLOW_STAY}}},
    {"an answer is not overdue yet", {{SENT, 0, 0, 0}, {DUE, SILENCE_MS - 1, 0, HAIL_FOLLOW_STAY}}},
    {"it is overdue", {{SENT, 0, 0, 0}, {DUE, SILENCE_MS, 0, HAIL_FOLLOW_PROBE}}},
    {"it came", {{SENT, 0, 0, 0}, {HEARD, 20, 0, 0}, {DUE, SILENCE_MS, 0, HAIL_FOLLOW_STAY}}},
    {"it came, and more was sent, and that is not answered",
     {{SENT, 0, 0, 0},
      {HEARD, 20, 0, 0},
      {SENT, 100, 0, 0},
      {DUE, SILENCE_MS, 0, HAIL_FOLLOW_STAY},
      {DUE, 100 + SILENCE_MS, 0, HAIL_FOLLOW_PROBE}}},
    {"three probes, then another source",
     {{SENT, 0, 0, 0},
      {DUE, SILENCE_MS, 0, HAIL_FOLLOW_PROBE},
      {DUE, SILENCE_MS + ANSWER_MS - 1, 0, HAIL_FOLLOW_STAY},
      {DUE, SILENCE_MS + ANSWER_MS, 0, HAIL_FOLLOW_PROBE},
      {DUE, SILENCE_MS + 2 * ANSWER_MS, 0, HAIL_FOLLOW_PROBE},
      {DUE, SILENCE_MS + 3 * ANSWER_MS, 0, HAIL_FOLLOW_CHANGE}}},
    {"an answer to the second probe ends it",
     {{SENT, 0, 0, 0},
      {DUE, SILENCE_MS, 0, HAIL_FOLLOW_PROBE},
      {DUE, SILENCE_MS + ANSWER_MS, 0, HAIL_FOLLOW_PROBE},
      {HEARD, SILENCE_MS + ANSWER_MS + 1, 0, 0},
      {DUE, SILENCE_MS + 2 * ANSWER_MS, 0, HAIL_FOLLOW_STAY},
      {DUE, 60000, 0, HAIL_FOLLOW_STAY}}},
    {"the source is gone", {{REFUSED, 0, EADDRNOTAVAIL, true}}},
    {"there is no way from here", {{REFUSED, 0, ENETUNREACH, true}}},
    {"the interface is down", {{REFUSED, 0, ENETDOWN, true}}},
    {"an earlier change found no way", {{REFUSED, 0, EDESTADDRREQ, true}}},
    {"too long for the path, which another source does not mend", {{REFUSED, 0, EMSGSIZE, false}}},
    {"a full queue", {{REFUSED, 0, EAGAIN, false}}},
    {"a firewall", {{REFUSED, 0, EPERM, false}}},
    {"nobody listens there", {{REFUSED, 0, ECONNREFUSED, false}}},
    {"GSO that the device does not do", {{REFUSED, 0, EINVAL, false}, {REFUSED, 0, EIO, false}}},
    {"not twice in a row, and rarer each time",
     {{REFUSED, 0, ENETUNREACH, true},
      {REFUSED, 1, ENETUNREACH, false},
      {REFUSED, HAIL_FOLLOW_AGAIN_MS - 1, ENETUNREACH, false},
      {REFUSED, HAIL_FOLLOW_AGAIN_MS, ENETUNREACH, true},
      {REFUSED, 3 * HAIL_FOLLOW_AGAIN_MS - 1, ENETUNREACH, false},
      {REFUSED, 3 * HAIL_FOLLOW_AGAIN_MS, ENETUNREACH, true}}},
    {"what was heard before the change is no answer to what was sent after it",
     {{SENT, 0, 0, 0},
      {HEARD, 10, 0, 0},
      {REFUSED, 20, ENETUNREACH, true},
      {CHANGED, 20, 0, 0},
      {DUE, 20 + ANSWER_MS, 0, HAIL_FOLLOW_PROBE}}},
};

struct world {
    struct hail_follow follow;
    struct hail_follow_signs signs;
};

static int take(struct world *world, const struct step *step)
{
    uint64_t now_ns = start_ns + step->at_ms * HAIL_NS_PER_MS;

    switch (step->kind) {
    case SENT:
        world->signs.sent_ns = now_ns;
        (void)hail_follow_sent(&world->follow, now_ns);
        return 0;
    case HEARD:
        world->signs.heard_ns = now_ns;
        return 0;
    case DUE:
        return (int)hail_follow_due(&world->follow, &world->signs, now_ns);
    case REFUSED:
        return hail_follow_refused(&world->follow, step->error, now_ns);
    case CHANGED:
        hail_follow_changed(&world->follow, world->signs.answer_ns, now_ns);
        return 0;
    }
    return 0;
}

static struct world fresh(void)
{
    return (struct world){
        .signs = {.heard_ns = start_ns - HAIL_NS_PER_S, .answer_ns = ANSWER_MS * HAIL_NS_PER_MS}};
}

START_TEST(test_rows)
{
    const struct row *row = &rows[_i];
    struct world world = fresh();

    for (size_t i = 0; i < sizeof row->steps / sizeof row->steps[0] && row->steps[i].kind; i++) {
        int got = take(&world, &row->steps[i]);
        ck_assert_msg(got == row->steps[i].want, "%s: step %zu: %d", row->why, i, got);
    }
}
END_TEST

static uint32_t dice(struct hail_random *random)
{
    uint32_t value;

    hail_random_bytes(random, &value, sizeof value);
    return value;
}

// Whatever happens: what is due is in the future once it was looked at, changes keep their
// distance, and a path on which each packet is answered is never changed.
START_TEST(test_any_order)
{
    uint64_t seed = test_seed();
    struct hail_random random;
    uint64_t changed_ns = 0;

    hail_random_init_seeded(&random, seed);
    for (int round = 0; round < 200; round++) {
        struct world world = fresh();
        bool answers = dice(&random) % 2 == 0;
        uint64_t now_ns = start_ns;
        changed_ns = 0;
        for (int i = 0; i < 500; i++) {
            now_ns += dice(&random) % 200 * HAIL_NS_PER_MS;
            if (dice(&random) % 3 == 0) {
                world.signs.sent_ns = now_ns;
                (void)hail_follow_sent(&world.follow, now_ns);
                if (answers)
                    world.signs.heard_ns = now_ns + 1;
            }
            bool due = hail_follow_next_ns(&world.follow) <= now_ns;
            enum hail_follow_act act = hail_follow_due(&world.follow, &world.signs, now_ns);
            ck_assert_msg(due || act == HAIL_FOLLOW_STAY, "seed %llu: %d unasked",
                          (unsigned long long)seed, act);
            if (act != HAIL_FOLLOW_STAY)
                ck_assert_uint_gt(hail_follow_next_ns(&world.follow), now_ns);
            if (act != HAIL_FOLLOW_CHANGE)
                continue;
            ck_assert_msg(!answers, "seed %llu: all was answered", (unsigned long long)seed);
            ck_assert_msg(changed_ns == 0 ||
                              now_ns - changed_ns >= HAIL_FOLLOW_AGAIN_MS * HAIL_NS_PER_MS,
                          "seed %llu: twice in %llu ns", (unsigned long long)seed,
                          (unsigned long long)(now_ns - changed_ns));
            changed_ns = now_ns;
            hail_follow_changed(&world.follow, world.signs.answer_ns, now_ns);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow");
    TCase *tests = tcase_create("follow");

    tcase_add_loop_test(tests, test_rows, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tests, test_any_order);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
