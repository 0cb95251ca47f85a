// test_packer.c: the four protections: as MLAPI wrapped, as it refused, and nothing forged taken.
// SPDX-License-Identifier: MIT
#include "proto/mlapi/packer.h"

#include <stdlib.h>
#include <string.h>

#include "tests/vectors.h"

enum {
    BUFFER_MAX = 70000
};

static const uint8_t some_iv[HAIL_CBC_BLOCK] = {4, 5, 6};

static struct hail_mlapi_keys some_keys(uint8_t first)
{
    uint8_t key[32] = {0};
    struct hail_mlapi_keys keys;

    key[0] = first;
    hail_mlapi_keys_init(&keys, key);
    return keys;
}

static void check_wrap(const json_t *row)
{
    static uint8_t buffer[BUFFER_MAX];
    struct vector_bytes key = vector_hex(row, "key");
    struct vector_bytes body = vector_hex(row, "body");
    struct vector_bytes iv = vector_hex(row, "iv");
    struct vector_bytes wire = vector_hex(row, "wire");
    uint32_t flags = (uint32_t)vector_int(row, "flags");
    uint8_t type = (uint8_t)vector_int(row, "message_type");
    struct hail_mlapi_keys keys = some_keys(0);
    struct hail_mlapi_packet packet;

    if (key.len > 0) // messages in the clear have none
        hail_mlapi_keys_init(&keys, key.data);
    ck_assert_uint_eq(body.len, (uint64_t)vector_int(row, "body_len"));
    ck_assert_uint_eq(hail_mlapi_wrapped_len(flags, body.len), wire.len);
    memcpy(buffer + hail_mlapi_body_offset(flags), body.data, body.len);
    ck_assert_uint_eq(hail_mlapi_wrap(buffer, body.len, type, flags, flags ? &keys : NULL, iv.data),
                      wire.len);
    ck_assert_mem_eq(buffer, wire.data, wire.len);
    ck_assert_int_eq(hail_mlapi_unwrap(&packet, wire.data, wire.len, &keys), HAIL_ACCEPT);
    ck_assert_uint_eq(packet.type, type);
    ck_assert_uint_eq(packet.flags, flags);
    ck_assert_uint_eq(packet.body_len, body.len);
    ck_assert_mem_eq(packet.body, body.data, body.len);
    free(key.data);
    free(body.data);
    free(iv.data);
    free(wire.data);
}

// What MLAPI's log says of a message it dropped, and what we call it.
static const struct {
    const char *log;
    enum hail_verdict want;
    enum hail_verdict or_else;
} reasons[] = {
    {"did not match", HAIL_DROP_FORGED, HAIL_DROP_FORGED},
    {"HMAC length was invalid", HAIL_DROP_SHORT, HAIL_DROP_SHORT},
    {"Can't resize", HAIL_DROP_SHORT, HAIL_DROP_SHORT}, // it fell over an empty rest
    {"Invalid IV size", HAIL_DROP_SHORT, HAIL_DROP_SHORT},
    {"CryptographicException", HAIL_DROP_PADDING, HAIL_DROP_SHORT}, // no ciphertext at all: short
    {"too small", HAIL_DROP_PADDING, HAIL_DROP_SHORT},
    {"INVALID", HAIL_DROP_TYPE, HAIL_DROP_TYPE},
    {"but key", HAIL_DROP_NO_KEY, HAIL_DROP_NO_KEY},
};

static void check_reject(const json_t *row)
{
    struct vector_bytes wire = vector_hex(row, "wire");
    const char *what = vector_text(row, "what");
    const char *log = vector_text(row, "mlapi_log");
    bool has_key = strstr(what, "EnableEncryption=false") == NULL;
    struct hail_mlapi_keys keys = some_keys(0);
    struct hail_mlapi_packet packet;

    if (!json_is_null(json_object_get(row, "key"))) {
        struct vector_bytes key = vector_hex(row, "key");
        if (key.len == 32)
            hail_mlapi_keys_init(&keys, key.data);
        free(key.data);
    }
    enum hail_verdict got = hail_mlapi_unwrap(&packet, wire.data, wire.len, has_key ? &keys : NULL);
    if (strcmp(vector_text(row, "result"), "accept") == 0) {
        struct vector_bytes body = vector_hex(row, "body");
        ck_assert_msg(got == HAIL_ACCEPT, "%s: %s", what, hail_verdict_name(got));
        ck_assert_uint_eq(packet.type, (uint64_t)vector_int(row, "message_type"));
        ck_assert_uint_eq(packet.flags, (uint64_t)vector_int(row, "flags"));
        ck_assert_uint_eq(packet.body_len, body.len);
        ck_assert_mem_eq(packet.body, body.data, body.len);
        free(body.data);
    } else {
        size_t i = 0;
        while (i < HAIL_COUNTOF(reasons) && !strstr(log, reasons[i].log))
            i++;
        ck_assert_msg(i < HAIL_COUNTOF(reasons), "%s: %s", what, log);
        ck_assert_msg(got == reasons[i].want || got == reasons[i].or_else, "%s: %s: %s", what, log,
                      hail_verdict_name(got));
    }
    free(wire.data);
}

