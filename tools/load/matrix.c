// matrix.c: see matrix.h.
// SPDX-License-Identifier: MIT
//
// A repeat goes through all rows, so that what the machine does meanwhile meets them alike. Rows
// that share a server and a number of connections are measured by one client, one after the other,
// in another order each time.
#include "tools/load/matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/time.h"
#include "tools/load/grid.h"
#include "tools/load/machine.h"
#include "tools/load/page.h"
#include "tools/load/peers.h"
#include "tools/load/server.h"
#include "tools/load/targets.h"
#include "tools/load/traffic.h"

enum {
    EXIT_USAGE = 2,
    PATH_LEN = 512,
    SERVERS = 32, // two profiles, two backends, signed or not, splitting their cost or not, with
                  // one key for all or not
};

// What measuring takes beside its time, in seconds, roughly: for the time that is left.
#define ROW_S       0.03
#define SESSION_S   0.1
#define CONN_S      0.0006
#define HANDSHAKE_S 0.0008
#define PEER_S      0.1

extern char **environ;

struct matrix {
    struct grid grid;
    struct record record;
    struct beside servers[SERVERS];
    bool is_splitting; // the last pass, against servers that tell what they spend their time on
    struct progress progress;
    uint64_t began_ns;
    double all_s; // what it will take by the sum of its parts
    double done_s;
    FILE *json;
    FILE *html;
    char folder[PATH_LEN]; // with a certificate; empty: none
    char identity_file[PATH_LEN];
    char trust_file[PATH_LEN]; // empty: no certificate could be made
};

static _Atomic int was_interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    atomic_store_explicit(&was_interrupted, 1, memory_order_relaxed);
}

__attribute__((format(printf, 2, 3))) static bool fail(struct matrix *matrix, const char *format,
                                                       ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(matrix->record.fault, sizeof matrix->record.fault, format, values);
    va_end(values);
    progress_end(&matrix->progress);
    fprintf(stderr, "hail-load: %s\n", matrix->record.fault);
    return false;
}

// ---- A certificate

