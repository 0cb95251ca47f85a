// test_pmtu.c: the search for what a path takes, on paths that take what they like and lose the
// rest, and some more by chance.
// SPDX-License-Identifier: MIT
#include "crypto/time.h"
#include "proto/packet.h"
#include "proto/pmtu.h"
#include "tests/vectors.h"

enum {
    ROUNDS = 2000,
    RTT_MS = 50,
    PROBES_MAX = 40 // of one search: 8 halvings, each tried 3 times, and what chance takes
};

static struct hail_pmtu begun(void)
{
    struct hail_pmtu pmtu;

    hail_pmtu_init(&pmtu, HAIL_PACKET_MAX);
    pmtu.wanted = true;
    return pmtu;
}

static void arrive(struct hail_pmtu *pmtu, size_t len, bool is_probe, uint64_t sent_ms)
{
    hail_pmtu_arrived(pmtu, &(struct hail_pmtu_packet){len, is_probe, sent_ms * HAIL_NS_PER_MS},
                      (sent_ms + RTT_MS) * HAIL_NS_PER_MS);
}

// Its loss is noticed after a round trip.
static bool lose(struct hail_pmtu *pmtu, size_t len, uint64_t sent_ms)
{
    return hail_pmtu_lost(pmtu, &(struct hail_pmtu_packet){len, false, sent_ms * HAIL_NS_PER_MS},
                          (sent_ms + RTT_MS) * HAIL_NS_PER_MS);
}

// Probes until the search is over, and returns how many it took.
static int search(struct hail_pmtu *pmtu, size_t path, uint64_t now_ns, uint64_t *dice,
                  uint64_t loss)
{
    int probes = 0;
    size_t len;

    while ((len = hail_pmtu_probe(pmtu, now_ns)) != 0) {
        ck_assert_uint_gt(len, pmtu->size);
        ck_assert_uint_le(len, HAIL_PACKET_MAX);
        ck_assert_uint_eq(hail_pmtu_probe(pmtu, now_ns), 0); // one at a time
        const struct hail_pmtu_packet probe = {len, true, now_ns};
        if (len <= path && test_next(dice) % 100 >= loss)
            hail_pmtu_arrived(pmtu, &probe, now_ns);
        else
            ck_assert(!hail_pmtu_lost(pmtu, &probe, now_ns));
        ck_assert_int_le(++probes, PROBES_MAX);
    }
    return probes;
}

START_TEST(test_search)
{
    uint64_t dice = test_seed();

    for (int i = 0; i < ROUNDS; i++) {
        struct hail_pmtu pmtu = begun();
        size_t path = HAIL_DATAGRAM_MAX + test_next(&dice) % 400;
        size_t passes = path < HAIL_PACKET_MAX ? path : HAIL_PACKET_MAX;
        search(&pmtu, path, 0, &dice, 0);
        ck_assert_uint_le(pmtu.size, passes);
        ck_assert_uint_ge(pmtu.size + HAIL_PMTU_STEP, passes);
    }
}
END_TEST

// What chance takes makes a search stop too early, never too late.
START_TEST(test_search_with_losses)
{
    uint64_t dice = test_seed();

    for (int i = 0; i < ROUNDS; i++) {
        struct hail_pmtu pmtu = begun();
        size_t path = HAIL_DATAGRAM_MAX + test_next(&dice) % 400;
        search(&pmtu, path, 0, &dice, 30);
        ck_assert_uint_le(pmtu.size, path);
    }
}
END_TEST

START_TEST(test_the_usual_path_takes_one_probe)
{
    struct hail_pmtu pmtu = begun();
    uint64_t dice = 1;

    ck_assert_int_eq(search(&pmtu, 1452, 0, &dice, 0), 1);
    ck_assert_uint_eq(pmtu.size, 1452);
}
END_TEST

static const struct {
    const char *why;
    bool wanted;
    uint16_t most;
    uint64_t after_ms; // a search that found nothing
    bool probes;
} starts[] = {
    {"nobody needs it", false, HAIL_PACKET_MAX, HAIL_PMTU_RAISE_MS, false},
    {"the application wants none longer", true, HAIL_DATAGRAM_MAX, HAIL_PMTU_RAISE_MS, false},
    {"it was searched just now", true, HAIL_PACKET_MAX, HAIL_PMTU_RAISE_MS - 1, false},
    {"the path may be another by now", true, HAIL_PACKET_MAX, HAIL_PMTU_RAISE_MS, true},
};

START_TEST(test_start)
{
    struct hail_pmtu pmtu;
    uint64_t dice = 1;

    hail_pmtu_init(&pmtu, starts[_i].most);
    pmtu.wanted = true;
    search(&pmtu, HAIL_DATAGRAM_MAX, 0, &dice, 0);
    ck_assert_uint_eq(pmtu.size, HAIL_DATAGRAM_MAX);
    ck_assert(!pmtu.wanted); // the next search is for who wants it then
    pmtu.wanted = starts[_i].wanted;
    uint64_t now_ns = starts[_i].after_ms * HAIL_NS_PER_MS;
    ck_assert_msg((hail_pmtu_probe(&pmtu, now_ns) != 0) == starts[_i].probes, "%s", starts[_i].why);
}
END_TEST

