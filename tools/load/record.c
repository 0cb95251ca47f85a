// record.c: see record.h.
// SPDX-License-Identifier: MIT
#include "tools/load/record.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/load/targets.h"

enum {
    FORMAT_VERSION = 1,
    ROWS_MAX = 100000
};

static const char format_name[] = "hail-load matrix";
static const char *const kind_names[RECORD_KINDS] = {"closed", "open", "handshakes"};
static const struct record_measure measures[RECORD_METRICS] = {
    [RECORD_RATE] = {"per_second", "per second", 1, 0},
    [RECORD_SERVER_US] = {"server_us", "server CPU, us each", -1, 3},
    [RECORD_BUSY] = {"server_busy", "server's share of a core", 0, 2},
    [RECORD_P50] = {"p50_us", "p50, us", -1, 1},
    [RECORD_P90] = {"p90_us", "p90, us", -1, 1},
    [RECORD_P99] = {"p99_us", "p99, us", -1, 1},
    [RECORD_P999] = {"p999_us", "p99.9, us", -1, 1},
    [RECORD_MAX] = {"max_us", "max, us", 0, 1},
    [RECORD_WIRE_BYTES] = {"wire_bytes", "wire bytes", -1, 1},
    [RECORD_LOST] = {"lost", "lost", 0, 0},
    [RECORD_LATE] = {"late", "late", 0, 0},
    [RECORD_SYSTEM] = {"spent_system_us", "system calls, us", 0, 3},
    [RECORD_COPY] = {"spent_copy_us", "copies, us", 0, 3},
    [RECORD_CRYPTO] = {"spent_crypto_us", "cryptography, us", 0, 3},
    [RECORD_PROTOCOL] = {"spent_protocol_us", "protocol, us", 0, 3},
    [RECORD_SPLIT_CPU] = {"spent_cpu_us", "server CPU while split, us", 0, 3},
};

void record_cleanup(struct record *record)
{
    json_decref(record->about);
    free(record->rows);
    *record = (struct record){0};
}

const char *record_kind_name(enum record_kind kind)
{
    return kind_names[kind];
}

const struct record_measure *record_measure(enum record_metric metric)
{
    return &measures[metric];
}

void record_flags(const struct record_row *row, char text[RECORD_WORD_LEN + 16])
{
    snprintf(text, RECORD_WORD_LEN + 16, "%s%s", row->flags, row->is_ordered ? ", ordered" : "");
}

void record_name(const struct record_row *row, char name[RECORD_NAME_LEN])
{
    char flags[RECORD_WORD_LEN + 16];
    char pace[48];

    record_flags(row, flags);
    if (row->kind == RECORD_HANDSHAKES) {
        snprintf(name, RECORD_NAME_LEN, "%s %s, %s handshakes, %u at once", row->who, row->io,
                 row->flags, row->connections);
        return;
    }
    if (row->kind == RECORD_OPEN)
        snprintf(pace, sizeof pace, "%u a second", row->rate);
    else
        snprintf(pace, sizeof pace, "bursts of %u", row->burst);
    snprintf(name, RECORD_NAME_LEN, "%s %s, %s, %u bytes, %u connections, %s", row->who, row->io,
             flags, row->size, row->connections, pace);
}

static bool is_base(const struct record_row *row, const struct record_row *other,
                    enum record_base base)
{
    return row != other && row->kind == other->kind && row->size == other->size &&
           row->connections == other->connections && row->burst == other->burst &&
           row->rate == other->rate && strcmp(other->flags, "plain") == 0 && !other->is_ordered &&
           (!row->is_ordered || base == RECORD_TO_BASELINE) &&
           strcmp(other->who, base == RECORD_TO_BASELINE ? "baseline" : row->who) == 0;
}

// The base of the same backend or, where there is none, of any.
static const struct record_row *base_of(const struct record *record, const struct record_row *row,
                                        enum record_base base)
{
    const struct record_row *found = NULL;

