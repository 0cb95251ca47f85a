// grid.c: see grid.h.
// SPDX-License-Identifier: MIT
#include "tools/load/grid.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
    OPTION_QUICK = 1,
    OPTION_BARS,
    OPTION_ONLY,
    OPTION_PROFILES,
    OPTION_IO,
    OPTION_FLAGS,
    OPTION_CHANNELS,
    OPTION_SIZES,
    OPTION_CONNECTIONS,
    OPTION_BURSTS,
    OPTION_RATE,
    OPTION_HANDSHAKES,
    OPTION_CONCURRENT,
    OPTION_REPEATS,
    OPTION_DURATION,
    OPTION_WARMUP,
    OPTION_SERVER_CORE,
    OPTION_LOAD_CORE,
    OPTION_PEERS,
    OPTION_JSON,
    OPTION_HTML,
    OPTION_NO_SPLIT,
    OPTION_QUIET,
    OPTION_HELP
};

static const struct option options[] = {
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"bars", no_argument, NULL, OPTION_BARS},
    {"only", required_argument, NULL, OPTION_ONLY},
    {"profiles", required_argument, NULL, OPTION_PROFILES},
    {"io", required_argument, NULL, OPTION_IO},
    {"flags", required_argument, NULL, OPTION_FLAGS},
    {"channels", required_argument, NULL, OPTION_CHANNELS},
    {"sizes", required_argument, NULL, OPTION_SIZES},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"bursts", required_argument, NULL, OPTION_BURSTS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"handshakes", required_argument, NULL, OPTION_HANDSHAKES},
    {"concurrent", required_argument, NULL, OPTION_CONCURRENT},
    {"repeats", required_argument, NULL, OPTION_REPEATS},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"server-core", required_argument, NULL, OPTION_SERVER_CORE},
    {"load-core", required_argument, NULL, OPTION_LOAD_CORE},
    {"peers", required_argument, NULL, OPTION_PEERS},
    {"json", required_argument, NULL, OPTION_JSON},
    {"html", required_argument, NULL, OPTION_HTML},
    {"no-split", no_argument, NULL, OPTION_NO_SPLIT},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static const char help_text[] =
    "usage: hail-load matrix [OPTION...]\n"
    "Starts echo servers and measures every combination of the following options against them,\n"
    "each once a repeat, so that noise affects all of them. Lists are separated by commas.\n"
    "\n"
    "what to measure\n"
    "  --quick             under a minute: fewer combinations, 3 short repeats; options after it\n"
    "                      still count\n"
    "  --bars              only the combinations that have targets, in longer repeats, on\n"
    "                      io_uring: some minutes; options after it still count\n"
    "  --only KINDS        closed: echoes, the next message when one is back; open: echoes on a\n"
    "                      schedule that waits for nobody; handshakes; all three\n"
    "  --profiles NAMES    hail, mlapi; both\n"
    "  --io KINDS          uring, epoll: what moves the bytes, of server and load; both\n"
    "  --flags F           plain, encrypted, authenticated, both, or all; all. On the hail\n"
    "                      profile encrypted is both\n"
    "  --channels KINDS    hail: unreliable, ordered, which is reliable as well and measured in\n"
    "                      closed loop and with both flags alone; both\n"
    "  --sizes BYTES       24 and more, of hail up to 1350; 128,1200\n"
    "  --connections N     100,1000\n"
    "  --bursts N          closed: messages under way on each connection; 1,8\n"
    "  --rate N            open: messages a second over all connections; 20000\n"
    "  --handshakes N      in a repeat; 500\n"
    "  --concurrent N      handshakes under way at once, up to 256; 64\n"
    "  --peers DIR         also run the programs there that echo by other means, baseline and\n"
    "                      peer_NAME, as they are built in bench/\n"
    "  --no-split          do not measure, once at the end, with the first number of connections,\n"
    "                      what the server's time goes to\n"
    "how\n"
    "  --repeats N         of everything, 1 to 32; 5. Differences are told from chance by them\n"
    "  --duration SECONDS  of each measurement; 0.25\n"
    "  --warmup SECONDS    before each, not measured; 0.08\n"
    "  --server-core N     the last that we may use\n"
    "  --load-core N       the first\n"
    "output\n"
    "  --json FILE         what was measured, for programs and for hail-load compare\n"
    "  --html FILE         a page with plots that needs nothing else\n"
    "  --quiet             no progress\n"
    "  --help\n"
    "\n"
    "Exit status: 0 good, 1 something failed or did not come back as sent, 2 wrong usage.\n"
    "\n"
    "example: hail-load matrix --json today.json --html today.html\n"
    "example: hail-load matrix --quick --profiles hail --only closed --flags plain,both\n";