// Has hail-cert, which lies beside this program, make one.
static bool make_certificate(struct matrix *matrix)
{
    char program[PATH_LEN];
    const char *temporary = getenv("TMPDIR");
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;

    program[len > 0 ? len : 0] = 0;
    char *name = strrchr(program, '/');
    if (!name || (size_t)(name - program) + sizeof "/hail-cert" > sizeof program)
        return false;
    memcpy(name, "/hail-cert", sizeof "/hail-cert");
    snprintf(matrix->folder, PATH_LEN / 2, "%s/hail-load-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(matrix->folder)) {
        matrix->folder[0] = 0;
        return false;
    }
    char *argv[] = {program,
                    (char *)(uintptr_t) "dev",
                    (char *)(uintptr_t) "--dir",
                    matrix->folder,
                    (char *)(uintptr_t) "--name",
                    (char *)(uintptr_t) "127.0.0.1",
                    NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    errno = posix_spawn(&pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (errno != 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return false;
    snprintf(matrix->identity_file, PATH_LEN, "%.300s/server.pfx.b64", matrix->folder);
    snprintf(matrix->trust_file, PATH_LEN, "%.300s/ca.pem", matrix->folder);
    return true;
}

static void remove_certificate(struct matrix *matrix)
{
    static const char *const names[] = {"ca.pem", "cert.pem", "key.pem", "server.pfx.b64"};
    char path[PATH_LEN];

    if (!matrix->folder[0])
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%.300s/%s", matrix->folder, names[i]);
        unlink(path);
    }
    rmdir(matrix->folder);
}

// ---- Servers

static bool is_native(const struct record_row *row)
{
    return strcmp(row->who, "hail") == 0;
}

static bool is_signed(const struct record_row *row)
{
    return row->kind == RECORD_HANDSHAKES && strcmp(row->flags, "unsigned") != 0;
}

static bool is_reused(const struct record_row *row)
{
    return row->kind == RECORD_HANDSHAKES && strcmp(row->flags, "reused") == 0;
}

static enum hail_io_kind io_of(const struct record_row *row)
{
    return strcmp(row->io, "uring") == 0 ? HAIL_IO_URING : HAIL_IO_EPOLL;
}

static struct beside *server_of(struct matrix *matrix, const struct record_row *row)
{
    unsigned place = (is_native(row) ? 1u : 0u) | (io_of(row) == HAIL_IO_URING ? 2u : 0u) |
                     (is_signed(row) ? 4u : 0u) | (matrix->is_splitting ? 8u : 0u) |
                     (is_reused(row) ? 16u : 0u);

    return &matrix->servers[place];
}

// Starts the server of a row, unless it runs.
static bool start_server(struct matrix *matrix, const struct record_row *row)
{
    const struct grid *grid = &matrix->grid;
    struct beside *server = server_of(matrix, row);
    const struct server_wanted wanted = {
        .profile = is_native(row) ? HAIL_PROFILE_HAIL : HAIL_PROFILE_MLAPI,
        .io = io_of(row),
        .identity_file = is_signed(row) ? matrix->identity_file : NULL,
        .reuses_key = is_reused(row),
        .core = grid->server_core,
        .conns_max = grid_most(&grid->connections) + PLAN_CONCURRENT_MAX,
        .message_max = grid_most(&grid->sizes),
        .measures_cost = matrix->is_splitting,
    };

    return server->pid > 0 ||
           ((!is_signed(row) || matrix->trust_file[0]) && server_start(server, &wanted));
}

// Starts all servers; rows whose server does not start are left out, since not every machine allows
// io_uring. False: none is left.
static bool start_servers(struct matrix *matrix)
{
    struct record *record = &matrix->record;
    bool refused[SERVERS] = {false};
    size_t kept = 0;

    if ((matrix->grid.kinds & 1u << RECORD_HANDSHAKES) && !make_certificate(matrix))
        fprintf(stderr, "hail-load: hail-cert, which should lie beside hail-load, made no "
                        "certificate: signed handshakes are left out\n");
    for (size_t i = 0; i < record->row_count; i++) {
        const struct record_row *row = &record->rows[i];
        if (peers_is(row)) {
            record->rows[kept++] = *row;
            continue;
        }
        size_t place = (size_t)(server_of(matrix, row) - matrix->servers);
        if (refused[place])
            continue;
        refused[place] = !start_server(matrix, row);
        if (refused[place])
            fprintf(stderr, "hail-load: %s on %s%s is left out\n", row->who, row->io,
                    is_signed(row) ? ", signed," : "");
        else
            record->rows[kept++] = *row;
    }
    record->row_count = kept;
    return kept > 0 || fail(matrix, "nothing is left to measure");
}

static void stop_servers(struct matrix *matrix)
{
    for (size_t i = 0; i < SERVERS; i++)
        beside_stop(&matrix->servers[i]);
}

// ---- Measuring

static double seconds_of(const struct matrix *matrix, const struct record_row *row)
{
    double start_s = peers_is(row) ? PEER_S : 0;

    if (row->kind == RECORD_HANDSHAKES)
        return start_s + HANDSHAKE_S * matrix->grid.handshakes;
    return start_s + ROW_S + matrix->grid.warmup_s + matrix->grid.duration_s;
}

static double session_seconds(const struct record_row *row)
{
    return SESSION_S + CONN_S * row->connections;
}

// Which rows the last pass has.
static bool is_split(const struct matrix *matrix, const struct record_row *row)
{
    return matrix->grid.splits && row->kind == RECORD_CLOSED && !peers_is(row) &&
           row->connections == matrix->grid.connections.values[0];
}

static void tell(struct matrix *matrix, uint32_t repeat, const struct record_row *row)
{
    const char *pass = matrix->is_splitting ? "splitting" : "repeat";

    uint64_t now_ns = clock_ns();
    double gone_s = (double)(now_ns - matrix->began_ns) / HAIL_NS_PER_S;
    double left_s = matrix->all_s - matrix->done_s;
    char name[RECORD_NAME_LEN];

    if (!progress_due(&matrix->progress, now_ns))
        return;
    if (matrix->done_s > 2) // by now it shows how wrong the sum is
        left_s *= gone_s / matrix->done_s;
    record_name(row, name);
    progress_tell(&matrix->progress, "%.0f %%, %u:%02u left; %s %u of %u: %s",
                  100 * matrix->done_s / matrix->all_s, (unsigned)left_s / 60,
                  (unsigned)left_s % 60, pass, repeat + 1,
                  matrix->is_splitting ? 1 : matrix->grid.repeats, name);
}

static uint32_t flags_of(const struct record_row *row)
{
    uint32_t flags = 0;

    while (flags + 1 < PLAN_FLAGS_MAX && strcmp(row->flags, plan_flags_name(flags)) != 0)
        flags++;
    return flags;
}

static void set_plan(struct matrix *matrix, const struct record_row *row, struct plan *plan)
{
    const struct grid *grid = &matrix->grid;

    plan_init(plan);
    plan->host = "127.0.0.1";
    plan->port = server_of(matrix, row)->port;
    plan->server_pid = server_of(matrix, row)->pid;
    plan->conn_count = row->connections;
    plan->io = io_of(row);
    plan->profile = is_native(row) ? HAIL_PROFILE_HAIL : HAIL_PROFILE_MLAPI;
    plan->sign = is_signed(row);
    plan->trust_file = is_signed(row) ? matrix->trust_file : NULL;
    plan->resumes = row->kind == RECORD_HANDSHAKES && strcmp(row->flags, "resumed") == 0;
    plan->sizes[0] = grid_most(&grid->sizes);
    plan->outstanding = grid_most(&grid->bursts);
    plan->duration_s = grid->duration_s;
    plan->warmup_s = grid->warmup_s;
}

static void note_us(struct record_row *row, enum record_metric metric, uint64_t ns)
{
    sample_add(&row->samples[metric], (double)ns / 1000);
}

static void note_server(struct record_row *row, double per_second, bool has_cpu, double server_us)
{
    sample_add(&row->samples[RECORD_RATE], per_second);
    if (!has_cpu)
        return;
    sample_add(&row->samples[RECORD_SERVER_US], server_us);
    sample_add(&row->samples[RECORD_BUSY], per_second * server_us / 1000000);
}

static void note_echoes(struct record_row *row, const struct traffic_result *result)
{
    note_server(row, result->messages_per_s, result->has_server_cpu, result->server_us);
    note_us(row, RECORD_P50, result->p50_ns);
    note_us(row, RECORD_P90, result->p90_ns);
    note_us(row, RECORD_P99, result->p99_ns);
    note_us(row, RECORD_P999, result->p999_ns);
    note_us(row, RECORD_MAX, result->max_ns);
    sample_add(&row->samples[RECORD_WIRE_BYTES], result->wire_bytes);
    sample_add(&row->samples[RECORD_LOST], (double)result->lost_count);
    if (row->kind == RECORD_OPEN)
        sample_add(&row->samples[RECORD_LATE], (double)result->late_count);
}

static bool interrupted(struct matrix *matrix)
{
    return atomic_load_explicit(&was_interrupted, memory_order_relaxed) &&
           !fail(matrix, "interrupted");
}

// Where a server's clocks and the count of messages stand.
struct split_mark {
    struct server_spent spent;
    struct process_cpu cpu;
    uint64_t arrived;
};

static bool mark_split(struct matrix *matrix, const struct lab *lab, const struct record_row *row,
                       struct split_mark *mark)
{
    const struct beside *server = server_of(matrix, row);

    mark->arrived = lab_arrived(lab);
    return server_spent(server, &mark->spent) && process_cpu_read(server->pid, &mark->cpu);
}

// One row of the last pass, from before its warm-up to after the last message is back.
static bool run_split(struct matrix *matrix, struct lab *lab, uint32_t run, struct record_row *row)
{
    static const enum record_metric metrics[SERVER_PARTS] = {
        [SERVER_SYSTEM] = RECORD_SYSTEM,
        [SERVER_COPY] = RECORD_COPY,
        [SERVER_CRYPTO] = RECORD_CRYPTO,
        [SERVER_PROTOCOL] = RECORD_PROTOCOL,
    };
    struct traffic_result result;
    struct split_mark before;
    struct split_mark after;
    uint64_t used_ns;

    if (!mark_split(matrix, lab, row, &before) ||
        !traffic_run(lab, flags_of(row), row->size, run, &result) ||
        !mark_split(matrix, lab, row, &after))
        return false;
    double count = (double)(after.arrived - before.arrived);
    if (count <= 0 || !process_cpu_used(&before.cpu, &after.cpu, &used_ns))
        return true;
    for (size_t part = 0; part < SERVER_PARTS; part++)
        sample_add(&row->samples[metrics[part]],
                   (double)(after.spent.ns[part] - before.spent.ns[part]) / 1000 / count);
    sample_add(&row->samples[RECORD_SPLIT_CPU], (double)used_ns / 1000 / count);
    return true;
}

static bool run_row(struct matrix *matrix, struct lab *lab, uint32_t run, struct record_row *row)
{
    struct traffic_result result;

    if (matrix->is_splitting)
        return run_split(matrix, lab, run, row);
    if (!traffic_run(lab, flags_of(row), row->size, run, &result))
        return false;
    note_echoes(row, &result);
    return true;
}

// The rows from `first` to before `last`, by one client.
static bool run_echoes(struct matrix *matrix, struct lab *lab, struct plan *plan, uint32_t repeat,
                       size_t first, size_t last)
{
    struct lab_handshakes joins = {0};

    if (!lab_join(lab, &joins))
        return false;
    matrix->done_s += session_seconds(&matrix->record.rows[first]);
    for (size_t i = 0; i < last - first; i++) {
        struct record_row *row = &matrix->record.rows[first + (i + repeat) % (last - first)];
        if (matrix->is_splitting && !is_split(matrix, row))
            continue;
        tell(matrix, repeat, row);
        plan->rate = row->rate;
        plan->outstanding = row->burst;
        plan->channel = row->is_ordered ? HAIL_RELIABLE_ORDERED : HAIL_UNRELIABLE;
        if (!run_row(matrix, lab, (uint32_t)i, row))
            return false;
        matrix->done_s += seconds_of(matrix, row);
        if (interrupted(matrix))
            return false;
    }
    return true;
}

static bool run_handshakes(struct matrix *matrix, struct lab *lab, uint32_t repeat,
                           struct record_row *row)
{
    struct lab_handshakes done = {0};

    tell(matrix, repeat, row);
    if (!lab_storm(lab, matrix->grid.handshakes, &done))
        return false;
    note_server(row, done.count / done.seconds, done.has_server_cpu, done.server_us);
    note_us(row, RECORD_P50, done.p50_ns);
    note_us(row, RECORD_P99, done.p99_ns);
    note_us(row, RECORD_MAX, done.max_ns);
    matrix->done_s += seconds_of(matrix, row);
    return !interrupted(matrix);
}

// The end of the rows that one client can measure.
static size_t session_end(const struct record *record, size_t first)
{
    const struct record_row *begin = &record->rows[first];
    size_t last = first + 1;

    while (begin->kind != RECORD_HANDSHAKES && !peers_is(begin) && last < record->row_count) {
        const struct record_row *row = &record->rows[last];
        if (row->kind == RECORD_HANDSHAKES || row->connections != begin->connections ||
            strcmp(row->who, begin->who) != 0 || strcmp(row->io, begin->io) != 0)
            break;
        last++;
    }
    return last;
}

static bool run_peer(struct matrix *matrix, uint32_t repeat, struct record_row *row)
{
    tell(matrix, repeat, row);
    progress_end(&matrix->progress);
    if (!peers_measure(&matrix->grid, row, matrix->record.about))
        return fail(matrix, "%s did not come to its end", row->who);
    matrix->done_s += session_seconds(row) + seconds_of(matrix, row);
    return !interrupted(matrix);
}

static bool run_session(struct matrix *matrix, uint32_t repeat, size_t first, size_t last)
{
    static struct progress quiet = {.is_quiet = true};
    static struct lab lab;
    static struct plan plan; // large, and there is one
    struct record_row *row = &matrix->record.rows[first];

    if (peers_is(row))
        return run_peer(matrix, repeat, row);
    set_plan(matrix, row, &plan);
    if (!lab_open(&lab, &plan, &quiet, NULL, row->connections))
        return fail(matrix, "no client could be started");
    bool good = row->kind == RECORD_HANDSHAKES
                    ? run_handshakes(matrix, &lab, repeat, row)
                    : run_echoes(matrix, &lab, &plan, repeat, first, last);
    progress_end(&matrix->progress);
    lab_report_fault(&lab, matrix->record.fault);
    lab_close(&lab);
    return good;
}

// Sums up what all of it will take.
static void estimate(struct matrix *matrix)
{
    const struct record *record = &matrix->record;

    for (size_t first = 0; first < record->row_count; first = session_end(record, first))
        matrix->all_s += session_seconds(&record->rows[first]);
    for (size_t i = 0; i < record->row_count; i++)
        matrix->all_s += seconds_of(matrix, &record->rows[i]);
    matrix->all_s *= matrix->grid.repeats;
    for (size_t i = 0; i < record->row_count; i++)
        matrix->all_s +=
            is_split(matrix, &record->rows[i]) ? seconds_of(matrix, &record->rows[i]) : 0;
    matrix->began_ns = clock_ns();
}

// Once more against servers that split their cost, which is a cost itself: after the repeats.
static bool run_splitting(struct matrix *matrix)
{
    const struct record *record = &matrix->record;

    matrix->is_splitting = true;
    for (size_t first = 0, last; first < record->row_count; first = last) {
        last = session_end(record, first);
        if (!is_split(matrix, &record->rows[first]))
            continue;
        if (!start_server(matrix, &record->rows[first]))
            return fail(matrix, "a server that splits its cost did not start");
        if (!run_session(matrix, 0, first, last))
            return false;
    }
    return true;
}

static bool run(struct matrix *matrix)
{
    struct record *record = &matrix->record;

    estimate(matrix);
    for (uint32_t repeat = 0; repeat < matrix->grid.repeats; repeat++) {
        for (size_t first = 0, last; first < record->row_count; first = last) {
            last = session_end(record, first);
            if (!run_session(matrix, repeat, first, last))
                return false;
        }
    }
    return run_splitting(matrix);
}

// ---- The whole

static bool open_output(const char *path, FILE **file)
{
    if (!path)
        return true;
    *file = fopen(path, "we");
    if (!*file)
        fprintf(stderr, "hail-load: matrix: %s: %s\n", path, strerror(errno));
    return *file != NULL;
}

static void keep_judged(struct record *record)
{
    size_t kept = 0;

    for (size_t i = 0; i < record->row_count; i++) {
        if (targets_wants(&record->rows[i]))
            record->rows[kept++] = record->rows[i];
    }
    record->row_count = kept;
}

static bool prepare(struct matrix *matrix, int argc, char **argv)
{
    const struct grid *grid = &matrix->grid;
    struct record *record = &matrix->record;
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    struct rlimit limit;

    if (!open_output(grid->json_path, &matrix->json) ||
        !open_output(grid->html_path, &matrix->html))
        return false;
    record->about = machine_about(argc, argv);
    machine_set(record->about, "pinning",
                grid->server_core == grid->load_core
                    ? json_string("none: server and load share what cores there are")
                    : json_sprintf("server on core %d, load on core %d", grid->server_core,
                                   grid->load_core));
    machine_set(record->about, "measured",
                json_sprintf("%u repeats of %g s each, after %g s of warm-up", grid->repeats,
                             grid->duration_s, grid->warmup_s));
    record->row_count = grid_rows(grid, NULL) + peers_rows(grid, NULL);
    record->rows = calloc(record->row_count + 1, sizeof *record->rows);
    if (!record->rows)
        return fail(matrix, "no memory for %zu rows", record->row_count);
    peers_rows(grid, record->rows + grid_rows(grid, record->rows));
    if (grid->only_bars)
        keep_judged(record);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    prctl(PR_SET_TIMERSLACK, 1UL); // the schedule is kept to a microsecond, not to fifty
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max; // a connection of mlapi is a file descriptor
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return true;
}

static bool write_outputs(struct matrix *matrix)
{
    bool good = (!matrix->json || record_write(&matrix->record, matrix->json)) &&
                (!matrix->html || page_write(&matrix->record, matrix->html));

    if (matrix->json)
        good &= fclose(matrix->json) == 0;
    if (matrix->html)
        good &= fclose(matrix->html) == 0;
    if (!good)
        fprintf(stderr, "hail-load: matrix: cannot write what was measured: %s\n", strerror(errno));
    return good;
}

int matrix_main(int argc, char **argv)
{
    static struct matrix matrix;

    switch (grid_read(&matrix.grid, argc - 1, argv + 1, stdout, stderr)) {
    case PLAN_SHOWN:
        return EXIT_SUCCESS;
    case PLAN_WRONG:
        return EXIT_USAGE;
    case PLAN_GOOD:
        break;
    }
    progress_init(&matrix.progress, matrix.grid.is_quiet);
    if (!prepare(&matrix, argc, argv))
        return EXIT_FAILURE;
    bool good = start_servers(&matrix);
    beside_stay_on("hail-load", matrix.grid.load_core);
    good = good && run(&matrix);
    stop_servers(&matrix);
    remove_certificate(&matrix);
    matrix.record.is_complete = good;
    record_print(&matrix.record, stdout);
    targets_print(&matrix.record, stdout);
    good &= write_outputs(&matrix);
    record_cleanup(&matrix.record);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
