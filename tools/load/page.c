// page.c: see page.h. It is written so that readers of XML take it too.
// SPDX-License-Identifier: MIT
#include "tools/load/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/load/chart.h"
#include "tools/load/svg.h"
#include "tools/load/targets.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<title>hail: what protection costs</title>\n<style>\n"
    ":root{color-scheme:light dark;--page:#f7f7f4;--card:#fff;--ink:#1c1c1a;--soft:#5c5b56;"
    "--rule:#e3e2dc;--plain:#8b8a83;--auth:#2a78d6;--enc:#12936a;--both:#d9591f}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#151514;--card:#1f1f1d;--ink:#f1f0ec;"
    "--soft:#b4b2a8;--rule:#383733;--plain:#98968d;--auth:#4a93ea;--enc:#22a77b;--both:#e8713a}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",sans-serif}\n"
    "main{max-width:1220px;margin:0 auto;padding:28px 20px 60px}\n"
    "h1{font-size:26px;line-height:1.2;margin:0 0 6px}\n"
    "h2{font-size:19px;margin:40px 0 4px}\nh3{font-size:14px;margin:0 0 8px;font-weight:600}\n"
    "p{margin:4px 0 14px;max-width:76ch;color:var(--soft)}\n"
    ".fault{color:var(--ink);border-left:4px solid var(--both);padding-left:12px}\n"
    ".cards{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,"
    "500px),1fr))}\n"
    ".cards.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr))}\n"
    ".card{background:var(--card);border:1px solid var(--rule);border-radius:8px;"
    "padding:14px 16px}\n"
    "svg{display:block;width:100%;height:auto}\n"
    "svg text{fill:var(--soft);font-size:12px}\n"
    "svg .group{fill:var(--ink);font-weight:600}\nsvg .value{fill:var(--ink)}\n"
    "svg .end{text-anchor:end}\nsvg .middle{text-anchor:middle}\n"
    "svg .grid{stroke:var(--rule)}\nsvg .axis{stroke:var(--soft)}\n"
    "svg .whisker{stroke:var(--ink);stroke-width:1.2}\n"
    "svg .line{fill:none;stroke-width:2;stroke-linejoin:round}\n"
    "svg .dot{stroke:var(--card);stroke-width:1.5}\n"
    ".part{stroke:var(--card);stroke-width:1}\n"
    ".bar.c-plain,.dot.c-plain{fill:var(--plain)}\n.bar.c-auth,.dot.c-auth{fill:var(--auth)}\n"
    ".bar.c-enc,.dot.c-enc{fill:var(--enc)}\n.bar.c-both,.dot.c-both{fill:var(--both)}\n"
    ".line.c-plain{stroke:var(--plain)}\n.line.c-auth{stroke:var(--auth)}\n"
    ".line.c-enc{stroke:var(--enc)}\n.line.c-both{stroke:var(--both)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 12px;padding:0;"
    "list-style:none;color:var(--soft)}\n"
    ".legend i{display:inline-block;width:12px;height:12px;border-radius:3px;"
    "margin-right:6px;vertical-align:-1px}\n"
    "i.c-plain{background:var(--plain)}\ni.c-auth{background:var(--auth)}\n"
    "i.c-enc{background:var(--enc)}\ni.c-both{background:var(--both)}\n"
    ".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);"
    "border-radius:8px}\n"
    "table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}\n"
    "th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--rule)}\n"
    "th{color:var(--soft);font-weight:600}\n"
    "tr:last-child td{border-bottom:0}\n.word{text-align:left}\n"
    "small{color:var(--soft)}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:8px 0}\n"
    "dt{color:var(--soft)}\ndd{margin:0;overflow-wrap:anywhere}\n"
    "</style>\n</head>\n<body>\n<main>\n";

struct page {
    const struct record *record;
    FILE *out;
    const struct record_row **rows; // room to gather those of a picture in
};

static bool is_measured(const struct record_row *row, enum record_kind kind)
{
    return row->kind == kind && row->samples[RECORD_RATE].count > 0;
}

static bool has_kind(const struct record *record, enum record_kind kind)
{
    for (size_t i = 0; i < record->row_count; i++) {
        if (is_measured(&record->rows[i], kind))
            return true;
    }
    return false;
}

// Gathers the rows from `first` on that `is_alike` puts into one picture with it. Returns how many;
// 0 when a row before it has gathered it.
static size_t gather(const struct page *page, size_t first, enum record_metric metric,
                     bool (*is_alike)(const struct record_row *, const struct record_row *))
{
    const struct record *record = page->record;
    const struct record_row *row = &record->rows[first];
    size_t count = 0;

    for (size_t i = 0; i < record->row_count; i++) {
        const struct record_row *other = &record->rows[i];
        if (other->kind != row->kind || other->samples[metric].count == 0 || !is_alike(row, other))
            continue;
        if (i < first)
            return 0;
        page->rows[count++] = other;
    }
    return count;
}

