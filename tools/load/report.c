// report.c: see report.h.
// SPDX-License-Identifier: MIT
#include "tools/load/report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "tools/load/machine.h"

enum {
    COARSE_NS = 1000000 // a step of CPU time that shows in the figures of a short run
};

static double us(uint64_t ns)
{
    return (double)ns / 1000;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1000000;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

// A figure that may not be there.
static void print_known(FILE *out, int width, int precision, bool is_known, double value)
{
    if (is_known)
        fprintf(out, " %*.*f", width, precision, value);
    else
        fprintf(out, " %*s", width, "-");
}

static bool is_datagrams(const struct plan *plan)
{
    return plan->profile == HAIL_PROFILE_HAIL;
}

static const char *profile_name(const struct plan *plan)
{
    return is_datagrams(plan) ? "hail" : "mlapi";
}

static void print_head(const struct report *report, FILE *out)
{
    const struct plan *plan = report->plan;

    fprintf(out, "%s:%u, profile %s, encryption %s, key exchange %s; %u connection%s", plan->host,
            plan->port, profile_name(plan), plan->encryption ? "on" : "off",
            plan->sign   ? "signed"
            : plan->pins ? "pinned"
                         : "not signed",
            plan->conn_count, plan->conn_count == 1 ? "" : "s");
    if (plan->rate > 0)
        fprintf(out, ", open loop at %u messages/s", plan->rate);
    else
        fprintf(out, ", closed loop with %u under way on each", plan->outstanding);
    fprintf(out, "; %g s after %g s of warm-up\n", plan->duration_s, plan->warmup_s);
}

static void print_joins(const struct lab_handshakes *joins, FILE *out)
{
    char wanted[sizeof " of 4294967295"] = "";

    if (joins->count < joins->wanted)
        snprintf(wanted, sizeof wanted, " of %u", joins->wanted);
    fprintf(out, "joined %u%s in %.2f s, %u at once: %.0f joins/s", joins->count, wanted,
            joins->seconds, joins->concurrent, joins->count / joins->seconds);
    if (joins->has_server_cpu)
        fprintf(out, "; server CPU %.0f us each", joins->server_us);
    fputc('\n', out);
}

static void print_row(const struct traffic_result *row, bool may_lose, FILE *out)
{
    fprintf(out, "%-13s %8u %12.0f %10.1f %10.1f %10.1f %10.1f", plan_flags_name(row->flags),
            row->size, row->messages_per_s, us(row->p50_ns), us(row->p99_ns), us(row->p999_ns),
            us(row->max_ns));
    print_known(out, 11, 1, row->wire_bytes > 0, row->wire_bytes);
    print_known(out, 11, 2, row->has_server_cpu, row->server_us);
    if (may_lose)
        fprintf(out, " %9llu", (unsigned long long)row->lost_count);
    fprintf(out, "%s%s\n", row->late_count > 0 ? "  (*)" : "",
            row->is_complete ? "" : "  incomplete");
}

static void print_messages(const struct report *report, FILE *out)
{
    uint64_t late_count = 0;
    bool knows_cpu = false;
    bool may_lose = plan_may_lose(report->plan);

    fprintf(out, "\n%-13s %8s %12s %10s %10s %10s %10s %11s %11s%s\n", "flags", "bytes",
            "messages/s", "p50 us", "p99 us", "p99.9 us", "max us", "wire bytes", "server us",
            may_lose ? "      lost" : "");
    for (size_t i = 0; i < report->row_count; i++) {
        const struct traffic_result *row = &report->rows[i];
        print_row(row, may_lose, out);
        late_count += row->late_count;
        knows_cpu |= row->has_server_cpu;
    }
    fprintf(out,
            "\nlatency: there and back%s. wire bytes: of the %s per message, mean of "
            "both\ndirections. server us: CPU time per message taken and echoed%s.\n",
            report->plan->rate > 0 ? ", from when a message was due" : "",
            is_datagrams(report->plan) ? "datagrams" : "TCP stream",
            knows_cpu ? "" : "; needs --server-pid");
    if (late_count > 0)
        fprintf(out,
                "(*) the rate was not reached: %llu messages that were due could not be sent. "
                "Their latency\nis not in the figures, which are too low; try less --rate or more "
                "--connections.\n",
                (unsigned long long)late_count);
}

static void print_handshakes(const char *what, const struct lab_handshakes *handshakes, FILE *out)
{
    fprintf(out, "%s: %u", what, handshakes->count);
    if (handshakes->count < handshakes->wanted)
        fprintf(out, " of %u, incomplete,", handshakes->wanted);
    if (handshakes->resumed > 0)
        fprintf(out, ", %u with a ticket,", handshakes->resumed);
    fprintf(out, " in %.2f s, %u at once: %.0f handshakes/s; ", handshakes->seconds,
            handshakes->concurrent, handshakes->count / handshakes->seconds);
    fprintf(out, "p50 %.2f ms, p99 %.2f ms, max %.2f ms", ms(handshakes->p50_ns),
            ms(handshakes->p99_ns), ms(handshakes->max_ns));
    if (handshakes->has_server_cpu)
        fprintf(out, "; server CPU %.0f us each", handshakes->server_us);
    fputc('\n', out);
}

static void print_idle(const struct lab_idle *idle, FILE *out)
{
    fprintf(out, "idle: %u of %u connections stayed for %.1f s", idle->stayed, idle->count,
            idle->seconds);
    if (idle->has_server_cpu)
        fprintf(out, "; server CPU %.2f %% of a core", 100 * idle->server_cpu_share);
    if (idle->has_server_memory)
        fprintf(out, "; server memory %.1f MiB before, %.1f MiB after: %.0f bytes a connection",
                mib(idle->server_before), mib(idle->server_after),
                ((double)idle->server_after - (double)idle->server_before) / idle->count);
    fputc('\n', out);
}

static void print_server_cpu(uint64_t step_ns, FILE *out)
{
    if (step_ns >= COARSE_NS)
        fprintf(out,
                "server CPU: of all its threads, from /proc in ticks of %g ms: this kernel tells "
                "no process the\nclock of another. Short runs are rough.\n",
                ms(step_ns));
    else
        fprintf(out, "server CPU: of all its threads, from the process's own clock.\n");
}

void report_print(const struct report *report, FILE *out)
{
    bool has_joins = report->joins.count > 0;
    bool has_handshakes = report->handshakes.count > 0;
    bool has_idle = report->idle.joins.count > 0;

    if (report->plan->simulation_text && (has_joins || has_handshakes || has_idle))
        fprintf(out, "bad network, simulated each way: %s\n", report->plan->simulation_text);
    if (has_joins) {
        print_head(report, out);
        print_joins(&report->joins, out);
    }
    if (report->row_count > 0)
        print_messages(report, out);
    if (has_joins && (has_handshakes || has_idle))
        fputc('\n', out);
    if (has_handshakes)
        print_handshakes("handshakes", &report->handshakes, out);
    if (has_idle)
        print_handshakes("joins", &report->idle.joins, out);
    if (report->idle.seconds > 0)
        print_idle(&report->idle, out);
    if (report->server_step_ns > 0 && (has_joins || has_handshakes || has_idle))
        print_server_cpu(report->server_step_ns, out);
    if (!report->is_complete && (has_joins || has_handshakes || has_idle))
        fprintf(out, "INCOMPLETE: a fault cut this short; see stderr.\n");
    fflush(out);
}

static json_t *json_handshakes(const struct lab_handshakes *handshakes)
{
    if (handshakes->count == 0)
        return json_null();
    json_t *object = json_object();
    machine_set(object, "wanted", json_integer(handshakes->wanted));
    machine_set(object, "count", json_integer(handshakes->count));
    machine_set(object, "concurrent", json_integer(handshakes->concurrent));
    machine_set(object, "resumed", json_integer(handshakes->resumed));
    machine_set(object, "seconds", json_real(handshakes->seconds));
    machine_set(object, "per_second", json_real(handshakes->count / handshakes->seconds));
    machine_set(object, "p50_us", json_real(us(handshakes->p50_ns)));
    machine_set(object, "p99_us", json_real(us(handshakes->p99_ns)));
    machine_set(object, "max_us", json_real(us(handshakes->max_ns)));
    machine_set(object, "server_us",
                handshakes->has_server_cpu ? json_real(handshakes->server_us) : json_null());
    return object;
}

static json_t *json_idle(const struct lab_idle *idle)
{
    json_t *object = json_object();
    bool has_memory = idle->has_server_memory;

    machine_set(object, "count", json_integer(idle->count));
    machine_set(object, "stayed", json_integer(idle->stayed));
    machine_set(object, "seconds", json_real(idle->seconds));
    machine_set(object, "joins", json_handshakes(&idle->joins));
    machine_set(object, "server_cpu_share",
                idle->has_server_cpu ? json_real(idle->server_cpu_share) : json_null());
    machine_set(object, "server_bytes_before",
                has_memory ? json_integer((json_int_t)idle->server_before) : json_null());
    machine_set(object, "server_bytes_after",
                has_memory ? json_integer((json_int_t)idle->server_after) : json_null());
    return object;
}

static json_t *json_row(const struct traffic_result *row)
{
    json_t *object = json_object();

    machine_set(object, "flags", json_string(plan_flags_name(row->flags)));
    machine_set(object, "size", json_integer(row->size));
    machine_set(object, "complete", json_boolean(row->is_complete));
    machine_set(object, "seconds", json_real(row->seconds));
    machine_set(object, "messages", json_integer((json_int_t)row->message_count));
    machine_set(object, "messages_per_second", json_real(row->messages_per_s));
    machine_set(object, "p50_us", json_real(us(row->p50_ns)));
    machine_set(object, "p90_us", json_real(us(row->p90_ns)));
    machine_set(object, "p99_us", json_real(us(row->p99_ns)));
    machine_set(object, "p999_us", json_real(us(row->p999_ns)));
    machine_set(object, "max_us", json_real(us(row->max_ns)));
    machine_set(object, "wire_bytes_per_message",
                row->wire_bytes > 0 ? json_real(row->wire_bytes) : json_null());
    machine_set(object, "server_us_per_message",
                row->has_server_cpu ? json_real(row->server_us) : json_null());
    machine_set(object, "lost", json_integer((json_int_t)row->lost_count));
    machine_set(object, "due_but_not_sent", json_integer((json_int_t)row->late_count));
    return object;
}

// Fields that are 0 as well: what did not happen.
static json_t *json_simulation(const struct plan *plan)
{
    const struct hail_simulation *simulation = &plan->simulation;

    if (!plan->simulation_text)
        return json_null();
    json_t *object = json_object();
    machine_set(object, "text", json_string(plan->simulation_text));
    machine_set(object, "delay_us", json_integer(simulation->delay_us));
    machine_set(object, "jitter_us", json_integer(simulation->jitter_us));
    machine_set(object, "loss_per_million", json_integer(simulation->loss));
    machine_set(object, "duplication_per_million", json_integer(simulation->duplication));
    machine_set(object, "reordering_per_million", json_integer(simulation->reordering));
    machine_set(object, "reorder_us", json_integer(simulation->reorder_us));
    machine_set(object, "rate", json_integer(simulation->rate));
    machine_set(object, "queue_us", json_integer(simulation->queue_us));
    machine_set(object, "rebind_ms", json_integer(simulation->rebind_ms));
    return object;
}

static json_t *json_plan(const struct plan *plan)
{
    json_t *object = json_object();

    machine_set(object, "connections", json_integer(plan->conn_count));
    machine_set(object, "shards", json_integer(plan->shard_count));
    machine_set(object, "rate", plan->rate > 0 ? json_integer(plan->rate) : json_null());
    machine_set(object, "outstanding",
                plan->rate > 0 ? json_null() : json_integer(plan->outstanding));
    machine_set(object, "duration_s", json_real(plan->duration_s));
    machine_set(object, "warmup_s", json_real(plan->warmup_s));
    machine_set(object, "profile", json_string(profile_name(plan)));
    machine_set(object, "encryption", json_boolean(plan->encryption));
    machine_set(object, "signed", json_boolean(plan->sign));
    machine_set(object, "simulation", json_simulation(plan));
    return object;
}

static json_t *json_all(const struct report *report, int argc, char **argv)
{
    json_t *root = json_object();
    json_t *command = json_array();
    json_t *rows = json_array();
    char utc[sizeof "2000-01-01T00:00:00Z"];
    time_t now = time(NULL);

    strftime(utc, sizeof utc, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    for (int i = 0; i < argc; i++)
        json_array_append_new(command, json_string(argv[i]));
    for (size_t i = 0; i < report->row_count; i++)
        json_array_append_new(rows, json_row(&report->rows[i]));
    machine_set(root, "program", json_string("hail-load"));
    machine_set(root, "version", json_string(hail_version()));
    machine_set(root, "compiler", json_string(__VERSION__));
    machine_set(root, "time", json_string(utc));
    machine_set(root, "command", command);
    machine_set(root, "machine", machine_json());
    machine_set(root, "plan", json_plan(report->plan));
    machine_set(root, "complete", json_boolean(report->is_complete));
    machine_set(root, "fault", report->fault[0] ? json_string(report->fault) : json_null());
    machine_set(root, "server_cpu_step_us",
                report->server_step_ns > 0 ? json_real(us(report->server_step_ns)) : json_null());
    machine_set(root, "joins", json_handshakes(&report->joins));
    machine_set(root, "messages", rows);
    machine_set(root, "handshakes", json_handshakes(&report->handshakes));
    machine_set(root, "idle",
                report->idle.joins.wanted > 0 ? json_idle(&report->idle) : json_null());
    return root;
}

bool report_write_json(const struct report *report, int argc, char **argv)
{
    const char *path = report->plan->json_path;
    bool to_stdout = strcmp(path, "-") == 0;
    json_t *root = json_all(report, argc, argv);
    FILE *file = to_stdout ? stdout : fopen(path, "we");
    bool good = file && json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 &&
                fputc('\n', file) != EOF && fflush(file) == 0;

    if (!good)
        fprintf(stderr, "hail-load: --json %s: %s\n", path, strerror(errno));
    if (file && !to_stdout)
        fclose(file);
    json_decref(root);
    return good;
}
