// attack_main.c: attacks a server on loopback while others play and join there, and tells what they
// noticed of it.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/attack_report.h"
#include "bench/attack_scenarios.h"

enum {
    EXIT_USAGE = 2,
    STRANGERS_PER_S = 50000,
    CLIENTS_PER_S = 10000,
    CALM_S = 2,
    JOINS_PER_S = 40,
    MANY_CLIENTS = 8
};

static const char usage_text[] =
    "usage: attack [--only NAME,...] [--server ADDRESS:PORT] [--json FILE] ...\n"
    "Attacks a server on loopback, one attack after the other, while 20 clients play and others\n"
    "join, and prints what each cost the server and what the players and joins noticed of it.\n"
    "\n"
    "  --server ADDRESS:PORT  a server that echoes, in 127.0.0.0/8, its exchange unsigned and "
    "with\n"
    "                         no names; without, servers are started for it. Scenarios need those\n"
    "  --server-pid PID       its process, for CPU time and memory\n"
    "  --profile NAME         its profile: hail (default) or mlapi\n"
    "  --only NAME,...        these attacks and scenarios (see --list), not all\n"
    "  --rate N               datagrams a second; by itself 10,000 of clients, 50,000 of "
    "strangers\n"
    "  --seconds S            for each attack, 0.1 to 60; 1.5\n"
    "  --clients N            hostile clients at a time, 1 to 128; by itself 1, and then 8\n"
    "  --gso                  datagrams leave in GSO batches, where they can\n"
    "  --json FILE            the figures, and each promise with what became of it\n"
    "  --list                 print what there is, and do nothing\n"
    "\n"
    "The exit status is 1 if a promise was missed.\n"
    "example: attack --only pieces-work,spoofed-hellos --json today.json\n";

struct options {
    bool has_server;
    struct sockaddr_in server;
    pid_t pid;
    enum hail_profile profile;
    const char *only; // NULL: all
    uint32_t rate;    // 0: by the kind
    double seconds;
    uint32_t clients; // 0: one, then several
    bool gso;
    FILE *json;
};

__attribute__((noreturn)) static void wrong(const char *what, const char *value)
{
    fprintf(stderr, "attack: %s: %s; see attack --help\n", value, what);
    exit(EXIT_USAGE);
}

static double take_number(const char *text, double least, double most, const char *what)
{
    char *end;

    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end || !(value >= least && value <= most))
        wrong(what, text);
    return value;
}

static struct sockaddr_in take_server(const char *text)
{
    struct sockaddr_in server = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char address[INET_ADDRSTRLEN] = {0};

    if (!colon || (size_t)(colon - text) >= sizeof address)
        wrong("not an address and a port, such as 127.0.0.1:7777", text);
    memcpy(address, text, (size_t)(colon - text));
    if (inet_pton(AF_INET, address, &server.sin_addr) != 1)
        wrong("not a numeric IPv4 address and a port", text);
    if (ntohl(server.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        wrong("not on this machine: only addresses in 127.0.0.0/8 are attacked", text);
    server.sin_port = htons((uint16_t)take_number(colon + 1, 1, 65535, "not a port"));
    return server;
}

// Whether a list of names has this one; NULL has all.
static bool names(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
        if (strncmp(at, name, len) == 0 && (at[len] == 0 || at[len] == ','))
            return true;
    }
    return !list;
}

static bool is_known(const char *name, size_t len)
{
    for (size_t i = 0; i < attacks_count(); i++) {
        if (strlen(attacks_at(i)->name) == len && strncmp(attacks_at(i)->name, name, len) == 0)
            return true;
    }
    for (size_t i = 0; i < scenario_count; i++) {
        if (strlen(scenarios[i].name) == len && strncmp(scenarios[i].name, name, len) == 0)
            return true;
    }
    return false;
}

static void check_names(const char *list)
{
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
        if (!is_known(at, strcspn(at, ",")))
            wrong("no such attack or scenario; see attack --list", at);
    }
}

static void list_all(void)
{
    for (size_t i = 0; i < attacks_count(); i++)
        printf("%-22s %s\n", attacks_at(i)->name, attacks_at(i)->what);
    printf("\nscenarios:\n");
    for (size_t i = 0; i < scenario_count; i++)
        printf("%-22s %s\n", scenarios[i].name, scenarios[i].what);
}

static FILE *open_json(const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        wrong(strerror(errno), path);
    return file;
}

static enum hail_profile take_profile(const char *text)
{
    if (strcmp(text, "hail") == 0)
        return HAIL_PROFILE_HAIL;
    if (strcmp(text, "mlapi") != 0)
        wrong("neither hail nor mlapi", text);
    return HAIL_PROFILE_MLAPI;
}