static void write_legend(const struct page *page, bool is_handshakes)
{
    static const char *const messages[] = {"plain", "authenticated", "encrypted", "both", NULL};
    static const char *const handshakes[] = {"unsigned", "signed", "reused", "resumed", NULL};

    fputs("<ul class=\"legend\">", page->out);
    for (const char *const *flags = is_handshakes ? handshakes : messages; *flags; flags++)
        fprintf(page->out, "<li><i class=\"%s\"></i>%s</li>", chart_class(*flags), *flags);
    fputs("</ul>\n", page->out);
}

static bool is_same_echo(const struct record_row *row, const struct record_row *other)
{
    return row->is_ordered == other->is_ordered && row->size == other->size &&
           row->connections == other->connections && row->burst == other->burst &&
           row->rate == other->rate;
}

static bool is_same_load(const struct record_row *row, const struct record_row *other)
{
    return is_same_echo(row, other) && strcmp(row->who, other->who) == 0 &&
           strcmp(row->io, other->io) == 0;
}

static bool is_any(const struct record_row *row, const struct record_row *other)
{
    return row->kind == other->kind;
}

static void write_costs(const struct page *page)
{
    char title[RECORD_NAME_LEN];
    size_t count;

    if (!has_kind(page->record, RECORD_CLOSED))
        return;
    fputs("<h2>What a message costs the server</h2>\n<p>Microseconds of the server's CPU time, "
          "user and system, for each message taken and echoed; the next message is sent when one "
          "is back. The line through a bar's end spans the bounds of its median.</p>\n",
          page->out);
    write_legend(page, false);
    fputs("<div class=\"cards\">\n", page->out);
    for (size_t i = 0; i < page->record->row_count; i++) {
        const struct record_row *row = &page->record->rows[i];
        if (row->kind != RECORD_CLOSED ||
            (count = gather(page, i, RECORD_SERVER_US, is_same_echo)) == 0)
            continue;
        snprintf(title, sizeof title, "%u bytes, %u connections, %u under way on each%s", row->size,
                 row->connections, row->burst, row->is_ordered ? ", ordered" : "");
        fprintf(page->out, "<div class=\"card\"><h3>%s</h3>\n", title);
        chart_bars(page->out, title, page->rows, count, RECORD_SERVER_US);
        fputs("</div>\n", page->out);
    }
    fputs("</div>\n", page->out);
}

static void write_split(const struct page *page)
{
    static const char *const names[] = {"system calls", "copies", "cryptography",
                                        "protocol and application"};
    char title[RECORD_NAME_LEN];
    bool has_head = false;
    size_t count;

    for (size_t i = 0; i < page->record->row_count; i++) {
        const struct record_row *row = &page->record->rows[i];
        if (row->samples[RECORD_SPLIT_CPU].count == 0 ||
            (count = gather(page, i, RECORD_SPLIT_CPU, is_same_echo)) == 0)
            continue;
        if (!has_head) {
            fputs("<h2>Where the server's time goes</h2>\n<p>Microseconds for each message, told "
                  "by the server itself in a run of its own, once: counting costs it a little, and "
                  "one run is less certain than the figures above. Copies are those in its own "
                  "memory.</p>\n<ul class=\"legend\">",
                  page->out);
            for (unsigned part = 0; part < 4; part++)
                fprintf(page->out, "<li><i class=\"%s\"></i>%s</li>",
                        chart_part_class((enum record_metric)(RECORD_SYSTEM + part)), names[part]);
            fputs("</ul>\n<div class=\"cards\">\n", page->out);
        }
        has_head = true;
        snprintf(title, sizeof title, "%u bytes, %u connections, %u under way on each%s", row->size,
                 row->connections, row->burst, row->is_ordered ? ", ordered" : "");
        fprintf(page->out, "<div class=\"card\"><h3>%s</h3>\n", title);
        chart_parts(page->out, title, page->rows, count);
        fputs("</div>\n", page->out);
    }
    fputs(has_head ? "</div>\n" : "", page->out);
}

