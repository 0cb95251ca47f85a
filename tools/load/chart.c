// chart.c: see chart.h.
// SPDX-License-Identifier: MIT
#include "tools/load/chart.h"

#include <math.h>
#include <string.h>

#include "tools/load/svg.h"

// Units are pixels of a picture that is shown at its own size or smaller.
enum {
    WIDTH = 560,
    BAR_LEFT = 190,
    BAR_RIGHT = 488,
    BAR_HEIGHT = 12,
    BAR_STEP = 18,
    GROUP_GAP = 10,
    TOP = 10,
    AXIS_HEIGHT = 24,
    LINES_WIDTH = 360,
    LINES_HEIGHT = 240,
    LINES_LEFT = 58,
    LINES_RIGHT = 344,
    LINES_TOP = 10,
    LINES_BOTTOM = 208,
    HINT_LEN = 1024
};

const char *chart_class(const char *flags)
{
    if (strcmp(flags, "authenticated") == 0 || strcmp(flags, "unsigned") == 0)
        return "c-auth";
    if (strcmp(flags, "encrypted") == 0 || strcmp(flags, "resumed") == 0 ||
        strcmp(flags, "reused") == 0)
        return "c-enc";
    if (strcmp(flags, "both") == 0 || strcmp(flags, "signed") == 0)
        return "c-both";
    return "c-plain";
}

// What a row is, and all values behind the figure.
static void write_hint(char hint[HINT_LEN], const struct record_row *row, enum record_metric metric)
{
    const struct sample *sample = &row->samples[metric];
    struct sample_interval interval = sample_interval(sample, RECORD_CONFIDENCE);
    int precision = record_measure(metric)->precision;
    char name[RECORD_NAME_LEN];
    size_t len;

    record_name(row, name);
    snprintf(hint, HINT_LEN, "%s\n%s: %.*f, from %.*f to %.*f\nrepeats:", name,
             record_measure(metric)->label, precision, sample_median(sample), precision,
             interval.low, precision, interval.high);
    for (size_t i = 0; i < sample->count && (len = strlen(hint)) < HINT_LEN - 1; i++)
        snprintf(hint + len, HINT_LEN - len, " %.*f", precision, sample->values[i]);
}

static bool is_same_server(const struct record_row *row, const struct record_row *other)
{
    return strcmp(row->who, other->who) == 0 && strcmp(row->io, other->io) == 0;
}

static double high_of(const struct record_row *row, enum record_metric metric)
{
    return sample_interval(&row->samples[metric], RECORD_CONFIDENCE).high;
}

static void draw_bar(FILE *out, const struct record_row *row, enum record_metric metric, double y,
                     double scale)
{
    struct sample_interval interval = sample_interval(&row->samples[metric], RECORD_CONFIDENCE);
    double median = sample_median(&row->samples[metric]);
    double middle = y + (double)BAR_HEIGHT / 2;
    double low = (double)BAR_LEFT + interval.low * scale;
    double high = (double)BAR_LEFT + interval.high * scale;
    char hint[HINT_LEN];
    char class[32];

    write_hint(hint, row, metric);
    snprintf(class, sizeof class, "bar %s", chart_class(row->flags));
    svg_text(out, BAR_LEFT - 8, y + 10, "end label", "%s", row->flags);
    svg_bar(out, BAR_LEFT, y, median * scale, BAR_HEIGHT, class, hint);
    svg_line(out, low, middle, high, middle, "whisker");
    svg_line(out, low, middle - 3, low, middle + 3, "whisker");
    svg_line(out, high, middle - 3, high, middle + 3, "whisker");
    svg_text(out, high + 6, y + 10, "value", "%.*f", median < 10 ? 2 : 0, median);
}

// The axis of bars, and how far down they have come.
struct frame {
    double scale;
    double y;
};

static struct frame begin_bars(FILE *out, const char *title, const struct record_row *const *rows,
                               size_t count, double most)
{
    double ticks[SVG_TICKS_MAX];
    double bottom = TOP;

    for (size_t i = 0; i < count; i++)
        bottom += BAR_STEP + (i > 0 && !is_same_server(rows[i], rows[i - 1]) ? GROUP_GAP : 0);
    size_t tick_count = svg_ticks(most, 5, ticks);
    double scale = (BAR_RIGHT - BAR_LEFT) / ticks[tick_count - 1];
    svg_begin(out, WIDTH, bottom + (double)AXIS_HEIGHT, title);
    for (size_t i = 0; i < tick_count; i++) {
        double x = (double)BAR_LEFT + ticks[i] * scale;
        svg_line(out, x, TOP - 6, x, bottom, i ? "grid" : "axis");
        svg_text(out, x, bottom + 15, "middle tick", "%g", ticks[i]);
    }
    return (struct frame){.scale = scale, .y = TOP};
}

