// test_sources.c: what prefixes have, against a list that is searched; and more prefixes than
// anybody could keep.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <string.h>

#include "engine/shard/sources.h"
#include "engine/shard/table.h"
#include "tests/vectors.h"

enum {
    SLOTS = 48,
    HANDSHAKES_MAX = 30,
    PREFIXES = 16,
    STEPS = 20000
};

// An IPv4 address for each number.
static struct hail_path v4(uint32_t number, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0x0a000000u + number)}};
    struct hail_path own;

    hail_path_set(&own, (const struct sockaddr *)&address);
    return own;
}

static struct hail_path v6(const char *text)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
    struct hail_path own;

    ck_assert_int_eq(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    hail_path_set(&own, (const struct sockaddr *)&address);
    return own;
}

static void init(struct hail_sources *sources, struct hail_arena *arena, uint32_t conns_max,
                 uint64_t seed)
{
    struct hail_random random;

    *arena = (struct hail_arena){0};
    memset(sources, 0, sizeof *sources);
    hail_sources_init(sources, arena, SLOTS, HANDSHAKES_MAX, conns_max);
    ck_assert(hail_arena_reserve(arena));
    hail_sources_init(sources, arena, SLOTS, HANDSHAKES_MAX, conns_max);
    hail_random_init_seeded(&random, seed);
    hail_sources_seed(sources, &random);
}

// Nothing is left of anybody.
static void cleanup(struct hail_sources *sources, struct hail_arena *arena)
{
    ck_assert_uint_eq(sources->list.used_count, 0);
    ck_assert_uint_eq(hail_sources_crowd(sources), HAIL_SLOT_NONE);
    for (uint32_t i = 0; i < sources->bucket_count; i++)
        ck_assert_uint_eq(sources->buckets[i], 0);
    for (uint32_t i = 0; i <= HANDSHAKES_MAX; i++)
        ck_assert_uint_eq(sources->ranks[i].first | sources->ranks[i].last, 0);
    hail_arena_cleanup(arena);
}

// ---- The slow model

struct model_slot {
    enum {
        NOTHING,
        HANDSHAKE,
        CONN
    } has;
    uint32_t prefix;
    uint64_t began; // the step
};

struct model {
    struct model_slot slots[SLOTS];
    uint64_t changed[PREFIXES]; // the step in which a prefix's number of handshakes last did
};

static uint32_t count(const struct model *model, uint32_t prefix, int has)
{
    uint32_t found = 0;

    for (uint32_t slot = 0; slot < SLOTS; slot++)
        found += (int)model->slots[slot].has == has && model->slots[slot].prefix == prefix;
    return found;
}

static uint32_t oldest(const struct model *model, uint32_t prefix)
{
    uint32_t found = HAIL_SLOT_NONE;

    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        const struct model_slot *own = &model->slots[slot];
        if (own->has == HANDSHAKE && own->prefix == prefix &&
            (found == HAIL_SLOT_NONE || own->began < model->slots[found].began))
            found = slot;
    }
    return found;
}

static uint32_t crowd(const struct model *model)
{
    uint32_t found = 0;

    for (uint32_t prefix = 1; prefix < PREFIXES; prefix++) {
        uint32_t most = count(model, found, HANDSHAKE);
        uint32_t own = count(model, prefix, HANDSHAKE);
        if (own > most || (own == most && model->changed[prefix] < model->changed[found]))
            found = prefix;
    }
    return oldest(model, found);
}

static void compare(const struct hail_sources *sources, const struct model *model, uint64_t dice)
{
    uint32_t prefix = (uint32_t)(dice % PREFIXES);
    const struct hail_path from = v4(prefix, (uint16_t)(dice >> 8));
    struct hail_source_view view = hail_sources_look(sources, &from);

    ck_assert_uint_eq(view.handshakes, count(model, prefix, HANDSHAKE));
    ck_assert_uint_eq(view.conns, count(model, prefix, CONN));
    ck_assert_uint_eq(view.oldest, oldest(model, prefix));
    ck_assert_uint_eq(hail_sources_crowd(sources), crowd(model));
}

// How many connections a prefix may have; 0: they are not counted.
static const uint32_t mosts[] = {0, 1, 3, SLOTS};