static void write_latencies(const struct page *page)
{
    char title[RECORD_NAME_LEN];
    double least = INFINITY;
    double most = 0;
    size_t count;

    if (!has_kind(page->record, RECORD_OPEN))
        return;
    for (size_t i = 0; i < page->record->row_count; i++) {
        const struct record_row *row = &page->record->rows[i];
        if (!is_measured(row, RECORD_OPEN))
            continue;
        least = fmin(least, sample_median(&row->samples[RECORD_P50]));
        most = fmax(most, sample_median(&row->samples[RECORD_MAX]));
    }
    least = pow(10, floor(log10(fmax(least, 1))));
    most = fmax(pow(10, ceil(log10(fmax(most, 1)))), 10 * least);
    fputs("<h2>Latency on a schedule</h2>\n<p>Messages are sent when they are due, whether or not "
          "others are back, and their latency counts from then: a stall shows in every message it "
          "held up. Medians over the repeats; all pictures have the same scale, of powers of "
          "ten.</p>\n",
          page->out);
    write_legend(page, false);
    fputs("<div class=\"cards small\">\n", page->out);
    for (size_t i = 0; i < page->record->row_count; i++) {
        const struct record_row *row = &page->record->rows[i];
        if (row->kind != RECORD_OPEN || (count = gather(page, i, RECORD_P50, is_same_load)) == 0)
            continue;
        snprintf(title, sizeof title, "%s %s, %u bytes, %u connections, %u/s", row->who, row->io,
                 row->size, row->connections, row->rate);
        fprintf(page->out, "<div class=\"card\"><h3>%s</h3>\n", title);
        chart_latencies(page->out, title, page->rows, count, least, most);
        fputs("</div>\n", page->out);
    }
    fputs("</div>\n", page->out);
}

static void write_handshakes(const struct page *page)
{
    size_t first = 0;

    if (!has_kind(page->record, RECORD_HANDSHAKES))
        return;
    while (!is_measured(&page->record->rows[first], RECORD_HANDSHAKES))
        first++;
    size_t count = gather(page, first, RECORD_SERVER_US, is_any);
    if (count == 0)
        return;
    fputs("<h2>What a handshake costs the server</h2>\n<p>Microseconds of the server's CPU time "
          "for each connection that joins and is closed, the stretching of its key and all.</p>\n",
          page->out);
    write_legend(page, true);
    fputs("<div class=\"cards\"><div class=\"card\">\n", page->out);
    chart_bars(page->out, "server CPU for each handshake", page->rows, count, RECORD_SERVER_US);
    fputs("</div></div>\n", page->out);
}

// ---- Tables

static void write_cell(FILE *out, const struct sample *sample, int precision, bool has_bounds)
{
    struct sample_interval interval = sample_interval(sample, RECORD_CONFIDENCE);

    if (sample->count == 0) {
        fputs("<td></td>", out);
        return;
    }
    fprintf(out, "<td>%.*f", precision, sample_median(sample));
    if (has_bounds)
        fprintf(out, " <small>%.*f to %.*f</small>", precision, interval.low, precision,
                interval.high);
    fputs("</td>", out);
}

static void write_word(FILE *out, const char *word)
{
    fputs("<td class=\"word\">", out);
    svg_escape(out, word);
    fputs("</td>", out);
}

static void write_row(const struct page *page, const struct record_row *row)
{
    FILE *out = page->out;
    bool is_echo = row->kind != RECORD_HANDSHAKES;
    char flags[RECORD_WORD_LEN + 16];
    struct sample ratio;

    record_flags(row, flags);
    fputs("<tr>", out);
    write_word(out, row->who);
    write_word(out, row->io);
    write_word(out, flags);
    if (is_echo)
        fprintf(out, "<td>%u</td>", row->size);
    fprintf(out, "<td>%u</td>", row->connections);
    if (is_echo)
        fprintf(out, "<td>%u</td>", row->kind == RECORD_OPEN ? row->rate : row->burst);
    write_cell(out, &row->samples[RECORD_SERVER_US], is_echo ? 2 : 0, true);
    if (is_echo) {
        record_ratio(page->record, row, RECORD_TO_PLAIN, &ratio);
        write_cell(out, &ratio, 2, false);
        record_ratio(page->record, row, RECORD_TO_BASELINE, &ratio);
        write_cell(out, &ratio, 2, false);
    }
    write_cell(out, &row->samples[RECORD_RATE], 0, true);
    for (enum record_metric metric = RECORD_P50; metric <= RECORD_MAX; metric++)
        write_cell(out, &row->samples[metric], 0, false);
    if (is_echo) {
        write_cell(out, &row->samples[RECORD_WIRE_BYTES], 0, false);
        write_cell(out, &row->samples[RECORD_LOST], 0, false);
        write_cell(out, &row->samples[RECORD_LATE], 0, false);
    }
    fputs("</tr>\n", out);
}