    for (size_t i = 0; i < record->row_count; i++) {
        const struct record_row *other = &record->rows[i];
        if (is_base(row, other, base) && (!found || strcmp(row->io, other->io) == 0))
            found = other;
    }
    return strcmp(row->who, "baseline") == 0 ? NULL : found;
}

void record_ratio(const struct record *record, const struct record_row *row, enum record_base base,
                  struct sample *ratio)
{
    const struct sample *cost = &row->samples[RECORD_SERVER_US];
    const struct record_row *other = base_of(record, row, base);

    *ratio = (struct sample){0};
    if (!other || (base == RECORD_TO_PLAIN && strcmp(row->flags, "plain") == 0))
        return;
    const struct sample *least = &other->samples[RECORD_SERVER_US];
    for (size_t i = 0; i < cost->count && i < least->count; i++) {
        if (least->values[i] > 0)
            sample_add(ratio, cost->values[i] / least->values[i]);
    }
}

// ---- Tables

// Median, and in brackets the interval; nothing when there is no sample.
static void print_sample(FILE *out, int width, const struct sample *sample, int precision)
{
    char text[64] = "-";
    struct sample_interval interval = sample_interval(sample, RECORD_CONFIDENCE);

    if (sample->count > 0)
        snprintf(text, sizeof text, "%.*f (%.*f to %.*f)", precision, sample_median(sample),
                 precision, interval.low, precision, interval.high);
    fprintf(out, " %-*s", width, text);
}

static void print_median(FILE *out, int width, const struct sample *sample, int precision)
{
    if (sample->count > 0)
        fprintf(out, " %*.*f", width, precision, sample_median(sample));
    else
        fprintf(out, " %*s", width, "-");
}

static void print_head(FILE *out, enum record_kind kind)
{
    switch (kind) {
    case RECORD_CLOSED:
    case RECORD_OPEN:
        fprintf(
            out,
            "\n%s\n%-16s %-7s %-14s %5s %5s %6s %-24s %8s %8s %-27s %8s %8s %8s %8s %8s %6s %5s\n",
            kind == RECORD_OPEN ? "Echoes on a schedule: latency counts from when a message "
                                  "was due, whatever held it up"
                                : "Echoes, the next message when one is back",
            "who", "io", "flags", "bytes", "conns", kind == RECORD_OPEN ? "rate" : "burst",
            "server us a message", "to plain", "to baseline", "messages/s", "p50 us", "p90 us",
            "p99 us", "p99.9 us", "max us", "wire", "lost");
        return;
    case RECORD_HANDSHAKES:
        fprintf(out, "\nHandshakes\n%-16s %-7s %-14s %7s %-28s %-28s %10s %10s\n", "who", "io",
                "exchange", "at once", "server us a handshake", "handshakes/s", "p50 us", "p99 us");
        return;
    case RECORD_KINDS:
        return;
    }
}

static void print_echo(FILE *out, const struct record *record, const struct record_row *row)
{
    const struct sample *samples = row->samples;
    char flags[RECORD_WORD_LEN + 16];
    struct sample ratio;

    record_flags(row, flags);
    fprintf(out, "%-16s %-7s %-14s %5u %5u %6u", row->who, row->io, flags, row->size,
            row->connections, row->kind == RECORD_OPEN ? row->rate : row->burst);
    print_sample(out, 24, &samples[RECORD_SERVER_US], 2);
    for (enum record_base base = RECORD_TO_PLAIN; base <= RECORD_TO_BASELINE; base++) {
        record_ratio(record, row, base, &ratio);
        print_median(out, 8, &ratio, 2);
    }
    print_sample(out, 27, &samples[RECORD_RATE], 0);
    for (enum record_metric metric = RECORD_P50; metric <= RECORD_MAX; metric++)
        print_median(out, 8, &samples[metric], 0);
    print_median(out, 6, &samples[RECORD_WIRE_BYTES], 0);
    print_median(out, 5, &samples[RECORD_LOST], 0);
    fprintf(out, "%s\n", sample_median(&samples[RECORD_LATE]) > 0 ? " (*)" : "");
}

