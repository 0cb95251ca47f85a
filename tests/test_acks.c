// test_acks.c: what is acknowledged and when, against a plain list; and the frame's content, which
// comes from the other end.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "crypto/time.h"
#include "proto/acks.h"
#include "tests/vectors.h"

enum {
    NUMBERS = 4000,
    ROUNDS = 300
};

// ---- When

static const struct {
    const char *why;
    enum hail_eliciting eliciting;
    uint32_t packets;
    uint64_t due_ms; // UINT64_MAX: never
} times[] = {
    {"control alone is not acknowledged", HAIL_ELICITS_NOTHING, 100, UINT64_MAX},
    {"unreliable ones have time", HAIL_ELICITS_LAZILY, 1, HAIL_ACK_DELAY_LAZY_MS},
    {"but not for many", HAIL_ELICITS_LAZILY, HAIL_ACK_PACKETS, 0},
    {"one fewer", HAIL_ELICITS_LAZILY, HAIL_ACK_PACKETS - 1, HAIL_ACK_DELAY_LAZY_MS},
    {"reliable ones have little time", HAIL_ELICITS_SOON, 1, HAIL_ACK_DELAY_MS},
    {"who asks is answered at once", HAIL_ELICITS_AT_ONCE, 1, 0},
};

START_TEST(test_time)
{
    struct hail_acks acks;
    uint64_t now_ns = 77 * HAIL_NS_PER_MS;
    uint64_t want_ns =
        times[_i].due_ms == UINT64_MAX ? UINT64_MAX : now_ns + times[_i].due_ms * HAIL_NS_PER_MS;

    hail_acks_init(&acks);
    for (uint32_t i = 0; i < times[_i].packets; i++)
        hail_acks_note(&acks, i, times[_i].eliciting, now_ns);
    ck_assert_msg(acks.due_ns == want_ns, "%s", times[_i].why);
    ck_assert_msg(hail_acks_worth(&acks, want_ns) == (want_ns != UINT64_MAX), "%s", times[_i].why);
    hail_acks_told(&acks, want_ns);
    ck_assert_uint_eq(acks.due_ns, UINT64_MAX);
    ck_assert(!hail_acks_worth(&acks, now_ns + 1000 * HAIL_NS_PER_MS));
}
END_TEST

static const struct {
    const char *why;
    enum hail_eliciting eliciting;
    uint32_t packets;
    uint64_t after_ms; // since an acknowledgement was last said
    bool worth;
} riders[] = {
    {"nothing is owed", HAIL_ELICITS_LAZILY, 0, 1000, false},
    {"one has just been said", HAIL_ELICITS_LAZILY, 1, 0, false},
    {"nor of a reliable one", HAIL_ELICITS_SOON, 1, 0, false},
    {"an ask is no reason to wait", HAIL_ELICITS_AT_ONCE, 1, 0, true},
    {"the other end waits for reliable ones", HAIL_ELICITS_SOON, 1, 5, true},
    {"or for many of them", HAIL_ELICITS_SOON, 8, 0, true},
    {"and not so for others", HAIL_ELICITS_LAZILY, 8, 49, false},
    {"but every now and then", HAIL_ELICITS_LAZILY, 1, 50, true},
    {"or of many", HAIL_ELICITS_LAZILY, HAIL_ACK_PACKETS / 2, 0, true},
};

START_TEST(test_rider)
{
    const uint64_t told_ns = 5000 * HAIL_NS_PER_MS;
    uint64_t now_ns = told_ns + riders[_i].after_ms * HAIL_NS_PER_MS;
    struct hail_acks acks;

    hail_acks_init(&acks);
    hail_acks_told(&acks, told_ns);
    for (uint32_t i = 0; i < riders[_i].packets; i++)
        hail_acks_note(&acks, i, riders[_i].eliciting, now_ns);
    ck_assert_msg(hail_acks_worth(&acks, now_ns) == riders[_i].worth, "%s", riders[_i].why);
}
END_TEST

// Ends that send 20 times a second, whatever lies between their times, never send one alone.
START_TEST(test_game)
{
    const uint64_t tick_ns = 50 * HAIL_NS_PER_MS;
    struct hail_acks acks;
    uint64_t said = 0;

    hail_acks_init(&acks);
    for (uint64_t tick = 0; tick < 200; tick++) {
        uint64_t came_ns = tick * tick_ns + (uint64_t)_i * HAIL_NS_PER_MS;
        uint64_t leaves_ns = (tick + 1) * tick_ns;

        hail_acks_note(&acks, tick, HAIL_ELICITS_LAZILY, came_ns);
        ck_assert_uint_gt(acks.due_ns, leaves_ns);
        if (!hail_acks_worth(&acks, leaves_ns))
            continue;
        hail_acks_told(&acks, leaves_ns);
        said++;
    }
    ck_assert_uint_ge(said, 199);
}
END_TEST

// ---- What

static bool is_in(const struct hail_ack *ack, uint64_t number)
{
    for (size_t i = 0; i < ack->count; i++) {
        if (number >= ack->ranges[i].first && number <= ack->ranges[i].last)
            return true;
    }
    return false;
}

