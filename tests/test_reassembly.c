// test_reassembly.c: messages that come in parts, without a shard: many at a time on several
// connections and channels, against arrays of bytes and of bits that say what has come.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "engine/delivery/reassembly.h"
#include "tests/delivery_alone.h"

enum {
    MESSAGES = 64, // at a time
    LONGEST = 3000,
    STEPS = 20000
};

static struct alone alone;

static void setup(void)
{
    const struct hail_delivery_limits limits = alone_limits();

    alone_begin(&alone, &limits);
}

static void teardown(void)
{
    alone_end(&alone);
}

// The slow, obvious model.
static struct message {
    bool is_there;
    uint8_t channel;
    uint32_t slot;
    uint32_t id;
    uint32_t total;
    uint32_t got;
    uint8_t bytes[LONGEST];
    bool came[LONGEST];
} messages[MESSAGES];

static uint32_t index_of(const struct message *message)
{
    return hail_reassembly_find(&alone.delivery, message->slot, message->channel, message->id);
}

static void begin_message(struct message *message, uint64_t *seed, uint32_t number)
{
    memset(message, 0, sizeof *message);
    message->slot = (uint32_t)(test_next(seed) % ALONE_SLOTS);
    message->channel = (uint8_t)(test_next(seed) % 2);
    message->id = (number / 2) * 7 + number % 2; // some side by side, some far apart
    message->total = 1 + (uint32_t)(test_next(seed) % LONGEST);
    ck_assert_uint_eq(index_of(message), HAIL_SLAB_NONE);
    hail_reassembly_add(&alone.delivery, message->slot, message->channel, message->id,
                        message->total);
    message->is_there = true;
}

static void add_part(struct message *message, uint64_t *seed)
{
    uint8_t part[LONGEST];
    uint32_t offset = (uint32_t)(test_next(seed) % message->total);
    uint32_t len = 1 + (uint32_t)(test_next(seed) % (message->total - offset));
    uint32_t fresh = 0;

    for (uint32_t i = 0; i < len; i++) { // the first to come counts
        part[i] = (uint8_t)test_next(seed);
        if (message->came[offset + i])
            continue;
        message->came[offset + i] = true;
        message->bytes[offset + i] = part[i];
        fresh++;
    }
    message->got += fresh;
    ck_assert_uint_eq(hail_reassembly_fill(&alone.delivery, index_of(message), offset,
                                           (struct hail_bytes){part, len}),
                      fresh);
}

static void end_message(struct message *message, uint64_t *seed)
{
    uint8_t out[LONGEST];
    uint32_t index = index_of(message);

    if (message->got < message->total) {
        hail_reassembly_drop(&alone.delivery, index);
    } else {
        if (test_next(seed) % 2)
            hail_reassembly_first(&alone.delivery, index);
        hail_reassembly_take(&alone.delivery, index, out);
        ck_assert_mem_eq(out, message->bytes, message->total);
    }
    ck_assert_uint_eq(index_of(message), HAIL_SLAB_NONE);
    message->is_there = false;
}

// Each message is found, says how far it is, and is in its channel's ring; each connection is
// charged with what its own occupy.
static void check_all(void)
{
    uint64_t charged[ALONE_SLOTS] = {0};
    uint32_t counts[ALONE_SLOTS][2] = {{0}};

    for (uint32_t i = 0; i < MESSAGES; i++) {
        const struct message *message = &messages[i];
        if (!message->is_there)
            continue;
        const struct hail_reassembly *own = hail_reassembly_at(&alone.delivery, index_of(message));
        ck_assert_uint_eq(own->id, message->id);
        ck_assert_uint_eq(own->message.got, message->got);
        ck_assert(hail_reassembly_is_whole(own) == (message->got == message->total));
        charged[message->slot] += hail_reassembly_charge(own->message.blocks, 1);
        counts[message->slot][message->channel]++;
    }
    for (uint32_t slot = 0; slot < ALONE_SLOTS; slot++) {
        ck_assert_uint_eq(alone.delivery.conns[slot].stored, charged[slot]);
        ck_assert_uint_eq(alone.quota.holders[slot].held, charged[slot]);
        for (uint8_t channel = 0; channel < 2; channel++) {
            uint32_t first = hail_reassembly_channels(&alone.delivery, slot)[channel].first;
            uint32_t count = 0;
            for (uint32_t at = first; at != HAIL_SLAB_NONE && (count == 0 || at != first); count++)
                at = hail_reassembly_at(&alone.delivery, at)->after;
            ck_assert_uint_eq(count, counts[slot][channel]);
        }
    }
}

START_TEST(test_model)
{
    uint64_t seed = test_seed();
    uint32_t number = 0;

    memset(messages, 0, sizeof messages);
    for (int step = 0; step < STEPS; step++) {
        struct message *message = &messages[test_next(&seed) % MESSAGES];
        if (!message->is_there)
            begin_message(message, &seed, number++);
        else if (test_next(&seed) % 4 == 0)
            end_message(message, &seed);
        else
            add_part(message, &seed);
        if (step % 16 == 0)
            check_all();
    }
}
END_TEST

// What one is charged with: 256 bytes a block and 64 a record (DESIGN.md).
START_TEST(test_charge)
{
    static const uint8_t byte[1];
    uint32_t index = hail_reassembly_add(&alone.delivery, 1, 0, 5, 100000);

    ck_assert_uint_eq(alone.delivery.conns[1].stored, 64);
    ck_assert_uint_eq(
        hail_reassembly_fill(&alone.delivery, index, 50000, (struct hail_bytes){byte, 1}), 1);
    uint32_t stored = alone.delivery.conns[1].stored;
    ck_assert_uint_eq(stored, 64 + 256 * alone.pool.used_count);
    ck_assert_uint_ge(stored - 64, 256);
    ck_assert_uint_le(stored - 64, 1024);
    ck_assert_uint_eq(
        hail_reassembly_fill(&alone.delivery, index, 50000, (struct hail_bytes){byte, 1}), 0);
    ck_assert_uint_eq(alone.delivery.conns[1].stored, stored); // nothing new costs nothing
    ck_assert_uint_eq(alone.delivery.conns[0].stored, 0);
    hail_reassembly_drop(&alone.delivery, index);
    ck_assert_uint_eq(alone.delivery.conns[1].stored, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reassembly");
    TCase *tcase = tcase_create("reassembly");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_model);
    tcase_add_test(tcase, test_charge);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
