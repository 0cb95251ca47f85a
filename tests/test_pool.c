// test_pool.c: chains of blocks against a plain array, and the pool's bound.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "engine/memory/pool.h"
#include "tests/vectors.h"

enum {
    BLOCKS = 24,
    BLOCK_BYTES = HAIL_BLOCK_STREAM - HAIL_BLOCK_LINK,
    CHAINS = 3,
    STEPS = 20000
};

static struct hail_pool pool;
static struct hail_arena arena;

static void setup(void)
{
    arena = (struct hail_arena){0};
    hail_pool_init(&pool, &arena, HAIL_BLOCK_STREAM, BLOCKS);
    ck_assert(hail_arena_reserve(&arena));
    hail_pool_init(&pool, &arena, HAIL_BLOCK_STREAM, BLOCKS);
}

static void teardown(void)
{
    hail_arena_cleanup(&arena);
}

static const struct {
    const char *why;
    size_t len;
    bool fits;
} sizes[] = {
    {"nothing needs no block", 0, true},
    {"one byte", 1, true},
    {"one block to its last byte", BLOCK_BYTES, true},
    {"one byte more: two blocks", BLOCK_BYTES + 1, true},
    {"every block there is", (size_t)BLOCKS *BLOCK_BYTES, true},
    {"one byte more than there is", (size_t)BLOCKS *BLOCK_BYTES + 1, false},
};

START_TEST(test_size)
{
    uint8_t *data = calloc(1, sizes[_i].len + 1);
    struct hail_chain chain;

    hail_chain_init(&chain);
    ck_assert_msg(hail_chain_append(&chain, &pool, data, sizes[_i].len) == sizes[_i].fits, "%s",
                  sizes[_i].why);
    ck_assert_uint_eq(chain.len, sizes[_i].fits ? sizes[_i].len : 0);
    hail_chain_consume(&chain, &pool, chain.len);
    ck_assert_uint_eq(pool.used_count, 0);
    free(data);
}
END_TEST

// The slow, obvious model of a chain.
struct model {
    uint8_t bytes[BLOCKS * BLOCK_BYTES];
    size_t len;
};

static void check(const struct hail_chain *chain, const struct model *model)
{
    static uint8_t copy[sizeof model->bytes];
    struct iovec views[BLOCKS + 1];
    size_t viewed;
    size_t at = 0;

    ck_assert_uint_eq(chain->len, model->len);
    hail_chain_copy(chain, &pool, copy, chain->len);
    ck_assert_mem_eq(copy, model->bytes, model->len);
    size_t count = hail_chain_views(chain, &pool, views, BLOCKS + 1, &viewed);
    ck_assert_uint_eq(viewed, model->len);
    for (size_t i = 0; i < count; i++) {
        ck_assert_mem_eq(views[i].iov_base, model->bytes + at, views[i].iov_len);
        at += views[i].iov_len;
    }
}

START_TEST(test_chains_against_arrays)
{
    static struct model models[CHAINS];
    static uint8_t data[3 * BLOCK_BYTES];
    struct hail_chain chains[CHAINS];
    uint64_t seed = test_seed();

    for (int i = 0; i < CHAINS; i++) {
        hail_chain_init(&chains[i]);
        models[i].len = 0;
    }
    for (int step = 0; step < STEPS; step++) {
        size_t which = test_next(&seed) % CHAINS;
        struct model *model = &models[which];
        if (test_next(&seed) % 2) {
            size_t len = test_next(&seed) % (test_next(&seed) % 8 ? 300 : sizeof data);
            memset(data, (int)test_next(&seed), len);
            bool fits = hail_chain_fits(&chains[which], &pool, len);
            if (hail_chain_append(&chains[which], &pool, data, len)) {
                if (fits && len > 0)
                    ck_assert_mem_eq(hail_chain_last(&chains[which], &pool, len), data, len);
                memcpy(model->bytes + model->len, data, len);
                model->len += len;
            }
        } else {
            size_t len = model->len ? test_next(&seed) % (model->len + 1) : 0;
            hail_chain_consume(&chains[which], &pool, len);
            memmove(model->bytes, model->bytes + len, model->len - len);
            model->len -= len;
        }
        check(&chains[which], model);
    }
    for (int i = 0; i < CHAINS; i++)
        hail_chain_consume(&chains[i], &pool, chains[i].len);
    ck_assert_uint_eq(pool.used_count, 0);
}
END_TEST

// Reading from any place on gives what lies there, wherever the last reading ended.
// What fits lies in one piece, and one byte more does not.
START_TEST(test_fits)
{
    static uint8_t data[BLOCK_BYTES];
    struct hail_chain chain;

    hail_chain_init(&chain);
    ck_assert(hail_chain_fits(&chain, &pool, BLOCK_BYTES));
    ck_assert(!hail_chain_fits(&chain, &pool, BLOCK_BYTES + 1));
    ck_assert(hail_chain_append(&chain, &pool, data, 100));
    ck_assert(hail_chain_fits(&chain, &pool, BLOCK_BYTES - 100));
    ck_assert(!hail_chain_fits(&chain, &pool, BLOCK_BYTES - 99));
    ck_assert(hail_chain_append(&chain, &pool, data, BLOCK_BYTES - 100));
    ck_assert(hail_chain_fits(&chain, &pool, BLOCK_BYTES)); // the next block
    hail_chain_consume(&chain, &pool, chain.len);
}
END_TEST

START_TEST(test_read)
{
    static uint8_t data[5 * BLOCK_BYTES];
    static uint8_t out[5 * BLOCK_BYTES];
    uint64_t dice = test_seed();
    struct hail_chain_mark mark;
    struct hail_chain chain;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)test_next(&dice);
    hail_chain_init(&chain);
    hail_chain_mark_init(&mark);
    ck_assert(hail_chain_append(&chain, &pool, data, sizeof data));
    for (int i = 0; i < STEPS; i++) {
        size_t offset = test_next(&dice) % sizeof data;
        size_t len = test_next(&dice) % (sizeof data - offset + 1);
        hail_chain_read(&chain, &pool, &mark, offset, out, len);
        ck_assert_mem_eq(out, data + offset, len);
    }
    hail_chain_consume(&chain, &pool, chain.len);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_size, 0, sizeof sizes / sizeof *sizes);
    tcase_add_test(tests, test_chains_against_arrays);
    tcase_add_test(tests, test_fits);
    tcase_add_test(tests, test_read);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