static const struct {
    const char *list;
    size_t count;
    void (*check)(const json_t *row);
} lists[] = {{"message_wrap", 73, check_wrap}, {"message_reject", 69, check_reject}};

START_TEST(test_vectors)
{
    json_t *root = vectors_mlapi();
    const json_t *list = json_object_get(json_object_get(root, lists[_i].list), "cases");
    json_t *row;
    size_t i;

    ck_assert_uint_eq(json_array_size(list), lists[_i].count);
    json_array_foreach(list, i, row) lists[_i].check(row);
    json_decref(root);
}
END_TEST

// Wraps `len` bytes of `fill` as an unnamed message.
static size_t wrap(uint8_t *buffer, size_t len, uint32_t flags, const struct hail_mlapi_keys *keys)
{
    memset(buffer + hail_mlapi_body_offset(flags), 0x33, len);
    return hail_mlapi_wrap(buffer, len, HAIL_MLAPI_UNNAMED, flags, keys, some_iv);
}

// The sizes as their formulas say them, for bodies of 0 to three blocks, and back.
START_TEST(test_sizes)
{
    const struct hail_mlapi_keys keys = some_keys(1);

    for (uint32_t flags = 0; flags <= HAIL_FLAGS_BOTH; flags++) {
        for (size_t len = 0; len < 50; len++) {
            const size_t want[] = {1 + len, 17 + 16 * ((len + 1) / 16 + 1), 34 + len,
                                   49 + 16 * ((len + 1) / 16 + 1)};
            uint8_t buffer[50 + HAIL_MLAPI_OVERHEAD_MAX];
            struct hail_mlapi_packet packet;

            ck_assert_uint_eq(hail_mlapi_wrapped_len(flags, len), want[flags]);
            ck_assert_uint_le(want[flags], len + HAIL_MLAPI_OVERHEAD_MAX);
            ck_assert_uint_eq(wrap(buffer, len, flags, &keys), want[flags]);
            ck_assert_int_eq(hail_mlapi_unwrap(&packet, buffer, want[flags], &keys), HAIL_ACCEPT);
            ck_assert_uint_eq(packet.body_len, len);
            for (size_t i = 0; i < len; i++)
                ck_assert_uint_eq(packet.body[i], 0x33);
        }
    }
}
END_TEST

// Messages that were prepared, moved, and protected together are what each is by itself.
START_TEST(test_protected_together)
{
    static uint8_t memory[HAIL_BATCH_MAX][2][400 + HAIL_MLAPI_OVERHEAD_MAX];
    uint64_t dice = test_seed();
    void *room =
        aligned_alloc(HAIL_CACHE_LINE, (hail_batch_size() / HAIL_CACHE_LINE + 1) * HAIL_CACHE_LINE);
    struct hail_mlapi_bare bare[HAIL_BATCH_MAX];
    struct hail_mlapi_keys keys[2] = {some_keys(1), some_keys(2)};

    ck_assert_ptr_nonnull(room);
    memset(room, 0, hail_batch_size());
    struct hail_batch *batch = hail_batch_init(room); // or NULL, and it must be the same
    for (int round = 0; round < 1000; round++) {
        size_t count = test_next(&dice) % (HAIL_BATCH_MAX + 1);
        size_t lens[HAIL_BATCH_MAX];
        for (size_t i = 0; i < count; i++) {
            size_t len = test_next(&dice) % 400;
            uint32_t flags = test_next(&dice) % (HAIL_FLAGS_BOTH + 1);
            bare[i] =
                (struct hail_mlapi_bare){memory[i][0], len, flags, &keys[test_next(&dice) % 2]};
            lens[i] = wrap(memory[i][1], len, flags, bare[i].keys);
            memset(memory[i][0] + hail_mlapi_body_offset(flags), 0x33, len);
            ck_assert_uint_eq(hail_mlapi_prepare(&bare[i], HAIL_MLAPI_UNNAMED, some_iv), lens[i]);
        }
        hail_mlapi_protect(batch, bare, count);
        for (size_t i = 0; i < count; i++)
            ck_assert_mem_eq(memory[i][0], memory[i][1], lens[i]);
    }
    hail_batch_cleanup(batch);
    free(room);
}
END_TEST

