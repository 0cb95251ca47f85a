// attack_report.c: see attack_report.h.
// SPDX-License-Identifier: MIT
#include "bench/attack_report.h"

void report_begin(struct report *report, FILE *json)
{
    *report = (struct report){.json = json};
    printf("%-22s %7s %7s %6s %6s %6s %5s | %6s %7s %7s | %9s %7s %7s |\n", "", "each/s", "us each",
           "cores", "ampl.", "MB", "sent", "lost", "p99 ms", "long", "joins", "p50 ms", "p99 ms");
    printf("%-22s %7s %7s %6s %6s %6s %5s | %6s %7s %7s | %9s %7s %7s |\n", "attack", "", "", "",
           "", "grown", "away", "", "", "p99 ms", "failed", "", "");
    fflush(stdout);
    if (json)
        fprintf(json, "{\"attacks\": [");
}

static void write_json(FILE *json, const struct run_result *result)
{
    const struct players_result *players = &result->players;

    fprintf(json,
            "\n  {\"attack\": \"%s\", \"seconds\": %.3f, \"count\": %llu, \"per_s\": %.0f, "
            "\"server_us_each\": %.3f, \"server_cores\": %.4f, \"amplification\": %.4f, "
            "\"memory_mb\": %.2f, \"sent_away\": %u, \"close_reason\": %u,\n",
            result->wanted->name, result->seconds, (unsigned long long)result->count,
            (double)result->count / result->seconds, result->us_each, result->server_cores,
            result->amplification, result->memory_mb, result->closed, result->close_reason);
    fprintf(json,
            "   \"messages_sent\": %llu, \"messages_lost\": %llu, \"players_lost\": %u, "
            "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"long_p99_ms\": %.3f, \"joins\": %u, "
            "\"joins_failed\": %u, \"joins_p50_ms\": %.3f, \"joins_p99_ms\": %.3f,\n"
            "   \"bars\": [",
            (unsigned long long)players->sent, (unsigned long long)players->lost,
            players->lost_connections, players->short_p50_ms, players->short_p99_ms,
            players->long_p99_ms, players->joins, players->joins_failed, players->join_p50_ms,
            players->join_p99_ms);
    for (size_t i = 0; i < result->bar_count; i++) {
        const struct run_bar *bar = &result->bars[i];
        fprintf(json, "%s{\"name\": \"%s\", \"value\": %.3f, \"%s\": %.3f, \"kept\": %s}",
                i > 0 ? ", " : "", bar->name, bar->value, bar->is_least ? "least" : "most",
                bar->bar, run_bar_kept(bar) ? "true" : "false");
    }
    fprintf(json, "]}");
}

void report_row(struct report *report, const struct run_result *result)
{
    const struct players_result *players = &result->players;

    if (result->is_refused) {
        printf("%-22s did not take place: it could not join\n", result->wanted->name);
        report->missed++;
        return;
    }
    printf("%-22s %7.0f %7.2f %6.3f %6.2f %6.1f %5u | %6llu %7.2f %7.2f | %4u %4u %7.1f %7.1f |",
           result->wanted->name, (double)result->count / result->seconds, result->us_each,
           result->server_cores, result->amplification, result->memory_mb, result->closed,
           (unsigned long long)players->lost, players->short_p99_ms, players->long_p99_ms,
           players->joins, players->joins_failed, players->join_p50_ms, players->join_p99_ms);
    for (size_t i = 0; i < result->bar_count; i++) {
        const struct run_bar *bar = &result->bars[i];
        report->kept += run_bar_kept(bar);
        report->missed += !run_bar_kept(bar);
        if (!run_bar_kept(bar))
            printf(" %s %.4g %s, %s %.4g;", bar->name, bar->value, bar->unit,
                   bar->is_least ? "at least" : "at most", bar->bar);
    }
    printf("\n");
    fflush(stdout);
    if (!report->json)
        return;
    fprintf(report->json, "%s", report->has_row ? "," : "");
    write_json(report->json, result);
    report->has_row = true;
}

void report_end(struct report *report)
{
    printf("%u promises kept, %u missed\n", report->kept, report->missed);
    if (report->json)
        fprintf(report->json, "\n], \"kept\": %u, \"missed\": %u}\n", report->kept, report->missed);
}
