// targets.c: see targets.h.
// SPDX-License-Identifier: MIT
#include "tools/load/targets.h"

#include <string.h>

// Which row; 0 and NULL where it says nothing of a kind.
struct pick {
    enum record_kind kind;
    const char *who;
    const char *flags;
    bool is_ordered;
    uint32_t size;
    uint32_t connections;
    uint32_t burst;
};

static const struct promise {
    const char *what;
    struct pick row;
    struct pick base; // who NULL: an absolute figure
    enum record_metric metric;
    double most;
} promises[] = {
    {"a message to the baseline",
     {RECORD_CLOSED, "hail", "both", false, 128, 100, 1},
     {RECORD_CLOSED, "baseline", "plain", false, 128, 100, 1},
     RECORD_SERVER_US,
     1.15},
    {"a message to the baseline",
     {RECORD_CLOSED, "hail", "both", false, 128, 1000, 1},
     {RECORD_CLOSED, "baseline", "plain", false, 128, 1000, 1},
     RECORD_SERVER_US,
     1.25},
    {"a message to the baseline",
     {RECORD_CLOSED, "hail", "both", false, 1200, 100, 1},
     {RECORD_CLOSED, "baseline", "plain", false, 1200, 100, 1},
     RECORD_SERVER_US,
     1.25},
    {"a message to ENet in plaintext",
     {RECORD_CLOSED, "hail", "both", false, 128, 100, 1},
     {RECORD_CLOSED, "enet", "plain", false, 128, 100, 1},
     RECORD_SERVER_US,
     1},
    {"a message to OpenSSL's DTLS",
     {RECORD_CLOSED, "hail", "both", false, 128, 100, 1},
     {RECORD_CLOSED, "openssl", "both", false, 128, 100, 1},
     RECORD_SERVER_US,
     1},
    {"a message to wolfSSL's DTLS",
     {RECORD_CLOSED, "hail", "both", false, 128, 100, 1},
     {RECORD_CLOSED, "wolfssl", "both", false, 128, 100, 1},
     RECORD_SERVER_US,
     1},
    {"a message to ngtcp2's QUIC",
     {RECORD_CLOSED, "hail", "both", false, 128, 100, 1},
     {RECORD_CLOSED, "ngtcp2", "both", false, 128, 100, 1},
     RECORD_SERVER_US,
     1},
    {"a message to hail in plaintext",
     {RECORD_CLOSED, "hail", "both", false, 128, 100, 1},
     {RECORD_CLOSED, "hail", "plain", false, 128, 100, 1},
     RECORD_SERVER_US,
     1.05},
    {"a message to hail in plaintext",
     {RECORD_CLOSED, "hail", "both", false, 1200, 100, 1},
     {RECORD_CLOSED, "hail", "plain", false, 1200, 100, 1},
     RECORD_SERVER_US,
     1.12},
    {"a message, us",
     {RECORD_CLOSED, "hail", "both", false, 128, 100, 8},
     {0},
     RECORD_SERVER_US,
     0.35},
    {"a message to ENet's reliable ones",
     {RECORD_CLOSED, "hail", "both", true, 128, 100, 1},
     {RECORD_CLOSED, "enet", "plain", true, 128, 100, 1},
     RECORD_SERVER_US,
     1},
    {"a message, us",
     {RECORD_CLOSED, "hail", "both", true, 128, 100, 8},
     {0},
     RECORD_SERVER_US,
     0.5},
    {"a message to mlapi in plaintext",
     {RECORD_CLOSED, "mlapi", "both", false, 128, 100, 1},
     {RECORD_CLOSED, "mlapi", "plain", false, 128, 100, 1},
     RECORD_SERVER_US,
     1.3},
    {"p99 to the baseline's",
     {RECORD_OPEN, "hail", "both", false, 128, 100, 0},
     {RECORD_OPEN, "baseline", "plain", false, 128, 100, 0},
     RECORD_P99,
     1.25},
    {"a handshake, us",
     {.kind = RECORD_HANDSHAKES, .who = "hail", .flags = "signed"},
     {0},
     RECORD_SERVER_US,
     140},
    {"a handshake, us",
     {.kind = RECORD_HANDSHAKES, .who = "mlapi", .flags = "unsigned"},
     {0},
     RECORD_SERVER_US,
     180},
    {"a handshake, us",
     {.kind = RECORD_HANDSHAKES, .who = "mlapi", .flags = "signed"},
     {0},
     RECORD_SERVER_US,
     750},
    {"a handshake, us",
     {.kind = RECORD_HANDSHAKES, .who = "mlapi", .flags = "reused"},
     {0},
     RECORD_SERVER_US,
     120},
};

