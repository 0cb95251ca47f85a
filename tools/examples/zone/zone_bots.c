// zone_bots.c: the bots, all on one client endpoint in a process of their own. Each walks about,
// says now and then something to who is near, and tells how old the positions are that it sees.
// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "zone.h"

enum {
    SLOT_US = 1000, // bots of one slot of a tick send together; the slots are spread over the tick
    JOINING_MAX = 64,
    EVENTS = 64,
    AGE_STEP_US = 100,
    AGE_STEPS = 20000
};

struct bot {
    struct hail_conn conn;
    bool in; // logged in
    int x, y, dx, dy;
    uint32_t chat_count;
    int ticks_to_chat;
};

struct bots {
    struct hail_endpoint *client;
    struct zone_run *run;
    struct zone_names names;
    struct bot *bots;
    uint32_t bot_count;
    uint32_t begun;     // connections
    uint32_t bots_in;   // of them logged in
    uint64_t age_count; // of positions, each counted in a step of
    uint32_t ages[AGE_STEPS];
    uint32_t age_max_us;
};

static void fail(struct bots *bots, const char *what, const char *why)
{
    if (atomic_fetch_add(&bots->run->failures, 1) < 5) // and what comes after is likely the same
        fprintf(stderr, "bots: %s: %s\n", what, why);
}

static bool check(struct bots *bots, const char *what, enum hail_status status)
{
    if (status != HAIL_OK)
        fail(bots, what, hail_strerror(status));
    return status == HAIL_OK;
}

static void log_in(struct bots *bots, struct bot *bot)
{
    uint8_t args[64];
    char name[16];
    struct hail_writer writer;

    snprintf(name, sizeof name, "bot %u", (unsigned)(bot - bots->bots));
    hail_writer_init(&writer, args, sizeof args);
    hail_write_string(&writer, name);
    hail_write_string(&writer, "password");
    const struct hail_rpc call = {
        .name_hash = bots->names.login,
        .args = args,
        .len = hail_writer_len(&writer),
        .flags = HAIL_ENCRYPTED | HAIL_AUTHENTICATED,
        .channel = CHANNEL_CHAT,
        .wants_response = true,
        .call_id = 1,
    };
    check(bots, "login", hail_call(bots->client, bot->conn, &call));
}

// The server answers with where in the world one is.
static void on_response(struct bots *bots, struct bot *bot, const struct hail_event *event)
{
    struct hail_reader reader;

    hail_reader_init(&reader, event->data, event->len);
    bot->x = (int)(hail_read_uint(&reader) % MAP_SIZE);
    bot->y = (int)(hail_read_uint(&reader) % MAP_SIZE);
    if (event->status != HAIL_OK || reader.failed) {
        fail(bots, "login", hail_strerror(event->status));
        return;
    }
    bot->in = true;
    bot->dx = rand() % 81 - 40;
    bot->dy = rand() % 81 - 40;
    bot->ticks_to_chat = 1 + rand() % CHAT_EVERY_TICKS;
    bots->bots_in++;
    atomic_store(&bots->run->bots_in, bots->bots_in);
}

static void on_positions(struct bots *bots, uint32_t self, const struct hail_event *event)
{
    const uint8_t *data = event->data;
    uint32_t now_us = (uint32_t)zone_now_us();

    for (; event->len - (size_t)(data - (const uint8_t *)event->data) >= SIGHTING_LEN;
         data += SIGHTING_LEN) {
        uint32_t age_us = now_us - get32(data + 6); // of 4 bytes: right for 71 minutes

        if (get16(data) == self)
            continue;
        uint32_t step = age_us / AGE_STEP_US;
        bots->ages[step < AGE_STEPS ? step : AGE_STEPS - 1]++;
        bots->age_count++;
        if (age_us > bots->age_max_us)
            bots->age_max_us = age_us;
    }
}

static void on_event(struct bots *bots, const struct hail_event *event)
{
    struct zone_run *run = bots->run;
    struct bot *bot = &bots->bots[event->tag];

    switch (event->type) {
    case HAIL_EVENT_CONNECTED:
        bot->conn = event->conn;
        log_in(bots, bot);
        break;
    case HAIL_EVENT_RESPONSE:
        on_response(bots, bot, event);
        break;
    case HAIL_EVENT_MESSAGE:
        if (event->name_hash == bots->names.chat && event->len >= CHAT_HEAD) {
            atomic_fetch_add(&run->chats_sum, zone_chat_value(event->data));
            atomic_fetch_add(&run->chats_seen, 1);
        } else if (event->name_hash == bots->names.position &&
                   atomic_load(&run->phase) == ZONE_STEADY) {
            on_positions(bots, (uint32_t)event->tag, event);
        }
        break;
    case HAIL_EVENT_CLOSED:
        bots->bots_in -= bot->in;
        bot->in = false;
        atomic_store(&run->bots_in, bots->bots_in);
        fail(bots, "closed", event->text ? event->text : hail_close_reason_name(event->reason));
        break;
    default: // of no use here, or newer than this program
        break;
    }
}

