// zone_server.c: one zone of a large game's world, and who plays there. It knows nothing of hail
// but hail.h.
// SPDX-License-Identifier: MIT
//
//     zone_server [BOTS=2000] [SECONDS=10]
//
// BOTS bots log in by an RPC, walk about and chat. The map is divided into cells, and each is a
// group: who stands in a cell is a member, sees everybody there 20 times a second, and reads what
// they say. Positions are authenticated, chat is encrypted, and the login is both; what came with
// less would reach no handler. The server has one core and a loop of its own, that polls; the bots
// have another process and core.
//
// At the end it prints what that cost. Exit status: 0, unless a bot or a chat was lost.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zone.h"

enum {
    SLICE_US = TICK_MS * 1000 / SLICES,
    EVENTS = 64,
    COUNTERS = 256,
    JOINING_US = 60 * 1000000,
    ENDING_US = 20 * 1000000,
    CPU_BAR = 60, // percent
    AGE_BAR_MS = 60
};

struct player {
    struct hail_conn conn;
    bool in; // logged in: he is in a cell
    uint32_t cell;
    uint32_t turn;  // of his cell, for which his position is written, ...
    uint32_t place; // ... and where
};

// What a cell is told at its turn is written as positions come in.
struct cell {
    uint8_t *sightings;
    uint32_t count;
    uint32_t turn;
    uint32_t members;
};

// What the server has spent and done by some moment.
struct sample {
    uint64_t now_us;
    uint64_t cpu_us;
    uint64_t messages_in;
    uint64_t messages_out;
};

struct zone {
    struct hail_endpoint *server;
    struct zone_run *run;
    struct zone_names names;
    uint32_t bot_count;
    struct player *players;
    uint32_t player_count; // that have come
    uint32_t players_in;
    struct cell *cells;
    uint32_t side; // of the map, in cells
    uint32_t slice;
    uint64_t next_us; // when its turn is
    uint64_t chats;
    uint64_t chats_due; // each as often as its cell had members
    uint64_t chats_due_sum;
    uint32_t failures;
    pid_t bots;
    struct sample shown; // by the last line of progress
};

static bool check(struct zone *zone, const char *what, enum hail_status status)
{
    if (status != HAIL_OK && zone->failures++ < 5)
        fprintf(stderr, "server: %s: %s\n", what, hail_strerror(status));
    return status == HAIL_OK;
}

static uint32_t cell_at(const struct zone *zone, uint32_t x, uint32_t y)
{
    return y * zone->side / MAP_SIZE * zone->side + x * zone->side / MAP_SIZE;
}

static void enter(struct zone *zone, struct player *player, uint32_t cell)
{
    const struct hail_group group = {cell};

    check(zone, "join", hail_group_join(zone->server, group, player->conn));
    player->cell = cell;
    player->turn = zone->cells[cell].turn - 1; // his position is not yet written there
    zone->cells[cell].members++;
}

static void leave(struct zone *zone, struct player *player)
{
    const struct hail_group group = {player->cell};

    check(zone, "leave", hail_group_leave(zone->server, group, player->conn));
    zone->cells[player->cell].members--;
}

static void on_request(struct zone *zone, const struct hail_event *event)
{
    struct player *player = &zone->players[zone->player_count];

    if (zone->player_count == zone->bot_count) {
        hail_deny(zone->server, event->conn, "the zone is full");
        return;
    }
    player->conn = event->conn;
    hail_approve(zone->server, event->conn, zone->player_count++); // later events have this tag
}

static void on_login(struct zone *zone, struct player *player, const struct hail_event *event)
{
    uint32_t x = (uint32_t)rand() % MAP_SIZE;
    uint32_t y = (uint32_t)rand() % MAP_SIZE;
    struct hail_reader reader;
    struct hail_writer writer;
    char name[32], password[32];
    uint8_t result[16];

    hail_reader_init(&reader, event->data, event->len);
    hail_read_string(&reader, name, sizeof name);
    hail_read_string(&reader, password, sizeof password);
    hail_writer_init(&writer, result, sizeof result);
    hail_write_uint(&writer, x);
    hail_write_uint(&writer, y);
    struct hail_response response = {
        .call_id = event->call_id,
        .flags = event->flags,
        .channel = event->channel,
        .result = result,
        .len = hail_writer_len(&writer),
    };
    if (reader.failed || player->in || strcmp(password, "password") != 0) {
        response.status = HAIL_EREFUSED;
        response.len = 0;
    }
    if (check(zone, "answer", hail_respond(zone->server, event->conn, &response)) &&
        response.status == HAIL_OK) {
        enter(zone, player, cell_at(zone, x, y));
        player->in = true;
        zone->players_in++;
    }
}