static bool is_picked(const struct record_row *row, const struct pick *pick)
{
    return row->kind == pick->kind && strcmp(row->who, pick->who) == 0 &&
           strcmp(row->flags, pick->flags) == 0 && row->is_ordered == pick->is_ordered &&
           row->size == pick->size && row->burst == pick->burst &&
           (pick->connections == 0 || row->connections == pick->connections);
}

bool targets_wants(const struct record_row *row)
{
    bool is_wanted = false;

    for (size_t i = 0; i < targets_count(); i++)
        is_wanted |= is_picked(row, &promises[i].row) ||
                     (promises[i].base.who && is_picked(row, &promises[i].base));
    return is_wanted;
}

// The row on io_uring or, of who has no choice, on what it has.
static const struct record_row *find(const struct record *record, const struct pick *pick)
{
    const struct record_row *found = NULL;

    for (size_t i = 0; i < record->row_count; i++) {
        const struct record_row *row = &record->rows[i];
        if (is_picked(row, pick) && (!found || strcmp(row->io, "uring") == 0))
            found = row;
    }
    return found;
}

size_t targets_count(void)
{
    return sizeof promises / sizeof promises[0];
}

static void describe(const struct promise *promise, const struct record_row *row,
                     char text[TARGETS_TEXT_LEN])
{
    char name[RECORD_NAME_LEN];

    record_name(row, name);
    snprintf(text, TARGETS_TEXT_LEN, "%.80s: %.36s", name, promise->what);
}

bool targets_judge(const struct record *record, size_t index, struct bar *bar)
{
    const struct promise *promise = &promises[index];
    const struct record_row *row = find(record, &promise->row);
    const struct record_row *base = promise->base.who ? find(record, &promise->base) : NULL;

    *bar = (struct bar){.most = promise->most};
    if (!row || (promise->base.who && !base))
        return false;
    const struct sample *values = &row->samples[promise->metric];
    const struct sample *bases = base ? &base->samples[promise->metric] : values;
    for (size_t i = 0; i < values->count && i < bases->count; i++) {
        if (bases->values[i] > 0)
            sample_add(&bar->measured, values->values[i] / (base ? bases->values[i] : 1));
    }
    describe(promise, row, bar->text);
    bar->is_kept = sample_median(&bar->measured) <= bar->most;
    return bar->measured.count > 0;
}

void targets_print(const struct record *record, FILE *out)
{
    bool has_head = false;
    struct bar bar;

    for (size_t i = 0; i < targets_count(); i++) {
        if (!targets_judge(record, i, &bar))
            continue;
        struct sample_interval interval = sample_interval(&bar.measured, RECORD_CONFIDENCE);
        if (!has_head)
            fprintf(out, "\nBars: medians of server CPU, or of what is named\n%-98s %8s %-24s %s\n",
                    "what", "at most", "measured", "");
        has_head = true;
        fprintf(out, "%-98s %8.4g %.3g (%.3g to %.3g)%*s %s\n", bar.text, bar.most,
                sample_median(&bar.measured), interval.low, interval.high, 4, "",
                bar.is_kept ? "kept" : "MISSED");
    }
}
