// acks.c: see acks.h. The window is a ring of bits, as the replay window's.
// SPDX-License-Identifier: MIT
#include "proto/acks.h"

#include "crypto/bytes.h"
#include "crypto/time.h"
#include "proto/varint.h"

enum {
    WORD_BITS = 64,
    // When a frame of some 8 bytes is well spent: after so many packets, or so long after the last
    // one. Who sends 20 times a second then says one each time or every other, before any is due.
    WORTH_PACKETS = HAIL_ACK_PACKETS / 2,
    WORTH_MS = 50,
    WORTH_SOON_PACKETS = 8, // with a reliable one among them
    WORTH_SOON_MS = 5
};
_Static_assert(HAIL_ACKS_WINDOW % WORD_BITS == 0, "the window is made of whole words");

static uint64_t *word_of(struct hail_acks *acks, uint64_t number)
{
    return &acks->seen[number % HAIL_ACKS_WINDOW / WORD_BITS];
}

static uint64_t bit_of(uint64_t number)
{
    return UINT64_C(1) << number % WORD_BITS;
}

static bool has(const struct hail_acks *acks, uint64_t number)
{
    return acks->seen[number % HAIL_ACKS_WINDOW / WORD_BITS] & bit_of(number);
}

void hail_acks_init(struct hail_acks *acks)
{
    *acks = (struct hail_acks){.due_ns = UINT64_MAX};
}

static void mark(struct hail_acks *acks, uint64_t number, uint64_t now_ns)
{
    if (number >= acks->next) {
        if (number - acks->next >= HAIL_ACKS_WINDOW) {
            for (size_t i = 0; i < HAIL_ACKS_WINDOW / WORD_BITS; i++)
                acks->seen[i] = 0;
        } else {
            for (uint64_t skipped = acks->next; skipped < number; skipped++)
                *word_of(acks, skipped) &= ~bit_of(skipped);
        }
        acks->next = number + 1;
        acks->largest_ns = now_ns;
    }
    *word_of(acks, number) |= bit_of(number);
}

void hail_acks_note(struct hail_acks *acks, uint64_t number, enum hail_eliciting eliciting,
                    uint64_t now_ns)
{
    if (number < acks->next && acks->next - number > HAIL_ACKS_WINDOW)
        return; // too late: it was taken for lost long ago
    mark(acks, number, now_ns);
    if (eliciting == HAIL_ELICITS_NOTHING)
        return;
    acks->waiting++;
    uint64_t due_ns = now_ns;
    if (eliciting == HAIL_ELICITS_SOON)
        acks->soon = true;
    if (eliciting != HAIL_ELICITS_AT_ONCE && acks->waiting < HAIL_ACK_PACKETS)
        due_ns += (eliciting == HAIL_ELICITS_SOON ? HAIL_ACK_DELAY_MS : HAIL_ACK_DELAY_LAZY_MS) *
                  HAIL_NS_PER_MS;
    if (due_ns < acks->due_ns)
        acks->due_ns = due_ns;
}

bool hail_acks_worth(const struct hail_acks *acks, uint64_t now_ns)
{
    uint32_t packets = acks->soon ? WORTH_SOON_PACKETS : WORTH_PACKETS;
    uint64_t pause_ns = (acks->soon ? WORTH_SOON_MS : WORTH_MS) * HAIL_NS_PER_MS;

    return acks->waiting > 0 && (acks->waiting >= packets || now_ns >= acks->due_ns ||
                                 now_ns - acks->told_ns >= pause_ns);
}

void hail_acks_fill(const struct hail_acks *acks, struct hail_ack *ack, uint64_t now_ns)
{
    uint64_t at = acks->next - 1;
    uint64_t end = acks->next > HAIL_ACKS_WINDOW ? acks->next - HAIL_ACKS_WINDOW : 0;

    HAIL_ASSERT(acks->next > 0);
    ack->delay_us = (now_ns - acks->largest_ns) / 1000;
    ack->count = 0;
    for (;;) {
        struct hail_ack_range *range = &ack->ranges[ack->count++];
        range->last = at;
        while (at > end && has(acks, at - 1))
            at--;
        range->first = at;
        while (at > end && !has(acks, at - 1))
            at--;
        if (at == end || ack->count == HAIL_ACK_RANGES_MAX)
            return;
        at--;
    }
}