static void on_position(struct zone *zone, struct player *player, const struct hail_event *event)
{
    const uint8_t *data = event->data;
    uint32_t at = cell_at(zone, get16(data), get16(data + 2));

    if (at != player->cell) {
        leave(zone, player);
        enter(zone, player, at);
    }
    struct cell *cell = &zone->cells[at];
    if (player->turn != cell->turn) {
        if (cell->count == zone->bot_count) // some went in and out of it; the next turn is soon
            return;
        player->turn = cell->turn;
        player->place = cell->count++;
    }
    uint8_t *sighting = &cell->sightings[player->place * SIGHTING_LEN];
    put16(sighting, (uint32_t)(player - zone->players));
    memcpy(sighting + 2, data, POSITION_LEN);
}

static void on_chat(struct zone *zone, const struct player *player, const struct hail_event *event)
{
    const struct hail_group group = {player->cell};
    const struct hail_message message = {
        .data = event->data,
        .len = event->len,
        .flags = HAIL_ENCRYPTED,
        .channel = CHANNEL_CHAT,
        .named = true,
        .name_hash = zone->names.chat,
    };
    uint32_t members = zone->cells[player->cell].members;

    zone->chats++;
    zone->chats_due += members;
    zone->chats_due_sum += members * zone_chat_value(event->data);
    check(zone, "chat", hail_group_send(zone->server, group, &message));
}

static void on_closed(struct zone *zone, struct player *player, struct hail_conn conn)
{
    if (!player->in || player->conn.id != conn.id) // who was turned away has no tag of his own
        return;
    player->in = false;
    zone->players_in--;
    zone->cells[player->cell].members--; // hail has ended his membership
}

static void on_event(struct zone *zone, const struct hail_event *event)
{
    struct player *player = &zone->players[event->tag];

    switch (event->type) {
    case HAIL_EVENT_REQUEST:
        on_request(zone, event);
        break;
    case HAIL_EVENT_CALL: // there is but one name to call
        on_login(zone, player, event);
        break;
    case HAIL_EVENT_MESSAGE:
        if (!player->in)
            break; // he has not said who he is
        if (event->name_hash == zone->names.position && event->len == POSITION_LEN)
            on_position(zone, player, event);
        else if (event->name_hash == zone->names.chat && event->len >= CHAT_HEAD &&
                 event->len <= CHAT_LEN_MAX)
            on_chat(zone, player, event);
        break;
    case HAIL_EVENT_CLOSED:
        on_closed(zone, player, event->conn);
        break;
    default: // of no use here, or newer than this program
        break;
    }
}

// Each cell has one turn in a tick, and the turns are spread over the tick: a position waits for a
// tick at most, and no packet for 2,000 others.
static void tell_cells(struct zone *zone)
{
    for (uint32_t i = zone->slice % SLICES; i < zone->side * zone->side; i += SLICES) {
        struct cell *cell = &zone->cells[i];
        const struct hail_message message = {
            .data = cell->sightings,
            .len = (size_t)cell->count * SIGHTING_LEN,
            .flags = HAIL_AUTHENTICATED,
            .channel = CHANNEL_POSITION,
            .named = true,
            .name_hash = zone->names.position,
        };
        const struct hail_group group = {i};

        if (cell->count > 0)
            check(zone, "positions", hail_group_send(zone->server, group, &message));
        cell->count = 0;
        cell->turn++;
    }
}

static void take_events(struct zone *zone)
{
    struct hail_event events[EVENTS];
    size_t count;

    do {
        count = hail_poll(zone->server, events, EVENTS);
        for (size_t i = 0; i < count; i++)
            on_event(zone, &events[i]);
    } while (count == EVENTS);
}

static struct sample take_sample(const struct zone *zone)
{
    struct hail_counter counters[COUNTERS];
    size_t count = hail_stats(zone->server, counters, COUNTERS);
    struct sample sample = {.now_us = zone_now_us()};
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    sample.cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    for (size_t i = 0; i < count && i < COUNTERS; i++) {
        if (strncmp(counters[i].name, "messages_in_", 12) == 0)
            sample.messages_in += counters[i].value;
        if (strncmp(counters[i].name, "messages_out_", 13) == 0)
            sample.messages_out += counters[i].value;
    }
    return sample;
}

