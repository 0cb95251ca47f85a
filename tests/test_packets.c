// test_packets.c: packets while they are filled, without a shard: what shares one, and how much
// fits.
// SPDX-License-Identifier: MIT
#include "engine/delivery/packets.h"
#include "tests/delivery_alone.h"

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

static uint32_t packet_for(uint32_t slot, enum hail_protection protection, size_t len)
{
    return hail_packets_for(&alone.delivery, slot, protection, len);
}

START_TEST(test_sharing)
{
    const struct hail_native_frame ask = {.type = HAIL_FRAME_ASK};
    size_t most =
        hail_packets_room(&alone.delivery, 0, HAIL_PROTECTION_ENCRYPTED, HAIL_OUTGOING_NONE);
    uint32_t first = packet_for(0, HAIL_PROTECTION_ENCRYPTED, 100);

    hail_packets_add(&alone.delivery, first, &ask);
    size_t left = hail_packets_room(&alone.delivery, 0, HAIL_PROTECTION_ENCRYPTED, first);
    ck_assert_uint_eq(most - left, alone.delivery.outbox.list[first].len);
    ck_assert_uint_eq(packet_for(0, HAIL_PROTECTION_ENCRYPTED, left), first);
    ck_assert(!alone.delivery.conns[0].sender.pmtu.wanted);
    uint32_t second = packet_for(0, HAIL_PROTECTION_ENCRYPTED, left + 1);
    ck_assert_uint_ne(second, first); // it does not fit
    ck_assert(alone.delivery.conns[0].sender.pmtu.wanted);
    ck_assert_uint_ne(packet_for(0, HAIL_PROTECTION_AUTHENTICATED, 1), second);
    ck_assert_uint_ne(packet_for(1, HAIL_PROTECTION_AUTHENTICATED, 1), second + 1);
    ck_assert_uint_eq(alone.delivery.conns[0].out_first, first);
    ck_assert_uint_eq(alone_leave(&alone, 0), 3);
    ck_assert_uint_eq(alone_leave(&alone, 1), 1);
    ck_assert_uint_eq(alone.delivery.outbox.count, 0);
}
END_TEST

// A packet takes an acknowledgement if it is protected, and has room for the longest.
START_TEST(test_ack)
{
    hail_acks_note(&alone.delivery.conns[0].acks, 5, HAIL_ELICITS_AT_ONCE, alone.now_ns);
    uint32_t plain = hail_packets_begin(&alone.delivery, 0, HAIL_PROTECTION_PLAIN);
    ck_assert(!hail_packets_takes_ack(&alone.delivery, plain));
    uint32_t index = hail_packets_begin(&alone.delivery, 0, HAIL_PROTECTION_ENCRYPTED);
    ck_assert(hail_packets_takes_ack(&alone.delivery, index));
    hail_packets_acknowledge(&alone.delivery, 0, index);
    ck_assert_uint_eq(alone.delivery.conns[0].acks.due_ns, UINT64_MAX);
    uint32_t full = hail_packets_begin(&alone.delivery, 0, HAIL_PROTECTION_ENCRYPTED);
    size_t most =
        hail_packets_room(&alone.delivery, 0, HAIL_PROTECTION_ENCRYPTED, HAIL_OUTGOING_NONE);
    uint8_t *at = hail_packets_extend(&alone.delivery, full, most - HAIL_ACK_LEN_MAX);
    for (size_t i = 0; i < most - HAIL_ACK_LEN_MAX; i++)
        at[i] = HAIL_FRAME_PADDING;
    ck_assert(!hail_packets_takes_ack(&alone.delivery, full));
    ck_assert_uint_eq(alone_leave(&alone, 0), 3);
    ck_assert(alone_packet(&alone, 2)->acknowledges);
}
END_TEST

// An outbox that is full takes no more, and that is counted.
START_TEST(test_full)
{
    while (alone.delivery.outbox.count < alone.delivery.outbox.max)
        ck_assert_uint_ne(hail_packets_begin(&alone.delivery, 0, HAIL_PROTECTION_PLAIN),
                          HAIL_OUTGOING_NONE);
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_DATAGRAMS_UNSENT), 0);
    ck_assert_uint_eq(packet_for(1, HAIL_PROTECTION_ENCRYPTED, 1), HAIL_OUTGOING_NONE);
    ck_assert_uint_eq(alone_counted(&alone, HAIL_STAT_DATAGRAMS_UNSENT), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packets");
    TCase *tcase = tcase_create("packets");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_sharing);
    tcase_add_test(tcase, test_ack);
    tcase_add_test(tcase, test_full);
    suite_add_tcase(suite, tcase);
    return test_run(suite);
}
