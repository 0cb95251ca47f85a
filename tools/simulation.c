// simulation.c: see simulation.h. One table says what there is.
// SPDX-License-Identifier: MIT
#include "tools/simulation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MILLION = 1000000,
    PART_LEN = 64,              // of one KEY=VALUE
    TIME_MAX_US = 60 * MILLION, // hail.h
    QUEUE_DEFAULT_US = 100000
};

enum kind {
    KIND_TIME_US,
    KIND_TIME_MS,
    KIND_SHARE,
    KIND_REORDER, // SHARE:TIME
    KIND_RATE,
    KIND_SEED
};

#define FIELD(field) offsetof(struct hail_simulation, field)
#define TIME_WANTED  "must be a time up to 60s, with its unit, such as "
#define SHARE_WANTED "must be a share from 0% to 100%, in steps of 0.0001%, such as "

static const struct key {
    const char *name;
    enum kind kind;
    size_t offset; // in struct hail_simulation
    const char *want;
} keys[] = {
    {"delay", KIND_TIME_US, FIELD(delay_us), TIME_WANTED "25ms"},
    {"jitter", KIND_TIME_US, FIELD(jitter_us), TIME_WANTED "5ms"},
    {"loss", KIND_SHARE, FIELD(loss), SHARE_WANTED "1%"},
    {"duplicate", KIND_SHARE, FIELD(duplication), SHARE_WANTED "0.5%"},
    {"reorder", KIND_REORDER, 0,
     "must be a share and by how long, up to 60s, such as 1%:2ms for 1% of them 2 ms later"},
    {"rate", KIND_RATE, FIELD(rate), "must be bytes a second, from 1 to 4294967295"},
    {"queue", KIND_TIME_US, FIELD(queue_us), TIME_WANTED "100ms"},
    {"rebind", KIND_TIME_MS, FIELD(rebind_ms),
     "must be a time from 1ms to 60s, in whole ms, such as 500ms"},
    {"seed", KIND_SEED, FIELD(seed), "must be a whole number, 1 or more"},
};

enum {
    KEY_COUNT = sizeof keys / sizeof *keys
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Reads a decimal number, as so many millionths, and moves `text` behind it. False: there is none,
// or it has more places than any that can be right: eight, and six behind the point.
static bool take_millionths(const char **text, uint64_t *millionths)
{
    const char *at = *text;
    uint64_t value = 0;
    int places = 0;

    for (; is_digit(*at) && at - *text < 8; at++)
        value = 10 * value + (uint64_t)(*at - '0');
    if (at == *text || is_digit(*at))
        return false;
    if (*at == '.') {
        for (at++; is_digit(*at) && places < 6; at++, places++)
            value = 10 * value + (uint64_t)(*at - '0');
        if (places == 0 || is_digit(*at))
            return false;
    }
    for (; places < 6; places++)
        value *= 10;
    *text = at;
    *millionths = value;
    return true;
}

// A time, to the end of the text, in microseconds.
static bool read_time(const char *text, uint32_t *time_us)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", MILLION}};
    uint64_t value;

    if (!take_millionths(&text, &value))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (value > (uint64_t)TIME_MAX_US * MILLION / units[i].us ||
            value * units[i].us % MILLION != 0)
            return false;
        *time_us = (uint32_t)(value * units[i].us / MILLION);
        return true;
    }
    return false;
}

// A share, up to the character `end`, as so many in a million. Moves `text` behind it.
static bool take_share(const char **text, char end, uint32_t *share)
{
    uint64_t value;

    if (!take_millionths(text, &value) || (*text)[0] != '%' || (*text)[1] != end)
        return false;
    *text += end == 0 ? 1 : 2;
    if (value % 100 != 0 || value / 100 > MILLION)
        return false;
    *share = (uint32_t)(value / 100);
    return true;
}