// How much it was in a second, or of one core in percent.
static double rate(const struct sample *from, const struct sample *to, uint64_t amount)
{
    return (double)amount * 1e6 / (double)(to->now_us - from->now_us);
}

static double cpu_percent(const struct sample *from, const struct sample *to)
{
    return rate(from, to, to->cpu_us - from->cpu_us) / 1e4;
}

static void show_progress(struct zone *zone)
{
    static const char *const phases[] = {"joining", "settling", "playing", "ending", "over"};
    struct sample now = take_sample(zone);

    if (now.now_us - zone->shown.now_us < 1000000)
        return;
    fprintf(stderr, "%s: %u of %u bots; %.0f messages/s in, %.0f out; CPU %.0f %%%s",
            phases[atomic_load(&zone->run->phase)], zone->players_in, zone->bot_count,
            rate(&zone->shown, &now, now.messages_in - zone->shown.messages_in),
            rate(&zone->shown, &now, now.messages_out - zone->shown.messages_out),
            cpu_percent(&zone->shown, &now), isatty(STDERR_FILENO) ? "  \r" : "\n");
    zone->shown = now;
}

static bool all_in(const struct zone *zone)
{
    return zone->players_in == zone->bot_count &&
           atomic_load(&zone->run->bots_in) == zone->bot_count;
}

static bool all_said(const struct zone *zone)
{
    return zone->chats == atomic_load(&zone->run->chats_sent) &&
           atomic_load(&zone->run->chats_seen) >= zone->chats_due;
}

// The server's loop, until it is `is_done` (if there is such a thing), time is up, or the bots
// are gone.
static void serve(struct zone *zone, uint64_t duration_us, bool (*is_done)(const struct zone *zone))
{
    uint64_t end_us = zone->next_us + duration_us;

    while (zone->bots > 0 && zone->next_us < end_us && !(is_done && is_done(zone))) {
        if (zone_now_us() > zone->next_us + TICK_MS * 1000)
            zone->next_us = zone_now_us(); // turns that were missed are not made up for
        zone_sleep_until(zone->next_us);
        take_events(zone);
        tell_cells(zone);
        zone->slice++;
        zone->next_us += SLICE_US;
        if (zone->slice % (SLICES * 1000 / TICK_MS) == 0) {
            show_progress(zone);
            if (zone->bots > 0 && waitpid(zone->bots, NULL, WNOHANG) == zone->bots) {
                fprintf(stderr, "server: the bots have ended\n");
                zone->bots = 0; // which ends this loop, and those to come
                zone->failures++;
            }
        }
    }
}

// Has the bots' process end, and tell what it has seen.
static void end_bots(struct zone *zone)
{
    int status = 0;

    atomic_store(&zone->run->phase, ZONE_OVER);
    if (zone->bots > 0 && (waitpid(zone->bots, &status, 0) < 0 || status != 0))
        zone->failures++;
}

// Returns whether nothing was lost.
static bool report(const struct zone *zone, const struct sample *from, const struct sample *to,
                   uint32_t tick_count, uint32_t seconds)
{
    const struct zone_run *run = zone->run;
    double cpu = cpu_percent(from, to);
    double age_ms = run->age_p99_us / 1e3;
    bool chat_good = zone->chats == run->chats_sent && zone->chats_due == run->chats_seen &&
                     zone->chats_due_sum == run->chats_sum;
    unsigned failures = zone->failures + run->failures;

    printf("bots connected           %7u  of %u\n", run->bots_in, zone->bot_count);
    printf("ticks                    %7u  of %u\n", tick_count, seconds * 1000 / TICK_MS);
    printf("messages in, per s       %7.0f\n", rate(from, to, to->messages_in - from->messages_in));
    printf("messages out, per s      %7.0f\n",
           rate(from, to, to->messages_out - from->messages_out));
    printf("positions seen, per s    %7.0f\n", rate(from, to, run->positions_seen));
    printf("server CPU, of one core  %7.1f %%   under %d %%: %s\n", cpu, CPU_BAR,
           cpu < CPU_BAR ? "met" : "missed");
    printf("a position's age, p50    %7.1f ms\n", run->age_p50_us / 1e3);
    printf("                  p99    %7.1f ms  under %d ms: %s\n", age_ms, AGE_BAR_MS,
           age_ms < AGE_BAR_MS && run->positions_seen > 0 ? "met" : "missed");
    printf("                  max    %7.1f ms\n", run->age_max_us / 1e3);
    printf("chat delivered           %7ju  of %ju, for %ju sent: %s\n", (uintmax_t)run->chats_seen,
           (uintmax_t)zone->chats_due, (uintmax_t)run->chats_sent, chat_good ? "exactly" : "WRONG");
    if (failures > 0)
        printf("failures                 %7u\n", failures);
    return failures == 0 && chat_good && run->bots_in == zone->bot_count && run->positions_seen > 0;
}

