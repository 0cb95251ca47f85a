// test_segments.c: messages put together from parts, against an array of bytes and flags, and
// what they occupy, block by block.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "engine/delivery/segments.h"
#include "tests/vectors.h"

enum {
    BLOCKS = 40000,
    LONGEST = 1 << 20,
    LEAF = HAIL_SEGMENTS_BYTES,
    FAN = HAIL_SEGMENTS_FAN,
    LEVELS = 3,
    PARTS = 3000
};

static struct hail_pool pool;
static struct hail_arena arena;

static void setup(void)
{
    arena = (struct hail_arena){0};
    hail_pool_init(&pool, &arena, HAIL_BLOCK_MESSAGE, BLOCKS);
    ck_assert(hail_arena_reserve(&arena));
    hail_pool_init(&pool, &arena, HAIL_BLOCK_MESSAGE, BLOCKS);
}

static void teardown(void)
{
    ck_assert_uint_eq(pool.used_count, 0);
    hail_arena_cleanup(&arena);
}

// The slow, obvious model.
struct model {
    uint8_t bytes[LONGEST];
    bool came[LONGEST];
    uint32_t got;
};

static struct model model;

static void model_add(uint32_t offset, const uint8_t *data, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (model.came[offset + i])
            continue;
        model.came[offset + i] = true;
        model.bytes[offset + i] = data[i];
        model.got++;
    }
}

// Blocks that hold at least one byte that has come, and those that lead to them.
static uint32_t model_blocks(uint32_t total)
{
    uint32_t blocks = 0;

    for (uint64_t span = LEAF;; span *= FAN) {
        for (uint64_t at = 0; at < total; at += span) {
            uint64_t end = at + span < total ? at + span : total;
            blocks += memchr(model.came + at, true, end - at) != NULL;
        }
        if (span >= total)
            return blocks;
    }
}

static void add_both(struct hail_segments *message, uint32_t offset, const uint8_t *data,
                     uint32_t len)
{
    uint32_t needs = hail_segments_needs(message, &pool, offset, len);
    uint32_t most = hail_segments_most(message->total, offset, len);
    uint32_t blocks = message->blocks;
    uint32_t got = model.got;
    uint32_t used = pool.used_count;

    model_add(offset, data, len);
    uint32_t fresh = hail_segments_add(message, &pool, offset, data, len);
    ck_assert_uint_eq(fresh, model.got - got);
    ck_assert_uint_eq(message->got, model.got);
    ck_assert_uint_eq(message->blocks - blocks, needs);
    ck_assert_uint_eq(pool.used_count - used, needs);
    ck_assert_uint_le(needs, most);
}

static void check_whole(struct hail_segments *message, uint32_t total)
{
    uint8_t *out = malloc(total);
    uint32_t used = pool.used_count;
    uint32_t blocks = message->blocks;

    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(message->got, total);
    ck_assert_uint_eq(blocks, hail_segments_blocks_max(total));
    hail_segments_take(message, &pool, out);
    ck_assert_mem_eq(out, model.bytes, total);
    ck_assert_uint_eq(pool.used_count, used - blocks);
    ck_assert_uint_eq(message->blocks, 0);
    ck_assert_uint_eq(message->got, 0);
    free(out);
}

// ---- What parts cost

static const struct {
    const char *why;
    uint32_t total;
    uint32_t offset;
    uint32_t len;
    uint32_t then_offset;
    uint32_t then_len;
    uint32_t blocks; // after the first part
    uint32_t more;   // of the second
} costs[] = {
    {"one byte of what fits a block: it alone", LEAF, 5, 1, 0, LEAF, 1, 0},
    {"one byte of more: a block and its index", LEAF + 1, LEAF, 1, 0, 1, 2, 1},
    {"the last byte that one level reaches", LEAF *FAN, LEAF *FAN - 1, 1, 0, 1, 2, 1},
    {"one byte more: two levels", LEAF *FAN + 1, LEAF *FAN, 1, LEAF *FAN - 1, 1, 3, 2},
    {"three levels", LONGEST, 0, 1, LONGEST - 1, 1, 4, 3},
    {"a byte beside one that is there", LONGEST, 100, 1, 101, 1, 4, 0},
    {"the same byte again", LONGEST, 100, 1, 100, 1, 4, 0},
    {"the last of a block and the first of the next", LONGEST, LEAF - 1, 2, 0, 2 * LEAF, 5, 0},
    {"across two indices", LONGEST, LEAF *FAN - 1, 2, 0, 1, 6, 1},
    {"a packet's worth", LONGEST, 0, 1160, 1160, 1160, 3 + 6, 5},
};