static void write_bars(const struct page *page)
{
    bool has_head = false;
    struct bar bar;

    for (size_t i = 0; i < targets_count(); i++) {
        if (!targets_judge(page->record, i, &bar))
            continue;
        if (!has_head)
            fputs("<h2>Bars</h2>\n<p>What is promised, at most, and what was measured.</p>\n"
                  "<div class=\"scroll\"><table>\n<thead><tr><th class=\"word\">what</th>"
                  "<th>at most</th><th>measured</th><th class=\"word\">is</th></tr></thead>\n"
                  "<tbody>\n",
                  page->out);
        has_head = true;
        fputs("<tr>", page->out);
        write_word(page->out, bar.text);
        fprintf(page->out, "<td>%.4g</td>", bar.most);
        write_cell(page->out, &bar.measured, bar.most < 100 ? 2 : 0, true);
        write_word(page->out, bar.is_kept ? "kept" : "missed");
        fputs("</tr>\n", page->out);
    }
    fputs(has_head ? "</tbody>\n</table></div>\n" : "", page->out);
}

static void write_table(const struct page *page, enum record_kind kind, const char *title)
{
    FILE *out = page->out;
    bool is_echo = kind != RECORD_HANDSHAKES;

    if (!has_kind(page->record, kind))
        return;
    fprintf(out,
            "<h2>%s</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th class=\"word\">who</th>"
            "<th class=\"word\">io</th><th class=\"word\">%s</th>",
            title, is_echo ? "flags" : "exchange");
    fprintf(out, is_echo ? "<th>bytes</th><th>connections</th><th>%s</th>" : "<th>at once</th>",
            kind == RECORD_OPEN ? "rate" : "burst");
    fputs("<th>server us each</th>", out);
    fputs(is_echo ? "<th>to plain</th><th>to baseline</th>" : "", out);
    fputs("<th>per second</th><th>p50 us</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th>",
          out);
    fputs(is_echo ? "<th>wire bytes</th><th>lost</th><th>late</th>" : "", out);
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < page->record->row_count; i++) {
        if (is_measured(&page->record->rows[i], kind))
            write_row(page, &page->record->rows[i]);
    }
    fputs("</tbody></table></div>\n", out);
}

static const char *about(const struct page *page, const char *key)
{
    const char *text = json_string_value(json_object_get(page->record->about, key));

    return text ? text : "";
}

static void write_top(const struct page *page)
{
    FILE *out = page->out;

    fputs(head, out);
    fputs("<h1>What protection costs</h1>\n<p>hail ", out);
    svg_escape(out, about(page, "hail"));
    fputs(" on ", out);
    svg_escape(out, about(page, "cpu"));
    fputs(", ", out);
    svg_escape(out, about(page, "time"));
    fputs(". Medians of ", out);
    svg_escape(out, about(page, "measured"));
    fputs("; ", out);
    svg_escape(out, about(page, "pinning"));
    fputs(". Over loopback: compare figures of one page with each other.</p>\n", out);
    if (!page->record->is_complete) {
        fputs("<p class=\"fault\">Incomplete: ", out);
        svg_escape(out, page->record->fault);
        fputs("</p>\n", out);
    }
}

static void write_bottom(const struct page *page)
{
    FILE *out = page->out;
    const char *key;
    json_t *value;

    fputs("<h2>How it was measured</h2>\n<dl>\n", out);
    json_object_foreach(page->record->about, key, value)
    {
        fputs("<dt>", out);
        svg_escape(out, key);
        fputs("</dt><dd>", out);
        svg_escape(out, json_string_value(value));
        fputs("</dd>\n", out);
    }
    fprintf(out,
            "</dl>\n<p>Bounds are of the median: two of its repeats, chosen by rank, so that it "
            "lies between them with a confidence of %g %% or, with five repeats or fewer, as much "
            "as those allow. Ratios are medians of ratios within a repeat. Wire bytes are the mean "
            "of both directions.</p>\n</main>\n</body>\n</html>\n",
            100 * RECORD_CONFIDENCE);
}

bool page_write(const struct record *record, FILE *out)
{
    struct page page = {.record = record, .out = out};

    page.rows = calloc(record->row_count + 1, sizeof *page.rows);
    if (!page.rows)
        return false;
    write_top(&page);
    write_bars(&page);
    write_costs(&page);
    write_split(&page);
    write_latencies(&page);
    write_handshakes(&page);
    write_table(&page, RECORD_CLOSED, "Echoes, the next message when one is back");
    write_table(&page, RECORD_OPEN, "Echoes on a schedule");
    write_table(&page, RECORD_HANDSHAKES, "Handshakes");
    write_bottom(&page);
    free(page.rows);
    return fflush(out) == 0 && !ferror(out);
}