// Returns whether nothing was lost.
static bool play(struct zone *zone, uint32_t seconds)
{
    struct zone_run *run = zone->run;

    atomic_store(&run->phase, ZONE_SETTLING);
    serve(zone, 500000, NULL);
    atomic_store(&run->phase, ZONE_STEADY);
    struct sample from = take_sample(zone);
    uint32_t slice = zone->slice;
    serve(zone, (uint64_t)seconds * 1000000, NULL);
    struct sample to = take_sample(zone);
    uint32_t tick_count = (zone->slice - slice) / SLICES;
    atomic_store(&run->phase, ZONE_ENDING);
    serve(zone, ENDING_US, all_said);
    serve(zone, 200000, NULL); // time for chats that come twice
    end_bots(zone);
    return report(zone, &from, &to, tick_count, seconds);
}

static bool run_zone(struct zone *zone, uint32_t seconds)
{
    zone->next_us = zone_now_us();
    zone->shown = take_sample(zone);
    serve(zone, JOINING_US, all_in);
    if (all_in(zone))
        return play(zone, seconds);
    fprintf(stderr, "server: %u of %u bots have joined\n", zone->players_in, zone->bot_count);
    end_bots(zone);
    return false;
}

static bool make_map(struct zone *zone)
{
    zone->side = 1;
    while (zone->side * (zone->side + 1) * CELL_BOTS <= zone->bot_count) // of two, the nearer one
        zone->side++;
    zone->players = calloc(zone->bot_count, sizeof *zone->players);
    zone->cells = calloc((size_t)zone->side * zone->side, sizeof *zone->cells);
    // One piece for all cells, each with room for everybody; what is not used costs no memory.
    uint8_t *sightings = calloc((size_t)zone->side * zone->side * zone->bot_count, SIGHTING_LEN);
    if (!zone->players || !zone->cells || !sightings) {
        free(sightings);
        return false;
    }
    for (uint32_t i = 0; i < zone->side * zone->side; i++)
        zone->cells[i].sightings = sightings + (size_t)i * zone->bot_count * SIGHTING_LEN;
    return true;
}

static void free_map(struct zone *zone)
{
    free(zone->cells ? zone->cells[0].sightings : NULL);
    free(zone->cells);
    free(zone->players);
}

static int host(struct zone *zone, uint32_t seconds)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    int result = 1;

    zone_config(&config);
    config.address = "127.0.0.1";
    config.conns_max = zone->bot_count;
    config.native.source_per_s = BOTS_MAX; // they all have one address, unlike players
    if (!make_map(zone)) {
        fprintf(stderr, "server: no memory\n");
    } else {
        enum hail_status status = hail_server_start(&zone->server, &config);
        if (status == HAIL_OK) {
            zone_names(&zone->names, zone->server);
            atomic_store(&zone->run->port, hail_port(zone->server));
            result = run_zone(zone, seconds) ? 0 : 1;
            hail_stop(zone->server, 0);
        } else {
            fprintf(stderr, "server: cannot start: %s\n", hail_strerror(status));
        }
    }
    free_map(zone);
    return result;
}

// The child's side of the fork; it has no threads of the server's, since that has not begun.
static int be_bots(struct zone_run *run, uint32_t bot_count)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); // no server, no bots
    zone_pin(1);
    while (atomic_load(&run->port) == 0)
        usleep(1000);
    return zone_bots_run(run, bot_count);
}

int main(int argc, char **argv)
{
    unsigned long bot_count = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
    unsigned long seconds = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;
    struct zone zone = {.bot_count = (uint32_t)bot_count};

    if (argc > 3 || bot_count < 2 || bot_count > BOTS_MAX || seconds < 1 || seconds > 3600) {
        fprintf(stderr, "usage: zone_server [BOTS=2000] [SECONDS=10]   2 to %d bots\n", BOTS_MAX);
        return 2;
    }
    zone.run =
        mmap(NULL, sizeof *zone.run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (zone.run == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    zone.bots = fork();
    if (zone.bots < 0) {
        perror("fork");
        return 1;
    }
    if (zone.bots == 0)
        return be_bots(zone.run, zone.bot_count);
    zone_pin(0);
    return host(&zone, (uint32_t)seconds);
}