START_TEST(test_against_list)
{
    struct hail_sources sources;
    struct hail_arena arena;
    struct model model = {.changed = {0}};
    uint64_t seed = test_seed();
    uint32_t handshakes = 0;
    uint32_t most = mosts[_i];

    init(&sources, &arena, most > 0 ? SLOTS : 0, test_next(&seed));
    for (uint64_t step = 1; step <= STEPS; step++) {
        uint32_t slot = (uint32_t)(test_next(&seed) % SLOTS);
        struct model_slot *own = &model.slots[slot];
        uint64_t dice = test_next(&seed);
        if (own->has == NOTHING && handshakes < HANDSHAKES_MAX && dice % 8 < 5) {
            // Some prefixes are busier than others.
            uint32_t prefix = (uint32_t)(test_next(&seed) % (1 + test_next(&seed) % PREFIXES));
            const struct hail_path from = v4(prefix, (uint16_t)dice);
            hail_sources_begin(&sources, slot, &from);
            *own = (struct model_slot){HANDSHAKE, prefix, step};
            model.changed[prefix] = step;
            handshakes++;
        } else if (own->has == HANDSHAKE && dice % 3 == 0) {
            bool may = most == 0 || count(&model, own->prefix, CONN) < most;
            ck_assert(hail_sources_join(&sources, slot, most) == may);
            if (may) {
                own->has = most == 0 ? NOTHING : CONN;
                model.changed[own->prefix] = step;
                handshakes--;
            }
        } else if (dice % 2) {
            ck_assert(hail_sources_end(&sources, slot) == (own->has != NOTHING));
            if (own->has == HANDSHAKE) {
                model.changed[own->prefix] = step;
                handshakes--;
            }
            own->has = NOTHING;
        }
        compare(&sources, &model, test_next(&seed));
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        (void)hail_sources_end(&sources, slot);
    cleanup(&sources, &arena);
}
END_TEST

// Whoever has any number of prefixes fills no table: a prefix takes a place while it has something,
// and of prefixes with one handshake each the oldest handshake of all is the first to go.
START_TEST(test_many_prefixes)
{
    struct hail_sources sources;
    struct hail_arena arena;
    uint32_t prefix;

    init(&sources, &arena, SLOTS, test_seed());
    for (prefix = 0; prefix < STEPS; prefix++) {
        uint32_t slot = prefix % HANDSHAKES_MAX;
        const struct hail_path from = v4(prefix, 7);
        if (prefix >= HANDSHAKES_MAX) {
            ck_assert_uint_eq(hail_sources_crowd(&sources), slot);
            ck_assert(hail_sources_end(&sources, slot));
        }
        hail_sources_begin(&sources, slot, &from);
        ck_assert_uint_le(sources.list.used_count, HANDSHAKES_MAX);
    }
    ck_assert_uint_eq(sources.list.fresh, HANDSHAKES_MAX);
    for (uint32_t slot = 0; slot < HANDSHAKES_MAX; slot++)
        ck_assert(hail_sources_end(&sources, slot));
    cleanup(&sources, &arena);
}
END_TEST

// What counts as one source.
static const struct {
    const char *why;
    const char *one;
    const char *other;
    bool same;
} pairs[] = {
    {"neighbours on IPv4", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
    {"IPv4 and what looks like it", "::ffff:192.0.2.1", "::192.0.2.1", false},
    {"neighbours on IPv6", "2001:db8::1", "2001:db8::2", true},
    {"two /64 of a customer's /56", "2001:db8::1", "2001:db8:0:ff::1", true},
    {"two /56", "2001:db8::1", "2001:db8:0:100::1", false},
    {"two /56 of a customer's /48", "2001:db8::1", "2001:db8:0:ff00::1", false},
};

START_TEST(test_prefix)
{
    struct hail_sources sources;
    struct hail_arena arena;
    const struct hail_path one = v6(pairs[_i].one);
    const struct hail_path other = v6(pairs[_i].other);

    init(&sources, &arena, 0, test_seed());
    hail_sources_begin(&sources, 5, &one);
    ck_assert_msg(hail_sources_look(&sources, &other).handshakes == pairs[_i].same, "%s",
                  pairs[_i].why);
    ck_assert(hail_sources_end(&sources, 5));
    ck_assert(!hail_sources_end(&sources, 5));
    cleanup(&sources, &arena);
}
END_TEST

START_TEST(test_mapped)
{
    struct hail_sources sources;
    struct hail_arena arena;
    const struct hail_path plain = v4(0x010203, 7);
    const struct hail_path mapped = v6("::ffff:10.1.2.3");

    init(&sources, &arena, 0, test_seed());
    hail_sources_begin(&sources, 0, &plain);
    ck_assert_uint_eq(hail_sources_look(&sources, &mapped).handshakes, 1);
    ck_assert(hail_sources_end(&sources, 0));
    cleanup(&sources, &arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sources");
    TCase *tests = tcase_create("sources");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_against_list, 0, HAIL_COUNTOF(mosts));
    tcase_add_test(tests, test_many_prefixes);
    tcase_add_loop_test(tests, test_prefix, 0, HAIL_COUNTOF(pairs));
    tcase_add_test(tests, test_mapped);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