static bool read_whole(const char *text, uint64_t max, uint64_t *number)
{
    char *end;

    errno = 0;
    unsigned long long wide = strtoull(text, &end, 10);
    if (!is_digit(text[0]) || *end != 0 || errno != 0 || wide < 1 || wide > max)
        return false;
    *number = wide;
    return true;
}

static bool set_key(struct hail_simulation *simulation, const struct key *key, const char *value)
{
    uint32_t *place = (uint32_t *)(void *)((char *)simulation + key->offset);
    uint64_t number;

    switch (key->kind) {
    case KIND_TIME_US:
        return read_time(value, place);
    case KIND_TIME_MS:
        if (!read_time(value, place) || *place == 0 || *place % 1000 != 0)
            return false;
        *place /= 1000;
        return true;
    case KIND_SHARE:
        return take_share(&value, 0, place);
    case KIND_REORDER:
        return take_share(&value, ':', &simulation->reordering) &&
               read_time(value, &simulation->reorder_us) && simulation->reorder_us > 0;
    case KIND_RATE:
        if (!read_whole(value, UINT32_MAX, &number))
            return false;
        *place = (uint32_t)number;
        return true;
    case KIND_SEED:
        return read_whole(value, UINT64_MAX, &simulation->seed);
    }
    return false;
}

static bool refuse(char fault[SIMULATION_FAULT_LEN], const char *part, const char *what)
{
    snprintf(fault, SIMULATION_FAULT_LEN, "%s: %s", part, what);
    return false;
}

// Sets what one KEY=VALUE says.
static bool read_part(struct hail_simulation *simulation, bool given[KEY_COUNT], const char *part,
                      char fault[SIMULATION_FAULT_LEN])
{
    size_t name_len = strcspn(part, "=");

    if (part[name_len] != '=')
        return refuse(fault, part, "must be KEY=VALUE, such as delay=25ms; commas separate them");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strlen(keys[i].name) != name_len || strncmp(part, keys[i].name, name_len) != 0)
            continue;
        if (given[i])
            return refuse(fault, part, "is given twice; leave one out");
        given[i] = true;
        return set_key(simulation, &keys[i], part + name_len + 1) ||
               refuse(fault, part, keys[i].want);
    }
    return refuse(fault, part,
                  "no such key; there are delay, jitter, loss, duplicate, reorder, rate, queue, "
                  "rebind and seed");
}

bool simulation_read(struct hail_simulation *out, const char *text,
                     char fault[SIMULATION_FAULT_LEN])
{
    struct hail_simulation simulation = {.size = sizeof simulation};
    bool given[KEY_COUNT] = {false};
    char part[PART_LEN];

    for (;;) {
        size_t len = strcspn(text, ",");
        snprintf(part, sizeof part, "%.*s", (int)(len < PART_LEN ? len : PART_LEN - 1), text);
        if (len >= PART_LEN)
            return refuse(fault, part, "is longer than any that can be right");
        if (!read_part(&simulation, given, part, fault))
            return false;
        if (text[len] == 0)
            break;
        text += len + 1;
    }
    if (simulation.queue_us > 0 && simulation.rate == 0)
        return refuse(fault, "queue", "nothing waits without a rate; give rate=BYTES as well");
    // What comes to a port that has changed meanwhile is lost.
    if (simulation.rebind_ms > 0 && simulation.rebind_ms * 1000ull <=
                                        2 * ((uint64_t)simulation.delay_us + simulation.jitter_us))
        return refuse(fault, "rebind",
                      "the port would change before any answer comes; must be longer than twice "
                      "delay and jitter");
    *out = simulation;
    return true;
}

uint64_t simulation_way_us(const struct hail_simulation *simulation)
{
    uint64_t queue_us = simulation->queue_us > 0 ? simulation->queue_us : QUEUE_DEFAULT_US;

    return (uint64_t)simulation->delay_us + simulation->jitter_us + simulation->reorder_us +
           (simulation->rate > 0 ? queue_us : 0);
}