START_TEST(test_cost)
{
    static uint8_t data[LONGEST];
    struct hail_segments message;

    hail_segments_init(&message, costs[_i].total);
    ck_assert_uint_eq(message.blocks, 0);
    ck_assert_uint_eq(hail_segments_needs(&message, &pool, costs[_i].offset, costs[_i].len),
                      costs[_i].blocks);
    ck_assert_uint_eq(hail_segments_add(&message, &pool, costs[_i].offset, data, costs[_i].len),
                      costs[_i].len);
    ck_assert_msg(message.blocks == costs[_i].blocks, "%s: %u", costs[_i].why, message.blocks);
    ck_assert_uint_eq(
        hail_segments_needs(&message, &pool, costs[_i].then_offset, costs[_i].then_len),
        costs[_i].more);
    hail_segments_add(&message, &pool, costs[_i].then_offset, data, costs[_i].then_len);
    ck_assert_msg(message.blocks == costs[_i].blocks + costs[_i].more, "%s: %u", costs[_i].why,
                  message.blocks);
    ck_assert_uint_eq(pool.used_count, message.blocks);
    hail_segments_clear(&message, &pool);
}
END_TEST

// The bytes that came first stay, whatever comes later in their place.
START_TEST(test_first_bytes_stay)
{
    struct hail_segments message;
    uint8_t out[6];

    hail_segments_init(&message, sizeof out);
    ck_assert_uint_eq(hail_segments_add(&message, &pool, 2, (const uint8_t *)"cd", 2), 2);
    ck_assert_uint_eq(hail_segments_add(&message, &pool, 2, (const uint8_t *)"XY", 2), 0);
    ck_assert_uint_eq(hail_segments_add(&message, &pool, 0, (const uint8_t *)"abZZef", 6), 4);
    hail_segments_take(&message, &pool, out);
    ck_assert_mem_eq(out, "abcdef", sizeof out);
}
END_TEST

// The worst that can be done: a byte in each block, and in the longest message far from each other.
START_TEST(test_far_bytes)
{
    const uint8_t byte = 1;
    struct hail_segments message;

    hail_segments_init(&message, HAIL_SEGMENTS_MAX);
    for (uint32_t i = 0; i < FAN * FAN; i++) {
        uint32_t before = message.blocks;
        hail_segments_add(&message, &pool, i * LEAF * FAN, &byte, 1);
        ck_assert_uint_le(message.blocks - before, 1 + LEVELS);
    }
    ck_assert_uint_eq(message.blocks, 1 + FAN + 2 * FAN * FAN);
    ck_assert_uint_eq(message.got, FAN * FAN);
    hail_segments_clear(&message, &pool);
    ck_assert_uint_eq(message.blocks, 0);
}
END_TEST

// ---- Against the model

static const uint32_t totals[] = {1,
                                  2,
                                  LEAF - 1,
                                  LEAF,
                                  LEAF + 1,
                                  1161,
                                  2000,
                                  LEAF *FAN - 1,
                                  LEAF *FAN,
                                  LEAF *FAN + 1,
                                  60000,
                                  LEAF *FAN *FAN,
                                  LEAF *FAN *FAN + 1,
                                  LONGEST};

// Parts of any place and length, then all in order, cut anew.
START_TEST(test_property)
{
    static uint8_t data[LONGEST];
    uint32_t total = totals[_i];
    uint64_t dice = test_seed();
    struct hail_segments message;

    memset(&model, 0, sizeof model);
    hail_segments_init(&message, total);
    for (size_t i = 0; i < PARTS && message.got < total; i++) {
        uint32_t most = test_next(&dice) % 4 == 0 ? 5000 : 40;
        uint32_t offset = (uint32_t)(test_next(&dice) % total);
        uint32_t len = 1 + (uint32_t)(test_next(&dice) % most);
        len = len < total - offset ? len : total - offset;
        for (uint32_t at = 0; at < len; at++)
            data[at] = (uint8_t)test_next(&dice);
        add_both(&message, offset, data, len);
        if (i % 500 == 0)
            ck_assert_uint_eq(message.blocks, model_blocks(total));
    }
    ck_assert_uint_eq(message.blocks, model_blocks(total));
    for (uint32_t offset = 0; offset < total;) {
        uint32_t len = 1 + (uint32_t)(test_next(&dice) % 1200);
        len = len < total - offset ? len : total - offset;
        memset(data, (int)(test_next(&dice) % 256), len);
        add_both(&message, offset, data, len);
        offset += len;
    }
    check_whole(&message, total);
}
END_TEST

// Two messages at a time do not disturb each other, and one that is dropped leaves nothing.
START_TEST(test_neighbours)
{
    static uint8_t data[LONGEST];
    uint64_t dice = test_seed();
    struct hail_segments one;
    struct hail_segments other;

    memset(&model, 0, sizeof model);
    hail_segments_init(&one, 50000);
    hail_segments_init(&other, 70000);
    for (uint32_t offset = 0; offset < 50000; offset += 500) {
        memset(data, (int)(test_next(&dice) % 256), 500);
        add_both(&one, offset, data, 500);
        hail_segments_add(&other, &pool, (uint32_t)(test_next(&dice) % 69500), data, 500);
    }
    ck_assert_uint_eq(pool.used_count, one.blocks + other.blocks);
    hail_segments_clear(&other, &pool);
    check_whole(&one, 50000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("segments");
    TCase *tests = tcase_create("reassembly");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_cost, 0, HAIL_COUNTOF(costs));
    tcase_add_test(tests, test_first_bytes_stay);
    tcase_add_test(tests, test_far_bytes);
    tcase_add_loop_test(tests, test_property, 0, HAIL_COUNTOF(totals));
    tcase_add_test(tests, test_neighbours);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
