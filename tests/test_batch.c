// test_batch.c: HMAC-SHA256 and AES-256-CBC in lanes: what BoringSSL makes of the same messages one
// by one, and wycheproof, in batches of every size.
// SPDX-License-Identifier: MIT
#include "crypto/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

enum {
    COUNT_MAX = 2 * HAIL_BATCH_MAX + 3, // more than one batch, and some left over
    TEXT_MAX = 20000,                   // longer than a lane takes
    ROUND_LEN = 64 * 1024,              // all messages of a round together
    MESSAGES = 1000000
};

// Who works in a test: nobody but BoringSSL, the lanes where they are faster, or the lanes alone.
enum way {
    WAY_BORINGSSL,
    WAY_FASTER,
    WAY_LANES,
    WAY_COUNT
};

// The lanes of a test; NULL where this machine has none.
static struct hail_batch *lanes(enum way way)
{
    size_t size = hail_batch_size();
    size_t lines = size / HAIL_CACHE_LINE + 1;

    if (way == WAY_BORINGSSL || size == 0)
        return NULL;
    void *memory = aligned_alloc(HAIL_CACHE_LINE, lines * HAIL_CACHE_LINE);
    ck_assert_ptr_nonnull(memory);
    memset(memory, 0, lines * HAIL_CACHE_LINE);
    struct hail_batch *batch = hail_batch_init(memory);
    if (!batch)
        free(memory);
    else if (way == WAY_LANES)
        hail_batch_force(batch);
    return batch;
}

static void give_back(struct hail_batch *batch)
{
    hail_batch_cleanup(batch);
    free(batch);
}

static void fill(uint8_t *data, size_t len, uint64_t *dice)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = test_next(dice);
        memcpy(data + i, &word, len - i < 8 ? len - i : 8);
    }
}

// A length that is short more often than not, with those around a block's end among them.
static size_t any_length(uint64_t *dice)
{
    static const size_t most[] = {17, 66, 130, 257, 257, 600, 1300, TEXT_MAX};
    size_t kind = test_next(dice) % 400;

    return test_next(dice) % most[kind == 0 ? 7 : kind % 7];
}

// Messages of a round: the second copy is worked on one by one. Behind each text there is room for
// padding, and bytes that nobody may touch.
struct round {
    size_t count;
    struct hail_mac_key mac_keys[COUNT_MAX];
    struct hail_cbc_key cbc_keys[COUNT_MAX];
    uint8_t ivs[COUNT_MAX][HAIL_CBC_BLOCK];
    struct hail_mac_job macs[COUNT_MAX];
    struct hail_cbc_job cbcs[COUNT_MAX];
    uint8_t tags[COUNT_MAX][HAIL_MAC_LEN];
    size_t offsets[COUNT_MAX];
    size_t used;
    uint8_t texts[2][ROUND_LEN];
};

static void draw_keys(struct round *round, uint64_t *dice)
{
    uint8_t secret[HAIL_CBC_KEY_LEN];

    for (size_t i = 0; i < COUNT_MAX; i++) {
        fill(secret, sizeof secret, dice);
        hail_mac_key_init(&round->mac_keys[i], secret, sizeof secret);
        hail_cbc_key_init(&round->cbc_keys[i], secret);
    }
}

static void draw(struct round *round, uint64_t *dice)
{
    size_t want = 1 + test_next(dice) % COUNT_MAX;

    round->used = 0;
    for (round->count = 0; round->count < want; round->count++) {
        size_t i = round->count;
        size_t len = any_length(dice);
        size_t key = test_next(dice) % COUNT_MAX; // now and then the same for two
        size_t room = hail_cbc_padded_len(len) + HAIL_MAC_LEN;
        if (round->used + room > ROUND_LEN)
            break;
        uint8_t *text = round->texts[0] + round->used;
        fill(round->ivs[i], HAIL_CBC_BLOCK, dice);
        fill(text, room, dice);
        round->offsets[i] = round->used;
        round->cbcs[i] = (struct hail_cbc_job){&round->cbc_keys[key], round->ivs[i], text, len};
        round->macs[i] = (struct hail_mac_job){&round->mac_keys[key], round->tags[i], text, len};
        if (len >= HAIL_MAC_LEN && test_next(dice) % 2 == 0) // as mlapi has it
            round->macs[i].out = text + test_next(dice) % (len - HAIL_MAC_LEN + 1);
        round->used += room;
    }
    memcpy(round->texts[1], round->texts[0], round->used);
}

static void check_cbc(struct round *round, struct hail_batch *batch)
{
    hail_cbc_encrypt_batch(batch, round->cbcs, round->count);
    for (size_t i = 0; i < round->count; i++)
        hail_cbc_encrypt(round->cbcs[i].key, round->ivs[i], round->texts[1] + round->offsets[i],
                         round->cbcs[i].len);
    ck_assert_mem_eq(round->texts[0], round->texts[1], round->used);
}

static void check_mac(struct round *round, struct hail_batch *batch)
{
    uint8_t want[COUNT_MAX][HAIL_MAC_LEN];

    for (size_t i = 0; i < round->count; i++)
        hail_mac_sha256(round->macs[i].key, want[i], round->macs[i].data, round->macs[i].len);
    hail_mac_batch(batch, round->macs, round->count);
    for (size_t i = 0; i < round->count; i++) {
        const struct hail_mac_job *job = &round->macs[i];
        ck_assert_msg(memcmp(job->out, want[i], HAIL_MAC_LEN) == 0, "message %zu of %zu: %zu bytes",
                      i, round->count, job->len);
        if (job->out != round->tags[i]) // nothing else of its text has changed
            memcpy(round->texts[1] + (job->out - round->texts[0]), want[i], HAIL_MAC_LEN);
    }
    ck_assert_mem_eq(round->texts[0], round->texts[1], round->used);
}