static void print_handshakes(FILE *out, const struct record_row *row)
{
    fprintf(out, "%-16s %-7s %-14s %7u", row->who, row->io, row->flags, row->connections);
    print_sample(out, 28, &row->samples[RECORD_SERVER_US], 0);
    print_sample(out, 28, &row->samples[RECORD_RATE], 0);
    print_median(out, 10, &row->samples[RECORD_P50], 0);
    print_median(out, 10, &row->samples[RECORD_P99], 0);
    fputc('\n', out);
}

double record_parts(const struct record_row *row)
{
    double sum = 0;

    for (enum record_metric metric = RECORD_SYSTEM; metric <= RECORD_PROTOCOL; metric++)
        sum += sample_median(&row->samples[metric]);
    return sum;
}

static void print_split(const struct record *record, FILE *out)
{
    bool has_head = false;

    for (size_t i = 0; i < record->row_count; i++) {
        const struct record_row *row = &record->rows[i];
        double cpu = sample_median(&row->samples[RECORD_SPLIT_CPU]);
        char flags[RECORD_WORD_LEN + 16];
        if (cpu <= 0)
            continue;
        if (!has_head)
            fprintf(
                out,
                "\nWhere the server's CPU time goes, us a message: measured apart, once, by the "
                "server itself, which costs it\n%-16s %-7s %-14s %5s %5s %6s %8s %8s %8s %8s "
                "%8s %10s %8s\n",
                "who", "io", "flags", "bytes", "conns", "burst", "system", "copies", "crypto",
                "protocol", "sum", "by clock", "sum is");
        has_head = true;
        record_flags(row, flags);
        fprintf(out, "%-16s %-7s %-14s %5u %5u %6u", row->who, row->io, flags, row->size,
                row->connections, row->burst);
        for (enum record_metric metric = RECORD_SYSTEM; metric <= RECORD_PROTOCOL; metric++)
            print_median(out, 8, &row->samples[metric], 3);
        fprintf(out, " %8.3f %10.3f %6.0f %%\n", record_parts(row), cpu,
                100 * record_parts(row) / cpu);
    }
}

// How many repeats the rows have, the most of them.
static size_t repeats_of(const struct record *record)
{
    size_t repeats = 0;

    for (size_t i = 0; i < record->row_count; i++) {
        if (record->rows[i].samples[RECORD_RATE].count > repeats)
            repeats = record->rows[i].samples[RECORD_RATE].count;
    }
    return repeats;
}

void record_print(const struct record *record, FILE *out)
{
    const char *key;
    json_t *value;
    bool has_late = false;
    struct sample whole = {.count = repeats_of(record)};

    json_object_foreach(record->about, key, value)
    {
        if (strcmp(key, "cpu flags") != 0) // pages of them: in the files
            fprintf(out, "%-12s %s\n", key, json_string_value(value));
    }
    for (enum record_kind kind = 0; kind < RECORD_KINDS; kind++) {
        bool has_head = false;
        for (size_t i = 0; i < record->row_count; i++) {
            const struct record_row *row = &record->rows[i];
            if (row->kind != kind || row->samples[RECORD_RATE].count == 0)
                continue;
            if (!has_head)
                print_head(out, kind);
            has_head = true;
            kind == RECORD_HANDSHAKES ? print_handshakes(out, row) : print_echo(out, record, row);
            has_late |= sample_median(&row->samples[RECORD_LATE]) > 0;
        }
    }
    print_split(record, out);
    fprintf(out,
            "\nMedians of %zu repeats; in brackets the bounds of the median, confidence %.1f %%. "
            "server us: CPU time\nof the server's whole process. wire: bytes a message, mean of "
            "both directions.\n",
            whole.count, 100 * sample_interval(&whole, RECORD_CONFIDENCE).confidence);
    if (has_late)
        fputs("(*) the rate was not reached: some that were due could not be sent, and their "
              "latency is not in the figures.\n",
              out);
    if (!record->is_complete)
        fprintf(out, "INCOMPLETE: %s\n", record->fault);
    fflush(out);
}

// ---- To JSON

// Adds to `object`; without memory it is left out, and reading the file will tell.
static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        fprintf(stderr, "hail-load: no memory for %s in the JSON\n", key);
}