// Where the next bar goes; a server's first has its name beside it.
static double next_bar(struct frame *frame, FILE *out, const struct record_row *const *rows,
                       size_t index)
{
    bool is_new = index == 0 || !is_same_server(rows[index], rows[index - 1]);

    frame->y += index > 0 && is_new ? GROUP_GAP : 0;
    if (is_new)
        svg_text(out, 0, frame->y + 10, "group", "%s %s", rows[index]->who, rows[index]->io);
    double y = frame->y;
    frame->y += (double)BAR_STEP;
    return y;
}

void chart_bars(FILE *out, const char *title, const struct record_row *const *rows, size_t count,
                enum record_metric metric)
{
    double most = 0;

    for (size_t i = 0; i < count; i++)
        most = fmax(most, high_of(rows[i], metric));
    struct frame frame = begin_bars(out, title, rows, count, most);
    for (size_t i = 0; i < count; i++)
        draw_bar(out, rows[i], metric, next_bar(&frame, out, rows, i), frame.scale);
    svg_end(out);
}

const char *chart_part_class(enum record_metric part)
{
    if (part == RECORD_SYSTEM)
        return "c-plain";
    if (part == RECORD_COPY)
        return "c-enc";
    return part == RECORD_CRYPTO ? "c-both" : "c-auth";
}

static void draw_parts(FILE *out, const struct record_row *row, double y, double scale)
{
    double x = BAR_LEFT;
    char hint[HINT_LEN];
    char class[32];

    svg_text(out, BAR_LEFT - 8, y + 10, "end label", "%s", row->flags);
    for (enum record_metric part = RECORD_SYSTEM; part <= RECORD_PROTOCOL; part++) {
        double width = sample_median(&row->samples[part]) * scale;
        snprintf(class, sizeof class, "bar part %s", chart_part_class(part));
        write_hint(hint, row, part);
        if (width > 0.1)
            svg_bar(out, x, y, width, BAR_HEIGHT, class, hint);
        x += width;
    }
    svg_text(out, x + 6, y + 10, "value", "%.2f", record_parts(row));
}

void chart_parts(FILE *out, const char *title, const struct record_row *const *rows, size_t count)
{
    double most = 0;

    for (size_t i = 0; i < count; i++)
        most = fmax(most, record_parts(rows[i]));
    struct frame frame = begin_bars(out, title, rows, count, most);
    for (size_t i = 0; i < count; i++)
        draw_parts(out, rows[i], next_bar(&frame, out, rows, i), frame.scale);
    svg_end(out);
}

// Where a latency lies, on a scale of powers of ten.
static double height_of(double us, double least_us, double most_us)
{
    double share = us > least_us ? log10(us / least_us) / log10(most_us / least_us) : 0;

    return (double)LINES_BOTTOM - share * (double)(LINES_BOTTOM - LINES_TOP);
}

static void draw_latency(FILE *out, const struct record_row *row, double least_us, double most_us)
{
    struct svg_point points[RECORD_METRICS];
    size_t count = 0;
    char hint[HINT_LEN];
    char class[32];

    for (enum record_metric metric = RECORD_P50; metric <= RECORD_MAX; metric++) {
        double step = (LINES_RIGHT - LINES_LEFT - 24) / (double)(RECORD_MAX - RECORD_P50);
        points[count].x = LINES_LEFT + 12 + step * (double)(metric - RECORD_P50);
        points[count++].y = height_of(sample_median(&row->samples[metric]), least_us, most_us);
    }
    snprintf(class, sizeof class, "line %s", chart_class(row->flags));
    svg_path(out, points, count, class);
    snprintf(class, sizeof class, "dot %s", chart_class(row->flags));
    for (size_t i = 0; i < count; i++) {
        write_hint(hint, row, (enum record_metric)(RECORD_P50 + i));
        svg_dot(out, points[i].x, points[i].y, class, hint);
    }
}

void chart_latencies(FILE *out, const char *title, const struct record_row *const *rows,
                     size_t count, double least_us, double most_us)
{
    static const char *const labels[] = {"p50", "p90", "p99", "p99.9", "max"};

    svg_begin(out, LINES_WIDTH, LINES_HEIGHT, title);
    for (double us = least_us; us <= most_us * 1.01; us *= 10) {
        double y = height_of(us, least_us, most_us);
        svg_line(out, LINES_LEFT, y, LINES_RIGHT, y, us > least_us ? "grid" : "axis");
        if (us < 1000)
            svg_text(out, LINES_LEFT - 6, y + 4, "end tick", "%g us", us);
        else
            svg_text(out, LINES_LEFT - 6, y + 4, "end tick", "%g ms", us / 1000);
    }
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        double step = (LINES_RIGHT - LINES_LEFT - 24) / (double)(RECORD_MAX - RECORD_P50);
        svg_text(out, LINES_LEFT + 12 + step * (double)i, LINES_BOTTOM + 18, "middle tick", "%s",
                 labels[i]);
    }
    for (size_t i = 0; i < count; i++)
        draw_latency(out, rows[i], least_us, most_us);
    svg_end(out);
}