static bool wrong(FILE *errors, const char *option, const char *value, const char *what)
{
    fprintf(errors, "hail-load: matrix: %s %s: %s; see hail-load matrix --help\n", option, value,
            what);
    return false;
}

// Copies the next part of a list into `part` and moves `list` behind it. False: it is too long.
static bool take_part(const char **list, char part[RECORD_WORD_LEN])
{
    size_t len = strcspn(*list, ",");

    if (len >= RECORD_WORD_LEN)
        return false;
    memcpy(part, *list, len);
    part[len] = 0;
    *list += len + ((*list)[len] == ',');
    return true;
}

static bool read_number(FILE *errors, const char *option, const char *value, uint32_t min,
                        uint32_t max, uint32_t *number)
{
    char what[80];
    char *end;

    errno = 0;
    unsigned long long wide = strtoull(value, &end, 10);
    if (value[0] >= '0' && value[0] <= '9' && *end == 0 && errno == 0 && wide >= min &&
        wide <= max) {
        *number = (uint32_t)wide;
        return true;
    }
    snprintf(what, sizeof what, "must be a whole number from %u to %u", min, max);
    return wrong(errors, option, value, what);
}

static bool read_numbers(FILE *errors, const char *option, const char *value, uint32_t min,
                         uint32_t max, struct grid_numbers *numbers)
{
    const char *rest = value;
    char part[RECORD_WORD_LEN];
    uint32_t number;

    numbers->count = 0;
    do {
        if (numbers->count == GRID_NUMBERS_MAX || !take_part(&rest, part))
            return wrong(errors, option, value, "must be up to 16 numbers");
        if (!read_number(errors, option, part, min, max, &number))
            return false;
        for (size_t i = 0; i < numbers->count; i++) {
            if (numbers->values[i] == number)
                return wrong(errors, option, value, "has a number twice");
        }
        numbers->values[numbers->count++] = number;
    } while (*rest || rest[-1] == ',');
    return true;
}

// A list of words, as the bits of their places among `words`, which a NULL ends.
static bool read_words(FILE *errors, const char *option, const char *value,
                       const char *const *words, uint32_t *bits)
{
    const char *rest = value;
    char part[RECORD_WORD_LEN];
    char what[120] = "must be of";

    for (size_t i = 0; words[i]; i++)
        snprintf(what + strlen(what), sizeof what - strlen(what), "%s %s", i ? "," : "", words[i]);
    *bits = 0;
    do {
        uint32_t found = 0;
        if (!take_part(&rest, part))
            return wrong(errors, option, value, what);
        for (size_t i = 0; words[i]; i++) {
            if (strcmp(part, words[i]) == 0)
                found = 1u << i;
        }
        if (found == 0)
            return wrong(errors, option, value, what);
        *bits |= found;
    } while (*rest || rest[-1] == ',');
    return true;
}

static bool read_seconds(FILE *errors, const char *option, const char *value, double min,
                         double *seconds)
{
    char what[80];
    char *end;
    double number = strtod(value, &end);

    if (value[0] >= '0' && value[0] <= '9' && *end == 0 && number >= min && number <= 3600) {
        *seconds = number;
        return true;
    }
    snprintf(what, sizeof what, "must be seconds from %g to 3600", min);
    return wrong(errors, option, value, what);
}