static void take_option(struct options *options, int option, const char *value)
{
    switch (option) {
    case 's':
        options->server = take_server(value);
        options->has_server = true;
        return;
    case 'p':
        options->pid = (pid_t)take_number(value, 1, 1 << 22, "not a process");
        return;
    case 'P':
        options->profile = take_profile(value);
        return;
    case 'o':
        check_names(value);
        options->only = value;
        return;
    case 'r':
        options->rate = (uint32_t)take_number(value, 1, 1000000, "not 1 to 1,000,000");
        return;
    case 'S':
        options->seconds = take_number(value, 0.1, 60, "not 0.1 to 60");
        return;
    case 'c':
        options->clients = (uint32_t)take_number(value, 1, ATTACK_CLIENTS_MAX, "not 1 to 128");
        return;
    case 'g':
        options->gso = true;
        return;
    case 'j':
        options->json = open_json(value);
        return;
    case 'l':
        list_all();
        exit(EXIT_SUCCESS);
    case 'h':
        fputs(usage_text, stdout);
        exit(EXIT_SUCCESS);
    default:
        fputs(usage_text, stderr);
        exit(EXIT_USAGE);
    }
}

static void take_options(struct options *options, int argc, char **argv)
{
    static const struct option table[] = {
        {"server", required_argument, NULL, 's'},  {"server-pid", required_argument, NULL, 'p'},
        {"profile", required_argument, NULL, 'P'}, {"only", required_argument, NULL, 'o'},
        {"rate", required_argument, NULL, 'r'},    {"seconds", required_argument, NULL, 'S'},
        {"clients", required_argument, NULL, 'c'}, {"gso", no_argument, NULL, 'g'},
        {"json", required_argument, NULL, 'j'},    {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},          {0},
    };
    int option;

    *options = (struct options){.profile = HAIL_PROFILE_HAIL, .seconds = 1.5};
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
        take_option(options, option, optarg);
    if (optind < argc)
        wrong("no such argument", argv[optind]);
}

// ---- Running

struct bench {
    struct options options;
    struct report report;
    int load_core; // -1: there is but one
    int server_core;
    double forged_us; // of the server's, for a packet forged in its own epoch; 0: not known
};

// The server has the last core and all else the first, which interrupts prefer.
static void choose_cores(struct bench *bench)
{
    cpu_set_t cores;

    bench->load_core = bench->server_core = -1;
    if (sched_getaffinity(0, sizeof cores, &cores) < 0 || CPU_COUNT(&cores) < 2)
        return;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET((size_t)core, &cores))
            continue;
        bench->load_core = bench->load_core < 0 ? core : bench->load_core;
        bench->server_core = core;
    }
}