static void step(int *at, int *by)
{
    if (*at + *by < 0 || *at + *by >= MAP_SIZE)
        *by = -*by;
    *at += *by;
}

static void move(struct bots *bots, struct bot *bot)
{
    uint8_t data[POSITION_LEN];
    const struct hail_message message = {
        .data = data,
        .len = sizeof data,
        .flags = HAIL_AUTHENTICATED,
        .channel = CHANNEL_POSITION,
        .named = true,
        .name_hash = bots->names.position,
    };

    step(&bot->x, &bot->dx);
    step(&bot->y, &bot->dy);
    put16(data, (uint32_t)bot->x);
    put16(data + 2, (uint32_t)bot->y);
    put32(data + 4, (uint32_t)zone_now_us());
    check(bots, "position", hail_send(bots->client, bot->conn, &message));
}

static void chat(struct bots *bots, struct bot *bot)
{
    uint8_t data[CHAT_LEN_MAX];

    put32(data, (uint32_t)(bot - bots->bots));
    put32(data + 4, bot->chat_count++);
    int len = snprintf((char *)data + CHAT_HEAD, sizeof data - CHAT_HEAD,
                       "I am at %d, %d. Who else is here?", bot->x, bot->y);
    const struct hail_message message = {
        .data = data,
        .len = CHAT_HEAD + (size_t)len,
        .flags = HAIL_ENCRYPTED,
        .channel = CHANNEL_CHAT,
        .named = true,
        .name_hash = bots->names.chat,
    };
    if (check(bots, "chat", hail_send(bots->client, bot->conn, &message)))
        atomic_fetch_add(&bots->run->chats_sent, 1);
}

// One slot's bots take their step.
static void act(struct bots *bots, uint32_t slot)
{
    int phase = atomic_load(&bots->run->phase);

    if (phase == ZONE_JOINING)
        return;
    for (uint32_t i = slot; i < bots->bot_count; i += TICK_MS * 1000 / SLOT_US) {
        struct bot *bot = &bots->bots[i];

        if (!bot->in)
            continue;
        move(bots, bot);
        if (phase == ZONE_STEADY && --bot->ticks_to_chat <= 0) {
            chat(bots, bot);
            bot->ticks_to_chat = CHAT_EVERY_TICKS;
        }
    }
}

// A few join at a time: a server that is asked by all at once would have most of them ask again.
static void connect_some(struct bots *bots)
{
    struct hail_target target = {
        .host = "127.0.0.1",
        .port = (uint16_t)atomic_load(&bots->run->port),
    };

    while (bots->begun < bots->bot_count && bots->begun - bots->bots_in < JOINING_MAX) {
        target.tag = bots->begun++;
        check(bots, "connect", hail_connect(bots->client, &target));
    }
}

static uint32_t percentile_us(const struct bots *bots, double part)
{
    uint64_t below = 0;
    uint32_t i = 0;

    while (i < AGE_STEPS - 1 && (double)(below += bots->ages[i]) < part * (double)bots->age_count)
        i++;
    return (i + 1) * AGE_STEP_US; // of the step the upper end
}

static void publish(const struct bots *bots)
{
    struct zone_run *run = bots->run;

    atomic_store(&run->positions_seen, bots->age_count);
    atomic_store(&run->age_p50_us, percentile_us(bots, 0.5));
    atomic_store(&run->age_p99_us, percentile_us(bots, 0.99));
    atomic_store(&run->age_max_us, bots->age_max_us);
}

static void run_bots(struct bots *bots)
{
    uint64_t slot_us = zone_now_us();
    struct hail_event events[EVENTS];
    size_t count;

    for (uint32_t slot = 0; atomic_load(&bots->run->phase) != ZONE_OVER; slot++) {
        connect_some(bots);
        act(bots, slot % (TICK_MS * 1000 / SLOT_US));
        do {
            count = hail_poll(bots->client, events, EVENTS);
            for (size_t i = 0; i < count; i++)
                on_event(bots, &events[i]);
        } while (count == EVENTS);
        slot_us += SLOT_US;
        if (zone_now_us() > slot_us + TICK_MS * 1000)
            slot_us = zone_now_us(); // steps that were missed are not made up for all at once
        zone_sleep_until(slot_us);
    }
}

int zone_bots_run(struct zone_run *run, uint32_t bot_count)
{
    struct bots *bots = calloc(1, sizeof *bots);
    struct hail_config config = HAIL_CONFIG_INIT;
    struct rlimit files;

    // Each connection of a client has a socket of its own.
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    zone_config(&config);
    config.conns_max = bot_count;
    if (!bots || !(bots->bots = calloc(bot_count, sizeof *bots->bots))) {
        free(bots);
        return 1;
    }
    enum hail_status status = hail_client_start(&bots->client, &config);
    if (status == HAIL_OK) {
        zone_names(&bots->names, bots->client);
        bots->run = run;
        bots->bot_count = bot_count;
        run_bots(bots);
        publish(bots);
        hail_stop(bots->client, 0);
    } else {
        fprintf(stderr, "bots: cannot start: %s\n", hail_strerror(status));
    }
    free(bots->bots);
    free(bots);
    return status == HAIL_OK ? 0 : 1;
}