static bool read_core(FILE *errors, const char *option, const char *value, int *core)
{
    cpu_set_t cores;
    uint32_t number;

    if (!read_number(errors, option, value, 0, CPU_SETSIZE - 1, &number))
        return false;
    *core = (int)number;
    return (sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_ISSET(number, &cores)) ||
           wrong(errors, option, value, "is no core that we may use");
}

static bool read_flags(struct grid *grid, FILE *errors, const char *value)
{
    static const char *const words[] = {"plain", "encrypted", "authenticated", "both", NULL};

    if (strcmp(value, "all") == 0) {
        grid->flags = (1u << PLAN_FLAGS_MAX) - 1;
        return true;
    }
    return read_words(errors, "--flags", value, words, &grid->flags);
}

static void be_quick(struct grid *grid)
{
    grid->flags = 1u << HAIL_PLAIN | 1u << (HAIL_ENCRYPTED | HAIL_AUTHENTICATED);
    grid->sizes = (struct grid_numbers){.values = {128}, .count = 1};
    grid->connections = (struct grid_numbers){.values = {100}, .count = 1};
    grid->handshakes = 200;
    grid->repeats = 3;
    grid->duration_s = 0.15;
    grid->warmup_s = 0.05;
}

static void be_judged(struct grid *grid)
{
    grid->only_bars = true;
    grid->ios = GRID_URING;
    grid->flags = 1u << HAIL_PLAIN | 1u << (HAIL_ENCRYPTED | HAIL_AUTHENTICATED);
    grid->repeats = 7;
    grid->duration_s = 1;
    grid->splits = false;
}

static bool read_option(struct grid *grid, FILE *errors, enum option_id id, const char *value)
{
    static const char *const kinds[] = {"closed", "open", "handshakes", NULL};
    static const char *const profiles[] = {"hail", "mlapi", NULL};
    static const char *const ios[] = {"uring", "epoll", NULL};
    static const char *const channels[] = {"unreliable", "ordered", NULL};
    uint32_t bits;

    switch (id) {
    case OPTION_QUICK:
        be_quick(grid);
        return true;
    case OPTION_BARS:
        be_judged(grid);
        return true;
    case OPTION_ONLY:
        return read_words(errors, "--only", value, kinds, &grid->kinds);
    case OPTION_PROFILES:
        return read_words(errors, "--profiles", value, profiles, &grid->profiles);
    case OPTION_IO:
        return read_words(errors, "--io", value, ios, &grid->ios);
    case OPTION_FLAGS:
        return read_flags(grid, errors, value);
    case OPTION_CHANNELS:
        if (!read_words(errors, "--channels", value, channels, &bits))
            return false;
        grid->has_unordered = bits & 1;
        grid->has_ordered = bits & 2;
        return true;
    case OPTION_SIZES:
        return read_numbers(errors, "--sizes", value, PLAN_SIZE_MIN, 1 << 20, &grid->sizes);
    case OPTION_CONNECTIONS:
        return read_numbers(errors, "--connections", value, 1, 100000, &grid->connections);
    case OPTION_BURSTS:
        return read_numbers(errors, "--bursts", value, 1, 1000, &grid->bursts);
    case OPTION_RATE:
        return read_number(errors, "--rate", value, 1, 100000000, &grid->rate);
    case OPTION_HANDSHAKES:
        return read_number(errors, "--handshakes", value, 1, 1000000, &grid->handshakes);
    case OPTION_CONCURRENT:
        return read_number(errors, "--concurrent", value, 1, PLAN_CONCURRENT_MAX,
                           &grid->concurrent);
    case OPTION_REPEATS:
        return read_number(errors, "--repeats", value, 1, SAMPLE_MAX, &grid->repeats);
    case OPTION_DURATION:
        return read_seconds(errors, "--duration", value, 0.05, &grid->duration_s);
    case OPTION_WARMUP:
        return read_seconds(errors, "--warmup", value, 0, &grid->warmup_s);
    case OPTION_SERVER_CORE:
        return read_core(errors, "--server-core", value, &grid->server_core);
    case OPTION_LOAD_CORE:
        return read_core(errors, "--load-core", value, &grid->load_core);
    case OPTION_PEERS:
        grid->peers_dir = value;
        return true;
    case OPTION_JSON:
        grid->json_path = value;
        return true;
    case OPTION_HTML:
        grid->html_path = value;
        return true;
    case OPTION_NO_SPLIT:
        grid->splits = false;
        return true;
    case OPTION_QUIET:
        return grid->is_quiet = true;
    case OPTION_HELP:
        return true; // answered before
    }
    return false;
}