void hail_acks_told(struct hail_acks *acks, uint64_t now_ns)
{
    acks->told_ns = now_ns;
    acks->waiting = 0;
    acks->soon = false;
    acks->due_ns = UINT64_MAX;
}

// ---- On the wire

enum {
    LARGEST_LEN = 3,
    DELAY_US_MAX = (1 << 30) - 1 // four bytes of a varint
};

size_t hail_ack_encode(uint8_t out[HAIL_ACK_LEN_MAX], const struct hail_ack *ack)
{
    const struct hail_ack_range *range = ack->ranges;
    uint64_t delay_us = ack->delay_us < DELAY_US_MAX ? ack->delay_us : DELAY_US_MAX;
    size_t len = 0;

    hail_put_be(out, range->last, LARGEST_LEN);
    len += LARGEST_LEN;
    len += hail_varint_write(out + len, delay_us);
    len += hail_varint_write(out + len, range->last - range->first);
    for (size_t i = 1; i < ack->count; i++) {
        range = &ack->ranges[i];
        len += hail_varint_write(out + len, range[-1].first - range->last - 2);
        len += hail_varint_write(out + len, range->last - range->first);
    }
    return len;
}

static bool take_varint(struct hail_bytes *content, uint64_t *value)
{
    size_t len = hail_varint_read(value, content->data, content->len);

    content->data += len;
    content->len -= len;
    return len > 0;
}

// The number that is meant by its low bits: the nearest to the largest that has been sent. One that
// lies ahead of it was not.
static enum hail_verdict expand(uint64_t *number, struct hail_bytes *content, uint64_t next_number)
{
    const uint64_t range = UINT64_C(1) << 8 * LARGEST_LEN;

    if (content->len < LARGEST_LEN)
        return HAIL_DROP_MALFORMED;
    uint64_t low = hail_get_be(content->data, LARGEST_LEN);
    content->data += LARGEST_LEN;
    content->len -= LARGEST_LEN;
    uint64_t behind = (next_number - 1 - low) & (range - 1);
    if (behind >= range / 2 || behind >= next_number)
        return HAIL_DROP_FALSE_ACK;
    *number = next_number - 1 - behind;
    return HAIL_ACCEPT;
}

enum hail_verdict hail_ack_decode(struct hail_ack *ack, struct hail_bytes content,
                                  uint64_t next_number)
{
    uint64_t last;
    uint64_t span;
    uint64_t gap;
    enum hail_verdict verdict = expand(&last, &content, next_number);

    if (verdict != HAIL_ACCEPT)
        return verdict;
    if (!take_varint(&content, &ack->delay_us) || !take_varint(&content, &span) || span > last)
        return HAIL_DROP_MALFORMED;
    ack->ranges[0] = (struct hail_ack_range){last - span, last};
    for (ack->count = 1; content.len > 0; ack->count++) {
        uint64_t before = ack->ranges[ack->count - 1].first;
        if (ack->count == HAIL_ACK_RANGES_MAX || !take_varint(&content, &gap) ||
            !take_varint(&content, &span) || before < 2 || gap > before - 2 ||
            span > before - 2 - gap)
            return HAIL_DROP_MALFORMED;
        last = before - 2 - gap;
        ack->ranges[ack->count] = (struct hail_ack_range){last - span, last};
    }
    return HAIL_ACCEPT;
}

bool hail_ack_has(const struct hail_ack *ack, uint64_t number)
{
    for (size_t i = 0; i < ack->count && ack->ranges[i].last >= number; i++) {
        if (ack->ranges[i].first <= number)
            return true;
    }
    return false;
}