START_TEST(test_libraries_agree)
{
    static struct round round;
    struct hail_batch *batch = lanes((enum way)_i);
    uint64_t dice = test_seed();
    size_t checked = 0;

    for (size_t rounds = 0; batch && checked < MESSAGES; rounds++) {
        if (rounds % 64 == 0)
            draw_keys(&round, &dice);
        draw(&round, &dice);
        check_cbc(&round, batch);
        check_mac(&round, batch);
        checked += round.count;
    }
    if (!batch)
        printf("skipped: this machine has no lanes\n");
    give_back(batch);
}
END_TEST

// Rows of a wycheproof file that are worked on together, and what there should be.
struct rows {
    size_t count;
    struct vector_bytes keys[COUNT_MAX];
    struct vector_bytes ivs[COUNT_MAX];
    struct vector_bytes wants[COUNT_MAX];
    struct vector_bytes texts[COUNT_MAX]; // for CBC with room for the padding
    bool valid[COUNT_MAX];
    int ids[COUNT_MAX];
};

static void forget(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->keys[i].data);
        free(rows->ivs[i].data);
        free(rows->wants[i].data);
        free(rows->texts[i].data);
    }
    rows->count = 0;
}

static void check_mac_rows(struct rows *rows, struct hail_batch *batch)
{
    struct hail_mac_key keys[COUNT_MAX];
    struct hail_mac_job jobs[COUNT_MAX];
    uint8_t tags[COUNT_MAX][HAIL_MAC_LEN];

    for (size_t i = 0; i < rows->count; i++) {
        hail_mac_key_init(&keys[i], rows->keys[i].data, rows->keys[i].len);
        jobs[i] = (struct hail_mac_job){&keys[i], tags[i], rows->texts[i].data, rows->texts[i].len};
    }
    hail_mac_batch(batch, jobs, rows->count);
    for (size_t i = 0; i < rows->count; i++)
        ck_assert_msg((memcmp(tags[i], rows->wants[i].data, rows->wants[i].len) == 0) ==
                          rows->valid[i],
                      "tcId %d", rows->ids[i]);
    forget(rows);
}

// What is not valid cannot be encrypted to, and is for test_cbc.c to decrypt.
static void check_cbc_rows(struct rows *rows, struct hail_batch *batch)
{
    struct hail_cbc_key keys[COUNT_MAX];
    struct hail_cbc_job jobs[COUNT_MAX];
    size_t used = 0;

    for (size_t i = 0; i < rows->count; i++) {
        struct vector_bytes *text = &rows->texts[i];
        if (!rows->valid[i])
            continue;
        text->data = realloc(text->data, hail_cbc_padded_len(text->len));
        ck_assert_ptr_nonnull(text->data);
        hail_cbc_key_init(&keys[i], rows->keys[i].data);
        jobs[used++] = (struct hail_cbc_job){&keys[i], rows->ivs[i].data, text->data, text->len};
    }
    hail_cbc_encrypt_batch(batch, jobs, used);
    for (size_t i = 0; i < rows->count; i++) {
        if (!rows->valid[i])
            continue;
        ck_assert_uint_eq(hail_cbc_padded_len(rows->texts[i].len), rows->wants[i].len);
        ck_assert_msg(memcmp(rows->texts[i].data, rows->wants[i].data, rows->wants[i].len) == 0,
                      "tcId %d", rows->ids[i]);
    }
    forget(rows);
}

// Of each file the groups whose keys have one length, in batches of `most` rows.
static void check_file(const char *path, const char *want, int key_bits, size_t most,
                       struct hail_batch *batch,
                       void (*check)(struct rows *rows, struct hail_batch *batch))
{
    static struct rows rows;
    json_t *root = vectors_optional(path);
    json_t *group;
    json_t *row;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        if (key_bits != 0 && vector_int(group, "keySize") != key_bits)
            continue;
        json_array_foreach(json_object_get(group, "tests"), j, row)
        {
            size_t at = rows.count++;
            rows.keys[at] = vector_hex(row, "key");
            rows.ivs[at] = key_bits == 0 ? test_unhex("") : vector_hex(row, "iv");
            rows.texts[at] = vector_hex(row, "msg");
            rows.wants[at] = vector_hex(row, want);
            rows.valid[at] = strcmp(vector_text(row, "result"), "valid") == 0;
            rows.ids[at] = (int)vector_int(row, "tcId");
            if (rows.count == most)
                check(&rows, batch);
        }
    }
    check(&rows, batch);
    json_decref(root);
}

START_TEST(test_wycheproof)
{
    struct hail_batch *batch = lanes((enum way)_i);
    static const size_t sizes[] = {1, 2, 15, 16, 17, HAIL_BATCH_MAX, COUNT_MAX};

    for (size_t i = 0; i < HAIL_COUNTOF(sizes); i++) {
        check_file("wycheproof/hmac_sha256_test.json", "tag", 0, sizes[i], batch, check_mac_rows);
        check_file("wycheproof/aes_cbc_pkcs5_test.json", "ct", 8 * HAIL_CBC_KEY_LEN, sizes[i],
                   batch, check_cbc_rows);
    }
    give_back(batch);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tests = tcase_create("batch");

    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, test_libraries_agree, WAY_FASTER, WAY_COUNT);
    tcase_add_loop_test(tests, test_wycheproof, WAY_BORINGSSL, WAY_COUNT);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