// The server has the last core and the load the first, which interrupts prefer; with one only, they
// share it.
static void choose_cores(struct grid *grid)
{
    cpu_set_t cores;

    grid->server_core = -1;
    grid->load_core = -1;
    if (sched_getaffinity(0, sizeof cores, &cores) < 0 || CPU_COUNT(&cores) < 2)
        return;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET((size_t)core, &cores))
            continue;
        if (grid->load_core < 0)
            grid->load_core = core;
        grid->server_core = core;
    }
}

enum plan_result grid_read(struct grid *grid, int argc, char **argv, FILE *out, FILE *errors)
{
    int id;

    *grid = (struct grid){
        .kinds = (1u << RECORD_KINDS) - 1,
        .profiles = GRID_HAIL | GRID_MLAPI,
        .ios = GRID_URING | GRID_EPOLL,
        .flags = (1u << PLAN_FLAGS_MAX) - 1,
        .has_unordered = true,
        .has_ordered = true,
        .sizes = {.values = {128, 1200}, .count = 2},
        .connections = {.values = {100, 1000}, .count = 2},
        .bursts = {.values = {1, 8}, .count = 2},
        .rate = 20000,
        .handshakes = 500,
        .concurrent = 64,
        .repeats = 5,
        .duration_s = 0.25,
        .warmup_s = 0.08,
        .splits = true,
    };
    choose_cores(grid);
    opterr = 0;
    optind = 0; // 0 makes getopt forget an earlier command line
    while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (id == '?' || id == ':') {
            wrong(errors, argv[optind - 1], "", id == ':' ? "needs a value" : "no such option");
            return PLAN_WRONG;
        }
        if (id == OPTION_HELP) {
            fputs(help_text, out);
            return PLAN_SHOWN;
        }
        if (!read_option(grid, errors, (enum option_id)id, optarg))
            return PLAN_WRONG;
    }
    if (optind < argc) {
        wrong(errors, argv[optind], "", "not an option");
        return PLAN_WRONG;
    }
    if ((grid->profiles & GRID_HAIL) && grid_most(&grid->sizes) > PLAN_DATAGRAM_SIZE_MAX) {
        wrong(errors, "--sizes", "",
              "a datagram of profile hail takes up to 1350 bytes; --profiles mlapi takes more");
        return PLAN_WRONG;
    }
    if (grid_rows(grid, NULL) > GRID_ROWS_MAX) {
        wrong(errors, "", "", "more than 10000 combinations");
        return PLAN_WRONG;
    }
    return PLAN_GOOD;
}

uint32_t grid_most(const struct grid_numbers *numbers)
{
    uint32_t most = 0;

    for (size_t i = 0; i < numbers->count; i++) {
        if (numbers->values[i] > most)
            most = numbers->values[i];
    }
    return most;
}

// The rows as they come.
struct rows {
    const struct grid *grid;
    struct record_row *rows; // NULL: only counted
    size_t count;
};

static void add(struct rows *rows, const struct record_row *row)
{
    if (rows->rows)
        rows->rows[rows->count] = *row;
    rows->count++;
}

static void set_word(char word[RECORD_WORD_LEN], const char *text)
{
    snprintf(word, RECORD_WORD_LEN, "%s", text);
}