// What is said is what has come, of the last HAIL_ACKS_WINDOW numbers, as far as the ranges reach.
START_TEST(test_against_list)
{
    uint64_t dice = test_seed();

    for (int round = 0; round < ROUNDS; round++) {
        static bool seen[NUMBERS];
        struct hail_acks acks;
        uint64_t next = test_next(&dice) % (NUMBERS / 2);
        uint64_t holes = test_next(&dice) % 8;
        uint8_t content[HAIL_ACK_LEN_MAX];
        struct hail_ack ack;
        struct hail_ack read;

        memset(seen, 0, sizeof seen);
        hail_acks_init(&acks);
        for (int i = 0; i < 600; i++) {
            uint64_t number = next > 300 && test_next(&dice) % 4 == 0
                                  ? next - 1 - test_next(&dice) % 300 // late
                                  : next++;
            if (number >= NUMBERS || test_next(&dice) % 8 < holes)
                continue;
            hail_acks_note(&acks, number, HAIL_ELICITS_LAZILY, 0);
            seen[number] = seen[number] || number + HAIL_ACKS_WINDOW >= acks.next;
        }
        if (acks.next == 0)
            continue;
        hail_acks_fill(&acks, &ack, 5 * HAIL_NS_PER_MS);
        uint64_t lowest = ack.ranges[ack.count - 1].first;
        ck_assert_uint_eq(ack.ranges[0].last, acks.next - 1);
        ck_assert_uint_eq(ack.delay_us, 5000);
        for (uint64_t n = lowest; n < acks.next; n++)
            ck_assert_int_eq(is_in(&ack, n), seen[n]);
        if (ack.count < HAIL_ACK_RANGES_MAX) { // then it reaches as far as it can
            for (uint64_t n = 0; n < lowest; n++)
                ck_assert(!seen[n] || n + HAIL_ACKS_WINDOW < acks.next);
        }
        // And the other end reads the same, if it has sent that much and not too much more.
        size_t len = hail_ack_encode(content, &ack);
        ck_assert_int_eq(hail_ack_decode(&read, (struct hail_bytes){content, len},
                                         acks.next + test_next(&dice) % 1000),
                         HAIL_ACCEPT);
        ck_assert_uint_eq(read.count, ack.count);
        ck_assert_uint_eq(read.delay_us, ack.delay_us);
        ck_assert_mem_eq(read.ranges, ack.ranges, ack.count * sizeof ack.ranges[0]);
    }
}
END_TEST

// ---- From the other end

static const struct {
    const char *why;
    const char *hex;
    uint64_t next_number;
    enum hail_verdict want;
} contents[] = {
    {"nothing", "", 10, HAIL_DROP_MALFORMED},
    {"a number that is cut off", "0000", 10, HAIL_DROP_MALFORMED},
    {"no delay", "000005", 10, HAIL_DROP_MALFORMED},
    {"no range", "00000500", 10, HAIL_DROP_MALFORMED},
    {"one packet", "0000050000", 10, HAIL_ACCEPT},
    {"the first packet", "0000000000", 1, HAIL_ACCEPT},
    {"before anything was sent", "0000000000", 0, HAIL_DROP_FALSE_ACK},
    {"one that was not sent", "0000050000", 5, HAIL_DROP_FALSE_ACK},
    {"the last that was sent", "0000040000", 5, HAIL_ACCEPT},
    {"far beyond what was sent", "7fffff0000", 5, HAIL_DROP_FALSE_ACK},
    {"low bits of a large number", "fffffa0000", UINT64_C(1) << 40, HAIL_ACCEPT},
    {"low bits of one that a large number has not come to", "0000050000", UINT64_C(1) << 40,
     HAIL_DROP_FALSE_ACK},
    {"low bits that have begun anew since", "fffffa0000", (UINT64_C(1) << 40) + 100, HAIL_ACCEPT},
    {"down to the first", "0000050005", 10, HAIL_ACCEPT},
    {"down to before the first", "0000050006", 10, HAIL_DROP_MALFORMED},
    {"a varint longer than need be", "000005400100", 10, HAIL_DROP_MALFORMED},
    {"a gap without a range", "000005000000", 10, HAIL_DROP_MALFORMED},
    {"a second range down to the first", "00000500000102", 10, HAIL_ACCEPT},
    {"a second range below 0", "00000500000103", 10, HAIL_DROP_MALFORMED},
    {"a gap below 0", "00000500000400", 10, HAIL_DROP_MALFORMED},
    {"a gap of nearly everything", "0000050000ffffffffffffffff00", 10, HAIL_DROP_MALFORMED},
    {"a range of nearly everything",
     "0000050000"
     "00"
     "ffffffffffffffff",
     10, HAIL_DROP_MALFORMED},
};

START_TEST(test_content)
{
    struct vector_bytes bytes = test_unhex(contents[_i].hex);
    struct hail_ack ack;

    enum hail_verdict verdict =
        hail_ack_decode(&ack, (struct hail_bytes){bytes.data, bytes.len}, contents[_i].next_number);
    ck_assert_msg(verdict == contents[_i].want, "%s: %s", contents[_i].why,
                  hail_verdict_name(verdict));
    free(bytes.data);
}
END_TEST

// One range more than there is room for is refused, and not read.
START_TEST(test_too_many_ranges)
{
    uint8_t content[5 + 2 * HAIL_ACK_RANGES_MAX] = {0, 1, 0};
    struct hail_ack ack;

    ck_assert_int_eq(hail_ack_decode(&ack, (struct hail_bytes){content, sizeof content - 2}, 1000),
                     HAIL_ACCEPT);
    ck_assert_uint_eq(ack.count, HAIL_ACK_RANGES_MAX);
    ck_assert_int_eq(hail_ack_decode(&ack, (struct hail_bytes){content, sizeof content}, 1000),
                     HAIL_DROP_MALFORMED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("acks");
    TCase *tests = tcase_create("acks");

    tcase_add_loop_test(tests, test_time, 0, HAIL_COUNTOF(times));
    tcase_add_loop_test(tests, test_rider, 0, HAIL_COUNTOF(riders));
    tcase_add_loop_test(tests, test_game, 0, 50);
    tcase_add_test(tests, test_against_list);
    tcase_add_loop_test(tests, test_content, 0, HAIL_COUNTOF(contents));
    tcase_add_test(tests, test_too_many_ranges);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