// Starts a server unless one was given, and has the players join.
static bool open_place(struct bench *bench, struct run_place *place, struct beside *server,
                       const struct attacked_wanted *settings)
{
    struct attacked_wanted wanted = *settings;

    memset(place, 0, sizeof *place);
    *server = (struct beside){.line = -1};
    place->server = bench->options.server;
    place->pid = bench->options.pid;
    if (!bench->options.has_server) {
        wanted.core = bench->server_core;
        if (!attacked_start(server, &wanted))
            return false;
        place->server = (struct sockaddr_in){.sin_family = AF_INET,
                                             .sin_port = htons(server->port),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        place->pid = server->pid;
    }
    place->is_signed = wanted.is_signed;
    beside_stay_on("attack", bench->load_core);
    if (players_start(&place->players, &place->server, wanted.profile, wanted.is_signed))
        return true;
    beside_stop(server);
    return false;
}

static void close_place(struct run_place *place, struct beside *server)
{
    players_stop(&place->players);
    beside_stop(server);
}

static bool run_calm(struct bench *bench, struct run_place *place, uint32_t joins_per_s)
{
    static const char *const name = "calm";
    const struct run_wanted wanted = {.name = name, .seconds = CALM_S, .joins_per_s = joins_per_s};
    struct run_result result;

    place->calm_cores = 0;
    if (!run_window(place, &wanted, &result))
        return false;
    place->calm_cores = result.server_cores;
    place->calm_p99_ms = result.players.short_p99_ms;
    report_row(&bench->report, &result);
    return true;
}

static uint32_t rate_of(const struct bench *bench, const struct attack *attack)
{
    uint32_t rate = attack->by == ATTACK_BY_CLIENT ? CLIENTS_PER_S : STRANGERS_PER_S;

    rate = bench->options.rate > 0 ? bench->options.rate : rate;
    return attack->most > 0 && attack->most < rate ? attack->most : rate;
}

// A packet forged in an epoch that has not begun is to cost little more than one in its own.
static void compare_epochs(struct bench *bench, struct run_result *result)
{
    if (strcmp(result->wanted->name, "forged") == 0)
        bench->forged_us = result->us_each;
    if (strcmp(result->wanted->name, "forged-epoch") == 0 && bench->forged_us > 0)
        run_bar_add(result, &(struct run_bar){"times the CPU of its own epoch's", "",
                                              result->us_each / bench->forged_us, 2, false});
}

static bool run_attack(struct bench *bench, struct run_place *place, const struct attack *attack,
                       uint32_t clients)
{
    char name[64];
    struct run_wanted wanted = {.name = name,
                                .part_count = 1,
                                .seconds = bench->options.seconds,
                                .joins_per_s = JOINS_PER_S,
                                .gso = bench->options.gso};
    struct run_result result;

    wanted.parts[0] =
        (struct run_part){.attack = attack, .rate = rate_of(bench, attack), .clients = clients};
    snprintf(name, sizeof name, clients > 1 ? "%s x%u" : "%s", attack->name, clients);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%s: %s\033[K\r", attack->name, attack->what);
    if (!run_window(place, &wanted, &result))
        return false;
    run_bars(&result, place);
    compare_epochs(bench, &result);
    report_row(&bench->report, &result);
    for (size_t i = 0; i < result.bar_count; i++) {
        if (!run_bar_kept(&result.bars[i])) {
            run_settle(place); // what one attack leaves behind is not the next one's doing
            break;
        }
    }
    return true;
}

// All attacks over one profile's wire, on one server.
static bool run_profile(struct bench *bench, enum hail_profile profile)
{
    const struct attacked_wanted settings = {.profile = profile};
    uint32_t clients = bench->options.clients;
    struct beside server;
    struct run_place *place = calloc(1, sizeof *place); // large
    bool wanted = false;

    for (size_t i = 0; i < attacks_count(); i++)
        wanted |= names(bench->options.only, attacks_at(i)->name) &&
                  (attacks_at(i)->by == ATTACK_BY_STREAM) == (profile == HAIL_PROFILE_MLAPI);
    bool good = place != NULL;
    if (!good || !wanted)
        goto out;
    good = open_place(bench, place, &server, &settings);
    if (!good)
        goto out;
    good = run_calm(bench, place, JOINS_PER_S);
    for (size_t i = 0; i < attacks_count() && good; i++) {
        const struct attack *attack = attacks_at(i);
        if (!names(bench->options.only, attack->name) ||
            (attack->by == ATTACK_BY_STREAM) != (profile == HAIL_PROFILE_MLAPI))
            continue;
        good = run_attack(bench, place, attack, clients);
        if (good && clients == 0 && attack->by == ATTACK_BY_CLIENT)
            good = run_attack(bench, place, attack, MANY_CLIENTS);
    }
    close_place(place, &server);
out:
    free(place);
    return good;
}

static bool run_scenario(struct bench *bench, const struct scenario *scenario)
{
    struct run_place *place = calloc(1, sizeof *place);
    struct run_wanted wanted;
    struct run_result result;
    struct beside server;

    if (!place || !open_place(bench, place, &server, &scenario->server)) {
        free(place);
        return false;
    }
    scenario_wanted(&wanted, scenario);
    bool good = run_calm(bench, place, wanted.joins_per_s) && run_window(place, &wanted, &result);
    if (good) {
        run_bars(&result, place);
        if (!result.is_refused)
            scenario->bars(&result);
        report_row(&bench->report, &result);
    }
    close_place(place, &server);
    free(place);
    return good;
}

static bool run_all(struct bench *bench)
{
    bool own = !bench->options.has_server;
    bool good = true;

    if (own || bench->options.profile == HAIL_PROFILE_HAIL)
        good = run_profile(bench, HAIL_PROFILE_HAIL);
    if (good && (own || bench->options.profile == HAIL_PROFILE_MLAPI))
        good = run_profile(bench, HAIL_PROFILE_MLAPI);
    for (size_t i = 0; i < scenario_count && good && own; i++) {
        if (names(bench->options.only, scenarios[i].name))
            good = run_scenario(bench, &scenarios[i]) || !run_interrupted();
    }
    return good;
}

int main(int argc, char **argv)
{
    static struct bench bench;

    take_options(&bench.options, argc, argv);
    choose_cores(&bench);
    run_catch_interrupts();
    report_begin(&bench.report, bench.options.json);
    bool good = run_all(&bench);
    report_end(&bench.report);
    if (bench.options.json)
        fclose(bench.options.json);
    return good && bench.report.missed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