static json_t *json_of_sample(const struct sample *sample)
{
    struct sample_interval interval = sample_interval(sample, RECORD_CONFIDENCE);
    json_t *object = json_object();
    json_t *values = json_array();

    for (size_t i = 0; i < sample->count; i++)
        json_array_append_new(values, json_real(sample->values[i]));
    set(object, "median", json_real(sample_median(sample)));
    set(object, "low", json_real(interval.low));
    set(object, "high", json_real(interval.high));
    set(object, "confidence", json_real(interval.confidence));
    set(object, "values", values);
    return object;
}

static json_t *json_of_row(const struct record_row *row)
{
    json_t *object = json_object();

    set(object, "kind", json_string(kind_names[row->kind]));
    set(object, "who", json_string(row->who));
    set(object, "io", json_string(row->io));
    set(object, "flags", json_string(row->flags));
    set(object, "ordered", json_boolean(row->is_ordered));
    set(object, "size", json_integer(row->size));
    set(object, "connections", json_integer(row->connections));
    set(object, "burst", json_integer(row->burst));
    set(object, "rate", json_integer(row->rate));
    for (unsigned metric = 0; metric < RECORD_METRICS; metric++) {
        if (row->samples[metric].count > 0)
            set(object, measures[metric].key, json_of_sample(&row->samples[metric]));
    }
    return object;
}

static json_t *json_of_bars(const struct record *record)
{
    json_t *bars = json_array();
    struct bar bar;

    for (size_t i = 0; i < targets_count(); i++) {
        if (!targets_judge(record, i, &bar))
            continue;
        json_t *object = json_object();
        set(object, "what", json_string(bar.text));
        set(object, "at_most", json_real(bar.most));
        set(object, "measured", json_of_sample(&bar.measured));
        set(object, "kept", json_boolean(bar.is_kept));
        json_array_append_new(bars, object);
    }
    return bars;
}

bool record_write(const struct record *record, FILE *file)
{
    json_t *root = json_object();
    json_t *rows = json_array();

    set(root, "format", json_string(format_name));
    set(root, "format_version", json_integer(FORMAT_VERSION));
    set(root, "complete", json_boolean(record->is_complete));
    set(root, "fault", record->fault[0] ? json_string(record->fault) : json_null());
    set(root, "about", json_incref(record->about));
    for (size_t i = 0; i < record->row_count; i++)
        json_array_append_new(rows, json_of_row(&record->rows[i]));
    set(root, "rows", rows);
    set(root, "bars", json_of_bars(record));
    bool good = json_dumpf(root, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0 &&
                fputc('\n', file) != EOF && fflush(file) == 0;
    json_decref(root);
    return good;
}

// ---- From JSON

// Where in a file we are, for what is told of it.
struct place {
    const char *path;
    FILE *errors;
    size_t row; // and one; 0: in none
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct place *place,
                                                         const char *format, ...)
{
    va_list values;

    fprintf(place->errors, "hail-load: %s: ", place->path);
    if (place->row > 0)
        fprintf(place->errors, "rows[%zu]: ", place->row - 1);
    va_start(values, format);
    vfprintf(place->errors, format, values);
    va_end(values);
    fputc('\n', place->errors);
    return false;
}

static bool read_word(const struct place *place, const json_t *object, const char *key,
                      char word[RECORD_WORD_LEN])
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text)
        return refuse(place, "\"%s\" must be there, and a text", key);
    if (strlen(text) >= RECORD_WORD_LEN)
        return refuse(place, "\"%s\" must have fewer than %d bytes", key, RECORD_WORD_LEN);
    memcpy(word, text, strlen(text) + 1);
    return true;
}

static bool read_count(const struct place *place, const json_t *object, const char *key,
                       uint32_t *count)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > UINT32_MAX)
        return refuse(place, "\"%s\" must be there, and a whole number", key);
    *count = (uint32_t)json_integer_value(value);
    return true;
}

