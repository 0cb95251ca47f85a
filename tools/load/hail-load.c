// hail-load.c: puts load on an echoing server, checks what comes back, and tells how fast it was
// and what it cost.
// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tools/load/compare.h"
#include "tools/load/matrix.h"
#include "tools/load/report.h"

enum {
    EXIT_USAGE = 2,
    FDS_BESIDE_CONNS = 64
};

static struct dump the_dump; // used with --dump

// A connection is a file descriptor.
static bool raise_fd_limit(const struct plan *plan)
{
    struct rlimit limit;
    uint64_t conns = plan->measures_messages ? plan->conn_count : 0;

    if (plan->idle_count > conns)
        conns = plan->idle_count;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return true;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (conns + FDS_BESIDE_CONNS <= limit.rlim_max)
        return true;
    fprintf(stderr,
            "hail-load: %llu connections need as many file descriptors, and the limit is %llu: "
            "raise it (ulimit -Hn), or ask for fewer\n",
            (unsigned long long)conns, (unsigned long long)limit.rlim_max);
    return false;
}

static bool check_server(struct report *report)
{
    const struct plan *plan = report->plan;
    struct process_cpu cpu;

    if (plan->server_pid == 0)
        return true;
    if (process_cpu_read(plan->server_pid, &cpu)) {
        report->server_step_ns = cpu.step_ns;
        return true;
    }
    fprintf(stderr, "hail-load: --server-pid %ld: cannot read its CPU time; is it running?\n",
            (long)plan->server_pid);
    return false;
}

static bool run_messages(struct lab *lab, struct report *report)
{
    const struct plan *plan = report->plan;

    if (!lab_join(lab, &report->joins))
        return false;
    for (size_t size = 0; size < plan->size_count; size++) {
        for (size_t flags = 0; flags < plan->flags_count; flags++) {
            struct traffic_result *row = &report->rows[report->row_count];
            bool good = traffic_run(lab, plan->flags[flags], plan->sizes[size],
                                    (uint32_t)report->row_count, row);
            report->row_count += row->seconds > 0;
            if (!good)
                return false;
        }
    }
    return true;
}

static bool run_handshakes(struct lab *lab, struct report *report)
{
    return lab_storm(lab, report->plan->handshake_count, &report->handshakes);
}

static bool run_idle(struct lab *lab, struct report *report)
{
    return lab_keep_idle(lab, &report->idle);
}

// One part, with clients of its own.
static bool run_part(struct report *report, struct progress *progress, uint32_t player_count,
                     bool (*part)(struct lab *, struct report *))
{
    static struct lab lab;
    struct dump *dump = report->plan->dump_path ? &the_dump : NULL;

    if (!lab_open(&lab, report->plan, progress, dump, player_count))
        return false;
    bool good = part(&lab, report);
    lab_report_fault(&lab, report->fault);
    lab_close(&lab);
    progress_end(progress);
    return good;
}

static bool run(struct report *report, struct progress *progress)
{
    const struct plan *plan = report->plan;
    uint32_t concurrent =
        plan->concurrent < plan->handshake_count ? plan->concurrent : plan->handshake_count;

    if (plan->measures_messages && !run_part(report, progress, plan->conn_count, run_messages))
        return false;
    if (plan->handshake_count > 0 && !run_part(report, progress, concurrent, run_handshakes))
        return false;
    return plan->idle_count == 0 || run_part(report, progress, plan->idle_count, run_idle);
}

int main(int argc, char **argv)
{
    static struct plan plan; // large, and there is one
    static struct report report;
    struct progress progress;

    if (argc > 1 && strcmp(argv[1], "matrix") == 0)
        return matrix_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "compare") == 0)
        return compare_main(argc, argv, stdout, stderr);
    switch (plan_read(&plan, argc, argv, stdout, stderr)) {
    case PLAN_SHOWN:
        return EXIT_SUCCESS;
    case PLAN_WRONG:
        return EXIT_USAGE;
    case PLAN_GOOD:
        break;
    }
    report.plan = &plan;
    prctl(PR_SET_TIMERSLACK, 1UL); // the schedule is kept to a microsecond, not to fifty
    if (!raise_fd_limit(&plan) || !check_server(&report))
        return EXIT_FAILURE;
    if (plan.dump_path && !dump_open(&the_dump, plan.dump_path))
        return EXIT_FAILURE;
    progress_init(&progress, plan.is_quiet);
    report.is_complete = run(&report, &progress);
    dump_close(&the_dump);
    bool json_on_stdout = plan.json_path && strcmp(plan.json_path, "-") == 0;
    report_print(&report, json_on_stdout ? stderr : stdout);
    bool is_written = !plan.json_path || report_write_json(&report, argc, argv);
    return report.is_complete && is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}