// What one set of connections can do, one after the other.
static void add_echoes(struct rows *rows, struct record_row *row)
{
    const struct grid *grid = rows->grid;

    for (uint32_t flags = 0; flags < PLAN_FLAGS_MAX; flags++) {
        if (!(grid->flags & 1u << flags))
            continue;
        set_word(row->flags, plan_flags_name(flags));
        for (size_t i = 0; i < grid->sizes.count; i++) {
            row->size = grid->sizes.values[i];
            add(rows, row);
        }
    }
}

// The same over a reliable and ordered channel, which takes nothing plain.
static void add_ordered(struct rows *rows, struct record_row *row)
{
    const struct grid *grid = rows->grid;

    if (!(grid->flags & 1u << (HAIL_ENCRYPTED | HAIL_AUTHENTICATED)))
        return;
    set_word(row->flags, plan_flags_name(HAIL_ENCRYPTED | HAIL_AUTHENTICATED));
    row->is_ordered = true;
    for (size_t i = 0; i < grid->sizes.count; i++) {
        row->size = grid->sizes.values[i];
        add(rows, row);
    }
    row->is_ordered = false;
}

static void add_joined(struct rows *rows, struct record_row *row)
{
    const struct grid *grid = rows->grid;
    bool is_native = strcmp(row->who, "hail") == 0;

    if (grid->kinds & 1u << RECORD_CLOSED) {
        for (size_t i = 0; i < grid->bursts.count; i++) {
            row->kind = RECORD_CLOSED;
            row->rate = 0;
            row->burst = grid->bursts.values[i];
            if (!is_native || grid->has_unordered)
                add_echoes(rows, row);
            if (is_native && grid->has_ordered)
                add_ordered(rows, row);
        }
    }
    if ((grid->kinds & 1u << RECORD_OPEN) && (!is_native || grid->has_unordered)) {
        row->kind = RECORD_OPEN;
        row->rate = grid->rate;
        row->burst = 0;
        add_echoes(rows, row);
    }
}

static void add_server(struct rows *rows, const char *who, const char *io)
{
    const struct grid *grid = rows->grid;
    struct record_row row = {0};

    set_word(row.who, who);
    set_word(row.io, io);
    for (size_t i = 0; i < grid->connections.count; i++) {
        row.connections = grid->connections.values[i];
        add_joined(rows, &row);
    }
    if (!(grid->kinds & 1u << RECORD_HANDSHAKES))
        return;
    row = (struct record_row){.kind = RECORD_HANDSHAKES, .connections = grid->concurrent};
    set_word(row.who, who);
    set_word(row.io, io);
    set_word(row.flags, "unsigned");
    add(rows, &row);
    set_word(row.flags, "signed");
    add(rows, &row);
    // With a ticket; or with one key and signature for all.
    set_word(row.flags, strcmp(who, "hail") == 0 ? "resumed" : "reused");
    add(rows, &row);
}

size_t grid_rows(const struct grid *grid, struct record_row *rows)
{
    // On the hail profile what is encrypted is authenticated as well: "encrypted" is "both".
    struct grid native = *grid;
    struct rows all = {.rows = rows};

    if (native.flags & 1u << HAIL_ENCRYPTED)
        native.flags |= 1u << (HAIL_ENCRYPTED | HAIL_AUTHENTICATED);
    native.flags &= ~(1u << HAIL_ENCRYPTED);
    for (uint32_t profile = GRID_HAIL; profile <= GRID_MLAPI; profile <<= 1) {
        all.grid = profile == GRID_HAIL ? &native : grid;
        for (uint32_t io = GRID_URING; io <= GRID_EPOLL; io <<= 1) {
            if ((grid->profiles & profile) && (grid->ios & io))
                add_server(&all, profile == GRID_HAIL ? "hail" : "mlapi",
                           io == GRID_URING ? "uring" : "epoll");
        }
    }
    return all.count;
}