static enum hail_verdict unwrap_copy(struct hail_mlapi_packet *packet, const uint8_t *wire,
                                     size_t len, const struct hail_mlapi_keys *keys)
{
    uint8_t *copy = malloc(len ? len : 1); // exactly: a sanitizer sees a read behind

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, wire, len);
    enum hail_verdict verdict = hail_mlapi_unwrap(packet, copy, len, keys);
    free(copy);
    return verdict;
}

// No flipped bit gets a message through with its authentication. The header's own bit for it can
// be flipped away: then it says authenticated no more, and a floor keeps it out.
START_TEST(test_flipped_bits)
{
    const struct hail_mlapi_keys keys = some_keys(1);

    for (uint32_t flags = HAIL_FLAG_AUTHENTICATED; flags <= HAIL_FLAGS_BOTH; flags++) {
        for (size_t body_len = 0; body_len < 20; body_len++) {
            uint8_t wire[20 + HAIL_MLAPI_OVERHEAD_MAX];
            struct hail_mlapi_packet packet;
            size_t len = wrap(wire, body_len, flags, &keys);

            for (size_t bit = 0; bit < 8 * len; bit++) {
                wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
                enum hail_verdict got = unwrap_copy(&packet, wire, len, &keys);
                ck_assert_msg(got != HAIL_ACCEPT || !(packet.flags & HAIL_FLAG_AUTHENTICATED),
                              "flags %u, length %zu, bit %zu", flags, len, bit);
                if (bit > 1) // with other flags a short message can be too short
                    ck_assert_int_eq(got, HAIL_DROP_FORGED);
                wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
            ck_assert_int_eq(unwrap_copy(&packet, wire, len, &keys), HAIL_ACCEPT);
        }
    }
}
END_TEST

START_TEST(test_cut)
{
    const struct hail_mlapi_keys keys = some_keys(1);

    for (uint32_t flags = HAIL_FLAG_ENCRYPTED; flags <= HAIL_FLAGS_BOTH; flags++) {
        uint8_t wire[40 + HAIL_MLAPI_OVERHEAD_MAX];
        size_t len = wrap(wire, 40, flags, &keys);
        for (size_t cut = 0; cut < len; cut++) {
            struct hail_mlapi_packet packet = {.type = 99};
            ck_assert_int_ne(unwrap_copy(&packet, wire, cut, &keys), HAIL_ACCEPT);
            ck_assert_uint_eq(packet.type, 99); // untouched
        }
    }
}
END_TEST

START_TEST(test_keys)
{
    const struct hail_mlapi_keys keys = some_keys(1);
    const struct hail_mlapi_keys others = some_keys(2);
    uint8_t wire[100];
    struct hail_mlapi_packet packet;

    for (uint32_t flags = HAIL_FLAG_ENCRYPTED; flags <= HAIL_FLAGS_BOTH; flags++) {
        size_t len = wrap(wire, 20, flags, &keys);
        ck_assert_int_eq(unwrap_copy(&packet, wire, len, NULL), HAIL_DROP_NO_KEY);
        if (flags & HAIL_FLAG_AUTHENTICATED)
            ck_assert_int_eq(unwrap_copy(&packet, wire, len, &others), HAIL_DROP_FORGED);
    }
    ck_assert_int_eq(unwrap_copy(&packet, wire, wrap(wire, 20, 0, NULL), NULL), HAIL_ACCEPT);
}
END_TEST

// Noise is never taken as authenticated, and never read beyond its end.
START_TEST(test_noise)
{
    const struct hail_mlapi_keys keys = some_keys(1);
    uint64_t dice = test_seed();

    for (int round = 0; round < 20000; round++) {
        uint8_t wire[120];
        struct hail_mlapi_packet packet;
        size_t len = test_next(&dice) % sizeof wire;
        for (size_t i = 0; i < len; i++)
            wire[i] = (uint8_t)test_next(&dice);
        if (unwrap_copy(&packet, wire, len, &keys) != HAIL_ACCEPT)
            continue;
        ck_assert(!(packet.flags & HAIL_FLAG_AUTHENTICATED));
        ck_assert_uint_lt(packet.body_len, len);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packer");
    TCase *tests = tcase_create("packer");

    tcase_add_test(tests, test_flipped_bits);
    tcase_add_test(tests, test_cut);
    tcase_add_test(tests, test_keys);
    tcase_add_test(tests, test_noise);
    tcase_add_loop_test(tests, test_vectors, 0, HAIL_COUNTOF(lists));
    tcase_add_test(tests, test_sizes);
    tcase_add_test(tests, test_protected_together);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