static bool read_sample(const struct place *place, const json_t *row, const char *key,
                        struct sample *sample)
{
    const json_t *object = json_object_get(row, key);
    const json_t *values = json_object_get(object, "values");
    size_t index;
    json_t *value;

    if (!object)
        return true;
    if (!json_is_array(values) || json_array_size(values) == 0 ||
        json_array_size(values) > SAMPLE_MAX)
        return refuse(place, "\"%s\" must have \"values\", 1 to %d of them", key, SAMPLE_MAX);
    json_array_foreach(values, index, value)
    {
        if (!json_is_number(value))
            return refuse(place, "\"%s\": values[%zu] must be a number", key, index);
        sample_add(sample, json_number_value(value));
    }
    return true;
}

static bool read_row(const struct place *place, const json_t *object, struct record_row *row)
{
    char kind[RECORD_WORD_LEN];
    unsigned known = 0;

    if (!json_is_object(object))
        return refuse(place, "must be an object");
    if (!read_word(place, object, "kind", kind))
        return false;
    while (known < RECORD_KINDS && strcmp(kind, kind_names[known]) != 0)
        known++;
    if (known == RECORD_KINDS)
        return refuse(place, "\"kind\" must be closed, open or handshakes, and is \"%s\"", kind);
    row->kind = (enum record_kind)known;
    row->is_ordered = json_is_true(json_object_get(object, "ordered"));
    for (unsigned metric = 0; metric < RECORD_METRICS; metric++) {
        if (!read_sample(place, object, measures[metric].key, &row->samples[metric]))
            return false;
    }
    return read_word(place, object, "who", row->who) && read_word(place, object, "io", row->io) &&
           read_word(place, object, "flags", row->flags) &&
           read_count(place, object, "size", &row->size) &&
           read_count(place, object, "connections", &row->connections) &&
           read_count(place, object, "burst", &row->burst) &&
           read_count(place, object, "rate", &row->rate);
}

static bool read_about(const struct place *place, const json_t *root, struct record *record)
{
    json_t *about = json_object_get(root, "about");
    const char *key;
    json_t *value;

    if (!json_is_object(about))
        return refuse(place, "\"about\" must be there, and an object");
    json_object_foreach(about, key, value)
    {
        if (!json_is_string(value))
            return refuse(place, "about: \"%s\" must be a text", key);
    }
    record->about = json_incref(about);
    return true;
}

static bool read_root(struct place *place, const json_t *root, struct record *record)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *rows = json_object_get(root, "rows");
    const char *fault = json_string_value(json_object_get(root, "fault"));

    if (!format || strcmp(format, format_name) != 0)
        return refuse(place, "is not a file that hail-load matrix --json wrote");
    if (json_integer_value(json_object_get(root, "format_version")) != FORMAT_VERSION)
        return refuse(place, "is of another version of hail-load: only format_version %d is known",
                      FORMAT_VERSION);
    if (!read_about(place, root, record))
        return false;
    if (!json_is_array(rows) || json_array_size(rows) > ROWS_MAX)
        return refuse(place, "\"rows\" must be there, and an array");
    record->is_complete = json_is_true(json_object_get(root, "complete"));
    snprintf(record->fault, sizeof record->fault, "%s", fault ? fault : "");
    record->rows = calloc(json_array_size(rows) + 1, sizeof *record->rows);
    if (!record->rows)
        return refuse(place, "no memory for %zu rows", json_array_size(rows));
    for (; record->row_count < json_array_size(rows); record->row_count++) {
        place->row = record->row_count + 1;
        if (!read_row(place, json_array_get(rows, record->row_count),
                      &record->rows[record->row_count]))
            return false;
    }
    return true;
}

bool record_read(struct record *record, const char *path, FILE *errors)
{
    struct place place = {.path = path, .errors = errors};
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    *record = (struct record){0};
    if (!root && error.line < 0)
        return refuse(&place, "%s", error.text);
    if (!root)
        return refuse(&place, "line %d, column %d: %s", error.line, error.column, error.text);
    bool good = read_root(&place, root, record);
    json_decref(root);
    if (!good)
        record_cleanup(record);
    return good;
}
