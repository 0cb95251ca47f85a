// test_send_messages.c: messages that wait to be sent, without a shard: what a connection may have
// unsent, who is told that there is room again, and what each counts as.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "engine/delivery/send_messages.h"
#include "engine/delivery/sender.h"
#include "tests/delivery_alone.h"

enum {
    UNSENT_MAX = 10000,
    STEPS = 5000,
    MOST = 64
};

static struct alone alone;

static void setup(void)
{
    struct hail_delivery_limits limits = alone_limits();

    limits.unsent_max = UNSENT_MAX;
    alone_begin(&alone, &limits);
}

static void teardown(void)
{
    alone_end(&alone);
}

static enum hail_status add(uint8_t channel, size_t len, uint32_t claimed)
{
    static const uint8_t body[UNSENT_MAX + 1];
    const struct hail_message_view view = {.flags = HAIL_FLAGS_BOTH,
                                           .channel = channel,
                                           .body = body,
                                           .body_len = len,
                                           .claimed = claimed};

    return hail_send_messages_add(&alone.delivery, 0, &view);
}

static struct hail_send_channel *channel_of(uint8_t channel)
{
    return hail_send_channels(&alone.delivery, 0) + channel;
}

static uint32_t claimed(void)
{
    return atomic_load(&alone.delivery.claimed[0]) & INT32_MAX;
}

// HAIL_EFULL leaves a mark, and room for half of what may wait takes it away: the connection is
// told through the queue of those that wait.
START_TEST(test_writable)
{
    uint32_t slot;

    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(add(HAIL_RELIABLE_ORDERED, 1000, 0), HAIL_OK);
    ck_assert(!hail_send_messages_freed(&alone.delivery, 0));
    ck_assert_int_eq(add(HAIL_RELIABLE_ORDERED, 1000, 0), HAIL_EFULL);
    for (int i = 0; i < 9; i++) {
        bool half = claimed() <= UNSENT_MAX / 2;
        ck_assert(hail_send_messages_freed(&alone.delivery, 0) == half);
        ck_assert(hail_queue_pop(&alone.held, &slot) == half);
        hail_send_messages_drop(&alone.delivery, 0, channel_of(HAIL_RELIABLE_ORDERED)->first);
    }
    hail_send_messages_told(&alone.delivery, 0);
    ck_assert(!hail_send_messages_freed(&alone.delivery, 0));
}
END_TEST

// What is claimed is there later, whatever is sent meanwhile; what of it is not used is given back.
START_TEST(test_claim)
{
    uint32_t most = hail_send_messages_claim(&alone.delivery, 0, 6000);

    ck_assert_uint_ge(most, 6000);
    ck_assert_uint_eq(claimed(), most);
    ck_assert_uint_eq(hail_send_messages_claim(&alone.delivery, 0, 6000), 0);
    ck_assert_int_eq(add(HAIL_RELIABLE_ORDERED, 6000, 0), HAIL_EFULL);
    ck_assert_int_eq(add(HAIL_RELIABLE_ORDERED, 3000, 0), HAIL_OK);
    ck_assert_int_eq(add(HAIL_RELIABLE_ORDERED, 6000, most), HAIL_OK);
    ck_assert_uint_eq(claimed(), hail_sender_of(&alone.delivery, 0)->bytes);
    most = hail_send_messages_claim(&alone.delivery, 0, 100);
    hail_send_messages_unclaim(&alone.delivery, 0, most);
    ck_assert_uint_eq(claimed(), hail_sender_of(&alone.delivery, 0)->bytes);
}
END_TEST

// Messages come and go in any order; sums and each channel's line are those of a plain list.
START_TEST(test_model)
{
    uint64_t seed = test_seed();
    struct {
        uint32_t index;
        uint8_t channel;
    } list[MOST];
    uint32_t count = 0;

    for (int step = 0; step < STEPS; step++) {
        if (count < MOST && test_next(&seed) % 2) {
            uint8_t channel = (uint8_t)(test_next(&seed) % 4);
            size_t len = test_next(&seed) % 1500;
            bool fits = claimed() + len + HAIL_FRAME_INNER_MAX <= UNSENT_MAX;
            enum hail_status status = add(channel, len, 0);
            ck_assert(status == HAIL_OK || (status == HAIL_EFULL && !fits));
            if (status != HAIL_OK)
                continue;
            list[count].channel = channel;
            list[count++].index = channel_of(channel)->last;
        } else if (count > 0) {
            uint32_t at = (uint32_t)(test_next(&seed) % count);
            hail_send_messages_drop(&alone.delivery, 0, list[at].index);
            memmove(&list[at], &list[at + 1], (--count - at) * sizeof *list);
        }
        uint32_t bytes = 0;
        uint32_t next[4];
        for (uint8_t i = 0; i < 4; i++)
            next[i] = channel_of(i)->first;
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_uint_eq(next[list[i].channel], list[i].index);
            bytes += hail_send_message_at(&alone.delivery, list[i].index)->content.len;
            next[list[i].channel] = hail_send_message_at(&alone.delivery, list[i].index)->after;
        }
        for (uint8_t i = 0; i < 4; i++)
            ck_assert_uint_eq(next[i], HAIL_SLAB_NONE);
        ck_assert_uint_eq(claimed(), bytes);
        ck_assert_uint_eq(hail_sender_of(&alone.delivery, 0)->bytes, bytes);
        ck_assert_uint_eq(alone.quota.holders[0].held,
                          alone.pool.used_count *
                                  (HAIL_BLOCK_MESSAGE + sizeof(struct hail_send_range)) +
                              count * sizeof(struct hail_send_message));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send_messages");
    TCase *tcase = tcase_create("send_messages");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_writable);
    tcase_add_test(tcase, test_claim);
    tcase_add_test(tcase, test_model);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