// What becomes of packets on a path that was found to take 1,452 bytes. They are sent in this
// order, each loss is noticed a round trip later.
static const struct {
    const char *why;
    struct {
        uint64_t sent_ms;
        uint32_t count; // of them; 0: the row is over
        uint16_t len;
        bool arrives;
    } packets[8];
    bool falls;
} fates[] = {
    {"a burst that a queue had no room for", {{100, 40, 1452, false}}, false},
    {"and the next one", {{100, 40, 1452, false}, {151, 40, 1452, false}}, false},
    {"flight after flight",
     {{100, 8, 1452, false}, {151, 8, 1452, false}, {202, 1, 1452, false}},
     true},
    {"one packet of a flight is as good as all",
     {{100, 1, 1400, false}, {151, 1, 1300, false}, {202, 1, 1201, false}},
     true},
    {"losses that were noticed late, of one flight",
     {{100, 8, 1452, false}, {120, 8, 1452, false}, {149, 8, 1452, false}},
     false},
    {"one arrives in between",
     {{100, 8, 1452, false}, {151, 8, 1452, false}, {202, 1, 1452, true}, {203, 8, 1452, false}},
     false},
    {"lost, and one that was sent later has arrived",
     {{100, 1, 1452, true}, {90, 8, 1452, false}, {95, 8, 1452, false}, {99, 8, 1452, false}},
     false},
    {"those of the base that arrive tell nothing about long ones",
     {{100, 1, 1452, false}, {151, 9, 1200, true}, {152, 1, 1452, false}, {210, 1, 1452, false}},
     true},
    {"nor do those of the base that are lost",
     {{100, 8, 1200, false}, {151, 8, 1200, false}, {202, 8, 1200, false}},
     false},
};

START_TEST(test_fall)
{
    struct hail_pmtu pmtu = begun();
    uint64_t dice = 1;
    bool fell = false;

    search(&pmtu, 1452, 0, &dice, 0);
    for (size_t i = 0; i < HAIL_COUNTOF(fates[_i].packets); i++) {
        for (uint32_t j = 0; j < fates[_i].packets[i].count; j++) {
            if (fates[_i].packets[i].arrives)
                arrive(&pmtu, fates[_i].packets[i].len, false, fates[_i].packets[i].sent_ms);
            else
                fell |= lose(&pmtu, fates[_i].packets[i].len, fates[_i].packets[i].sent_ms);
        }
    }
    ck_assert_msg(fell == fates[_i].falls, "%s", fates[_i].why);
    ck_assert_uint_eq(pmtu.size, fell ? HAIL_DATAGRAM_MAX : 1452);
}
END_TEST

// A path that takes less from now on: the base is used at once, and searched anew after a while.
START_TEST(test_after_a_fall)
{
    struct hail_pmtu pmtu = begun();
    uint64_t dice = 1;

    search(&pmtu, 1452, 0, &dice, 0);
    ck_assert(!lose(&pmtu, 1400, 100) && !lose(&pmtu, 1400, 200) && lose(&pmtu, 1400, 300));
    ck_assert(!lose(&pmtu, 1400, 310)); // one that was under way
    uint64_t again_ns = (300 + RTT_MS + HAIL_PMTU_RECOVER_MS) * HAIL_NS_PER_MS;
    pmtu.wanted = true;
    ck_assert_uint_eq(hail_pmtu_probe(&pmtu, again_ns - 1), 0);
    search(&pmtu, 1300, again_ns, &dice, 0);
    ck_assert_uint_gt(pmtu.size, 1300 - HAIL_PMTU_STEP);
    ck_assert_uint_le(pmtu.size, 1300);
}
END_TEST

START_TEST(test_probe_of_another_path)
{
    struct hail_pmtu pmtu = begun();

    ck_assert_uint_eq(hail_pmtu_probe(&pmtu, 0), 1452);
    hail_pmtu_init(&pmtu, HAIL_PACKET_MAX);
    const struct hail_pmtu_packet probe = {1452, true, 0};
    hail_pmtu_arrived(&pmtu, &probe, 0);
    ck_assert_uint_eq(pmtu.size, HAIL_DATAGRAM_MAX);
    ck_assert(!hail_pmtu_lost(&pmtu, &probe, 0));
    ck_assert(!hail_pmtu_fall(&pmtu, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pmtu");
    TCase *tests = tcase_create("pmtu");

    tcase_add_test(tests, test_search);
    tcase_add_test(tests, test_search_with_losses);
    tcase_add_test(tests, test_the_usual_path_takes_one_probe);
    tcase_add_loop_test(tests, test_start, 0, HAIL_COUNTOF(starts));
    tcase_add_loop_test(tests, test_fall, 0, HAIL_COUNTOF(fates));
    tcase_add_test(tests, test_after_a_fall);
    tcase_add_test(tests, test_probe_of_another_path);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
